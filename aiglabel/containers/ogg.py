"""Ogg pages (RFC 3533) with Vorbis (Vorbis I, A.2), Opus (RFC 7845) or FLAC (RFC 9639, 10.1).

The label is a comment.

Header packets are laid on as many pages as before where they fit; otherwise every later page gets
a new number and checksum. What the pages hold never changes.
"""

from __future__ import annotations

import hashlib
import zlib
from collections.abc import Iterator
from dataclasses import dataclass

from aiglabel.containers import vorbis
from aiglabel.containers.bounds import bounded, take, uint
from aiglabel.containers.tags import KEY, Tags, label_bytes, merged
from aiglabel.errors import CorruptMedia, ResourceLimit, UnsupportedFormat

CARRIER = f"Ogg comment {KEY}"
MOST_HEADER = 27 + 255  # bytes of a page before its content
_HEADER = 27
_CONTINUED, _FIRST = 1, 2
_PAGE_SEGMENTS = 255
_MOST_PACKETS = 1 << 12
_NO_GRANULE = b"\xff" * 8  # no packet ends on the page
_WHAT = "an Ogg page"
_REVERSED = bytes(int(f"{byte:08b}"[::-1], 2) for byte in range(256))
FLAC, _COMMENT, _MOST_BLOCK = b"\x7fFLAC", 4, (1 << 24) - 1
# Identification header → (magic of the comment header, number of headers). Those of FLAC are
# metadata blocks, of which the last is marked.
_KINDS = {b"\x01vorbis": (b"\x03vorbis", 3), b"OpusHead": (b"OpusTags", 2), FLAC: (b"", 0)}


@dataclass(frozen=True)
class Page:
    """One page: lacing values at ``data[start + 27:body]``, content at ``data[body:end]``."""

    start: int
    body: int
    end: int

    @classmethod
    def at(cls, start: int, head: bytes) -> Page | None:
        """Return the page that begins with `head`, up to `MOST_HEADER` bytes; None for no page."""
        if len(head) < _HEADER or head[:4] != b"OggS" or len(head) < _HEADER + head[26]:
            return None
        body = _HEADER + head[26]
        return cls(start, start + body, start + body + sum(head[_HEADER:body]))


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


def read(data: bytes) -> Tags:
    """Return the comments, in a chain of streams those of all.

    Raises
    ------
    CorruptMedia, ResourceLimit, UnsupportedFormat
        If the structure of the file is broken or absurd, or holds other streams than one of
        Vorbis or Opus at a time.
    """
    return merged(vorbis.read(link.comments, "Ogg comment") for link in _links(data))


def write(data: bytes, label: str) -> bytes:
    """Return the file with `label` as its one comment ``AIGC``; older labels go.

    Raises
    ------
    CorruptMedia, ResourceLimit
        As `read`.
    UnsupportedFormat
        As `read`; also for a chain of streams, as no label of one holds for the next.
    """
    links = list(_links(data))
    if len(links) > 1 or not links[0].exact:
        raise UnsupportedFormat(
            "an Ogg file of several streams in a chain, or without a page of its own for audio",
            remedy="Encode it anew as one stream",
        )
    headers = links[0]
    packets = [_relabelled(headers, label_bytes(label)), *headers.packets[2:]]
    first, end = headers.pages[0], headers.pages[-1].end
    groups = [[one] for one in packets] if headers.apart else [packets]
    serial = data[first.start + 14 : first.start + 18]
    pages: list[bytes] = []
    for group in groups:
        pages += _paginated(group, serial, len(pages) + 1)
    shift = len(pages) - (len(headers.pages) - 1)
    view = memoryview(data)
    rest = _renumbered(data, end, shift) if shift else [view[end:]]
    return b"".join([view[: first.end], *pages, *rest])


def coded_digest(data: bytes) -> bytes:
    """Digest of the headers but the comments, and of every page of audio but its number."""
    view, digest = memoryview(data), hashlib.sha256()
    at = 0
    for link in _links(data):
        for packet in link.coding:
            digest.update(len(packet).to_bytes(8, "big") + packet)
        at = at or link.pages[-1].end
    for page in _pages(data, at):
        digest.update(view[page.start + 5 : page.start + 18])
        digest.update(view[page.start + 26 : page.end])
    return digest.digest()


