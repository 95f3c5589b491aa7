"""Keyed carriers: which coefficients of a tile are pilots, which carry the message; their signs.

Every coefficient has a keyed sign (a chip). Some are *pilots*, known to whoever has the key: they
tell where a tile begins. The others carry the code bits. The signs of both are drawn apart, so
however hard the pilots were searched for, the message's statistic stays that of random signs.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from aiglabel.key import Key
from aiglabel.signal.code import CODE_BITS

Float = NDArray[np.float32]

# One coefficient in so many is a pilot. A pilot is found among some 10^7 places at 5.5 sigma, the
# message is read from 16 sigma: this share makes both give out at about the same damage.
_PILOT_EVERY = 6


@dataclass(frozen=True, eq=False)
class Carrier:
    """What one key makes of the coefficients (n,) of a tile.

    Attributes
    ----------
    chips : float32, shape (n,)
        Keyed signs, ±1.
    pilots : intp
        Indices of the coefficients known beforehand.
    message : intp
        Indices of those that carry code bits.
    bits : intp, shape of `message`
        The code bit each of them carries.
    """

    chips: Float
    pilots: NDArray[np.intp]
    message: NDArray[np.intp]
    bits: NDArray[np.intp]

    def signs(self, word: NDArray[np.int8]) -> Float:
        """Signs of all coefficients for a codeword (code bits,), ±1."""
        signs = self.chips.copy()
        signs[self.message] *= word[self.bits]
        return signs

    def only_pilots(self) -> Float:
        """Signs of the pilots, and 0 elsewhere."""
        signs = np.zeros_like(self.chips)
        signs[self.pilots] = self.chips[self.pilots]
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


def draw(key: Key, name: str, sizes: Sequence[int]) -> Carrier:
    """Draw the carrier of a key.

    The random numbers are 64-bit little-endian words of SHAKE-256 over the sub-key `name`. The
    lowest bit of a word is the chip of its coefficient. Within each of the groups of `sizes`
    coefficients, sorting the words (stable) orders the coefficients: the first sixth are pilots,
    the n-th of the other m carries code bit ``n * 352 // m``, so each group alone is an evenly
    punctured code.
    """
    digest = hashlib.shake_256(key.derive(name)).digest(8 * sum(sizes))
    words = np.frombuffer(digest, "<u8")
    pilots, message, bits = [], [], []
    for start, size in zip(np.cumsum((0, *sizes[:-1])), sizes, strict=True):
        order = start + np.argsort(words[start : start + size], kind="stable")
        known = size // _PILOT_EVERY
        pilots.append(order[:known])
        message.append(order[known:])
        bits.append(np.arange(size - known) * CODE_BITS // (size - known))
    chips = 1 - 2 * (words & 1).astype(np.float32)
    return Carrier(chips, np.concatenate(pilots), np.concatenate(message), np.concatenate(bits))


def freeze(carrier: Carrier) -> None:
    """Make the arrays read-only: they are shared by all callers through a cache."""
    for array in vars(carrier).values():
        array.setflags(write=False)
