"""Extensible Binary Meta Language (RFC 8794): elements with identifiers and sizes of any width."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from dataclasses import dataclass

from aiglabel.containers.bounds import bounded, uint
from aiglabel.errors import CorruptMedia, ResourceLimit

HEADER, DOC_TYPE, VOID, CRC = 0x1A45DFA3, 0x4282, 0xEC, 0xBF
HEAD_BYTES = 12  # the most an identifier and a size take
_WHAT = "an EBML element"


@dataclass(frozen=True)
class Element:
    """All of it is ``[start, end)``, its content begins at `body`; the end may not be stated."""

    kind: int
    start: int
    body: int
    end: int | None


@dataclass(frozen=True)
class Part:
    """An element in memory, whose end is known."""

    kind: int
    start: int
    body: int
    end: int


def head(data: bytes, at: int, offset: int = 0) -> Element:
    """Return the element whose first bytes stand at `at`; its places are counted from `offset`.

    Raises
    ------
    CorruptMedia
        If its identifier or size is none, or does not fit into `data`.
    """
    first = uint(data, at, 1, _WHAT)
    width = 9 - first.bit_length()
    if width > 4:
        raise CorruptMedia(f"{_WHAT} at byte {at + offset} has no identifier")
    kind, place = uint(data, at, width, _WHAT), at + width
    wide = 9 - uint(data, place, 1, _WHAT).bit_length()
    if wide > 8:
        raise CorruptMedia(f"{_WHAT} at byte {at + offset} has no size")
    most = (1 << 7 * wide) - 1
    size = uint(data, place, wide, _WHAT) & most
    body = place + wide + offset
    return Element(kind, at + offset, body, None if size == most else body + size)


@bounded(1 << 20, "elements")
def parts(data: bytes, start: int = 0, end: int | None = None) -> Iterator[Part]:
    """Yield the elements between two offsets of `data`, by default all.

    Raises
    ------
    CorruptMedia
        If one has no size, or does not fit.
    ResourceLimit
        For more than a million.
    """
    end = len(data) if end is None else end
    while start < end:
        one = head(data, start)
        if one.end is None or one.end > end:
            raise CorruptMedia(f"{_WHAT} runs past the end of the one around it")
        yield Part(one.kind, one.start, one.body, one.end)
        start = one.end


def element(kind: int, body: bytes, width: int = 1) -> bytes:
    """Return an element whose size takes at least `width` bytes."""
    return _identifier(kind) + size(len(body), width) + body


def size(value: int, width: int = 1) -> bytes:
    """Return a size in at least `width` bytes; one of all ones would mean that none is known."""
    while value >= (1 << 7 * width) - 1:
        width += 1
    if width > 8:
        raise ResourceLimit("an EBML element is larger than any can be")
    return (value | 1 << 7 * width).to_bytes(width, "big")


def void(room: int) -> bytes:
    """Return an element of nothing that takes `room` bytes: 0, or 2 and more."""
    if room == 0:
        return b""
    width = 1 if room < 9 else 8
    return bytes([VOID]) + size(room - 1 - width, width) + bytes(room - 1 - width)


def fits(room: int, needed: int) -> bool:
    """Whether `needed` bytes and a `void` fill the room."""
    return room == needed or room >= needed + 2


def packed(kind: int, body: bytes, width: int = 1) -> bytes:
    """Return an element whose first child, if that is a CRC-32, is right again."""
    first = next(parts(body), None) if body[:1] == bytes([CRC]) else None
    if first and first.end - first.body == 4:
        fresh = zlib.crc32(body[first.end :]).to_bytes(4, "little")
        body = body[: first.body] + fresh + body[first.end :]
    return element(kind, body, width)


def number(data: bytes, part: Part) -> int:
    """Return an unsigned integer."""
    return int.from_bytes(data[part.body : min(part.end, part.body + 8)], "big")


def width_of(part: Part) -> int:
    """Return how many bytes the size of an element takes."""
    return part.body - part.start - len(_identifier(part.kind))


def _identifier(kind: int) -> bytes:
    return kind.to_bytes((kind.bit_length() + 7) // 8, "big")
