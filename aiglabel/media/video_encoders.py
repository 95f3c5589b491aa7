"""Which encoder writes a film, and with which options.

By default codec, profile and pixel format are the source's, and the quality follows from the
source's bits a pixel b: CRF = c - s log2(b / r), within bounds. r is what the encoder spends on
usual film at CRF c, and s is by how much CRF falls when it spends twice as much. So usual film
keeps about its size, what was coded well stays well coded, and what was coded badly is not coded
worse than the upper bound. For x264: c 23, s 6, r 0.05 (median of seven clips at preset
``veryfast``), bounds 18 and 25.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from aiglabel.containers.sniff import VideoFormat
from aiglabel.errors import UnsupportedFormat
from aiglabel.media import ffmpeg, ffmpeg_video
from aiglabel.media.video_coding import PixelFormat, VideoCoding, VideoTarget
from aiglabel.media.video_whole import ISOBMFF

# The first is what other codecs become.
CODECS: dict[VideoFormat, tuple[str, ...]] = {
    VideoFormat.MP4: ("h264", "hevc", "av1", "vp9", "mpeg4", "mpeg2video", "mjpeg"),
    VideoFormat.MOV: ("h264", "hevc", "prores", "mpeg4", "mpeg2video", "mjpeg", "ffv1"),
    VideoFormat.MKV: (
        "h264", "hevc", "av1", "vp9", "vp8", "mpeg4", "mpeg2video", "mjpeg", "ffv1", "prores",
        "flv1",
    ),
    VideoFormat.WEBM: ("vp9", "vp8", "av1"),
    VideoFormat.AVI: ("h264", "mpeg4", "mpeg2video", "mjpeg", "ffv1", "flv1"),
    VideoFormat.FLV: ("h264", "flv1"),
}  # fmt: skip
_PRORES = {"proxy": 0, "lt": 1, "standard": 2, "hq": 3, "4444": 4, "xq": 5, "4444xq": 5}
_X264_PROFILES = {
    "constrained baseline": "baseline", "baseline": "baseline", "main": "main", "high": "high",
}  # fmt: skip


@dataclass(frozen=True)
class Quality:
    """CRF of usual film, by how much it falls with twice the bits, bits a pixel, bounds."""

    centre: float
    step: float
    bits: float
    least: float
    most: float

    def of(self, bits_a_pixel: float | None) -> float:
        """Return the CRF for a source of so many bits a pixel; `centre` less a bit if unknown."""
        if not bits_a_pixel:
            return max(self.least, self.centre - self.step / 2)
        crf = self.centre - self.step * math.log2(bits_a_pixel / self.bits)
        return round(min(max(crf, self.least), self.most), 1)


@dataclass(frozen=True)
class _Wanted:
    """A source, what is wanted of it, and its bits a pixel where they were spent by this codec."""

    coding: VideoCoding
    target: VideoTarget
    bits: float | None


_Options = Callable[[_Wanted], dict[str, Any]]


@dataclass(frozen=True)
class _Encoder:
    name: str
    options: _Options


def bits_a_pixel(coding: VideoCoding) -> float | None:
    """Return the source's mean bits a pixel, where its bit rate and frame rate are known."""
    if not coding.bitrate or not coding.rate:
        return None
    return coding.bitrate / float(coding.rate * coding.width * coding.height)


@dataclass(frozen=True)
class Plan:
    """How a film is written: container, codec, program, encoder and its options, pixel format."""

    container: VideoFormat
    codec: str
    exe: str
    options: dict[str, Any]
    pixels: PixelFormat
    notes: tuple[str, ...]


