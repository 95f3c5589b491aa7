"""Windows of a plane, each laid by a lattice of its own: what is seen from the side.

A view from the side stretches one end of the picture and squeezes the other. No single lattice fits
the whole, but one fits a window of it well enough. It is proposed without any key, by the
autocorrelation of the window (see `lattice`): where the picture is laid almost right already, from
among all lattices near the identity, sheared ones too; elsewhere from among those that stand out.
"""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from typing import Any

import cv2
import numpy as np

from aiglabel.signal import lattice
from aiglabel.signal.lattice import Guesses, Lags, Matrices
from aiglabel.signal.plane import White
from aiglabel.signal.tile import SIDE

Window = tuple[slice, slice]

# Least side of a window, samples: fewer tiles are not alike.
_LEAST = 2 * SIDE
# How far the elements of a lattice are from those of the identity, and in which steps.
_FARTHEST, _STEP = 0.064, 0.016
# Blur of the autocorrelation, samples, that makes up for those steps; and how far from the centre
# lattice vectors are used at first.
_BLUR, _NEAR = 0.8, 2.3
# Lattices that are refined, those that are kept, and how much they differ; and the score from which
# one stands out.
_REFINED, _KEPT, _APART = 24, 6, 0.006
_OUT = 6.0
_REFINEMENT = ((2.3, 0.008), (3.01, 0.004), (3.01, 0.002), (5.01, 0.002))


def windows(shape: tuple[int, ...]) -> list[Window]:
    """Windows half as high and half as wide as a plane of `shape`; they overlap by half.

    None is smaller than two tiles, unless the plane is; a plane smaller than one has none.
    """
    if min(shape[:2]) < SIDE:
        return []
    rows, columns = (_cuts(length) for length in shape[:2])
    return [(row, column) for row in rows for column in columns]


def near(white: White) -> Matrices:
    """The likeliest lattices (n, 2, 2) of a window near the identity, the best first."""
    lags = Lags.of(white)
    blurred = cv2.GaussianBlur(lags.weighted, (0, 0), _BLUR)
    grid = _all_near()
    scores = replace(lags, weighted=np.asarray(blurred, np.float32)).scores(grid)
    best = np.argpartition(-scores, _REFINED)[:_REFINED]
    matrices, scores = lags.refined(grid.matrices[best], _REFINEMENT)
    return lattice.distinct(matrices, scores, _KEPT, apart=_APART)


def standing_out(white: White) -> Matrices:
    """The lattices (n, 2, 2) of a window that stand out, wherever they are, the best first."""
    guesses = Guesses.of(white)
    matrices, scores = guesses.likeliest(4 * _REFINED)
    some = lattice.distinct(matrices, scores, _REFINED)
    matrices, scores = guesses.lags.refined(some, _REFINEMENT)
    out = scores >= _OUT
    return lattice.distinct(matrices[out], scores[out], _KEPT, apart=_APART)


def _cuts(length: int) -> list[slice]:
    """Pieces of a side."""
    size = max(-(-length // 2), min(length, _LEAST))
    count = max(1, -(-2 * length // size) - 1)
    starts = np.linspace(0, length - size, count).round().astype(int)
    return [slice(int(start), int(start) + size) for start in starts]


@cache
def _all_near() -> lattice.Grid:
    """Every lattice near the identity."""
    steps = np.arange(-_FARTHEST, _FARTHEST + _STEP / 2, _STEP)
    changes: Any = np.stack(np.meshgrid(*[steps] * 4, indexing="ij"), axis=-1)
    return lattice.Grid.of((np.eye(2) + changes.reshape(-1, 2, 2)).astype(np.float32), _NEAR)
