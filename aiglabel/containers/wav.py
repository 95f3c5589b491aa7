"""WAV chunks: RIFF (Microsoft, 1991), RF64 (EBU Tech 3306) and BW64 (ITU-R BS.2088).

The label is a chunk ``AIGC`` of its own beside ``data`` (TC260-PG-202510A). Samples are never
copied but once, into the file that comes out.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass

from aiglabel.containers import id3
from aiglabel.containers.bounds import bounded, take, uint
from aiglabel.containers.tags import (
    KEY,
    MAX_TEXT,
    Tags,
    is_label,
    label_bytes,
    merged,
    one_text,
    replaced,
)  # fmt: skip
from aiglabel.containers.texts import decode
from aiglabel.errors import CorruptMedia, ResourceLimit, UnsupportedFormat

CARRIER = "WAV AIGC"
_HEADER = 12
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
    cut: bool  # the samples end before they should


def read(data: bytes) -> Tags:
    """Return texts of ``AIGC``, ``LIST INFO``, ``bext`` and ID3, XMP of ``_PMX``, and C2PA.

    Raises
    ------
    CorruptMedia, ResourceLimit, UnsupportedFormat
        If the structure of the file is broken, absurd, or big-endian (RIFX).
    """
    chunks = _parse(data).chunks
    if sum(chunk.kind in _ID3 for chunk in chunks) > _MOST_ID3:
        raise ResourceLimit(f"the file has more than {_MOST_ID3} ID3 chunks")
    return merged(_chunk_tags(data, chunk) for chunk in chunks)


def write(data: bytes, label: str) -> bytes:
    """Return the file with `label` in its one ``AIGC`` chunk.

    Older labels go, those in ``LIST INFO`` and ID3 too. A new chunk follows the others, so that
    the samples stay where they are. A size left open by a streaming writer is filled in.

    Raises
    ------
    CorruptMedia, UnsupportedFormat
        As `read`; also for a file that is cut off.
    ResourceLimit
        If a RIFF file would outgrow its 32-bit size.
    """
    riff = _parse(data)
    if riff.cut:
        raise CorruptMedia("the samples of a WAV are cut off", remedy="Copy the whole file again")
    if not all(chunk.size for chunk in riff.chunks if chunk.kind == b"data"):
        # Players take a size of 0 for "to the end of the file", and would play the label.
        raise CorruptMedia("a WAV holds no samples", remedy="Write it anew with its real sizes")
    new = _chunk(KEY.encode(), label_bytes(label))
    view = memoryview(data)
    pieces: list[bytes | memoryview] = []
    for chunk in riff.chunks:
        if chunk.kind == KEY.encode():
            pieces.append(new)
            new = b""
        elif (edited := _edited(data, chunk)) is not None:
            pieces.append(_chunk(chunk.kind, edited) if edited else b"")
        else:
            pieces += _kept(view, chunk, riff.wide)
    pieces.append(new)
    size = 4 + sum(map(len, pieces))
    head = _head(data, riff, size, pieces)
    return b"".join([head, *pieces, view[riff.end :]])


def coded_digest(data: bytes) -> bytes:
    """Digest of the format and the samples."""
    view, digest = memoryview(data), hashlib.sha256()
    for chunk in _parse(data).chunks:
        if chunk.kind in (b"fmt ", b"data"):
            digest.update(chunk.kind + chunk.size.to_bytes(8, "little"))
            digest.update(view[chunk.start : chunk.end])
    return digest.digest()


def _parse(data: bytes) -> Riff:
    """Find the chunks. Only ``data`` may be shorter, or longer, than the file says."""
    magic = data[:4]
    if magic == b"RIFX":
        raise UnsupportedFormat("a big-endian WAV (RIFX)", remedy="Convert it to a usual WAV")
    if magic not in (b"RIFF", *_WIDE) or data[8:12] != b"WAVE":
        raise CorruptMedia("a WAV does not begin with RIFF and WAVE")
    sizes = _wide_sizes(data) if magic in _WIDE else {}
    size = sizes.get(b"RIFF", uint(data, 4, 4, _WHAT, "little"))
    open_ended = size in (0, _UNKNOWN)  # written by a streaming program
    end = len(data) if open_ended else min(8 + size, len(data))
    chunks: list[Chunk] = []
    cut = False
    for chunk in _chunks(data, end, sizes, open_ended=open_ended):
        cut |= chunk.end > len(data)
        stop = min(chunk.end, len(data))
        chunks.append(Chunk(chunk.kind, chunk.start, stop, min(chunk.after, len(data))))
    if not any(chunk.kind == b"data" for chunk in chunks):
        raise CorruptMedia("a WAV holds no samples")
    last = chunks[-1]
    # What no chunk explains is kept behind them, outside the RIFF.
    return Riff(bool(sizes), chunks, last.after, cut)


@bounded(1 << 14, "chunks")
def _chunks(data: bytes, end: int, sizes: dict[bytes, int], *, open_ended: bool) -> Iterator[Chunk]:
    at = _HEADER
    while at + 8 <= end:
        kind, size = data[at : at + 4], uint(data, at + 4, 4, _WHAT, "little")
        start = at + 8
        if kind == bytes(4):  # blank up to the end of a disk sector
            return
        if size == _UNKNOWN:
            size = sizes.get(kind, size)
        if kind == b"data" and (size == _UNKNOWN or (size == 0 and open_ended)):
            size = len(data) - start
        stop = start + size
        if stop > end and kind != b"data":
            raise CorruptMedia(f"{_WHAT} runs past the end of the file")
        end = max(end, min(stop, len(data)))
        # The last padding byte is often forgotten; one beyond the end is not ours.
        at = stop + (size % 2 if stop < end else 0)
        yield Chunk(kind, start, stop, at)


def _wide_sizes(data: bytes) -> dict[bytes, int]:
    """Return the 64-bit sizes of ``ds64`` by chunk, ``RIFF`` for the whole."""
    if data[12:16] != b"ds64" or uint(data, 16, 4, _WHAT, "little") < 28:
        raise CorruptMedia("an RF64 file does not begin with a ds64 chunk")
    sizes = {
        b"data": uint(data, 28, 8, _WHAT, "little"),
        b"RIFF": uint(data, 20, 8, _WHAT, "little"),
    }
    rows = min(uint(data, 44, 4, _WHAT, "little"), (uint(data, 16, 4, _WHAT, "little") - 28) // 12)
    for row in range(min(rows, 1 << 10)):
        at = 48 + 12 * row
        sizes.setdefault(take(data, at, 4, _WHAT), uint(data, at + 4, 8, _WHAT, "little"))
    said = uint(data, 4, 4, _WHAT, "little")
    return sizes if said == _UNKNOWN else {**sizes, b"RIFF": said}


def _chunk_tags(data: bytes, chunk: Chunk) -> Tags:
    nothing = Tags([], [], False)
    if chunk.kind == b"C2PA":
        return Tags([], [], True)
    if chunk.kind in _ID3:
        there = id3.size_at(data, chunk.start)
        body = data[chunk.start : chunk.end]
        return id3.read(id3.parse(body), "WAV ID3") if 0 < there <= len(body) else nothing
    if chunk.kind == b"_PMX":
        return Tags([], [data[chunk.start : chunk.end]], False)
    if chunk.kind == b"LIST" and data[chunk.start : chunk.start + 4] == b"INFO":
        body = data[chunk.start : chunk.end]
        return merged(
            one_text(f"WAV INFO {name}", name, decode(text))
            for kind, text in _info(body)
            if len(text) <= MAX_TEXT and (name := kind.decode("latin-1"))
        )
    if chunk.kind == KEY.encode() and chunk.size <= MAX_TEXT:
        return one_text(CARRIER, KEY, decode(data[chunk.start : chunk.end]))
    if chunk.kind == b"bext":
        text = data[chunk.start : min(chunk.end, chunk.start + _DESCRIPTION)]
        return one_text("WAV bext Description", "Description", decode(text))
    return nothing


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


def _edited(data: bytes, chunk: Chunk) -> bytes | None:
    """Return the content of a chunk without the labels in it; None if it has none."""
    if chunk.kind in _ID3 and 0 < id3.size_at(data, chunk.start) <= chunk.size:
        body = data[chunk.start : chunk.end]
        tag = id3.without_label(body)
        return None if tag is None else tag + body[id3.size_at(body) :]
    if chunk.kind == b"LIST" and data[chunk.start : chunk.start + 4] == b"INFO":
        body = data[chunk.start : chunk.end]
        fields = list(_info(body))
        labels = [(is_label(decode(kind)), _chunk(kind, text)) for kind, text in fields]
        if any(found for found, _ in labels):
            kept = b"".join(replaced(labels, b""))
            return b"INFO" + kept if kept else b""
    return None


def _kept(view: memoryview, chunk: Chunk, wide: bool) -> list[bytes | memoryview]:
    """Return a chunk as it was, whole and with its padding, its size filled in if it was open."""
    said = int.from_bytes(view[chunk.start - 4 : chunk.start], "little")
    size = said if said == chunk.size or wide else chunk.size
    if size > _UNKNOWN:
        raise ResourceLimit("a WAV is larger than RIFF can say", remedy="Write it as RF64")
    head = chunk.kind + size.to_bytes(4, "little")
    padding = bytes(chunk.size % 2 - (chunk.after - chunk.end))
    return [head, view[chunk.start : chunk.after], padding]


def _head(data: bytes, riff: Riff, size: int, pieces: list[bytes | memoryview]) -> bytes:
    """Return the header; in RF64 sizes go into ``ds64``, the first chunk of the `pieces`."""
    if riff.wide:
        old = bytes(pieces[1])
        samples = next(chunk for chunk in riff.chunks if chunk.kind == b"data")
        known = data[samples.start - 4 : samples.start] != _UNKNOWN.to_bytes(4, "little")
        second = old[8:16] if known else samples.size.to_bytes(8, "little")
        pieces[1] = size.to_bytes(8, "little") + second + old[16:]
        return data[:4] + _UNKNOWN.to_bytes(4, "little") + b"WAVE"
    # A longer file has sizes that have wrapped: what seems to follow the RIFF is sound.
    if size >= _UNKNOWN or len(data) > _UNKNOWN:
        raise ResourceLimit("the WAV would grow past 4 GiB", remedy="Write it as RF64")
    return b"RIFF" + size.to_bytes(4, "little") + b"WAVE"


def _chunk(kind: bytes, body: bytes) -> bytes:
    return kind + len(body).to_bytes(4, "little") + body + bytes(len(body) % 2)
