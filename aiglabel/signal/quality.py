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
