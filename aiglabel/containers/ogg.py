"""Ogg pages (RFC 3533) with Vorbis (Vorbis I, A.2), Opus (RFC 7845) or FLAC (RFC 9639, 10.1).

The label is a comment.

Header packets are laid on as many pages as before where they fit; otherwise every later page gets
a new number and checksum. What the pages hold never changes.
"""

from __future__ import annotations

import os
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

from aiglabel.containers import vorbis
from aiglabel.containers.bounds import Splice, bounded
from aiglabel.containers.pieces import Digest
from aiglabel.containers.tags import KEY, MOST_HEAD, Tags, merged, read_at
from aiglabel.errors import CorruptMedia, ResourceLimit, UnsupportedFormat

CARRIER = f"Ogg comment {KEY}"
MOST_HEADER = 27 + 255  # bytes of a page before its content
_HEADER = 27
_CONTINUED, _FIRST, _LAST = 1, 2, 4
_PAGE_SEGMENTS = 255
_MOST_PACKETS = 1 << 12
_NO_GRANULE = b"\xff" * 8  # no packet ends on the page
_PIECE = 1 << 20
_REVERSED = bytes(int(f"{byte:08b}"[::-1], 2) for byte in range(256))
FLAC, _COMMENT, _MOST_BLOCK = b"\x7fFLAC", 4, (1 << 24) - 1
# Identification header → (magic of the comment header, number of headers). Those of FLAC are
# metadata blocks, of which the last is marked.
_KINDS = {b"\x01vorbis": (b"\x03vorbis", 3), b"OpusHead": (b"OpusTags", 2), FLAC: (b"", 0)}


@dataclass(frozen=True)
class Page:
    """One page: `head` from `start` to `body`, then content up to `end`."""

    start: int
    body: int
    end: int
    head: bytes

    @classmethod
    def at(cls, start: int, head: bytes) -> Page | None:
        """Return the page that begins with `head`, up to `MOST_HEADER` bytes; None for no page."""
        if len(head) < _HEADER or head[:4] != b"OggS" or len(head) < _HEADER + head[26]:
            return None
        body = _HEADER + head[26]
        end = start + body + sum(head[_HEADER:body])
        return cls(start, start + body, end, head[:body])

    @property
    def begins(self) -> bool:
        """Whether a stream begins on it."""
        return bool(self.head[5] & _FIRST)

    @property
    def ends(self) -> bool:
        """Whether a stream ends on it."""
        return bool(self.head[5] & _LAST)

    @property
    def granule(self) -> int:
        """Time stamp of the end of its last packet, in the clock of the codec; -1 for none."""
        return int.from_bytes(self.head[6:14], "little", signed=True)

    @property
    def serial(self) -> bytes:
        """Whose stream it is of."""
        return self.head[14:18]

    @property
    def lacing(self) -> bytes:
        """Lengths of the parts of packets on it; one below 255 ends a packet."""
        return self.head[_HEADER:]

    def content(self, file: BinaryIO) -> bytes:
        """Read the content."""
        return read_at(file, self.body, self.end - self.body)


@dataclass(frozen=True)
class Headers:
    """The header packets of one stream.

    Attributes
    ----------
    magic : bytes
        What the comment packet begins with.
    packets : list of bytes
        Identification, comment and, in Vorbis, setup; in FLAC other metadata.
    pages : list of Page
        Those they are on.
    apart : bool
        Whether the comment packet ends its page.
    exact : bool
        Whether the last of them ends its page, as it must.
    """

    magic: bytes
    packets: list[bytes]
    pages: list[Page]
    apart: bool
    exact: bool

    @property
    def comments(self) -> vorbis.Comments:
        """The comment packet taken apart."""
        return vorbis.parse(self.packets[1][len(self.magic) :])

    @property
    def coding(self) -> list[bytes]:
        """The packets without which nothing can be decoded."""
        return [self.packets[0], *(() if self.is_flac else self.packets[2:])]

    @property
    def is_flac(self) -> bool:
        """Whether the headers are metadata blocks."""
        return self.packets[0].startswith(FLAC)

    def with_comments(self, comments: bytes) -> bytes:
        """Return the comment packet with other content."""
        if not self.is_flac:
            return self.magic + comments
        if len(comments) > _MOST_BLOCK:
            raise ResourceLimit("the comments of a FLAC would outgrow their block of 16 MiB")
        return self.magic[:1] + len(comments).to_bytes(3, "big") + comments


