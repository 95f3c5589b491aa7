"""ffmpeg for film: what it sees in a file, and how it is asked for frames.

As for sound, the demuxer is always named, the only protocol is that of files (and the pipe for
what comes from here), and a name is always given as ``file:…``. Boxes of MP4 that name other
files are not followed by ffmpeg unless it is told to (``enable_drefs``), which it is not.
"""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from fractions import Fraction
from functools import cache
from typing import Any, Literal

from aiglabel.containers.sniff import VideoFormat
from aiglabel.errors import CorruptMedia, MediaError, ResourceLimit
from aiglabel.media import ffmpeg
from aiglabel.media.limits import Limits
from aiglabel.media.video_coding import Colour, Track, VideoCoding, worked_in
from aiglabel.media.video_whole import ISOBMFF

Which = Literal["all", "references", "keys"]

STALL_S = 120.0
_LOOK_S = 60.0
_ROUNDED = 0.002  # seconds by which containers round times
_MOST_TRACKS = 128
_MOST_AT_ONCE = 768 << 20  # bytes; the greatest frame that `Limits` let through has 750 million
_DEMUXERS = {VideoFormat.MKV: "matroska", VideoFormat.WEBM: "matroska"}
_FROM_ZERO = tuple(_DEMUXERS)  # of these ffmpeg tells the end, where others tell the length
_STREAM = re.compile(
    r"^ {2,4}Stream #0:(\d{1,4})(?:\[0x[0-9a-f]+\])?(?:\(([^()\n]{0,40})\))?: "
    r"(Video|Audio|Subtitle|Data|Attachment): ([^\n]*)$",
    re.MULTILINE,
)
_ROTATION = re.compile(r"display ?matrix: rotation of (-?[\d.]+) degrees", re.IGNORECASE)
_MASTERING = re.compile(
    r"r\(([\d.]+)[, ]+([\d.]+)\) g\(([\d.]+)[, ]+([\d.]+)\) b\(([\d.]+)[, ]+([\d.]+)\) "
    r"wp\(([\d.]+)[, ]+([\d.]+)\) min_luminance=([\d.]+), max_luminance=([\d.]+)"
)
_LIGHT = re.compile(r"MaxCLL=(\d{1,9}), MaxFALL=(\d{1,9})")
_FIELDS = {
    "top first": "tt", "bottom first": "bb", "top coded first (swapped)": "tb",
    "bottom coded first (swapped)": "bt",
}  # fmt: skip
_CHROMA = {"left", "center", "topleft", "top", "bottomleft", "bottom"}
_NTSC = {"23.98": 24, "29.97": 30, "47.95": 48, "59.94": 60, "119.88": 120}
# What ffmpeg says of lost data and goes on.
_LOST = re.compile(r"partial file|ended prematurely|corrupt input packet|[Tt]runcat")
_TOO_MANY = re.compile(r"^\[[^\]\n]+\] Number of \w+ exceeds max_streams", re.MULTILINE)
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
        "f": demuxer(container), "protocol_whitelist": "file", "max_streams": _MOST_TRACKS,
        "max_alloc": _MOST_AT_ONCE,
    }  # fmt: skip


def in_words(options: Mapping[str, Any]) -> list[str]:
    """Return options as words of a command line."""
    return [word for key, value in options.items() for word in (f"-{key}", str(value))]


