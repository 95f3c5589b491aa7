"""The ffmpeg program, run as a subprocess: found once, fed through pipes, never through a shell.

ffmpeg-python writes the argument list; it never runs anything here, as it knows no time limit.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from functools import cache
from typing import IO, Any

from aiglabel.errors import CorruptMedia, MediaError, UnsupportedFormat

DISK_FULL = "No space left on device"

_TIMEOUT_S = 600
_ECHO = re.compile(
    r"Task finished|Terminating thread|Error (submitting|flushing|sending|encoding a |while)|"
    r"Could not open|Nothing was written|Conversion failed|Last message"
)
_PART = re.compile(r"\[[^\[\]\n]{1,60} @ 0x[0-9a-f]{1,16}\] ")


@cache
def ffmpeg_exe() -> str:
    """Return the ffmpeg on PATH if it runs, else the one that imageio-ffmpeg brings.

    Raises
    ------
    MediaError
        Neither is there.
    """
    for exe in _candidates():
        if (answer(exe, "-version") or "").startswith("ffmpeg"):
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
        listing = answer(exe, "-hide_banner", "-encoders") or ""
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
        if f" {name} " in (answer(exe, "-hide_banner", "-encoders") or ""):
            return exe
    raise UnsupportedFormat(
        f"no ffmpeg here has the encoder {name}",
        remedy="Install imageio-ffmpeg, or write another format",
    )


def answer(exe: str, *arguments: str, seconds: float = 30) -> str | None:
    """Return what a program prints when it is asked something; None where it fails or is slow."""
    try:
        done = subprocess.run([exe, *arguments], capture_output=True, timeout=seconds)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.decode(errors="replace") if done.returncode == 0 else None


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


# ---------------------------------------------------------------------- processes


class Job:
    """A running ffmpeg with a clock over every wait, and what it said.

    Parameters
    ----------
    process : subprocess.Popen
    stall : float
        Seconds that one read or write may take.
    """

    def __init__(self, process: subprocess.Popen[bytes], stall: float) -> None:
        self.process = process
        self.stall = stall
        self.late = False
        self._due: float | None = None
        self._over = threading.Event()
        self._first: list[bytes] = []
        self._last: deque[bytes] = deque(maxlen=20)
        assert process.stderr is not None
        self._ear = threading.Thread(target=self._listen, args=(process.stderr,), daemon=True)
        self._ear.start()
        threading.Thread(target=self._watch, daemon=True).start()

    def _listen(self, pipe: IO[bytes]) -> None:
        # A line without end is cut, and only the first and last lines are kept: a broken file can
        # make ffmpeg complain about every packet.
        with suppress(ValueError, OSError):
            while line := pipe.readline(2000):
                (self._first if len(self._first) < 20 else self._last).append(line)

    def _watch(self) -> None:
        while not self._over.wait(min(1.0, self.stall / 4)):
            due = self._due
            if due is not None and time.monotonic() > due:
                self.late = True
                self.process.kill()

    @contextmanager
    def deadline(self) -> Iterator[None]:
        """Kill the process if the body takes longer; whoever waits for its pipes then wakes up."""
        self._due = time.monotonic() + self.stall
        try:
            yield
        finally:
            self._due = None

    def give(self, piece: bytes | memoryview | None) -> bool:
        """Write to the process, None for the end; False if it does not listen any more.

        Its own words, which `finish` reads, are then the reason, not the broken pipe.
        """
        pipe = self.process.stdin
        assert pipe is not None
        return self.attempt(pipe.close if piece is None else lambda: pipe.write(piece))

    def attempt(self, write: Callable[[], object]) -> bool:
        """Write to the process by a function; False if it does not listen any more."""
        try:
            with self.deadline():
                write()
        except OSError:
            return False
        return True

    def finish(self, *, writing: bool = False) -> list[str]:
        """Wait for the end, judge it, and return the first and last lines that were said.

        Raises
        ------
        MediaError
            It failed; `CorruptMedia` where it was reading.
        """
        with self.deadline():
            code = self.process.wait()
        self._ear.join(timeout=5)
        said = [_plain(line) for line in (*self._first, *self._last)]
        if self.late:
            raise MediaError(
                f"ffmpeg did nothing for {self.stall:.0f} s and was stopped",
                remedy="Get the file undamaged, or try again when the machine has less to do",
            )
        if code != 0:
            if writing:
                raise MediaError(
                    f"ffmpeg failed: {_reason(said)}", remedy="Try another codec or container"
                )
            raise CorruptMedia(f"ffmpeg failed: {_reason(said)}")
        return said

    def kill(self) -> None:
        """End the process, whatever it does; who reads from it or writes to it then wakes up."""
        self._over.set()
        self.process.kill()
        self.process.wait()

    def close(self) -> None:
        """End the process and its pipes, which no thread may use any more."""
        self.kill()
        for pipe in (self.process.stdin, self.process.stdout, self.process.stderr):
            if pipe:
                with suppress(OSError):
                    pipe.close()


def _plain(line: bytes) -> str:
    """Return a line without the names and addresses of ffmpeg's parts."""
    return _PART.sub("", line.decode(errors="replace")).strip()


def _reason(said: list[str]) -> str:
    """Return the last line that says more than that something else failed; a full disk first."""
    lines = [line for line in said if line]
    telling = [line for line in lines if not _ECHO.match(line)] or lines or ["no reason given"]
    return next((line for line in lines if DISK_FULL in line), telling[-1])


@contextmanager
def running(
    arguments: list[str], *, stdin: int, stall: float, exe: str | None = None, level: str = "error"
) -> Iterator[Job]:
    """Start ffmpeg, and end it with the body.

    Parameters
    ----------
    arguments : list of str
    stdin : int
        ``subprocess.PIPE`` where it is given data, then its output goes nowhere; else its output
        can be read.
    stall : float
        Seconds that one read or write may take.
    exe : str, optional
    level : str
        How much it says.
    """
    command = [exe or ffmpeg_exe(), "-hide_banner", "-loglevel", level, *arguments]
    stdout = subprocess.DEVNULL if stdin == subprocess.PIPE else subprocess.PIPE
    try:
        # In a group of its own: Ctrl-C is for us, who then end it; it would call its end an error.
        process = subprocess.Popen(
            command, stdin=stdin, stdout=stdout, stderr=subprocess.PIPE, process_group=0
        )
    except OSError as exc:
        raise MediaError(f"ffmpeg did not run: {exc}") from exc
    job = Job(process, stall)
    try:
        yield job
    finally:
        job.close()
