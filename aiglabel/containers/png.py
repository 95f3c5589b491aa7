"""PNG chunks (W3C PNG third edition; XMP part 3, 1.1.5)."""

from __future__ import annotations

import binascii
import hashlib
import zlib
from collections.abc import Iterator
from dataclasses import dataclass

from aiglabel.containers import exif
from aiglabel.containers.bounds import bounded, inflate, take, uint
from aiglabel.containers.texts import TextField, decode
from aiglabel.errors import CorruptMedia

_XMP = b"XML:com.adobe.xmp"
_RAW_XMP = b"Raw profile type xmp"  # ImageMagick: the packet in hexadecimal
_RAW_EXIF = (b"Raw profile type exif", b"Raw profile type APP1")
_SIGNATURE = 8
_CODED = {b"IHDR", b"PLTE", b"IDAT", b"tRNS", b"acTL", b"fcTL", b"fdAT"}
_TEXT = {b"tEXt", b"zTXt", b"iTXt"}
# Chunks describing colour or scale are not "safe to copy", but the picture keeps both.
_DESCRIBES = {
    b"gAMA", b"cHRM", b"sRGB", b"iCCP", b"cICP", b"mDCV", b"mDCv", b"cLLI", b"cLLi",
    b"sCAL", b"pCAL", b"sTER",
}  # fmt: skip
_PROFILES = {b"iCCP", b"sRGB"}  # one excludes the other
_PIXEL_BOUND = _CODED | {b"IEND", b"sBIT", b"bKGD", b"hIST", b"sPLT", b"caBX", b"iDOT"}
_MAX_TEXT = 1 << 20  # bytes one compressed text may grow to
_MAX_TEXTS = 16 * _MAX_TEXT  # and all of them together
_WHAT = "a PNG chunk"


@dataclass(frozen=True)
class Chunk:
    """One chunk; ``data[start:end]`` is all of it, with length and CRC."""

    kind: bytes
    start: int
    end: int
    body: bytes


@dataclass(frozen=True)
class Text:
    """A text chunk taken apart; `raw` is decompressed and, if not `whole`, cut off."""

    kind: bytes
    keyword: bytes
    raw: bytes
    whole: bool

    @property
    def is_xmp(self) -> bool:
        """Whether it holds a packet, in whatever spelling."""
        return self.keyword in (_XMP, _RAW_XMP)


def read_xmp(data: bytes) -> list[bytes]:
    """Return the packets of iTXt, tEXt and zTXt, and of ImageMagick's raw profiles."""
    packets = []
    for text in _texts(data):
        if text.is_xmp:
            if not text.whole:
                raise CorruptMedia(f"a compressed XMP packet is larger than {_MAX_TEXT} bytes")
            packets.append(text.raw if text.keyword == _XMP else _raw_profile(text.raw))
    return packets


def write_xmp(data: bytes, packet: bytes) -> bytes:
    """Put `packet` into one uncompressed iTXt chunk before the picture data."""
    new = _chunk(b"iTXt", _XMP + bytes(5) + packet)
    out = [data[:_SIGNATURE]]
    end = _SIGNATURE
    for chunk in _chunks(data):
        if new and chunk.kind in (b"IDAT", b"fcTL", b"IEND"):
            out.append(new)
            new = b""
        if not _is_xmp(chunk):
            out.append(data[chunk.start : chunk.end])
        end = chunk.end
    return b"".join([*out, data[end:]])


def read_texts(data: bytes) -> list[TextField]:
    """Return every text chunk but XMP, and the texts of EXIF."""
    found = []
    for text in _texts(data):
        if text.keyword in _RAW_EXIF:
            found += exif.read_texts(_raw_profile(text.raw))
        elif not text.is_xmp:
            key = text.keyword.decode("latin-1")
            found.append(TextField(f"PNG {text.kind.decode()} {key}", key, decode(text.raw)))
    blocks = [chunk.body for chunk in _chunks(data) if chunk.kind == b"eXIf"]
    return found + [text for block in blocks for text in exif.read_texts(block)]


