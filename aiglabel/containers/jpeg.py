"""JPEG marker segments (ITU-T T.81 Annex B; XMP part 3, 1.1.3; CIPA DC-007 for MPF)."""

from __future__ import annotations

import hashlib
import re
import struct
from collections.abc import Iterator
from dataclasses import dataclass

from aiglabel.containers import exif, photoshop, xmp
from aiglabel.containers.bounds import Splice, bounded, splice, take, uint
from aiglabel.containers.texts import TextField, glued
from aiglabel.errors import CorruptMedia, ResourceLimit

MAX_PACKET = 65_502  # bytes of XMP in one APP1 segment
_XMP = b"http://ns.adobe.com/xap/1.0/\0"
_EXTENDED = b"http://ns.adobe.com/xmp/extension/\0"
_SOI, _EOI, _SOS, _COM, _APP0, _APP14 = 0xD8, 0xD9, 0xDA, 0xFE, 0xE0, 0xEE
_KINDS = (
    (0xE0, b"JFIF\0", "JFIF"), (0xE0, b"JFXX\0", "JFXX"), (0xE1, exif.PREFIX, "EXIF"),
    (0xE1, _XMP, "XMP"), (0xE1, _EXTENDED, "extended XMP"), (0xE2, b"ICC_PROFILE\0", "ICC"),
    (0xE2, b"MPF\0", "MPF"), (0xE2, b"urn:iso:std:iso:ts:21496", "gain map"),
    (0xEB, b"JP", "JUMBF"), (0xED, b"Photoshop 3.0\0", "Photoshop"), (0xEE, b"Adobe", "Adobe"),
)  # fmt: skip
_STAYS = {"JFIF", "Adobe", "JUMBF"}  # belongs to the coded pixels, or is the credentials' business
_LOST = {
    "JFXX": "JFXX thumbnail", "MPF": "further pictures in the file (MPF)", "gain map": "gain map",
}  # fmt: skip
_SINGLE = {"EXIF", "XMP", "extended XMP", "ICC", "Photoshop"}
_ORDER = {"JFIF": 0, "JFXX": 1, "EXIF": 2, "XMP": 3, "extended XMP": 4}
# A marker ends a scan; a stuffed zero, a restart marker and a fill byte do not.
_AFTER_SCAN = re.compile(rb"\xff[\x01-\xcf\xd8-\xfe]")
_WHAT = "a JPEG segment"
_FILL = re.compile(rb"\xff+(?=\xff)")  # bytes that may stand before a marker


@dataclass(frozen=True)
class Segment:
    """One marker segment: ``data[start:end]`` with its marker, `body` without marker and length."""

    marker: int
    start: int
    end: int
    body: bytes

    @property
    def kind(self) -> str:
        """``EXIF``, ``XMP``, ``ICC``, …; ``APPn`` or ``COM`` if unknown, empty if not metadata."""
        for marker, head, name in _KINDS:
            if self.marker == marker and self.body.startswith(head):
                return name
        if _APP0 <= self.marker <= 0xEF:
            return f"APP{self.marker - _APP0}"
        return "COM" if self.marker == _COM else ""


def read_xmp(data: bytes) -> list[bytes]:
    """Return the standard packets, then every extended packet joined from its parts."""
    standard, parts = [], dict[bytes, dict[int, bytes]]()
    for segment in _header(data):
        if segment.kind == "XMP":
            standard.append(segment.body[len(_XMP) :])
        elif segment.kind == "extended XMP":
            body = segment.body[len(_EXTENDED) :]
            parts.setdefault(body[:32], {})[uint(body, 36, 4, _WHAT)] = body[40:]
    extended = [b"".join(part for _, part in sorted(chunks.items())) for chunks in parts.values()]
    return standard + extended


def write_xmp(data: bytes, packet: bytes) -> bytes:
    """Put `packet` into one APP1 segment after JFIF and EXIF; extended packets stay."""
    if len(packet) > MAX_PACKET:
        packet = xmp.without_padding(packet)
    if len(packet) > MAX_PACKET:
        raise ResourceLimit(
            f"the XMP packet has {len(packet)} bytes, one JPEG segment holds {MAX_PACKET}",
            remedy="Move large XMP properties into extended XMP or remove them",
        )
    segments = list(_header(data))
    leading = [segment.end for segment in segments if segment.kind in ("JFIF", "JFXX", "EXIF")]
    at = max(leading, default=2)
    edits: list[Splice] = [(s.start, s.end, b"") for s in segments if s.kind == "XMP"]
    edits.append((at, at, _segment(0xE1, _XMP + packet)))
    mpf = next((segment for segment in segments if segment.kind == "MPF"), None)
    if mpf is not None:
        block_at = mpf.end - len(mpf.body) + 4
        edits.append((block_at, mpf.end, _shifted_mpf(mpf, edits)))
    return splice(data, edits)


def read_texts(data: bytes) -> list[TextField]:
    """Return EXIF texts and ``AIGC{…}`` glued into comments and application segments."""
    found = []
    for segment in _header(data):
        kind = segment.kind
        if kind == "EXIF":
            found += exif.read_texts(segment.body)
        elif kind == "COM" or kind.startswith("APP"):
            found += glued(segment.body, f"JPEG {kind} text")
    return found


