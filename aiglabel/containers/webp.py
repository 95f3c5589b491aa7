"""WebP chunks (RFC 9649; XMP part 3 for the packet)."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from aiglabel.containers import exif
from aiglabel.containers.bounds import take, uint
from aiglabel.containers.texts import TextField
from aiglabel.errors import CorruptMedia, ResourceLimit

_MOST_CHUNKS = 1 << 14
_HEADER = 12
_ORDER = {
    b"VP8X": 0, b"ICCP": 1, b"ANIM": 2, b"ALPH": 3, b"VP8 ": 3, b"VP8L": 3, b"ANMF": 3,
    b"EXIF": 4, b"XMP ": 5,
}  # fmt: skip
_FLAGS = {b"ICCP": 0x20, b"EXIF": 0x08, b"XMP ": 0x04}
_ALPHA = 0x10
_CODED = {b"ALPH", b"VP8 ", b"VP8L", b"ANIM", b"ANMF"}
_WHAT = "a WebP chunk"


@dataclass(frozen=True)
class Chunk:
    """One RIFF chunk without its header and padding."""

    kind: bytes
    body: bytes


@dataclass(frozen=True)
class Layout:
    """Size of the canvas in px, count of coded pictures, and whether all are lossless."""

    width: int
    height: int
    frames: int
    lossless: bool


def layout(data: bytes) -> Layout:
    """Return what the headers of the chunks say, however broken; zeros where they say nothing."""
    size = (0, 0)
    kinds = []
    at = 12
    while at + 8 <= len(data):
        name, length = data[at : at + 4], int.from_bytes(data[at + 4 : at + 8], "little")
        body = data[at + 8 : at + 8 + 32]
        if name == b"VP8X":
            size = (
                1 + int.from_bytes(body[4:7], "little"),
                1 + int.from_bytes(body[7:10], "little"),
            )
        elif name == b"VP8 ":
            kinds.append(name)
            if size == (0, 0):
                size = (
                    int.from_bytes(body[6:8], "little") & 0x3FFF,
                    int.from_bytes(body[8:10], "little") & 0x3FFF,
                )
        elif name == b"VP8L":
            kinds.append(name)
            if size == (0, 0):
                bits = int.from_bytes(body[1:5], "little")
                size = ((bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1)
        # A frame's own chunks lie inside it, after 16 bytes of its header.
        at += 24 if name == b"ANMF" else 8 + length + length % 2
    return Layout(*size, len(kinds), bool(kinds) and set(kinds) == {b"VP8L"})


def read_xmp(data: bytes) -> list[bytes]:
    """Return the bodies of ``XMP `` chunks."""
    return [chunk.body for chunk in _parse(data)[0] if chunk.kind == b"XMP "]


def write_xmp(data: bytes, packet: bytes) -> bytes:
    """Put `packet` into one ``XMP `` chunk, extending a simple file by ``VP8X``."""
    chunks, tail = _parse(data)
    kept = [chunk for chunk in chunks if chunk.kind != b"XMP "]
    return _assemble([*kept, Chunk(b"XMP ", packet)]) + tail


def read_texts(data: bytes) -> list[TextField]:
    """Return the texts of EXIF."""
    blocks = [chunk.body for chunk in _parse(data)[0] if chunk.kind == b"EXIF"]
    return [text for block in blocks for text in exif.read_texts(block)]


def carry_over(source: bytes, coded: bytes) -> tuple[bytes, list[str]]:
    """Bring ICC profile, EXIF, XMP and unknown chunks of `source` into `coded`."""
    own, tail = _parse(coded)
    have = {chunk.kind for chunk in own} | _CODED | {b"VP8X", b"C2PA"}
    chunks, after = _parse(source)
    carried, lost = [], list[str]()
    for chunk in chunks:
        if chunk.kind in have:
            continue
        body = exif.without_thumbnail(chunk.body) if chunk.kind == b"EXIF" else chunk.body
        if body != chunk.body:
            lost.append("EXIF thumbnail")
        carried.append(Chunk(chunk.kind, body))
    if after:
        lost.append("data after the end of the picture")
    return (_assemble([*own, *carried]) + tail if carried else coded), lost


def coded_digest(data: bytes) -> bytes:
    """Digest of the bitstreams; for animations also of their control and canvas."""
    chunks, _ = _parse(data)
    animated = any(chunk.kind == b"ANMF" for chunk in chunks)
    digest = hashlib.sha256()
    for chunk in chunks:
        if chunk.kind in _CODED:
            digest.update(chunk.kind + len(chunk.body).to_bytes(4, "little") + chunk.body)
        elif chunk.kind == b"VP8X" and animated:
            digest.update(chunk.body[4:10])
    return digest.digest()


def has_c2pa(data: bytes) -> bool:
    """Whether there is a ``C2PA`` chunk."""
    return any(chunk.kind == b"C2PA" for chunk in _parse(data)[0])


def _parse(data: bytes) -> tuple[list[Chunk], bytes]:
    """Return the chunks, and what follows the RIFF file."""
    size = uint(data, 4, 4, _WHAT, "little")
    end = min(8 + size, len(data))  # writers forget the last padding byte
    chunks: list[Chunk] = []
    at = _HEADER
    while at + 8 <= end:
        if len(chunks) == _MOST_CHUNKS:
            raise ResourceLimit(f"the file has more than {_MOST_CHUNKS} chunks")
        length = uint(data, at + 4, 4, _WHAT, "little")
        if at + 8 + length > end:
            raise CorruptMedia(f"{_WHAT} runs past the end of the file")
        chunks.append(Chunk(data[at : at + 4], data[at + 8 : at + 8 + length]))
        at += 8 + length + length % 2
    return chunks, data[max(at, end) :]


def _assemble(chunks: list[Chunk]) -> bytes:
    """Return an extended WebP file with its chunks in the order of RFC 9649, 2.7."""
    header = next((chunk.body for chunk in chunks if chunk.kind == b"VP8X"), None)
    header = _extended_header(chunks) if header is None else header
    flags = take(header, 0, 10, _WHAT)[0]
    for kind, flag in _FLAGS.items():
        present = any(chunk.kind == kind for chunk in chunks)
        flags = flags | flag if present else flags & ~flag
    rest = [chunk for chunk in chunks if chunk.kind != b"VP8X"]
    ordered = [Chunk(b"VP8X", bytes([flags]) + header[1:]), *rest]
    ordered.sort(key=lambda chunk: _ORDER.get(chunk.kind, 6))
    body = b"WEBP" + b"".join(
        chunk.kind + len(chunk.body).to_bytes(4, "little") + chunk.body + bytes(len(chunk.body) % 2)
        for chunk in ordered
    )
    return b"RIFF" + len(body).to_bytes(4, "little") + body


def _extended_header(chunks: list[Chunk]) -> bytes:
    """Return the ``VP8X`` body for a simple file, from its bitstream header."""
    alpha = any(chunk.kind == b"ALPH" for chunk in chunks)
    for chunk in chunks:
        if chunk.kind == b"VP8 " and chunk.body[3:6] == b"\x9d\x01\x2a":
            width = uint(chunk.body, 6, 2, _WHAT, "little") & 0x3FFF
            height = uint(chunk.body, 8, 2, _WHAT, "little") & 0x3FFF
            break
        if chunk.kind == b"VP8L" and chunk.body[:1] == b"\x2f":
            bits = uint(chunk.body, 1, 4, _WHAT, "little")
            width, height = (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
            alpha = bool(bits >> 28 & 1)
            break
    else:
        raise CorruptMedia("a WebP file holds no picture")
    if not (width and height):
        raise CorruptMedia("a WebP picture has no area")
    sides = (width - 1).to_bytes(3, "little") + (height - 1).to_bytes(3, "little")
    return bytes([_ALPHA if alpha else 0, 0, 0, 0]) + sides
