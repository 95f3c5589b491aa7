"""Keyed synchronisation: where the tile begins, how it is turned, and how the picture was bent.

The unkeyed search (`lattice`) proposes matrices; here a plane is laid back into canonical
coordinates, folded, and correlated with the pilots of a key at every offset and in every pose.
The pilots' signs are drawn apart from those of the message, so however hard the pilots were
searched for, the message's statistic stays that of random signs (`statistics`).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from aiglabel.signal import tile, whitening
from aiglabel.signal.lattice import MOVES, Matrices
from aiglabel.signal.plane import White
from aiglabel.signal.tile import SIDE, Carrier, Spectrum

Float = NDArray[np.float32]

_MOST_SAMPLES = 1600
# Tiles correlated at once: what a processor's cache holds.
_AT_ONCE = 16
_SMALL_PRODUCT = 1 << 18
_RIM = 7
_POLISH = (0.003, 0.0015, 0.0007)
# Registration: farthest offset looked at and width of the windows, in samples, round by round.
_ROUNDS = ((3, 80), (3, 60), (2, 48), (2, 40), (2, 36))
_CELL = 16
_CELLS = SIDE // _CELL
_LEAST_PEAK = 1.5
_PILOT_SHARE = 0.6
# Parts that a bent plane is looked at in, about; how far, in samples, one of them lies from the
# others; and how high the pilots' peak is in one of them, in standard deviations.
_PARTS = 36
_APART, _FAR_APART = 1.7, 6
_PEAK = 2.0


@dataclass(frozen=True, eq=False)
class Laid:
    """A plane laid into canonical coordinates.

    Attributes
    ----------
    white : float32, shape (h, w)
        Whitened canonical plane, zero outside the picture.
    matrix : float64, shape (2, 2)
    origin : float64, shape (2,)
        Plane coordinates (x, y) of a canonical point u are ``matrix @ (u + origin)``.
    """

    white: Float
    matrix: Matrices
    origin: NDArray[np.float64]

    def spectrum(self) -> Spectrum:
        """Flattened spectrum of the folded tile."""
        return whitening.flattened(tile.fold(self.white))

    def window(self, window: tuple[slice, slice]) -> tuple[slice, slice]:
        """The least part of it that shows a window of the plane that was laid."""
        down, right = window
        x, y = np.meshgrid((right.start, right.stop), (down.start, down.stop))
        corners = np.stack([x.ravel(), y.ravel()], axis=1)
        here = corners @ np.linalg.inv(self.matrix).T - self.origin
        first = np.maximum(np.floor(here.min(axis=0)), 0).astype(int)
        last = np.maximum(np.ceil(here.max(axis=0)), first).astype(int)
        return slice(first[1], last[1]), slice(first[0], last[0])


@dataclass(frozen=True)
class Peak:
    """Where the pilots fit best: the tile lies in `pose`, moved by (down, right) samples.

    `height` is the correlation there in standard deviations of the correlation elsewhere.
    """

    height: float
    pose: int
    down: float
    right: float


def lay(luma: Float, matrix: Matrices) -> Laid:
    """Lay a plane of luma into canonical coordinates, and whiten it there."""
    height, width = luma.shape
    corners = np.array([[0, 0], [width, 0], [0, height], [width, height]]) @ np.linalg.inv(matrix).T
    origin = corners.min(axis=0)
    size = np.minimum(np.ceil(corners.max(axis=0) - origin), _MOST_SAMPLES).astype(int)
    affine = np.column_stack([matrix, matrix @ origin])
    # OpenCV takes the sizes as (width, height).
    shape = (max(int(size[0]), 1), max(int(size[1]), 1))
    canonical: Any = cv2.warpAffine(
        luma, affine, shape, flags=cv2.WARP_INVERSE_MAP | cv2.INTER_CUBIC,
        borderMode=cv2.BORDER_REPLICATE,
    )  # fmt: skip
    white = whitening.whitened(canonical)
    # What touches the rim of the picture is whitened by what is not there.
    x, y = np.array([[_RIM, width - 1 - _RIM], [_RIM, height - 1 - _RIM]])
    corners = np.array([(x[0], y[0]), (x[1], y[0]), (x[1], y[1]), (x[0], y[1])])
    inside = np.zeros(white.shape, np.float32)
    if (x[1] >= x[0]) and (y[1] >= y[0]):
        there = corners @ np.linalg.inv(matrix).T - origin
        cv2.fillConvexPoly(inside, np.rint(there).astype(np.int32), (1.0,))
    white *= inside
    return Laid(white, matrix, origin)


def find(spectrum: Spectrum, carrier: Carrier) -> Peak:
    """Correlate a folded tile with the pilots at every offset and in every pose."""
    correlation = np.fft.irfft2(spectrum * carrier.templates, s=(SIDE, SIDE))
    pose, row, column = np.unravel_index(int(correlation.argmax()), correlation.shape)
    spread = max(float(correlation.std()), 1e-12)
    surface = correlation[pose]
    down = row + vertex(surface[row - 1, column], surface[row, column],
                         surface[(row + 1) % SIDE, column])  # fmt: skip
    right = column + vertex(surface[row, column - 1], surface[row, column],
                             surface[row, (column + 1) % SIDE])  # fmt: skip
    return Peak(float(surface[row, column]) / spread, int(pose), float(down), float(right))


def heights(plane: White, matrices: Matrices, carriers: Sequence[Carrier]) -> Float:
    """How well the pilots of each key fit a plane laid by each of many lattices (n, 2, 2).

    Returns
    -------
    float32, shape (keys, n)
        Highest correlation over all offsets and poses, in standard deviations of random tiles with
        the same spectra: 5 to 6 by chance where some hundreds of lattices are compared.
    """
    highest = np.empty((len(carriers), len(matrices)), np.float32)
    for start in range(0, len(matrices), _AT_ONCE):
        some = np.s_[start : start + _AT_ONCE]
        spectra = plane.folded(matrices[some])
        power = np.square(spectra.real) + np.square(spectra.imag)
        for row, carrier in zip(highest, carriers, strict=True):
            row[some] = [_highest(one, carrier.pairs) for one in spectra]
            spread = np.sqrt(np.einsum("nij,ij->n", power, carrier.power))
            row[some] /= np.maximum(spread, np.float32(1e-12))
    return highest


def _highest(spectrum: Spectrum, pairs: Spectrum) -> float:
    """Highest of the correlations with the pilots in all poses, two of them a transform."""
    products = (spectrum * pairs).view(np.float32).reshape(-1, SIDE, SIDE, 2)
    return max(float(cv2.dft(one, flags=cv2.DFT_INVERSE).max()) for one in products)


def values(spectrum: Spectrum, peak: Peak) -> Float:
    """Coefficients (..., COEFFICIENTS) of folded tiles that lie as `peak` says."""
    moved = whitening.shifted_tile(spectrum, peak.down, peak.right)
    return tile.analyse(tile.upright(moved, peak.pose))


def polished(plane: White, matrix: Matrices, carrier: Carrier) -> tuple[Matrices, float]:
    """Turn, stretch and shear a lattice a little as long as the pilots gain by it.

    Returns it and its height; see `heights`.
    """
    height = 0.0
    for step in _POLISH:
        tried = np.concatenate([matrix[None], matrix + (MOVES * step) @ matrix])
        found = heights(plane, tried, [carrier])[0]
        matrix, height = tried[int(found.argmax())], float(found.max())
    return matrix, height


# ---------------------------------------------------------------------- local registration


def registered(laid: Laid, peak: Peak, carrier: Carrier) -> Laid:
    """Undo smooth distortions, such as a view from the side or a bent sheet.

    Each place is compared with the tile as the rest of the picture shows it, and with the pilots;
    the offsets, smoothed, are a field that lays the plane anew. Tiles are compared with those of
    the other colour of a chequerboard only: no noise is compared with itself.
    """
    height, width = laid.white.shape
    rows, columns = np.indices((height, width), np.float32)
    # A template is the conjugate spectrum of the pilots' own tile.
    known = np.fft.irfft2(carrier.templates[peak.pose].conj(), s=(SIDE, SIDE)).astype(np.float32)
    known = np.roll(known, (round(peak.down), round(peak.right)), (0, 1))
    known *= np.float32(_PILOT_SHARE / known.std())
    field = np.zeros((height, width, 2), np.float32)
    current = laid.white
    for reach, window in _ROUNDS:
        more = _offsets(current, known, reach, window / _CELL / 2.5)
        # The field found now lies on top of the one before.
        if current is not laid.white:
            place = (columns + more[..., 1], rows + more[..., 0])
            more += cv2.remap(field, *place, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        field = more
        current = cv2.remap(
            laid.white, columns + field[..., 1], rows + field[..., 0], cv2.INTER_CUBIC,
            borderMode=cv2.BORDER_CONSTANT,
        )  # fmt: skip
    return Laid(current, laid.matrix, laid.origin)


def find_bent(white: Float, carrier: Carrier) -> Peak:
    """Find the pilots in a plane that is bent, so that no two parts of it quite agree.

    Each part says how likely the pilots lie at every offset: the likelihood ratio of a peak of that
    height, for all offsets nearby that bending may have brought there. Their product over the parts
    tells the offset that all come close to.
    """
    blocks, (tall, wide) = _blocks(white)
    grid = blocks.reshape(tall, wide, SIDE, SIDE)
    step = max(1, round(math.sqrt(len(blocks) / _PARTS)))
    total = np.zeros((SIDE, SIDE, tile.POSES), np.float32)
    rim = (_FAR_APART,) * 4
    inside = np.s_[_FAR_APART:-_FAR_APART, _FAR_APART:-_FAR_APART]
    for top in range(0, tall, step):
        for left in range(0, wide, step):
            part = whitening.flattened(grid[top : top + step, left : left + step].sum((0, 1)))
            fits = np.fft.irfft2(part * carrier.templates, s=(SIDE, SIDE)).astype(np.float32)
            spread = max(float(fits.std()), 1e-12)
            likely = cv2.exp(cv2.merge(list(fits)) * np.float32(_PEAK / spread))
            around = cv2.copyMakeBorder(likely, *rim, cv2.BORDER_WRAP)
            total += cv2.log(cv2.GaussianBlur(around, (0, 0), _APART)[inside])
    row, column, best = np.unravel_index(int(total.argmax()), total.shape)
    height = (total.max() - total.mean()) / max(float(total.std()), 1e-12)
    return Peak(float(height), int(best), float(row), float(column))


def _offsets(white: Float, known: Float, reach: int, sigma: float) -> Float:
    """Field of offsets (down, right) in samples; the shape of `white`, and 2."""
    blocks, (tall, wide) = _blocks(white)
    colour = np.add.outer(np.arange(tall), np.arange(wide)).ravel() % 2 == 1
    tiles = [whitening.flattened(blocks[mine].sum(0)) for mine in (~colour, colour)]
    shown = [whitening.shifted_tile(one, 0, 0) for one in tiles]
    norms = [max(float(np.linalg.norm(one)), 1e-12) for one in shown]
    trust = math.sqrt(max(float((shown[0] * shown[1]).sum()) / norms[0] / norms[1], 0.0))
    fits = np.empty((tall * wide, _CELLS, _CELLS, (2 * reach + 1) ** 2), np.float32)
    for mine, other, norm in ((~colour, shown[1], norms[1]), (colour, shown[0], norms[0])):
        template = other * np.float32(trust * SIDE / norm) + known
        fits[mine] = _fit(blocks[mine], template, reach)
    grid = fits.reshape(tall, wide, _CELLS, _CELLS, -1).swapaxes(1, 2)
    grid = grid.reshape(tall * _CELLS, wide * _CELLS, -1)
    smooth = _smoothed(_smoothed(grid, sigma).swapaxes(0, 1), sigma).swapaxes(0, 1)
    offsets, weight = _peaks(smooth, reach)
    total = cv2.GaussianBlur(weight, (0, 0), sigma) + np.float32(1e-3)
    field = [cv2.GaussianBlur(offset * weight, (0, 0), sigma) / total for offset in offsets]
    return _enlarged(cv2.merge(field), white.shape)


def _blocks(white: Float) -> tuple[Float, tuple[int, int]]:
    """The tiles of a plane, (n, SIDE, SIDE), and how many there are down and across."""
    tall, wide = (-(-length // SIDE) for length in white.shape)
    padded = np.zeros((tall * SIDE, wide * SIDE), np.float32)
    padded[: white.shape[0], : white.shape[1]] = white
    blocks = padded.reshape(tall, SIDE, wide, SIDE).swapaxes(1, 2)
    return blocks.reshape(-1, SIDE, SIDE), (tall, wide)


def _fit(blocks: Float, shown: Float, reach: int) -> Float:
    """Correlation of every cell of every block with the tile at every offset.

    (n, cells, cells, offsets), as one matrix product for each cell.
    """
    padded = np.pad(shown, reach, mode="wrap")
    moved = np.lib.stride_tricks.sliding_window_view(padded, (SIDE, SIDE))[::-1, ::-1]
    count = len(blocks)
    cells = blocks.reshape(count, _CELLS, _CELL, _CELLS, _CELL).transpose(1, 3, 0, 2, 4)
    views = moved.reshape(-1, _CELLS, _CELL, _CELLS, _CELL).transpose(1, 3, 2, 4, 0)
    views = np.ascontiguousarray(views.reshape(_CELLS, _CELLS, _CELL**2, -1))
    fits = np.empty((count, _CELLS, _CELLS, views.shape[-1]), np.float32)
    # Rows by rows: larger products wake the threads of a linear algebra library, which then wait
    # for more, each on a core.
    rows = max(1, _SMALL_PRODUCT // views[0, 0].size)
    cells = cells.reshape(_CELLS, _CELLS, count, _CELL**2)
    for start in range(0, count, rows):
        some = np.s_[start : start + rows]
        fits[some] = np.matmul(cells[:, :, some], views).transpose(2, 0, 1, 3)
    return fits


def _smoothed(field: Float, sigma: float) -> Float:
    """Blur along the first axis; nothing lies beyond the ends."""
    kernel = cv2.getGaussianKernel(2 * math.ceil(3 * sigma) + 1, sigma, cv2.CV_32F)
    flat: Any = cv2.sepFilter2D(
        field.reshape(len(field), -1),
        -1,
        np.ones(1, np.float32),
        kernel,
        borderType=cv2.BORDER_CONSTANT,
    )
    blurred: Float = flat.reshape(field.shape)
    return blurred


def _peaks(smooth: Float, reach: int) -> tuple[tuple[Float, Float], Float]:
    """Best offset of each cell, down and right, and how much it stands out; (…, offsets) in."""
    side = 2 * reach + 1
    down, right = np.divmod(smooth.argmax(-1), side)
    height = (smooth.max(-1) - smooth.mean(-1)) / (smooth.std(-1) + np.float32(1e-9))
    weight = np.maximum(height - np.float32(_LEAST_PEAK), 0) ** 2

    def at(row: Any, column: Any) -> Float:
        index = row.clip(0, side - 1) * side + column.clip(0, side - 1)
        found: Float = np.take_along_axis(smooth, index[..., None], -1)[..., 0]
        return found

    here = at(down, right)
    exact_down = down + _vertices(at(down - 1, right), here, at(down + 1, right)) - reach
    exact_right = right + _vertices(at(down, right - 1), here, at(down, right + 1)) - reach
    offsets = (exact_down.astype(np.float32), exact_right.astype(np.float32))
    return offsets, weight.astype(np.float32)


def _enlarged(field: Any, shape: tuple[int, ...]) -> Float:
    """Bring a field of cells to samples; the last cells may reach over the edge."""
    size = (field.shape[1] * _CELL, field.shape[0] * _CELL)
    large: Any = cv2.resize(field, size, interpolation=cv2.INTER_LINEAR)
    return np.ascontiguousarray(large[: shape[0], : shape[1]])


def vertex(before: float, top: float, after: float) -> float:
    """Where a parabola through three values has its vertex, from the middle one."""
    bend = before - 2 * top + after
    return 0.0 if bend >= 0 else 0.5 * float(before - after) / float(bend)


def _vertices(before: Any, top: Any, after: Any) -> Any:
    bend = np.minimum(before - 2 * top + after, -1e-12)
    return np.clip(0.5 * (before - after) / bend, -0.5, 0.5)
