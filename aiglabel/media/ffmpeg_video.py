"""ffmpeg for film: how it is asked for frames, and what it is not to do.

As for sound, the demuxer is always named, the only protocol is that of files (and the pipe for
what comes from here), and a name is always given as ``file:…``. Boxes of MP4 that name other
files are not followed by ffmpeg unless it is told to (``enable_drefs``), which it is not.
"""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from typing import Any, Literal

from aiglabel.containers.sniff import VideoFormat
from aiglabel.errors import CorruptMedia
from aiglabel.media import ffmpeg
from aiglabel.media.video_coding import ROUNDED, VideoCoding
from aiglabel.media.video_whole import ISOBMFF

Which = Literal["all", "references", "keys"]

STALL_S = 120.0
"""Seconds that it may do nothing."""
LOOK_S = 60.0
"""Seconds that ffmpeg may look at something."""
MOST_TRACKS = 128
"""Tracks of a file beyond which it is not opened."""
_MOST_AT_ONCE = 768 << 20  # bytes; the greatest frame that `Limits` let through has 750 million
_DEMUXERS = {VideoFormat.MKV: "matroska", VideoFormat.WEBM: "matroska"}
# Codecs whose decoder in ffmpeg skips no frames: the others are kept from it.
_UNSKIPPING = ("vp9",)
# What ffmpeg says of lost data and goes on.
_LOST = re.compile(r"partial file|ended prematurely|corrupt input packet|[Tt]runcat")
_DAMAGED = re.compile(r"[Ii]nvalid|[Ee]rror|[Cc]orrupt|exceeds|missing|unavailable|concealing")


def demuxer(container: VideoFormat) -> str:
    """Return the name of ffmpeg's demuxer."""
    return "mov" if container in ISOBMFF else _DEMUXERS.get(container, container.value)


def source_options(container: VideoFormat) -> dict[str, Any]:
    """Return the input options that keep ffmpeg from choosing a demuxer or another file.

    And from taking what it likes: thousands of decoders, one a track, or gigabytes at once for a
    packed index or the picture of a cover.
    """
    return {
        "f": demuxer(container), "protocol_whitelist": "file", "max_streams": MOST_TRACKS,
        "max_alloc": _MOST_AT_ONCE,
    }  # fmt: skip


def in_words(options: Mapping[str, Any]) -> list[str]:
    """Return options as words of a command line."""
    return [word for key, value in options.items() for word in (f"-{key}", str(value))]


@cache
def says_encoder(exe: str, name: str) -> str:
    """Return what ffmpeg says of an encoder; empty if it has none of that name."""
    said = ffmpeg.answer(exe, "-hide_banner", "-h", f"encoder={name}", seconds=LOOK_S) or ""
    return said if said.startswith("Encoder ") else ""


@cache
def turns(exe: str) -> bool:
    """Whether this ffmpeg can say how players turn a film that comes through a pipe."""
    said = ffmpeg.answer(exe, "-hide_banner", "-h", "long", seconds=LOOK_S) or ""
    return "-display_rotation" in said


@cache
def _drops(exe: str) -> bool:
    """Whether this ffmpeg can drop packets before they are decoded, as it can from version 7 on."""
    asked = "-nostdin -bsf:v noise=drop=0 -f lavfi -i nullsrc=s=16x16 -frames:v 1 -f null -"
    return ffmpeg.answer(exe, *asked.split(), seconds=LOOK_S) is not None


@contextmanager
def reading(
    path: str,
    coding: VideoCoding,
    *,
    start: float = 0.0,
    apart: float = 0.0,
    which: Which = "all",
    count: int | None = None,
    threads: int = 0,
) -> Iterator[ffmpeg.Job]:
    """Run an ffmpeg that sends the frames as NUT, each at its own time.

    Parameters
    ----------
    path : str
    coding : VideoCoding
    start : float
        Frames before are left out; seconds on the clock of the file.
    apart : float
        Seconds from one frame to the next, at least.
    which : {"all", "references", "keys"}
        Frames that are decoded: all; those that others need; those that need no other.
    count : int, optional
        How many at most.
    threads : int
        Of the decoder; 0: as many as it likes, which is fastest where nothing else is to be done.
    """
    options = source_options(coding.container) | {"threads": threads}
    if which != "all":
        options["skip_frame"] = {"references": "noref", "keys": "nokey"}[which]
    if which == "keys" and coding.codec in _UNSKIPPING and _drops(ffmpeg.ffmpeg_exe()):
        options[f"bsf:{coding.stream}"] = "noise=drop=not(key)"
    if start > coding.begins:
        options["ss"] = f"{start - coding.begins:.6f}"  # it counts from there
    filters = []
    if apart > 0:
        least = max(apart - ROUNDED, apart / 2)
        filters = [f"select='isnan(prev_selected_t)+gte(t-prev_selected_t,{least:.6f})'"]
    # The same range on both sides: what is full range stays so.
    full = coding.colour.range == "pc"
    sides = ":in_range=full:out_range=full" if full else ""
    size = f"{coding.width}:{coding.height}:flags=bicubic+accurate_rnd"
    filters += [f"scale={size}{sides}", f"format={coding.pixel_format.name}"]
    target: dict[str, Any] = {
        "f": "nut",
        "c:v": "rawvideo",
        "map": f"0:{coding.stream}",
        "vf": ",".join(filters),
        "fps_mode": "passthrough",
        "enc_time_base": f"{coding.time_base.numerator}:{coding.time_base.denominator}",
        # A table of all frames would grow with the film.
        "write_index": 0,
        # Frames that wait for the pipe or for threads that only copy them, or are copied in small
        # pieces, take time or memory.
        "thread_queue_size": 1,
        "threads:v": 1,
        "avioflags": "direct",
    }
    if count is not None:
        target["frames:v"] = count
    # Not by ffmpeg-python, which knows no names of files that are no UTF-8.
    arguments = ["-nostdin", "-copyts", "-noautorotate", *in_words(options)]
    arguments += ["-i", f"file:{path}", *in_words(target), "pipe:1"]
    with ffmpeg.running(arguments, stdin=subprocess.DEVNULL, stall=STALL_S, level="warning") as job:
        yield job


def check_read(said: list[str], container: VideoFormat) -> tuple[str, ...]:
    """Refuse a film of which ffmpeg said that data are missing; return notes on what is damaged.

    Raises
    ------
    CorruptMedia
    """
    lost = next((line for line in said if _LOST.search(line)), None)
    if lost:
        raise CorruptMedia(
            f"the {container.value.upper()} file is damaged or ends early ({lost[-200:]})",
            remedy="Get the whole file",
        )
    damaged = next((line for line in said if _DAMAGED.search(line)), None)
    if damaged is None:
        return ()
    return (f"the film is damaged, pictures may be missing or spoilt ({damaged[:120]})",)
