"""Shapes of text to compare a picture with, and the comparison."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray

from aiglabel.marks.overlay.layout import Box, Pixels, Space, grow, outline_width
from aiglabel.marks.overlay.typeset import Mask, em_for, typeset

Gray = NDArray[np.float32]

REFERENCE_EM = 64.0  # templates are reduced from letters of this size, in px


@dataclass(frozen=True, eq=False)
class Template:
    """Letters to compare with.

    `ink` and `mask` (the letters and the ring around them) are (h, w) with a border of `border` px
    around the ink; `shape` is the ink with zero mean and unit norm over the mask, zero outside.
    """

    ink: Mask
    mask: Gray
    shape: Gray
    border: int
    letters: tuple[Box, ...]


@lru_cache(maxsize=1024)
def render(
    lines: tuple[str, ...], text: str, font: str | None, align: float, em: float
) -> Template:
    """Return the template of `lines` at `em` px; `text` is the whole of them."""
    block = typeset(lines, REFERENCE_EM, font, align)
    scale = em / REFERENCE_EM
    size = (max(1, round(block.ink.shape[1] * scale)), max(1, round(block.ink.shape[0] * scale)))
    border = outline_width(em / em_for(text, 1, font))
    way = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    ink = np.pad(np.asarray(cv2.resize(block.ink, size, interpolation=way), np.uint8), border)
    mask = (grow(ink, border) >= 128).astype(np.float32)
    letters = tuple(
        (int(a * scale), int(b * scale), math.ceil(c * scale), math.ceil(d * scale))
        for a, b, c, d in block.letters
    )
    return Template(ink, mask, normalised(ink, mask), border, letters)


def normalised(ink: Mask, mask: Gray) -> Gray:
    """Zero mean and unit norm over the mask, zero outside."""
    level = ink.astype(np.float32)
    level = (level - float((level * mask).sum() / max(mask.sum(), 1))) * mask
    return np.asarray(level / max(float(np.linalg.norm(level)), 1e-6), np.float32)


def correlate(gray: Gray, shape: Gray, mask: Gray) -> Gray:
    """Pearson correlation over the mask, at every shift that lies inside `gray`."""
    product = cv2.matchTemplate(gray, shape, cv2.TM_CCORR)
    first = cv2.matchTemplate(gray, mask, cv2.TM_CCORR)
    second = cv2.matchTemplate(gray * gray, mask, cv2.TM_CCORR)
    count = float(mask.sum())
    # Flat ground, with less than 1 % of deviation, correlates with nothing.
    spread = np.maximum(second - first * first / count, 1e-4 * count)
    return np.asarray(product / np.sqrt(spread), np.float32)


def gray_levels(frame: Pixels, alpha: Pixels | None, space: Space, size: tuple[int, int]) -> Gray:
    """Gray levels in [0, 1] of a frame reduced to `size`; transparent ground is middle gray."""
    if space == "cmyk":
        gray = levels(frame, size)
        gray = ((1 - gray[..., :3]) * (1 - gray[..., 3:])).mean(axis=2)
    else:
        three = frame.ndim == 3 and frame.shape[2] == 3
        gray = levels(cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY) if three else frame, size)[..., 0]
    if alpha is not None:
        gray = 0.5 + (gray - 0.5) * levels(alpha, size)[..., 0]
    return np.ascontiguousarray(gray, np.float32)


def levels(pixels: Pixels, size: tuple[int, int]) -> Gray:
    """Area averages in [0, 1], (height, width, C)."""
    full = np.iinfo(pixels.dtype).max
    # Halving has a fast path; dropping an odd last row or column is below what is measured here.
    while min(pixels.shape[0] / size[1], pixels.shape[1] / size[0]) >= 8:
        even = pixels[: pixels.shape[0] // 2 * 2, : pixels.shape[1] // 2 * 2]
        pixels = cv2.resize(even, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)
    if size != (pixels.shape[1], pixels.shape[0]):
        pixels = cv2.resize(pixels, size, interpolation=cv2.INTER_AREA)
    return (pixels.reshape(size[1], size[0], -1) / np.float32(full)).astype(np.float32)
