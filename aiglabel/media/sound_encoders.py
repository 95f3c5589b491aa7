"""Which encoder writes a coding, with which options, and what it cannot hold.

Bit rates follow the source. Where there is none to follow: 96 kbit/s a channel for MP3, 80 for
AAC and Vorbis, 64 for Opus.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from aiglabel.containers.mp3 import KBPS_1, KBPS_2
from aiglabel.containers.sniff import SoundFormat
from aiglabel.errors import UnsupportedFormat
from aiglabel.media.ffmpeg_audio import muxer
from aiglabel.media.sound_coding import Codec, Coding, usual_layout

OPUS_RATE = 48_000
_MP3_RATES = (8000, 11_025, 12_000, 16_000, 22_050, 24_000, 32_000, 44_100, 48_000)
_AAC_RATES = (*_MP3_RATES, 7350, 64_000, 88_200, 96_000)
_KBPS_25 = KBPS_2[:8]  # all that LAME knows of MPEG-2.5
# libvorbis at 44.1 kHz: nominal kbit/s of two coupled channels, and of one alone, at quality 0 to
# 10. Below 0 ffmpeg does not pass the quality on.
_VORBIS_PAIR = (64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 500)
_VORBIS_ONE = (48, 60, 70, 80, 86, 96, 110, 120, 140, 160, 240)
_SHORT_S = 3.0
_USUAL_BITRATE = {"mp3": 96_000, "aac": 80_000, "vorbis": 80_000, "opus": 64_000}


@dataclass(frozen=True)
class Bounds:
    """What an encoder takes: channels, rates (Hz; a pair of bounds or a list), layouts (or any)."""

    encoder: str
    channels: int
    rates: tuple[int, ...]
    any_between: bool = False
    layouts: tuple[str, ...] = ()

    def takes(self, rate: int) -> bool:
        """Whether the encoder takes samples at `rate`."""
        if self.any_between:
            return self.rates[0] <= rate <= self.rates[1]
        return rate in self.rates


_VORBIS_LAYOUTS = ("mono", "stereo", "3.0", "quad", "5.0", "5.1", "6.1", "7.1")
# With 5 and 7 channels ffmpeg (5.1 to 9.0 tried) hands libopus the channels in a wrong order.
_OPUS_LAYOUTS = ("mono", "stereo", "3.0", "quad", "5.1", "7.1")
_ALAC_LAYOUTS = ("mono", "stereo", "3.0", "4.0", "5.0", "5.1", "6.1(back)", "7.1(wide)")
# The same number of speakers in the same order; only the angle of the rear pair differs.
_ALIKE = {"quad(side)": "quad", "5.0(side)": "5.0", "5.1(side)": "5.1"}

BOUNDS: dict[Codec, Bounds] = {
    "pcm": Bounds("", 65_535, (1, 0xFFFF_FFFF), True),
    "flac": Bounds("flac", 8, (1, 655_350), True),
    "alac": Bounds("alac", 8, (1, 384_000), True, _ALAC_LAYOUTS),
    "mp3": Bounds("libmp3lame", 2, _MP3_RATES),
    "aac": Bounds("aac", 8, _AAC_RATES),
    "vorbis": Bounds("libvorbis", 8, (6000, 200_000), True, _VORBIS_LAYOUTS),
    "opus": Bounds("libopus", 8, (1, 768_000), True, _OPUS_LAYOUTS),
}


def fitting(coding: Coding) -> Coding:
    """Return `coding` as its encoder can write it.

    FLAC and ALAC are written with 16 or 24 bits, whichever holds the source's (32-bit sources,
    which float32 samples do not hold either, become 24). Opus always works at 48 kHz.

    Raises
    ------
    UnsupportedFormat
        Too many channels, or a rate or width the format does not have.
    """
    bounds = BOUNDS[coding.codec]
    name = coding.codec.upper()
    if coding.channels > bounds.channels:
        raise UnsupportedFormat(
            f"{name} holds at most {bounds.channels} channels, not {coding.channels}",
            remedy="Mix the channels down, or write WAV",
        )
    if not bounds.takes(coding.rate):
        raise UnsupportedFormat(
            f"{name} has no sampling rate of {coding.rate} Hz",
            remedy="Resample the sound, or write WAV or FLAC",
        )
    if bounds.layouts and coding.layout not in (None, *bounds.layouts):
        alike = _ALIKE.get(coding.layout or "")
        if alike not in bounds.layouts:
            raise UnsupportedFormat(
                f"{name} is not written with channel layout {coding.layout}",
                remedy="Write WAV or FLAC",
            )
        coding = replace(coding, layout=alike)
    if coding.codec == "pcm":
        widths = (32, 64) if coding.floating else (8, 16, 24, 32)
        if coding.bits not in widths:
            raise UnsupportedFormat(f"WAV of {coding.bits} bits a sample", remedy="Use 16 or 24")
        return coding
    if coding.lossless:
        return replace(coding, bits=16 if (coding.bits or 16) <= 16 else 24, floating=False)
    usual = _USUAL_BITRATE[coding.codec] * coding.channels
    return replace(coding, bitrate=_fitting_bitrate(coding, coding.bitrate or usual))


def _fitting_bitrate(coding: Coding, bitrate: int) -> int:
    """Return the nearest bit rate the encoder has; of the fixed ones of MP3 the next higher."""
    if coding.codec == "mp3":
        steps = KBPS_1 if coding.rate >= 32_000 else KBPS_2 if coding.rate >= 16_000 else _KBPS_25
        if coding.variable:
            return min(max(bitrate, steps[0] * 1000), steps[-1] * 1000)
        return next((step * 1000 for step in steps if step * 1000 >= bitrate), steps[-1] * 1000)
    if coding.codec == "aac":
        return min(bitrate, 6144 * coding.channels * coding.rate // 1024)
    if coding.codec == "opus":
        return min(max(bitrate, 6000 * coding.channels), 256_000 * coding.channels)
    return bitrate


def raw_input(coding: Coding, rate: int) -> dict[str, Any]:
    """Return ffmpeg's options for the interleaved samples that `raw_kind` describes."""
    options: dict[str, Any] = {"f": raw_kind(coding), "ar": rate}
    layout = coding.layout or usual_layout(coding.channels)
    if layout:
        return options | {"channel_layout": layout}
    return options | {"ac": coding.channels}


