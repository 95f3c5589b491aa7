"""A plane of luma as the search sees it: whitened, its spectrum, its autocorrelation.

All three are made without a key and once for all keys. Whatever the lattice, folding a plane is
sampling its spectrum at the lattice's frequencies, so many lattices can be tried for the price of
one transform.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from aiglabel.signal import whitening
from aiglabel.signal.tile import SIDE, Spectrum

Float = NDArray[np.float32]

_PADDED = 1.5
_SMOOTH = (15, 15)
# Power of a line, in that of the lines around it, above which it is cut off: a host's own period.
_LOUDEST_LINE = 6.0
# Lags, in both directions, that say nothing of the noise: every picture is like itself there.
_ORIGIN = 10
# Standard deviations from which a peak of the autocorrelation counts by its logarithm: a host with
# a period of its own has few and very high peaks, a mark has many.
_HIGH_PEAK = 4.0
# Frequencies (x, y) of a folded tile that hold the mark, in cycles a tile: one of each pair of
# opposite ones; and where each and its opposite are in a spectrum.
_HIGHEST = 22
_WAVES = np.array(
    [(x, y) for x in range(_HIGHEST + 1) for y in range(-_HIGHEST, _HIGHEST + 1) if (x, y) > (0, 0)]
)
_X, _Y = _WAVES.T.astype(np.float32)
_PLACES, _OPPOSITE = (one % SIDE @ (1, SIDE) for one in (_WAVES, -_WAVES))


@dataclass(frozen=True, eq=False)
class White:
    """A whitened plane, or a part of one.

    Attributes
    ----------
    white : float32, shape (h, w)
        Luma whitened in space.
    """

    white: Float

    @cached_property
    def lines(self) -> Spectrum:
        """Spectrum of the whitened plane, flattened; complex64, shape (H, W / 2 - 1).

        Phases are those from the middle of the plane. Of the half plane of positive horizontal
        frequencies the first and the last column are left out: frequencies purely vertical hold
        little of a mark and most of a JPEG's block borders.
        """
        height, width = self.white.shape
        size = tuple(cv2.getOptimalDFTSize(int(_PADDED * side / 2)) * 2 for side in (height, width))
        padded = np.zeros(size, np.float32)
        up, left = height // 2, width // 2
        down, right = height - up, width - left
        padded[:down, :right] = self.white[up:, left:]
        padded[:down, size[1] - left :] = self.white[up:, :left]
        padded[size[0] - up :, :right] = self.white[:up, left:]
        padded[size[0] - up :, size[1] - left :] = self.white[:up, :left]
        packed: Any = cv2.dft(padded)
        lines = np.ascontiguousarray(packed[:, 1:-1]).view(np.complex64)
        power = lines.real**2 + lines.imag**2
        local: Any = cv2.blur(power, _SMOOTH, borderType=cv2.BORDER_REFLECT)
        local += np.float32(1e-6 * local.mean() + 1e-30)
        np.maximum(local, power / np.float32(_LOUDEST_LINE), out=local)
        lines /= np.sqrt(local, out=local)
        return lines

    @cached_property
    def correlation(self) -> Float:
        """Autocorrelation by `lines`, in standard deviations; (2 n + 1, 2 m + 1).

        Lag zero is in the middle; the largest lags are those that nothing wraps around to.
        """
        lines = self.lines
        height, width = len(lines), 2 * lines.shape[1] + 2
        power = lines.real**2 + lines.imag**2
        power -= power.mean()
        packed = np.zeros((height, width), np.float32)
        packed[:, 1:-1:2] = power
        wrapped: Any = cv2.dft(packed, flags=cv2.DFT_INVERSE | cv2.DFT_REAL_OUTPUT)
        wrapped = cv2.GaussianBlur(wrapped, (5, 5), 0.7)
        inside = wrapped[_ORIGIN : height // 2, _ORIGIN : width // 2]
        wrapped /= np.float32(max(float(np.sqrt(np.mean(inside * inside))), 1e-12))
        down, right = (
            min(padded - side, padded // 2 - 1)
            for padded, side in zip(wrapped.shape, self.white.shape, strict=True)
        )
        half = np.concatenate([wrapped[:, -right:], wrapped[:, : right + 1]], axis=1)
        correlation = np.concatenate([half[-down:], half[: down + 1]])
        return np.asarray(_HIGH_PEAK * np.arcsinh(correlation / _HIGH_PEAK), np.float32)

    def folded(self, matrices: NDArray[np.floating[Any]]) -> Spectrum:
        """Spectra of the tiles that the plane folds into by each lattice (n, 2, 2).

        Returns
        -------
        complex64, shape (n, SIDE, SIDE)
            As of `numpy.fft.fft2`, flat, to the nearest line: the tile begins in the middle of the
            plane.
        """
        height, width = len(self.lines), self.lines.shape[1] + 1
        # A wave k of the tile is the wave k @ inv(matrix) of the plane: lines right and down.
        lines = np.linalg.inv(matrices) * (2 * width / SIDE, height / SIDE)
        right, down = (
            _X * along[:, :1] + _Y * along[:, 1:]
            for along in np.moveaxis(lines.astype(np.float32), -1, 0)
        )
        # The other half plane holds the conjugates.
        side = np.copysign(np.float32(1), right)
        columns, rows = (np.rint(one * side).astype(np.int32) for one in (right, down))
        outside = (columns == 0) | (columns >= width) | (2 * np.abs(rows) >= height)
        columns[outside] = 1
        rows += height * (rows < 0)
        rows[outside] = 0
        found = self.lines.ravel().take(rows * (width - 1) + columns - 1)
        found.imag *= side
        found[outside] = 0
        spectra = np.zeros((len(found), SIDE * SIDE), np.complex64)
        spectra[:, _PLACES] = found
        spectra[:, _OPPOSITE] = found.conj()
        return spectra.reshape(-1, SIDE, SIDE)


@dataclass(frozen=True, eq=False)
class Plane(White):
    """A plane of luma that is searched.

    Attributes
    ----------
    luma : float32, shape (h, w)
        Grey levels.
    """

    luma: Float


def octaves(luma: NDArray[Any], largest: int, count: int) -> list[Plane]:
    """Return planes of the luma (H, W), each half as large as the one before.

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
        planes.append(Plane(whitening.whitened(plane), plane))
        source, scale = plane, scale / 2
    return planes
