"""Loudness after ITU-R BS.1770-4 (K-weighting, channel weights, gating) and EBU R 128 / Tech 3341.

The weighting is the standard's two filters, redesigned for any rate from their analogue prototypes
(the coefficients at 48 kHz are those of the standard's tables 1 and 2), and applied in the
frequency domain, block by block. Units: LUFS; LU for differences.
"""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from aiglabel.errors import LabelError
from aiglabel.marks.audible.rhythm import check_rate

Float = NDArray[np.float32]
Energies = NDArray[np.float64]

ABSOLUTE_GATE = -70.0  # LUFS
RELATIVE_GATE = -10.0  # LU
STEP = 0.1  # s: energies are kept for stretches this long
_MOMENTARY = 4  # steps: 400 ms
_SHORT_TERM = 30  # steps: 3 s
_OFFSET = -0.691  # LU: makes 0 dBFS at 997 Hz in one channel read -3.01 LUFS
_LEAD = 2  # steps: the high pass has forgotten by 130 dB what lies further back
_BLOCK = 64  # steps filtered at once
_SURROUND = 1.41
# Weights by number of channels, in the order of WAVE files: L R C LFE, then back and side.
_WEIGHTS = {
    1: (1.0,), 2: (1.0, 1.0), 3: (1.0, 1.0, 1.0), 4: (1.0, 1.0, _SURROUND, _SURROUND),
    5: (1.0, 1.0, 1.0, _SURROUND, _SURROUND),
    6: (1.0, 1.0, 1.0, 0.0, _SURROUND, _SURROUND),
    7: (1.0, 1.0, 1.0, 0.0, _SURROUND, _SURROUND, _SURROUND),
    8: (1.0, 1.0, 1.0, 0.0, _SURROUND, _SURROUND, _SURROUND, _SURROUND),
}  # fmt: skip


def weights(channels: int) -> NDArray[np.float64]:
    """Weights of the channels: 1 in front, 1.41 at the sides and back, 0 for low frequency effects.

    Raises
    ------
    LabelError
        With no channel or more than 8: nobody says which of them is which.
    """
    if channels not in _WEIGHTS:
        raise LabelError(
            f"loudness is defined here for 1 to 8 channels, not {channels}",
            remedy="Mix the sound down, to 7.1 for example",
        )
    return np.array(_WEIGHTS[channels])


def energies(y: Float, rate: int) -> Energies:
    """Weighted energy, summed over the channels, of every 100 ms.

    Parameters
    ----------
    y : float32 (channels, n) in [-1, 1]
    rate : int
        Samples a second, 8000 to 192000.

    Returns
    -------
    float64, shape (steps,)
        Mean squares; what is left over at the end counts as a step if it is half of one.

    Raises
    ------
    LabelError
        When the rate or the number of channels is not handled.
    """
    check_rate(rate)
    shares = weights(len(y))
    edges = np.round(np.arange(math.floor(y.shape[1] / rate / STEP + 0.5) + 1) * STEP * rate)
    edges = np.minimum(edges.astype(np.int64), y.shape[1])
    out = np.zeros(len(edges) - 1)
    for first in range(0, len(out), _BLOCK):
        some = edges[first : first + _BLOCK + 1]
        lead = edges[max(first - _LEAD, 0)]
        for samples, share in zip(y, shares, strict=True):
            if share:
                part = _weighted(samples[lead : some[-1]], rate)[some[0] - lead :]
                sums = np.add.reduceat(part * part, some[:-1] - some[0])
                out[first : first + len(sums)] += share * sums / np.diff(some)
    return out


def integrated(y: Float, rate: int) -> float:
    """Loudness of the whole, gated twice (BS.1770-4, annex 1, 5); -inf where nothing is heard.

    Sound shorter than 400 ms is taken as one ungated block.
    """
    return integrate(energies(y, rate))


def integrate(steps: Energies) -> float:
    """Integrated loudness of what `energies` returned."""
    blocks = _means(steps, min(_MOMENTARY, len(steps)))
    blocks = blocks[blocks > _energy(ABSOLUTE_GATE)]
    if not len(blocks):
        return -math.inf
    gate = blocks.mean() * 10 ** (RELATIVE_GATE / 10)
    return loudness_of(float(blocks[blocks > gate].mean()))


def short_term(y: Float, rate: int) -> NDArray[np.float64]:
    """Loudness of the last 3 s, every 100 ms (EBU Tech 3341, 2.2); shorter sound gives one value.

    Returns
    -------
    float64, shape (steps - 29,)
        Value k is about the time from k × 100 ms to k × 100 ms + 3 s.
    """
    steps = energies(y, rate)
    means = np.maximum(_means(steps, min(_SHORT_TERM, len(steps))), 1e-30)
    return np.asarray(_OFFSET + 10 * np.log10(means))


def loudness_of(energy: float) -> float:
    """LUFS of a weighted mean square."""
    return _OFFSET + 10 * math.log10(energy) if energy > 0 else -math.inf


def _energy(loudness: float) -> float:
    return float(10 ** ((loudness - _OFFSET) / 10))


def _means(steps: Energies, length: int) -> Energies:
    if not length:
        return np.empty(0)
    sums = np.concatenate([[0.0], np.cumsum(steps)])
    return np.asarray((sums[length:] - sums[:-length]) / length)


def _weighted(samples: Float, rate: int) -> Energies:
    """Apply both filters as if silence lay before."""
    clean = np.nan_to_num(samples, posinf=0, neginf=0)
    size = _good_size(len(samples) + math.ceil(_LEAD * STEP * rate))
    spectrum = np.fft.rfft(clean.astype(np.float64), size)
    spectrum *= _response(rate, size)
    return np.asarray(np.fft.irfft(spectrum, size)[: len(samples)])


def _good_size(least: int) -> int:
    """Smallest length from `least` on that is a power of two, or three or five of one, over 4."""
    power = 1 << (least - 1).bit_length()
    return next(size for size in (power * 5 // 8, power * 3 // 4, power) if size >= least)


@lru_cache(maxsize=8)
def _response(rate: int, size: int) -> NDArray[np.complex128]:
    """Frequency response of both filters at the bins of a transform of `size`."""
    turn = np.exp(-2j * np.pi * np.arange(size // 2 + 1) / size)
    response = np.ones(len(turn), np.complex128)
    for b, a in biquads(rate):
        response *= np.polyval(b[::-1], turn) / np.polyval(a[::-1], turn)
    return response


def biquads(rate: int) -> tuple[tuple[list[float], list[float]], ...]:
    """Coefficients (b, a) of the shelf and the high pass, by bilinear transform.

    The prototypes' frequency, gain and quality were solved from the standard's coefficients at
    48 kHz; there they return them to 1e-8.
    """
    k = math.tan(math.pi * 1681.974450955533 / rate)
    high = 10 ** (3.999843853973347 / 20)
    band = high**0.4996667741545416
    q = 0.7071752369554196
    a0 = 1 + k / q + k * k
    shelf = (
        [(high + band * k / q + k * k) / a0, 2 * (k * k - high) / a0,
         (high - band * k / q + k * k) / a0],
        [1.0, 2 * (k * k - 1) / a0, (1 - k / q + k * k) / a0],
    )  # fmt: skip
    k = math.tan(math.pi * 38.13547087602444 / rate)
    q = 0.5003270373238773
    a0 = 1 + k / q + k * k
    # The standard does not scale the numerator of the second filter.
    low_cut = ([1.0, -2.0, 1.0], [1.0, 2 * (k * k - 1) / a0, (1 - k / q + k * k) / a0])
    return shelf, low_cut
