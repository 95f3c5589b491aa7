"""The attacks on sound: every one by name, with its family and what the project promises for it.

The ways sound really goes: coders, telephones, messengers, players that change tempo and pitch,
rooms and microphones. ``ATTACKS["MP3 64"](y, rate, "a.wav")`` gives samples and their rate, which
may be another one. Coders and filters are those of the ffmpeg that `aiglabel.media` finds; one it
was built without is reported by `unavailable`.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, partial
from typing import Any, Final

import numpy as np
from numpy.random import Generator

from aiglabel.errors import MediaError
from aiglabel.media import ffmpeg
from benchmarks.pictures import random_for
from benchmarks.sounds import Samples, Sounding


@dataclass(frozen=True)
class SoundAttack:
    """One attack.

    Attributes
    ----------
    name, family : str
    function : callable
        Takes samples, their rate, a generator where it has a parameter `rng`, and `values`.
    values : tuple
    exact, present : float or None
        Percentage of payloads promised to be read exactly, and of marks to be found at all; None
        where nothing is promised.
    longer : float
        Seconds a sound must exceed for this to be an attack.
    """

    name: str
    family: str
    function: Callable[..., Sounding]
    values: tuple[Any, ...]
    exact: float | None
    present: float | None = None
    longer: float = 0.0

    def __call__(self, y: Samples, rate: int, clip: str = "") -> Sounding:
        """Attack float32 (channels, n): the same every time for a clip's name and size."""
        if "rng" in inspect.signature(self.function).parameters:
            rng = random_for(self.name, clip, y.shape)
            return self.function(y, rate, rng, *self.values)
        return self.function(y, rate, *self.values)


# ---------------------------------------------------------------------- ffmpeg


@dataclass(frozen=True)
class _Coder:
    """ffmpeg's names of an encoder, what it is written as and read as, and the rates it takes."""

    encoder: str
    muxer: str
    demuxer: str
    rates: tuple[int, ...] = ()
    raw: bool = False


_MPEG = (8000, 11_025, 12_000, 16_000, 22_050, 24_000, 32_000, 44_100, 48_000)
_CODERS: Final = {
    "MP3": _Coder("libmp3lame", "mp3", "mp3", _MPEG),
    "AAC": _Coder("aac", "adts", "aac", _MPEG),
    "Opus": _Coder("libopus", "ogg", "ogg", (48_000,)),
    "GSM": _Coder("libgsm", "gsm", "gsm", (8000,)),
    "AMR": _Coder("libopencore_amrnb", "amr", "amr", (8000,)),
    "µ-law": _Coder("pcm_mulaw", "mulaw", "mulaw", (8000,), raw=True),
}


def coded(
    y: Samples, rate: int, coder: str, bitrate: int | None = None, channels: int | None = None
) -> Sounding:
    """Encode and decode: `bitrate` in kbit/s; at another rate where the coder has not this one."""
    chosen, channels = _CODERS[coder], channels or len(y)
    to = rate if rate in chosen.rates else max(chosen.rates)
    form = {"ar": to, "ac": channels}
    target = {"f": chosen.muxer, "c:a": chosen.encoder, **form}
    if bitrate is not None:
        target["b:a"] = f"{bitrate * 1000}"
    data = _piped(y, rate, ffmpeg.with_encoder(chosen.encoder), target)
    source = {"f": chosen.demuxer, **(form if chosen.raw else {})}
    raw = ffmpeg.run(ffmpeg.ffmpeg_exe(), source, {"f": "f32le", **form}, data)
    return _samples(raw, channels), to


def filtered(y: Samples, rate: int, graph: str, to: int | None = None) -> Sounding:
    """Apply a graph of ffmpeg's filters; `to` is the rate it comes out with."""
    to = to or rate
    target = {"f": "f32le", "af": graph, "ar": to, "ac": len(y)}
    return _samples(_piped(y, rate, ffmpeg.ffmpeg_exe(), target), len(y)), to


def _piped(y: Samples, rate: int, exe: str, target: dict[str, Any]) -> bytes:
    source = {"f": "f32le", "ar": rate, "ac": len(y)}
    return ffmpeg.run(exe, source, target, np.ascontiguousarray(y.T, "<f4").tobytes())


def _samples(raw: bytes, channels: int) -> Samples:
    y = np.frombuffer(raw, "<f4").reshape(-1, channels)
    return np.ascontiguousarray(y.T, np.float32)


def resampled(y: Samples, rate: int, to: int) -> Sounding:
    """Bring to another rate."""
    return filtered(y, rate, "anull", to)


