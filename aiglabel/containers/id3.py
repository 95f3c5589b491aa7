"""ID3v2 tags (id3v2-00, id3v2.3.0, id3v2.4.0-structure and -frames), wherever they stand.

A tag is edited frame by frame: every other frame keeps its bytes, its place and the version of the
tag. ``TXX`` is what version 2.2 calls ``TXXX``.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

from aiglabel.containers.bounds import bounded, inflate, take, uint
from aiglabel.containers.tags import KEY, MAX_TEXT, Tags, is_label, merged, read_at, replaced
from aiglabel.containers.texts import TextField, decode
from aiglabel.errors import CorruptMedia, ResourceLimit, UnsupportedFormat

_WHAT = "an ID3 tag"
_HEADER = 10
_MOST_TAGS = 8
_NEW_PADDING = 1024  # so that other tools can edit in place; ExifTool wants at least 64
_MAX_SIZE = 1 << 28  # what four syncsafe bytes hold
_MAX_INFLATED = 16 * MAX_TEXT
_UNSYNC, _EXTENDED, _FOOTER = 0x80, 0x40, 0x10
_USER_TEXT = (b"TXXX", b"TXX")
_COMMENT = (b"COMM", b"COM")
_OBJECT = (b"GEOB", b"GEO")
_C2PA = (b"application/x-c2pa-manifest-store", b"application/c2pa")
_ENCODINGS = {1: "utf-16", 2: "utf-16-be"}


@dataclass(frozen=True)
class Frame:
    """One frame; `raw` is all of it, `body` what it says once unpacked, or None if sealed."""

    kind: bytes
    raw: bytes
    body: bytes | None

    @property
    def is_label(self) -> bool:
        """Whether it is the user text of a label."""
        return self.kind in _USER_TEXT and is_label(_strings(self.body or b"")[0])


@dataclass(frozen=True)
class Tag:
    """A tag taken apart; in the file it fills ``data[start:end]``.

    Attributes
    ----------
    version : int
        2, 3 or 4.
    flags : int
    extended : bytes
        The extended header, empty if there is none.
    frames : list of Frame
    tail : bytes
        What follows the last good frame: padding, or bytes that are no frame.
    """

    start: int
    end: int
    version: int
    flags: int
    extended: bytes
    frames: list[Frame]
    tail: bytes


def size_at(data: bytes, at: int = 0) -> int:
    """Return how long the tag at `at` says it is, with header and footer; 0 where there is none."""
    head = data[at : at + _HEADER]
    if len(head) < _HEADER or head[:3] != b"ID3" or head[3] == 0xFF or max(head[6:]) > 0x7F:
        return 0
    return _HEADER + _syncsafe(head[6:]) + (_HEADER if head[3] == 4 and head[5] & _FOOTER else 0)


@bounded(_MOST_TAGS, "ID3 tags")
def starts(file: BinaryIO) -> Iterator[tuple[int, int]]:
    """Yield offset and length of the tags that follow one another at the front of an open file.

    Only their headers are read; the last tag may be longer than the file.

    Raises
    ------
    ResourceLimit
        For more tags than any honest file has.
    """
    at = 0
    while size := size_at(read_at(file, at, _HEADER)):
        yield at, size
        at += size


def after(file: BinaryIO) -> int:
    """Return the offset behind the tags at the front of an open file, maybe beyond its end.

    Raises
    ------
    ResourceLimit
        As `starts`.
    """
    return sum(size for _, size in starts(file))


def parse(data: bytes, at: int = 0) -> Tag:
    """Take the tag at `at` apart. Frames that run past its end end the tag, as in every player.

    Raises
    ------
    CorruptMedia
        If there is no tag or the file is shorter than the tag.
    UnsupportedFormat
        For a version of ID3 after 2.4, and the compressed tags that 2.2 never defined.
    ResourceLimit
        For thousands of frames, or frames that inflate to more than 16 MiB.
    """
    size = size_at(data, at)
    if not size:
        raise CorruptMedia("there is no ID3 tag where one should be")
    version, flags = data[at + 3], data[at + 5]
    if version not in (2, 3, 4) or (version == 2 and flags & 0x40):
        raise UnsupportedFormat(
            "an ID3 tag has a form that was never defined", remedy="Write the tag anew as ID3v2.4"
        )
    footer = _HEADER if version == 4 and flags & _FOOTER else 0
    raw = take(data, at + _HEADER, size - _HEADER, _WHAT)[: size - _HEADER - footer]
    if version < 4 and flags & _UNSYNC:
        raw = raw.replace(b"\xff\0", b"\xff")
    extended = _extended(raw, version) if flags & _EXTENDED and version > 2 else b""
    frames = list(_frames(raw, len(extended), version, flags))
    tail = raw[len(extended) + sum(len(frame.raw) for frame in frames) :]
    return Tag(at, at + size, version, flags, extended, frames, tail)


def read(tag: Tag, place: str = "ID3") -> Tags:
    """Return the texts, XMP and C2PA of a tag; `place` begins the carriers' names."""
    return merged(_frame_tags(frame, place) for frame in tag.frames)


