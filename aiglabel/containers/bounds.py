"""Reads of untrusted bytes that end in `CorruptMedia`, never in an IndexError or a short slice."""

from __future__ import annotations

import zlib
from collections.abc import Iterable
from typing import Literal

from aiglabel.errors import CorruptMedia

MAX_TEXT = 1 << 20  # bytes one compressed text may grow to

Order = Literal["big", "little"]
Span = tuple[int, int]  # (start, end) byte offsets
Splice = tuple[int, int, bytes]  # (start, end, what stands there instead)


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


def inflate(data: bytes, what: str) -> tuple[bytes, bool]:
    """Return at most `MAX_TEXT` bytes of a zlib stream, and whether that was all of it."""
    stream = zlib.decompressobj()
    try:
        text = stream.decompress(data, MAX_TEXT)
    except zlib.error as error:
        raise CorruptMedia(f"{what} does not decompress: {error}") from error
    return text, not stream.unconsumed_tail


def gather(data: bytes, spans: Iterable[Span], what: str) -> list[bytes]:
    """Return the bytes of every span.

    Spans of an honest file hardly overlap; a lying one could point thousands of times at the same
    megabytes, so the sum is held below four times the file.
    """
    spans = list(spans)
    if sum(end - start for start, end in spans) > 4 * len(data):
        raise CorruptMedia(f"{what} claims more bytes than the file has")
    return [take(data, start, end - start, what) for start, end in spans]


def splice(data: bytes, edits: Iterable[Splice]) -> bytes:
    """Return `data` with every edit applied; edits do not overlap."""
    out, at = [], 0
    for start, end, new in sorted(edits):
        out += [data[at:start], new]
        at = end
    return b"".join([*out, data[at:]])


def clear_of(spans: Iterable[Span], reserved: Iterable[Span]) -> list[Span]:
    """Return the spans that overlap none of the reserved ones."""
    reserved = [span for span in reserved if span[0] < span[1]]
    return [(a, b) for a, b in spans if not any(a < end and start < b for start, end in reserved)]


def blanked(data: bytes, stale: Iterable[Span]) -> bytes:
    """Overwrite the spans of a replaced packet, lest a scanner take dead bytes for the label."""
    out = bytearray(data)
    for start, end in stale:
        out[start:end] = bytes(end - start)
    return bytes(out)