def sped(y: Samples, rate: int, factor: float) -> Sounding:
    """Play faster, and higher."""
    return filtered(y, rate, f"asetrate={round(rate * factor)},aresample={rate}")


def stretched(y: Samples, rate: int, factor: float) -> Sounding:
    """Play faster, as high as before."""
    return filtered(y, rate, f"atempo={factor}")


def pitched(y: Samples, rate: int, semitones: float) -> Sounding:
    """Play higher, as fast as before."""
    return filtered(y, rate, f"rubberband=pitch={2 ** (semitones / 12):.6f}")


# ---------------------------------------------------------------------- arrays


def _untouched(y: Samples, rate: int) -> Sounding:
    return y, rate


def louder(y: Samples, rate: int, decibels: float) -> Sounding:
    """Amplify, and clip at full scale."""
    return np.clip(y * np.float32(10 ** (decibels / 20)), -1, 1), rate


def cropped(y: Samples, rate: int, rng: Generator, seconds: float) -> Sounding:
    """Keep a piece from anywhere."""
    count = min(round(seconds * rate), y.shape[1])
    first = int(rng.integers(0, y.shape[1] - count + 1))
    return np.ascontiguousarray(y[:, first : first + count]), rate


def dropped(y: Samples, rate: int) -> Sounding:
    """Lose 5 ms of every second."""
    return y[:, np.arange(y.shape[1]) % rate >= round(0.005 * rate)], rate


def inserted(y: Samples, rate: int) -> Sounding:
    """0.77 s of silence in the middle."""
    silence = np.zeros((len(y), round(0.77 * rate)), np.float32)
    middle = y.shape[1] // 2
    return np.concatenate([y[:, :middle], silence, y[:, middle:]], axis=1), rate


def noisy(
    y: Samples, rate: int, rng: Generator, decibels: float, *, pink: bool = False
) -> Sounding:
    """Add noise so many dB below the mean power of the whole sound."""
    noise = rng.standard_normal(y.shape)
    if pink:
        spectrum = np.fft.rfft(noise, axis=1)
        spectrum /= np.sqrt(np.maximum(np.arange(spectrum.shape[1]), 1))
        noise = np.fft.irfft(spectrum, y.shape[1], axis=1)
    power = np.mean(np.square(y, dtype=np.float64)) * 10 ** (-decibels / 10)
    noise *= np.sqrt(power / max(np.mean(np.square(noise)), 1e-30))
    return (y + noise).astype(np.float32), rate


def reverberant(y: Samples, rate: int, rng: Generator, seconds: float, share: float) -> Sounding:
    """Add a room: noise that has fallen by 60 dB after so many seconds, of that share's power."""
    count = round(seconds * rate)
    room = rng.standard_normal(count) * np.exp(-6.9 * np.arange(count) / count)
    room /= np.sqrt(np.sum(np.square(room)))
    size = y.shape[1] + count
    wet = np.fft.irfft(np.fft.rfft(y, size, axis=1) * np.fft.rfft(room, size), size, axis=1)
    return (y + share * wet[:, : y.shape[1]]).astype(np.float32), rate


def coarse(y: Samples, rate: int, levels: int) -> Sounding:
    """Round to that many levels between the two peaks."""
    unit = max(float(np.abs(y).max(initial=0)), 1e-9) / (levels / 2)
    return np.asarray(np.round(y / unit) * unit, np.float32), rate


# ---------------------------------------------------------------------- journeys


def coded_again(y: Samples, rate: int, *bitrates: int) -> Sounding:
    """MP3, once a bit rate."""
    for bitrate in bitrates:
        y, rate = coded(y, rate, "MP3", bitrate)
    return y, rate


def posted(y: Samples, rate: int) -> Sounding:
    """A site's upload and download: AAC, loudness made even, Opus."""
    return coded(*filtered(*coded(y, rate, "AAC", 96), "loudnorm", 48_000), "Opus", 48)


def over_air(y: Samples, rate: int, rng: Generator) -> Sounding:
    """Loudspeaker, room and microphone (simulated): band, reverberation, pink noise, AAC."""
    y, rate = filtered(y, rate, "highpass=f=150,lowpass=f=7000")
    y, rate = reverberant(y, rate, rng, 0.3, 0.7)
    return coded(*noisy(y, rate, rng, 25, pink=True), "AAC", 64)


def cropped_and_coded(y: Samples, rate: int, rng: Generator, seconds: float) -> Sounding:
    """Keep a piece, and send it with Opus."""
    return coded(*cropped(y, rate, rng, seconds), "Opus", 32)


# ---------------------------------------------------------------------- the suite


