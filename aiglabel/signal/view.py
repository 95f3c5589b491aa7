"""Ways of looking at a picture: as it is, laid by a lattice, a window of it, bent straight."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from aiglabel.signal import frame, sync, tile, whitening
from aiglabel.signal.budget import Budget
from aiglabel.signal.lattice import Guesses, Matrices
from aiglabel.signal.plane import Plane, octaves
from aiglabel.signal.sync import Laid, Peak
from aiglabel.signal.tile import Spectrum
from aiglabel.signal.windows import Window

Float = NDArray[np.float32]

AS_IT_IS, SEARCHED, POLISHED, REGISTERED = "as it is", "searched", "polished", "registered"
"""Steps in which something is found."""

# Root of the area, in samples, of the largest plane that is searched.
_LARGEST = 768


@dataclass(frozen=True, eq=False)
class View:
    """One way of looking at the picture.

    Attributes
    ----------
    laid : Laid
    spectrum : complex64
        Of the folded tile, flattened; of all that was laid or of a window of it.
    scale : float
        Samples of the plane a pixel of the picture.
    step : str
    plane : Plane or None
        What was laid, where that is not the frame itself.
    """

    laid: Laid
    spectrum: Spectrum
    scale: float
    step: str
    plane: Plane | None = None

    @classmethod
    def of(cls, laid: Laid, scale: float, step: str, plane: Plane | None = None) -> View:
        """Fold what was laid."""
        return cls(laid, laid.spectrum(), scale, step, plane)

    def only(self, window: Window) -> View:
        """The same by a window of what was laid: the rest may be something else, or lie askew."""
        folded = tile.fold(self.laid.white[window], window[0].start, window[1].start)
        return replace(self, spectrum=whitening.flattened(folded))


@dataclass(frozen=True, eq=False)
class Picture:
    """The picture that is searched, and what is made of it once for all keys.

    Attributes
    ----------
    luma : uint8 or float32, shape (H, W)
    budget : Budget
    """

    luma: NDArray[Any]
    budget: Budget
    _framed: dict[int, Plane] = field(default_factory=dict)
    _wholes: dict[int, View] = field(default_factory=dict)

    @cached_property
    def planes(self) -> list[Plane]:
        """The planes in which lattices are searched, the finest first."""
        return octaves(self.luma, _LARGEST, self.budget.octaves)

    @cached_property
    def guesses(self) -> list[Guesses]:
        """Every hypothesis about every plane."""
        return [Guesses.of(plane) for plane in self.planes]

    def framed(self, side: int) -> Plane:
        """The picture in the frame of a side."""
        if side not in self._framed:
            luma = frame.to_frame(self.luma, side)
            self._framed[side] = Plane(whitening.whitened(luma), luma)
        return self._framed[side]

    def whole(self, side: int) -> View:
        """The picture as it is, in the frame of a side."""
        if side not in self._wholes:
            laid = Laid(self.framed(side).white, np.eye(2), np.zeros(2))
            self._wholes[side] = View.of(laid, side / math.sqrt(self.luma.size), AS_IT_IS)
        return self._wholes[side]

    def laid(self, plane: Plane, matrix: Matrices, step: str) -> View:
        """A plane of it laid by a lattice."""
        laid = sync.lay(plane.luma, matrix)
        return View.of(laid, math.sqrt(plane.luma.size / self.luma.size), step, plane)


@dataclass(frozen=True, eq=False)
class Sighting:
    """What one key shows in one view."""

    view: View
    peak: Peak
    values: Float
    pilots: float
