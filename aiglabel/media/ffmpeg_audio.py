"""ffmpeg for sound: what it sees in a file, samples out of it, and samples into a new one.

ffmpeg-python writes the argument lists; the processes are run here, each with a time limit. The
demuxer is always named, the protocols are files and pipes only, and a file name is always given
as ``file:…``, so neither a playlist nor a strange name leads ffmpeg anywhere else.
"""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np

from aiglabel.containers.sniff import SoundFormat
from aiglabel.errors import CorruptMedia, MediaError
from aiglabel.media import ffmpeg
from aiglabel.media.sound_coding import Coding, Samples

Input = tuple[str, Mapping[str, Any]]

_DEMUXERS = {SoundFormat.M4A: "mov", SoundFormat.OPUS: "ogg"}
_MUXERS = {SoundFormat.M4A: "ipod", SoundFormat.OPUS: "ogg"}
_STALL_S = 120.0
_LOOK_S = 60.0
_STREAM = re.compile(
    r"^  Stream #0:\d+\S*: Audio: (\w+)[^\n]*?, (\d+) Hz, ([^,\n]+), (\w+)", re.MULTILINE
)
_CHANNELS = {"mono": 1, "stereo": 2, "downmix": 2, "quad": 4, "quad(side)": 4, "hexagonal": 6,
             "octagonal": 8, "cube": 8}  # fmt: skip


@dataclass(frozen=True)
class Seen:
    """What ffmpeg says of the first sound stream: its codec, rate, channels and layout."""

    codec: str
    rate: int
    channels: int
    layout: str | None


def source_options(container: SoundFormat) -> dict[str, Any]:
    """Return the input options that keep ffmpeg from choosing a demuxer or another file."""
    demuxer = _DEMUXERS.get(container, container.value)
    return {"f": demuxer, "protocol_whitelist": "file,pipe"}


def muxer(container: SoundFormat) -> str:
    """Return the name of ffmpeg's muxer."""
    return _MUXERS.get(container, container.value)


def tag_options(coding: Coding) -> dict[str, Any]:
    """Return the input options for reading tags and chapters."""
    options = source_options(coding.container)
    if coding.container is SoundFormat.MP3 and coding.delay:
        # ffmpeg moves chapters towards the front by the coder's delay, which is no part of them.
        options["itsoffset"] = coding.delay / coding.rate
    return options


def look(path: str, container: SoundFormat) -> Seen:
    """Open a file as `container` and return what ffmpeg says of its first sound stream.

    Raises
    ------
    CorruptMedia
        It cannot be opened, or has no sound.
    """
    options = [
        part for key, value in source_options(container).items() for part in (f"-{key}", value)
    ]
    command = [ffmpeg.ffmpeg_exe(), "-hide_banner", "-nostdin", *options, "-i", f"file:{path}"]
    try:
        done = subprocess.run(
            command, stdin=subprocess.DEVNULL, capture_output=True, timeout=_LOOK_S
        )
    except (OSError, subprocess.TimeoutExpired) as exc:
        raise MediaError(f"ffmpeg did not run: {exc}") from exc
    # Values of tags are indented deeper, and the name of the file comes before "Duration".
    _, _, said = done.stderr.decode(errors="replace").rpartition("\n  Duration: ")
    found = _STREAM.search(said)
    if not found:
        raise CorruptMedia(f"{container.value.upper()} without a sound stream that can be decoded")
    codec, rate, layout, _ = found.groups()
    channels = _count(layout.strip())
    if channels is None or int(rate) < 1:
        raise CorruptMedia(f"the sound stream has an unknown channel layout, {layout[:40]!r}")
    named = None if re.match(r"\d+ channels", layout) else layout.strip()
    return Seen(codec, int(rate), channels, named)


def _count(layout: str) -> int | None:
    """Return the number of channels of ffmpeg's name of a layout."""
    if layout in _CHANNELS:
        return _CHANNELS[layout]
    numbered = re.match(r"(\d+) channels", layout) or re.match(r"(\d+)\.(\d+)(?:\.(\d+))?", layout)
    return sum(int(part) for part in numbered.groups() if part) if numbered else None


# ---------------------------------------------------------------------- samples out


