"""Channel code of every watermark: a tail-biting convolutional code with soft decoding.

Constraint length 9, rate 1/4, generators 463 535 733 745 (octal), free distance 24: the best
known code of its length (Proakis, Digital Communications, table 8.2-3; Larsen 1973). Tail-biting
(Ma and Wolf 1986) spends no bits on closing the trellis. The decoder is the wrap-around Viterbi
algorithm (Shao, Lin and Fossorier 2003), cut to one trip with an overlap, for many received words
at once.

The information word is the payload followed by a 24-bit keyed tag of it, so a word that was
decoded wrongly is told from a right one without knowing the payload.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from aiglabel.errors import PayloadError
from aiglabel.label import PAYLOAD_BYTES

CONSTRAINT = 9
GENERATORS = (0o463, 0o535, 0o733, 0o745)
RATE_INVERSE = len(GENERATORS)
TAG_BYTES = 3
INFO_BITS = 8 * (PAYLOAD_BYTES + TAG_BYTES)
CODE_BITS = INFO_BITS * RATE_INVERSE

_MEMORY = CONSTRAINT - 1
_STATES = 1 << _MEMORY
# Steps beyond either end of the word, around the circle: after five constraint lengths the unknown
# state at the start is forgotten.
_OVERLAP = 48

Float = NDArray[np.float32]


def encode(payload: bytes, tag_key: bytes) -> NDArray[np.int8]:
    """Return the codeword of `payload` as ±1.

    Parameters
    ----------
    payload : bytes
        Exactly 8 bytes.
    tag_key : bytes
        Key of the integrity tag, at most 64 bytes.

    Returns
    -------
    ndarray of int8, shape (352,)

    Raises
    ------
    PayloadError
        For another length or type.
    """
    if not isinstance(payload, (bytes, bytearray)) or len(payload) != PAYLOAD_BYTES:
        raise PayloadError(f"the watermark payload is {PAYLOAD_BYTES} bytes")
    bits = np.unpackbits(np.frombuffer(bytes(payload) + _tag(payload, tag_key), np.uint8))
    word: NDArray[np.int8] = _encode_bits(bits[None])[0]
    return word


def decode(soft: Float, tag_keys: Sequence[bytes]) -> tuple[NDArray[np.int8], list[bytes | None]]:
    """Find the likeliest codeword of each row.

    Parameters
    ----------
    soft : float32, shape (rows, 352)
        Soft code bits, positive for +1; any scale.
    tag_keys : sequence of bytes
        Key of the integrity tag, one a row.

    Returns
    -------
    codewords : ndarray of int8, shape (rows, 352)
        ±1 codeword nearest to each row.
    payloads : list of (bytes or None)
        The payload where the tag agrees, else None.
    """
    bits = _viterbi(soft.reshape(len(soft), INFO_BITS, RATE_INVERSE))
    payloads: list[bytes | None] = []
    for word, tag_key in zip(np.packbits(bits, axis=1), tag_keys, strict=True):
        data = word.tobytes()
        payload, tag = data[:PAYLOAD_BYTES], data[PAYLOAD_BYTES:]
        payloads.append(payload if tag == _tag(payload, tag_key) else None)
    return _encode_bits(bits), payloads


def _tag(payload: bytes | bytearray, key: bytes) -> bytes:
    return hashlib.blake2b(payload, key=key, digest_size=TAG_BYTES).digest()


def _encode_bits(bits: NDArray[np.uint8]) -> NDArray[np.int8]:
    """Encode (rows, 88) bits to (rows, 352) signs: a circular convolution over GF(2)."""
    taps = np.array([[g >> i & 1 for i in range(CONSTRAINT)] for g in GENERATORS], np.uint8)
    history = np.stack([np.roll(bits, i, axis=1) for i in range(CONSTRAINT)], axis=-1)
    parity = (history @ taps.T) & 1
    signs: NDArray[np.int8] = (1 - 2 * parity.astype(np.int8)).reshape(len(bits), CODE_BITS)
    return signs


@cache
def _trellis() -> tuple[NDArray[np.intp], Float]:
    """Return the output index of both ways into each state, (2, 256), and the outputs, (4, 16).

    A state holds the last eight bits, newest in bit 0; bit i of a generator taps the bit that is
    i steps old. Into state s lead the states s >> 1 and s >> 1 | 128.
    """
    state = np.arange(_STATES)
    register = np.stack([state >> 1, state >> 1 | 1 << (_MEMORY - 1)]) << 1 | state & 1
    outputs = np.zeros_like(register)
    for generator in GENERATORS:
        outputs = outputs << 1 | (np.bitwise_count(register & generator) & 1)
    index = np.arange(1 << RATE_INVERSE)
    shifts = np.arange(RATE_INVERSE - 1, -1, -1)
    table = 1 - 2 * (index[:, None] >> shifts & 1)
    return outputs, table.T.astype(np.float32)


def _viterbi(soft: Float) -> NDArray[np.uint8]:
    """Wrap-around Viterbi over (rows, 88, 4) soft bits; returns (rows, 88) bits."""
    outputs, table = _trellis()
    rows, half = len(soft), _STATES // 2
    branch = soft @ table
    # Gains of either way into every state, (88, 2, rows, 128): states 2m and 2m + 1 apart, so that
    # both come from the same two states m and m + 128, and every inner loop is long.
    gains = [
        np.ascontiguousarray(branch[:, :, way.reshape(half, 2).T].transpose(1, 2, 0, 3))
        for way in outputs
    ]
    metric = np.zeros((rows, _STATES), np.float32)
    interleaved = metric.reshape(rows, half, 2).transpose(2, 0, 1)
    low, high = (np.empty((2, rows, half), np.float32) for _ in range(2))
    steps = range(-_OVERLAP, INFO_BITS + _OVERLAP)
    choices = np.empty((len(steps), 2, rows, half), np.bool_)
    for step, choice in zip(steps, choices, strict=True):
        at = step % INFO_BITS
        np.add(metric[:, :half], gains[0][at], out=low)
        np.add(metric[:, half:], gains[1][at], out=high)
        np.greater(high, low, out=choice)
        np.maximum(low, high, out=interleaved)
    row = np.arange(rows)
    state: Any = metric.argmax(axis=1)
    bits = np.empty((INFO_BITS, rows), np.uint8)
    for step, choice in zip(reversed(steps), choices[::-1], strict=True):
        if step < 0:
            break
        if step < INFO_BITS:
            bits[step] = state & 1
        way = choice[state & 1, row, state >> 1].astype(np.intp)
        state = state >> 1 | way << (_MEMORY - 1)
    return bits.T
