"""AVI: RIFF (Microsoft, 1991) with the OpenDML extensions for files over 1 GiB (Matrox, 1996).

The label is a text ``AIGC`` in the ``LIST INFO`` before ``movi`` (TC260-PG-20257A). Padding
(``JUNK``) gives the room; where there is none, the pictures move and the indexes that count from
the start of the file with them: ``indx``, ``ix##``, and ``idx1`` where it does.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import BinaryIO

from aiglabel.containers.bounds import Splice, growth, mover, uint
from aiglabel.containers.pieces import Digest
from aiglabel.containers.tags import (
    KEY,
    MAX_TEXT,
    Tags,
    is_label,
    merged,
    one_text,
    read_at,
    replaced,
)  # fmt: skip
from aiglabel.containers.texts import decode
from aiglabel.errors import CorruptMedia, ResourceLimit, UnsupportedFormat

CARRIER = f"AVI INFO {KEY}"
_MOST_SIZE = 0xFFFFFFFF
_MOST_CHUNKS = 1 << 12
_MOST_FRAMES = 1 << 22
_MOST_LIST = 16 << 20  # bytes of headers, of texts, of an XMP packet
_MOST_INDEX = 64 << 20
_MOST_INDEXES = 1 << 16
_DEPTH = 4
_WHAT = "an AVI chunk"
_LISTS = (b"LIST", b"RIFF")


@dataclass(frozen=True)
class Chunk:
    """One chunk: head at `start`, content ``[body, end)``, `form` the type of a list or empty."""

    kind: bytes
    form: bytes
    start: int
    body: int
    end: int

    @property
    def after(self) -> int:
        """Where the next chunk begins."""
        return self.end + (self.end - self.body) % 2


@dataclass(frozen=True)
class Film:
    """A file taken apart: its RIFFs, and the chunks of each."""

    riffs: list[tuple[Chunk, list[Chunk]]]
    size: int

    @property
    def chunks(self) -> list[Chunk]:
        """The chunks of every RIFF."""
        return [chunk for _, chunks in self.riffs for chunk in chunks]


def read(file: BinaryIO) -> Tags:
    """Return texts of every ``LIST INFO`` and of ``AIGC`` chunks, XMP of ``_PMX``, and C2PA.

    Raises
    ------
    CorruptMedia, ResourceLimit
        If the structure of the file is broken or absurd; cut off pictures do not matter.
    """
    return merged(_chunk_tags(file, chunk) for chunk in _parse(file).chunks)


def edits(file: BinaryIO, label: bytes) -> list[Splice]:
    """Return the splices that set the label; older ones in chunks and ``LIST INFO`` go.

    Raises
    ------
    CorruptMedia
        As `read`; also if the file is cut off or an index leads nowhere.
    ResourceLimit
        As `read`; also if a RIFF would outgrow its 32-bit size.
    UnsupportedFormat
        If pictures have to move and an index has a form that is not handled.
    """
    film = _parse(file)
    read(file)  # whatever else is wrong with it
    for chunk in [*(riff for riff, _ in film.riffs), *film.chunks]:
        if chunk.end > film.size:
            raise CorruptMedia("an AVI is cut off", remedy="Copy the whole file again")
    changed = list(_changes(file, film, label))
    for riff, _ in film.riffs:
        within = [one for one in changed if riff.body <= one[0] and one[1] <= riff.after]
        size = riff.end - riff.body + growth(within)
        if size > _MOST_SIZE:
            raise ResourceLimit("the AVI would grow past 4 GiB", remedy="Write it as MP4 or MKV")
        if growth(within):
            changed.append((riff.start + 4, riff.body, size.to_bytes(4, "little")))
    if growth(changed):
        changed += _moved(file, film, mover(changed))
    return changed


def coded_digest(file: BinaryIO) -> bytes:
    """Digest of the stream headers and formats, and of all chunks in ``movi`` but indexes."""
    film, digest, left = _parse(file), Digest(file), _MOST_FRAMES
    for riff in film.chunks:
        if riff.form == b"hdrl":
            for chunk in _descend(file, riff):
                if chunk.kind in (b"strh", b"strf"):
                    digest.add_span(chunk.start, chunk.end)
        elif riff.form == b"movi":
            for chunk in _descend(file, riff, film.size):
                left -= 1
                if left < 0:
                    raise ResourceLimit(f"the AVI has more than {_MOST_FRAMES} chunks")
                if chunk.kind != b"JUNK" and not chunk.kind.startswith(b"ix"):
                    digest.add_span(chunk.start, min(chunk.end, film.size))
    return digest.value()


# ---- structure -------------------------------------------------------------------------------


def _parse(file: BinaryIO) -> Film:
    size, at = file.seek(0, os.SEEK_END), 0
    if read_at(file, 0, 4) != b"RIFF" or read_at(file, 8, 4) != b"AVI ":
        raise CorruptMedia("an AVI does not begin with RIFF and AVI")
    riffs: list[tuple[Chunk, list[Chunk]]] = []
    while at + 12 <= size:
        riff = _chunk_at(file, at)
        if riff.form not in (b"AVI ", b"AVIX") or riff.kind != b"RIFF":
            break  # what no RIFF explains is kept behind them
        if riff.end == riff.body:  # never filled in: the program that wrote it died
            riff = Chunk(riff.kind, riff.form, riff.start, riff.body, size)
        riffs.append((riff, list(_chunks(file, riff, size))))
        if sum(len(chunks) for _, chunks in riffs) > _MOST_CHUNKS:
            raise ResourceLimit(f"the AVI has more than {_MOST_CHUNKS} chunks")
        at = riff.after
    if not any(chunk.form == b"movi" for _, chunks in riffs for chunk in chunks):
        raise CorruptMedia("an AVI has no pictures")
    return Film(riffs, size)


def _chunk_at(file: BinaryIO, at: int) -> Chunk:
    head = read_at(file, at, 12)
    kind, size = head[:4], int.from_bytes(head[4:8], "little")
    return Chunk(kind, head[8:12] if kind in _LISTS else b"", at, at + 8, at + 8 + size)


def _chunks(file: BinaryIO, parent: Chunk, size: int) -> Iterator[Chunk]:
    """Yield the chunks of a RIFF; ``movi`` alone may run past the end of the file."""
    at, end = parent.body + 4, min(parent.end, size)
    for _ in range(_MOST_CHUNKS + 1):
        if at + 8 > end:
            return
        chunk = _chunk_at(file, at)
        if chunk.form == b"movi" and chunk.end == chunk.body:
            chunk = Chunk(chunk.kind, chunk.form, at, chunk.body, parent.end)
        if chunk.end > parent.end and chunk.form != b"movi":
            raise CorruptMedia(f"{_WHAT} runs past the end of its list")
        yield chunk
        at = chunk.after


def _descend(file: BinaryIO, top: Chunk, limit: int | None = None) -> Iterator[Chunk]:
    """Yield the chunks in a list and in the lists in it, in their order."""
    limit = top.end if limit is None else min(limit, top.end)
    stack = [(top.body + 4, limit)]
    while stack:
        at, end = stack.pop()
        if at + 8 > end:
            continue
        chunk = _chunk_at(file, at)
        stack.append((chunk.after, end))
        if chunk.kind == b"LIST" and len(stack) <= _DEPTH:
            stack.append((chunk.body + 4, min(chunk.end, end)))
        else:
            yield chunk


def _content(file: BinaryIO, chunk: Chunk) -> bytes:
    if chunk.end - chunk.body > _MOST_LIST:
        raise ResourceLimit(f"{_WHAT} is over {_MOST_LIST >> 20} MiB")
    return read_at(file, chunk.body, chunk.end - chunk.body)


# ---- texts -----------------------------------------------------------------------------------


def _chunk_tags(file: BinaryIO, chunk: Chunk) -> Tags:
    nothing, size = Tags([], [], False), chunk.end - chunk.body
    if chunk.form == b"INFO":
        return merged(
            one_text(f"AVI INFO {name}", name, decode(text))
            for kind, text in _info(_content(file, chunk))
            if len(text) <= MAX_TEXT and (name := kind.decode("latin-1"))
        )
    if chunk.kind == KEY.encode() and size <= MAX_TEXT:
        return one_text(f"AVI {KEY}", KEY, decode(_content(file, chunk)))
    if chunk.kind == b"_PMX" and size <= _MOST_LIST:
        return Tags([], [_content(file, chunk)], False)
    return Tags([], [], True) if chunk.kind == b"C2PA" else nothing


def _info(body: bytes) -> list[tuple[bytes, bytes]]:
    """Return kind and text of every entry of a ``LIST INFO``, up to the first that does not fit."""
    found, at = [], 4
    while at + 8 <= len(body):
        size = uint(body, at + 4, 4, _WHAT, "little")
        if at + 8 + size > len(body):
            break
        found.append((body[at : at + 4], body[at + 8 : at + 8 + size]))
        at += 8 + size + size % 2
        if len(found) > _MOST_CHUNKS:
            raise ResourceLimit(f"the AVI has more than {_MOST_CHUNKS} texts")
    return found


def _changes(file: BinaryIO, film: Film, label: bytes) -> Iterator[Splice]:
    """Yield the splices of texts and of the padding beside them."""
    first = film.riffs[0][1]
    pictures = next((n for n, one in enumerate(first) if one.form == b"movi"), len(first))
    header = [one for one in first[:pictures] if one.form == b"INFO"]
    labelled = [one for one in header if any(is_label(decode(k)) for k, _ in _info_of(file, one))]
    home = next(iter([*labelled, *header]), None)
    for chunk in film.chunks:
        if chunk.form == b"INFO" and (chunk is home or _has_label(file, chunk)):
            new = _relabelled(file, chunk, label if chunk is home else b"")
            yield _with_padding(film, chunk, new)
        elif chunk.kind == KEY.encode():
            yield chunk.start, min(chunk.after, film.size), b""
    if home is None:
        new = _packed(b"LIST", b"INFO" + _packed(KEY.encode(), label))
        before = first[pictures - 1] if pictures else None
        if before and before.kind == b"JUNK" and _fits(before.after - before.start, len(new)):
            padding = _padding(before.after - before.start - len(new))
            yield before.start, before.after, new + padding
        elif pictures < len(first):
            yield first[pictures].start, first[pictures].start, new
        else:
            raise CorruptMedia("the first RIFF of an AVI has no pictures")


def _info_of(file: BinaryIO, chunk: Chunk) -> list[tuple[bytes, bytes]]:
    return _info(_content(file, chunk))


def _has_label(file: BinaryIO, chunk: Chunk) -> bool:
    return any(is_label(decode(kind)) for kind, _ in _info_of(file, chunk))


def _relabelled(file: BinaryIO, chunk: Chunk, label: bytes) -> bytes:
    """Return a ``LIST INFO`` with `label` as its one label; empty for one without any text."""
    new = _packed(KEY.encode(), label) if label else b""
    entries = [
        (is_label(decode(kind)), _packed(kind, text)) for kind, text in _info_of(file, chunk)
    ]
    body = b"".join(replaced(entries, new))
    return _packed(b"LIST", b"INFO" + body) if body else b""


def _with_padding(film: Film, chunk: Chunk, new: bytes) -> Splice:
    """Return the splice of a chunk, the ``JUNK`` behind it shorter or longer in turn."""
    end = min(chunk.after, film.size)
    inside = [one for one in film.chunks if one.start == end and one.kind == b"JUNK"]
    room = inside[0].after - chunk.start if inside else 0
    if len(new) == end - chunk.start or not _fits(room, len(new)):
        return chunk.start, end, new
    return chunk.start, inside[0].after, new + _padding(room - len(new))


def _fits(room: int, needed: int) -> bool:
    return room == needed or room >= needed + 8


def _padding(size: int) -> bytes:
    return _packed(b"JUNK", bytes(size - 8)) if size else b""


def _packed(kind: bytes, body: bytes) -> bytes:
    return kind + len(body).to_bytes(4, "little") + body + bytes(len(body) % 2)


# ---- indexes ---------------------------------------------------------------------------------


def _moved(file: BinaryIO, film: Film, move: Callable[[int], int]) -> list[Splice]:
    """Return the splices of every offset that counts from the start of the file."""
    out: dict[int, bytes] = {}
    for chunk in film.chunks:
        if chunk.form == b"hdrl":
            for part in _descend(file, chunk):
                if part.kind == b"indx":
                    _move_indx(file, part, move, out)
        elif chunk.kind == b"idx1":
            _move_idx1(file, film, chunk, move, out)
    return [(at, at + len(new), new) for at, new in out.items()]


def _move_indx(
    file: BinaryIO, part: Chunk, move: Callable[[int], int], out: dict[int, bytes]
) -> None:
    """Move a super index and the indexes it leads to, or an index that stands in its place."""
    data = _content(file, part)
    kind, rows = uint(data, 3, 1, _WHAT), uint(data, 4, 4, _WHAT, "little")
    if kind == 1:
        return _move_base(data, part.body, move, out)
    if kind != 0:
        raise UnsupportedFormat("an AVI has an index of an unknown form", remedy="Remux it")
    if rows > _MOST_INDEXES or 24 + 16 * rows > len(data):
        raise CorruptMedia("an index of an AVI is longer than its chunk")
    for place in range(24, 24 + 16 * rows, 16):
        offset = uint(data, place, 8, _WHAT, "little")
        if not offset:
            continue
        head = read_at(file, offset, 32)
        if len(head) < 32 or not (head[:2] == b"ix" or head[2:4] == b"ix"):
            raise CorruptMedia("an index of an AVI leads nowhere", remedy="Remux it")
        out[part.body + place] = move(offset).to_bytes(8, "little")
        _move_base(head[8:], offset + 8, move, out)
    return None


def _move_base(data: bytes, at: int, move: Callable[[int], int], out: dict[int, bytes]) -> None:
    """Move the one absolute offset of an index of chunks; the others count from it."""
    base = uint(data, 12, 8, _WHAT, "little")
    if base:
        out[at + 12] = move(base).to_bytes(8, "little")


def _move_idx1(
    file: BinaryIO, film: Film, chunk: Chunk, move: Callable[[int], int], out: dict[int, bytes]
) -> None:
    """Move the offsets of ``idx1``, unless they count from ``movi``."""
    size = chunk.end - chunk.body
    if size > _MOST_INDEX:
        raise ResourceLimit(f"the index of an AVI is over {_MOST_INDEX >> 20} MiB")
    data = bytearray(read_at(file, chunk.body, size - size % 16))
    movi = next(one for one in film.chunks if one.form == b"movi")
    if not data or _leads(file, data, movi.body):
        return
    if not _leads(file, data, 0):
        raise CorruptMedia("the index of an AVI leads nowhere", remedy="Remux it")
    for at in range(8, len(data), 16):
        moved = move(int.from_bytes(data[at : at + 4], "little"))
        if moved > _MOST_SIZE:
            raise ResourceLimit("the AVI would grow past 4 GiB", remedy="Write it as MP4 or MKV")
        data[at : at + 4] = moved.to_bytes(4, "little")
    out[chunk.body] = bytes(data)


def _leads(file: BinaryIO, data: bytearray, base: int) -> bool:
    """Whether the first entry of ``idx1`` leads to its chunk when counted from `base`."""
    kind = read_at(file, base + int.from_bytes(data[8:12], "little"), 4)
    return kind == data[:4] or (kind == b"LIST" and data[:4] == b"rec ")
