"""An objective difference grade: 0 is imperceptible, -1 perceptible but not annoying, -4 very.

PEAQ, basic version, after ITU-R BS.1387-1 (2001), annex 2, and Kabal, "An examination and
interpretation of ITU-R BS.1387" (McGill University, 2002): the ear of `masking`, eleven variables
(named below as there), and the network the Recommendation gives. What it is not: its reference
items were never at hand, so conformance is not claimed; every channel is graded by itself; and
speech, or sound of less than 48 kHz, is not what the network was trained with. Samples are not
rounded to 16 bits first: where a source has no upper half, the harmonic structure would be that of
two rounding noises, and a 16 kHz voice lose half a grade by them. It serves to compare strengths of
one mark, and to catch a sound that is marked too strongly.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from benchmarks.attacks_sound import resampled
from benchmarks.masking import (
    CENTRES,
    FRAME,
    INNER,
    RATE,
    STEP,
    Float,
    Heard,
    hear,
    kept_over,
    smoothed,
)
from benchmarks.sounds import Samples

_FRAMES = RATE / STEP  # a second
_KEPT: Final = kept_over(0.050)
_UNITS = 32768.0
_SILENT = 200 / _UNITS  # sum of five samples: what is below at either end is left out
_DISTURBED = 10 ** (1.5 / 10)
_SETTLED = 0.5  # s that modulation and loudness are not looked at


@dataclass(frozen=True)
class Grade:
    """How a change sounds.

    Attributes
    ----------
    odg : float
        -3.98 to 0.22; 0.1 to 0.2 where nothing was changed.
    noise_to_mask : float
        Mean over all bands and frames (Total NMR), dB; below -60 where nothing was changed.
    disturbed : float
        Share of frames in which some band lies more than 1.5 dB above its mask.
    """

    odg: float
    noise_to_mask: float
    disturbed: float


def grade(cover: Samples, marked: Samples, rate: int) -> Grade | None:
    """Compare float32 (channels, n); None where all is silent, or shorter than half a second."""
    if rate != RATE:
        cover, marked = (resampled(y, rate, RATE)[0] for y in (cover, marked))
    grades = [one for pair in zip(cover, marked, strict=True) if (one := _channel(*pair))]
    if not grades:
        return None
    powers = [10 ** (one.noise_to_mask / 10) for one in grades]
    return Grade(
        float(np.mean([one.odg for one in grades])),
        float(10 * np.log10(np.mean(powers))),
        float(np.mean([one.disturbed for one in grades])),
    )


def _channel(cover: Samples, marked: Samples) -> Grade | None:
    loud = np.convolve(np.abs(cover), np.ones(5), "same") > _SILENT
    if not loud.any():
        return None
    first, last = int(loud.argmax()) // STEP * STEP, len(loud) - int(loud[::-1].argmax())
    count = (last - first - FRAME) // STEP + 1
    if count < _SETTLED * _FRAMES + 5:
        return None
    places = first + STEP * np.arange(count)[:, None] + np.arange(FRAME)
    frames = np.stack([cover[places], marked[places]]).astype(np.float64)
    heard = hear(frames)
    variables = _variables(frames, heard)
    return Grade(_network(variables), float(variables[2]), float(variables[10]))


# ---------------------------------------------------------------------- the eleven variables


def _variables(frames: Float, heard: Heard) -> Float:
    """BandwidthRef, BandwidthTest, TotalNMR, WinModDiff1, ADB, EHS, … in the network's order."""
    ratio = heard.noise_to_mask
    modulation, loudness = _modulation(heard.spread)
    windowed, first, second = _modulation_differences(modulation, loudness)
    detected, steps = _detection(heard.excitation)
    return np.array(
        [
            *_bandwidths(heard.lines),
            10 * np.log10(ratio.mean()),
            windowed,
            steps,
            _harmonics(frames, heard.lines),
            first,
            second,
            _noise_loudness(heard.excitation, modulation),
            detected,
            np.mean(ratio.max(axis=1) > _DISTURBED),
        ]
    )


