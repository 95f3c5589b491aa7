"""A mask laid out in displayed pixels, brought to the samples that show it.

Samples of a film are other than displayed pixels: turned, narrower, and coarser in chroma. Each
takes the mean of what it covers, so letters keep their place to a fraction of a sample.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from aiglabel.marks.overlay.layout import Box
from aiglabel.marks.overlay.template import Gray

Cover = NDArray[Any]  # float or uint8


def averaged(mask: Cover, box: Box, pitch: tuple[float, float]) -> tuple[Box, Gray]:
    """Return the samples that a mask touches, and what share of each it covers.

    Parameters
    ----------
    mask : (h, w)
        Over `box`; nothing outside.
    box : (x0, y0, x1, y1)
        In px.
    pitch : (float, float)
        Width and height of a sample, in px; the first begins at 0.

    Returns
    -------
    (x0, y0, x1, y1)
        In samples.
    float32 (y1 - y0, x1 - x0)
    """
    x0, x1, wide = _along(mask.T, box[0], pitch[0])
    y0, y1, high = _along(wide.T, box[1], pitch[1])
    return (x0, y0, x1, y1), np.ascontiguousarray(high, np.float32)


def _along(mask: Cover, start: int, pitch: float) -> tuple[int, int, NDArray[np.float64]]:
    """Average along the first axis: differences of the integral at the edges of the samples."""
    length = len(mask)
    first, last = math.floor(start / pitch), math.ceil((start + length) / pitch)
    edges = np.clip(np.arange(first, last + 1) * pitch - start, 0, length)
    whole = np.minimum(edges.astype(int), length - 1)
    integral = np.cumsum(mask, axis=0, dtype=np.float64) - mask
    at = integral[whole] + (edges - whole)[:, None] * mask[whole]
    return first, last, np.diff(at, axis=0) / pitch


def turned_back(mask: Cover, box: Box, size: tuple[int, int], turns: int) -> tuple[Cover, Box]:
    """Undo so many quarter turns clockwise of a mask over `box` in a picture of `size`."""
    width, height = size
    for _ in range(turns):
        x0, y0, x1, y1 = box
        box = (y0, width - x1, y1, width - x0)
        width, height = height, width
    return np.rot90(mask, turns), box
