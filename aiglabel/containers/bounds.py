"""Reads of untrusted bytes that end in `CorruptMedia`, never in an IndexError or a short slice."""

from __future__ import annotations

import zlib
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import wraps
from itertools import accumulate
from typing import Literal, ParamSpec, TypeVar

from aiglabel.errors import CorruptMedia, ResourceLimit

P = ParamSpec("P")
T = TypeVar("T")
Walk = Callable[P, Iterator[T]]
Order = Literal["big", "little"]
Span = tuple[int, int]  # (start, end) byte offsets
Splice = tuple[int, int, bytes]  # (start, end, what stands there instead)


def bounded(most: int, what: str) -> Callable[[Walk[P, T]], Walk[P, T]]:
    """Make a generator refuse to yield more than `most` parts of a file.

    A file of a few megabytes can hold a hundred thousand empty parts, each of which costs time.

    Raises
    ------
    ResourceLimit
        From the generator, after `most` parts.
    """

    def limited(walk: Walk[P, T]) -> Walk[P, T]:
        @wraps(walk)
        def walker(*args: P.args, **kwargs: P.kwargs) -> Iterator[T]:
            for number, part in enumerate(walk(*args, **kwargs)):
                if number == most:
                    raise ResourceLimit(f"the file has more than {most} {what}")
                yield part

        return walker

    return limited


def take(data: bytes, at: int, count: int, what: str) -> bytes:
    """Return ``data[at:at + count]``.

    Raises
    ------
    CorruptMedia
        If the file does not hold that many bytes there.
    """
    if at < 0 or at + count > len(data):
        raise CorruptMedia(f"{what} runs past the end of its data")
    return data[at : at + count]


def uint(data: bytes, at: int, size: int, what: str, order: Order = "big") -> int:
    """Return the unsigned integer of `size` bytes at `at`; 0 for `size` 0."""
    return int.from_bytes(take(data, at, size, what), order)


def inflate(data: bytes, limit: int, what: str) -> tuple[bytes, bool]:
    """Return at most `limit` bytes of a zlib stream, and whether that was all of it."""
    stream = zlib.decompressobj()
    try:
        text = stream.decompress(data, limit)
    except zlib.error as error:
        raise CorruptMedia(f"{what} does not decompress: {error}") from error
    return text, not stream.unconsumed_tail


def check_total(spans: Iterable[Span], data: bytes, what: str) -> None:
    """Refuse spans that are together longer than four times the file.

    Spans of an honest file hardly overlap; a lying one could point thousands of times at the same
    megabytes.
    """
    if sum(end - start for start, end in spans) > 4 * len(data):
        raise CorruptMedia(f"{what} claims more bytes than the file has")


def gather(data: bytes, spans: Sequence[Span], what: str) -> list[memoryview]:
    """Return views of every span, all of them inside the file and no more than is honest."""
    check_total(spans, data, what)
    if any(start < 0 or start > end or end > len(data) for start, end in spans):
        raise CorruptMedia(f"{what} runs past the end of its data")
    view = memoryview(data)
    return [view[start:end] for start, end in spans]


def splice(data: bytes, edits: Iterable[Splice]) -> bytes:
    """Return `data` with every edit applied; edits do not overlap."""
    out, at = [], 0
    for start, end, new in sorted(edits):
        out += [data[at:start], new]
        at = end
    return b"".join([*out, data[at:]])


def growth(edits: Iterable[Splice]) -> int:
    """Return by how many bytes the edits make a file longer."""
    return sum(len(new) - (end - start) for start, end, new in edits)


def mover(edits: Iterable[Splice]) -> Callable[[int], int]:
    """Return the function that tells where an offset of the old file is after `splice`."""
    ordered = sorted((end, len(new) - (end - start)) for start, end, new in edits)
    ends = [end for end, _ in ordered]
    shifts = [0, *accumulate(grown for _, grown in ordered)]
    return lambda at: at + shifts[bisect_right(ends, at)]


def clear_of(spans: Iterable[Span], reserved: Iterable[Span]) -> list[Span]:
    """Return the spans that overlap none of the reserved ones."""
    ordered = sorted(span for span in reserved if span[0] < span[1])
    starts = [start for start, _ in ordered]
    reach = [0, *accumulate((end for _, end in ordered), max)]
    return [(a, b) for a, b in spans if reach[bisect_left(starts, b)] <= a]


def blanked(data: bytes, stale: Sequence[Span]) -> bytes:
    """Overwrite the spans of a replaced packet, lest a scanner take dead bytes for the label."""
    out = bytearray(data)
    for (start, end), old in zip(stale, gather(data, stale, "an XMP packet"), strict=True):
        out[start:end] = bytes(len(old))
    return bytes(out)
