"""What ffmpeg says of a film: read from the lines it prints, as there may be no ffprobe."""

from __future__ import annotations

import re
import subprocess
from fractions import Fraction

from aiglabel.containers.sniff import VideoFormat
from aiglabel.errors import CorruptMedia, MediaError, ResourceLimit
from aiglabel.media import ffmpeg, ffmpeg_video
from aiglabel.media.limits import Limits
from aiglabel.media.video_coding import Colour, Track, VideoCoding, worked_in

_FROM_ZERO = (VideoFormat.MKV, VideoFormat.WEBM)  # of these ffmpeg tells the end, not the length
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
_TOO_MANY = re.compile(r"^\[[^\]\n]+\] Number of \w+ exceeds max_streams", re.MULTILINE)


def look(path: str, container: VideoFormat, limits: Limits) -> VideoCoding:
    """Open a file as `container` and return how its first film track is coded.

    Raises
    ------
    CorruptMedia
        It cannot be opened, or has no film that can be decoded.
    ResourceLimit
        Frames are over `limits`.
    """
    options = ffmpeg_video.in_words(ffmpeg_video.source_options(container))
    # Only the level "verbose" tells where chroma samples lie.
    command = [ffmpeg.ffmpeg_exe(), "-hide_banner", "-nostdin", "-loglevel", "verbose", *options]
    try:
        done = subprocess.run(
            [*command, "-i", f"file:{path}"],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=ffmpeg_video.LOOK_S,
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
            f"the film has more than {ffmpeg_video.MOST_TRACKS} tracks",
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
