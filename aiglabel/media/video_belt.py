"""Frames on their way from one ffmpeg to another: reader, changer and writer at the same time.

Two processes and two threads: ffmpeg decodes; a thread takes its frames; the caller's function
changes them; a thread hands them to an ffmpeg that encodes. Five frames at most are under way, so
memory does not grow with the length, and no part waits for another that is not the slowest.
"""

from __future__ import annotations

import errno
import os
import queue
import threading
from collections.abc import Callable
from fractions import Fraction

from aiglabel.errors import MediaError
from aiglabel.media import ffmpeg, video_nut
from aiglabel.media.video_coding import Frame, Lead, VideoCoding
from aiglabel.media.video_pipe import FramePipe
from aiglabel.media.video_reading import HELD, USUAL_RATE, FrameReader, OpenVideo

Change = Callable[[Frame], None]
Progress = Callable[[float, float | None], None]

_FINISH_S = 3600.0  # the last frames, and moving the index of a large MP4 to its front


def carry(
    reader: FrameReader,
    writer: ffmpeg.Job,
    given: OpenVideo,
    change: Change,
    progress: Progress | None,
    *,
    lead: Lead | None = None,
    wait: Fraction = Fraction(0),
) -> None:
    """Take every frame from the reader through `change` to the writer, `lead` before them.

    All of them come later by `wait`, seconds.
    """
    coding, base = given.coding, reader.stream.time_base
    belt = _Belt(reader, writer)
    views = {
        id(picture): coding.pixel_format.planes(picture, coding.width, coding.height)
        for picture in belt.pictures
    }
    later = round(wait / base)
    try:
        number, first = 0, 0.0
        while (taken := belt.next()) is not None:
            pts, picture = taken
            time = float(pts * base)
            if not number:
                first = time
                if lead:
                    _lead(lead, belt, reader, coding, pts, later)
            change(Frame(number, time, views[id(picture)]))
            belt.give(pts + later, picture)
            number += 1
            if progress:
                progress(time - first, coding.seconds)
        belt.finish()
    except BaseException:
        reader.job.kill()
        writer.kill()
        raise
    finally:
        belt.stop()


def _lead(
    lead: Lead, belt: _Belt, reader: FrameReader, coding: VideoCoding, begin: int, later: int
) -> None:
    """Send the frames before the film, which comes `later` by so many ticks, all of one buffer."""
    stream = reader.stream
    picture = bytearray(reader.size)
    planes = coding.pixel_format.planes(picture, coding.width, coding.height)
    lead.paint(Frame(-1, float((begin - later) * stream.time_base), planes))
    count = max(1, round(lead.seconds * float(stream.rate or USUAL_RATE)))
    for number in range(count):
        belt.give(begin + number * later // count, picture)


class _Belt:
    """Frames on their way: a thread that reads, one that writes, and buffers that go round.

    The queues need no bounds: there are no more than the `pictures`.
    """

    def __init__(self, reader: FrameReader, writer: ffmpeg.Job) -> None:
        self.pictures = [bytearray(reader.size) for _ in range(HELD)]
        self._reader, self._writer = reader, writer
        self._free: queue.SimpleQueue[bytearray | None] = queue.SimpleQueue()
        self._full: queue.SimpleQueue[tuple[int, bytearray] | BaseException | None] = (
            queue.SimpleQueue()
        )
        self._done: queue.SimpleQueue[tuple[int, bytearray] | None] = queue.SimpleQueue()
        self._heard = True
        for picture in self.pictures:
            self._free.put(picture)
        self._threads = [
            threading.Thread(target=work, daemon=True) for work in (self._read, self._write)
        ]
        for thread in self._threads:
            thread.start()

    def next(self) -> tuple[int, bytearray] | None:
        """Return the next frame's time in ticks and its bytes; None at the end."""
        found = self._full.get()
        if isinstance(found, BaseException):
            raise found
        if not self._heard:
            self._fail()
        return found

    def give(self, pts: int, picture: bytearray) -> None:
        """Hand a changed frame on."""
        self._done.put((pts, picture))

    def finish(self) -> None:
        """Wait until all is written."""
        self._done.put(None)
        self._threads[1].join()
        self._writer.stall = _FINISH_S
        if not self._heard:
            self._fail()
        _finished(self._writer)

    def stop(self) -> None:
        """Let the threads end."""
        self._free.put(None)
        self._done.put(None)
        for thread in self._threads:
            thread.join(timeout=10)

    def _fail(self) -> None:
        _finished(self._writer)
        raise MediaError("ffmpeg stopped before the end of the film", remedy="Try another codec")

    def _read(self) -> None:
        try:
            while (picture := self._free.get()) is not None:
                pts = self._reader.read(picture)
                self._full.put(None if pts is None else (pts, picture))
                if pts is None:
                    return
        except BaseException as exc:  # raised again where the frames are taken
            self._full.put(exc)

    def _write(self) -> None:
        pipe = FramePipe(self._writer, self._reader.size)
        self._heard = self._writer.give(video_nut.head(self._reader.stream))
        while (done := self._done.get()) is not None:
            pts, picture = done
            free: bytearray | None = picture
            if self._heard:
                head = video_nut.frame_head(pts, len(picture))
                self._heard, free = pipe.give(head, picture)
            if any(free is one for one in self.pictures):
                self._free.put(free)
        if self._heard:
            self._heard = self._writer.give(None)


def _finished(writer: ffmpeg.Job) -> None:
    try:
        writer.finish(writing=True)
    except MediaError as exc:
        if ffmpeg.DISK_FULL in exc.reason:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)) from exc
        raise