def _attack(
    family: str,
    name: str,
    exact: float | None,
    function: Callable[..., Sounding],
    *values: Any,
    present: float | None = None,
    longer: float = 0.0,
) -> SoundAttack:
    return SoundAttack(name, family, function, values, exact, present, longer)


_none = partial(_attack, "none")
_coder = partial(_attack, "compression")
_level = partial(_attack, "level and rate")
_filter = partial(_attack, "filters and effects")
_crop = partial(_attack, "cropping")
_time = partial(_attack, "tempo and pitch")
_cut = partial(_attack, "pieces lost and put in")
_noise = partial(_attack, "noise")
_way = partial(_attack, "journeys")

_STEEP = 3  # filters of the second order, one after the other

_SUITE = [
    _none("none", 100, _untouched),
    *(_coder(f"MP3 {rate}", 100, coded, "MP3", rate) for rate in (320, 128, 64)),
    *(_coder(f"AAC {rate}", 100, coded, "AAC", rate) for rate in (128, 64)),
    *(_coder(f"Opus {rate}", 100, coded, "Opus", rate) for rate in (64, 32)),
    _coder("Opus 16 mono", 85, coded, "Opus", 16, 1),
    _coder("GSM (full rate, 13 kbit/s)", 60, coded, "GSM", None, 1),
    _coder("GSM (enhanced full rate, 12.2 kbit/s)", 60, coded, "AMR", 12.2, 1),
    _coder("µ-law, 8 kHz", 100, coded, "µ-law"),
    _coder("MP3 128, 96, 64", 100, coded_again, 128, 96, 64),
    *(_level(f"{rate} kHz", 100, resampled, 1000 * rate) for rate in (16, 8)),
    _level("gain -20 dB", 100, louder, -20),
    _level("gain +6 dB, clipped", 100, louder, 6),
    _filter("low-pass 4 kHz", 100, filtered, ",".join(["lowpass=f=4000"] * 2)),
    _filter("high-pass 500 Hz", 100, filtered, ",".join(["highpass=f=500"] * 2)),
    *(
        _filter(f"high-pass {f} Hz", 98, filtered, ",".join([f"highpass=f={f}"] * _STEEP))
        for f in (1600, 3200, 4800)
    ),
    _filter("echo", 100, filtered, "aecho=0.8:0.6:120:0.4"),
    _filter("reverberation", 100, reverberant, 0.4, 0.3),
    _filter("compressor", 100, filtered, "acompressor=threshold=-24dB:ratio=4"),
    _filter("denoised", 100, filtered, "afftdn=nf=-30"),
    _crop("crop to 10 s", 100, cropped, 10, longer=10),
    _crop("crop to 5 s", 99, cropped, 5, longer=5),
    _crop("crop to 3 s", 92, cropped, 3, present=99, longer=3),
    *(_time(f"speed {n:+d} %", 98, sped, 1 + n / 100) for n in (1, -1, 5, -5, 10, -10)),
    *(_time(f"tempo {n:+d} %", 98, stretched, 1 + n / 100) for n in (1, -1, 5, -5, 10, -10)),
    *(_time(f"pitch {n:+g} semitones", 98, pitched, n) for n in (0.5, -0.5, 2, -2)),
    _cut("5 ms lost each second", 98, dropped),
    _cut("0.77 s put in", 98, inserted),
    *(
        _noise(f"white noise {n} dB", exact, noisy, n)
        for n, exact in ((30, 100), (20, 90), (10, 70))
    ),
    _noise("pink noise 10 dB", 70, partial(noisy, pink=True), 10),
    _noise("16 levels", 60, coarse, 16),
    _way("site: AAC 96, loudness, Opus 48", 100, posted),
    _way("over the air (simulated)", 92, over_air),
    _way("crop to 10 s, Opus 32", 98, cropped_and_coded, 10, longer=10),
]  # fmt: skip

ATTACKS: Final[dict[str, SoundAttack]] = {attack.name: attack for attack in _SUITE}

# What the quick run has time for: each family, and what has failed first so far.
QUICK: Final = (
    "none", "MP3 64", "Opus 16 mono", "µ-law, 8 kHz", "gain -20 dB", "high-pass 3200 Hz",
    "crop to 5 s", "speed +5 %", "tempo -5 %", "pitch +2 semitones", "0.77 s put in",
    "white noise 20 dB", "over the air (simulated)",
)  # fmt: skip


@cache
def unavailable(name: str) -> str | None:
    """Why an attack cannot be made with the ffmpeg that is here; None where it can."""
    noise = random_for("available").uniform(-0.5, 0.5, (1, 16_000)).astype(np.float32)
    try:
        ATTACKS[name](noise, 16_000)
    except MediaError as exc:
        return str(exc)
    return None
