"""A film to a new one: which tracks, how coded, in which container, and what is not as before."""

from __future__ import annotations

import errno
import os
import shutil
import subprocess
from contextlib import ExitStack
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import Any

from aiglabel.containers.sniff import VideoFormat
from aiglabel.errors import UnsupportedFormat
from aiglabel.media import ffmpeg, ffmpeg_video, video_tracks
from aiglabel.media.ffmpeg_video import STALL_S
from aiglabel.media.machine import cores
from aiglabel.media.video_belt import Change, Progress, carry
from aiglabel.media.video_coding import Lead, VideoCoding, VideoTarget
from aiglabel.media.video_encoders import Plan, planned
from aiglabel.media.video_matrix import copy_matrix
from aiglabel.media.video_reading import FrameReader, OpenVideo
from aiglabel.media.video_sound import NewSound
from aiglabel.media.video_whole import ISOBMFF

_GRID = ("mpeg2video",)  # codecs whose times are those of a fixed rate
_MPEG4_MOST = 65_535  # ticks a second
# Encoding takes several times as long as decoding: frames that wait for it, decoded, only push
# each other out of the caches.
_CORES_A_DECODER, _MOST_THREADS = 3, 16
# What matroska's statistics say of the old track.
_STALE = ("BPS", "DURATION", "NUMBER_OF_FRAMES", "NUMBER_OF_BYTES", "_STATISTICS_WRITING_APP",
          "_STATISTICS_WRITING_DATE_UTC", "_STATISTICS_TAGS")  # fmt: skip
_DISPOSITIONS = {"default", "dub", "original", "comment", "forced", "captions", "descriptions",
                 "hearing impaired", "visual impaired", "clean effects"}  # fmt: skip


@dataclass(frozen=True)
class Written:
    """What a transcode did.

    Parameters
    ----------
    frames : int
    container : VideoFormat
    codec : str
    options : dict
        The encoder's options.
    notes : tuple of str
        Plain sentences on what is not as in the source.
    """

    frames: int
    container: VideoFormat
    codec: str
    options: dict[str, Any]
    notes: tuple[str, ...]


