"""The periodic tile of sound: wavelet coefficients of a map of time and pitch; it repeats in time.

The map has a column for every band (`BANDS`, 50 Hz wide and from 1667 Hz on 3 %) and a row for
every 20 ms; its values are levels in decibels. The tile is one level of a Haar transform: each
coefficient raises two cells and lowers their two neighbours, so neither loudness nor timbre changes
as a whole. Bands of growing width that hold their place in a change of pitch follow Tachibana,
Shimizu, Nakamura and Kobayashi (2001); Haar details on them measured better than plain cells of
twice the length, and sym4 or deeper transforms worse.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import pywt
from numpy.typing import NDArray

from aiglabel.errors import PayloadError
from aiglabel.key import Key
from aiglabel.label import PAYLOAD_BYTES
from aiglabel.signal import carrier as carriers
from aiglabel.signal import code

Float = NDArray[np.float32]
Spectrum = NDArray[np.complex64]

ROWS = 128
"""Rows of the tile, `HOP` seconds each."""
HOP = 0.02
BANDS = 74
LONG = 15.0
"""Seconds that two halves, of 8 bytes each, ask for: each is half as loud."""
LOWEST = 300.0
"""Hz at which the first band begins."""
OVERSAMPLED = 2
"""Rows that are listened to for each row of the tile."""
PERIOD = ROWS * OVERSAMPLED
"""Rows that are listened to in one tile."""

_WAVELET = "haar"
_SHAPE = (ROWS // 2, BANDS // 2)
_SIZES = (math.prod(_SHAPE),) * 3
COEFFICIENTS = sum(_SIZES)
# Amplitudes of the details: along time only, along pitch only, along both. Level by itself changes
# much along time, so the first are the noisiest.
_AMPLITUDES = (0.5, 1.0, 1.0)


@dataclass(frozen=True, eq=False)
class Carrier(carriers.Carrier):
    """What one key makes of the `COEFFICIENTS` of a tile.

    Attributes
    ----------
    template : complex64, shape (BANDS, PERIOD // 2 + 1)
        Conjugate spectra along time of the pilots alone, as they are listened to.
    """

    template: Spectrum


@lru_cache(maxsize=128)
def carrier(key: Key) -> Carrier:
    """Draw the carrier of a key: that of `carrier.draw` for ``audio-1/tile``."""
    drawn = carriers.draw(key, "audio-1/tile", _SIZES)
    made = Carrier(**vars(drawn), template=heard(gains() * drawn.only_pilots()))
    carriers.freeze(made)
    return made


def companion(key: Key) -> Key:
    """Return the key that the second half of a message of 16 bytes is marked with."""
    return Key(key.derive("audio-1/second"))


def words(payload: bytes, key: Key) -> list[tuple[Key, NDArray[np.int8]]]:
    """Return what is said of a payload, and with which keys: one codeword for every 8 bytes.

    Raises
    ------
    PayloadError
        When `payload` is neither 8 nor 16 bytes.
    """
    if len(payload) not in (PAYLOAD_BYTES, 2 * PAYLOAD_BYTES):
        raise PayloadError(
            f"the watermark payload of a sound is {PAYLOAD_BYTES} bytes, "
            f"or {2 * PAYLOAD_BYTES} for {LONG:g} s and more"
        )
    keys = (key, companion(key))[: len(payload) // PAYLOAD_BYTES]
    return [
        (one, code.DWT_2.encode(payload[at : at + PAYLOAD_BYTES], one.derive("audio-1/tag")))
        for one, at in zip(keys, range(0, len(payload), PAYLOAD_BYTES), strict=True)
    ]


def message(payload: bytes, key: Key) -> Float:
    """Return the nominal coefficients (COEFFICIENTS,) that say a payload; two halves share them."""
    said = np.stack([carrier(one).signs(word) for one, word in words(payload, key)])
    shared: Float = said.sum(axis=0) * (gains() / np.float32(math.sqrt(len(said))))
    return shared


def heard(values: Float) -> Spectrum:
    """Conjugate spectra along time (BANDS, PERIOD // 2 + 1) of a tile as it is listened to."""
    rows = np.repeat(synthesise(values), OVERSAMPLED, axis=0)
    # A row between two rows of the tile hears half of each.
    rows += np.roll(rows, 1, axis=0)
    return np.ascontiguousarray(np.fft.rfft(rows.T).conj()).astype(np.complex64)


@lru_cache(maxsize=1)
def edges() -> Float:
    """Edges (BANDS + 1,) of the bands, Hz: each 50 Hz above the last, or 3 % where that is more."""
    found = [LOWEST]
    for _ in range(BANDS):
        found.append(found[-1] + max(50.0, 0.03 * found[-1]))
    return np.array(found, np.float32)


@lru_cache(maxsize=1)
def gains() -> Float:
    """Nominal coefficients (COEFFICIENTS,) without signs; the tile has a mean square of 1."""
    each = np.repeat(np.array(_AMPLITUDES, np.float32), _SIZES)
    return each * np.float32(math.sqrt(ROWS * BANDS) / np.linalg.norm(each))


def synthesise(values: Float) -> Float:
    """Return the (ROWS, BANDS) tile with these coefficients (COEFFICIENTS,)."""
    along_time, along_pitch, along_both = np.split(values, 3)
    details = tuple(part.reshape(_SHAPE) for part in (along_time, along_pitch, along_both))
    tile: Float = pywt.idwt2((None, details), _WAVELET, mode="periodization")
    return tile.astype(np.float32)


def analyse(tile: Float) -> Float:
    """Return the coefficients (COEFFICIENTS,) of a (ROWS, BANDS) tile: inverse of `synthesise`."""
    _, details = pywt.dwt2(tile, _WAVELET, mode="periodization")
    return np.concatenate([part.ravel() for part in details])
