"""What an ear hears of a sound, and how far a change of it stays below what the sound masks.

The ear model is the FFT-based one of ITU-R BS.1387-1 (PEAQ, basic version), annex 2, 2.1 and
3.2 to 3.3: 2048 lines at 48 kHz, outer and middle ear, 109 bands of a quarter Bark, noise inside
the ear, spreading over bands that depends on level, spreading over time, and the offset of 3 dB
(more above 12 Bark) that noise must lie below its masker. A ratio of noise to mask of 0 dB is where
noise begins to be heard, band by band and frame by frame. Full scale counts as 92 dB SPL, whatever
anyone's volume is. Power and excitation are linear, not in dB.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

Float = NDArray[np.float64]

RATE: Final = 48_000
FRAME, STEP = 2048, 1024
_LOUDEST = 92.0  # dB SPL of a sine at full scale
_LOWEST, _HIGHEST, _WIDTH = 80.0, 18_000.0, 0.25  # Hz, Hz, Bark
_POWER = 0.4  # of adding up what the bands spread
_AT_ONCE = 64  # frames
_LEAST = 1e-12


@dataclass(frozen=True, eq=False)
class Heard:
    """Two versions of one channel, as an ear hears them; two rows are the cover and the marked.

    Attributes
    ----------
    lines : float64 (2, frames, 1025)
        Power of each line.
    spread, excitation : float64 (2, frames, 109)
        Excitation of each band; before and after it is spread over time.
    noise : float64 (frames, 109)
        Excitation by the difference of the two spectra's magnitudes.
    """

    lines: Float
    spread: Float
    excitation: Float
    noise: Float

    @property
    def noise_to_mask(self) -> Float:
        """Power of the noise over that of the mask, float64 (frames, 109)."""
        return self.noise * _OFFSET / self.excitation[0]


def hear(frames: Float) -> Heard:
    """Listen to frames, float64 (2, frames, 2048), samples in [-1, 1], `STEP` apart."""
    lines, spread, noise = [], [], []
    for begin in range(0, frames.shape[1], _AT_ONCE):
        spectra = np.fft.rfft(frames[:, begin : begin + _AT_ONCE] * (_WINDOW * _SCALE), axis=2)
        lines.append(np.square(spectra.real) + np.square(spectra.imag))
        ear = lines[-1] * _EAR
        noise.append(_grouped(np.square(np.sqrt(ear[0]) - np.sqrt(ear[1]))))
        spread.append(_spread(_grouped(ear) + INNER))
    whole = np.concatenate(spread, axis=1)
    lasting = np.maximum(smoothed(whole, kept_over(0.030)), whole)
    return Heard(np.concatenate(lines, axis=1), whole, lasting, np.concatenate(noise))


def kept_over(seconds: float) -> Float:
    """Share of a band that is left after one step, with a time constant given at 100 Hz."""
    return np.asarray(np.exp(-STEP / RATE / (0.008 + 100 / CENTRES * (seconds - 0.008))))


def smoothed(values: Float, kept: Float) -> Float:
    """Low-pass over frames, the last axis but one, from 0 on."""
    out, before = np.empty_like(values), np.zeros_like(values[..., 0, :])
    for frame in range(values.shape[-2]):
        before = kept * before + (1 - kept) * values[..., frame, :]
        out[..., frame, :] = before
    return out


# ---------------------------------------------------------------------- the ear


def _barks(hertz: Any) -> Any:
    return 7 * np.arcsinh(hertz / 650)


def _hertz(barks: Any) -> Any:
    return 650 * np.sinh(barks / 7)


def _edges() -> Float:
    low, high = _barks(_LOWEST), _barks(_HIGHEST)
    return np.append(_hertz(np.arange(low, high, _WIDTH)), _HIGHEST)


_EDGES: Final = _edges()
CENTRES: Final = _hertz((_barks(_EDGES[:-1]) + _barks(_EDGES[1:])) / 2)
_KILO: Final = CENTRES / 1000
INNER: Final = 10 ** (0.1456 * _KILO**-0.8)
_OFFSET: Final = 10 ** (np.maximum(3.0, 0.25 * _WIDTH * np.arange(len(CENTRES))) / 10)


def _shares() -> Float:
    """Share of every line that lies in every band: (lines, bands)."""
    unit = RATE / FRAME
    lines = np.arange(FRAME // 2 + 1)[:, None] * unit
    high = np.minimum(lines + unit / 2, _EDGES[1:])
    return np.clip(high - np.maximum(lines - unit / 2, _EDGES[:-1]), 0, None) / unit


def _hearing() -> Float:
    """Outer and middle ear, power of each line; the first passes nothing."""
    kilo = np.maximum(np.arange(FRAME // 2 + 1), 1) * (RATE / FRAME / 1000)
    decibels = -2.184 * kilo**-0.8 + 6.5 * np.exp(-0.6 * (kilo - 3.3) ** 2) - 0.001 * kilo**3.6
    power = 10 ** (decibels / 10)
    power[0] = 0
    return np.asarray(power)


_WINDOW: Final = np.hanning(FRAME)
# The Recommendation sets the level with a sine of 1019.5 Hz, half-way between two lines, which see
# 8 / 3π of it.
_SCALE: Final = 10 ** (_LOUDEST / 20) / (_WINDOW.sum() / 2 * 8 / (3 * np.pi))
_SHARES, _EAR = _shares(), _hearing()


def _grouped(power: Float) -> Float:
    return np.maximum(power @ _SHARES, _LEAST)


def _spread_plainly(power: Float) -> Float:
    """Each band over the others: 27 dB a Bark down, less up, and the less the louder it is."""
    count = len(CENTRES)
    away = np.arange(count) - np.arange(count)[:, None]  # from band (row) to band (column)
    down = 10 ** (-2.7 * _WIDTH * np.maximum(-away, 0))
    up = 10 ** ((-2.4 - 23 / CENTRES) * _WIDTH) * power ** (0.2 * _WIDTH)
    slopes = np.where(away >= 0, up[..., None] ** np.maximum(away, 0), down)
    slopes *= (power / slopes.sum(axis=-1))[..., None]
    return np.asarray((slopes**_POWER).sum(axis=-2) ** (1 / _POWER))


_LEVEL: Final = _spread_plainly(np.ones((1, len(CENTRES))))


def _spread(power: Float) -> Float:
    return _spread_plainly(power) / _LEVEL
