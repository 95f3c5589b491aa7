"""Keyed carriers: which coefficient carries which code bit, and with which sign."""

from __future__ import annotations

import hashlib
import math
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from aiglabel.key import Key

Float = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Carrier:
    """Places and signs of one key in one kind of frame.

    Attributes
    ----------
    order : ndarray of intp, shape (code bits, coefficients a bit)
        Coefficient indices of each code bit.
    chips : ndarray of float32, same shape
        Their signs, ±1.
    """

    order: NDArray[np.intp]
    chips: Float

    def fold(self, white: Float) -> Float:
        """Sum whitened coefficients (coefficients,) into soft code bits (code bits,)."""
        bits: Float = np.einsum("bc,bc->b", white[self.order], self.chips)
        return bits

    def norm(self, white: Float) -> float:
        """Root of the energy of the coefficients in use: divides a correlation to a statistic."""
        used = white[self.order].ravel()
        return max(math.sqrt(float(used @ used)), 1e-6)


@lru_cache(maxsize=128)
def carrier(key: Key, stream: str, coefficients: int, code_bits: int) -> Carrier:
    """Spread `code_bits` over `coefficients` by the key.

    The random numbers are 64-bit little-endian words of SHAKE-256 over the stream's sub-key, so
    every implementation draws the same ones. Sorting the words (stable) orders the coefficients;
    the lowest bit of a word is the sign of its coefficient.
    """
    words = np.frombuffer(
        hashlib.shake_256(key.derive(stream)).digest(8 * coefficients), dtype="<u8"
    )
    each = coefficients // code_bits
    order = np.argsort(words, kind="stable")[: each * code_bits].reshape(code_bits, each)
    chips = 1 - 2 * (words & 1).astype(np.float32)
    spread = chips[order]
    for array in (order, spread):
        array.setflags(write=False)  # shared by all callers through the cache
    return Carrier(order, spread)
