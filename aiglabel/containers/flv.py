"""Flash video (Adobe, FLV and F4V File Format Specification 10.1).

The label is a property ``AIGC`` of the script data ``onMetaData`` (TC260-PG-20257A), which stand
before the pictures. What they say of byte positions in the file moves along.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import BinaryIO

from aiglabel.containers import amf
from aiglabel.containers.bounds import Splice, mover, splice, uint
from aiglabel.containers.pieces import Digest
from aiglabel.containers.tags import KEY, MAX_TEXT, Tags, is_label, merged, one_text, read_at
from aiglabel.containers.texts import decode
from aiglabel.errors import CorruptMedia, ResourceLimit

CARRIER = f"FLV onMetaData {KEY}"
_SCRIPT = 18
_METADATA = amf.string(b"onMetaData")
_XMP = amf.string(b"onXMPData")
_FRONT = 256  # tags among which metadata are looked for; films have a hundred thousand
_MOST_TAGS = 1 << 22
_MOST_SIZE = 0xFFFFFF
_WHAT = "an FLV tag"


@dataclass(frozen=True)
class Tag:
    """One tag: head of 11 bytes at `start`, content ``[body, end)``, its size in 4 bytes behind."""

    kind: int
    start: int
    end: int

    @property
    def body(self) -> int:
        """Where its content begins."""
        return self.start + 11


def read(file: BinaryIO) -> Tags:
    """Return the texts of ``onMetaData`` and the XMP of ``onXMPData`` among the first 256 tags.

    Raises
    ------
    CorruptMedia, ResourceLimit
        If the structure of the file is broken or absurd.
    """
    return merged(_tags_in(_content(file, tag)) for tag in _scripts(file))


def edits(file: BinaryIO, label: bytes) -> list[Splice]:
    """Return the splices that set the label; older ones in ``onMetaData`` go.

    Raises
    ------
    CorruptMedia
        As `read`; also if the file ends inside one of its first tags.
    ResourceLimit
        As `read`; also for a label of 64 KiB and more.
    """
    size, found = file.seek(0, os.SEEK_END), []
    wanted = amf.named(KEY.encode(), amf.string(label))
    for tag in _scripts(file):
        data = _content(file, tag)
        if data.startswith(_METADATA) and data[len(_METADATA) :][:1] in (b"\3", b"\x08"):
            found.append((tag, data))
    if not found:
        data = _METADATA + bytes([amf.ARRAY]) + (1).to_bytes(4, "big") + wanted + b"\0\0\x09"
        at = _first_tag(file)
        return [(at, at, _packed(bytes([_SCRIPT]) + bytes(10), data))]
    labelled = [one for one in found if _labels(one[1])]
    home = next(iter([*labelled, *found]))
    changed = [
        (tag, data, _relabelled(data, wanted if tag is home[0] else b""))
        for tag, data in found
        if tag is home[0] or _labels(data)
    ]
    move = mover([(tag.body, tag.end, new) for tag, _, new in changed])
    out: list[Splice] = []
    for tag, _, new in changed:
        moved = _repositioned(new, size, move)
        packed = _packed(read_at(file, tag.start, 11), moved)
        out.append((tag.start, min(tag.end + 4, size), packed))
    return out


def coded_digest(file: BinaryIO) -> bytes:
    """Digest of all tags but ``onMetaData`` and ``onXMPData``."""
    digest = Digest(file)
    for tag in _tags(file):
        head = read_at(file, tag.body, len(_METADATA)) if tag.kind == _SCRIPT else b""
        if not head.startswith((_METADATA, _XMP)):
            digest.add_span(tag.start, tag.end)
    return digest.value()


def _first_tag(file: BinaryIO) -> int:
    """Return where the first tag stands, behind the header and a size of 0."""
    head = read_at(file, 0, 9)
    at = uint(head, 5, 4, _WHAT)
    if head[:3] != b"FLV" or at < 9:
        raise CorruptMedia("an FLV does not begin with its header")
    if at + 4 > file.seek(0, os.SEEK_END):
        raise CorruptMedia("an FLV ends inside its header", remedy="Copy the whole file again")
    return at + 4


def _tags(file: BinaryIO) -> Iterator[Tag]:
    """Yield the tags; a last one that is cut off is left out."""
    at, end = _first_tag(file), file.seek(0, os.SEEK_END)
    for _ in range(_MOST_TAGS):
        head = read_at(file, at, 4)
        if len(head) < 4:
            return
        tag = Tag(head[0] & 31, at, at + 11 + int.from_bytes(head[1:], "big"))
        if tag.end > end:
            return
        yield tag
        at = tag.end + 4
    raise ResourceLimit(f"the FLV has more than {_MOST_TAGS} tags")


def _scripts(file: BinaryIO) -> list[Tag]:
    return [tag for tag in islice(_tags(file), _FRONT) if tag.kind == _SCRIPT]


def _content(file: BinaryIO, tag: Tag) -> bytes:
    return read_at(file, tag.body, tag.end - tag.body)


def _tags_in(data: bytes) -> Tags:
    packets: list[bytes] = []
    parts = []
    if data.startswith(_METADATA):
        for one in amf.properties(data, len(_METADATA)):
            raw = amf.text(data, one.value)
            if raw and len(raw) <= MAX_TEXT:
                name = decode(one.name)
                parts.append(one_text(f"FLV onMetaData {name}", name, decode(raw)))
    elif data.startswith(_XMP):
        values = amf.properties(data, len(_XMP))
        packets += [raw for one in values if (raw := amf.text(data, one.value))]
    return merged([*parts, Tags([], packets, False)])


def _labels(data: bytes) -> list[amf.Property]:
    values = amf.properties(data, len(_METADATA))
    return [one for one in values if is_label(decode(one.name))]


def _relabelled(data: bytes, new: bytes) -> bytes:
    """Return ``onMetaData`` with `new` as its one label, or with none."""
    at = len(_METADATA)
    values, old = amf.properties(data, at), _labels(data)
    changes: list[Splice] = []
    for number, one in enumerate(old):
        changes.append((one.start, one.end, b"" if number else new))
    if new and not old:
        end = values[-1].end if values else at + (1 if data[at] == amf.OBJECT else 5)
        changes.append((end, end, new))
    if data[at] == amf.ARRAY:
        # A hint only: where it is right it shall stay so.
        count = uint(data, at + 1, 4, _WHAT) + (1 if new else 0) - len(old)
        changes.append((at + 1, at + 5, max(0, count).to_bytes(4, "big")))
    return splice(data, changes)


def _repositioned(data: bytes, size: int, move: Callable[[int], int]) -> bytes:
    """Return ``onMetaData`` whose positions in a file of `size` bytes have moved."""
    places = []
    for one in amf.properties(data, len(_METADATA)):
        if one.name in (b"filesize", b"lastkeyframelocation") and data[one.value] == amf.NUMBER:
            places.append(one.value + 1)
        elif one.name == b"keyframes":
            for inner in amf.properties(data, one.value):
                if inner.name == b"filepositions":
                    places += amf.numbers(data, inner.value)
    out = bytearray(data)
    for at in places:
        (position,) = struct.unpack_from(">d", data, at)
        if 0 < position <= size and position == int(position):
            struct.pack_into(">d", out, at, float(move(int(position))))
    return bytes(out)


def _packed(head: bytes, body: bytes) -> bytes:
    """Return a tag with the time and stream of `head`, and the size that stands behind it."""
    if len(body) > _MOST_SIZE:
        raise ResourceLimit("the metadata of an FLV outgrow their tag")
    tag = head[:1] + len(body).to_bytes(3, "big") + head[4:11] + body
    return tag + len(tag).to_bytes(4, "big")
