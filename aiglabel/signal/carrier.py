"""Keyed carriers: which coefficient carries which code bit, and with which sign."""

from __future__ import annotations

import hashlib
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from aiglabel.key import Key


@lru_cache(maxsize=128)
def carrier(
    key: Key, stream: str, coefficients: int, code_bits: int
) -> tuple[NDArray[np.intp], NDArray[np.float32]]:
    """Spread `code_bits` over `coefficients` by the key.

    The random numbers are 64-bit little-endian words of SHAKE-256 over the stream's sub-key, so
    every implementation draws the same ones. Sorting the words (stable) orders the coefficients;
    the lowest bit of a word is the sign of its coefficient.

    Returns
    -------
    order : ndarray of intp, shape (code_bits, coefficients // code_bits)
        Coefficient indices of each code bit.
    chips : ndarray of float32, same shape
        Their signs, ±1.
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
    return order, spread
