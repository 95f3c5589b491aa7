"""Blind search for the lattice of a periodic mark: scale, angle and shear, without any key.

A repeated tile correlates with itself at every lattice vector. So the autocorrelation of the
whitened picture (from its power spectrum, flattened so that the host's texture has no say) has
peaks on a lattice, and summing it over the lattice of a hypothesis tells how likely that is
(Kutter 1998; Deguillaume, Voloshynovskiy and Pun 2002). Some 10^5 hypotheses cost only gathers.

A lattice is a matrix (2, 2) that maps canonical coordinates (x, y) to those of the plane that is
searched, up to a translation and the eight poses of a square.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cache
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from aiglabel.signal.plane import Plane
from aiglabel.signal.tile import SIDE

Float = NDArray[np.float32]
Matrices = NDArray[np.floating[Any]]

SCALES = (0.55, 1.8)
"""Plane samples a canonical sample, searched on one plane.

Planes halve, so most scales are searched on two: the finer one sees more, the coarser one forgives
more bending.
"""

# Relative step of the grid of hypotheses: half a chip at the longest lag in use there.
_STEP = 0.0075
_UPRIGHT_STEP = 0.005
_ASPECT = 0.45
_NEAR, _FAR = 3.01, 8.01
# Hypotheses of each grid that are refined, and of all of them to the end.
_KEPT, _REFINED = (32, 16, 16), 24
_APART = 0.012
# Steps of the refinement, and how far from the centre lattice vectors are used at each.
_REFINEMENT = (
    (_NEAR, 0.006), (_NEAR, 0.003), (5.01, 0.003), (5.01, 0.0015), (_FAR, 0.0015), (_FAR, 0.0008),
)  # fmt: skip
# Larger, turned, stretched, sheared; and back.
_MOVES = np.array([[[1, 0], [0, 1]], [[0, -1], [1, 0]], [[1, 0], [0, -1]], [[0, 1], [1, 0]]], float)
MOVES: Matrices = np.concatenate([_MOVES, -_MOVES])
"""Small changes of a lattice, (8, 2, 2), to be scaled, applied to it and added."""
_STAY = np.concatenate([np.zeros((1, 2, 2)), MOVES])
_LEAST_OVERLAP = 0.15
_PEAKS, _NEAREST_PEAK = 48, 0.5 * SIDE


@dataclass(frozen=True, eq=False)
class Lags:
    """Autocorrelation of a plane, made ready to be summed; all (2 n + 1, 2 m + 1), lag 0 centred.

    Attributes
    ----------
    correlation : float32
        In standard deviations.
    weighted : float32
        The same times a weight: how much the plane and itself, moved by the lag, overlap.
    squares : float32
        Squared weights. They and `weighted` are 0 on the rim, which stands for all larger lags.
    """

    correlation: Float
    weighted: Float
    squares: Float

    @classmethod
    def of(cls, plane: Plane) -> Lags:
        """Weigh the autocorrelation of a plane."""
        correlation = plane.correlation
        across, along = (
            np.maximum(1 - np.abs(np.arange(side) - side // 2) / own, 0)
            for side, own in zip(correlation.shape[::-1], plane.white.shape[::-1], strict=True)
        )
        weights = np.outer(along, across).astype(np.float32)
        weights[weights < _LEAST_OVERLAP] = 0
        inside = np.zeros_like(weights)
        inside[1:-1, 1:-1] = weights[1:-1, 1:-1]
        return cls(correlation, correlation * inside, np.square(inside))

    def sums(self, right: Float, down: Float, *, smooth: bool) -> Float:
        """Weighted sum over lags (..., vectors), over the root of the sum of squared weights."""
        height, width = self.weighted.shape
        x = np.clip(right + np.float32(width // 2), 0, width - 1)
        y = np.clip(down + np.float32(height // 2), 0, height - 1)
        columns, rows = (np.rint(one).astype(np.int32) for one in (x, y))
        nearest = rows * width + columns
        norm = np.sqrt(self.squares.ravel().take(nearest).sum(axis=-1))
        if smooth:
            shape = x.shape
            values: Any = cv2.remap(
                self.weighted, x.reshape(len(x), -1), y.reshape(len(x), -1), cv2.INTER_LINEAR
            )
            values = values.reshape(shape)
        else:
            values = self.weighted.ravel().take(nearest)
        sums: Float = values.sum(axis=-1) / np.maximum(norm, np.float32(1e-3))
        return sums


@dataclass(frozen=True, eq=False)
class Guesses:
    """Every hypothesis about one plane and its score, grid by grid.

    Attributes
    ----------
    lags : Lags
    matrices : list of float32, shape (n, 2, 2)
    scores : list of float32, shape (n,)
        Weighted sum of the autocorrelation over the lattice in its own standard deviations.
    """

    lags: Lags
    matrices: list[Matrices]
    scores: list[Float]

    @classmethod
    def of(cls, plane: Plane) -> Guesses:
        """Score every grid by its nearest lattice vectors."""
        lags = Lags.of(plane)
        grids = [_turned(), _stretched(), _Grid.of(_from_peaks(lags.correlation))]
        scores = [lags.sums(grid.right, grid.down, smooth=False) for grid in grids]
        return cls(lags, [grid.matrices for grid in grids], scores)

    def likeliest(self, count: int) -> tuple[Matrices, Float]:
        """The best `count` hypotheses as they are, and their scores."""
        matrices, scores = np.concatenate(self.matrices), np.concatenate(self.scores)
        best = np.argpartition(-scores, min(count, len(scores) - 1))[:count]
        return matrices[best], scores[best]

    def refined(self) -> tuple[Matrices, Float]:
        """The best hypotheses, no two alike, moved to where more lattice vectors agree.

        The scores are 5 to 6 by chance, some tens for a mark that is strong enough to be seen here.
        """
        found = [
            _distinct(grid, scores, kept)
            for grid, scores, kept in zip(self.matrices, self.scores, _KEPT, strict=True)
        ]
        matrices: Any = np.concatenate(found)
        scores = np.zeros(len(matrices), np.float32)
        for reach, step in _REFINEMENT:
            if reach == _FAR and len(matrices) > _REFINED:
                matrices = matrices[np.argsort(-scores)[:_REFINED]]
            for _ in range(2):
                tried = matrices[:, None] + (_STAY * step) @ matrices[:, None]
                every = self.lags.sums(*_reached(tried, _vectors(reach)), smooth=True)
                best = every.argmax(axis=1)
                row = np.arange(len(tried))
                matrices, scores = tried[row, best], every[row, best]
        return matrices, scores


@cache
def upright() -> Matrices:
    """Every scale, neither turned nor stretched: what crops, pages and screenshots are."""
    scale = np.exp(_log_scales(_UPRIGHT_STEP))
    matrices: Matrices = (np.eye(2) * scale[:, None, None]).astype(np.float32)
    return matrices


def _distinct(grid: Matrices, scores: Float, kept: int) -> Matrices:
    """The best hypotheses of a grid, no two alike."""
    likely = np.argsort(-scores)[: 8 * kept]
    chosen: list[int] = []
    flat = grid[likely].reshape(-1, 4)
    alive = np.ones(len(likely), bool)
    for index in range(len(likely)):
        if alive[index] and len(chosen) < kept:
            chosen.append(int(likely[index]))
            alive &= np.abs(flat - flat[index]).max(axis=1) > _APART
    best: Matrices = grid[chosen]
    return best


@dataclass(frozen=True, eq=False)
class _Grid:
    """Hypotheses (n, 2, 2) and where they lay the nearest lattice vectors, (n, vectors)."""

    matrices: Matrices
    right: Float
    down: Float

    @classmethod
    def of(cls, matrices: Matrices) -> _Grid:
        return cls(matrices, *_reached(matrices, _vectors(_NEAR)))


def _reached(matrices: Matrices, vectors: Float) -> tuple[Float, Float]:
    """Where lattices (..., 2, 2) lay vectors (n, 2), x and y of (..., n)."""
    x, y = (
        (matrices[..., row, 0, None] * vectors[:, 0] + matrices[..., row, 1, None] * vectors[:, 1])
        for row in (0, 1)
    )
    return x.astype(np.float32), y.astype(np.float32)


@cache
def _vectors(reach: float) -> Float:
    """Lattice vectors (n, 2), canonical samples, in one half of a disc of `reach` tiles."""
    most = int(reach)
    y, x = np.mgrid[0 : most + 1, -most : most + 1]
    half = (np.hypot(x, y) <= reach) & ((y > 0) | (x > 0))
    return np.stack([x[half], y[half]], axis=1).astype(np.float32) * SIDE


def _log_scales(step: float) -> NDArray[np.float64]:
    return np.arange(math.log(SCALES[0]), math.log(SCALES[1]), step)


@cache
def _turned() -> _Grid:
    """Every scale and angle; a square lattice looks the same again after a quarter turn."""
    logs = _log_scales(_STEP)
    scale, angle = np.meshgrid(np.exp(logs), np.arange(0, math.pi / 2, _STEP), indexing="ij")
    along, across = (scale * np.cos(angle)).ravel(), (scale * np.sin(angle)).ravel()
    matrices = np.stack([along, -across, across, along], axis=1).reshape(-1, 2, 2)
    return _Grid.of(matrices.astype(np.float32))


@cache
def _stretched() -> _Grid:
    """Upright, with every scale in x and in y."""
    logs = _log_scales(_STEP)
    scale, aspect = np.meshgrid(logs, np.arange(-_ASPECT, _ASPECT, _STEP), indexing="ij")
    x, y = np.exp(scale + aspect / 2).ravel(), np.exp(scale - aspect / 2).ravel()
    zero = np.zeros_like(x)
    return _Grid.of(np.stack([x, zero, zero, y], axis=1).reshape(-1, 2, 2).astype(np.float32))


def _from_peaks(correlation: Float) -> Matrices:
    """Pairs of peaks that could be the two sides of a tile, sheared and stretched as they may be.

    The other grids know only turns and stretches: this one follows a view from the side.
    """
    height, width = correlation.shape
    reach = int(min(1.5 * SCALES[1] * SIDE, height // 2 - 1, width // 2 - 1))
    down, right = (slice(side // 2 - reach, side // 2 + reach + 1) for side in (height, width))
    window = correlation[down, right]
    top = cv2.dilate(window, np.ones((7, 7), np.uint8))
    rows, columns = np.nonzero((window == top) & (window > 2))
    x, y = columns - float(reach), rows - float(reach)
    keep = (np.hypot(x, y) >= _NEAREST_PEAK) & ((y > 0) | ((y == 0) & (x > 0)))
    strongest = np.argsort(-window[rows[keep], columns[keep]])[:_PEAKS]
    x, y = x[keep][strongest], y[keep][strongest]
    one, other = np.meshgrid(np.arange(len(x)), np.arange(len(x)), indexing="ij")
    pair = one < other
    one, other = one[pair], other[pair]
    longer = np.hypot(x, y)
    area = x[one] * y[other] - y[one] * x[other]
    skew = np.abs(area) / np.maximum(longer[one] * longer[other], 1)
    ratio = longer[one] / np.maximum(longer[other], 1)
    fits = (skew > 0.85) & (ratio > 0.6) & (ratio < 1.7)
    one, other = one[fits], other[fits]
    sides = np.stack([x[one], x[other], y[one], y[other]], axis=1) / SIDE
    return sides.reshape(-1, 2, 2).astype(np.float32)
