"""FLAC metadata blocks (RFC 9639, 8). The label is a comment ``AIGC``."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO, NamedTuple

from aiglabel.containers import id3, mp3, vorbis
from aiglabel.containers.bounds import Splice, bounded, take, uint
from aiglabel.containers.pieces import Digest
from aiglabel.containers.tags import KEY, MOST_HEAD, Tags, merged, read_at
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


def read(file: BinaryIO) -> Tags:
    """Return comments, and the tags of an ID3 before the stream, where C2PA is kept.

    Raises
    ------
    CorruptMedia, ResourceLimit, UnsupportedFormat
        If the structure of the file is broken or absurd.
    """
    head = _parse(file)
    comments = [vorbis.parse(block.body) for block in head.blocks if block.kind == _COMMENT]
    before = [id3.read(tag, "FLAC ID3") for tag in mp3.each_tag(head.before)]
    return merged([*(vorbis.read(one, "FLAC comment") for one in comments), *before])


def edits(file: BinaryIO, label: bytes) -> list[Splice]:
    """Return the splice that sets `label` as the one comment ``AIGC``.

    Older labels go, those in ID3 too. While a padding block lasts, the frames stay where they are.

    Raises
    ------
    CorruptMedia, UnsupportedFormat
        As `read`.
    ResourceLimit
        As `read`; also if the comments would outgrow a block (16 MiB).
    """
    head = _parse(file)
    blocks = []
    for block in head.blocks:
        if block.kind == _COMMENT:
            comments = vorbis.with_label(vorbis.parse(block.body), label)
            blocks.append(Block(_COMMENT, comments.pack()))
            label = b""
        else:
            blocks.append(block)
    if label:
        fresh = vorbis.with_label(vorbis.Comments(vorbis.VENDOR, [], b""), label)
        blocks.insert(1, Block(_COMMENT, fresh.pack()))
    grown = sum(len(block.body) + 4 for block in blocks) - (head.end - len(head.before) - 4)
    blocks = _absorbed(blocks, grown)
    packed = [_packed(block, last=block is blocks[-1]) for block in blocks]
    return [(0, head.end, b"".join([mp3.without_labels(head.before), b"fLaC", *packed]))]


def coded_digest(file: BinaryIO) -> bytes:
    """Digest of STREAMINFO and the frames."""
    head, digest = _parse(file), Digest(file)
    digest.add(head.blocks[0].body)
    digest.add_span(head.end, mp3.trailer(file, head.end))
    return digest.value()


class _Head(NamedTuple):
    """What stands before the frames, which begin at `end`."""

    before: bytes  # ID3 tags
    blocks: list[Block]
    end: int


def _parse(file: BinaryIO) -> _Head:
    before = mp3.leading_tags(file)
    start = len(before)
    if read_at(file, start, 4) != b"fLaC":
        raise CorruptMedia("a FLAC does not begin with fLaC")
    blocks = list(_blocks(file, start + 4))
    if blocks[0].kind != _STREAMINFO:
        raise CorruptMedia("a FLAC does not begin with STREAMINFO")
    return _Head(before, blocks, start + 4 + sum(len(block.body) + 4 for block in blocks))


@bounded(1 << 12, "metadata blocks")
def _blocks(file: BinaryIO, start: int) -> Iterator[Block]:
    at, last = start, 0
    while not last:
        kind, size = (uint(read_at(file, at, 4), n, w, _WHAT) for n, w in ((0, 1), (1, 3)))
        last = kind & 0x80
        if at + size - start > MOST_HEAD:
            raise ResourceLimit(f"the metadata of a FLAC are over {MOST_HEAD >> 20} MiB")
        yield Block(kind & 0x7F, take(read_at(file, at + 4, size), 0, size, _WHAT))
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
