"""Films: frames out, and a film through a function into a new one.

ffmpeg decodes and encodes, in processes of its own (`ffmpeg_video`, `video_encoders`); frames go
through pipes in NUT, which keeps the time of each exactly (`video_nut`). Only what the caller's
function changes is changed before encoding: chroma passes through, all other tracks, chapters and
tags are copied from the source.

Bindings to ffmpeg's libraries would save the pipes (about 3 of 59 ms of CPU a frame of 1080p
with x264 ``veryfast``); their wheels link x264 and x265, which are under the GPL, into the process
of whoever imports them. A program that is merely run does not.
"""

from __future__ import annotations

import errno
import logging
import os
import tempfile
from collections.abc import Generator
from contextlib import ExitStack
from pathlib import Path

import numpy as np

from aiglabel.errors import AigLabelError
from aiglabel.media import ffmpeg_video, video_sound
from aiglabel.media.atomic import Source, atomic_file, synced
from aiglabel.media.ffmpeg_video import Which
from aiglabel.media.limits import Limits
from aiglabel.media.sound_reading import blaming
from aiglabel.media.video_belt import Change, Progress
from aiglabel.media.video_coding import Frame, Lead, VideoCoding, VideoTarget
from aiglabel.media.video_reading import FrameReader, OpenVideo, opened, remedied
from aiglabel.media.video_writing import Written, produce, room_for

Film = Source | OpenVideo
"""A source, or a film that was `look`ed at, which is not looked at again."""

logger = logging.getLogger(__name__)


def probe(src: Source, *, limits: Limits | None = None) -> VideoCoding:
    """Return how a film is coded, without decoding it.

    Parameters
    ----------
    src : path, bytes or open binary file
        On disk it may be larger than ``Limits.max_bytes``.
    limits : Limits, optional

    Raises
    ------
    UnsupportedFormat
        Not MP4, MOV, MKV, WebM, AVI or FLV.
    CorruptMedia
        Damaged, shorter than it says, or without a film track.
    ResourceLimit
        Over `limits`.
    MediaError
        It cannot be read, or ffmpeg is missing or hangs.
    """
    with opened(src, limits or Limits()) as given:
        return given.coding


def look(path: str | os.PathLike[str], *, limits: Limits | None = None) -> OpenVideo:
    """Look at a film on disk once, for all that is asked of it next; raises as `probe`."""
    with opened(path, limits or Limits()) as given:
        return given


def frames(
    src: Film,
    *,
    start: float = 0.0,
    seconds: float | None = None,
    apart: float = 0.0,
    which: Which = "all",
    limits: Limits | None = None,
) -> Generator[Frame, None, None]:
    """Yield frames as they are stored (not turned), in constant memory.

    Each has memory of its own, free when it is no longer held. Closing the generator ends the
    process.

    Parameters
    ----------
    src : path, bytes, open binary file, or what `look` gave
    start : float
        Frames before are left out; seconds on the clock of the file.
    seconds : float, optional
        How much of the film is read, from `start` or the first frame, whichever is later.
    apart : float
        Seconds from one frame to the next, at least: samples of a film.
    which : {"all", "references", "keys"}
        Frames that are decoded, where the codec tells: "references", which others are coded from,
        take about half the time of all, "keys", which stand for themselves, next to none.
    limits : Limits, optional

    Raises
    ------
    MediaError
        As `probe`, from the first step on, and where frames are damaged or none is there.
    """
    with opened(src, limits or Limits()) as given, blaming(given.source), remedied():
        coding = given.coding
        reading = ffmpeg_video.reading(given.path, coding, start=start, apart=apart, which=which)
        with reading as job:
            reader = FrameReader(job, given)
            while True:
                picture = np.empty(reader.size, np.uint8)
                pts = reader.read(picture)
                if pts is None:
                    return
                time = float(pts * reader.stream.time_base)
                if reader.count == 1:
                    start = max(start, time)
                if seconds is not None and time >= start + seconds:
                    return
                planes = coding.pixel_format.planes(picture, coding.width, coding.height)
                yield Frame(reader.count - 1, time, planes)


def transcode(
    src: Film,
    dst: str | os.PathLike[str],
    change: Change,
    *,
    target: VideoTarget | None = None,
    lead: Lead | None = None,
    audio: str | os.PathLike[str] | None = None,
    audio_begins: float | None = None,
    overwrite: bool = False,
    progress: Progress | None = None,
    limits: Limits | None = None,
) -> Written:
    """Write a film anew, with every frame changed by a function: one decode, one encode.

    Each frame keeps its time. All other tracks, chapters, attachments and tags are copied. Only
    the first film track is changed. MKV and WebM count milliseconds, FLV too, AVI frames.

    Parameters
    ----------
    src : path, bytes, open binary file, or what `look` gave
    dst : path
        A reader sees the old file or the whole new one. It may be `src`.
    change : callable
        Gets each `Frame` and changes its planes in place. The memory is used again for later
        frames: keep copies.
    target : VideoTarget, optional
        What is to differ from the source; by default container, codec, profile and pixel format
        are its own, and the quality is close to it (see `video_encoders`).
    lead : Lead, optional
        What is shown before the film; all tracks are as much later. AVI cannot do that with sound.
    audio : path, optional
        A sound file that replaces the first sound track; it is copied where its codec is that
        track's, else coded with it.
    audio_begins : float, optional
        When it is first heard, seconds on the film's clock, as `extract_sound` told of the track;
        by default that is asked again.
    overwrite : bool
    progress : callable, optional
        Called after each frame with its time from the first one on and the film's length, seconds.
    limits : Limits, optional

    Returns
    -------
    Written
        With notes on what is not as in the source, which are also logged.

    Raises
    ------
    OutputError
        `dst` exists, or the disk is full or refuses.
    UnsupportedFormat
        No ffmpeg here has the encoder, or the container does not hold the codec.
    MediaError
        As `probe`, and where decoding or encoding fails. Nothing is then at `dst` that was not
        before, as with any other exception, be it Ctrl-C or one of `change`.
    """
    with ExitStack() as stack:
        given = stack.enter_context(opened(src, limits or Limits()))
        temporary = stack.enter_context(atomic_file(dst, overwrite=overwrite))
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="aiglabel-")))
        if not overwrite and os.path.lexists(dst):
            raise FileExistsError(os.fspath(dst))  # before the work, and once more after it
        if Path(dst).is_dir():
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
        room_for(temporary, given)
        temporary.touch(0o644)
        try:
            with remedied():
                sound = None
                if audio:
                    sound = video_sound.new_sound(os.fspath(audio), given, audio_begins)
                written = produce(
                    given, temporary, change, target or VideoTarget(), lead, sound, folder, progress
                )
        except AigLabelError as exc:
            source = given.source
            raise exc.at(source if isinstance(source, str | os.PathLike) else None) from None
        synced(temporary)
    for note in written.notes:
        logger.info("%s: %s", os.fspath(dst), note)
    return written


def extract_sound(src: Film, dst: str | os.PathLike[str], *, limits: Limits | None = None) -> float:
    """Write the first sound track as WAV, and return when it begins, seconds on the film's clock.

    `transcode` puts the file, labelled, back to that time.

    Raises
    ------
    MediaError
        There is no sound, or it cannot be decoded.
    """
    with opened(src, limits or Limits()) as given, blaming(given.source), remedied():
        return video_sound.extract(given, Path(dst))
