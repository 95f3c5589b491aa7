"""WAV chunks: RIFF (Microsoft, 1991), RF64 (EBU Tech 3306) and BW64 (ITU-R BS.2088).

The label is a chunk ``AIGC`` of its own beside ``data`` (TC260-PG-202510A). Samples are never
copied but once, into the file that comes out.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

from aiglabel.containers import id3
from aiglabel.containers.bounds import Splice, bounded, growth, take, uint
from aiglabel.containers.pieces import Digest
from aiglabel.containers.tags import (
    KEY,
    MAX_TEXT,
    MOST_HEAD,
    Tags,
    is_label,
    merged,
    one_text,
    read_at,
    replaced,
)  # fmt: skip
from aiglabel.containers.texts import decode
from aiglabel.errors import CorruptMedia, ResourceLimit, UnsupportedFormat

CARRIER = "WAV AIGC"
_HEADER = 12
_DS64 = 20  # where the content of the first chunk of RF64 begins: sizes of all and of the samples
_ROWS = 48  # where its table of sizes of other chunks does
_MOST_ROWS = 1 << 10
_UNKNOWN = 0xFFFFFFFF  # stands in ds64, or was never filled in
_WIDE = (b"RF64", b"BW64")
_ID3 = (b"id3 ", b"ID3 ", b"id32")
_DESCRIPTION = 256  # bytes of the bext description
_MOST_ID3 = 4
_WHAT = "a WAV chunk"


@dataclass(frozen=True)
class Chunk:
    """One chunk: its content is ``data[start:end]``; the next begins at `after`."""

    kind: bytes
    start: int
    end: int
    after: int

    @property
    def size(self) -> int:
        """Bytes of content, without header and padding."""
        return self.end - self.start


@dataclass(frozen=True)
class Riff:
    """A file taken apart; what follows `end` does not belong to it."""

    wide: bool
    chunks: list[Chunk]
    end: int
    length: int  # of the file
    cut: bool  # the samples end before they should


def read(file: BinaryIO) -> Tags:
    """Return texts of ``AIGC``, ``LIST INFO``, ``bext`` and ID3, XMP of ``_PMX``, and C2PA.

    Raises
    ------
    CorruptMedia, ResourceLimit, UnsupportedFormat
        If the structure of the file is broken, absurd, or big-endian (RIFX).
    """
    chunks = _parse(file).chunks
    if sum(chunk.kind in _ID3 for chunk in chunks) > _MOST_ID3:
        raise ResourceLimit(f"the file has more than {_MOST_ID3} ID3 chunks")
    return merged(_chunk_tags(file, chunk) for chunk in chunks)


def edits(file: BinaryIO, label: bytes) -> list[Splice]:
    """Return the splices that set `label` in the one ``AIGC`` chunk.

    Older labels go, those in ``LIST INFO`` and ID3 too. A new chunk follows the others, so that
    the samples stay where they are. A size left open by a streaming writer is filled in.

    Raises
    ------
    CorruptMedia, UnsupportedFormat
        As `read`; also for a file that is cut off.
    ResourceLimit
        As `read`; also if a RIFF file would outgrow its 32-bit size.
    """
    riff = _parse(file)
    if riff.cut:
        raise CorruptMedia("the samples of a WAV are cut off", remedy="Copy the whole file again")
    if not all(chunk.size for chunk in riff.chunks if chunk.kind == b"data"):
        # Players take a size of 0 for "to the end of the file", and would play the label.
        raise CorruptMedia("a WAV holds no samples", remedy="Write it anew with its real sizes")
    new, tail = _chunk(KEY.encode(), label), b""
    out: list[Splice] = []
    for chunk in riff.chunks:
        if chunk.kind == KEY.encode():
            out.append((chunk.start - 8, chunk.after, new))
            new = b""
        elif (edited := _edited(file, chunk)) is not None:
            out.append(
                (chunk.start - 8, chunk.after, _chunk(chunk.kind, edited) if edited else b"")
            )
        else:
            out += _said(file, chunk, riff.wide)
            tail = bytes(chunk.size % 2 - (chunk.after - chunk.end))  # lacking at the end alone
    out.append((riff.end, riff.end, tail + new))
    return [*out, *_head(file, riff, riff.end - 8 + growth(out))]


def coded_digest(file: BinaryIO) -> bytes:
    """Digest of the format and the samples."""
    digest = Digest(file)
    for chunk in _parse(file).chunks:
        if chunk.kind in (b"fmt ", b"data"):
            digest.add(chunk.kind + chunk.size.to_bytes(8, "little"))
            digest.add_span(chunk.start, chunk.end)
    return digest.value()


def _parse(file: BinaryIO) -> Riff:
    """Find the chunks. Only ``data`` may be shorter, or longer, than the file says."""
    length = file.seek(0, os.SEEK_END)
    head = read_at(file, 0, _HEADER)
    if head[:4] == b"RIFX":
        raise UnsupportedFormat("a big-endian WAV (RIFX)", remedy="Convert it to a usual WAV")
    if head[:4] not in (b"RIFF", *_WIDE) or head[8:] != b"WAVE":
        raise CorruptMedia("a WAV does not begin with RIFF and WAVE")
    sizes = _wide_sizes(file) if head[:4] in _WIDE else {}
    size = sizes.get(b"RIFF", int.from_bytes(head[4:8], "little"))
    open_ended = size in (0, _UNKNOWN)  # written by a streaming program
    end = length if open_ended else min(8 + size, length)
    chunks: list[Chunk] = []
    cut = False
    for chunk in _chunks(file, end, length, sizes, open_ended=open_ended):
        cut |= chunk.end > length
        stop = min(chunk.end, length)
        chunks.append(Chunk(chunk.kind, chunk.start, stop, min(chunk.after, length)))
    if not any(chunk.kind == b"data" for chunk in chunks):
        raise CorruptMedia("a WAV holds no samples")
    last = chunks[-1]
    # What no chunk explains is kept behind them, outside the RIFF.
    return Riff(bool(sizes), chunks, last.after, length, cut)


@bounded(1 << 14, "chunks")
def _chunks(
    file: BinaryIO, end: int, length: int, sizes: dict[bytes, int], *, open_ended: bool
) -> Iterator[Chunk]:
    at = _HEADER
    while at + 8 <= end:
        head, start = read_at(file, at, 8), at + 8
        kind, size = head[:4], int.from_bytes(head[4:], "little")
        if kind == bytes(4):  # blank up to the end of a disk sector
            return
        if size == _UNKNOWN:
            size = sizes.get(kind, size)
        if kind == b"data" and (size == _UNKNOWN or (size == 0 and open_ended)):
            size = length - start
        stop = start + size
        if stop > end and kind != b"data":
            raise CorruptMedia(f"{_WHAT} runs past the end of the file")
        end = max(end, min(stop, length))
        # The last padding byte is often forgotten; one beyond the end is not ours.
        at = stop + (size % 2 if stop < end else 0)
        yield Chunk(kind, start, stop, at)


def _wide_sizes(file: BinaryIO) -> dict[bytes, int]:
    """Return the 64-bit sizes of ``ds64`` by chunk, ``RIFF`` for the whole."""
    head = read_at(file, 0, _ROWS)
    told = uint(head, 16, 4, _WHAT, "little")
    if head[12:16] != b"ds64" or told < 28:
        raise CorruptMedia("an RF64 file does not begin with a ds64 chunk")
    sizes = {
        b"data": uint(head, 28, 8, _WHAT, "little"),
        b"RIFF": uint(head, 20, 8, _WHAT, "little"),
    }
    rows = min(uint(head, 44, 4, _WHAT, "little"), (told - 28) // 12, _MOST_ROWS)
    table = read_at(file, _ROWS, 12 * rows)
    for at in range(0, 12 * rows, 12):
        sizes.setdefault(take(table, at, 4, _WHAT), uint(table, at + 4, 8, _WHAT, "little"))
    said = uint(head, 4, 4, _WHAT, "little")
    return sizes if said == _UNKNOWN else {**sizes, b"RIFF": said}


def _chunk_tags(file: BinaryIO, chunk: Chunk) -> Tags:
    if chunk.kind == b"C2PA":
        return Tags([], [], True)
    if chunk.kind in _ID3:
        body = _content(file, chunk)
        whole = 0 < id3.size_at(body) <= len(body)
        return id3.read(id3.parse(body), "WAV ID3") if whole else Tags([], [], False)
    if chunk.kind == b"_PMX":
        return Tags([], [_content(file, chunk)], False)
    if chunk.kind == b"LIST":
        return merged(
            one_text(f"WAV INFO {name}", name, decode(text))
            for kind, text in _info(_list(file, chunk))
            if len(text) <= MAX_TEXT and (name := kind.decode("latin-1"))
        )
    if chunk.kind == KEY.encode() and chunk.size <= MAX_TEXT:
        return one_text(CARRIER, KEY, decode(_content(file, chunk)))
    if chunk.kind == b"bext":
        text = read_at(file, chunk.start, min(chunk.size, _DESCRIPTION))
        return one_text("WAV bext Description", "Description", decode(text))
    return Tags([], [], False)


def _content(file: BinaryIO, chunk: Chunk) -> bytes:
    if chunk.size > MOST_HEAD:
        raise ResourceLimit(f"{_WHAT} of metadata is over {MOST_HEAD >> 20} MiB")
    return read_at(file, chunk.start, chunk.size)


def _list(file: BinaryIO, chunk: Chunk) -> bytes:
    """Return the content of a ``LIST INFO``, nothing of other lists."""
    return _content(file, chunk) if read_at(file, chunk.start, 4) == b"INFO" else b""


@bounded(1 << 12, "INFO texts")
def _info(body: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Yield kind and text of a ``LIST INFO``, up to the first that does not fit."""
    at = 4
    while at + 8 <= len(body):
        size = uint(body, at + 4, 4, _WHAT, "little")
        if at + 8 + size > len(body):
            return
        yield body[at : at + 4], body[at + 8 : at + 8 + size]
        at += 8 + size + size % 2