def planned(coding: VideoCoding, target: VideoTarget) -> Plan:
    """Return how a film is written.

    Raises
    ------
    UnsupportedFormat
        The container does not hold the codec, or no ffmpeg has an encoder.
    """
    container = target.container or coding.container
    allowed = CODECS[container]
    codec = target.codec or (coding.codec if coding.codec in allowed else allowed[0])
    if codec not in allowed:
        raise UnsupportedFormat(
            f"{container.value.upper()} is not written with {codec}",
            remedy=f"Use {', '.join(allowed[:-1])} or {allowed[-1]}",
        )
    notes = []
    if codec != coding.codec and target.codec is None:
        notes.append(f"{coding.codec} in {container.value.upper()} is written as {codec}")
    exe, encoder = _found(codec)
    pixels = _fitting(exe, encoder.name, coding.pixel_format)
    if pixels.name != coding.pixel_format.name:
        notes.append(f"{encoder.name} does not take {coding.pixel_format.name}: {pixels.name}")
    told = bits_a_pixel(coding) if coding.codec == codec else None
    options: dict[str, Any] = {"c:v:0": encoder.name}
    options |= encoder.options(_Wanted(coding, target, told))
    return Plan(container, codec, exe, options, pixels, tuple(notes))


def encoders() -> dict[str, str | None]:
    """Return the encoder that writes each codec on this machine, ffmpeg's name; None for none."""
    found: dict[str, str | None] = {}
    for codec in _ENCODERS:
        try:
            found[codec] = _found(codec)[1].name
        except UnsupportedFormat:
            found[codec] = None
    return found


def _found(codec: str) -> tuple[str, _Encoder]:
    for encoder in _ENCODERS[codec]:
        try:
            return ffmpeg.with_encoder(encoder.name), encoder
        except UnsupportedFormat:
            continue
    names = " or ".join(encoder.name for encoder in _ENCODERS[codec])
    raise UnsupportedFormat(
        f"no ffmpeg here can write {codec}",
        remedy=f"Install an ffmpeg with {names}, as imageio-ffmpeg brings, or choose another codec",
    )


def _fitting(exe: str, encoder: str, wanted: PixelFormat) -> PixelFormat:
    """Return the pixel format the encoder takes that loses least."""
    said = ffmpeg_video.says_encoder(exe, encoder)
    listed = re.search(r"Supported pixel formats: ([^\n]*)", said)
    names = listed[1].split() if listed else []
    if not names or wanted.name in names:
        return wanted
    known = [p for p in map(PixelFormat.named, (n.replace("yuvj", "yuv") for n in names)) if p]
    if not known:
        return PixelFormat("yuv420p", 8, (1, 1))

    def loss(other: PixelFormat) -> tuple[bool, int, int, int]:
        fewer = max(0, wanted.bits - other.bits)
        mine, its = wanted.shift or (9, 9), other.shift or (9, 9)
        coarser = sum(max(0, b - a) for a, b in zip(mine, its, strict=True))
        finer = sum(max(0, a - b) for a, b in zip(mine, its, strict=True))
        return other.shift is None and wanted.shift is not None, coarser, fewer, finer + other.bits

    return min(known, key=loss)


def _rated(wanted: _Wanted, quality: Quality) -> dict[str, Any]:
    target = wanted.target
    if target.bitrate:
        return {"b:v:0": target.bitrate}
    return {"crf": target.quality if target.quality is not None else quality.of(wanted.bits)}


def _x264(wanted: _Wanted) -> dict[str, Any]:
    coding, target = wanted.coding, wanted.target
    options = _rated(wanted, Quality(23, 6, 0.05, 18, 25))
    options["preset"] = target.preset or "veryfast"
    profile = target.profile or _X264_PROFILES.get((coding.profile or "").lower())
    plain = coding.pixel_format.name == "yuv420p"
    if profile and (target.profile or (coding.codec == "h264" and plain and not coding.fields)):
        options["profile:v:0"] = profile
    if coding.fields:
        options["flags:v:0"] = "+ildct+ilme"
    return options


