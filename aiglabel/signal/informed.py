"""Informed embedding, in closed loop, on the canonical frame.

Informed: the host's own projection on each code bit is known, and each bit gets just the gain that
brings it to a common margin (water-filling; Malvar and Florencio 2003 for the idea). Closed loop:
the mark is attacked by a JPEG in memory, and its amplitude follows what is left of it.

None of this is part of the wire format: a detector does not know how strong a mark was made.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray

from aiglabel.signal import frame, mask
from aiglabel.signal.carrier import Carrier

Float = NDArray[np.float32]

# A code bit never gets less than this of its share, so that parts of the picture hold too, nor so
# much that its few coefficients show.
_MIN_GAIN, _MAX_GAIN = 0.3, 2.5
# Quality of the simulated JPEG. A picture much larger than the frame averages a harsh JPEG's errors
# away, which a mild one of the frame itself stands for.
_QUALITY_LARGE, _QUALITY_SMALL = 90, 60
_LARGE = 1.5  # times the frame
# Share of the statistic a simulated JPEG usually takes, for the first guess.
_USUAL_LOSS = 2.0
_STEPS = 4
# The statistic grows about linearly with the amplitude: steps within these need no second look.
_NEAR = (0.75, 1.3)


@dataclass(frozen=True)
class Strength:
    """How strongly to mark.

    Attributes
    ----------
    margin : float
        Statistic the mark shall keep after a simulated JPEG; the amplitude is chosen for it.
    faintest, strongest : float
        Bounds of that amplitude: change of a coefficient in a flat area, in grey levels of 255.
    """

    margin: float
    faintest: float
    strongest: float


STRENGTHS: Final = {
    "invisible": Strength(24.0, 0.2, 0.9),
    "balanced": Strength(32.0, 0.3, 1.3),
    "robust": Strength(48.0, 0.45, 1.8),
}


def residual(
    host: Float,
    opacity: Float | None,
    word: NDArray[np.int8],
    carrier: Carrier,
    strength: Strength,
    *,
    shortest: int,
) -> tuple[Float, float]:
    """Return what to add to a frame so that it carries a codeword.

    Parameters
    ----------
    host : float32, shape (side, side)
        Canonical frame, grey levels.
    opacity : float32 of the same shape, or None
        In [0, 1]; where the picture is transparent nothing is added.
    word : int8, shape (code bits,)
        Codeword, ±1.
    carrier : Carrier
    strength : Strength
    shortest : int
        Shortest side of the picture, in pixels.

    Returns
    -------
    residual : float32, shape (side, side)
    statistic : float
        What the mark is expected to keep after a simulated JPEG of the frame.
    """
    view = mask.view(host)
    visible = view.visible()
    if opacity is not None:
        visible *= _opacity_of_bands(opacity)
    white = view.white()
    own = carrier.fold(white) * word
    reach = np.maximum((visible / view.scale())[carrier.order].sum(axis=1), 1e-3)
    gains = _water_fill(own, reach)
    change = np.zeros_like(visible)
    change[carrier.order] = carrier.chips * (word * gains)[:, None] * visible[carrier.order]
    unit = frame.synthesise(frame.unflatten(change, len(host)))
    norm = carrier.norm(white)
    guess = (_USUAL_LOSS * strength.margin * norm - own.sum()) / float((reach * gains).sum())
    amplitude = min(max(float(guess), strength.faintest), strength.strongest)
    quality = _QUALITY_LARGE if shortest >= _LARGE * len(host) else _QUALITY_SMALL
    left = 0.0
    for _ in range(_STEPS):
        left = _statistic(_after_jpeg(host + amplitude * unit, quality), word, carrier)
        better = amplitude * strength.margin / max(left, 1.0)
        better = min(max(better, strength.faintest), strength.strongest)
        step, amplitude = better / amplitude, better
        left *= step
        if _NEAR[0] < step < _NEAR[1]:
            break
    return np.float32(amplitude) * unit, left


def _water_fill(own: Float, reach: Float) -> Float:
    """Gains of the code bits, mean square 1, that lift the weakest bits first."""
    low, high = float(own.min()), float((own + _MAX_GAIN * reach).max())
    gains = np.ones_like(reach)
    for _ in range(16):
        level = (low + high) / 2
        gains = np.clip((level - own) / reach, _MIN_GAIN, _MAX_GAIN)
        if float(gains @ gains) > len(gains):
            high = level
        else:
            low = level
    return gains


def _statistic(plane: Float, word: NDArray[np.int8], carrier: Carrier) -> float:
    white = mask.view(plane).white()
    return float(carrier.fold(white) @ word) / carrier.norm(white)


def _after_jpeg(plane: Float, quality: int) -> Float:
    pixels = np.clip(np.rint(plane), 0, 255).astype(np.uint8)
    _, data = cv2.imencode(".jpg", pixels, [cv2.IMWRITE_JPEG_QUALITY, quality])
    attacked: Any = cv2.imdecode(data, cv2.IMREAD_GRAYSCALE)
    return np.asarray(attacked, np.float32)


def _opacity_of_bands(opacity: Float) -> Float:
    """Opacity at the place of each coefficient, in the order of `frame.flatten`."""
    shapes = frame.band_shapes(len(opacity))
    bands = [
        np.broadcast_to(cv2.resize(opacity, shape[:0:-1], interpolation=cv2.INTER_AREA), shape)
        for shape in shapes
    ]
    return frame.flatten(bands)
