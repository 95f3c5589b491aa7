"""Perceptual mask: how much a change shows, place by place."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from aiglabel.signal.whitening import FLOOR, blurred

Float = NDArray[np.float32]

_CALM = np.ones((5, 5), np.uint8)
# Grey levels from black and from white within which the mark fades out.
_FADE = 12.0


def visible(variance: Float, host: Float, *, extremes: float = 0.0, masking: float = 0.5) -> Float:
    """Return how strong a change may be at each sample, 1 on flat mid-grey; (h, w).

    A power of one plus the local activity in grey levels.

    Parameters
    ----------
    variance : float32, shape (h, w)
        Local variance of the host, with its floor; see `whitening.details`.
    host : float32, shape (h, w)
        Grey levels 0 to 255.
    extremes : float
        What is allowed of that on pure black and white, 0 to 1: their own change is cut in half,
        and shows.
    masking : float
        The power: 0 for the same change everywhere.
    """
    activity = np.sqrt(np.maximum(variance - np.float32(FLOOR), 0))
    # Calm places keep their calm, also beside an edge.
    calm = blurred(np.asarray(cv2.erode(activity, _CALM)), _CALM.shape)
    calm += 1
    mask: Float = cv2.pow(calm, masking) if masking != 0.5 else np.sqrt(calm, out=calm)
    room = np.minimum(host, np.float32(255) - host)
    room *= np.float32(1 / _FADE)
    np.clip(room, extremes, 1, out=room)
    mask *= room
    return mask
