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
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from aiglabel.signal.plane import White
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
        The same times `_weights`.
    own : (h, w)
        Shape of the plane.
    """

    correlation: Float
    weighted: Float
    own: tuple[int, int]

    @classmethod
    def of(cls, plane: White) -> Lags:
        """Weigh the autocorrelation of a plane."""
        height, width = plane.white.shape
        correlation = plane.correlation
        return cls(
            correlation, correlation * _weights(correlation.shape, (height, width)), (height, width)
        )

    def scores(self, grid: Grid) -> Float:
        """Weighted sum over the lags nearest to the lattice vectors of each hypothesis of a grid.

        In its own standard deviations: over the root of the sum of squared weights.
        """
        nearest, norm = _nearest(grid, self.weighted.shape, self.own)
        scores: Float = self.weighted.ravel().take(nearest).sum(axis=0) / norm
        return scores

    def sums(self, right: Float, down: Float) -> Float:
        """The same over lags (vectors, ...), interpolated."""
        if not right.size:  # OpenCV refuses to look up nothing
            return np.zeros(right.shape[1:], np.float32)
        height, width = self.weighted.shape
        weights = _weights((height, width), self.own).ravel()
        weights = weights.take(_places(right, down, (height, width)))
        x, y = (
            np.clip(lag + np.float32(length // 2), 0, length - 1).reshape(len(lag), -1)
            for lag, length in ((right, width), (down, height))
        )
        values: Any = cv2.remap(self.weighted, x, y, cv2.INTER_LINEAR)
        # What is rounded to the rim lies beyond it, though some of its neighbours do not.
        values = np.where(weights > 0, values.reshape(weights.shape), 0)
        sums: Float = values.sum(axis=0) / _norm(weights)
        return sums

    def refined(
        self, matrices: Matrices, steps: Sequence[tuple[float, float]]
    ) -> tuple[Matrices, Float]:
        """Move lattices (n, 2, 2) to where more lattice vectors agree; and their scores.

        `steps` are how far from the centre vectors are used, in tiles, and how far a lattice moves.
        Only the best are moved to the end.
        """
        scores = np.zeros(len(matrices), np.float32)
        for reach, step in steps:
            if reach == _FAR and len(matrices) > _REFINED:
                matrices = matrices[np.argsort(-scores)[:_REFINED]]
            for _ in range(2):
                tried = matrices[:, None] + (_STAY * step) @ matrices[:, None]
                every = self.sums(*reached(tried, vectors(reach)))
                best = every.argmax(axis=1)
                row = np.arange(len(tried))
                matrices, scores = tried[row, best], every[row, best]
        return matrices, scores


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
    def of(cls, plane: White) -> Guesses:
        """Score every grid by its nearest lattice vectors."""
        lags = Lags.of(plane)
        grids, pairs = (_turned(), _stretched()), _from_peaks(lags.correlation)
        scores = [lags.scores(grid) for grid in grids]
        scores.append(lags.sums(*reached(pairs, vectors(_NEAR))))
        return cls(lags, [*(grid.matrices for grid in grids), pairs], scores)

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
            distinct(grid, scores, kept)
            for grid, scores, kept in zip(self.matrices, self.scores, _KEPT, strict=True)
        ]
        return self.lags.refined(np.concatenate(found), _REFINEMENT)


@lru_cache(maxsize=8)
def _weights(shape: tuple[int, int], own: tuple[int, int]) -> Float:
    """How much a plane of shape `own` and itself, moved by a lag, overlap, for lags of `shape`.

    0 where that is little, and on the rim, which stands for all larger lags.
    """
    along, across = (
        np.maximum(1 - np.abs(np.arange(lags) - lags // 2) / length, 0)
        for lags, length in zip(shape, own, strict=True)
    )
    weights: Float = np.outer(along, across).astype(np.float32)
    weights[weights < _LEAST_OVERLAP] = 0
    weights[[0, -1]] = 0
    weights[:, [0, -1]] = 0
    weights.setflags(write=False)
    return weights


@lru_cache(maxsize=8)
def _nearest(
    grid: Grid, shape: tuple[int, int], own: tuple[int, int]
) -> tuple[NDArray[np.int32], Float]:
    """Where in lags of `shape` the vectors of a grid lie, (vectors, n), and the norms (n,).

    Planes of one shape, such as the windows of a picture, share them.
    """
    places = _places(grid.right, grid.down, shape)
    norm = _norm(_weights(shape, own).ravel().take(places))
    places.setflags(write=False)
    norm.setflags(write=False)
    return places, norm


def _places(right: NDArray[Any], down: NDArray[Any], shape: tuple[int, int]) -> NDArray[np.int32]:
    """Flat indices of lags, rounded; what is too far is on the rim."""
    columns, rows = (
        np.clip(np.rint(lag).astype(np.int32, copy=False) + length // 2, 0, length - 1)
        for lag, length in ((right, shape[1]), (down, shape[0]))
    )
    rows *= shape[1]
    rows += columns
    return np.asarray(rows, np.int32)


def _norm(weights: Float) -> Float:
    norm: Float = np.linalg.norm(weights, axis=0)
    return np.maximum(norm, np.float32(1e-3), out=norm)


@cache
def upright() -> Matrices:
    """Every scale, neither turned nor stretched: what crops, pages and screenshots are."""
    scale = np.exp(_log_scales(_UPRIGHT_STEP))
    matrices: Matrices = (np.eye(2) * scale[:, None, None]).astype(np.float32)
    return matrices


def distinct(grid: Matrices, scores: Float, kept: int, *, apart: float = _APART) -> Matrices:
    """The best hypotheses of a grid, no two alike."""
    likely = np.argsort(-scores)[: 8 * kept]
    chosen: list[int] = []
    flat = grid[likely].reshape(-1, 4)
    alive = np.ones(len(likely), bool)
    for index in range(len(likely)):
        if alive[index] and len(chosen) < kept:
            chosen.append(int(likely[index]))
            alive &= np.abs(flat - flat[index]).max(axis=1) > apart
    best: Matrices = grid[chosen]
    return best


@dataclass(frozen=True, eq=False)
class Grid:
    """Hypotheses (n, 2, 2) and the lags (vectors, n) nearest to their first lattice vectors."""

    matrices: Matrices
    right: NDArray[np.int32]
    down: NDArray[np.int32]

    @classmethod
    def of(cls, matrices: Matrices, reach: float = _NEAR) -> Grid:
        """Take the vectors within `reach` tiles."""
        x, y = (np.rint(one).astype(np.int32) for one in reached(matrices, vectors(reach)))
        return cls(matrices, x, y)


def reached(matrices: Matrices, vectors: Float) -> tuple[Float, Float]:
    """Where lattices (..., 2, 2) lay vectors (n, 2), x and y of (n, ...)."""
    every = matrices.astype(np.float32, copy=False)
    x, y = (
        np.multiply.outer(vectors[:, 0], every[..., row, 0])
        + np.multiply.outer(vectors[:, 1], every[..., row, 1])
        for row in (0, 1)
    )
    return x, y


@cache
def vectors(reach: float) -> Float:
    """Lattice vectors (n, 2), canonical samples, in one half of a disc of `reach` tiles."""
    most = int(reach)
    y, x = np.mgrid[0 : most + 1, -most : most + 1]
    half = (np.hypot(x, y) <= reach) & ((y > 0) | (x > 0))
    return np.stack([x[half], y[half]], axis=1).astype(np.float32) * SIDE


def _log_scales(step: float) -> NDArray[np.float64]:
    return np.arange(math.log(SCALES[0]), math.log(SCALES[1]), step)


@cache
def _turned() -> Grid:
    """Every scale and angle; a square lattice looks the same again after a quarter turn."""
    logs = _log_scales(_STEP)
    scale, angle = np.meshgrid(np.exp(logs), np.arange(0, math.pi / 2, _STEP), indexing="ij")
    along, across = (scale * np.cos(angle)).ravel(), (scale * np.sin(angle)).ravel()
    matrices = np.stack([along, -across, across, along], axis=1).reshape(-1, 2, 2)
    return Grid.of(matrices.astype(np.float32))


@cache
def _stretched() -> Grid:
    """Upright, with every scale in x and in y."""
    logs = _log_scales(_STEP)
    scale, aspect = np.meshgrid(logs, np.arange(-_ASPECT, _ASPECT, _STEP), indexing="ij")
    x, y = np.exp(scale + aspect / 2).ravel(), np.exp(scale - aspect / 2).ravel()
    zero = np.zeros_like(x)
    return Grid.of(np.stack([x, zero, zero, y], axis=1).reshape(-1, 2, 2).astype(np.float32))


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
