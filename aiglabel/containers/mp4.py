"""Films and sounds in MP4 and QuickTime; what their label is stands in `mp4_label`.

Of the file, ``moov`` alone is read whole. Fragmented files (ISO/IEC 14496-12, 8.8) keep offsets of
their own, in ``tfhd``, ``tfra`` and ``sidx``, which move along.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import chain, islice
from typing import BinaryIO

from aiglabel.containers import mp4_label
from aiglabel.containers.bounds import Span, Splice, growth, mover, uint
from aiglabel.containers.isobmff import Box, boxes, pack, sample_spans
from aiglabel.containers.mp4_tracks import (
    elsewhere,
    moov_of,
    past_end,
    read_moov,
    tables_of,
    top_boxes,
)
from aiglabel.containers.pieces import Digest
from aiglabel.containers.tags import Tags, merged, read_at
from aiglabel.errors import CorruptMedia, ResourceLimit

CARRIER = mp4_label.CARRIER
_MOST_BOXES = 1 << 17  # fragments of a second, for many hours
_MOST_UUID = 16 << 20
_MOST_PART = 16 << 20
_MOST_SAMPLES = 1 << 24
_DESCRIBED = (b"edts", b"mdhd", b"stsd", b"stts", b"stsz", b"stss", b"ctts")
_OFFSETS = (b"moof", b"mfra", b"sidx")
_WHAT = "a fragment of an MP4"


@dataclass(frozen=True)
class Film:
    """A file taken apart: its top boxes, and ``moov`` as a file of one box, `shift` bytes on."""

    tops: list[Box]
    movie: bytes
    shift: int
    size: int

    @property
    def moov(self) -> Box:
        """``moov`` where it stands in `movie`."""
        return moov_of(self.movie)


def read(file: BinaryIO) -> Tags:
    """Return texts of ``meta`` and ``udta`` in ``moov``, XMP in ``uuid`` or ``XMP_``, and C2PA.

    Raises
    ------
    CorruptMedia, ResourceLimit, UnsupportedFormat
        If the structure of the file is broken or absurd; cut off media data do not matter.
    """
    film = _taken_apart(file)
    return merged(chain(_uuids(file, film), mp4_label.movie_tags(film.movie, film.moov)))


def edits(file: BinaryIO, label: bytes) -> list[Splice]:
    """Return the splices that set the label; older labels in ``moov`` go.

    If ``moov`` grows before the media data, a ``free`` box behind it gives the room, or all offsets
    are moved.

    Raises
    ------
    CorruptMedia
        As `read`; also if the media data are cut off.
    ResourceLimit, UnsupportedFormat
        As `read`; also if offsets stand in places that are not handled (items, encryption, other
        files), or no longer fit their table.
    """
    film = _taken_apart(file)
    if film.tops[-1].end > film.size:
        raise past_end(film.tops[-1])
    merged(mp4_label.movie_tags(film.movie, film.moov))  # whatever else is wrong with it
    if any(part.kind == b"cmov" for part in boxes(film.movie, film.moov.body, film.moov.end)):
        raise mp4_label.stuck("its moov box is compressed")
    inner = mp4_label.label_edits(film.movie, film.moov, label)
    placed = _placed(film, inner)
    moov = Box(b"moov", film.shift, film.shift + film.moov.body, film.shift + film.moov.end)
    room = mp4_label.room_behind(film.tops, moov, growth(inner))
    mp4_label.check_apart(film.movie, moov.start, room[1] if room else moov.end)
    if room is not None:
        return [*placed, room]
    if not growth(inner) or moov.end >= film.size:
        return placed
    return [*placed, *_moved(file, film, mover(placed))]


def coded_digest(file: BinaryIO) -> bytes:
    """Digest of the sample descriptions, sizes and times, and the samples they lead to."""
    film, digest = _taken_apart(file), Digest(file)
    spans: list[Span] = []
    for parts in tables_of(film.movie):
        tables = {part.kind: part for part in parts}
        if b"stsz" in tables:
            spans += sample_spans(film.movie, tables)
        for kind in _DESCRIBED:
            if kind in tables:
                digest.add(film.movie[tables[kind].start : tables[kind].end])
    if sum(end - start for start, end in spans) > 4 * film.size:
        raise CorruptMedia("a track claims more bytes than the file has")
    for span in spans:
        digest.add_span(*span)
    defaults = _default_sizes(film)
    for top in film.tops:
        if top.kind == b"moof":
            data = _part(file, top)
            for raw, span in _runs(data, top.start, defaults):
                digest.add(raw)
                digest.add_span(*span)
    return digest.value()


def _taken_apart(file: BinaryIO) -> Film:
    size = file.seek(0, os.SEEK_END)
    tops = list(islice(top_boxes(file), _MOST_BOXES + 1))
    if len(tops) > _MOST_BOXES:
        raise ResourceLimit(f"the file has more than {_MOST_BOXES} boxes")
    movies = [top for top in tops if top.kind == b"moov"]
    if not movies:
        raise CorruptMedia("an MP4 has no moov box", remedy="Copy the whole file again")
    if len(movies) > 1:
        raise CorruptMedia("an MP4 has two moov boxes")
    for top in tops:
        if top.end > size and top.kind != b"mdat":
            raise past_end(top)
    return Film(tops, read_moov(file, movies[0]), movies[0].start, size)


def _uuids(file: BinaryIO, film: Film) -> Iterator[Tags]:
    for top in film.tops:
        if top.kind == b"uuid":
            whole = top.end - top.body <= _MOST_UUID
            yield mp4_label.uuid_tags(read_at(file, top.body, top.end - top.body if whole else 16))


def _placed(film: Film, inner: list[Splice]) -> list[Splice]:
    """Return splices of `movie` as splices of the file."""
    return [(start + film.shift, end + film.shift, new) for start, end, new in inner]


def _part(file: BinaryIO, top: Box) -> bytes:
    """Return the bytes of a top box."""
    if top.end - top.start > _MOST_PART:
        raise ResourceLimit(f"the {top.kind!r} box of an MP4 is over {_MOST_PART >> 20} MiB")
    return read_at(file, top.start, top.end - top.start)


# ---- offsets that move -----------------------------------------------------------------------


def _moved(file: BinaryIO, film: Film, move: Callable[[int], int]) -> Iterator[Splice]:
    """Yield the splices of every offset in the file that counts from its start."""
    # Items of a ``meta``, wherever it stands, and tracks in other files, are located by these.
    if any(top.kind == b"meta" for top in film.tops) or b"iloc" in film.movie:
        raise mp4_label.stuck("it holds items")
    if elsewhere(film.movie):
        raise mp4_label.stuck("a track refers to another file")
    yield from _placed(film, mp4_label.chunk_edits(film.movie, move))
    for top in film.tops:
        if top.kind in _OFFSETS:
            data = _part(file, top)
            for at, width, new in _offsets(data, top, move):
                yield top.start + at, top.start + at + width, pack(new, width)


def _offsets(data: bytes, top: Box, move: Callable[[int], int]) -> Iterator[tuple[int, int, int]]:
    """Yield place, width and new value of each offset in a box of a fragmented file."""
    whole = next(boxes(data))
    if top.kind == b"moof":
        for tfhd in _inside(data, whole, b"traf", b"tfhd"):
            if uint(data, tfhd.body, 4, _WHAT) & 1:
                yield tfhd.body + 8, 8, move(uint(data, tfhd.body + 8, 8, _WHAT))
    elif top.kind == b"mfra":
        for tfra in _inside(data, whole, b"tfra"):
            yield from _of_index(data, tfra, move)
    else:  # from the end of sidx to the first fragment
        wide = data[whole.body] > 0 if whole.end > whole.body else False
        at, width = whole.body + (20 if wide else 16), 8 if wide else 4
        first = uint(data, at, width, _WHAT)
        yield at, width, move(top.end + first) - move(top.end)


def _of_index(data: bytes, tfra: Box, move: Callable[[int], int]) -> Iterator[tuple[int, int, int]]:
    version = uint(data, tfra.body, 1, _WHAT)
    lengths = uint(data, tfra.body + 8, 4, _WHAT)
    width = 8 if version else 4
    row = 2 * width + sum((lengths >> bits & 3) + 1 for bits in (0, 2, 4))
    at = tfra.body + 16 + width
    count = uint(data, tfra.body + 12, 4, _WHAT)
    if tfra.body + 16 + count * row > tfra.end:
        raise CorruptMedia(f"{_WHAT} has an index longer than its box")
    for place in range(at, at + count * row, row):
        yield place, width, move(uint(data, place, width, _WHAT))


def _inside(data: bytes, part: Box, *path: bytes) -> Iterator[Box]:
    """Yield the boxes that a path of types leads to from `part`."""
    for one in boxes(data, part.body, part.end):
        if one.kind == path[0]:
            if path[1:]:
                yield from _inside(data, one, *path[1:])
            else:
                yield one


# ---- samples of fragments --------------------------------------------------------------------


def _default_sizes(film: Film) -> dict[int, int]:
    """Return the sample size that ``trex`` states for each track."""
    found = {}
    for trex in _inside(film.movie, film.moov, b"mvex", b"trex"):
        track = uint(film.movie, trex.body + 4, 4, _WHAT)
        found[track] = uint(film.movie, trex.body + 16, 4, _WHAT)
    return found


def _runs(data: bytes, start: int, defaults: dict[int, int]) -> Iterator[tuple[bytes, Span]]:
    """Yield every ``trun`` of a ``moof`` that stands at `start`, and where its samples are."""
    end_of_last, left = start, _MOST_SAMPLES
    for traf in _inside(data, next(boxes(data)), b"traf"):
        parts = list(boxes(data, traf.body, traf.end))
        tfhd = next((part for part in parts if part.kind == b"tfhd"), None)
        if tfhd is None:
            raise CorruptMedia(f"{_WHAT} has no track")
        flags, at = uint(data, tfhd.body, 4, _WHAT), tfhd.body + 8
        base = start if flags & 0x020000 else end_of_last
        if flags & 1:
            base, at = uint(data, at, 8, _WHAT), at + 8
        at += 4 * (flags >> 1 & 1) + 4 * (flags >> 3 & 1)
        size = defaults.get(uint(data, tfhd.body + 4, 4, _WHAT), 0)
        size = uint(data, at, 4, _WHAT) if flags & 0x10 else size
        end_of_last = base
        for trun in (part for part in parts if part.kind == b"trun"):
            count = uint(data, trun.body + 4, 4, _WHAT)
            left -= count
            if left < 0:
                raise ResourceLimit(f"{_WHAT} has more than {_MOST_SAMPLES} samples")
            flags = uint(data, trun.body, 4, _WHAT)
            first = end_of_last
            if flags & 1:
                away = uint(data, trun.body + 8, 4, _WHAT)
                first = base + (away - (1 << 32) if away >> 31 else away)
            end_of_last = first + _length(data, trun, flags, count, size)
            if first < 0:
                raise CorruptMedia(f"{_WHAT} has samples before the file")
            yield data[trun.start : trun.end], (first, end_of_last)


def _length(data: bytes, trun: Box, flags: int, count: int, size: int) -> int:
    """Return the bytes of all samples of a run; 0x200 of its flags says that each has a size."""
    at = trun.body + 8 + 4 * (flags & 1) + 4 * (flags >> 2 & 1)
    row = 4 * sum(flags >> bit & 1 for bit in (8, 9, 10, 11))
    if at + count * row > trun.end:
        raise CorruptMedia(f"{_WHAT} has a run longer than its box")
    if not flags & 0x200:
        return count * size
    at += 4 * (flags >> 8 & 1)
    return sum(uint(data, at + n * row, 4, _WHAT) for n in range(count))
