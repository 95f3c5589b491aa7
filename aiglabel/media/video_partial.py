"""Only the beginning of a film encoded anew: the pictures that carry the label, and no more.

The pictures up to the first that begins anew (IDR) behind the label are decoded, changed and
encoded, and take the places of the old ones (`containers.mp4_head`). All else in the file stays,
byte for byte. The new pictures have parameter sets of their own, under a number that those of the
film do not use; they are shown in the order they are decoded, so that none is owed to the decoder
where the old ones go on. Of the result the beginning, the join and what follows up to the next
second are decoded and compared with the source.

H.264 in MP4 and QuickTime alone: other encoders do not number their parameter sets, and Matroska's
clusters would have to be written anew.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Generator
from contextlib import ExitStack, closing
from dataclasses import replace
from fractions import Fraction
from itertools import zip_longest
from pathlib import Path
from typing import BinaryIO

import numpy as np

from aiglabel.containers import avc, mp4_head
from aiglabel.containers.pieces import copy_spliced, copying
from aiglabel.errors import CorruptMedia, OutputError, ResourceLimit, UnsupportedFormat
from aiglabel.media import ffmpeg, ffmpeg_video
from aiglabel.media.ffmpeg_video import STALL_S
from aiglabel.media.limits import Limits
from aiglabel.media.video_belt import Change, Progress, carry
from aiglabel.media.video_coding import Frame, VideoTarget
from aiglabel.media.video_encoders import planned
from aiglabel.media.video_reading import FrameReader, OpenVideo, opened
from aiglabel.media.video_whole import ISOBMFF
from aiglabel.media.video_writing import Written, coded_as, room_for

_MOST_SHARE, _MOST_S = 0.8, 60.0  # of the film; a longer beginning is not worth the seam
_MOST_BYTES = 256 << 20  # of new pictures, which are held in memory
_BEHIND_S = 1.0  # that are looked at behind the join
_LEVELS = (10, 11, 12, 13, 20, 21, 22, 30, 31, 32, 40, 41, 42, 50, 51, 52)


def begin(
    src: str | os.PathLike[str] | OpenVideo,
    dst: str | os.PathLike[str],
    change: Change,
    *,
    seconds: float,
    progress: Progress | None = None,
    limits: Limits | None = None,
) -> Written:
    """Write a film anew of which only the first seconds are changed by a function.

    Parameters
    ----------
    src : path, or what `video.look` gave
        MP4 or QuickTime.
    dst : path
        Overwritten, and not forced to disk.
    change : callable
        Gets each `Frame` of the beginning, as in `video.transcode`. It may be called for more
        frames than those of the first `seconds`.
    seconds : float
        How much may be changed, from the first frame on.
    progress : callable, optional
        Called after each frame of the beginning, with its time and the length of that.
    limits : Limits, optional

    Returns
    -------
    Written
        `frames` are those coded anew.

    Raises
    ------
    UnsupportedFormat
        The film has no seam that is safe, and must be encoded as a whole. Nothing is at `dst`.
    OutputError
        The disk is full or refuses.
    MediaError
        As `video.transcode`.
    """
    try:
        with ExitStack() as stack:
            given = stack.enter_context(opened(src, limits or Limits()))
            file, out = stack.enter_context(copying(given.path, dst))
            room_for(Path(dst), given)
            start = _start(given, file, seconds)
            stream, written = _encoded(given, start, change, progress, Path(dst))
            new = avc.coded(stream, start.configuration.length_size)
            copy_spliced(file, out, mp4_head.exchanged(file, start, new))
            out.flush()
            _check(given, dst, start)
            return written
    except OSError as exc:
        raise OutputError(f"cannot be written: {exc.strerror or exc}", path=dst) from exc


def _start(given: OpenVideo, file: BinaryIO, seconds: float) -> mp4_head.Start:
    coding = given.coding
    if coding.container not in ISOBMFF or coding.codec != "h264" or coding.fields or coding.notes:
        raise UnsupportedFormat("only progressive H.264 in MP4 and MOV is joined")
    start = mp4_head.start_of(file, coding.stream, seconds)
    if start.seconds > min(_MOST_S, _MOST_SHARE * (coding.seconds or 0)):
        raise UnsupportedFormat("the first picture that begins anew comes late")
    return start


def _encoded(
    given: OpenVideo,
    start: mp4_head.Start,
    change: Change,
    progress: Progress | None,
    dst: Path,
) -> tuple[bytes, Written]:
    """Return the beginning as a byte stream of H.264."""
    coding = replace(given.coding, seconds=start.seconds)
    plan = planned(coding, VideoTarget())
    if plan.options["c:v:0"] != "libx264" or plan.pixels.name != coding.pixel_format.name:
        raise UnsupportedFormat("no encoder here numbers its parameter sets")
    number = start.configuration.free_id
    options = plan.options | coded_as(coding, plan) | {
        "bf:v:0": 0, "level:v:0": _level(start.configuration.level),
        "x264-params": f"sps-id={number}:aud=1:repeat-headers=1:annexb=1:stitchable=1",
    }  # fmt: skip
    path = dst.with_name(f"{dst.name}.h264")
    try:
        with ExitStack() as stack:
            job = stack.enter_context(
                ffmpeg_video.reading(given.path, given.coding, count=start.count)
            )
            reader = FrameReader(job, given)
            command = ["-y", "-f", "nut", "-copyts", "-noautorotate", "-i", "pipe:0"]
            command += ["-map", "0:v:0", *ffmpeg_video.in_words(options)]
            command += ["-f", "h264", f"file:{path}"]
            writer = stack.enter_context(
                ffmpeg.running(command, stdin=subprocess.PIPE, stall=STALL_S, exe=plan.exe)
            )
            carry(reader, writer, replace(given, coding=coding), change, progress)
        if reader.notes:
            raise CorruptMedia(reader.notes[0])
        if path.stat().st_size > _MOST_BYTES:
            raise ResourceLimit("the beginning of the film is too large to be held in memory")
        note = f"only the first {start.seconds:.1f} s were coded anew, the rest is as it was"
        written = Written(reader.count, plan.container, plan.codec, plan.options, (note,))
        return path.read_bytes(), written
    finally:
        path.unlink(missing_ok=True)


def _level(told: int) -> str:
    """Return a level as encoders name it: 31 is 3.1."""
    if told not in _LEVELS:
        raise UnsupportedFormat("the level of the H.264 is not known")
    return f"{told / 10:g}"


# ---------------------------------------------------------------------- the join


def _check(given: OpenVideo, dst: str | os.PathLike[str], start: mp4_head.Start) -> None:
    """Compare the beginning of the result, and what follows it, with the source.

    Raises
    ------
    UnsupportedFormat
        A frame is missing, at another time, or, behind the join, not the same.
    """
    behind = round(_BEHIND_S * float(given.coding.rate or 25)) + 2
    count = start.count + behind
    with opened(dst, given.limits) as made, ExitStack() as stack:
        pairs = zip_longest(
            stack.enter_context(closing(_frames(given, count))),
            stack.enter_context(closing(_frames(made, count))),
        )
        first: float | None = None
        for number, (old, new) in enumerate(pairs):
            if old is None or new is None or old.time != new.time:
                raise UnsupportedFormat("frames around the join are missing or late")
            first = old.time if first is None else first
            if number < start.count:
                told = Fraction(int(start.times[number] - start.times[0]), start.timescale)
                if abs(old.time - first - told) > Fraction(1, 2 * start.timescale):
                    raise UnsupportedFormat("the tables tell of other times than the decoder")
            elif not all(map(np.array_equal, old.planes, new.planes)):
                raise UnsupportedFormat("frames behind the join changed")


def _frames(given: OpenVideo, count: int) -> Generator[Frame, None, None]:
    """Yield the first frames; a decoder that complains is an error."""
    coding = given.coding
    with ffmpeg_video.reading(given.path, coding, count=count) as job:
        reader = FrameReader(job, given)
        picture = bytearray(reader.size)
        while (pts := reader.read(picture)) is not None:
            time = float(pts * reader.stream.time_base)
            planes = coding.pixel_format.planes(picture, coding.width, coding.height)
            yield Frame(reader.count - 1, time, planes)
        if reader.notes:
            raise UnsupportedFormat(f"the decoder stumbles: {reader.notes[0]}")