def _x265(wanted: _Wanted) -> dict[str, Any]:
    coding, target = wanted.coding, wanted.target
    options = _rated(wanted, Quality(26, 6, 0.035, 18, 29))
    options["preset"] = target.preset or "veryfast"
    if target.profile:
        options["profile:v:0"] = target.profile
    params = ["log-level=error"]
    if coding.colour.hdr:
        params += ["hdr10=1", "repeat-headers=1"] if coding.colour.transfer == "smpte2084" else []
    if coding.colour.mastering:
        params.append(f"master-display={coding.colour.mastering}")
    if coding.colour.light:
        params.append(f"max-cll={coding.colour.light[0]},{coding.colour.light[1]}")
    options["x265-params"] = ":".join(params)
    if (target.container or coding.container) in ISOBMFF:
        options["tag:v:0"] = "hvc1"  # QuickTime and Apple's players know no hev1
    return options


def _kvazaar(wanted: _Wanted) -> dict[str, Any]:
    coding, target = wanted.coding, wanted.target
    rate = target.bitrate or round(1.2 * (coding.bitrate or 0))
    return {"b:v:0": rate} if rate else {}


def _vp9(wanted: _Wanted) -> dict[str, Any]:
    options = _rated(wanted, Quality(31, 10, 0.04, 12, 38))
    options.setdefault("b:v:0", 0)
    return options | {"deadline": "good", "cpu-used": wanted.target.preset or 5, "row-mt": 1}


def _vp8(wanted: _Wanted) -> dict[str, Any]:
    coding, target = wanted.coding, wanted.target
    pixels = coding.width * coding.height * float(coding.rate or 30)
    usual = max(coding.bitrate or 0 if wanted.bits else 0, round(0.1 * pixels))
    crf = {} if target.bitrate else {"crf": target.quality if target.quality is not None else 8}
    rate = {"b:v:0": target.bitrate or round(1.5 * usual)}
    return rate | crf | {"deadline": "good", "cpu-used": target.preset or 5}


def _svt_av1(wanted: _Wanted) -> dict[str, Any]:
    options = _rated(wanted, Quality(32, 10, 0.035, 12, 42))
    options["crf"] = round(options["crf"]) if "crf" in options else None
    options = {key: value for key, value in options.items() if value is not None}
    return options | {"preset": wanted.target.preset or 9}


def _aom_av1(wanted: _Wanted) -> dict[str, Any]:
    options = _rated(wanted, Quality(30, 10, 0.035, 12, 40))
    options.setdefault("b:v:0", 0)
    return options | {"cpu-used": wanted.target.preset or 8, "row-mt": 1}


def _scaled(scale: float) -> _Options:
    """Return options for an encoder with a scale of quantisers, of which `scale` is a fine one."""

    def options(wanted: _Wanted) -> dict[str, Any]:
        target = wanted.target
        if target.bitrate:
            return {"b:v:0": target.bitrate}
        return {"q:v:0": target.quality if target.quality is not None else scale}

    return options


def _prores(wanted: _Wanted) -> dict[str, Any]:
    coding, target = wanted.coding, wanted.target
    named = (target.profile or coding.profile or "standard").lower().replace(" ", "")
    return {"profile:v:0": _PRORES.get(named, 3)}


_ENCODERS: dict[str, tuple[_Encoder, ...]] = {
    "h264": (_Encoder("libx264", _x264), _Encoder("libopenh264", _kvazaar)),
    "hevc": (_Encoder("libx265", _x265), _Encoder("libkvazaar", _kvazaar)),
    "vp9": (_Encoder("libvpx-vp9", _vp9),),
    "vp8": (_Encoder("libvpx", _vp8),),
    "av1": (_Encoder("libsvtav1", _svt_av1), _Encoder("libaom-av1", _aom_av1)),
    "mpeg4": (_Encoder("mpeg4", _scaled(3)),),
    "mpeg2video": (_Encoder("mpeg2video", _scaled(3)),),
    "mjpeg": (_Encoder("mjpeg", _scaled(2)),),
    "flv1": (_Encoder("flv", _scaled(3)),),
    "prores": (_Encoder("prores_ks", _prores),),
    "ffv1": (_Encoder("ffv1", lambda _: {"level": 3, "slicecrc": 1}),),
}
