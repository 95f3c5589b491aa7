"""Sound reduced to one channel of about 8000 samples a second, block by block.

All that the readers look at lies below 3000 Hz, so hours need no more memory than a minute.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

Float = NDArray[np.float32]

BLOCK = 90.0  # s
_LEAST_RATE = 7350  # Hz, after reduction: 44100 / 6
_LOUDEST = 8.0  # of what floating-point files may hold beyond full scale
_GROUP = 32  # reduced samples made by one row of the matrix product
_HALF = 10  # half the length of the low pass, in reduced samples


def blocks(
    y: Float, rate: int, *, before: float, after: float
) -> Iterator[tuple[float, Float, float]]:
    """Cut into overlapping blocks, with silence before the first and after the last.

    Parameters
    ----------
    y : float32 (channels, n) in [-1, 1]
        What is not a number counts as silence.
    rate : int
        Samples a second.
    before, after : float
        Seconds that a block has besides its own `BLOCK` seconds.

    Yields
    ------
    start : float
        Where the block starts, in s; the first starts `before` the sound.
    sound : float32 (m,)
        Mean of the channels up to 3000 Hz.
    low_rate : float
        Samples a second, 7350 to 14700.
    """
    factor = max(1, rate // _LEAST_RATE)
    low_rate = rate / factor
    lead, tail = math.ceil(before * low_rate), math.ceil(after * low_rate)
    own = int(BLOCK * low_rate)
    total = -(-y.shape[1] // factor)
    for start in range(-lead, max(total - lead, 1 - lead), own):
        stop = min(start + lead + own + tail, total + tail)
        yield start / low_rate, _reduced(y, factor, start, stop), low_rate


def _reduced(y: Float, factor: int, start: int, stop: int) -> Float:
    """Every `factor`-th sample of the mean of the channels, from `start` to `stop`; else zero."""
    taps = _low_pass(factor)
    groups = -(-(stop - start) // _GROUP)
    width = len(taps)
    first = (start - _HALF) * factor
    padded = np.zeros(groups * _GROUP * factor + width, np.float32)
    inside = y[:, max(first, 0) : max(first + len(padded), 0)].mean(axis=0, dtype=np.float32)
    inside[~np.isfinite(inside)] = 0
    np.clip(inside, -_LOUDEST, _LOUDEST, out=inside)
    padded[max(-first, 0) :][: len(inside)] = inside
    views = np.lib.stride_tricks.sliding_window_view(padded, width)
    product = views[:: _GROUP * factor][:groups] @ taps
    return np.asarray(product, np.float32).reshape(-1)[: stop - start]


@lru_cache(maxsize=32)
def _low_pass(factor: int) -> Float:
    """Matrix that makes `_GROUP` reduced samples at once: a Kaiser window's low pass.

    It passes 3000 Hz at every rate, and what it lets through above half the reduced rate falls
    above 3000 Hz.
    """
    width = (_GROUP + 2 * _HALF) * factor
    if factor == 1:
        return np.eye(width, _GROUP, -_HALF, dtype=np.float32)
    time = np.arange(-_HALF * factor, _HALF * factor + 1)
    taps = np.sinc(time / factor) * np.kaiser(len(time), 6)
    taps /= taps.sum()
    matrix = np.zeros((width + 1, _GROUP), np.float32)
    for column in range(_GROUP):
        matrix[column * factor : column * factor + len(taps), column] = taps
    return np.ascontiguousarray(matrix[:width])