def with_label(tag: Tag, label: bytes) -> bytes:
    """Return the bytes of the tag with `label` as its one label; empty for none at all.

    The tag keeps its length while its padding lasts; after that it gets new padding.

    Raises
    ------
    CorruptMedia
        If its last frame runs past its end, in a longer tag it would come to life; or if its
        frames cannot be told apart once the label is among them.
    ResourceLimit
        If the tag would outgrow its size field (256 MiB).
    """
    new = _user_text(tag.version, label) if label else b""
    old = [(frame.is_label, frame.raw) for frame in tag.frames]
    if not label and not any(found for found, _ in old):
        return b""
    if _kind(tag.tail, 0, 3 if tag.version == 2 else 4):
        raise CorruptMedia("the last frame of an ID3 tag is cut off")
    packed = _packed(tag, b"".join(replaced(old, new)))
    if sum(frame.is_label for frame in parse(packed).frames) != bool(label):
        raise CorruptMedia("the frames of an ID3 tag cannot be told apart")
    return packed


def without_label(data: bytes, at: int = 0) -> bytes | None:
    """Return the tag at `at` without labels, as long as it was; None if it has no label."""
    tag = parse(data, at)
    return with_label(tag, b"") or None


def fresh(label: bytes) -> bytes:
    """Return a new tag, version 2.4, that holds the label and padding."""
    return with_label(Tag(0, _HEADER, 4, 0, b"", [], b""), label)


def _packed(tag: Tag, frames: bytes) -> bytes:
    """Put frames into a tag: into its length if they fit, else into a longer one."""
    junk = tag.tail if tag.tail.strip(b"\0") else b""
    whole = tag.extended + frames + junk
    footer = tag.version == 4 and bool(tag.flags & _FOOTER)
    unsync = tag.version < 4 and bool(tag.flags & _UNSYNC)
    room = tag.end - tag.start - _HEADER - (_HEADER if footer else 0)
    used = len(_unsynchronised(whole)) if unsync else len(whole)
    padding = 0 if footer else room - used if used <= room else _NEW_PADDING
    extended = _extended_for(tag, frames + junk, padding)
    whole = extended + frames + junk
    whole = _unsynchronised(whole) if unsync else whole
    # The checksum in an extended header may need a byte more or less to be unsynchronised.
    padding = max(0, padding - (len(whole) - used))
    size = len(whole) + padding
    if size >= _MAX_SIZE:
        raise ResourceLimit("an ID3 tag would grow past 256 MiB", remedy="Take out its pictures")
    head = bytes([tag.version, 0, tag.flags]) + _to_syncsafe(size, 4)
    return b"ID3" + head + whole + bytes(padding) + (b"3DI" + head if footer else b"")


def _extended(raw: bytes, version: int) -> bytes:
    if version == 3:
        return take(raw, 0, 4 + uint(raw, 0, 4, _WHAT), _WHAT)
    size = _syncsafe(take(raw, 0, 4, _WHAT))
    if size < 6:
        raise CorruptMedia("the extended header of an ID3 tag is too short")
    return take(raw, 0, size, _WHAT)


def _extended_for(tag: Tag, frames: bytes, padding: int) -> bytes:
    """Return the extended header for new frames: its padding size and checksum follow them."""
    old = tag.extended
    if tag.version == 3 and len(old) >= 10:
        crc = zlib.crc32(frames).to_bytes(4, "big") if old[4] & 0x80 and len(old) >= 14 else b""
        return old[:6] + padding.to_bytes(4, "big") + crc + old[10 + len(crc) :]
    if tag.version == 4 and len(old) >= 6 and old[5] & 0x20:
        at = 7 if old[5] & 0x40 else 6  # after "the tag is an update", one byte of length 0
        if old[at : at + 1] == b"\5" and len(old) >= at + 6:
            crc = _to_syncsafe(zlib.crc32(bytes(padding), zlib.crc32(frames)), 5)
            return old[: at + 1] + crc + old[at + 6 :]
    return old


@bounded(1 << 13, "ID3 frames")
def _frames(raw: bytes, at: int, version: int, flags: int) -> Iterator[Frame]:
    """Yield the frames, up to padding or the first thing that is no frame."""
    wide = 3 if version == 2 else 4
    head = 6 if version == 2 else 10
    plain = version == 4 and _sizes_are_plain(raw, at)
    budget = _MAX_INFLATED
    while (kind := _kind(raw, at, wide)) and at + head <= len(raw):
        number = raw[at + wide : at + 2 * wide]
        syncsafe = version == 4 and not plain
        size = _syncsafe(number) if syncsafe else int.from_bytes(number, "big")
        if at + head + size > len(raw):
            return
        body: bytes | None = raw[at + head : at + head + size]
        if version > 2 and _is_read(kind):
            unsync = version == 4 and bool(flags & _UNSYNC)
            body = _unpacked(body or b"", raw[at + 9], version, unsync)
            budget -= len(body or b"") if body and len(body) > size else 0
            if budget < 0:
                raise ResourceLimit(f"the frames of {_WHAT} inflate to more than 16 MiB")
        yield Frame(kind, raw[at : at + head + size], body if _is_read(kind) else None)
        at += head + size


