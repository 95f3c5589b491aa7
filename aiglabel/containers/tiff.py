"""Classic TIFF files, both byte orders (TIFF 6.0; XMP part 3, 1.1.7).

Only directories are rewritten, at the end of the file; no coded byte moves.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass

from aiglabel.containers import exif, photoshop
from aiglabel.containers.bounds import Order, Span, blanked, check_total, clear_of, gather, uint
from aiglabel.containers.exif import TYPE_SIZES, Directory, Entry
from aiglabel.containers.texts import TextField
from aiglabel.errors import CorruptMedia

_XMP, _C2PA, _PHOTOSHOP, _LAYERS = 700, 52545, 34377, 37724
_SUB_IFDS = 330
_UNDEFINED, _LONG = 7, 4
# Pairs of tags that say where the coded bytes are and how many they are.
_PLACES = ((273, 279), (324, 325), (513, 514))
_OFFSETS = {273, 324, 513}
# Tags that make pixels of the coded bytes, TIFF 6.0 and its technical notes.
_CODED = {
    256, 257, 258, 259, 262, 263, 266, 277, 278, 279, 280, 281, 284, 292, 293, 317, 320, 322, 323,
    325, 332, 333, 334, 336, 338, 339, 340, 341, 347, 512, 514, 515, 517, 518,
    529, 530, 531, 532, 33421, 33422,
}  # fmt: skip
_NOT_CARRIED = (
    _CODED | _OFFSETS | {254, 255, 264, 265, 288, 289, 290, 291, 321, 330, 519, 520, 521}
) | {_C2PA, _LAYERS, *range(50706, 51200)}  # the last are DNG: how to develop raw data
_DIRECTORIES = {exif.EXIF_IFD, exif.GPS_IFD, exif.INTEROP_IFD}
_WHAT = "a TIFF directory"


@dataclass(frozen=True)
class Tag:
    """A tag to be written; `value` is in the byte order of the file it goes to."""

    number: int
    kind: int
    count: int
    value: bytes


def read_xmp(data: bytes) -> list[bytes]:
    """Return the packets in IFD0. Those of further pages describe the pages, not the file."""
    ifd, order = exif.first_directory(data)
    return [entry.value(data, order) for entry in ifd.entries if entry.tag == _XMP]


def write_xmp(data: bytes, packet: bytes) -> bytes:
    """Put `packet` into tag 700 (type UNDEFINED) of IFD0."""
    ifd, order = exif.first_directory(data)
    stale = [entry.span(data, order) for entry in ifd.entries if entry.tag == _XMP]
    clean = blanked(data, clear_of(stale, _reserved(data)))
    return _with_tags(clean, [Tag(_XMP, _UNDEFINED, len(packet), packet)])


def read_texts(data: bytes) -> list[TextField]:
    """Return ImageDescription and UserComment."""
    return exif.read_texts(data)


def carry_over(source: bytes, coded: bytes) -> tuple[bytes, list[str]]:
    """Bring the descriptive tags of IFD0, with EXIF and GPS, of `source` into `coded`."""
    ifd, order = exif.first_directory(source)
    target, target_order = exif.first_directory(coded)
    have = {entry.tag for entry in target.entries}
    out, tags, lost = bytearray(coded), dict[int, Tag](), list[str]()
    check_total([entry.span(source, order) for entry in ifd.entries], source, "TIFF metadata")
    for entry in ifd.entries:
        if entry.tag == _LAYERS:
            lost.append("Photoshop layers")
        if entry.tag in have | _NOT_CARRIED:
            continue
        try:
            tag = _carried(source, order, entry, out, target_order)
        except CorruptMedia:
            lost.append(f"TIFF tag {entry.tag}, which is broken")
            continue
        if tag.number == _PHOTOSHOP:
            slim = photoshop.without_thumbnail(tag.value)
            if slim != tag.value:
                tag = Tag(_PHOTOSHOP, tag.kind, len(slim) // TYPE_SIZES[tag.kind], slim)
                lost.append("Photoshop thumbnail")
        tags[tag.number] = tag
    if uint(source, ifd.link_at, 4, _WHAT, order):
        lost.append("metadata of pages after the first")
    return (_with_tags(bytes(out), list(tags.values())) if tags else coded), lost


def coded_digest(data: bytes) -> bytes:
    """Digest, page by page, of strips and tiles and of the tags that make pixels of them."""
    order = exif.byte_order(data)
    digest, spans = hashlib.sha256(), list[Span]()
    for ifd in _pictures(data, order):
        for entry in ifd.entries:
            if entry.tag in _CODED:
                spans.append(entry.span(data, order))
                digest.update(f"{entry.tag} {entry.kind} {entry.count};".encode())
        spans += _places(data, ifd, order)
    for part in gather(data, spans, "a TIFF picture"):
        digest.update(part)
    return digest.digest()


def has_c2pa(data: bytes) -> bool:
    """Whether a directory has tag 52545; c2pa gives it one of its own after the last page."""
    directories = _pictures(data, exif.byte_order(data))
    return any(ifd.find(_C2PA) is not None for ifd in directories)


def _pictures(data: bytes, order: Order) -> Iterator[Directory]:
    """Yield the directories of all pages and their sub-pictures, each once."""
    waiting, seen, entries = [uint(data, 4, 4, _WHAT, order)], set[int](), 0
    while waiting:
        at = waiting.pop()
        if at == 0 or at in seen:
            continue
        seen.add(at)
        ifd = exif.directory(data, at, order)
        entries += len(ifd.entries)
        if 12 * entries > len(data):
            raise CorruptMedia("TIFF directories overlap each other")
        yield ifd
        children = ifd.find(_SUB_IFDS)
        waiting += children.numbers(data, order) if children else []
        waiting.append(uint(data, ifd.link_at, 4, _WHAT, order))


def _places(data: bytes, ifd: Directory, order: Order) -> list[Span]:
    """Return the spans of the strips or tiles of one directory."""
    spans: list[Span] = []
    for where, length in _PLACES:
        starts, sizes = ifd.find(where), ifd.find(length)
        if starts and sizes:
            pairs = zip(starts.numbers(data, order), sizes.numbers(data, order), strict=False)
            # The last strip of a file cut short is what decoders accept, so it is accepted here.
            spans += [(a, min(a + n, len(data))) for a, n in pairs if a <= len(data)]
    return spans


def _reserved(data: bytes) -> list[Span]:
    """Return every span that must survive: coded bytes and the values of all other tags."""
    order = exif.byte_order(data)
    spans: list[Span] = [(0, 8)]
    for ifd in _pictures(data, order):
        spans += [(entry.at - 8, entry.at + 4) for entry in ifd.entries]
        spans += [entry.span(data, order) for entry in ifd.entries if entry.tag != _XMP]
        spans += _places(data, ifd, order)
    return spans


def _carried(source: bytes, order: Order, entry: Entry, out: bytearray, to: Order) -> Tag:
    """Return `entry` for the byte order `to`; values of sub-directories are appended to `out`."""
    if entry.tag not in _DIRECTORIES:
        value = _swapped(entry.value(source, order), entry.kind, order != to)
        return Tag(entry.tag, entry.kind, entry.count, value)
    sub = exif.directory(source, uint(source, entry.at, 4, _WHAT, order), order)
    check_total([inner.span(source, order) for inner in sub.entries], source, "TIFF metadata")
    tags = []
    for inner in sub.entries:
        if inner.tag in _DIRECTORIES - {exif.INTEROP_IFD}:
            raise CorruptMedia("EXIF directories are nested in a circle")
        if inner.tag == exif.INTEROP_IFD:
            continue  # says only which DCF file naming rule the camera followed
        tags.append(_carried(source, order, inner, out, to))
    rows = {tag.number: _row(tag, out, to) for tag in tags}
    at = _append_directory(rows, 0, out, to)
    return Tag(entry.tag, _LONG, 1, at.to_bytes(4, to))


def _swapped(value: bytes, kind: int, swap: bool) -> bytes:
    unit = {5: 4, 10: 4}.get(kind, TYPE_SIZES.get(kind, 0))  # rationals are two LONGs
    if unit == 0:
        raise CorruptMedia(f"unknown TIFF field type {kind}")
    if not swap or unit == 1:
        return value
    return b"".join(value[i : i + unit][::-1] for i in range(0, len(value), unit))


def _with_tags(data: bytes, tags: list[Tag]) -> bytes:
    """Return the file with a new IFD0 at its end that has `tags` in place of its own."""
    ifd, order = exif.first_directory(data)
    new = {tag.number for tag in tags}
    rows = {e.tag: data[e.at - 8 : e.at + 4] for e in ifd.entries if e.tag not in new}
    out = bytearray(data)
    rows |= {tag.number: _row(tag, out, order) for tag in tags}
    following = uint(data, ifd.link_at, 4, _WHAT, order)
    at = _append_directory(rows, following, out, order)
    out[4:8] = at.to_bytes(4, order)
    return bytes(out)


def _row(tag: Tag, out: bytearray, order: Order) -> bytes:
    """Return the 12 bytes of a directory entry, appending a long value to `out`."""
    value = tag.value
    if len(value) > 4:
        out += bytes(len(out) % 2)
        value = len(out).to_bytes(4, order)
        out += tag.value
    head = tag.number.to_bytes(2, order) + tag.kind.to_bytes(2, order)
    return head + tag.count.to_bytes(4, order) + value.ljust(4, b"\0")


def _append_directory(rows: dict[int, bytes], link: int, out: bytearray, order: Order) -> int:
    out += bytes(len(out) % 2)
    at = len(out)
    out += len(rows).to_bytes(2, order) + b"".join(row for _, row in sorted(rows.items()))
    out += link.to_bytes(4, order)
    return at