def carry_over(source: bytes, coded: bytes) -> tuple[bytes, list[str]]:
    """Bring the metadata segments of `source` into `coded`."""
    own = [s for s in _header(coded) if s.kind not in ("", "Adobe")]
    have = {segment.kind for segment in own}
    comments = {segment.body for segment in own if segment.kind == "COM"}
    lost: dict[str, None] = {}
    ranked = [(_ORDER.get(s.kind, 9), coded[s.start : s.end]) for s in own if s.kind != "JFIF"]
    jfif = next((segment.body for segment in own if segment.kind == "JFIF"), None)
    for segment in _header(source):
        kind, body = segment.kind, segment.body
        if kind == "JFIF" and jfif is not None:
            jfif = jfif[:7] + take(body, 7, 5, _WHAT) + jfif[12:]  # units and pixel density
        elif kind in _LOST:
            lost[_LOST[kind]] = None
        elif kind and kind not in _STAYS and not (kind in _SINGLE & have or body in comments):
            kept = _without_thumbnail(kind, body)
            if kept != body:
                lost[f"{kind} thumbnail"] = None
            ranked.append((_ORDER.get(kind, 9), _segment(segment.marker, kept)))
    if _scan(source)[1] < len(source):
        lost["data after the end of the picture"] = None
    if jfif is not None:
        ranked.append((_ORDER["JFIF"], _segment(_APP0, jfif)))
    edits: list[Splice] = [(segment.start, segment.end, b"") for segment in own]
    header = b"".join(segment for _, segment in sorted(ranked, key=lambda pair: pair[0]))
    return splice(coded, [(2, 2, header), *edits]), list(lost)


def coded_digest(data: bytes) -> bytes:
    """Digest of tables, frames and scans of the first picture, with the Adobe colour marker."""
    digest = hashlib.sha256()
    for start, end in _scan(data)[0]:
        digest.update(data[start:end])
    return digest.digest()


def has_c2pa(data: bytes) -> bool:
    """Whether an APP11 segment begins a C2PA JUMBF box."""
    return any(s.kind == "JUMBF" and b"c2pa" in s.body[16:48] for s in _header(data))


def _segment(marker: int, body: bytes) -> bytes:
    return struct.pack(">BBH", 0xFF, marker, len(body) + 2) + body


def _next(data: bytes, at: int) -> Segment:
    """Return the segment whose marker, perhaps after fill bytes, stands at `at`."""
    start = at
    if fill := _FILL.match(data, at):
        at = fill.end()
    marker = uint(data, at + 1, 1, _WHAT)
    if data[at] != 0xFF or marker == 0:
        raise CorruptMedia(f"a JPEG marker is missing at byte {at}")
    if marker == 0x01 or 0xD0 <= marker <= _EOI:
        return Segment(marker, start, at + 2, b"")
    length = uint(data, at + 2, 2, _WHAT)
    if length < 2:
        raise CorruptMedia("a JPEG segment is shorter than its own length field")
    return Segment(marker, start, at + 2 + length, take(data, at + 4, length - 2, _WHAT))


@bounded(1 << 12, "segments")
def _header(data: bytes) -> Iterator[Segment]:
    """Yield the segments between SOI and the first scan."""
    at = 2
    while (segment := _next(data, at)).marker not in (_SOS, _EOI):
        yield segment
        at = segment.end


def _scan(data: bytes) -> tuple[list[tuple[int, int]], int]:
    """Return the spans that make the pixels of the first picture, and where it ends.

    A file cut off inside its last scan is what decoders accept, so it is accepted here.
    """
    spans, at = [], 2
    while (segment := _next(data, at)).marker != _EOI:
        at = segment.end
        if not segment.kind or segment.kind == "Adobe":
            spans.append((segment.start, segment.end))
        if segment.marker == _SOS:
            found = _AFTER_SCAN.search(data, at)
            end = found.start() if found else len(data)
            spans.append((at, end))
            at = end
            if found is None:
                return spans, end
    return spans, segment.end


def _without_thumbnail(kind: str, body: bytes) -> bytes:
    if kind == "EXIF":
        return exif.without_thumbnail(body)
    if kind == "Photoshop":
        return body[:14] + photoshop.without_thumbnail(body[14:])
    return body


def _shifted_mpf(mpf: Segment, edits: list[Splice]) -> bytes:
    """Return the MPF block after `edits`: its first picture's size, the offsets of the others.

    Offsets count from the block itself (CIPA DC-007, 5.2.3.3), so only edits behind it move them.
    """
    block = mpf.body[4:]
    out = bytearray(block)
    try:
        ifd, order = exif.first_directory(block)
        table = ifd.find(0xB002)  # MPEntry: 16 bytes a picture
        start, end = table.span(block, order) if table else (0, 0)
        take(block, start, end - start, "the MPF table")
        for at in range(start, end - 15, 16):
            size, offset = (uint(block, at + i, 4, "the MPF table", order) for i in (4, 8))
            if at == start:
                size += sum(len(new) - (end - begin) for begin, end, new in edits)
            elif offset:
                offset += sum(len(n) - (e - b) for b, e, n in edits if b > mpf.start)
            out[at + 4 : at + 12] = size.to_bytes(4, order) + offset.to_bytes(4, order)
    except (CorruptMedia, OverflowError):
        return block
    return bytes(out)
