"""AVIF and HEIC pictures (ISO/IEC 23008-12, AV1 image file format; XMP part 3 for the packet).

Metadata items are added by growing the ``meta`` box and appending a ``mdat`` box. Everything that
counts bytes from the start of the file (``iloc``, ``stco``, ``co64``) is moved by what was spliced
in before it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import replace

from aiglabel.containers import exif
from aiglabel.containers.bounds import (
    Span,
    Splice,
    blanked,
    clear_of,
    gather,
    growth,
    mover,
    splice,
    take,
    uint,
)
from aiglabel.containers.isobmff import (
    IN_FILE,
    IN_IDAT,
    Box,
    Extent,
    Item,
    ItemLocations,
    Location,
    Meta,
    box,
    boxes,
    chunk_offsets,
    media_tables,
    metas,
    movie,
    pack,
    sample_spans,
    tracks,
)
from aiglabel.containers.texts import TextField
from aiglabel.errors import CorruptMedia, UnsupportedFormat

_XMP_TYPE = b"application/rdf+xml"
_XMP_ENTRY = b"mime\0" + _XMP_TYPE + b"\0"  # type, empty name, MIME type
_EXIF_ENTRY = b"Exif\0"
_XMP_UUID = bytes.fromhex("be7acfcb97a942e89c71999491e3afac")
_C2PA_UUID = bytes.fromhex("d8fec3d61b0e483c92975828877ec481")
_METADATA_ITEMS = (b"Exif", b"mime", b"uri ")
_STRUCTURE = (b"pitm", b"iprp", b"grpl")
# Item properties about colour and light, which only an encoder can write.
_PROPERTIES = {b"prof": "ICC profile", b"rICC": "ICC profile", b"clli": "clli", b"mdcv": "mdcv"}
_WHAT = "an item table"


def read_xmp(data: bytes) -> list[bytes]:
    """Return the packets of XMP items, of the file and of its tracks, and of ``uuid`` boxes.

    A track repeats the packet of the file; what is repeated is given once.
    """
    places = [meta.spans(number) for meta in metas(data) for number in meta.numbers(_is_xmp)]
    places += [[(found.body + 16, found.end)] for found in _uuids(data, _XMP_UUID)]
    return list(dict.fromkeys(_payloads(data, places)))


def write_xmp(data: bytes, packet: bytes) -> bytes:
    """Put `packet` into one ``mime`` item that describes the primary item."""
    return _with_item(data, _is_xmp, _XMP_ENTRY, packet)


def read_texts(data: bytes) -> list[TextField]:
    """Return the texts of EXIF."""
    return [text for block in _exif_blocks(data) for text in exif.read_texts(block)]


def carry_over(source: bytes, coded: bytes) -> tuple[bytes, list[str]]:
    """Bring EXIF and XMP of `source` into `coded`, and name the properties an encoder must set."""
    lost = []
    blocks, packets = _exif_blocks(source), read_xmp(source)
    if blocks and not _exif_blocks(coded):
        block = exif.without_thumbnail(blocks[0])
        if block != blocks[0]:
            lost.append("EXIF thumbnail")
        coded = _with_item(coded, _is_exif, _EXIF_ENTRY, bytes(4) + block)
    if packets and not read_xmp(coded):
        coded = write_xmp(coded, packets[0])
    return coded, lost + sorted(_properties(source) - _properties(coded))


def coded_digest(data: bytes) -> bytes:
    """Digest of picture items with their properties and relations, and of the tracks' samples."""
    digest, spans = hashlib.sha256(), list[Span]()
    for meta in metas(data):
        for number in sorted(meta.numbers(lambda item: item.kind not in _METADATA_ITEMS)):
            digest.update(number.to_bytes(4, "big"))
            spans += meta.spans(number)
        spans += [(part.start, part.end) for kind, part in meta.parts.items() if kind in _STRUCTURE]
        spans += [(r.start, r.end) for r in _references(data, meta) if r.kind != b"cdsc"]
    for track in tracks(data):
        tables = {part.kind: part for part in media_tables(data, track)}
        spans += [(t.start, t.end) for k, t in tables.items() if k not in (b"stco", b"co64")]
        spans += sample_spans(data, tables)
    for part in gather(data, spans, "a picture"):
        digest.update(part)
    return digest.digest()


def has_c2pa(data: bytes) -> bool:
    """Whether there is a C2PA ``uuid`` box with a manifest."""
    return any(b"manifest" in data[b.body + 16 : b.body + 32] for b in _uuids(data, _C2PA_UUID))


