"""The periodic tile: a square of wavelet detail coefficients that repeats over the canonical frame.

Every coefficient has a keyed sign (a chip). Some are *pilots*, known to whoever has the key: they
tell where a tile begins and how it is turned. The others carry the code bits. Because the tile
repeats, any part of the picture that holds one tile holds the whole message, and the repetition
itself betrays scale and angle (Kutter 1998; Voloshynovskiy, Deguillaume and Pun 2001). The wavelet
transform is linear, so adding the tile to the pixels is adding its coefficients.
"""

from __future__ import annotations

import hashlib
import math
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import pywt
from numpy.typing import NDArray

from aiglabel.key import Key
from aiglabel.signal.code import CODE_BITS

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
# One coefficient in so many is a pilot. A pilot is found among some 10^7 places at 5.5 sigma, the
# message is read from 16 sigma: this share makes both give out at about the same damage.
_PILOT_EVERY = 6
# Amplitudes of the levels in the tile, one to the other.
_AMPLITUDES = (1.0, 0.7)


@dataclass(frozen=True, eq=False)
class Carrier:
    """What one key makes of the coefficients.

    Attributes
    ----------
    chips : float32, shape (COEFFICIENTS,)
        Keyed signs, ±1.
    pilots : intp
        Indices of the coefficients known beforehand.
    message : intp
        Indices of those that carry code bits.
    bits : intp, shape of `message`
        The code bit each of them carries.
    templates : complex64, shape (POSES, SIDE, SIDE // 2 + 1)
        Conjugate spectra of the tile of the pilots alone, in every pose.
    pairs : complex64, shape (POSES / 2, SIDE, SIDE)
        The same, whole, two poses in one: with a spectrum of real values, the real part of the
        inverse transform is the correlation in one pose, the imaginary part that in the next.
    power : float32, shape (SIDE, SIDE)
        Mean of their squared magnitudes.
    """

    chips: Float
    pilots: NDArray[np.intp]
    message: NDArray[np.intp]
    bits: NDArray[np.intp]
    templates: Spectrum
    pairs: Spectrum
    power: Float

    def signs(self, word: NDArray[np.int8]) -> Float:
        """Signs of all coefficients for a codeword (code bits,), ±1."""
        signs = self.chips.copy()
        signs[self.message] *= word[self.bits]
        return signs

    def soft(self, values: Float) -> Float:
        """Fold coefficients into soft code bits (code bits,).

        Scaled so that their product with a codeword is the normalised correlation.
        """
        used = values[self.message]
        norm = max(math.sqrt(float(used @ used)), 1e-9)
        bits = np.bincount(self.bits, used * self.chips[self.message], CODE_BITS)
        return (bits / norm).astype(np.float32)

    def pilot_statistic(self, values: Float) -> float:
        """Normalised correlation of the coefficients with the pilots."""
        used = values[self.pilots]
        norm = max(math.sqrt(float(used @ used)), 1e-9)
        return float(used @ self.chips[self.pilots]) / norm


@lru_cache(maxsize=128)
def carrier(key: Key) -> Carrier:
    """Draw the carrier of a key.

    The random numbers are 64-bit little-endian words of SHAKE-256 over the sub-key of
    ``image-2/tile``. The lowest bit of a word is the chip of its coefficient. Within each level,
    sorting the words (stable) orders the coefficients: the first sixth are pilots, the n-th of the
    other m carries code bit ``n * 352 // m``, so each level alone is an evenly punctured code.
    """
    digest = hashlib.shake_256(key.derive("image-2/tile")).digest(8 * COEFFICIENTS)
    words = np.frombuffer(digest, "<u8")
    chips = 1 - 2 * (words & 1).astype(np.float32)
    pilots, message, bits = [], [], []
    for start, size in zip(np.cumsum((0, *_SIZES[:-1])), _SIZES, strict=True):
        order = start + np.argsort(words[start : start + size], kind="stable")
        known = size // _PILOT_EVERY
        pilots.append(order[:known])
        message.append(order[known:])
        bits.append(np.arange(size - known) * CODE_BITS // (size - known))
    known_places = np.concatenate(pilots)
    only_pilots = np.zeros(COEFFICIENTS, np.float32)
    only_pilots[known_places] = chips[known_places]
    tile = synthesise(only_pilots)
    spectra = np.stack([np.fft.fft2(posed(tile, pose)).conj() for pose in range(POSES)])
    whole: Spectrum = spectra.astype(np.complex64)
    drawn = Carrier(
        chips, known_places, np.concatenate(message), np.concatenate(bits),
        whole[:, :, : SIDE // 2 + 1].copy(),
        (whole[0::2] + 1j * whole[1::2]).astype(np.complex64),
        np.square(np.abs(whole)).mean(axis=0),
    )  # fmt: skip
    for array in vars(drawn).values():
        array.setflags(write=False)  # shared by all callers through the cache
    return drawn


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


def level_means(values: Float) -> Float:
    """Every coefficient (COEFFICIENTS,) replaced by the mean of its level."""
    parts = np.split(values, np.cumsum(_SIZES)[:-1])
    return np.concatenate([np.full_like(part, part.mean()) for part in parts])


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


def fold(plane: Float) -> Float:
    """Sum all tiles of a plane (H, W) into one (SIDE, SIDE); adjoint of `spread`."""
    height, width = (-(-length // SIDE) * SIDE for length in plane.shape)
    if (height, width) != plane.shape:
        padded = np.zeros((height, width), np.float32)
        padded[: plane.shape[0], : plane.shape[1]] = plane
        plane = padded
    folded: Float = plane.reshape(height // SIDE, SIDE, width // SIDE, SIDE).sum((0, 2))
    return folded