@cache
def says_encoder(exe: str, name: str) -> str:
    """Return what ffmpeg says of an encoder; empty if it has none of that name."""
    try:
        done = subprocess.run(
            [exe, "-hide_banner", "-h", f"encoder={name}"], capture_output=True, timeout=_LOOK_S
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    said = done.stdout.decode(errors="replace")
    return said if said.startswith("Encoder ") else ""


@cache
def turns(exe: str) -> bool:
    """Whether this ffmpeg can say how players turn a film that comes through a pipe."""
    try:
        done = subprocess.run(
            [exe, "-hide_banner", "-h", "long"], capture_output=True, timeout=_LOOK_S
        )
    except (OSError, subprocess.TimeoutExpired):
        return False
    return b"-display_rotation" in done.stdout


# ---------------------------------------------------------------------- looking


def look(path: str, container: VideoFormat, limits: Limits) -> VideoCoding:
    """Open a file as `container` and return how its first film track is coded.

    Raises
    ------
    CorruptMedia
        It cannot be opened, or has no film that can be decoded.
    ResourceLimit
        Frames are over `limits`.
    """
    options = in_words(source_options(container))
    # Only the level "verbose" tells where chroma samples lie.
    command = [ffmpeg.ffmpeg_exe(), "-hide_banner", "-nostdin", "-loglevel", "verbose", *options]
    try:
        done = subprocess.run(
            [*command, "-i", f"file:{path}"],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=_LOOK_S,
        )
    except (OSError, ValueError, subprocess.TimeoutExpired) as exc:
        raise MediaError(
            f"ffmpeg did not run: {exc}", remedy="Get the file undamaged, or try again"
        ) from exc
    # Values of tags are indented deeper, and the name of the file comes before "Duration".
    said = done.stderr.decode(errors="replace").replace("\r", " ")
    before, _, said = said.rpartition("\n  Duration: ")
    if _TOO_MANY.search(before or said):
        raise ResourceLimit(
            f"the film has more than {_MOST_TRACKS} tracks",
            remedy="Copy the tracks that matter into a new file",
        )
    if not before:
        raise CorruptMedia(
            f"the {container.value.upper()} file cannot be opened", remedy="Get the whole file"
        )
    return _coding(said, container, limits)


def _coding(said: str, container: VideoFormat, limits: Limits) -> VideoCoding:
    tracks, films = [], []
    found = list(_STREAM.finditer(said))
    for number, match in enumerate(found):
        end = found[number + 1].start() if number + 1 < len(found) else len(said)
        _, _, side = said[match.end() : end].partition("\n    Side data:\n")
        track, fields = _track(match)
        tracks.append(track)
        if track.kind == "video" and not track.cover:
            films.append((track, fields, side))
    if not films:
        raise CorruptMedia(
            f"{container.value.upper()} without a video track", remedy="Give a film with pictures"
        )
    track, fields, side = films[0]
    width, height = _size(fields)
    limits.check_size(width, height)
    tick, rate, variable = _times(fields)
    pixels, colour, order = _pixels(fields, side)
    planar, lost = worked_in(pixels)
    begins, seconds = _span(said, container)
    turned = _ROTATION.search(side)
    aspect = re.search(r"SAR (\d{1,9}):(\d{1,9})", ", ".join(fields))
    notes = [lost] if lost else []
    notes += _lost_side_data(side)
    return VideoCoding(
        container,
        track.codec,
        _profile(fields[0]),
        width,
        height,
        planar,
        tick,
        Fraction(int(aspect[1]), int(aspect[2])) if aspect and int(aspect[2]) else None,
        -float(turned[1]) % 360 if turned else 0.0,
        rate,
        variable,
        begins,
        seconds,
        round(seconds * rate) if seconds and rate else None,
        colour,
        order,
        track.bitrate or _rest(said, tracks),
        tuple(tracks),
        track.index,
        len(re.findall(r"^    Chapter #0:", said, re.MULTILINE)),
        tuple(notes),
    )


def _track(match: re.Match[str]) -> tuple[Track, list[str]]:
    number, language, kind, text = match.groups()
    text, dispositions = _dispositions(text)
    fields = _split(text)
    named = re.match(r"\w+", fields[0])
    # The tag stands behind the codec, or behind the reference frames that "verbose" adds.
    tag = next((t for t in (re.search(r"\((\S{4}) / 0x", f) for f in fields[:3]) if t), None)
    rate = re.search(r"\b(\d{1,9}) kb/s", text)
    track = Track(
        int(number),
        kind.lower(),
        named[0] if named else "none",
        tag[1] if tag else "",
        language or "",
        dispositions,
        1000 * int(rate[1]) if rate and int(rate[1]) else None,
    )
    return track, fields


def _dispositions(text: str) -> tuple[str, tuple[str, ...]]:
    found: list[str] = []
    while match := re.search(r" \(([a-z][a-z _-]{1,30})\)$", text):
        found.insert(0, match[1])
        text = text[: match.start()]
    return text, tuple(found)


def _split(text: str) -> list[str]:
    """Split at commas that are not within brackets."""
    parts, depth, start = [], 0, 0
    for at, char in enumerate(text):
        depth += (char in "([") - (char in ")]")
        if char == "," and depth <= 0:
            parts.append(text[start:at].strip())
            start = at + 1
    return [*parts, text[start:].strip()]


def _size(fields: list[str]) -> tuple[int, int]:
    for field in fields[1:]:
        found = re.match(r"(\d{1,9})x(\d{1,9})\b", field)
        if found:
            return int(found[1]), int(found[2])
    raise CorruptMedia("the size of the video's frames is not known", remedy="Get the whole file")


def _profile(codec: str) -> str | None:
    found = re.match(r"\w+ \(([^()/]{1,40})\)", codec)
    return found[1] if found else None


def _times(fields: list[str]) -> tuple[Fraction, Fraction | None, bool]:
    """Return seconds a tick, the mean rate, and whether the usual rate is another."""
    told: dict[str, Fraction] = {}
    for field in fields:
        found = re.fullmatch(r"(\d{1,9}(?:\.\d{1,4})?)(k?) (fps|tbr|tbn)", field)
        if found:
            value = Fraction(found[1]) * (1000 if found[2] else 1)
            if found[1] in _NTSC and not found[2]:
                value = Fraction(_NTSC[found[1]] * 1000, 1001)
            if value:
                told[found[3]] = value
    usual = told.get("tbr")
    rate = told.get("fps", usual)
    variable = bool(rate and usual and abs(rate / usual - 1) > Fraction(1, 2000))
    return 1 / told.get("tbn", Fraction(90_000)), rate, variable


def _pixels(fields: list[str], side: str) -> tuple[str, Colour, str | None]:
    for field in fields[1:]:
        found = re.fullmatch(r"([a-z][a-z0-9_]*)(?:\(([^()]*(?:\([^()]*\))?[^()]*)\))?", field)
        if found and found[1] not in ("none", "lossless"):
            name, told = found[1], _split(found[2] or "")
            order = next((_FIELDS[part] for part in told if part in _FIELDS), None)
            return name, _colour(name, told, side), order
    raise CorruptMedia("the video cannot be decoded: its pixel format is not known")


def _colour(pixels: str, told: list[str], side: str) -> Colour:
    full = "pc" if pixels.startswith("yuvj") else None
    limits = next((part for part in told if part in ("tv", "pc")), full)
    chroma = next((part for part in told if part in _CHROMA), None)
    others = {"tv", "pc", "progressive", "unknown", "", *_FIELDS, *_CHROMA}
    names = next(
        (p for p in told if p not in others and not p.endswith("bpc") and " " not in p), ""
    )
    three = names.split("/") if names.count("/") == 2 else [names] * 3
    space, primaries, transfer = (
        n if n not in ("", "unknown", "reserved") and re.fullmatch(r"[\w.-]{1,30}", n) else None
        for n in three
    )
    light = _LIGHT.search(side)
    return Colour(
        limits, space, primaries, transfer, chroma, _mastering(side),
        (int(light[1]), int(light[2])) if light else None,
    )  # fmt: skip


def _mastering(side: str) -> str | None:
    found = _MASTERING.search(side)
    if not found:
        return None
    try:
        points = [round(float(part) * 50_000) for part in found.groups()[:8]]
        low, high = (round(float(part) * 10_000) for part in found.groups()[8:])
    except (ValueError, OverflowError):
        return None
    red, green, blue, white = (f"({x},{y})" for x, y in zip(points[::2], points[1::2], strict=True))
    return f"G{green}B{blue}R{red}WP{white}L({high},{low})"


def _lost_side_data(side: str) -> list[str]:
    kinds = {
        "DOVI configuration": "Dolby Vision layers", "Stereo 3D": "tags of stereoscopic film",
        "Spherical": "tags of spherical film",
    }  # fmt: skip
    return [f"{name} are not kept" for word, name in kinds.items() if word.lower() in side.lower()]


def _span(said: str, container: VideoFormat) -> tuple[float, float | None]:
    """Return when the file begins, and its length."""
    found = re.match(r"(\d{1,6}):(\d\d):(\d\d\.\d+)", said)
    seconds = int(found[1]) * 3600 + int(found[2]) * 60 + float(found[3]) if found else 0.0
    start = re.match(r"[^\n]*, start: (-?\d{1,9}\.\d+)", said)
    begins = float(start[1]) if start else 0.0
    if container in _FROM_ZERO:
        seconds = max(0.0, round(seconds - max(begins, 0.0), 6))
    return begins, seconds or None


def _rest(said: str, tracks: list[Track]) -> int | None:
    """Return the bit rate of the file less that of its other tracks."""
    found = re.match(r"[^\n]*bitrate: (\d{1,9}) kb/s", said)
    if not found:
        return None
    rest = 1000 * int(found[1]) - sum(track.bitrate or 0 for track in tracks)
    return rest if rest > 0 else 1000 * int(found[1])


# ---------------------------------------------------------------------- frames out


@contextmanager
def reading(
    path: str,
    coding: VideoCoding,
    *,
    start: float = 0.0,
    apart: float = 0.0,
    which: Which = "all",
    count: int | None = None,
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
    """
    options = source_options(coding.container)
    if which != "all":
        options["skip_frame"] = {"references": "noref", "keys": "nokey"}[which]
    if start > coding.begins:
        options["ss"] = f"{start - coding.begins:.6f}"  # it counts from there
    filters = []
    if apart > 0:
        least = max(apart - _ROUNDED, apart / 2)
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
        # Frames that wait for the pipe, or are copied in small pieces, take time or memory.
        "thread_queue_size": 1,
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
