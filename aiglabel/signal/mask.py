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


@dataclass(frozen=True, eq=False)
class View:
    """A canonical frame seen through the mask.

    Attributes
    ----------
    bands : list of float32 arrays (3, n, n)
        Wavelet coefficients, as `frame.analyse` gives them.
    activity : list of float32 arrays (n, n)
        Local mean magnitude, in grey levels of the picture: an orthonormal coefficient of level l
        changes pixels by 2**-l of its value, so dividing by 2**l makes the levels comparable.
    """

    bands: list[Float]
    activity: list[Float]

    def white(self) -> Float:
        """Whitened, clipped coefficients, what the detector correlates; (coefficients,)."""
        parts = []
        for band, divisor in zip(self.bands, self._divisors(), strict=True):
            part = band / divisor
            parts.append(np.clip(part, -_CLIP, _CLIP, out=part))
        return frame.flatten(parts)

    def scale(self) -> Float:
        """What whitening divides by; (coefficients,)."""
        pairs = zip(self.bands, self._divisors(), strict=True)
        return frame.flatten([np.broadcast_to(divisor, band.shape) for band, divisor in pairs])

    def visible(self) -> Float:
        """Change of a coefficient that is just acceptable at amplitude 1; (coefficients,)."""
        parts = []
        for level, band, local in zip(frame.LEVELS, self.bands, self.activity, strict=True):
            # Calm places keep their calm, also beside an edge.
            calm = _inner(cv2.erode(local, np.ones((3, 3), np.uint8)))
            amplitude = (1 + calm / np.float32(_KNEE)) ** np.float32(_EXPONENT)
            parts.append(np.broadcast_to(amplitude * np.float32(1 << level), band.shape))
        return frame.flatten(parts)

    def _divisors(self) -> list[Float]:
        pairs = zip(frame.LEVELS, self.activity, strict=True)
        return [(local + np.float32(_FLOOR)) * np.float32(1 << level) for level, local in pairs]


def view(plane: Float) -> View:
    """Split a canonical frame (side, side) and measure its local activity."""
    bands = frame.analyse(plane)
    activity: list[Float] = []
    for level, band in zip(frame.LEVELS, bands, strict=True):
        size = (5, 5) if band.shape[1] >= 32 else (3, 3)
        magnitude = np.abs(band).sum(axis=0)
        mean: Any = cv2.blur(magnitude, size, borderType=cv2.BORDER_REFLECT)
        # Box filters leave tiny negative values in float32: clamp, or a root makes them NaN.
        activity.append(np.maximum(mean, 0, out=mean) / np.float32(len(band) << level))
    return View(bands, activity)


def _inner(activity: Any) -> Float:
    """Spread the activity of the inside over the rim.

    The wavelet transform wraps around, so opposite edges that differ look busy where nothing is.
    """
    inside = activity[_RIM:-_RIM, _RIM:-_RIM]
    spread: Float = cv2.copyMakeBorder(inside, _RIM, _RIM, _RIM, _RIM, cv2.BORDER_REPLICATE)
    return spread
