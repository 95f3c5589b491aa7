"""FLAC metadata blocks (RFC 9639, 8). The label is a comment ``AIGC``."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass

from aiglabel.containers import id3, mp3, vorbis
from aiglabel.containers.bounds import bounded, take, uint
from aiglabel.containers.tags import KEY, Tags, label_bytes, merged
from aiglabel.errors import CorruptMedia, ResourceLimit

CARRIER = f"FLAC comment {KEY}"
_STREAMINFO, _PADDING, _COMMENT = 0, 1, 4
_MAX_BLOCK = (1 << 24) - 1
_WHAT = "a FLAC metadata block"


@dataclass(frozen=True)
class Block:
    """One metadata block, without its header."""

    kind: int
    body: bytes


def read(data: bytes) -> Tags:
    """Return comments, and the tags of an ID3 before the stream, where C2PA is kept.

    Raises
    ------
    CorruptMedia, ResourceLimit, UnsupportedFormat
        If the structure of the file is broken or absurd.
    """
    start, _, blocks = _parse(data)
    comments = [vorbis.parse(block.body) for block in blocks if block.kind == _COMMENT]
    before = [id3.read(tag, "FLAC ID3") for tag in mp3.leading_tags(data[:start])]
    return merged([*(vorbis.read(one, "FLAC comment") for one in comments), *before])


def write(data: bytes, label: str) -> bytes:
    """Return the file with `label` as its one comment ``AIGC``.

    Older labels go, those in ID3 too. While a padding block lasts, the frames stay where they are.

    Raises
    ------
    CorruptMedia, UnsupportedFormat
        As `read`.
    ResourceLimit
        If the comments would outgrow a block (16 MiB).
    """
    start, end, old = _parse(data)
    text = label_bytes(label)
    blocks = []
    for block in old:
        if block.kind == _COMMENT:
            comments = vorbis.with_label(vorbis.parse(block.body), text)
            blocks.append(Block(_COMMENT, comments.pack()))
            text = b""
        else:
            blocks.append(block)
    if text:
        fresh = vorbis.with_label(vorbis.Comments(vorbis.VENDOR, [], b""), text)
        blocks.insert(1, Block(_COMMENT, fresh.pack()))
    grown = sum(len(block.body) + 4 for block in blocks) - (end - start - 4)
    blocks = _absorbed(blocks, grown)
    packed = [_packed(block, last=block is blocks[-1]) for block in blocks]
    head = mp3.without_labels(data[:start])
    return b"".join([head, b"fLaC", *packed, memoryview(data)[end:]])


def coded_digest(data: bytes) -> bytes:
    """Digest of STREAMINFO and the frames."""
    _, end, blocks = _parse(data)
    digest = hashlib.sha256(blocks[0].body)
    digest.update(memoryview(data)[end : mp3.trailer(data, end)])
    return digest.digest()


def _parse(data: bytes) -> tuple[int, int, list[Block]]:
    """Return where ``fLaC`` stands, where the frames begin, and the blocks between."""
    start = mp3.after_tags(data)
    if data[start : start + 4] != b"fLaC":
        raise CorruptMedia("a FLAC does not begin with fLaC")
    blocks = list(_blocks(data, start + 4))
    if blocks[0].kind != _STREAMINFO:
        raise CorruptMedia("a FLAC does not begin with STREAMINFO")
    return start, start + 4 + sum(len(block.body) + 4 for block in blocks), blocks


@bounded(1 << 12, "metadata blocks")
def _blocks(data: bytes, at: int) -> Iterator[Block]:
    last = 0
    while not last:
        head, size = uint(data, at, 1, _WHAT), uint(data, at + 1, 3, _WHAT)
        last = head & 0x80
        yield Block(head & 0x7F, take(data, at + 4, size, _WHAT))
        at += 4 + size


def _absorbed(blocks: list[Block], grown: int) -> list[Block]:
    """Take what the blocks have grown from the largest padding, if that is large enough."""
    paddings = [n for n, block in enumerate(blocks) if block.kind == _PADDING]
    if not paddings:
        return blocks
    at = max(paddings, key=lambda n: len(blocks[n].body))
    left = len(blocks[at].body) - grown
    if 0 <= left <= _MAX_BLOCK:
        blocks[at] = Block(_PADDING, bytes(left))
    return blocks


def _packed(block: Block, *, last: bool) -> bytes:
    if len(block.body) > _MAX_BLOCK:
        raise ResourceLimit("the comments of a FLAC would outgrow their block of 16 MiB")
    return (
        bytes([block.kind | (0x80 if last else 0)])
        + len(block.body).to_bytes(3, "big")
        + block.body
    )