def _payloads(data: bytes, places: list[list[Span]]) -> list[bytes]:
    """Return the bytes of several items, each joined from its spans."""
    parts = iter(gather(data, [span for place in places for span in place], "an item"))
    return [b"".join(next(parts) for _ in place) for place in places]


def _is_xmp(item: Item) -> bool:
    return item.kind == b"mime" and item.mime == _XMP_TYPE


def _is_exif(item: Item) -> bool:
    return item.kind == b"Exif"


def _uuids(data: bytes, uuid: bytes) -> list[Box]:
    return [b for b in boxes(data) if b.kind == b"uuid" and data[b.body : b.body + 16] == uuid]


def _references(data: bytes, meta: Meta) -> list[Box]:
    iref = meta.parts.get(b"iref")
    return list(boxes(data, iref.body + 4, iref.end)) if iref else []


def _exif_blocks(data: bytes) -> list[bytes]:
    """Return the EXIF blocks, without the offset each item begins with."""
    places = [meta.spans(number) for meta in metas(data) for number in meta.numbers(_is_exif)]
    blocks = [raw[4 + uint(raw, 0, 4, "EXIF") :] for raw in _payloads(data, places)]
    return list(dict.fromkeys(blocks))


def _properties(data: bytes) -> set[str]:
    """Return the names of the properties in `_PROPERTIES` that the file has."""
    found = set()
    for meta in metas(data):
        iprp = meta.parts.get(b"iprp")
        for ipco in boxes(data, iprp.body, iprp.end) if iprp else ():
            for part in boxes(data, ipco.body, ipco.end) if ipco.kind == b"ipco" else ():
                kind = data[part.body : part.body + 4] if part.kind == b"colr" else part.kind
                found |= {_PROPERTIES[kind]} if kind in _PROPERTIES else set()
    return found


# Writing ------------------------------------------------------------------------------------------


def _with_item(data: bytes, same: Callable[[Item], bool], entry: bytes, payload: bytes) -> bytes:
    """Return the file with `payload` as its only item of a kind; `entry` ends its ``infe``."""
    top = list(boxes(data))
    if any(part.kind == b"moof" for part in top):
        raise UnsupportedFormat("fragmented picture sequences are not handled")
    found = metas(data)
    if not found or found[0].track:
        raise UnsupportedFormat(
            "the file has no item table to hold metadata", remedy="Save it as a still picture"
        )
    stale = [span for meta in found for n in meta.numbers(same) for span in meta.spans(n)]
    stale = list(dict.fromkeys(clear_of(stale, _reserved(data, top, found, same))))
    gone = [part for part in top if part.kind == b"mdat" and stale == [(part.body, part.end)]]
    if same is _is_xmp:
        gone += _uuids(data, _XMP_UUID)

    def edits(moved: Callable[[int], int], place: Extent) -> list[Splice]:
        result = [(part.start, part.end, b"") for part in gone]
        result += _meta_edits(data, found[0], same, entry, moved, place)
        result += _movie_edits(data, found[1:], same, payload)
        for track in tracks(data):
            result += _chunk_edits(data, track, moved)
        if uint(data, top[-1].start, 4, _WHAT) == 0 and top[-1] not in (found[0].box, *gone):
            result.append(_resized(top[-1], 0))  # it no longer reaches to the end of the file
        return result

    # Every field keeps its width, so a draft with the old offsets has the lengths of the final one.
    draft = edits(lambda at: at, Extent(0, 0, len(payload)))
    moved = mover(draft)
    final = edits(moved, Extent(0, moved(len(data)) + 8, len(payload)))
    return splice(blanked(data, stale), final) + box(b"mdat", payload)


def _meta_edits(
    data: bytes,
    meta: Meta,
    same: Callable[[Item], bool],
    entry: bytes,
    moved: Callable[[int], int],
    place: Extent,
) -> list[Splice]:
    """Return the edits that put one item of a kind at `place` into the file's ``meta`` box."""
    drop = meta.numbers(same)
    number = min(drop, default=max((item.number for item in meta.items), default=0) + 1)
    iinf, iloc, iref = meta.parts[b"iinf"], meta.parts[b"iloc"], meta.parts.get(b"iref")

    infes = [data[i.box.start : i.box.end] for i in meta.items if i.number not in drop]
    infes.append(box(b"infe", b"\2\0\0\0" + pack(number, 2) + bytes(2) + entry))
    head = data[iinf.body : iinf.body + 4]
    count = pack(len(infes), 4 if head[0] else 2)

    kept = _relocated(meta.locations, moved).entries
    entries = {n: location for n, location in kept.items() if n not in drop}
    entries[number] = Location(IN_FILE, 0, 0, [place])

    version = take(data, iref.body, 4, _WHAT) if iref else bytes(4)
    wide = 4 if version[0] else 2
    references = [
        data[r.start : r.end]
        for r in _references(data, meta)
        if uint(data, r.body, wide, _WHAT) not in drop
    ]
    primary = pack(_primary(data, meta), wide)
    references.append(box(b"cdsc", pack(number, wide) + pack(1, 2) + primary))
    after = (iref.start, iref.end) if iref else (iinf.end, iinf.end)
    result = [
        (iinf.start, iinf.end, box(b"iinf", head + count + b"".join(infes))),
        (iloc.start, iloc.end, replace(meta.locations, entries=entries).pack()),
        (*after, box(b"iref", version + b"".join(references))),
    ]
    grown = growth(result)
    return [*result, _resized(meta.box, grown)]


