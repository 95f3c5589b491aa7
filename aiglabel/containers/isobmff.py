"""ISO base media file format: boxes, item tables and sample tables (ISO/IEC 14496-12).

Reading and packing only; what the tables mean for pictures is the business of `heif`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice

from aiglabel.containers.bounds import Span, bounded, take, uint
from aiglabel.errors import CorruptMedia, UnsupportedFormat

IN_FILE, IN_IDAT = 0, 1
_WHAT = "an ISO media box"


@dataclass(frozen=True)
class Box:
    """``data[start:end]`` is all of it, `body` where its content begins."""

    kind: bytes
    start: int
    body: int
    end: int


@dataclass(frozen=True)
class Item:
    """One entry of ``iinf``: identifier, type, MIME type if any, and its ``infe`` box."""

    number: int
    kind: bytes
    mime: bytes
    box: Box


@dataclass(frozen=True)
class Extent:
    """A run of an item's bytes; `start` has the entry's base added."""

    index: int
    start: int
    length: int


@dataclass(frozen=True)
class Location:
    """One entry of ``iloc``. Method 0 counts from the file, 1 from ``idat``, 2 from an item."""

    method: int
    source: int  # data reference index; 0 is this file
    base: int
    extents: list[Extent]

    @property
    def in_file(self) -> bool:
        """Whether its offsets count from the start of this file."""
        return self.method == IN_FILE and self.source == 0


@dataclass(frozen=True)
class ItemLocations:
    """``iloc``: version, bytes of (offset, length, base, index), entries by item identifier."""

    version: int
    widths: tuple[int, int, int, int]
    entries: dict[int, Location]

    def pack(self) -> bytes:
        """Return the box. Offsets in the file go into the base where there is room for one.

        c2pa 0.38 moves an offset twice if it stands in an extent beside a base of zero.

        Raises
        ------
        UnsupportedFormat
            If an offset does not fit the widths of the table.
        """
        offset, length, base, index = self.widths
        wide = 4 if self.version == 2 else 2
        sizes = offset << 12 | length << 8 | base << 4 | index
        out = [bytes([self.version, 0, 0, 0]), pack(sizes, 2), pack(len(self.entries), wide)]
        for item, entry in self.entries.items():
            start = entry.base
            if entry.in_file:
                start = min((extent.start for extent in entry.extents), default=0) if base else 0
            out += [pack(item, wide), pack(entry.method, 2) if self.version else b""]
            out += [pack(entry.source, 2), pack(start, base), pack(len(entry.extents), 2)]
            for extent in entry.extents:
                out += [pack(extent.index, index), pack(extent.start - start, offset)]
                out.append(pack(extent.length, length))
        return box(b"iloc", b"".join(out))


@dataclass(frozen=True)
class Meta:
    """One ``meta`` box, of the file or of a `track`, with its item tables."""

    box: Box
    track: Box | None
    parts: dict[bytes, Box]
    items: list[Item]
    locations: ItemLocations

    def numbers(self, chosen: Callable[[Item], bool]) -> dict[int, None]:
        """Return the identifiers of the chosen items, as an ordered set."""
        return {item.number: None for item in self.items if chosen(item)}

    def spans(self, number: int) -> list[Span]:
        """Return where in the file the bytes of an item are; nothing for an item without any."""
        entry = self.locations.entries.get(number, Location(IN_FILE, 0, 0, []))
        start, end = 0, None
        if entry.method == IN_IDAT and b"idat" in self.parts:
            start, end = self.parts[b"idat"].body, self.parts[b"idat"].end
        elif not entry.in_file:
            raise UnsupportedFormat("a picture item is stored in another item or file")
        spans = [(start + e.start, start + e.start + e.length) for e in entry.extents]
        if end is not None and any(stop > end for _, stop in spans):
            raise CorruptMedia("a picture item runs past its idat box")
        return spans


def box(kind: bytes, body: bytes) -> bytes:
    """Return a box."""
    return pack(len(body) + 8, 4) + kind + body


def pack(value: int, size: int) -> bytes:
    """Return `value` in `size` bytes, or raise `UnsupportedFormat` where it does not fit."""
    try:
        return value.to_bytes(size, "big")
    except OverflowError as error:
        raise UnsupportedFormat("a number outgrows its field in the box tables") from error


@bounded(1 << 14, "boxes")
def boxes(data: bytes, start: int = 0, end: int | None = None) -> Iterator[Box]:
    """Yield the boxes between two offsets, by default those at the top of the file."""
    end = len(data) if end is None else end
    while start < end:
        size, body = uint(data, start, 4, _WHAT), start + 8
        kind = take(data, start + 4, 4, _WHAT)
        if size == 1:
            size, body = uint(data, start + 8, 8, _WHAT), start + 16
        elif size == 0:
            size = end - start
        if size < body - start or start + size > end:
            raise CorruptMedia(f"the {kind!r} box at byte {start} has an impossible size")
        yield Box(kind, start, body, start + size)
        start += size


def movie(data: bytes) -> Box | None:
    """Return the ``moov`` box of a picture sequence."""
    return next((part for part in boxes(data) if part.kind == b"moov"), None)


def tracks(data: bytes) -> list[Box]:
    """Return the ``trak`` boxes."""
    moov = movie(data)
    inside = boxes(data, moov.body, moov.end) if moov else ()
    return [part for part in inside if part.kind == b"trak"]


def metas(data: bytes) -> list[Meta]:
    """Return the ``meta`` boxes that have items: the file's, then the tracks'."""
    found = [_meta(data, boxes(data), None)]
    found += [_meta(data, boxes(data, trak.body, trak.end), trak) for trak in tracks(data)]
    return [meta for meta in found if meta]


def media_tables(
    data: bytes, track: Box, path: tuple[bytes, ...] = (b"mdia", b"minf", b"stbl")
) -> Iterator[Box]:
    """Yield the boxes of a track, and of those in it that lead to the sample table; no metadata."""
    for child in boxes(data, track.body, track.end):
        if path and child.kind == path[0]:
            yield from media_tables(data, child, path[1:])
        elif child.kind not in (b"meta", b"udta"):
            yield child


def table(data: bytes, part: Box, width: int, skip: int = 4) -> list[int]:
    """Return the integers of `width` bytes after version, `skip` - 4 bytes more, and a count."""
    count = uint(data, part.body + skip, 4, _WHAT)
    start = part.body + skip + 4
    if start + count * width > part.end:
        raise CorruptMedia(f"the {part.kind!r} table is longer than its box")
    raw = data[start : start + count * width]
    return [int.from_bytes(raw[i : i + width], "big") for i in range(0, len(raw), width)]


def chunk_offsets(data: bytes, part: Box) -> list[int]:
    """Return the offsets in ``stco`` or ``co64``."""
    return table(data, part, 4 if part.kind == b"stco" else 8)


def sample_spans(data: bytes, tables: dict[bytes, Box]) -> list[Span]:
    """Return where the chunks of a track are, from its sample tables by box type."""
    place = tables.get(b"stco", tables.get(b"co64"))
    if place is None or b"stsz" not in tables or b"stsc" not in tables:
        raise UnsupportedFormat("a track has no ordinary sample tables")
    sizes = tables[b"stsz"]
    same = uint(data, sizes.body + 4, 4, _WHAT)
    remaining = uint(data, sizes.body + 8, 4, _WHAT)
    each = iter(() if same else table(data, sizes, 4, skip=8))
    # An stsc row is (first chunk, samples in each, description) and holds until the next row.
    runs = table(data, tables[b"stsc"], 12)
    starts = {run >> 64: run >> 32 & 0xFFFFFFFF for run in runs}
    per_chunk, spans = 0, []
    for chunk, offset in enumerate(chunk_offsets(data, place), 1):
        per_chunk = starts.get(chunk, per_chunk)
        count = min(per_chunk, remaining)
        remaining -= count
        length = same * count if same else sum(islice(each, count))
        spans.append((offset, offset + length))
    return spans


def _meta(data: bytes, around: Iterator[Box], track: Box | None) -> Meta | None:
    """Return the first ``meta`` box among those `around`, if it has items."""
    for found in around:
        if found.kind == b"meta":
            parts = {part.kind: part for part in boxes(data, found.body + 4, found.end)}
            if b"iinf" in parts and b"iloc" in parts:
                locations = _locations(data[parts[b"iloc"].body : parts[b"iloc"].end])
                items = list(_items(data, parts[b"iinf"]))
                return Meta(found, track, parts, items, locations)
            return None
    return None


def _items(data: bytes, iinf: Box) -> Iterator[Item]:
    wide = uint(data, iinf.body, 1, _WHAT) > 0
    for entry in boxes(data, iinf.body + (8 if wide else 6), iinf.end):
        body = data[entry.body : entry.end]
        version = uint(body, 0, 1, _WHAT)
        size = 4 if version == 3 else 2
        number = uint(body, 4, size, _WHAT)
        kind = mime = b""
        if version >= 2:
            kind = take(body, 6 + size, 4, _WHAT)
            mime = body[10 + size :].partition(b"\0")[2].partition(b"\0")[0]
        yield Item(number, kind, mime, entry)


def _locations(body: bytes) -> ItemLocations:
    at = 0

    def number(size: int) -> int:
        nonlocal at
        at += size
        return uint(body, at - size, size, "the item location table")

    version, _ = number(1), number(3)
    sizes, wide = number(2), 4 if version == 2 else 2
    offset, length, base = sizes >> 12, sizes >> 8 & 15, sizes >> 4 & 15
    index = sizes & 15 if version else 0
    entries = {}
    for _ in range(number(wide)):
        item, method = number(wide), number(2) & 15 if version else IN_FILE
        source, start, count = number(2), number(base), number(2)
        if count and not length:
            raise UnsupportedFormat("picture items that fill the whole file are not handled")
        extents = [
            Extent(number(index), start + number(offset), number(length)) for _ in range(count)
        ]
        entries[item] = Location(method, source, start, extents)
    return ItemLocations(version, (offset, length, base, index), entries)
