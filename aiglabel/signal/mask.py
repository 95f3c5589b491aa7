"""Perceptual mask and whitening: both follow from the local activity of the host."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from aiglabel.signal import frame

Float = NDArray[np.float32]

# Grey levels of activity under which a place counts as flat: there the mark keeps to one unit.
_KNEE = 1.5
_EXPONENT = 0.8
# Activity added before dividing, so that flat places do not shout.
_FLOOR = 0.25
# Coefficients from the edge that the wrap-around reaches, with the blur and the wavelet's length.
_RIM = 6
# Whitened coefficients are clipped: edges would drown the many small coefficients.
_CLIP = 2.5


@dataclass(frozen=True)
class Masked:
    """Host coefficients seen through the mask; all arrays float32, shape (coefficients,).

    Attributes
    ----------
    white : whitened, clipped coefficients, what the detector correlates
    scale : what they were divided by
    visible : change of a coefficient that is just acceptable at amplitude 1
    """

    white: Float
    scale: Float
    visible: Float


def masked(plane: Float) -> Masked:
    """Split a canonical frame and weigh its coefficients by local activity.

    An orthonormal coefficient of level l changes pixels by 2**-l of its value, so dividing by
    2**l makes the levels comparable: activity is in grey levels of the picture.
    """
    bands = frame.analyse(plane)
    white: list[Any] = []
    scale: list[Any] = []
    visible: list[Any] = []
    for level, band in zip(frame.LEVELS, bands, strict=True):
        size = (5, 5) if band.shape[1] >= 32 else (3, 3)
        mean: Any = cv2.blur(np.abs(band).mean(axis=0), size, borderType=cv2.BORDER_REFLECT)
        unit = np.float32(1 << level)
        # Box filters leave tiny negative values in float32: clamp, or a root makes them NaN.
        local = np.maximum(mean, 0) / unit
        divisor = (local + np.float32(_FLOOR)) * unit
        calm = np.maximum(_inner(cv2.erode(mean, np.ones((3, 3), np.uint8))), 0) / unit
        amplitude = (1 + calm / np.float32(_KNEE)) ** np.float32(_EXPONENT) * unit
        white.append(np.clip(band / divisor, -_CLIP, _CLIP))
        scale.append(np.broadcast_to(divisor, band.shape))
        visible.append(np.broadcast_to(amplitude, band.shape))
    return Masked(frame.flatten(white), frame.flatten(scale), frame.flatten(visible))


def _inner(activity: Float) -> Float:
    """Spread the activity of the inside over the rim.

    The wavelet transform wraps around, so opposite edges that differ look busy where nothing is.
    """
    inside = activity[_RIM:-_RIM, _RIM:-_RIM]
    spread: Float = cv2.copyMakeBorder(inside, _RIM, _RIM, _RIM, _RIM, cv2.BORDER_REPLICATE)
    return spread