def carry_over(source: bytes, coded: bytes) -> tuple[bytes, list[str]]:
    """Bring the ancillary chunks of `source` into `coded`, by the rule of "safe to copy"."""
    own = list(_chunks(coded))
    have = {chunk.kind for chunk in own} - _TEXT
    have |= _PROFILES if have & _PROFILES else set()
    bodies = {chunk.body for chunk in own if chunk.kind in _TEXT}
    own_xmp = any(_is_xmp(chunk) for chunk in own)
    carried, lost = [], list[str]()
    for chunk in _chunks(source):
        if chunk.kind in have | _PIXEL_BOUND or (chunk.kind in _TEXT and chunk.body in bodies):
            continue
        if own_xmp and _is_xmp(chunk):
            continue
        if not chunk.kind[3] & 0x20 and chunk.kind not in _DESCRIBES:
            lost.append(f"PNG chunk {chunk.kind.decode('latin-1')}, which is not safe to copy")
            continue
        body = exif.without_thumbnail(chunk.body) if chunk.kind == b"eXIf" else chunk.body
        if body != chunk.body:
            lost.append("EXIF thumbnail")
        carried.append(_chunk(chunk.kind, body))
    if chunk.end < len(source):
        lost.append("data after the end of the picture")
    after_header = own[0].end
    return coded[:after_header] + b"".join(carried) + coded[after_header:], lost


def coded_digest(data: bytes) -> bytes:
    """Digest of header, palette, transparency, picture data and animation control."""
    digest = hashlib.sha256()
    for chunk in _chunks(data):
        if chunk.kind in _CODED:
            digest.update(chunk.kind + len(chunk.body).to_bytes(4, "big") + chunk.body)
    return digest.digest()


def has_c2pa(data: bytes) -> bool:
    """Whether there is a ``caBX`` chunk."""
    return any(chunk.kind == b"caBX" for chunk in _chunks(data))


def _chunk(kind: bytes, body: bytes) -> bytes:
    crc = zlib.crc32(kind + body).to_bytes(4, "big")
    return len(body).to_bytes(4, "big") + kind + body + crc


@bounded(1 << 16, "chunks")
def _chunks(data: bytes) -> Iterator[Chunk]:
    """Yield the chunks up to IEND. Checksums are left to the decoder."""
    at, kind = _SIGNATURE, b""
    while kind != b"IEND":
        size = uint(data, at, 4, _WHAT)
        kind = take(data, at + 4, 4, _WHAT)
        if at == _SIGNATURE and kind != b"IHDR":
            raise CorruptMedia("a PNG does not begin with IHDR")
        body = take(data, at + 8, size + 4, _WHAT)[:size]
        yield Chunk(kind, at, at + 12 + size, body)
        at += 12 + size


def _is_xmp(chunk: Chunk) -> bool:
    keyword = chunk.body[:80].partition(b"\0")[0]
    return chunk.kind in _TEXT and keyword in (_XMP, _RAW_XMP)


@bounded(1 << 10, "text chunks")
def _texts(data: bytes) -> Iterator[Text]:
    """Yield the text chunks, decompressed."""
    budget = _MAX_TEXTS
    for chunk in _chunks(data):
        if chunk.kind not in _TEXT:
            continue
        keyword, _, rest = chunk.body.partition(b"\0")
        compressed = chunk.kind == b"zTXt"
        if chunk.kind == b"zTXt":
            rest = rest[1:]  # compression method
        elif chunk.kind == b"iTXt":
            compressed = rest[:1] == b"\1"
            rest = rest[2:].partition(b"\0")[2].partition(b"\0")[2]  # language, translated keyword
        whole = True
        if compressed:
            rest, whole = inflate(rest, _MAX_TEXT, "a PNG text")
            budget -= len(rest)
        if budget < 0:
            raise CorruptMedia(f"the texts of a PNG decompress to more than {_MAX_TEXTS} bytes")
        yield Text(chunk.kind, keyword, rest, whole)


def _raw_profile(text: bytes) -> bytes:
    r"""Decode ImageMagick's ``\nname\n  length\nhexadecimal`` form."""
    lines = text.strip().split(b"\n", 2)
    try:
        return binascii.unhexlify(b"".join(lines[2].split()))
    except (binascii.Error, IndexError) as error:
        raise CorruptMedia("a raw profile in a PNG text is not hexadecimal") from error
