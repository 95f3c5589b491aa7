"""How much a marked picture differs from its cover."""

from __future__ import annotations

import math
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from aiglabel.signal.frame import luma

_K1, _K2 = 0.01, 0.03
_WINDOW = (7, 7)
_SSIM_SIDE = 256
_BLOCK = 8
# Luminance quantisation of JPEG (T.81, table K.1): PSNR-HVS-M weighs contrasts by it.
_QUANTISATION = (
    16, 11, 10, 16, 24, 40, 51, 61,
    12, 12, 14, 19, 26, 58, 60, 55,
    14, 13, 16, 24, 40, 57, 69, 56,
    14, 17, 22, 29, 51, 87, 80, 62,
    18, 22, 37, 56, 68, 109, 103, 77,
    24, 35, 55, 64, 81, 104, 113, 92,
    49, 64, 78, 87, 103, 121, 120, 101,
    72, 92, 95, 98, 112, 100, 103, 99,
)  # fmt: skip
_CSF = np.float32(25.735088) / np.array(_QUANTISATION, np.float32)
_MASKING = (10 / np.array(_QUANTISATION, np.float32)) ** 2


def psnr(cover: NDArray[Any], marked: NDArray[Any]) -> float:
    """Peak signal-to-noise ratio over all channels, dB; infinite for equal arrays.

    Both arrays have the same shape and dtype, uint8, uint16 or float in [0, 1].
    """
    peak = {"uint8": 255.0, "uint16": 65535.0}.get(cover.dtype.name, 1.0)
    error = cv2.norm(cover.ravel(), marked.ravel(), cv2.NORM_L2) ** 2 / cover.size
    return math.inf if error == 0 else 10 * math.log10(peak**2 / error)


def ssim(cover: NDArray[Any], marked: NDArray[Any]) -> float:
    """Mean structural similarity of the luma, (H, W[, C]) pictures of one shape, 0 to 255.

    Wang, Bovik, Sheikh and Simoncelli 2004 with a uniform 7×7 window (as scikit-image has it),
    after averaging down to a shortest side of about 256 as the authors advise.
    """
    step = max(1, round(min(cover.shape[:2]) / _SSIM_SIDE))
    a, b = (_reduce(luma(plane), step) for plane in (cover, marked))
    if min(a.shape) < _WINDOW[0]:
        return 1.0 if np.array_equal(a, b) else math.nan
    mean_a, mean_b = _blur(a), _blur(b)
    product, square_a, square_b = mean_a * mean_b, mean_a * mean_a, mean_b * mean_b
    variance_a, variance_b = _blur(a * a) - square_a, _blur(b * b) - square_b
    covariance = _blur(a * b) - product
    c1, c2 = (_K1 * 255) ** 2, (_K2 * 255) ** 2
    index = ((2 * product + c1) * (2 * covariance + c2)) / (
        (square_a + square_b + c1) * (variance_a + variance_b + c2)
    )
    return float(index.mean())


def psnr_hvs_m(cover: NDArray[Any], marked: NDArray[Any]) -> float:
    """Peak signal-to-noise ratio of what can be seen in the luma, dB; infinite where nothing can.

    Ponomarenko, Silvestri, Egiazarian, Carli, Astola and Lukin 2007: differences of 8×8 DCT
    coefficients, less what the block masks, weighed by the contrast sensitivity of the eye.
    (H, W[, C]) pictures of one shape, 0 to 255, at least 8 pixels a side; columns and rows beyond
    the last whole block are left out.
    """
    if min(cover.shape[:2]) < _BLOCK:
        return math.nan
    basis = _dct_basis()
    blocks = [_blocks(luma(plane)) for plane in (cover, marked)]
    bands = [block @ basis.T for block in blocks]
    hidden = np.maximum(*map(_masking, blocks, bands))
    hidden = hidden[:, None] / _MASKING
    hidden[:, 0] = 0
    seen = np.maximum(np.abs(bands[0] - bands[1]) - hidden, 0) * _CSF
    error = float(np.mean(np.square(seen), dtype=np.float64))
    return math.inf if error == 0 else 10 * math.log10(255**2 / error)


def largest_change(cover: NDArray[Any], marked: NDArray[Any]) -> float:
    """Largest change of one sample, in the scale of the arrays."""
    return float(cv2.norm(cover.ravel(), marked.ravel(), cv2.NORM_INF))


def _reduce(plane: NDArray[Any], step: int) -> NDArray[np.float32]:
    height, width = plane.shape[0] // step * step, plane.shape[1] // step * step
    size = (width // step, height // step)
    small: Any = cv2.resize(plane[:height, :width], size, interpolation=cv2.INTER_AREA)
    return np.asarray(small, np.float32)


def _blur(plane: NDArray[np.float32]) -> NDArray[np.float32]:
    blurred: Any = cv2.blur(plane, _WINDOW)
    return np.asarray(blurred, np.float32)


def _blocks(plane: NDArray[Any]) -> NDArray[np.float32]:
    """Whole 8×8 blocks of (H, W) as rows, float32 (blocks, 64)."""
    rows, columns = (length // _BLOCK for length in plane.shape)
    whole = np.asarray(plane[: rows * _BLOCK, : columns * _BLOCK], np.float32)
    return whole.reshape(rows, _BLOCK, columns, _BLOCK).swapaxes(1, 2).reshape(-1, _BLOCK**2)


def _dct_basis() -> NDArray[np.float32]:
    """Orthonormal DCT-II of a block as one matrix (64, 64), a row a coefficient."""
    frequency, sample = np.mgrid[:_BLOCK, :_BLOCK]
    line = np.cos(np.pi * frequency * (2 * sample + 1) / (2 * _BLOCK)) / 2
    line[0] /= math.sqrt(2)
    return np.kron(line, line).astype(np.float32)


def _masking(blocks: NDArray[np.float32], bands: NDArray[np.float32]) -> NDArray[np.float32]:
    """How much each block hides (blocks,): much where it is busy, less where that is an edge."""
    energy = np.square(bands[:, 1:]) @ _MASKING[1:]
    half = _BLOCK // 2
    quarters = blocks.reshape(-1, 2, half, 2, half)
    scatter = quarters.var(axis=(2, 4)).sum(axis=(1, 2)) * (half**4 / (half**2 - 1))
    whole = blocks.var(axis=1) * (_BLOCK**4 / (_BLOCK**2 - 1))
    even = np.divide(scatter, whole, out=np.zeros_like(whole), where=whole > 0)
    return np.asarray(np.sqrt(energy * even) / 32, np.float32)
