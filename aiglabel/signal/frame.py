"""Canonical frame: the sampling in which the mark is made, whatever the picture's size.

The luma is resized so that the root of its area is one of a few sides, keeping its proportions. So
the work does not grow with the megapixels, the mark keeps to frequencies that survive compression
and shrinking, and a picture that was merely resized needs no search.
"""

from __future__ import annotations

import math
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from aiglabel.signal.tile import SIDE

Float = NDArray[np.float32]

LADDER = (64, 96, 128, 192, 256, 384, 512, 640)
# Pixels of the picture that a sample of the frame stands for, at least: finer detail is what
# compression throws away first.
_COARSENESS = 1.3
# Samples on the longer side of the frame, at most, while that leaves pixels enough for one: sites
# shrink a long picture until its longer side fits.
_LONGEST = 1500
# Frames tried for a smooth picture, and the side under which none is: four tiles side by side.
_COARSER = 3
_COARSEST = 256
# Detection also tries the frames of pictures that were larger (shrunk since) or smaller (enlarged).
_SHRUNK, _ENLARGED = 0.3, 4.5


def sides_to_mark(shape: tuple[int, ...]) -> list[int]:
    """Return the frame sides for marking a picture of `shape` (H, W, …): the usual one first.

    The others, coarser, are for smooth pictures.
    """
    root = math.sqrt(shape[0] * shape[1])
    longer = max(shape[:2]) / root
    fitting = [
        side for side in LADDER if _COARSENESS * side <= root and side * longer <= _LONGEST
    ] or [LADDER[0]]
    # In a narrow strip a finer frame shows more of every tile.
    if min(shape_of(shape, fitting[-1])) < 0.75 * SIDE:
        fitting = [side for side in LADDER if side <= root] or [LADDER[0]]
    return [side for side in fitting[: -1 - _COARSER : -1] if side >= _COARSEST] or fitting[-1:]


def sides_to_try(shape: tuple[int, ...]) -> list[int]:
    """Return the frame sides worth a look at detection, the likeliest first."""
    root = math.sqrt(shape[0] * shape[1])
    sides = [
        side
        for side in LADDER
        if side * _SHRUNK <= root and (side >= _COARSEST or root <= side * _ENLARGED)
    ]
    likely = sides_to_mark(shape)[0]
    return sorted(sides, key=lambda side: abs(math.log(side / likely)))


def shape_of(shape: tuple[int, ...], side: int) -> tuple[int, int]:
    """Return the frame (h, w) of a picture of `shape` (H, W, …): the root of h · w is `side`."""
    scale = side / math.sqrt(shape[0] * shape[1])
    return max(1, round(shape[0] * scale)), max(1, round(shape[1] * scale))


def luma(rgb: NDArray[Any]) -> NDArray[Any]:
    """BT.601 luma of (H, W, 3) or (H, W[, 1]) uint8 or float32 pixels, shape (H, W)."""
    if rgb.ndim == 2:
        return rgb
    if rgb.shape[2] == 1:
        return rgb[..., 0]
    gray: NDArray[Any] = cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY)
    return gray


def reduced(plane: NDArray[Any], *, most: float = 4) -> NDArray[Any]:
    """Halve a large plane until it is less than `most` times the largest frame, at least half that.

    Whole pixels are averaged by twos, which is several times faster than any other shrinking, and
    several frames then cost one look at the picture. An odd last row or column is left out.
    """
    while math.sqrt(plane.size) >= most * LADDER[-1]:
        height, width = (length // 2 for length in plane.shape)
        plane = cv2.resize(
            plane[: 2 * height, : 2 * width], (width, height), interpolation=cv2.INTER_AREA
        )
    return plane


def to_frame(plane: NDArray[Any], side: int, zoom: float = 1.0) -> Float:
    """Resize an (H, W) plane to its frame, float32, low-passed where it shrinks.

    With a `zoom`, to that of a picture that shows all by so many times smaller, of fewer samples or
    more.
    """
    height, width = shape_of(plane.shape, side)
    across, down = width / plane.shape[1] / zoom, height / plane.shape[0] / zoom
    method = cv2.INTER_AREA if down <= 1 else cv2.INTER_CUBIC
    size = (width, height) if zoom == 1 else None
    frame: Any = cv2.resize(plane, size, fx=across, fy=down, interpolation=method)
    return np.asarray(frame, np.float32)