def _movie_edits(
    data: bytes, found: list[Meta], same: Callable[[Item], bool], payload: bytes
) -> list[Splice]:
    """Return the edits that give tracks their own copies of their items, `payload` for a kind.

    libavif lets the items of a track share bytes with those of the file. c2pa 0.38 moves only the
    latter when it signs, after which the sequence does not open; copies in ``idat`` need no moving.
    """
    result, total = list[Splice](), 0
    for meta in found:
        assert meta.track is not None
        copied = _self_contained(data, meta, same, payload)
        grown = len(copied) - (meta.box.end - meta.box.start)
        result += [(meta.box.start, meta.box.end, copied), _resized(meta.track, grown)]
        total += grown
    moov = movie(data)
    return [*result, _resized(moov, total)] if moov else result


def _self_contained(data: bytes, meta: Meta, same: Callable[[Item], bool], payload: bytes) -> bytes:
    """Return a ``meta`` box whose items are in its own ``idat``, those of a kind as `payload`."""
    entries, store, at = dict[int, Location](), list[bytes](), 0
    contents = _payloads(data, [meta.spans(item.number) for item in meta.items])
    for item, own in zip(meta.items, contents, strict=True):
        content = payload if same(item) else own
        entries[item.number] = Location(IN_IDAT, 0, 0, [Extent(0, at, len(content))])
        store.append(content)
        at += len(content)
    parts = [
        data[part.start : part.end]
        for kind, part in meta.parts.items()
        if kind not in (b"iloc", b"idat")
    ]
    iloc = ItemLocations(1, (4, 4, 0, 0), entries).pack()
    head = data[meta.box.body : meta.box.body + 4]
    return box(b"meta", head + b"".join([*parts, iloc, box(b"idat", b"".join(store))]))


def _primary(data: bytes, meta: Meta) -> int:
    pitm = meta.parts.get(b"pitm")
    if pitm is None:
        raise CorruptMedia("the file does not say which picture is the primary one")
    wide = uint(data, pitm.body, 1, _WHAT) > 0
    return uint(data, pitm.body + 4, 4 if wide else 2, _WHAT)


def _relocated(locations: ItemLocations, moved: Callable[[int], int]) -> ItemLocations:
    """Return the table with every offset in the file moved."""
    entries = {
        number: replace(old, extents=[replace(e, start=moved(e.start)) for e in old.extents])
        if old.in_file
        else old
        for number, old in locations.entries.items()
    }
    return replace(locations, entries=entries)


def _chunk_edits(data: bytes, track: Box, moved: Callable[[int], int]) -> list[Splice]:
    result = []
    for part in media_tables(data, track):
        if part.kind in (b"stco", b"co64"):
            width = 4 if part.kind == b"stco" else 8
            offsets = [pack(moved(at), width) for at in chunk_offsets(data, part)]
            start = part.body + 8
            result.append((start, start + width * len(offsets), b"".join(offsets)))
    return result


def _resized(part: Box, grown: int) -> Splice:
    """Return the edit of a box's size field."""
    size = part.end - part.start + grown
    if part.body - part.start == 16:
        return (part.start + 8, part.body, pack(size, 8))
    return (part.start, part.start + 4, pack(size, 4))


def _reserved(
    data: bytes, top: list[Box], found: list[Meta], same: Callable[[Item], bool]
) -> list[Span]:
    """Return every span that must survive when items of a kind are removed."""
    spans = [(part.start, part.end) for part in top if part.kind not in (b"meta", b"mdat")]
    for meta in found:
        spans += [(p.start, p.end) for kind, p in meta.parts.items() if kind != b"idat"]
        for number in meta.numbers(lambda item: not same(item)):
            spans += meta.spans(number)
    for track in tracks(data):
        spans += sample_spans(data, {part.kind: part for part in media_tables(data, track)})
    return spans