def read(file: BinaryIO) -> Tags:
    """Return the comments, in a chain of streams those of all.

    Raises
    ------
    CorruptMedia, ResourceLimit, UnsupportedFormat
        If the structure of the file is broken or absurd, or holds other streams than one of
        Vorbis or Opus at a time.
    """
    return merged(vorbis.read(link.comments, "Ogg comment") for link in _links(file))


def edits(file: BinaryIO, label: bytes) -> list[Splice]:
    """Return the splices that set `label` as the one comment ``AIGC``; older labels go.

    Raises
    ------
    CorruptMedia, ResourceLimit
        As `read`.
    UnsupportedFormat
        As `read`; also for a chain of streams, as no label of one holds for the next.
    """
    links = list(_links(file))
    if len(links) > 1 or not links[0].exact:
        raise UnsupportedFormat(
            "an Ogg file of several streams in a chain, or without a page of its own for audio",
            remedy="Encode it anew as one stream",
        )
    headers = links[0]
    packets = [_relabelled(headers, label), *headers.packets[2:]]
    first, end = headers.pages[0], headers.pages[-1].end
    groups = [[one] for one in packets] if headers.apart else [packets]
    pages: list[bytes] = []
    for group in groups:
        pages += _paginated(group, first.serial, len(pages) + 1)
    shift = len(pages) - (len(headers.pages) - 1)
    later = _renumbered(file, end, shift) if shift else ()
    return [(first.end, end, b"".join(pages)), *later]


def coded_digest(file: BinaryIO) -> bytes:
    """Digest of the headers but the comments, and of every page of audio but its number."""
    digest, at = Digest(file), 0
    for link in _links(file):
        for packet in link.coding:
            digest.add(len(packet).to_bytes(8, "big") + packet)
        at = at or link.pages[-1].end
    for page in _pages(file, at):
        digest.add(page.head[5:18])
        digest.add_span(page.start + 26, page.end)
    return digest.value()


def checksum(page: bytes) -> bytes:
    """Return the checksum of a page whose checksum field is zero.

    It is CRC-32 with the bits of zlib's the other way round, and without its inversions.
    """
    crc = zlib.crc32(page.translate(_REVERSED), 0xFFFFFFFF) ^ 0xFFFFFFFF
    return int(f"{crc:032b}"[::-1], 2).to_bytes(4, "little")


@bounded(1 << 20, "Ogg pages")
def _pages(file: BinaryIO, at: int) -> Iterator[Page]:
    """Yield the pages from `at`; a cut last page and what follows the last belong to none."""
    size = file.seek(0, os.SEEK_END)
    while at + _HEADER <= size:
        head = read_at(file, at, MOST_HEADER)
        if head[:4] != b"OggS":
            if _follows(file, at):
                raise CorruptMedia("there are stray bytes between Ogg pages")
            return
        page = Page.at(at, head)
        if page is None or page.end > size:
            return
        yield page
        at = page.end


def _follows(file: BinaryIO, at: int) -> bool:
    """Whether a page begins somewhere behind an offset."""
    file.seek(at)
    before = b""
    while piece := file.read(_PIECE):
        if b"OggS" in before + piece:
            return True
        before = piece[-3:]
    return False


@bounded(64, "streams in a chain")
def _links(file: BinaryIO) -> Iterator[Headers]:
    """Yield the headers of the streams, which follow one another."""
    pages = _pages(file, 0)
    serial = None
    for page in pages:
        if page.begins:
            serial = page.serial
            yield _headers(file, page, pages)
        elif page.serial != serial:
            raise UnsupportedFormat(
                "an Ogg file of several streams at once", remedy="Extract its sound first"
            )
    if serial is None:
        raise CorruptMedia("an Ogg file does not begin with a whole page")


