"""Samples of every type as float32, and back; all channels as one."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Float = NDArray[np.float32]
Samples = NDArray[Any]

# Share of the power of all channels under which their sum is no fair picture of them.
_CANCELLED = 1 / 16


def floats(y: Samples) -> Float:
    """Return a float32 copy of samples: whole numbers are scaled to [-1, 1)."""
    if y.dtype.kind == "f":
        return y.astype(np.float32)
    return np.multiply(y, 1 / (np.iinfo(y.dtype).max + 1), dtype=np.float32)


def typed(y: Float, dtype: np.dtype[Any]) -> Samples:
    """Return samples as another type: whole numbers are rounded, and none wraps around."""
    if dtype.kind == "f":
        return y.astype(dtype)
    limits = np.iinfo(dtype)
    scaled = y.astype(np.float64) * (limits.max + 1)
    return np.clip(np.rint(scaled), limits.min, limits.max).astype(dtype)


def mean_of(rows: Float) -> Float:
    """Return the mean over a short first axis: NumPy's own takes each element by itself."""
    total: Float = rows[0].copy()
    for row in rows[1:]:
        total += row
    total *= np.float32(1 / len(rows))
    return total


def mono(channels: Samples) -> Float:
    """Return the mean of (channels, n), float32 (n,); the loudest where they cancel each other."""
    y = floats(channels)
    mean = mean_of(y)
    powers = [float(one @ one) for one in y]
    if float(mean @ mean) < _CANCELLED * max(powers):
        mean = y[int(np.argmax(powers))]
    return mean