def _is_read(kind: bytes) -> bool:
    return kind[:1] == b"T" or kind in _COMMENT or kind in _OBJECT or kind == b"PRIV"


def _kind(raw: bytes, at: int, wide: int) -> bytes:
    kind = raw[at : at + wide]
    return kind if re.fullmatch(rb"[A-Z][A-Z0-9 ]{2,3}", kind) and len(kind) == wide else b""


def _sizes_are_plain(raw: bytes, at: int) -> bool:
    """Whether frame sizes of a 2.4 tag are plain integers, as iTunes wrote them for years."""

    def steps(read_size: bool) -> tuple[bool, int]:
        place, count = at, 0
        while _kind(raw, place, 4) and place + 10 <= len(raw) and count < 1 << 13:
            number = raw[place + 4 : place + 8]
            place += 10 + (int.from_bytes(number, "big") if read_size else _syncsafe(number))
            count += 1
        sound = place == len(raw) or (place < len(raw) and not any(raw[place : place + 4]))
        return sound, count

    return steps(read_size=True) > steps(read_size=False)


def _unpacked(body: bytes, flags: int, version: int, unsync: bool) -> bytes | None:
    """Undo grouping, compression and unsynchronisation; None for encrypted or broken frames."""
    if version == 3:
        compressed, encrypted, grouped, indicated = flags & 0x80, flags & 0x40, flags & 0x20, 0
        skip = (4 if compressed else 0) + (1 if grouped else 0)
    else:
        compressed, encrypted, grouped = flags & 0x08, flags & 0x04, flags & 0x40
        indicated, unsync = flags & 0x01, unsync or bool(flags & 0x02)
        skip = (1 if grouped else 0) + (4 if indicated else 0)
    if encrypted:
        return None
    if version == 4 and unsync:
        body = body.replace(b"\xff\0", b"\xff")
    body = body[skip:]
    if not compressed:
        return body
    try:
        text, whole = inflate(body, MAX_TEXT, "an ID3 frame")
    except CorruptMedia:
        return None
    return text if whole else None


def _frame_tags(frame: Frame, place: str) -> Tags:
    body = frame.body
    if not body:
        return Tags([], [], False)
    if frame.kind in _OBJECT:
        return Tags([], [], body[1:].partition(b"\0")[0].lower() in _C2PA)
    if frame.kind == b"PRIV":
        owner, _, packet = body.partition(b"\0")
        return Tags([], [packet] if owner == b"XMP" else [], False)
    if len(body) > MAX_TEXT:
        return Tags([], [], False)
    name = frame.kind.decode("latin-1")
    if frame.kind in _USER_TEXT:
        key, *values = _strings(body)
        return Tags([TextField(f"{place} TXXX {key}", key, one) for one in values], [], False)
    if frame.kind in _COMMENT:
        values = _strings(body[:1] + body[4:])[1:]
        return Tags([TextField(f"{place} COMM", "COMM", one) for one in values], [], False)
    return Tags([TextField(f"{place} {name}", name, one) for one in _strings(body)], [], False)


def _strings(body: bytes) -> list[str]:
    """Return the strings of a text frame; never an empty list."""
    raw = body[1 : 1 + MAX_TEXT]
    encoding = _ENCODINGS.get(body[0]) if body else None
    if encoding is None:  # Latin-1 or UTF-8, which many writers confuse
        texts = [decode(part) for part in raw.split(b"\0")]
    else:
        texts = [part.strip("\ufeff\ufffe") for part in raw.decode(encoding, "replace").split("\0")]
    while len(texts) > 1 and not texts[-1]:
        texts.pop()
    return texts


def _user_text(version: int, label: bytes) -> bytes:
    """Return the frame of a label: UTF-8 in 2.4, else Latin-1 or UTF-16, which is all they know."""
    if version == 4:
        body = b"\3" + KEY.encode() + b"\0" + label
        return b"TXXX" + _to_syncsafe(len(body), 4) + bytes(2) + body
    if label.isascii():
        body = b"\0" + KEY.encode() + b"\0" + label
    else:
        body = b"\1" + b"\0\0".join(
            b"\xff\xfe" + t.encode("utf-16-le") for t in (KEY, label.decode())
        )
    if version == 3:
        return b"TXXX" + len(body).to_bytes(4, "big") + bytes(2) + body
    return b"TXX" + len(body).to_bytes(3, "big") + body


def _unsynchronised(raw: bytes) -> bytes:
    """Break every byte pair that looks like the start of an MPEG frame."""
    raw = re.sub(rb"\xff(?=[\0\xe0-\xff])", b"\xff\0", raw)
    return raw + b"\0" if raw.endswith(b"\xff") else raw


def _syncsafe(raw: bytes) -> int:
    value = 0
    for byte in raw:
        value = value << 7 | byte & 0x7F
    return value


def _to_syncsafe(value: int, size: int) -> bytes:
    return bytes(value >> 7 * place & 0x7F for place in reversed(range(size)))