def _headers(file: BinaryIO, first: Page, following: Iterator[Page]) -> Headers:
    """Collect the header packets that begin on the page `first`."""
    identification = _checked(file, first)
    kind = next((kind for kind in _KINDS if identification.startswith(kind)), None)
    if kind is None:
        raise UnsupportedFormat(
            "an Ogg file that holds neither Vorbis, Opus nor FLAC", remedy="Convert it to Opus"
        )
    magic, count = _KINDS[kind]
    packets, pages, partial = [identification], [first], bytearray()
    apart = exact = False
    for page in following:
        if page.serial != first.serial:
            raise UnsupportedFormat(
                "an Ogg file of several streams at once", remedy="Extract its sound first"
            )
        pages.append(page)
        body, at = _checked(file, page), 0
        for place, size in enumerate(page.lacing, 1):
            partial += body[at : at + size]
            at += size
            if size < 255:
                packets.append(bytes(partial))
                partial.clear()
                last = place == len(page.lacing)
                if not count and packets[-1] >= b"\x80":  # the last block of FLAC
                    count = len(packets)
                apart |= last and len(packets) == 2
                exact = last and len(packets) == count
        if len(packets) > _MOST_PACKETS:
            raise ResourceLimit(f"an Ogg file has more than {_MOST_PACKETS} header packets")
        if page.end - first.start > MOST_HEAD:
            raise ResourceLimit(f"the headers of an Ogg file are over {MOST_HEAD >> 20} MiB")
        if 0 < count <= len(packets):
            break
    if not 0 < count <= len(packets) or not packets[1].startswith(magic):
        raise CorruptMedia("an Ogg file lacks its comment header, or is cut off in it")
    magic = magic or _block_header(packets[1:count])
    return Headers(magic, packets[:count], pages, apart, exact)


def _block_header(blocks: list[bytes]) -> bytes:
    """Return the header of the first of FLAC's metadata blocks, which holds the comments."""
    first = blocks[0]
    # What begins with 0xff is sound already.
    if any(block[:1] in (b"", b"\xff") for block in blocks) or first[0] & 0x7F != _COMMENT:
        raise CorruptMedia("the comments of FLAC in Ogg do not stand where they must")
    if int.from_bytes(first[1:4], "big") != len(first) - 4:
        raise CorruptMedia("the comments of FLAC in Ogg are not as long as they say")
    return first[:4]


def _checked(file: BinaryIO, page: Page) -> bytes:
    """Return the content of a page if its checksum is right."""
    content, head = page.content(file), page.head
    if checksum(head[:22] + bytes(4) + head[26:] + content) != head[22:26]:
        raise CorruptMedia("the checksum of an Ogg header page is wrong")
    return content


def _relabelled(headers: Headers, label: bytes) -> bytes:
    """Return the comment packet with `label`; zeros that pad it in Opus give or take the room."""
    old = headers.comments
    new = vorbis.with_label(old, label)
    if headers.magic == b"OpusTags" and old.rest and not old.rest.strip(b"\0"):
        left = len(headers.packets[1]) - len(headers.magic) - len(new.pack()) + len(old.rest)
        new = vorbis.Comments(new.vendor, new.fields, bytes(max(0, left)))
    return headers.with_comments(new.pack())


def _paginated(packets: list[bytes], serial: bytes, number: int) -> list[bytes]:
    """Lay packets on full pages, the last of them ending its page."""
    content = memoryview(b"".join(packets))
    lacing = b"".join(b"\xff" * (len(one) // 255) + bytes([len(one) % 255]) for one in packets)
    pages, at = [], 0
    for start in range(0, len(lacing), _PAGE_SEGMENTS):
        part = lacing[start : start + _PAGE_SEGMENTS]
        size = sum(part)
        flags = _CONTINUED if start and lacing[start - 1] == 255 else 0
        ends = any(value < 255 for value in part)
        granule = bytes(8) if ends else _NO_GRANULE
        head = b"OggS\0" + bytes([flags]) + granule + serial + number.to_bytes(4, "little")
        tail = bytes([len(part)]) + part + bytes(content[at : at + size])
        pages.append(head + checksum(head + bytes(4) + tail) + tail)
        at += size
        number += 1
    return pages


def _renumbered(file: BinaryIO, at: int, shift: int) -> Iterator[Splice]:
    """Yield the splices of number and checksum of the pages from `at`."""
    for page in _pages(file, at):
        number = (int.from_bytes(page.head[18:22], "little") + shift) & 0xFFFFFFFF
        head, tail = page.head[:18] + number.to_bytes(4, "little"), page.head[26:]
        sum_ = checksum(head + bytes(4) + tail + page.content(file))
        yield page.start + 18, page.start + 26, head[18:] + sum_
