"""What the rhythm label looks like through the reader's window: the tone's amplitude over time."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from aiglabel.marks.audible.rhythm import LENGTH, MARKS

Float = NDArray[np.float32]

QUIET = 5  # units of silence of the tone before and after the pattern
SPAN = LENGTH + 2 * QUIET
# Units of gap and silence, in units from the start of the pattern.
SILENT = (*range(-QUIET, 0), 1, 5, 6, 7, 9, *range(LENGTH, LENGTH + QUIET))
FINE = 12  # samples of the amplitude in a unit
SMOOTH = 0.7  # units: width of the window that shows it
REACH = 1  # units more on either side, for shifts and scales
COUNT = (SPAN + 2 * REACH) * FINE
_SCALES = np.linspace(0.952, 1.048, 9)
_SHIFTS = np.arange(-9, 10) / FINE


@dataclass(frozen=True, eq=False)
class Pattern:
    """The pattern as the window shows it, for every scale and shift.

    Attributes
    ----------
    templates : float32, shape (scales × shifts, frames)
        Of zero mean and unit norm over the pattern and its silence, zero elsewhere.
    masks : float32, same shape
        1 over the pattern and its silence.
    places : tuple of (float, float)
        Scale and shift (in units) of each template.
    on : bool, shape (frames,)
        Where the marks are in full, in the one that fits as it is.
    """

    templates: Float
    masks: Float
    places: tuple[tuple[float, float], ...]
    on: NDArray[np.bool_]

    def correlate(self, values: Float) -> Float:
        """Pearson's correlation with each template."""
        count = self.masks.sum(axis=1)
        mean = self.masks @ values / count
        spread = self.masks @ (values * values) - count * mean * mean
        found: Float = self.templates @ values / np.sqrt(np.maximum(spread, 1e-9))
        return found

    def correlate_but(self, index: int, values: Float, left_out: slice) -> float:
        """Pearson's correlation with one template without a stretch that programme may mask."""
        used = self.masks[index] > 0
        used[left_out] = False
        return float(np.corrcoef(self.templates[index][used], values[used])[0, 1])


@lru_cache(maxsize=1)
def pattern() -> Pattern:
    """Return the patterns that a place is compared with: 9 scales × 19 shifts."""
    time = (np.arange(COUNT) + 0.5) / FINE - QUIET - REACH
    templates, masks = [], []
    places = tuple((float(scale), float(shift)) for scale in _SCALES for shift in _SHIFTS)
    for scale, shift in places:
        place = (time - shift) / scale
        mask = (place > -QUIET) & (place < LENGTH + QUIET)
        one = _shown(place, SMOOTH / scale)
        one = np.where(mask, one - one[mask].mean(), 0)
        templates.append(one / np.linalg.norm(one))
        masks.append(mask)
    on = _shown(time, SMOOTH) > 0.95
    return Pattern(np.array(templates, np.float32), np.array(masks, np.float32), places, on)


def _shown(time: NDArray[np.float64], width: float) -> NDArray[np.float64]:
    """Marks smoothed by a Hann window `width` units wide, at `time` in units."""
    out = np.zeros(len(time))
    for first, units in MARKS:
        out += _hann_area((time - first) / width) - _hann_area((time - first - units) / width)
    return out


def _hann_area(x: NDArray[np.float64]) -> NDArray[np.float64]:
    """Integral of a Hann window of width 1 around 0."""
    x = np.clip(x, -0.5, 0.5)
    return x + 0.5 + np.sin(2 * np.pi * x) / (2 * np.pi)


def inner(first: int, units: int, scale: float, shift: float) -> slice:
    """Samples of a stretch of the pattern without a quarter of a unit at both ends."""
    begin = (QUIET + REACH + shift + (first + 0.25) * scale) * FINE
    end = (QUIET + REACH + shift + (first + units - 0.25) * scale) * FINE
    return slice(max(round(begin), 0), round(end))
