"""Channel code of every watermark: tail-biting convolutional codes with soft list decoding.

Rate 1/4, the best known generators of their length (Larsen 1973; Proakis, Digital Communications,
table 8.2-3). Tail-biting spends no bits on closing the trellis: it is a circle, and a codeword is
a path that ends in the state it began in (Ma and Wolf 1986).

The information word is the payload followed by a 24-bit keyed tag of it. The tag tells a right
word from a wrong one without knowing the payload, so the decoder lists several words for it to
choose from (list Viterbi algorithm; Seshadri and Sundberg 1994). Two stages:

1. Forward and backward metrics around the circle tell how likely every state is at every place
   (max-log BCJR). The circle is cut where the fewest states are likely.
2. From each of those few states the Viterbi algorithm makes one trip back to the same state, so
   that every path is a codeword. The best paths, and those that leave them for one or two detours,
   are the list.

With the list, constraint lengths above 11 gain nothing: the tag does what a longer code would.

Soft bits are rounded to whole numbers that float32 adds exactly. So neither the machine nor the
other rows change what is decoded.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

from aiglabel.errors import PayloadError
from aiglabel.label import PAYLOAD_BYTES

RATE_INVERSE = 4
TAG_BYTES = 3
INFO_BITS = 8 * (PAYLOAD_BYTES + TAG_BYTES)
CODE_BITS = INFO_BITS * RATE_INVERSE


@dataclass(frozen=True)
class Effort:
    """How much is tried to find a word with a right tag.

    Attributes
    ----------
    candidates : int
        Length of the list. A word decoded wrongly passes the tag with a chance of 2^-24, one of 64
        with 2^-18.
    starts, detours : int
        States the circle is cut at, and detours of a path.

    Raises
    ------
    ValueError
        For a list that is empty, or longer than starts and detours can fill.
    """

    candidates: int
    starts: int
    detours: int

    def __post_init__(self) -> None:
        most = self.starts * (1 + INFO_BITS * min(self.detours, 1))
        if not 1 <= self.candidates <= most:
            raise ValueError(f"candidates must be 1 to {most}")


ONE = Effort(1, 6, 0)
USUAL = Effort(64, 6, 2)
THOROUGH = Effort(512, 12, 4)
"""Half of the words are read at 11.1 standard deviations, not 11.4, in four times the time."""

# Steps from one possible cut to the next.
_STRIDE = 4
# Steps in which metrics forget where they began, in constraint lengths.
_FORGETTING = 4
# Rows decoded at once take 3 MB each at constraint length 11.
_ROWS = 8
# The largest soft bit, and the metric of a state that is no start. No path from such a state ever
# overtakes, as 352 soft bits are less than 2^22; all metrics stay below 2^24.
_LARGEST = 1 << 13
_FAR = -float(1 << 23)

Float = NDArray[np.float32]
Bits = NDArray[np.uint8]
Index = NDArray[np.intp]


@dataclass(frozen=True)
class Code:
    """A tail-biting code of rate 1/4 for 88 information bits.

    Attributes
    ----------
    constraint : int
        Constraint length: the information bits that a code bit depends on.
    generators : tuple of 4 int
        Bit i of a generator taps the information bit that is i steps old. All tap the newest and
        the oldest bit, as those of good codes do; the decoder relies on it.
    """

    constraint: int
    generators: tuple[int, int, int, int]

    def encode(self, payload: bytes, tag_key: bytes) -> NDArray[np.int8]:
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
        word: NDArray[np.int8] = self.encode_bits(bits[None])[0]
        return word

    def encode_bits(self, bits: Bits) -> NDArray[np.int8]:
        """Encode (rows, 88) bits to (rows, 352) signs: a circular convolution over GF(2)."""
        old = range(self.constraint)
        taps = np.array([[g >> i & 1 for i in old] for g in self.generators], np.uint8)
        history = np.stack([np.roll(bits, i, axis=1) for i in old], axis=-1)
        parity = (history @ taps.T) & 1
        signs: NDArray[np.int8] = (1 - 2 * parity.astype(np.int8)).reshape(len(bits), CODE_BITS)
        return signs

    def decode(
        self, soft: Float, tag_keys: Sequence[bytes], *, effort: Effort = USUAL
    ) -> tuple[NDArray[np.int8], list[bytes | None]]:
        """Find the likeliest codeword of each row, or the likeliest with a right tag.

        Parameters
        ----------
        soft : float32, shape (rows, 352)
            Soft code bits, positive for +1; any scale; 0 for an erased one.
        tag_keys : sequence of bytes
            Key of the integrity tag, one a row.
        effort : Effort
            Of a row that holds no codeword of the key some candidate passes the tag with a chance
            of ``effort.candidates`` / 2^24.

        Returns
        -------
        codewords : ndarray of int8, shape (rows, 352)
            ±1 codeword of the first candidate whose tag agrees; without one, of the first.
        payloads : list of (bytes or None)
            The payload where a tag agrees, else None.
        """
        bits = np.empty((len(soft), INFO_BITS), np.uint8)
        payloads: list[bytes | None] = []
        for begin in range(0, len(soft), _ROWS):
            block = slice(begin, begin + _ROWS)
            offered = _likeliest(self, soft[block], effort)
            for row, words, key in zip(bits[block], offered, tag_keys[block], strict=True):
                right, payload = _tagged(words, key)
                row[:] = words[right]
                payloads.append(payload)
        return self.encode_bits(bits), payloads


DWT_1 = Code(9, (0o463, 0o535, 0o733, 0o745))
DWT_2 = Code(11, (0o2327, 0o2353, 0o2671, 0o3175))


def _tag(payload: bytes | bytearray, key: bytes) -> bytes:
    return hashlib.blake2b(payload, key=key, digest_size=TAG_BYTES).digest()


def _tagged(words: Bits, key: bytes) -> tuple[int, bytes | None]:
    """Return the index and the payload of the first of (n, 88) words whose tag is right."""
    for index, word in enumerate(np.packbits(words, axis=1)):
        data = word.tobytes()
        payload, tag = data[:PAYLOAD_BYTES], data[PAYLOAD_BYTES:]
        if tag == _tag(payload, key):
            return index, payload
    return 0, None


def _likeliest(code: Code, soft: Float, effort: Effort) -> Bits:
    """List information words of each row, likeliest first: (rows, candidates, 88) bits."""
    gains = _gains(code, soft)
    cut, starts = _cut(_marginals(gains, _FORGETTING * code.constraint), effort.starts)
    leads, scores = _trips(gains, cut, starts)
    bits = _paths(leads, starts, scores, effort)
    steps = (np.arange(INFO_BITS)[:, None] - cut) % INFO_BITS
    turned: Bits = np.take_along_axis(bits, steps[..., None], axis=0).transpose(1, 2, 0)
    return turned


@cache
def _outputs(code: Code) -> tuple[Index, Float]:
    """Return the output index of the ways into the states, (2, half), and all outputs, (4, 16).

    A state holds the last bits, newest in bit 0. From the states m and m + half lead the four ways
    to 2m and 2m + 1. As all generators tap the newest and the oldest bit, two of them have the
    output of m to 2m, which is listed first, and two its negative.
    """
    register = np.arange(1 << (code.constraint - 2)) << 1
    first = np.zeros_like(register)
    for generator in code.generators:
        first = first << 1 | (np.bitwise_count(register & generator) & 1)
    index = np.arange(1 << RATE_INVERSE)
    table = 1 - 2 * (index[:, None] >> np.arange(RATE_INVERSE - 1, -1, -1) & 1)
    return np.stack([first, index[-1] - first]), table.T.astype(np.float32)


def _gains(code: Code, soft: Float) -> Float:
    """Return what the ways from m to 2m and to 2m + 1 gain at each step, (88, rows, 2, half)."""
    largest = np.abs(soft).max(axis=1, keepdims=True, initial=np.finfo(np.float32).tiny)
    whole = np.rint(soft / largest * np.float32(_LARGEST))
    index, table = _outputs(code)
    branch = whole.reshape(len(soft), INFO_BITS, RATE_INVERSE) @ table
    gains: Float = branch.transpose(1, 0, 2)[..., index]
    return gains


def _halves(metric: Float) -> Float:
    """View (..., states) as (..., 2, half): [0, m] is state m, [1, m] is m + half."""
    return metric.reshape(*metric.shape[:-1], 2, -1)


def _pairs(metric: Float) -> Float:
    """View (..., states) as (..., 2, half): [0, m] is state 2m, [1, m] is 2m + 1."""
    return metric.reshape(*metric.shape[:-1], -1, 2).swapaxes(-1, -2)


def _step(here: Float, gains: Float, there: Float, low: Float, high: Float) -> None:
    """Go one step from halves to pairs, or backwards from pairs to halves; `there` gets the best.

    `low` and `high` get the metrics by the first and the second row of `here`.
    """
    np.add(here[..., :1, :], gains, out=low)
    np.subtract(here[..., 1:, :], gains, out=high)
    np.maximum(low, high, out=there)


def _marginals(gains: Float, overlap: int) -> Float:
    """Return the best metric of a path through each state at each possible cut, (22, rows, states).

    Paths begin and end anywhere, `overlap` steps beyond either end of one trip around the circle.
    """
    rows, states = gains.shape[1], 2 * gains.shape[3]
    marginals = np.empty((INFO_BITS // _STRIDE, rows, states), np.float32)
    metric = np.zeros((rows, states), np.float32)
    halves, pairs = _halves(metric), _pairs(metric)
    low, high = np.empty((2, *gains.shape[1:]), np.float32)
    for step in range(-overlap, INFO_BITS):
        if step >= 0 and step % _STRIDE == 0:
            marginals[step // _STRIDE] = metric
        _step(halves, gains[step % INFO_BITS], pairs, low, high)
    metric[:] = 0
    for step in reversed(range(INFO_BITS + overlap)):
        _step(pairs, gains[step % INFO_BITS], halves, low, high)
        if step < INFO_BITS and step % _STRIDE == 0:
            marginals[step // _STRIDE] += metric
    return marginals


def _cut(marginals: Float, count: int) -> tuple[Index, Index]:
    """Choose the step to cut before, (rows,), and the states to start from, (rows, starts).

    The cut is where the best state left out is worst.
    """
    ranked = np.partition(marginals, -count - 1, axis=-1)
    margin = ranked[..., -count:].max(axis=-1) - ranked[..., -count - 1]
    cut = margin.argmax(axis=0)
    chosen = marginals[cut, np.arange(len(cut))]
    return cut * _STRIDE, chosen.argpartition(-count, axis=-1)[:, -count:]


def _trips(gains: Float, cut: Index, starts: Index) -> tuple[Float, Float]:
    """Go once around the circle from each start.

    Returns
    -------
    leads : float32, shape (88, rows * starts * states)
        How much better a state is reached from the upper half of the states than from the lower.
    scores : float32, shape (rows, starts)
        Metric of the best path back to the start.
    """
    half = gains.shape[3]
    metric = np.full((*starts.shape, 2 * half), _FAR, np.float32)
    np.put_along_axis(metric, starts[..., None], 0, axis=-1)
    halves, pairs = _halves(metric), _pairs(metric)
    leads = np.empty((INFO_BITS, *metric.shape), np.float32)
    low, high = np.empty((2, *halves.shape), np.float32)
    rows = np.arange(len(cut))
    for step, lead in enumerate(leads):
        _step(halves, gains[(cut + step) % INFO_BITS, rows][:, None], pairs, low, high)
        np.subtract(high, low, out=_pairs(lead))
    scores: Float = np.take_along_axis(metric, starts[..., None], axis=-1)[..., 0]
    return leads.reshape(INFO_BITS, -1), scores


def _paths(leads: Float, starts: Index, scores: Float, effort: Effort) -> Bits:
    """List the best paths of each row by their bits, (88, rows, paths).

    A path is known by its trip and its detours: the steps at which, seen from the end, it comes
    from the worse of two states. A detour costs the lead of the better one. Each round adds at most
    one detour to a path, always before (in time) those it has, so that no path is listed twice.
    """
    trip = np.broadcast_to(np.arange(starts.shape[1]), starts.shape)
    cost = scores.max(axis=1, keepdims=True) - scores
    first = np.full(starts.shape, INFO_BITS)
    detours = np.zeros((INFO_BITS, *starts.shape), np.bool_)
    bits, margins = _trace(leads, starts, trip, detours)
    steps = np.arange(INFO_BITS)[:, None, None]
    count = effort.candidates
    for _ in range(effort.detours):
        longer = np.where(steps < first, cost + margins, np.float32(np.inf))
        # Choice 0 of a path is itself, choice i its detour at step i - 1.
        costs = np.concatenate([cost[None], longer]).transpose(1, 2, 0).reshape(len(starts), -1)
        kept = costs.argpartition(count - 1, axis=1)[:, :count]
        parent, choice = np.divmod(kept, INFO_BITS + 1)
        trip = np.take_along_axis(trip, parent, axis=1)
        cost = np.take_along_axis(costs, kept, axis=1)
        first = np.where(choice > 0, choice - 1, np.take_along_axis(first, parent, axis=1))
        detours = np.take_along_axis(detours, parent[None], axis=2) | (steps == choice - 1)
        bits, margins = _trace(leads, starts, trip, detours)
    best = cost.argsort(axis=1, kind="stable")[:, :count]
    listed: Bits = np.take_along_axis(bits, best[None], axis=2)
    return listed


def _trace(
    leads: Float, starts: Index, trip: Index, detours: NDArray[np.bool_]
) -> tuple[Bits, Float]:
    """Follow paths back from the end: their bits and what a detour would cost at each step.

    Parameters
    ----------
    leads, starts
        As in `_trips`.
    trip : intp, shape (rows, paths)
    detours : bool, shape (88, rows, paths)

    Returns
    -------
    bits : uint8, shape (88, rows, paths)
    margins : float32, shape (88, rows, paths)
    """
    rows, count = starts.shape
    states = leads.shape[1] // (rows * count)
    # Nodes count the states of all trips; halving one halves the number before its trip, too.
    before = (np.arange(rows)[:, None] * count + trip) * states
    lower, upper = before // 2, (before + states) // 2
    node = before + np.take_along_axis(starts, trip, axis=1)
    nodes = np.empty(detours.shape, np.intp)
    margins = np.empty(detours.shape, np.float32)
    for step in reversed(range(INFO_BITS)):
        nodes[step] = node
        margins[step] = lead = leads[step].take(node)
        node = (node >> 1) + np.where((lead > 0) ^ detours[step], upper, lower)
    return (nodes & 1).astype(np.uint8), np.abs(margins)
