"""The periodic tile: a square of wavelet detail coefficients that repeats over the canonical frame.

Every coefficient has a keyed sign (`carrier`). The pilots tell where a tile begins and how it is
turned. Because the tile repeats, any part of the picture that holds one tile holds the whole
message, and the repetition itself betrays scale and angle (Kutter 1998; Voloshynovskiy, Deguillaume
and Pun 2001). The wavelet transform is linear, so adding the tile to the pixels is adding its
coefficients.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import pywt
from numpy.typing import NDArray

from aiglabel.key import Key
from aiglabel.signal import carrier as carriers

Float = NDArray[np.float32]
Spectrum = NDArray[np.complex64]

SIDE = 64
"""Samples of the canonical frame on a side of the tile."""
WAVELET = "sym4"
LEVELS = (2, 3)
POSES = 8
"""Ways to lay a square: bit 0 mirrors, bit 1 flips, bit 2 transposes; transposing comes first."""

_SHAPES = tuple((3, SIDE >> level, SIDE >> level) for level in LEVELS)
_SIZES = tuple(math.prod(shape) for shape in _SHAPES)
COEFFICIENTS = sum(_SIZES)
# Amplitudes of the levels in the tile, one to the other.
_AMPLITUDES = (1.0, 0.7)


@dataclass(frozen=True, eq=False)
class Carrier(carriers.Carrier):
    """What one key makes of the `COEFFICIENTS` of a tile.

    Attributes
    ----------
    templates : complex64, shape (POSES, SIDE, SIDE // 2 + 1)
        Conjugate spectra of the tile of the pilots alone, in every pose.
    pairs : complex64, shape (POSES / 2, SIDE, SIDE)
        The same, whole, two poses in one: with a spectrum of real values, the real part of the
        inverse transform is the correlation in one pose, the imaginary part that in the next.
    power : float32, shape (SIDE, SIDE)
        Mean of their squared magnitudes.
    """

    templates: Spectrum
    pairs: Spectrum
    power: Float


@lru_cache(maxsize=128)
def carrier(key: Key) -> Carrier:
    """Draw the carrier of a key: that of `carrier.draw` for ``image-2/tile``, level by level."""
    drawn = carriers.draw(key, "image-2/tile", _SIZES)
    tile = synthesise(drawn.only_pilots())
    spectra = np.stack([np.fft.fft2(posed(tile, pose)).conj() for pose in range(POSES)])
    whole: Spectrum = spectra.astype(np.complex64)
    made = Carrier(
        **vars(drawn),
        templates=whole[:, :, : SIDE // 2 + 1].copy(),
        pairs=(whole[0::2] + 1j * whole[1::2]).astype(np.complex64),
        power=np.square(np.abs(whole)).mean(axis=0),
    )
    carriers.freeze(made)
    return made


def gains() -> Float:
    """Nominal coefficients (COEFFICIENTS,) of a tile, without signs.

    An orthonormal coefficient of level l changes pixels by 2**-l of its value. The tile has a root
    mean square of 1.
    """
    each = [
        np.full(size, amplitude * (1 << level), np.float32)
        for level, size, amplitude in zip(LEVELS, _SIZES, _AMPLITUDES, strict=True)
    ]
    nominal = np.concatenate(each)
    return nominal * np.float32(SIDE / np.linalg.norm(nominal))


def band_means(values: Float) -> Float:
    """Every coefficient (COEFFICIENTS,) replaced by the mean of its band: H, V or D of a level."""
    bands = np.split(values, np.cumsum(np.repeat(_SIZES, 3) // 3)[:-1])
    return np.concatenate([np.full_like(band, band.mean()) for band in bands])


def synthesise(values: Float) -> Float:
    """Return the (SIDE, SIDE) tile with these coefficients (COEFFICIENTS,)."""
    parts = np.split(values, np.cumsum(_SIZES)[:-1])
    details = {level: tuple(part.reshape(shape)) for level, part, shape in
               zip(LEVELS, parts, _SHAPES, strict=True)}  # fmt: skip
    deepest = LEVELS[-1]
    nothing = (None, None, None)
    split: list[Any] = [np.zeros((SIDE >> deepest,) * 2, np.float32)]
    split += [details.get(level, nothing) for level in range(deepest, 0, -1)]
    tile: Float = pywt.waverec2(split, WAVELET, mode="periodization")
    return tile


def analyse(tile: Float) -> Float:
    """Return the coefficients (..., COEFFICIENTS) of (..., SIDE, SIDE) tiles: as for `synthesise`.

    Numbered level by level, finest first; in a level H, V, D, each row by row.
    """
    split = pywt.wavedec2(tile, WAVELET, mode="periodization", level=LEVELS[-1])
    parts = [part.reshape(*tile.shape[:-2], -1) for level in LEVELS for part in split[-level]]
    return np.concatenate(parts, axis=-1)


def posed(tile: Float, pose: int) -> Float:
    """Return the tile laid in one of the `POSES`."""
    if pose & 4:
        tile = tile.T
    if pose & 2:
        tile = tile[::-1]
    if pose & 1:
        tile = tile[:, ::-1]
    return np.ascontiguousarray(tile)


def upright(tile: Float, pose: int) -> Float:
    """Inverse of `posed`, of (..., SIDE, SIDE) tiles."""
    if pose & 1:
        tile = tile[..., ::-1]
    if pose & 2:
        tile = tile[..., ::-1, :]
    if pose & 4:
        tile = tile.swapaxes(-1, -2)
    return np.ascontiguousarray(tile)


def spread(tile: Float, shape: tuple[int, ...]) -> Float:
    """Repeat the tile over a plane of `shape` (H, W)."""
    repeats = [-(-length // SIDE) for length in shape[:2]]
    plane: Float = np.tile(tile, repeats)[: shape[0], : shape[1]]
    return plane


def fold(plane: Float, top: int = 0, left: int = 0) -> Float:
    """Sum all tiles of a plane (H, W) into one (SIDE, SIDE); adjoint of `spread`.

    Of a part that begins at (top, left) of a plane: as if the rest of the plane were 0.
    """
    height, width = (-(-length // SIDE) * SIDE for length in plane.shape)
    if (height, width) != plane.shape:
        padded = np.zeros((height, width), np.float32)
        padded[: plane.shape[0], : plane.shape[1]] = plane
        plane = padded
    folded: Float = plane.reshape(height // SIDE, SIDE, width // SIDE, SIDE).sum((0, 2))
    return np.roll(folded, (top, left), (0, 1)) if top or left else folded
