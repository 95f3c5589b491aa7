"""Action Message Format 0 (Adobe, 2007): what the script data of Flash video are made of.

Values are found and skipped, never built: all that is wanted are names, texts and the places of
numbers.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from aiglabel.containers.bounds import take, uint
from aiglabel.errors import CorruptMedia, ResourceLimit

NUMBER, STRING, OBJECT, ARRAY, STRICT, LONG = 0, 2, 3, 8, 10, 12
_SIZES = {0: 8, 1: 1, 5: 0, 6: 0, 7: 2, 11: 10, 13: 0}
_SHORT = 0xFFFF
_DEPTH = 16
_MOST = 1 << 20
_END = b"\0\0\x09"
_WHAT = "script data of an FLV"


@dataclass(frozen=True)
class Property:
    """A named value: its name from `start`, its value ``[value, end)``, its type first."""

    name: bytes
    start: int
    value: int
    end: int


def text(data: bytes, at: int) -> bytes | None:
    """Return the bytes of the string value at `at`; None for a value of another type."""
    kind = uint(data, at, 1, _WHAT)
    if kind not in (STRING, LONG):
        return None
    width = 2 if kind == STRING else 4
    return take(data, at + 1 + width, uint(data, at + 1, width, _WHAT), _WHAT)


def string(raw: bytes) -> bytes:
    """Return a string value.

    Raises
    ------
    ResourceLimit
        For one that needs more than 16 bits of length.
    """
    if len(raw) > _SHORT:
        raise ResourceLimit(f"an FLV carries no label longer than {_SHORT} bytes")
    return bytes([STRING]) + len(raw).to_bytes(2, "big") + raw


def named(name: bytes, value: bytes) -> bytes:
    """Return a property: a name, and its value as it is."""
    return len(name).to_bytes(2, "big") + name + value


def properties(data: bytes, at: int) -> list[Property]:
    """Return the properties of the object or array at `at`; none for a value of another type.

    Raises
    ------
    CorruptMedia, ResourceLimit
        If the values do not fit, or are too many or too deep.
    """
    return list(_Walk(data).properties(at))


def numbers(data: bytes, value: int) -> list[int]:
    """Return where the eight bytes of each number in a strict array are."""
    if uint(data, value, 1, _WHAT) != STRICT:
        return []
    places, walk, at = [], _Walk(data), value + 5
    for _ in range(uint(data, value + 1, 4, _WHAT)):
        if uint(data, at, 1, _WHAT) == NUMBER:
            take(data, at + 1, 8, _WHAT)
            places.append(at + 1)
        at = walk.after(at)
    return places


class _Walk:
    """One pass over values, with an eye on how many there are."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._left = _MOST

    def properties(self, at: int, depth: int = 0) -> Iterator[Property]:
        kind = uint(self._data, at, 1, _WHAT)
        if kind not in (OBJECT, ARRAY):
            return
        at += 1 if kind == OBJECT else 5
        # Some writers leave out the end of an array.
        while at < len(self._data) and self._data[at : at + 3] != _END:
            start, size = at, uint(self._data, at, 2, _WHAT)
            value = at + 2 + size
            at = self.after(value, depth + 1)
            yield Property(self._data[start + 2 : value], start, value, at)

    def after(self, at: int, depth: int = 0) -> int:
        """Return where the value at `at` ends."""
        self._left -= 1
        if self._left < 0 or depth > _DEPTH:
            raise ResourceLimit(f"{_WHAT} has too many values, or too deep ones")
        data, kind = self._data, uint(self._data, at, 1, _WHAT)
        if kind in _SIZES:
            end = at + 1 + _SIZES[kind]
        elif kind in (OBJECT, ARRAY):
            end = at + (1 if kind == OBJECT else 5)
            for one in self.properties(at, depth):
                end = one.end
            end += 3 if data[end : end + 3] == _END else 0
        elif kind == STRICT:
            end = at + 5
            for _ in range(uint(data, at + 1, 4, _WHAT)):
                end = self.after(end, depth + 1)
        elif kind in (STRING, LONG, 15):
            width = 2 if kind == STRING else 4
            end = at + 1 + width + uint(data, at + 1, width, _WHAT)
        else:
            raise CorruptMedia(f"{_WHAT} has a value of the unknown type {kind}")
        if end > len(data):
            raise CorruptMedia(f"{_WHAT} runs past the end of its data")
        return end