def _edited(file: BinaryIO, chunk: Chunk) -> bytes | None:
    """Return the content of a chunk without the labels in it; None if it has none."""
    if chunk.kind in _ID3:
        body = _content(file, chunk)
        if not 0 < (size := id3.size_at(body)) <= len(body):
            return None
        tag = id3.without_label(body)
        return None if tag is None else tag + body[size:]
    if chunk.kind == b"LIST":
        fields = list(_info(_list(file, chunk)))
        labels = [(is_label(decode(kind)), _chunk(kind, text)) for kind, text in fields]
        if any(found for found, _ in labels):
            kept = b"".join(replaced(labels, b""))
            return b"INFO" + kept if kept else b""
    return None


def _said(file: BinaryIO, chunk: Chunk, wide: bool) -> list[Splice]:
    """Return the splice that fills in the size of a chunk if it was left open."""
    said = int.from_bytes(read_at(file, chunk.start - 4, 4), "little")
    if said == chunk.size or wide:
        return []
    if chunk.size > _UNKNOWN:
        raise ResourceLimit("a WAV is larger than RIFF can say", remedy="Write it as RF64")
    return [(chunk.start - 4, chunk.start, chunk.size.to_bytes(4, "little"))]


def _head(file: BinaryIO, riff: Riff, size: int) -> list[Splice]:
    """Return the splices of the size of all; in RF64 it stands in ``ds64``, the first chunk."""
    if riff.wide:
        samples = next(chunk for chunk in riff.chunks if chunk.kind == b"data")
        unknown, new = _UNKNOWN.to_bytes(4, "little"), size.to_bytes(8, "little")
        if read_at(file, samples.start - 4, 4) == unknown:
            new += samples.size.to_bytes(8, "little")
        return [(4, 8, unknown), (_DS64, _DS64 + len(new), new)]
    # A longer file has sizes that have wrapped: what seems to follow the RIFF is sound.
    if size >= _UNKNOWN or riff.length > _UNKNOWN:
        raise ResourceLimit("the WAV would grow past 4 GiB", remedy="Write it as RF64")
    return [(4, 8, size.to_bytes(4, "little"))]


def _chunk(kind: bytes, body: bytes) -> bytes:
    return kind + len(body).to_bytes(4, "little") + body + bytes(len(body) % 2)