def produce(
    given: OpenVideo,
    path: Path,
    change: Change,
    target: VideoTarget,
    lead: Lead | None,
    sound: NewSound | None,
    folder: Path,
    progress: Progress | None,
) -> Written:
    """Write the film to `path`, which may exist; see `aiglabel.media.video.transcode`."""
    plan = planned(given.coding, target)
    turned, notes = _rotation(given.coding, plan)
    with ExitStack() as stack:
        threads = min(max(1, cores() // _CORES_A_DECODER), _MOST_THREADS)
        reading = ffmpeg_video.reading(given.path, given.coding, threads=threads)
        job = stack.enter_context(reading)  # which starts up while the tracks are looked at
        kept = video_tracks.kept(given.path, given.coding, plan.container, plan.exe, folder)
        if sound:
            kept = replace(kept, codecs=sound.instead(kept.codecs, given.coding, plan.container))
        wait = _wait(lead, given.coding, kept, plan)
        delay = ["-itsoffset", f"{float(wait):.9f}"] if wait else []
        if sound:
            sound = replace(sound, start=sound.start + float(wait))
        arguments = [
            *(["-f", "nut", "-thread_queue_size", "1", "-copyts", "-noautorotate", *turned]),
            *("-i", "pipe:0"),
            *("-copyts", *video_tracks.input_options(given.coding.container)),
            *(*delay, "-i", f"file:{given.path}"),
            *(sound.arguments() if sound else []),
            *_maps(given.coding, plan, kept.codecs, sound),
            *_output(given.coding, plan, target),
            f"file:{path}",
        ]
        writer = stack.enter_context(
            ffmpeg.running(["-y", *arguments], stdin=subprocess.PIPE, stall=STALL_S, exe=plan.exe)
        )
        reader = FrameReader(job, given)  # which waits for the first frame while both start up
        carry(reader, writer, given, change, progress, lead=lead, wait=wait)
    if given.coding.container in ISOBMFF and plan.container in ISOBMFF:
        copy_matrix(given.path, given.coding.stream, str(path), _place(given.coding, kept.codecs))
    notes = (*given.coding.notes, *plan.notes, *kept.notes, *notes, *reader.notes)
    return Written(reader.count, plan.container, plan.codec, plan.options, notes)


def _wait(lead: Lead | None, coding: VideoCoding, kept: video_tracks.Kept, plan: Plan) -> Fraction:
    """Return by how many seconds everything comes later: a whole number of the film's ticks.

    Raises
    ------
    UnsupportedFormat
    """
    if lead and plan.container is VideoFormat.AVI and kept.codecs:
        raise UnsupportedFormat(
            "nothing can be shown before an AVI film that has sound: it begins with the file",
            remedy="Write MP4 or MKV, or leave the card out",
        )
    seconds = Fraction(lead.seconds) if lead else Fraction(0)
    return round(seconds / coding.time_base) * coding.time_base


# ---------------------------------------------------------------------- arguments


def _order(coding: VideoCoding, codecs: dict[int, str]) -> list[int]:
    return sorted({coding.stream, *codecs})


def _place(coding: VideoCoding, codecs: dict[int, str]) -> int:
    return _order(coding, codecs).index(coding.stream)


def _maps(
    coding: VideoCoding, plan: Plan, codecs: dict[int, str], sound: NewSound | None
) -> list[str]:
    """Return which streams are written, how, and where each takes its tags from."""
    arguments = ["-map_metadata", "1", "-map_chapters", "1"]
    for place, index in enumerate(_order(coding, codecs)):
        film = index == coding.stream
        new = sound is not None and index == sound.index
        arguments += ["-map", "0:v:0" if film else "2:a:0" if new else f"1:{index}"]
        if not film:
            arguments += [f"-c:{place}", codecs[index]]
        if new and sound and codecs[index] != "copy" and sound.bitrate:
            arguments += [f"-b:{place}", str(sound.bitrate)]
        arguments += [f"-map_metadata:s:{place}", f"1:s:{index}"]
        if film or new:
            arguments += [f"-disposition:{place}", _dispositions(coding, index)]
        if film:
            for key, value in plan.options.items():
                arguments += [f"-{key.replace(':v:0', f':{place}')}", str(value)]
            for key in _STALE:
                arguments += [f"-metadata:s:{place}", f"{key}="]
    return arguments


def _dispositions(coding: VideoCoding, index: int) -> str:
    track = next(t for t in coding.tracks if t.index == index)
    names = [d.replace(" ", "_") for d in track.dispositions if d in _DISPOSITIONS]
    return "+".join(names) or "0"


def _output(coding: VideoCoding, plan: Plan, target: VideoTarget) -> list[str]:
    options = coded_as(coding, plan)
    options["max_muxing_queue_size"] = 4096
    if plan.container is VideoFormat.AVI:
        # Sound may begin a little before 0. It counts frames: all of them would be late by one.
        options["avoid_negative_ts"] = "disabled"
    if plan.container in ISOBMFF:
        flags = "+faststart"
        if coding.container is VideoFormat.MOV:
            flags += "+use_metadata_tags"  # QuickTime's own keys, such as com.apple.…
        scale = coding.time_base.denominator
        options |= {"movflags": flags, "video_track_timescale": scale, "movie_timescale": scale}
    options |= dict(target.options)
    return [*ffmpeg_video.in_words(options), "-f", video_tracks.muxer(plan.container)]


def coded_as(coding: VideoCoding, plan: Plan) -> dict[str, Any]:
    """Return the output options that tell an encoder of times, pixels and colours."""
    tick = _tick(coding, plan)
    options: dict[str, Any] = {
        "filter:v:0": ",".join(_filters(coding, plan)),
        "enc_time_base:v:0": f"{tick.numerator}:{tick.denominator}",
        "fps_mode:v:0": "passthrough",
        # No version strings and no random numbers: the same film gives the same file.
        "fflags": "+bitexact",
        "strict": -2,
    }
    if plan.container is VideoFormat.AVI and coding.container is not VideoFormat.AVI:
        options["fps_mode:v:0"] = "cfr"
    colour = coding.colour
    tags = {
        "color_range": colour.range, "colorspace": colour.space, "color_trc": colour.transfer,
        "color_primaries": colour.primaries, "chroma_sample_location": colour.chroma,
    }  # fmt: skip
    return options | {f"{key}:v:0": value for key, value in tags.items() if value}


def _tick(coding: VideoCoding, plan: Plan) -> Fraction:
    """Return the encoder's time base: the source's, where codec and container can have it."""
    frame = 1 / coding.rate if coding.rate else coding.time_base
    if plan.codec in _GRID or (
        plan.container is VideoFormat.AVI and coding.container is not VideoFormat.AVI
    ):
        return frame
    if plan.codec == "mpeg4" and coding.time_base.denominator > _MPEG4_MOST:
        return Fraction(1, 60_000) if coding.variable else frame
    if plan.container is VideoFormat.FLV:
        return Fraction(1, 1000)
    return coding.time_base


def _filters(coding: VideoCoding, plan: Plan) -> list[str]:
    colour = coding.colour
    tags = {
        "range": colour.range, "colorspace": colour.space, "color_primaries": colour.primaries,
        "color_trc": colour.transfer,
    }  # fmt: skip
    if coding.fields:
        tags["field_mode"] = "tff" if coding.fields in ("tt", "bt") else "bff"
    told = ":".join(f"{key}={value}" for key, value in tags.items() if value)
    filters = [f"setparams={told}"] if told else []
    if coding.sample_aspect:
        filters.append(
            f"setsar={coding.sample_aspect.numerator}/{coding.sample_aspect.denominator}"
        )
    if plan.pixels.name != coding.pixel_format.name and colour.range == "pc":
        filters.append("scale=in_range=full:out_range=full")
    return [*filters, f"format={plan.pixels.name}"]


def _rotation(coding: VideoCoding, plan: Plan) -> tuple[list[str], tuple[str, ...]]:
    """Return input options that say how players turn the film, and what cannot be said."""
    if not coding.rotation:
        return [], ()
    able = plan.container not in (VideoFormat.AVI, VideoFormat.FLV)
    both = coding.container in ISOBMFF and plan.container in ISOBMFF
    if able and ffmpeg_video.turns(plan.exe):
        return ["-display_rotation:v:0", f"{-coding.rotation:g}"], ()
    if both:
        return [], ()
    note = f"{plan.container.value.upper()} does not say that the film is turned"
    return [], (f"{note} by {coding.rotation:g} degrees",)


def room_for(path: Path, given: OpenVideo) -> None:
    """Refuse to begin where the disk has not even half of the source's bytes.

    Raises
    ------
    OSError
        ``ENOSPC``.
    """
    need = Path(given.path).stat().st_size // 2
    if shutil.disk_usage(path.parent).free < need:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