def checksum(page: bytes) -> bytes:
    """Return the checksum of a page whose checksum field is zero.

    It is CRC-32 with the bits of zlib's the other way round, and without its inversions.
    """
    crc = zlib.crc32(page.translate(_REVERSED), 0xFFFFFFFF) ^ 0xFFFFFFFF
    return int(f"{crc:032b}"[::-1], 2).to_bytes(4, "little")


@bounded(1 << 20, "Ogg pages")
def _pages(data: bytes, at: int) -> Iterator[Page]:
    """Yield the pages from `at`; a cut last page and what follows the last belong to none."""
    while at + _HEADER <= len(data):
        if data[at : at + 4] != b"OggS":
            if data.find(b"OggS", at) >= 0:
                raise CorruptMedia("there are stray bytes between Ogg pages")
            return
        page = Page.at(at, data[at : at + MOST_HEADER])
        if page is None or page.end > len(data):
            return
        yield page
        at = page.end


@bounded(64, "streams in a chain")
def _links(data: bytes) -> Iterator[Headers]:
    """Yield the headers of the streams, which follow one another."""
    pages = _pages(data, 0)
    serial, found = b"", False
    for page in pages:
        begins = data[page.start + 5] & _FIRST
        if begins:
            serial, found = data[page.start + 14 : page.start + 18], True
            yield _headers(data, page, pages)
        elif not found or data[page.start + 14 : page.start + 18] != serial:
            raise UnsupportedFormat(
                "an Ogg file of several streams at once", remedy="Extract its sound first"
            )
    if not found:
        raise CorruptMedia("an Ogg file does not begin with a whole page")


def _headers(data: bytes, first: Page, following: Iterator[Page]) -> Headers:
    """Collect the header packets that begin on the page `first`."""
    identification = _checked(data, first)
    kind = next((kind for kind in _KINDS if identification.startswith(kind)), None)
    if kind is None:
        raise UnsupportedFormat(
            "an Ogg file that holds neither Vorbis, Opus nor FLAC", remedy="Convert it to Opus"
        )
    magic, count = _KINDS[kind]
    packets, pages, partial = [identification], [first], bytearray()
    apart = exact = False
    for page in following:
        if data[page.start + 14 : page.start + 18] != data[first.start + 14 : first.start + 18]:
            raise UnsupportedFormat(
                "an Ogg file of several streams at once", remedy="Extract its sound first"
            )
        pages.append(page)
        lacing, body, at = data[page.start + _HEADER : page.body], _checked(data, page), 0
        for place, size in enumerate(lacing, 1):
            partial += body[at : at + size]
            at += size
            if size < 255:
                packets.append(bytes(partial))
                partial.clear()
                last = place == len(lacing)
                if not count and packets[-1] >= b"\x80":  # the last block of FLAC
                    count = len(packets)
                apart |= last and len(packets) == 2
                exact = last and len(packets) == count
        if len(packets) > _MOST_PACKETS:
            raise ResourceLimit(f"an Ogg file has more than {_MOST_PACKETS} header packets")
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


def _checked(data: bytes, page: Page) -> bytes:
    """Return the content of a page if its checksum is right."""
    start = page.start
    whole = data[start : start + 22] + bytes(4) + data[start + 26 : page.end]
    if checksum(whole) != data[start + 22 : start + 26]:
        raise CorruptMedia("the checksum of an Ogg header page is wrong")
    return take(data, page.body, page.end - page.body, _WHAT)


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


def _renumbered(data: bytes, at: int, shift: int) -> Iterator[bytes]:
    """Yield the pages from `at` with their numbers shifted, and what follows the last."""
    for page in _pages(data, at):
        number = (uint(data, page.start + 18, 4, _WHAT, "little") + shift) & 0xFFFFFFFF
        head = data[page.start : page.start + 18] + number.to_bytes(4, "little")
        tail = data[page.start + 26 : page.end]
        yield head + checksum(head + bytes(4) + tail) + tail
        at = page.end
    yield data[at:]
