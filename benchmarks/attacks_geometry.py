"""Attacks that move pixels. Arrays in, arrays out: uint8 (H, W, 3) RGB.

What is drawn at random comes from the generator that is passed in. After StirMark (Petitcolas,
Anderson and Kuhn 1998) and WAVES (An et al. 2024).
"""

from __future__ import annotations

import math
from typing import Any, Final

import cv2
import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from benchmarks.pictures import Rgb

BLACK: Final = (0, 0, 0)
WHITE: Final = (255, 255, 255)


def resized(rgb: Rgb, x: float, y: float | None = None) -> Rgb:
    """Scale the width by `x` and the height by `y`, by default alike."""
    return fitted(rgb, round(rgb.shape[1] * x), round(rgb.shape[0] * (x if y is None else y)))


def fitted(rgb: Rgb, width: int, height: int) -> Rgb:
    """Scale to a size: area average where that is smaller, bicubic where it is larger."""
    smaller = width * height < rgb.shape[0] * rgb.shape[1]
    way = cv2.INTER_AREA if smaller else cv2.INTER_CUBIC
    return np.asarray(cv2.resize(rgb, (max(1, width), max(1, height)), interpolation=way), np.uint8)


def at_most(rgb: Rgb, side: int) -> Rgb:
    """Scale down so that the long side is no longer than `side`, as sites do."""
    longest = max(rgb.shape[:2])
    return rgb if longest <= side else resized(rgb, side / longest)


def there_and_back(rgb: Rgb, scale: float) -> Rgb:
    """Scale down and up to the old size."""
    return fitted(resized(rgb, scale), rgb.shape[1], rgb.shape[0])


def mirrored(rgb: Rgb) -> Rgb:
    """Swap left and right."""
    return np.ascontiguousarray(rgb[:, ::-1])


def flipped(rgb: Rgb) -> Rgb:
    """Swap top and bottom."""
    return np.ascontiguousarray(rgb[::-1])


def turned(rgb: Rgb, quarters: int) -> Rgb:
    """Turn by quarters, anticlockwise."""
    return np.ascontiguousarray(np.rot90(rgb, quarters))


def cropped(rgb: Rgb, rng: Generator, area: float) -> Rgb:
    """Keep a share of the area, of the same proportions, from anywhere."""
    height, width = (max(1, round(length * math.sqrt(area))) for length in rgb.shape[:2])
    top = int(rng.integers(rgb.shape[0] - height + 1))
    left = int(rng.integers(rgb.shape[1] - width + 1))
    return np.ascontiguousarray(rgb[top : top + height, left : left + width])


def cropped_and_enlarged(rgb: Rgb, rng: Generator, area: float) -> Rgb:
    """Keep a share of the area and scale it to the size of the whole."""
    return fitted(cropped(rgb, rng, area), rgb.shape[1], rgb.shape[0])


def first_lines_lost(rgb: Rgb) -> Rgb:
    """Cut off the top row and the left column."""
    return np.ascontiguousarray(rgb[1:, 1:])


def rotated(rgb: Rgb, degrees: float) -> Rgb:
    """Rotate about the centre on the same canvas: black corners, the picture's own cut off."""
    height, width = rgb.shape[:2]
    turn = cv2.getRotationMatrix2D(((width - 1) / 2, (height - 1) / 2), degrees, 1)
    return _affine(rgb, turn, width, height)


def rotated_inside(rgb: Rgb, degrees: float) -> Rgb:
    """Rotate about the centre and keep the largest upright rectangle without black."""
    height, width = rgb.shape[:2]
    wide, high = _inner(width, height, math.radians(degrees))
    turn = cv2.getRotationMatrix2D(((width - 1) / 2, (height - 1) / 2), degrees, 1)
    turn[:, 2] += (wide - width) / 2, (high - height) / 2
    return _affine(rgb, turn, wide, high)


def _inner(width: int, height: int, angle: float) -> tuple[int, int]:
    sine, cosine = abs(math.sin(angle)), abs(math.cos(angle))
    short = min(width, height)
    if short <= 2 * sine * cosine * max(width, height) or math.isclose(sine, cosine):
        # Two corners touch the long sides, the other two lie on the middle line.
        along, across = short / 2 / sine, short / 2 / cosine
        wide, high = (along, across) if width >= height else (across, along)
    else:
        both = cosine**2 - sine**2
        wide = (width * cosine - height * sine) / both
        high = (height * cosine - width * sine) / both
    return max(1, int(wide)), max(1, int(high))


def sheared(rgb: Rgb, share: float) -> Rgb:
    """Shift every row by a share of its height above the bottom; black where nothing is left."""
    height, width = rgb.shape[:2]
    shear = np.array([[1, share, -share * height / 2], [0, 1, 0]])
    return _affine(rgb, shear, width, height)


def _affine(rgb: Rgb, matrix: NDArray[Any], width: int, height: int) -> Rgb:
    size = (width, height)
    return np.asarray(cv2.warpAffine(rgb, matrix, size, flags=cv2.INTER_CUBIC), np.uint8)


def in_perspective(rgb: Rgb, rng: Generator, share: float) -> Rgb:
    """Move every corner by up to a share of the sides, in or out; black where nothing is left."""
    height, width = rgb.shape[:2]
    corners = np.array([(0, 0), (width, 0), (width, height), (0, height)], np.float32)
    moved = corners + rng.uniform(-share, share, (4, 2)) * (width, height)
    matrix = cv2.getPerspectiveTransform(corners, moved.astype(np.float32))
    flat = cv2.warpPerspective(rgb, matrix, (width, height), flags=cv2.INTER_CUBIC)
    return np.asarray(flat, np.uint8)


def bent(rgb: Rgb, rng: Generator, pixels: float) -> Rgb:
    """Displace by up to so many pixels along waves that come two to three times a side."""
    height, width = rgb.shape[:2]
    y, x = np.mgrid[:height, :width].astype(np.float32)
    sources = []
    for position in (x, y):
        periods, direction, phase = rng.uniform(2, 3), *rng.uniform(0, 2 * math.pi, 2)
        waves = x * (math.cos(direction) / width) + y * (math.sin(direction) / height)
        sources.append(position + pixels * np.sin(2 * math.pi * periods * waves + phase))
    way = {"interpolation": cv2.INTER_CUBIC, "borderMode": cv2.BORDER_REFLECT_101}
    one, other = (source.astype(np.float32) for source in sources)
    return np.asarray(cv2.remap(rgb, one, other, **way), np.uint8)


def lines_lost(rgb: Rgb, rng: Generator, one_in: int) -> Rgb:
    """Drop one row and one column out of so many, here and there."""
    for axis in (0, 1):
        length = rgb.shape[axis]
        rgb = np.delete(rgb, rng.choice(length, length // one_in, replace=False), axis)
    return np.ascontiguousarray(rgb)


def framed(rgb: Rgb, high: float, wide: float, colour: tuple[int, int, int] = BLACK) -> Rgb:
    """Add bars: above and below `high` of the height, left and right `wide` of the width."""
    y, x = round(rgb.shape[0] * high), round(rgb.shape[1] * wide)
    bars = cv2.copyMakeBorder(rgb, y, y, x, x, cv2.BORDER_CONSTANT, value=colour)
    return np.asarray(bars, np.uint8)