def raw_kind(coding: Coding) -> str:
    """Return the kind of samples the encoder is fed: "s16le", "s32le" or "f32le"."""
    if not coding.lossless:
        return "f32le"
    return "s16le" if (coding.bits or 16) <= 16 else "s32le"


def encoder_options(coding: Coding) -> dict[str, Any]:
    """Return ffmpeg's output options for a coding that went through `fitting`."""
    options: dict[str, Any] = {
        "f": muxer(coding.container),
        "c:a": BOUNDS[coding.codec].encoder,
        # No version strings and no random serial numbers: the same sound gives the same file.
        "fflags": "+bitexact",
    }
    if coding.layout:
        # Without it ffmpeg would mix into a layout that the encoder knows, and say nothing.
        options["channel_layout"] = coding.layout
    if coding.lossless:
        wide = (coding.bits or 16) > 16
        planar = "p" if coding.codec == "alac" else ""
        if coding.codec == "flac":
            # ffmpeg's FLAC reader gives up on frames of over about 300 kB.
            options["frame_size"] = 4096
        options["sample_fmt"] = ("s32" if wide else "s16") + planar
        if wide:
            options["bits_per_raw_sample"] = 24
    elif coding.codec == "vorbis":
        options["q:a"] = _vorbis_quality(coding)
        if (coding.samples or 0) < _SHORT_S * coding.rate:
            # Where all is in one page its time stamp cannot tell both where the sound starts and
            # where it ends: up to a block of it would be lost.
            options["page_duration"] = 20_000
    else:
        options["b:a"] = coding.bitrate
    if coding.codec == "mp3" and coding.variable:
        options["abr"] = 1
    if coding.codec == "opus":
        options["ar"] = OPUS_RATE
    if coding.container is SoundFormat.M4A:
        # Edit lists count in ticks of the movie: one a sample makes the length exact.
        options |= {"movflags": "+faststart", "movie_timescale": coding.rate}
    return options


def _vorbis_quality(coding: Coding) -> float:
    """Return libvorbis's quality whose nominal bit rate is the wanted one, to a tenth."""
    wanted = (coding.bitrate or 0) / 1000 * 44_100 / coding.rate
    if coding.channels == 2:
        return round(float(np.interp(wanted, _VORBIS_PAIR, range(11))), 1)
    return round(float(np.interp(wanted / coding.channels, _VORBIS_ONE, range(11))), 1)
