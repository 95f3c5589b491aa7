"""Whitening: what the detector does before it correlates, so that the host is weak, even noise.

First in space: the luma less its local mean, divided by its local variance (a Wiener residual),
so that smooth places, where the host is quiet, count most. Then in frequency: the spectrum of the
folded tile, divided by its own local magnitude, so that no direction or band of the host's texture
drowns the others.
"""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from aiglabel.signal.tile import SIDE, Spectrum

Float = NDArray[np.float32]

# Windows of the local mean and variance, samples; and the variance of rounding, compression and
# everything else that is there where the host is flat, grey levels squared.
_MEAN, _VARIANCE = (5, 5), (9, 9)
FLOOR = 30.0
_SMOOTH = 2
_FREQUENCIES = (np.fft.fftfreq(SIDE)[:, None], np.fft.rfftfreq(SIDE)[None])


def details(plane: Float) -> tuple[Float, Float]:
    """Return the plane (H, W) less its local mean, and its local variance plus a floor."""
    detail = less_mean(plane)
    variance = blurred(detail * detail, _VARIANCE)
    # Box filters leave tiny negative values in float32.
    np.maximum(variance, 0, out=variance)
    variance += np.float32(FLOOR)
    return detail, variance


def less_mean(plane: Float) -> Float:
    """Return the plane (H, W) less its local mean."""
    return plane - blurred(plane, _MEAN)


def whitened(plane: Float) -> Float:
    """Whiten a plane (H, W) of grey levels in space."""
    detail, variance = details(plane)
    detail /= variance
    return detail


def flattened(folded: Float) -> Spectrum:
    """Whiten folded tiles (..., SIDE, SIDE) in frequency; spectra (..., SIDE, SIDE // 2 + 1)."""
    spectrum = np.fft.rfft2(folded)
    return (spectrum * flattening(spectrum)).astype(np.complex64)


def flattening(spectrum: NDArray[np.complexfloating[Any, Any]]) -> Float:
    """Return the real factors that flatten spectra (..., SIDE, SIDE // 2 + 1), each its own.

    One over the root of the power, averaged over 5×5 lines.
    """
    power = (spectrum.real**2 + spectrum.imag**2).astype(np.float32)
    power = power.reshape(-1, *power.shape[-2:])
    # Columns left of zero and right of the highest frequency mirror those inside.
    other = np.roll(power[:, ::-1], 1, axis=1)
    left, right = other[..., _SMOOTH:0:-1], other[..., -2 : -2 - _SMOOTH : -1]
    around = np.concatenate([left, power, right], axis=2)
    around = np.pad(around, ((0, 0), (_SMOOTH, _SMOOTH), (0, 0)), "wrap")
    inside = np.s_[_SMOOTH:-_SMOOTH, _SMOOTH:-_SMOOTH]
    local = np.stack([blurred(one, (2 * _SMOOTH + 1,) * 2)[inside] for one in around])
    mean = local.mean(axis=(1, 2), keepdims=True)
    flat: Float = 1 / np.sqrt(local + np.float32(1e-4) * mean + np.float32(1e-30))
    return flat.reshape(spectrum.shape)


def shifted_tile(spectrum: Spectrum, down: float, right: float) -> Float:
    """Return the tiles (..., SIDE, SIDE) of spectra, moved back by a shift in samples."""
    rows, columns = _FREQUENCIES
    moved = spectrum * (np.exp(2j * np.pi * down * rows) * np.exp(2j * np.pi * right * columns))
    return np.fft.irfft2(moved, s=(SIDE, SIDE)).astype(np.float32)


def blurred(plane: Float, size: tuple[int, ...]) -> Float:
    """Mean over a window (height, width)."""
    mean: Any = cv2.blur(plane, size[::-1], borderType=cv2.BORDER_REFLECT)
    return np.asarray(mean, np.float32)
