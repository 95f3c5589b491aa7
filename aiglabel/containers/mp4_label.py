"""The label in the ``moov`` box of an MP4 (ISO/IEC 14496-12 and -14, QuickTime File Format).

It is a key ``AIGC`` of the ``mdta`` kind in ``moov.udta.meta`` (TC260-PG-20257A, -202510A). iTunes
keeps its tags in a ``meta`` of another kind at the same place; it stays as it is, and the label
gets a ``meta`` of its own beside it.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import chain

from aiglabel.containers.bounds import Splice, clear_of, growth, splice, uint
from aiglabel.containers.isobmff import Box, box, boxes, chunk_offsets, pack, sample_spans
from aiglabel.containers.mp4_tracks import tables_of
from aiglabel.containers.tags import (
    KEY,
    MAX_TEXT,
    Tags,
    is_label,
    one_text,
    replaced,
)  # fmt: skip
from aiglabel.containers.texts import decode
from aiglabel.errors import CorruptMedia, ResourceLimit, UnsupportedFormat

_HOME, _BESIDE = "moov.udta.meta", "moov.meta"
CARRIER = f"MP4 {_HOME} {KEY}"
_XMP = bytes.fromhex("be7acfcb97a942e89c71999491e3afac")
_C2PA = bytes.fromhex("d8fec3d61b0e483c92975828877ec481")
_HDLR = bytes(8) + b"mdta" + bytes(12) + b"\0"
_UTF8 = 1
_MOST_METAS = 16
_WHAT = "a metadata box"


@dataclass(frozen=True)
class Item:
    """One entry of ``ilst``: its key in the kind of metadata it stands in, and its box."""

    key: str
    box: Box


@dataclass(frozen=True)
class Metadata:
    """One ``meta`` box: where it stands, its parts, keys (name and box) and items."""

    place: str
    box: Box
    parts: dict[bytes, Box]
    keys: list[tuple[str, bytes]]
    items: list[Item]


def uuid_tags(body: bytes) -> Tags:
    """Return the tags of a ``uuid`` box at the top of a file: XMP or C2PA."""
    kind = body[:16]
    return Tags([], [body[16:]] if kind == _XMP else [], kind == _C2PA)


def movie_tags(data: bytes, moov: Box) -> Iterator[Tags]:
    """Yield the tags of every place in ``moov``.

    Raises
    ------
    CorruptMedia, ResourceLimit
        If its structure is broken or absurd.
    """
    for udta in _children(data, moov):
        for part in _children(data, udta) if udta.kind == b"udta" else ():
            if part.kind == b"XMP_":
                yield Tags([], [data[part.body : part.end]], False)
            elif part.kind == KEY.encode() and part.end - part.body <= MAX_TEXT:
                text = decode(data[part.body : part.end])
                yield one_text(f"MP4 moov.udta {KEY}", KEY, text)
            elif part.kind[:1] == b"\xa9":
                yield from _quicktime_text(data, part)
    for meta in _metadata(data, moov):
        for item in meta.items:
            carrier = f"MP4 {meta.place} {item.key}"
            for text in filter(None, _values(data, item.box)):
                yield one_text(carrier, item.key, text)


def _quicktime_text(data: bytes, part: Box) -> Iterator[Tags]:
    """Yield the first text of a QuickTime user data box: its size, its language, itself."""
    raw = data[part.body : min(part.end, part.body + 4 + 0xFFFF)]
    size = int.from_bytes(raw[:2], "big")
    if 4 + size <= len(raw):
        name = part.kind.decode("latin-1")
        yield one_text(f"MP4 moov.udta {name}", name, decode(raw[4 : 4 + size]))


def _children(data: bytes, parent: Box) -> list[Box]:
    """Return the boxes in a box; QuickTime may end user data by four zero bytes."""
    end = parent.end
    if parent.kind == b"udta" and data[max(parent.body, end - 4) : end] == bytes(4):
        try:
            return _sized(data, boxes(data, parent.body, end - 4))
        except CorruptMedia:
            pass
    return _sized(data, boxes(data, parent.body, end))


def _sized(data: bytes, inside: Iterator[Box]) -> list[Box]:
    """Return the boxes; a size of 0 would swallow what is put behind them (14496-12, 4.2)."""
    listed = list(inside)
    if any(data[one.start : one.start + 4] == bytes(4) for one in listed):
        raise CorruptMedia("a box in another box has no size")
    return listed


def _metadata(data: bytes, moov: Box) -> list[Metadata]:
    """Return the ``meta`` boxes with items: of ``moov.udta``, then of ``moov``."""
    inside = _children(data, moov)
    users = [part for part in inside if part.kind == b"udta"]
    metas = [(_HOME, one) for udta in users for one in _children(data, udta) if one.kind == b"meta"]
    metas += [(_BESIDE, one) for one in inside if one.kind == b"meta"]
    if len(metas) > _MOST_METAS:
        raise ResourceLimit(f"the file has more than {_MOST_METAS} metadata boxes")
    return [_taken_apart(data, place, meta) for place, meta in metas]


def _taken_apart(data: bytes, place: str, meta: Box) -> Metadata:
    # ISO has version and flags before the first box, QuickTime has not.
    plain = data[meta.body + 4 : meta.body + 8] == b"hdlr"
    inside = _sized(data, boxes(data, meta.body + (0 if plain else 4), meta.end))
    parts = {one.kind: one for one in inside}
    if any(one is not parts[one.kind] for one in inside if one.kind in (b"keys", b"ilst")):
        raise CorruptMedia("a metadata box has two lists of keys or items")
    hdlr = parts.get(b"hdlr")
    kind = data[hdlr.body + 8 : hdlr.body + 12] if hdlr else b""
    if kind != b"mdta" or b"keys" not in parts:
        place += f" ({decode(kind)})"
    keys = _keys(data, parts[b"keys"]) if b"keys" in parts else []
    items = _items(data, parts[b"ilst"], keys) if b"ilst" in parts else []
    return Metadata(place, meta, parts, keys, items)


def _keys(data: bytes, part: Box) -> list[tuple[str, bytes]]:
    """Return names and boxes of the keys; item types count them from 1."""
    count = uint(data, part.body + 4, 4, _WHAT)
    listed = _sized(data, boxes(data, part.body + 8, part.end))
    if count != len(listed):
        raise CorruptMedia("the number of metadata keys is not the one stated")
    return [(decode(data[one.body : one.end]), data[one.start : one.end]) for one in listed]


def _items(data: bytes, part: Box, keys: list[tuple[str, bytes]]) -> list[Item]:
    items = []
    for one in _sized(data, boxes(data, part.body, part.end)):
        number = int.from_bytes(one.kind, "big")
        if 1 <= number <= len(keys):
            key = keys[number - 1][0]
        elif one.kind == b"----":  # iTunes: reverse domain, name, data
            names = [inner for inner in boxes(data, one.body, one.end) if inner.kind == b"name"]
            key = decode(data[names[0].body + 4 : names[0].end]) if names else "----"
        elif keys and number <= 0xFFFF:
            raise CorruptMedia("a metadata item has no key")
        else:
            key = one.kind.decode("latin-1")
        items.append(Item(key, one))
    return items


def _values(data: bytes, item: Box) -> Iterator[str]:
    """Yield the texts of an item; pictures and numbers are none."""
    for one in boxes(data, item.body, item.end):
        if one.kind == b"data" and one.end - one.body <= MAX_TEXT + 8:
            kind = uint(data, one.body, 4, _WHAT)
            raw = data[one.body + 8 : one.end]
            if kind in (0, _UTF8):
                yield decode(raw)
            elif kind == 2:
                yield raw.decode("utf-16-be", "replace")


def label_edits(data: bytes, moov: Box, label: bytes) -> list[Splice]:
    """Return the splices that set the label, sizes of the boxes around it included.

    Raises
    ------
    CorruptMedia, ResourceLimit, UnsupportedFormat
        If the structure of ``moov`` is broken or absurd, or has no room for its new size.
    """
    metas = _metadata(data, moov)
    users = [part for part in _children(data, moov) if part.kind == b"udta"]
    home = next((one for one in metas if one.place == _HOME), None)
    changed = {}  # start of a meta box → its new bytes
    for meta in metas:
        new = _relabelled(data, meta, label if meta is home else b"")
        if new is not None:
            changed[meta.box.start] = new
    edits: list[Splice] = [
        (part.start, part.end, changed[part.start])
        for part in _children(data, moov)
        if part.start in changed
    ]
    added = b"" if home else _fresh(label, next((one.keys for one in metas if one.keys), []))
    for udta in users:
        inner: list[Splice] = []
        for part in _children(data, udta):
            if part.start in changed:
                inner.append((part.start, part.end, changed[part.start]))
            elif is_label(part.kind.decode("latin-1")):
                inner.append((part.start, part.end, b""))
        if added:
            last = max((part.end for part in _children(data, udta)), default=udta.body)
            inner.append((last, last, added))
            added = b""
        edits += [*inner, *_resized(data, udta, inner)]
    if added:
        edits.append((moov.end, moov.end, box(b"udta", added)))
    return [*edits, *_resized(data, moov, edits)]


def _relabelled(data: bytes, meta: Metadata, label: bytes) -> bytes | None:
    """Return a ``meta`` with `label` as its one label, empty for none; None for no change."""
    found = [is_label(item.key) for item in meta.items]
    named = [is_label(name) for name, _ in meta.keys]
    if not (label or any(found) or any(named)):
        return None
    # One key of that name stays, for the label; numbers of keys behind the others get smaller.
    mine = named.index(True) if label and any(named) else len(named)
    kept = [n for n, is_old in enumerate(named) if not is_old or n == mine]
    kept += [mine] if label and mine == len(named) else []
    keys = [_key() if n == mine else meta.keys[n][1] for n in kept]
    numbers = {n + 1: place for place, n in enumerate(kept, 1)}
    new = _item(numbers[mine + 1], label) if label else b""
    entries = [_renumbered(data, item.box, numbers) for item in meta.items]
    bodies = {b"ilst": b"".join(replaced(zip(found, entries, strict=True), new))}
    if meta.keys or label:
        bodies[b"keys"] = bytes(4) + pack(len(keys), 4) + b"".join(keys)
    inner: list[Splice] = []
    for kind, body in bodies.items():
        part = meta.parts.get(kind)
        span = (part.start, part.end) if part else (meta.box.end, meta.box.end)
        inner.append((*span, box(kind, body)))
    return _spliced(data, meta.box, [*inner, *_resized(data, meta.box, inner)])


def _renumbered(data: bytes, item: Box, numbers: dict[int, int]) -> bytes:
    number = int.from_bytes(item.kind, "big")
    head = data[item.start : item.start + 4] + pack(numbers.get(number, number), 4)
    return head + data[item.start + 8 : item.end]


def _key() -> bytes:
    return box(b"mdta", KEY.encode())


def _item(number: int, label: bytes) -> bytes:
    return box(pack(number, 4), box(b"data", pack(_UTF8, 4) + bytes(4) + label))


def _fresh(label: bytes, known: list[tuple[str, bytes]]) -> bytes:
    """Return a ``meta`` of the kind ``mdta`` that holds the label alone.

    The keys `known` in another ``meta``, as phones write it, come first: ffmpeg looks every number
    up in the first list of keys it meets, and would add the label to the place of the recording.
    """
    names = [raw for name, raw in known if not is_label(name)] + [_key()]
    keys = bytes(4) + pack(len(names), 4) + b"".join(names)
    parts = [box(b"hdlr", _HDLR), box(b"keys", keys), box(b"ilst", _item(len(names), label))]
    return box(b"meta", bytes(4) + b"".join(parts))


def _spliced(data: bytes, part: Box, edits: list[Splice]) -> bytes:
    """Return the bytes of one box with edits in it."""
    moved = [(start - part.start, end - part.start, new) for start, end, new in edits]
    return splice(data[part.start : part.end], moved)


def _resized(data: bytes, part: Box, edits: list[Splice]) -> list[Splice]:
    """Return the splice of the size field of a box in which `edits` are made."""
    grown = growth(edits)
    said = uint(data, part.start, 4, _WHAT)
    if not grown or said == 0:  # a box of size 0 lasts to the end of the file
        return []
    at, width = (part.start + 8, 8) if said == 1 else (part.start, 4)
    return [(at, at + width, pack(part.end - part.start + grown, width))]


def room_behind(tops: Iterable[Box], moov: Box, grown: int) -> Splice | None:
    """Return the splice that takes the growth from a ``free`` box behind ``moov``, if one can."""
    free = next((one for one in tops if one.start == moov.end), None)
    if free is None or free.kind not in (b"free", b"skip"):
        return None
    left = free.end - free.start - grown
    if not (left == 0 or left >= 8) or left >= 1 << 32:
        return None
    return (free.start, free.end, box(free.kind, bytes(left - 8)) if left else b"")


def chunk_edits(data: bytes, move: Callable[[int], int]) -> list[Splice]:
    """Return the splices of all chunk offsets in ``moov``; `move` tells where bytes go.

    Raises
    ------
    UnsupportedFormat
        If offsets stand in places that are not handled, or no longer fit their table.
    """
    out: list[Splice] = []
    for part in chain.from_iterable(tables_of(data)):
        if part.kind == b"saio":
            raise stuck("it is encrypted")
        if part.kind not in (b"stco", b"co64"):
            continue
        width = 4 if part.kind == b"stco" else 8
        moved = [move(offset) for offset in chunk_offsets(data, part)]
        if any(offset >> 8 * width for offset in moved):
            raise stuck("its offsets would outgrow their table")
        start = part.body + 8
        form = f">{len(moved)}{'I' if width == 4 else 'Q'}"
        out.append((start, start + width * len(moved), struct.pack(form, *moved)))
    return out


def check_apart(data: bytes, start: int, end: int) -> None:
    """Refuse a movie whose samples stand where the file is going to be edited."""
    for parts in tables_of(data):
        tables = {part.kind: part for part in parts}
        try:
            spans = sample_spans(data, tables)
        except UnsupportedFormat:  # compact sizes: at least its beginnings are known
            places = [one for one in tables.values() if one.kind in (b"stco", b"co64")]
            spans = [(at, at + 1) for part in places for at in chunk_offsets(data, part)]
        if len(clear_of(spans, [(start, end)])) != len(spans):
            raise CorruptMedia("the samples of an MP4 stand inside its metadata")


def stuck(reason: str) -> UnsupportedFormat:
    """Return the error of an MP4 whose media data cannot be moved."""
    return UnsupportedFormat(
        f"the media data of this MP4 cannot be moved: {reason}",
        remedy="Remux it with moov at its end (ffmpeg -c copy)",
    )