def _bandwidths(lines: Float) -> tuple[float, float]:
    """Highest line 10 dB above what the marked has over 21.6 kHz, and of the marked 5 dB."""
    top, least = 921, 346
    floor = lines[1, :, top : FRAME // 2].max(axis=1, keepdims=True)
    number = np.arange(1, top + 1)
    cover = np.where(lines[0, :, :top] >= 10 * floor, number, 0).max(axis=1)
    cover = np.where(cover > least + 1, cover, 0)
    below = (lines[1, :, :top] >= 10**0.5 * floor) & (number <= cover[:, None])
    marked = np.where(below, number, 0).max(axis=1)
    used = cover > 0
    return (float(cover[used].mean()), float(marked[used].mean())) if used.any() else (0.0, 0.0)


def _modulation(spread: Float) -> tuple[Float, Float]:
    """Modulation of the envelopes (2, frames, bands), and the cover's smoothed loudness."""
    loudness = spread**0.3
    moved = np.abs(np.diff(loudness, axis=1, prepend=0)) * _FRAMES
    level = smoothed(loudness, _KEPT)
    return smoothed(moved, _KEPT) / (1 + level / 0.3), level[0]


def _modulation_differences(modulation: Float, loudness: Float) -> tuple[float, float, float]:
    cover, marked = modulation[:, round(_SETTLED * _FRAMES + 0.5) :]
    apart = np.abs(cover - marked)
    first = 100 * np.mean(apart / (1 + cover), axis=1)
    second = 100 * np.mean(np.where(cover > marked, 0.1, 1) * apart / (0.01 + cover), axis=1)
    late = loudness[-len(cover) :]
    weight = np.sum(late / (late + 100 * INNER**0.3), axis=1)
    size = int(0.1 * _FRAMES)
    windows = np.lib.stride_tricks.sliding_window_view(np.sqrt(first), size).mean(axis=1)
    return (
        float(np.sqrt(np.mean(windows**4))),
        float(weight @ first / weight.sum()),
        float(weight @ second / weight.sum()),
    )


def _adapted(excitation: Float) -> Float:
    """Excitations after the levels, and then the patterns, of the two were brought together."""
    low = smoothed(excitation, _KEPT)
    whole = (np.sqrt(low[0] * low[1]).sum(axis=1) / low[1].sum(axis=1)) ** 2
    levelled = excitation * np.stack([1 / np.maximum(whole, 1), np.minimum(whole, 1)])[..., None]
    both = smoothed(levelled[0] * levelled[1], _KEPT)
    alone = smoothed(np.square(levelled[0]), _KEPT)
    share = np.stack([np.minimum(both / alone, 1), np.minimum(alone / both, 1)])
    count = len(CENTRES)
    bands = np.arange(count)
    near = ((bands - bands[:, None] >= -3) & (bands - bands[:, None] <= 4)).astype(float)
    pattern = smoothed(share @ (near / near.sum(axis=1, keepdims=True)).T, _KEPT)
    return np.asarray(levelled * pattern)


def _noise_loudness(excitation: Float, modulation: Float) -> float:
    """Root mean square of the partial loudness of what was added, sone."""
    (cover, marked), (first, second) = _adapted(excitation), 0.15 * modulation + 0.5
    masking = np.exp(-1.5 * (marked - cover) / cover)
    added = np.maximum(second * marked - first * cover, 0) / (INNER + first * cover * masking)
    partial = (INNER / second) ** 0.23 * ((1 + added) ** 0.23 - 1)
    noise = np.maximum(24 / len(CENTRES) * partial.sum(axis=1), 0)
    settled = noise[round(_SETTLED * _FRAMES + 0.5) :]
    return float(np.sqrt(np.mean(np.square(settled))))


def _detection(excitation: Float) -> tuple[float, float]:
    """Highest probability that a difference is noticed, and steps above it (MFPD, ADB)."""
    cover, marked = 10 * np.log10(excitation)
    apart = cover - marked
    level = np.where(apart > 0, 0.3 * cover + 0.7 * marked, marked)
    heard = np.maximum(level, 1e-6)
    powers = np.stack([heard**n for n in range(5)], axis=-1)
    step = 5.95072 * (6.39468 / heard) ** 1.71332 + powers @ np.array(
        [-0.198719, 0.0550197, -0.00102438, 5.05622e-6, 9.01033e-11]
    )
    step = np.where(level > 0, step, 1e30)
    missed = 0.5 ** ((np.abs(apart) / step) ** np.where(apart > 0, 4, 6))
    noticed = 1 - missed.prod(axis=1)
    steps = np.abs(np.trunc(apart) / step).sum(axis=1)
    highest = smoothed(noticed[:, None], np.array([0.9])).max()
    above = noticed > 0.5
    if not above.any():
        return float(highest), 0.0
    total = steps[above].mean()
    return float(highest), float(np.log10(total)) if total > 0 else -0.5


def _harmonics(frames: Float, lines: Float) -> float:
    """Harmonic structure of the error (EHS): the spectrum's spectrum, its highest other peak."""
    size = 256
    loud = (np.square(frames[:, :, STEP:] * _UNITS).sum(axis=2) >= 8000).any(axis=0)
    if not loud.any():
        return 0.0
    least = 1e-30
    logs = np.log(np.maximum(lines[1, loud], least) / np.maximum(lines[0, loud], least))
    logs = logs[:, : 2 * size - 1]
    head = np.fft.rfft(logs[:, :size], 2 * size)
    products = np.fft.irfft(np.conj(head) * np.fft.rfft(logs, 2 * size), 2 * size)[:, :size]
    energy = np.lib.stride_tricks.sliding_window_view(np.square(logs), size, axis=1).sum(axis=2)
    bound = np.sqrt(energy[:, :1] * energy)
    alike = np.where(bound > 0, products / np.where(bound > 0, bound, 1), 1)
    window = np.sqrt(8 / 3) * np.hanning(size) / size
    spectrum = np.abs(np.fft.rfft((alike - alike.mean(axis=1, keepdims=True)) * window)) ** 2
    rising = spectrum[:, 1:] > spectrum[:, :1]
    return float(1000 * np.where(rising, spectrum[:, 1:], 0).max(axis=1).mean())


# ---------------------------------------------------------------------- the network

# BS.1387-1, tables 19 to 23: bounds of the variables, and weights of the basic version.
_LOW: Final = np.array(
    [393.916656, 361.965332, -24.045116, 1.110661, -0.206623, 0.074318, 1.113683, 0.950345,
     0.029985, 0.000101, 0]
)  # fmt: skip
_HIGH: Final = np.array(
    [921, 881.131226, 16.212030, 107.137772, 2.886017, 13.933351, 63.257874, 1145.018555,
     14.819740, 1, 1]
)  # fmt: skip
_HIDDEN: Final = np.array(
    [
        [-0.502657, 0.436333, 1.219602], [4.307481, 3.246017, 1.123743],
        [4.984241, -2.211189, -0.192096], [0.051056, -1.762424, 4.331315],
        [2.321580, 1.789971, -0.754560], [-5.303901, -3.452257, -10.814982],
        [2.730991, -6.111805, 1.519223], [0.624950, -1.331523, -5.955151],
        [3.102889, 0.871260, -5.922878], [-1.051468, -0.939882, -0.142913],
        [-1.804679, -0.503610, -0.620456],
    ]
)  # fmt: skip
_HIDDEN_BIAS: Final = np.array([-2.518254, 0.654841, -2.207228])
_OUTPUT, _OUTPUT_BIAS = np.array([-3.817048, 4.107138, 4.629582]), -0.307594
_WORST, _BEST = -3.98, 0.22


def _network(variables: Float) -> float:
    scaled = (variables - _LOW) / (_HIGH - _LOW)
    index = _OUTPUT_BIAS + _sigmoid(scaled @ _HIDDEN + _HIDDEN_BIAS) @ _OUTPUT
    return float(_WORST + (_BEST - _WORST) * _sigmoid(index))


def _sigmoid(value: Float) -> Float:
    return np.asarray(1 / (1 + np.exp(-value)))
