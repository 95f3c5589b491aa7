"""The ffmpeg program, run as a subprocess: found once, fed through pipes, never through a shell.

ffmpeg-python writes the argument list; it never runs anything here, as it knows no time limit.
"""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any

from aiglabel.errors import MediaError, UnsupportedFormat

_TIMEOUT_S = 600


@cache
def ffmpeg_exe() -> str:
    """Return the ffmpeg on PATH if it runs, else the one that imageio-ffmpeg brings.

    Raises
    ------
    MediaError
        Neither is there.
    """
    for exe in _candidates():
        if _output_of(exe, "-version").startswith("ffmpeg"):
            return exe
    raise MediaError("no ffmpeg program was found", remedy="Install ffmpeg or imageio-ffmpeg")


@cache
def hevc_encoder() -> tuple[str, str]:
    """Return (ffmpeg, encoder name) of the first ffmpeg that can code HEVC in software.

    A distribution's ffmpeg may have been built without, so both programs are asked.

    Raises
    ------
    UnsupportedFormat
        None can.
    """
    for exe in _candidates():
        listing = _output_of(exe, "-hide_banner", "-encoders")
        for name in ("libx265", "libkvazaar"):
            if f" {name} " in listing:
                return exe, name
    raise UnsupportedFormat(
        "writing HEIC needs an ffmpeg with libx265 or libkvazaar",
        remedy="Install imageio-ffmpeg, or write another format",
    )


@cache
def with_encoder(name: str) -> str:
    """Return the first ffmpeg that has the encoder `name`.

    Raises
    ------
    UnsupportedFormat
        None has.
    """
    ffmpeg_exe()
    for exe in _candidates():
        if f" {name} " in _output_of(exe, "-hide_banner", "-encoders"):
            return exe
    raise UnsupportedFormat(
        f"no ffmpeg here has the encoder {name}",
        remedy="Install imageio-ffmpeg, or write another format",
    )


def run(exe: str, source: Mapping[str, Any], target: Mapping[str, Any], stdin: bytes) -> bytes:
    """Run ffmpeg from standard input to standard output and return what it wrote.

    Parameters
    ----------
    exe : str
    source, target : mapping
        Options of the one input and the one output, as ffmpeg-python takes them. The input names
        its demuxer (``f``): ffmpeg never chooses one by itself.
    stdin : bytes

    Raises
    ------
    MediaError
        It failed or took longer than ten minutes; the reason is its last line.
    """
    import ffmpeg

    graph = ffmpeg.input("pipe:0", **source).output("pipe:1", **target)
    command = [exe, "-hide_banner", "-loglevel", "error", *graph.get_args()]
    try:
        done = subprocess.run(command, input=stdin, capture_output=True, timeout=_TIMEOUT_S)
    except (OSError, subprocess.TimeoutExpired) as exc:
        raise MediaError(f"ffmpeg did not run: {exc}") from exc
    if done.returncode != 0 or not done.stdout:
        lines = done.stderr.decode(errors="replace").strip().splitlines()
        raise MediaError(f"ffmpeg failed: {lines[-1] if lines else 'no output'}")
    return done.stdout


def _candidates() -> Iterator[str]:
    on_path = shutil.which("ffmpeg")
    if on_path:
        yield on_path
    try:
        import imageio_ffmpeg

        yield imageio_ffmpeg.get_ffmpeg_exe()
    except (ImportError, RuntimeError):
        return


def _output_of(exe: str, *arguments: str) -> str:
    try:
        done = subprocess.run([exe, *arguments], capture_output=True, timeout=30)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.decode(errors="replace") if done.returncode == 0 else ""
