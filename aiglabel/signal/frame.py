"""Canonical frame: the fixed square in which the mark lives, whatever the picture's size.

The luma of a picture is resized to S×S, so a mere resize of the picture, also unequal in x and y,
leaves every coefficient in its place and needs no search; and the work does not grow with the
megapixels. S stays below the picture's shortest side, so the mark keeps to frequencies that survive
compression and shrinking. The frame is split by a wavelet transform; its detail
coefficients carry the mark.
"""

from __future__ import annotations

import math
from functools import cache
from typing import Any

import cv2
import numpy as np
import pywt
from numpy.typing import NDArray

Float = NDArray[np.float32]

LADDER = (64, 96, 128, 192, 256)
# Pixels of the picture's shortest side a frame sample stands for, at least.
_COARSENESS = 1.5
LEVELS = (1, 2)
WAVELET = "sym4"
# Detection also tries the frames of pictures that were larger (shrunk since) or smaller (enlarged).
_SHRUNK, _ENLARGED = 0.4, 16.0

POSES = (
    "upright", "mirrored", "flipped", "half turn",
    "quarter turn left", "quarter turn right", "transposed", "transversed",
)  # fmt: skip
"""The eight ways to lay a picture on its sides; the canonical frame is square, so all fit."""


def side_for(shape: tuple[int, ...]) -> int:
    """Return the frame side used when marking a picture of `shape` (H, W, …)."""
    shortest = min(shape[:2])
    return max((side for side in LADDER if _COARSENESS * side <= shortest), default=LADDER[0])


def sides_to_try(shape: tuple[int, ...]) -> list[int]:
    """Return the frame sides worth a look at detection, the likeliest first."""
    shortest = min(shape[:2])
    sides = [
        side
        for side in LADDER
        if side * _SHRUNK <= shortest and (side == LADDER[-1] or shortest <= side * _ENLARGED)
    ]
    likely = side_for(shape)
    return sorted(sides, key=lambda side: abs(np.log2(side / likely)))


def luma(rgb: NDArray[Any]) -> NDArray[Any]:
    """BT.601 luma of (H, W, 3) or (H, W[, 1]) uint8 or float32 pixels, shape (H, W)."""
    if rgb.ndim == 2:
        return rgb
    if rgb.shape[2] == 1:
        return rgb[..., 0]
    gray: NDArray[Any] = cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY)
    return gray


def reduced(plane: NDArray[Any]) -> NDArray[Any]:
    """Return a large plane at twice the largest frame, so that several frames cost one look at it.

    Area filters nest: the frames come out as from the plane itself.
    """
    side = 2 * LADDER[-1]
    return to_frame(plane, side) if min(plane.shape) > side else plane


def to_frame(plane: NDArray[Any], side: int) -> Float:
    """Resize an (H, W) plane to (side, side) float32, low-passed where it shrinks."""
    method = cv2.INTER_AREA if min(plane.shape) >= side else cv2.INTER_CUBIC
    frame: Float = cv2.resize(np.asarray(plane, np.float32), (side, side), interpolation=method)
    return frame


def posed(frame: Float, pose: str) -> Float:
    """Return the frame turned or mirrored as `pose` says."""
    turned: Any = {
        "upright": frame, "mirrored": frame[:, ::-1], "flipped": frame[::-1],
        "half turn": frame[::-1, ::-1], "quarter turn left": np.rot90(frame),
        "quarter turn right": np.rot90(frame, -1), "transposed": frame.T,
        "transversed": frame[::-1, ::-1].T,
    }[pose]  # fmt: skip
    return np.ascontiguousarray(turned)


def analyse(frame: Float) -> list[Float]:
    """Split a frame into detail bands: one (3, n, n) array a level, finest first."""
    split = pywt.wavedec2(frame, WAVELET, mode="periodization", level=LEVELS[-1])
    return [np.stack(split[-level]) for level in LEVELS]


def synthesise(bands: list[Float]) -> Float:
    """Return the (side, side) signal whose only content is `bands`; inverse of `analyse`."""
    coarse = np.zeros_like(bands[-1][0])
    split = [coarse, *(tuple(band) for band in reversed(bands))]
    signal: Float = pywt.waverec2(split, WAVELET, mode="periodization")
    return signal


@cache
def band_shapes(side: int) -> tuple[tuple[int, int, int], ...]:
    """Shapes of the arrays of `analyse`."""
    return tuple((3, side >> level, side >> level) for level in LEVELS)


def flatten(bands: list[Float]) -> Float:
    """Join the arrays of `analyse` into one vector, finest level first."""
    return np.concatenate([band.ravel() for band in bands])


def unflatten(vector: Float, side: int) -> list[Float]:
    """Inverse of `flatten`."""
    shapes = band_shapes(side)
    ends = np.cumsum([math.prod(shape) for shape in shapes])[:-1]
    parts = np.split(vector, ends)
    return [part.reshape(shape) for part, shape in zip(parts, shapes, strict=True)]
