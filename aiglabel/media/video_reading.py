"""An open film: looked at once, then read frame by frame."""

from __future__ import annotations

import math
import os
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from aiglabel.errors import CorruptMedia, ResourceLimit
from aiglabel.media import ffmpeg, ffmpeg_video, video_look
from aiglabel.media.atomic import Source, read_source, regular_file
from aiglabel.media.limits import Limits
from aiglabel.media.sound_reading import blaming
from aiglabel.media.video_coding import VideoCoding
from aiglabel.media.video_nut import NutReader
from aiglabel.media.video_pipe import widen
from aiglabel.media.video_whole import check_own, check_whole, container_of

HELD = 5
"""Frames of a film that are in memory at a time."""

USUAL_RATE, _MOST_RATE = Fraction(25), Fraction(999)


@dataclass(frozen=True)
class OpenVideo:
    """A film that was looked at: a path for ffmpeg, and how it is coded.

    `source` is what it was opened from, which errors name.
    """

    path: str
    coding: VideoCoding
    limits: Limits
    source: Source


@contextmanager
def opened(src: Source | OpenVideo, limits: Limits) -> Iterator[OpenVideo]:
    """Look at a source; bytes become a temporary file. One that was looked at is taken as it is.

    ``Limits.max_bytes`` is for what is held in memory: a film on disk may be larger.
    """
    if isinstance(src, OpenVideo):
        yield src
        return
    with ExitStack() as stack:
        with blaming(src), remedied():
            given = _open(src, limits, stack)
        yield given


@contextmanager
def remedied() -> Iterator[None]:
    """Say what to do about a broken film, where an error does not."""
    try:
        yield
    except CorruptMedia as exc:
        exc.remedy = exc.remedy or "Get the whole, undamaged film"
        raise


def _open(src: Source, limits: Limits, stack: ExitStack) -> OpenVideo:
    if isinstance(src, str | os.PathLike):
        path = os.fspath(src)
    else:
        folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="aiglabel-"))
        path = str(Path(folder) / "source")
        Path(path).write_bytes(read_source(src, limits))
    with regular_file(path) as file:
        container = container_of(file)
        check_whole(file, container)
        check_own(file, container)
    coding = video_look.look(path, container, limits)
    if HELD * coding.width * coding.height > limits.max_total_pixels:
        raise ResourceLimit(
            f"{HELD} frames of {coding.width} by {coding.height} pixels are over the limit of "
            f"{limits.max_total_pixels} pixels in memory",
            remedy="Raise Limits.max_total_pixels if the file is trusted",
        )
    if (coding.seconds or 0.0) > limits.max_seconds:
        raise ResourceLimit(
            f"the film is {coding.seconds:.0f} s long, the limit is {limits.max_seconds:.0f} s",
            remedy="Raise Limits.max_seconds if the file is trusted",
        )
    return OpenVideo(path, coding, limits, src)


class FrameReader:
    """The frames of a film, one after the other, into buffers of the caller.

    Parameters
    ----------
    job : ffmpeg.Job
        From `ffmpeg_video.reading`.
    given : OpenVideo
    """

    def __init__(self, job: ffmpeg.Job, given: OpenVideo) -> None:
        assert job.process.stdout is not None
        self.job = job
        self._coding = given.coding
        self._limits = given.limits
        widen(job.process.stdout)
        self.notes: tuple[str, ...] = ()
        self.size = given.coding.pixel_format.size(given.coding.width, given.coding.height)
        self.count = 0
        self._last = -math.inf
        with job.deadline():
            try:
                self._nut = NutReader(job.process.stdout)  # type: ignore[arg-type]
            except CorruptMedia:
                job.finish()  # its own words are the better reason
                raise
        rate = min(given.coding.rate or USUAL_RATE, _MOST_RATE)
        self.stream = replace(self._nut.stream, rate=rate)
        # Frames are told apart by ticks of the film, in which its encoder counts.
        self._tick = max(given.coding.time_base / self.stream.time_base, Fraction(1))
        if (self.stream.width, self.stream.height) != (given.coding.width, given.coding.height):
            raise CorruptMedia("the frames are not as large as the file says")

    def read(self, picture: bytearray | NDArray[np.uint8]) -> int | None:
        """Fill `picture`, `size` bytes, and return its time in ticks of `stream.time_base`.

        Times rise: a frame that would not come after the one before comes a tick later. None at
        the end; `notes` then tell what was wrong with the film.

        Raises
        ------
        MediaError
            ffmpeg failed or stalls, frames are damaged, or there is none.
        ResourceLimit
            The film is too long.
        """
        with self.job.deadline():
            found = self._nut.next_frame()
            if found is not None:
                pts, size = found
                if size != self.size:
                    raise CorruptMedia("the frames are not as large as the file says")
                self._nut.read_into(memoryview(picture))  # type: ignore[arg-type]
        if found is None:
            self._judge()
            return None
        self.count += 1
        pts = self._rising(pts)
        if pts * self.stream.time_base > self._limits.max_seconds + 86_400:
            raise ResourceLimit(
                f"the film is longer than the limit of {self._limits.max_seconds:.0f} s",
                remedy="Raise Limits.max_seconds if the file is trusted",
            )
        return pts

    def _rising(self, pts: int) -> int:
        number = round(pts / self._tick)
        if number <= self._last:
            number = int(self._last) + 1
            pts = round(number * self._tick)
            self.notes = ("frames whose times did not rise are shown a tick after those before",)
        self._last = number
        return pts

    def _judge(self) -> None:
        self.notes += ffmpeg_video.check_read(self.job.finish(), self._coding.container)
        if not self.count:
            raise CorruptMedia("no frame of the video could be decoded")
