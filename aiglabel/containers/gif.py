"""GIF blocks (GIF89a specification; XMP part 3, 1.1.2)."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass

from aiglabel.containers.bounds import bounded, take, uint
from aiglabel.containers.texts import TextField, decode, glued
from aiglabel.errors import CorruptMedia

_XMP = b"\x21\xff\x0bXMP DataXMP"
_C2PA = b"\x21\xff\x0bC2PA_GIF"
_ICC = b"\x21\xff\x0bICCRGBG1012"
_LOOPS = (b"\x21\xff\x0bNETSCAPE2.0", b"\x21\xff\x0bANIMEXTS1.0")
# A reader that walks sub-blocks lands, from wherever it is, on the final zero.
_TRAILER = b"\x01" + bytes(range(255, -1, -1)) + b"\0"
_APPLICATION, _COMMENT = b"\x21\xff", b"\x21\xfe"
_WHAT = "a GIF block"


@dataclass(frozen=True)
class Block:
    """``data[start:end]`` is all of it; its sub-blocks begin at `body`."""

    start: int
    body: int
    end: int
    head: bytes  # introducer, label and, for application extensions, identifier

    @property
    def coded(self) -> bool:
        """Whether it makes pixels or times them."""
        return not self.head.startswith((_APPLICATION, _COMMENT)) or self.head.startswith(_LOOPS)


def read_xmp(data: bytes) -> list[bytes]:
    """Return the packets of XMP application extensions, with or without the magic trailer."""
    packets = []
    for block in _blocks(data):
        if block.head == _XMP:
            raw = data[block.body : block.end]
            trailed = raw.endswith(_TRAILER)
            packets.append(raw.removesuffix(_TRAILER) if trailed else _joined(data, block.body))
    return packets


def write_xmp(data: bytes, packet: bytes) -> bytes:
    """Put `packet` into one application extension after the global colour table."""
    if b"\0" in packet:
        raise CorruptMedia("XMP in GIF must be UTF-8 text without NUL bytes")
    blocks = [block for block in _blocks(data) if block.head == _XMP]
    at = _first_block(data)
    out, done = [b"GIF89a" + data[6:at] + _XMP + packet + _TRAILER], at
    for block in blocks:
        out.append(data[done : block.start])
        done = block.end
    return b"".join([*out, data[done:]])


def read_texts(data: bytes) -> list[TextField]:
    """Return comments, and ``AIGC{…}`` glued into application extensions."""
    found = []
    for block in _blocks(data):
        if block.head == _COMMENT:
            raw = _joined(data, block.body)
            found.append(TextField("GIF comment", "Comment", decode(raw)))
        elif (
            block.head not in (_XMP, _ICC) and not block.head.startswith(_C2PA) and not block.coded
        ):
            found += glued(_joined(data, block.body), "GIF application extension")
    return found


def carry_over(source: bytes, coded: bytes) -> tuple[bytes, list[str]]:
    """Bring comments and application extensions of `source` into `coded`."""
    own = [coded[block.start : block.end] for block in _blocks(coded)]
    have = {block.head for block in _blocks(coded)} & {_XMP, _ICC}
    carried = [
        data
        for block in _blocks(source)
        if not (block.coded or block.head.startswith(_C2PA) or block.head in have)
        and (data := source[block.start : block.end]) not in own
    ]
    end = max((block.end for block in _blocks(source)), default=len(source)) + 1
    lost = ["data after the end of the picture"] if end < len(source) else []
    at = _first_block(coded)
    version = b"GIF89a" if carried else coded[:6]
    return version + coded[6:at] + b"".join(carried) + coded[at:], lost


def coded_digest(data: bytes) -> bytes:
    """Digest of screen descriptor, colour tables, pictures, their control and the loop count."""
    digest = hashlib.sha256(data[6 : _first_block(data)])
    for block in _blocks(data):
        if block.coded:
            digest.update(data[block.start : block.end])
    return digest.digest()


def has_c2pa(data: bytes) -> bool:
    """Whether there is a C2PA application extension."""
    return any(block.head.startswith(_C2PA) for block in _blocks(data))


def _first_block(data: bytes) -> int:
    """Return where the blocks begin, after the global colour table."""
    flags = uint(data, 10, 1, _WHAT)
    return 13 + (3 << (flags & 7) + 1 if flags & 0x80 else 0)


@bounded(1 << 14, "blocks")
def _blocks(data: bytes) -> Iterator[Block]:
    """Yield extensions and pictures up to the trailer or, as decoders do, the end of the file."""
    at = _first_block(data)
    while at < len(data) and data[at] != 0x3B:
        if data[at] == 0:  # a terminator too many; decoders pass over it
            at += 1
            continue
        head = take(data, at, 2, _WHAT)
        if head[0] == 0x2C:
            flags = uint(data, at + 9, 1, _WHAT)
            body = at + 11 + (3 << (flags & 7) + 1 if flags & 0x80 else 0)
            head = head[:1]
        elif head[0] != 0x21:
            raise CorruptMedia(f"a GIF block is missing at byte {at}")
        elif head == _APPLICATION:
            body = at + 3 + uint(data, at + 2, 1, _WHAT)
            head = take(data, at, body - at, _WHAT)
        else:
            body = at + 2
        end = _walk(data, body)
        yield Block(at, body, end, head)
        at = end


def _walk(data: bytes, at: int) -> int:
    """Return the end of the sub-blocks that begin at `at`."""
    while size := uint(data, at, 1, _WHAT):
        at += 1 + size
    return at + 1


def _joined(data: bytes, at: int) -> bytes:
    parts = []
    while size := uint(data, at, 1, _WHAT):
        parts.append(take(data, at + 1, size, _WHAT))
        at += 1 + size
    return b"".join(parts)
