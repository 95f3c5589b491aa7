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
from functools import cache
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from aiglabel.signal import whitening
from aiglabel.signal.tile import SIDE

Float = NDArray[np.float32]
Matrices = NDArray[np.float64]

SCALES = (0.55, 1.8)
"""Plane samples a canonical sample, searched on one plane.

Planes halve, so most scales are searched on two: the finer one sees more, the coarser one forgives
more bending.
"""

_PADDED = 1.5
# Lags, in both directions, that say nothing of the noise: every picture is like itself there.
_ORIGIN = 10
_LINES = (15, 15)
_LOUDEST_LINE = 6.0
# Standard deviations from which a peak of the autocorrelation counts by its logarithm: a host with
# a period of its own has few and very high peaks, a mark has many.
_HIGH_PEAK = 4.0
# Relative step of the grid of hypotheses: half a chip at the longest lag in use there.
_STEP = 0.0075
_ASPECT = 0.45
_NEAR, _FAR = 3.01, 8.01
_KEPT, _REFINED = 32, 24
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


def candidates(white: Float) -> tuple[Matrices, NDArray[np.float64]]:
    """Return likely lattices of a whitened plane (H, W) and their scores, not sorted.

    Returns
    -------
    matrices : float64, shape (n, 2, 2)
    scores : float64, shape (n,)
        Weighted sum of the autocorrelation over the lattice in its own standard deviations:
        5 to 6 by chance, some tens for a mark.
    """
    correlation = autocorrelation(white)
    near = _vectors(_NEAR)
    found = [
        _best(correlation, grid, near, white.shape, kept)
        for grid, kept in ((_turned(), _KEPT), (_stretched(), _KEPT // 2))
    ]
    found.append(_best(correlation, _from_peaks(correlation), near, white.shape, _KEPT // 2))
    matrices: Any = np.concatenate(found)
    scores = np.zeros(len(matrices))
    for reach, step in _REFINEMENT:
        if reach == _FAR and len(matrices) > _REFINED:
            matrices = matrices[np.argsort(-scores)[:_REFINED]]
        for _ in range(2):
            tried = matrices[:, None] + (_STAY * step) @ matrices[:, None]
            every = _score(correlation, tried, _vectors(reach), white.shape)
            best = every.argmax(axis=1)
            row = np.arange(len(tried))
            matrices, scores = tried[row, best], every[row, best]
    return matrices, scores


def autocorrelation(white: Float) -> Float:
    """Autocorrelation of a plane with a flattened spectrum, in standard deviations.

    Lag zero is at [0, 0], negative lags wrap around.
    """
    height, width = (cv2.getOptimalDFTSize(int(_PADDED * side / 2)) * 2 for side in white.shape)
    padded = np.zeros((height, width), np.float32)
    padded[: white.shape[0], : white.shape[1]] = white
    packed: Any = cv2.dft(padded)
    power: Any = cv2.mulSpectrums(packed, packed, 0, conjB=True)
    # Of OpenCV's packed layout only the columns that hold plain pairs are used: the first and last,
    # frequencies purely vertical, hold little of a mark and most of a JPEG's block borders.
    lines = np.ascontiguousarray(power[:, 1:-1:2])
    local: Any = cv2.blur(lines, _LINES, borderType=cv2.BORDER_REFLECT)
    lines /= local + np.float32(1e-6 * local.mean() + 1e-30)
    np.minimum(lines, np.float32(_LOUDEST_LINE), out=lines)
    lines -= lines.mean()
    power[:] = 0
    power[:, 1:-1:2] = lines
    correlation: Any = cv2.dft(power, flags=cv2.DFT_INVERSE | cv2.DFT_REAL_OUTPUT)
    correlation = cv2.GaussianBlur(correlation, (5, 5), 0.7)
    inside = correlation[_ORIGIN : height // 2, _ORIGIN : width // 2]
    correlation /= np.float32(max(float(np.sqrt(np.mean(inside * inside))), 1e-12))
    return np.asarray(_HIGH_PEAK * np.arcsinh(correlation / _HIGH_PEAK), np.float32)


def _best(
    correlation: Float, grid: Matrices, vectors: Float, shape: tuple[int, ...], kept: int
) -> Matrices:
    """The best hypotheses of a grid, no two alike."""
    if not len(grid):
        return np.empty((0, 2, 2))
    scores = _score(correlation, grid, vectors, shape, smooth=False)
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


def _score(
    correlation: Float, matrices: Matrices, vectors: Float, shape: tuple[int, ...], *,
    smooth: bool = True,
) -> NDArray[np.float64]:  # fmt: skip
    """Weighted sum over the lattice vectors; weights are the overlap of the plane with itself."""
    height, width = correlation.shape
    right, down = (
        matrices[..., row, 0, None] * vectors[:, 0] + matrices[..., row, 1, None] * vectors[:, 1]
        for row in (0, 1)
    )
    weights = np.maximum(1 - np.abs(right) / shape[1], 0)
    weights *= np.maximum(1 - np.abs(down) / shape[0], 0)
    weights[weights < _LEAST_OVERLAP] = 0
    weights[(np.abs(right) > width / 2 - 2) | (np.abs(down) > height / 2 - 2)] = 0
    values = (_interpolated if smooth else _nearest)(correlation, right, down)
    total = np.einsum("...v,...v->...", values, weights)
    norm = np.sqrt(np.einsum("...v,...v->...", weights, weights))
    scores: NDArray[np.float64] = total / np.maximum(norm, 1e-3)
    return scores


def _nearest(plane: Float, x: Any, y: Any) -> Any:
    height, width = plane.shape
    columns, rows = (np.rint(one).astype(np.int32) for one in (x, y))
    return plane.ravel().take(rows % height * width + columns % width)


def _interpolated(plane: Float, x: Any, y: Any) -> Any:
    height, width = plane.shape
    left, top = np.floor(x), np.floor(y)
    across, along = x - left, y - top
    columns, rows = left.astype(np.int32), top.astype(np.int32)
    above, below = rows % height * width, (rows + 1) % height * width
    columns, after = columns % width, (columns + 1) % width
    values = plane.ravel()
    upper = values.take(above + columns) * (1 - across) + values.take(above + after) * across
    lower = values.take(below + columns) * (1 - across) + values.take(below + after) * across
    return upper * (1 - along) + lower * along


@cache
def _vectors(reach: float) -> Float:
    """Lattice vectors (n, 2), canonical samples, in one half of a disc of `reach` tiles."""
    most = int(reach)
    y, x = np.mgrid[0 : most + 1, -most : most + 1]
    half = (np.hypot(x, y) <= reach) & ((y > 0) | (x > 0))
    return np.stack([x[half], y[half]], axis=1).astype(np.float32) * SIDE


@cache
def _turned() -> Matrices:
    """Every scale and angle; a square lattice looks the same again after a quarter turn."""
    logs = np.arange(math.log(SCALES[0]), math.log(SCALES[1]), _STEP)
    scale, angle = np.meshgrid(np.exp(logs), np.arange(0, math.pi / 2, _STEP), indexing="ij")
    along, across = (scale * np.cos(angle)).ravel(), (scale * np.sin(angle)).ravel()
    return np.stack([along, -across, across, along], axis=1).reshape(-1, 2, 2).astype(np.float32)


@cache
def _stretched() -> Matrices:
    """Upright, with every scale in x and in y."""
    logs = np.arange(math.log(SCALES[0]), math.log(SCALES[1]), _STEP)
    scale, aspect = np.meshgrid(logs, np.arange(-_ASPECT, _ASPECT, _STEP), indexing="ij")
    x, y = np.exp(scale + aspect / 2).ravel(), np.exp(scale - aspect / 2).ravel()
    zero = np.zeros_like(x)
    return np.stack([x, zero, zero, y], axis=1).reshape(-1, 2, 2).astype(np.float32)


def _from_peaks(correlation: Float) -> Matrices:
    """Pairs of peaks that could be the two sides of a tile, sheared and stretched as they may be.

    The other grids know only turns and stretches: this one follows a view from the side.
    """
    height, width = correlation.shape
    reach = int(min(1.5 * SCALES[1] * SIDE, height / 2 - 2, width / 2 - 2))
    window = np.roll(correlation, (reach, reach), (0, 1))[: 2 * reach + 1, : 2 * reach + 1]
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


def white_octaves(luma: NDArray[Any], largest: int, count: int) -> list[tuple[Float, Float]]:
    """Return planes of the luma (H, W), each half as large as the one before, and whitened.

    The first has about `largest` squared samples, or all those of a smaller picture.
    """
    planes = []
    scale = min(1.0, largest / math.sqrt(luma.size))
    source = luma
    for _ in range(count):
        size = [max(1, round(length * scale)) for length in luma.shape]
        if min(size) < SIDE // 4:
            break
        plane = source
        if size != list(source.shape):
            plane = cv2.resize(source, size[::-1], interpolation=cv2.INTER_AREA)
        plane = np.asarray(plane, np.float32)
        planes.append((plane, whitening.whitened(plane)))
        source, scale = plane, scale / 2
    return planes