def read_blocks(path: str, coding: Coding, size: int, *, seconds: float) -> Iterator[Samples]:
    """Yield ``float32 (channels, size)``, the last one shorter.

    Memory does not grow with the length. Closing the generator ends the process.

    Parameters
    ----------
    path : str
    coding : Coding
        Rate and channels that the samples come in.
    size : int
        Samples of one channel.
    seconds : float
        Where to stop.

    Raises
    ------
    MediaError
        ffmpeg failed, or gave nothing for two minutes.
    """
    import ffmpeg as graph

    target: dict[str, Any] = {
        "f": "f32le",
        "acodec": "pcm_f32le",
        "map": "0:a:0",
        "ar": coding.rate,
    }
    target |= _channels(coding)
    stream = graph.input(f"file:{path}", **source_options(coding.container))
    arguments = stream.output("pipe:1", t=seconds, **target).get_args()
    frame = 4 * coding.channels
    with ffmpeg.running(["-nostdin", *arguments], stdin=subprocess.DEVNULL, stall=_STALL_S) as job:
        assert job.process.stdout is not None
        while True:
            with job.deadline():
                raw = job.process.stdout.read(size * frame)
            whole = len(raw) // frame * frame
            if whole:
                y = np.frombuffer(raw[:whole], "<f4").reshape(-1, coding.channels)
                yield np.ascontiguousarray(y.T, np.float32)
            if len(raw) < size * frame:
                break
        job.finish()


def extract(path: str, coding: Coding, options: Mapping[str, Any]) -> bytes:
    """Return what ffmpeg writes with these output options, nothing where it fails."""
    import ffmpeg as graph

    stream = graph.input(f"file:{path}", **tag_options(coding))
    arguments = stream.output("pipe:1", **options).get_args()
    command = [ffmpeg.ffmpeg_exe(), "-hide_banner", "-loglevel", "error", "-nostdin", *arguments]
    try:
        done = subprocess.run(
            command, stdin=subprocess.DEVNULL, capture_output=True, timeout=_LOOK_S
        )
    except (OSError, subprocess.TimeoutExpired):
        return b""
    return done.stdout if done.returncode == 0 else b""


def _channels(coding: Coding) -> dict[str, Any]:
    if coding.layout is None:
        return {"ac": coding.channels}
    return {"channel_layout": coding.layout}


# ---------------------------------------------------------------------- samples in


def encode(
    exe: str,
    pieces: Iterable[bytes],
    inputs: Iterable[Input],
    maps: Iterable[str],
    target: Mapping[str, Any],
    dst: str,
) -> None:
    """Write a new file from interleaved samples.

    Parameters
    ----------
    exe : str
    pieces : iterable of bytes
        What input 0 gets.
    inputs : iterable of (name, options)
        Input 0 is "pipe:0"; others bring tags and pictures.
    maps : iterable of str
        Streams that are written, as in "0:a".
    target : mapping
        Output options.
    dst : str
        A path that ffmpeg may overwrite. A file and not a pipe: the writers of MP3, FLAC and MP4
        go back to fill in lengths.

    Raises
    ------
    MediaError
        ffmpeg failed; its last line is the reason.
    """
    import ffmpeg as graph

    # ffmpeg-python numbers the inputs of one graph in an order of its own, and the numbers that
    # `target` names would not hold; so it writes the arguments of each input by itself.
    arguments = []
    for name, options in inputs:
        arguments += graph.input(name, **options).output("-").get_args()[:-1]
    for stream in maps:
        arguments += ["-map", stream]
    arguments += graph.input("-").output(f"file:{dst}", **target).get_args()[2:]
    with ffmpeg.running(["-y", *arguments], stdin=subprocess.PIPE, stall=_STALL_S, exe=exe) as job:
        taken = all(job.give(piece) for piece in pieces)
        taken &= job.give(None)
        job.finish(writing=True)
        if not taken:
            raise MediaError("ffmpeg stopped before the end of the sound")


@cache
def vorbis_takes(exe: str, channels: int, rate: int, bitrate: int) -> bool:
    """Whether libvorbis has a mode for this bit rate; asked with a few samples of silence."""
    raw = ["-f", "f32le", "-ar", str(rate), "-ac", str(channels), "-i", "pipe:0"]
    target = ["-c:a", "libvorbis", "-b:a", str(bitrate), "-f", "null", "-"]
    command = [exe, "-hide_banner", "-loglevel", "quiet", *raw, *target]
    try:
        done = subprocess.run(
            command, input=bytes(4 * 64 * channels), capture_output=True, timeout=_LOOK_S
        )
    except (OSError, subprocess.TimeoutExpired):
        return False
    return done.returncode == 0
