"""Whether a known label stands where it stood: one correlation a frame.

A label stands still while the film moves behind it. So only its letters and the thin dark ring
around them are compared, at its place, in luma reduced until coding noise is averaged out.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import cv2
import numpy as np

from aiglabel.marks.overlay.grid import averaged
from aiglabel.marks.overlay.layout import Box, grow, outline_width
from aiglabel.marks.overlay.template import Gray, correlate, normalised
from aiglabel.marks.overlay.typeset import Mask
from aiglabel.media.video_coding import Frame, VideoCoding
from aiglabel.media.video_display import displayed_luma

LIKENESS = 0.6
"""Correlation from which on it is the label."""
LEAST_STEP = 0.2
"""Share of the range of luma by which its letters are lighter than the ring, at least."""

_LEAST_SIDE = 270  # px left on the shortest side: letters of 5 % are then 13.5 px high and more
_REACH = 2  # px, there, by which rounding may have moved it
_LETTER, _GROUND = 192, 32  # coverage, of 255, of what counts as letter and as ground


def reduced(frame: Frame, coding: VideoCoding) -> Gray:
    """Return the small luma, as displayed, in which a `Sighting` looks."""
    return displayed_luma(frame, coding, _LEAST_SIDE)


class Sight(NamedTuple):
    """How much a place looks like the label, and how much lighter than the ring its letters are.

    The first is a correlation, the second in shares of the range of luma.
    """

    likeness: float
    step: float


@dataclass(frozen=True, eq=False)
class Sighting:
    """A label at its place in reduced luma.

    Attributes
    ----------
    x, y : int
        Top left of the template.
    ink, mask, shape
        As in `template.Template`.
    """

    x: int
    y: int
    ink: Mask
    mask: Gray
    shape: Gray

    @classmethod
    def of(cls, box: Box, ink: Mask, ink_height: int, scale: tuple[float, float]) -> Sighting:
        """Reduce a label laid out in displayed px.

        Parameters
        ----------
        box : (x0, y0, x1, y1)
            Of the letters.
        ink : uint8 (y1 - y0, x1 - x0)
            Their coverage.
        ink_height : int
        scale : (float, float)
            Width and height of reduced luma over those of the displayed picture.
        """
        cells, cover = averaged(ink, box, (1 / scale[0], 1 / scale[1]))
        border = outline_width(ink_height * scale[1])
        small = np.pad(np.rint(cover).astype(np.uint8), border)
        mask = (grow(small, border) >= 128).astype(np.float32)
        return cls(cells[0] - border, cells[1] - border, small, mask, normalised(small, mask))

    def see(self, gray: Gray) -> Sight:
        """Look at the place in `gray`, the `reduced` luma of a frame."""
        high, wide = self.ink.shape
        edge = _REACH + max(0, -self.x, -self.y)  # the ring may reach out of the picture
        edge += max(0, self.x + wide - gray.shape[1], self.y + high - gray.shape[0])
        padded = cv2.copyMakeBorder(gray, edge, edge, edge, edge, cv2.BORDER_REPLICATE)
        x, y = self.x + edge, self.y + edge
        around = padded[y - _REACH : y + high + _REACH, x - _REACH : x + wide + _REACH]
        scores = correlate(around, self.shape, self.mask)
        row, column = divmod(int(scores.argmax()), scores.shape[1])
        found = around[row : row + high, column : column + wide]
        ground = (self.mask > 0) & (self.ink < _GROUND)
        light, dark = found[self.ink >= _LETTER], found[ground]
        step = float(light.mean() - dark.mean()) if light.size and dark.size else 0.0
        return Sight(float(scores[row, column]), step)
