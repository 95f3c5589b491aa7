"""The beginning of a film in MP4 or QuickTime, exchanged for other coded pictures.

ISO/IEC 14496-12, 8.6 and 8.7: the samples up to one that begins anew give way to as many others, in
their places, at the same decoding times. Only tables of that track that tell of samples change, and
offsets move along; all other tracks, edit lists, chapters and tags stay byte for byte.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from aiglabel.containers import mp4_label
from aiglabel.containers.avc import Coded, Configuration, starts_anew
from aiglabel.containers.bounds import Splice, growth, mover, splice, uint
from aiglabel.containers.isobmff import Box, boxes, chunk_offsets, media_tables, pack
from aiglabel.containers.mp4_tracks import elsewhere, kinds, movie_of, tables_of, top_boxes
from aiglabel.containers.tags import read_at
from aiglabel.errors import CorruptMedia, UnsupportedFormat

Ticks = NDArray[np.int64]

_WHAT = "a sample table of an MP4"
_PATH = (b"mdia", b"minf", b"stbl")
# Tables that tell of samples in ways that are not handled.
_STRANGE = (b"stz2", b"stps", b"subs", b"saiz", b"saio", b"padb", b"stdp", b"senc")
_FRAGMENTS = (b"moof", b"sidx", b"mfra", b"meta")
_MOST_SAMPLE = 64 << 20
_ENTRY = 86  # bytes of a video sample entry before its boxes, head included


@dataclass(frozen=True)
class Start:
    """The pictures before the first that begins anew at or after a time.

    Parameters
    ----------
    count : int
        How many.
    times : int64 (count,)
        When they are shown, ticks, rising.
    timescale : int
        Ticks a second.
    until : int
        When the picture behind them is shown, ticks.
    configuration : Configuration
        Of the whole track.
    """

    count: int
    times: Ticks
    timescale: int
    until: int
    configuration: Configuration
    _movie: bytes
    _tables: dict[bytes, Box]
    _decoded: Ticks
    _sizes: Ticks
    _places: list[int]
    _keys: Ticks

    @property
    def seconds(self) -> float:
        """How long they are shown."""
        return float(self.until - self.times[0]) / self.timescale


def start_of(file: BinaryIO, track: int, seconds: float) -> Start:
    """Return the first pictures of a track of H.264, up to where others can join them.

    Parameters
    ----------
    file : open binary file
    track : int
        Number of the track, from 0.
    seconds : float
        For how long the pictures are shown at least.

    Raises
    ------
    UnsupportedFormat
        Nothing can join: no picture begins anew after `seconds`, or tables of rare kinds.
    CorruptMedia, ResourceLimit
        The tables are broken or absurd.
    """
    movie = movie_of(file)
    if any(top.kind in _FRAGMENTS for top in top_boxes(file)) or b"iloc" in movie:
        raise UnsupportedFormat("the MP4 has fragments or items")
    if elsewhere(movie):
        raise UnsupportedFormat("a track of the MP4 refers to another file")
    tables_of(movie)  # refuses absurd ones
    found = dict(enumerate(kinds(movie))).get(track)
    if found is None or found[1:] != (b"vide", b"avc1"):
        raise UnsupportedFormat("the track is not H.264 with its parameters apart")
    parts = list(media_tables(movie, found[0]))
    tables = {part.kind: part for part in parts}
    strange = any(part.kind in _STRANGE or _grouped(movie, part) for part in parts)
    if b"stss" not in tables or strange:
        raise UnsupportedFormat("the track does not tell its key pictures, or more than those")
    if not {b"stts", b"stsz", b"stsc", b"mdhd", b"stsd"} <= set(tables):
        raise UnsupportedFormat("a track has no ordinary sample tables")
    sizes = _sizes(movie, tables[b"stsz"])
    decoded = _decoding_times(movie, tables[b"stts"], len(sizes))
    shown = decoded + _offsets(movie, tables, len(decoded))
    _check_edits(movie, tables, int(shown.min()))
    timescale = _timescale(movie, tables[b"mdhd"])
    keys = _numbers(movie, tables[b"stss"], 1)[:, 0] - 1
    count = _first_key(shown, keys, int(shown.min()) + seconds * timescale)
    places = _places(movie, tables, sizes, count + 1)
    avcc = _configuration_box(movie, tables[b"stsd"])
    configuration = Configuration.parsed(movie[avcc.body : avcc.end])
    sample = read_at(file, places[count], min(int(sizes[count]), _MOST_SAMPLE))
    if not starts_anew(configuration.units(sample)):
        raise UnsupportedFormat("the next key picture does not begin anew")
    return Start(
        count, np.sort(shown[:count]), timescale, int(shown[count]), configuration, movie, tables,
        decoded[:count], sizes, places[:count], keys[keys >= count],
    )  # fmt: skip


def exchanged(file: BinaryIO, start: Start, new: Coded) -> list[Splice]:
    """Return the splices of `file` that put other pictures in the places of the first.

    Parameters
    ----------
    file : open binary file
        As given to `start_of`.
    start : Start
    new : Coded
        As many pictures, each decoded and shown in turn.

    Raises
    ------
    UnsupportedFormat
        They are not as many, cannot be decoded with the others, or the file grows over 4 GiB.
    """
    if len(new.samples) != start.count or new.keys[:1] != [0]:
        raise UnsupportedFormat("there are not as many new pictures as old ones")
    sizes = start._sizes[: start.count].tolist()
    edits: list[Splice] = [
        (at, at + size, sample)
        for at, size, sample in zip(start._places, sizes, new.samples, strict=True)
    ]
    tops = list(top_boxes(file))
    edits += _grown(file, tops, edits)
    whole = next(top for top in tops if top.kind == b"moov")
    movie = _new_movie(start, new)
    move = mover([*edits, (whole.start, whole.end, movie)])
    movie = splice(movie, mp4_label.chunk_edits(movie, move))
    return [*edits, (whole.start, whole.end, movie)]


def _grown(file: BinaryIO, tops: Sequence[Box], edits: Sequence[Splice]) -> list[Splice]:
    """Return the splices of the lengths of the boxes around samples."""
    found, inside = list[Splice](), 0
    for top in tops:
        mine = [one for one in edits if top.body <= one[0] and one[1] <= top.end]
        inside += len(mine)
        if not mine:
            continue
        if top.kind != b"mdat":
            raise CorruptMedia("the samples of an MP4 do not stand in its media data")
        if uint(read_at(file, top.start, 4), 0, 4, _WHAT):  # 0: up to the end of the file
            size = pack(top.end - top.start + growth(mine), 4 if top.body - top.start == 8
                        else 8)  # fmt: skip
            at = top.body - len(size) - (4 if len(size) == 4 else 0)
            found.append((at, at + len(size), size))
    if inside != len(edits):
        raise CorruptMedia("the samples of an MP4 run past its media data")
    return found


# ---- tables out ------------------------------------------------------------------------------


def _numbers(movie: bytes, part: Box, columns: int, skip: int = 4) -> Ticks:
    """Return a table of 32-bit numbers, int64 (rows, columns)."""
    count = uint(movie, part.body + skip, 4, _WHAT)
    at = part.body + skip + 4
    if at + 4 * columns * count > part.end:
        raise CorruptMedia(f"the {part.kind!r} table is longer than its box")
    flat = np.frombuffer(movie, ">u4", columns * count, at)
    return flat.reshape(count, columns).astype(np.int64)


def _spread(runs: Ticks, most: int) -> Ticks:
    """Return the values of (how often, value) rows, one a sample."""
    if runs[:, 0].sum() > most:
        raise CorruptMedia("the tables of a track tell of different numbers of samples")
    return np.repeat(runs[:, 1], runs[:, 0])


def _decoding_times(movie: bytes, stts: Box, count: int) -> Ticks:
    lasts = _spread(_numbers(movie, stts, 2), count)
    if len(lasts) != count or not count:
        raise CorruptMedia("the tables of a track tell of different numbers of samples")
    return np.concatenate([[0], np.cumsum(lasts)[:-1]])


def _offsets(movie: bytes, tables: dict[bytes, Box], count: int) -> Ticks:
    """Return by how much each sample is shown after it is decoded."""
    if b"ctts" not in tables:
        return np.zeros(count, np.int64)
    found = _spread(_numbers(movie, tables[b"ctts"], 2), count)
    if len(found) != count:
        raise CorruptMedia("the tables of a track tell of different numbers of samples")
    return found.astype(np.uint32).astype(np.int32).astype(np.int64)  # all write them signed


def _sizes(movie: bytes, stsz: Box) -> Ticks:
    if uint(movie, stsz.body + 4, 4, _WHAT):
        raise UnsupportedFormat("all samples have one size")
    return _numbers(movie, stsz, 1, skip=8)[:, 0]


def _timescale(movie: bytes, mdhd: Box) -> int:
    wide = uint(movie, mdhd.body, 1, _WHAT) == 1
    found = uint(movie, mdhd.body + (20 if wide else 12), 4, _WHAT)
    if not found:
        raise CorruptMedia("a track has no clock")
    return found


def _check_edits(movie: bytes, tables: dict[bytes, Box], first: int) -> None:
    """Refuse edit lists that hide pictures at the start, or show some twice."""
    if b"edts" not in tables:
        return
    for elst in boxes(movie, tables[b"edts"].body, tables[b"edts"].end):
        if elst.kind != b"elst":
            continue
        wide = uint(movie, elst.body, 1, _WHAT) == 1
        width, at = (8 if wide else 4), elst.body + 8
        starts = []
        for _ in range(min(uint(movie, elst.body + 4, 4, _WHAT), 16)):
            starts.append(uint(movie, at + width, width, _WHAT))
            if uint(movie, at + 2 * width, 4, _WHAT) != 1 << 16:
                raise UnsupportedFormat("the edit list changes the speed")
            at += 2 * width + 4
        empty = (1 << 8 * width) - 1
        shown = [one for one in starts if one != empty]
        if len(shown) != 1 or starts[-1] == empty or shown[0] > first:
            raise UnsupportedFormat("the edit list cuts the film")


def _first_key(shown: Ticks, keys: Ticks, least: float) -> int:
    """Return the number of the first key from a time on that nothing crosses."""
    before = np.maximum.accumulate(shown)
    after = np.minimum.accumulate(shown[::-1])[::-1]
    for key in keys.tolist():
        late = 0 < key < len(shown) and shown[key] >= least
        if late and before[key - 1] < shown[key] <= after[key]:
            return int(key)
    raise UnsupportedFormat("no picture behind the label begins anew")


def _grouped(movie: bytes, part: Box) -> bool:
    """Whether a box puts samples into groups; rows of group 0 are of none."""
    if part.kind != b"sbgp":
        return False
    skip = 12 if uint(movie, part.body, 1, _WHAT) else 8
    return bool(_numbers(movie, part, 2, skip)[:, 1].any())


def _places(movie: bytes, tables: dict[bytes, Box], sizes: Ticks, count: int) -> list[int]:
    """Return where the first samples begin in the file."""
    place = tables.get(b"stco", tables.get(b"co64"))
    if place is None:
        raise UnsupportedFormat("a track has no ordinary sample tables")
    starts = {int(row[0]): int(row[1]) for row in _numbers(movie, tables[b"stsc"], 3)}
    found, per_chunk = list[int](), 0
    for chunk, offset in enumerate(chunk_offsets(movie, place), 1):
        per_chunk = starts.get(chunk, per_chunk)
        for _ in range(min(per_chunk, count - len(found))):
            found.append(offset)
            offset += int(sizes[len(found) - 1])
        if len(found) == count:
            return found
    raise CorruptMedia("a track has samples without a place")


def _configuration_box(movie: bytes, stsd: Box) -> Box:
    """Return the ``avcC`` box of the one sample entry."""
    entries = list(boxes(movie, stsd.body + 8, stsd.end))
    if len(entries) == 1:
        found = [part for part in _within(movie, entries[0]) if part.kind == b"avcC"]
        if len(found) == 1:
            return found[0]
    raise UnsupportedFormat("the track has not one configuration")


def _within(movie: bytes, entry: Box) -> Iterator[Box]:
    """Yield the boxes of a sample entry; QuickTime may end it by four zero bytes."""
    at = entry.start + _ENTRY
    while entry.end - at >= 8:
        part = next(boxes(movie, at, entry.end))
        yield part
        at = part.end


# ---- tables in -------------------------------------------------------------------------------


def _new_movie(start: Start, new: Coded) -> bytes:
    """Return ``moov`` with the tables of the new samples; chunks stand where they stood."""
    movie, tables, count = start._movie, start._tables, start.count
    joined = start.configuration.joined(new.sequence, new.picture)
    sizes = start._sizes.copy()
    sizes[:count] = [len(one) for one in new.samples]
    at = tables[b"stsz"].body + 12
    edits: list[Splice] = [(at, at + 4 * len(sizes), sizes.astype(">u4").tobytes())]
    keys = np.concatenate([np.array(new.keys, np.int64), start._keys]) + 1
    edits.append(_table(tables[b"stss"], keys[:, None]))
    if b"ctts" in tables:
        later = _offsets(movie, tables, len(sizes))
        later[:count] = start.times - start._decoded
        runs = [(len(list(same)), value) for value, same in groupby(later.tolist())]
        edits.append(_table(tables[b"ctts"], np.array(runs, np.int64)))
    elif np.any(start.times != start._decoded):
        raise CorruptMedia("a track shows pictures at two times")
    if b"sdtp" in tables:  # what depends on what: not known
        at = tables[b"sdtp"].body + 4
        end = min(at + count, tables[b"sdtp"].end)
        edits.append((at, end, bytes(end - at)))
    avcc = _configuration_box(movie, tables[b"stsd"])
    edits.append((avcc.body, avcc.end, joined.packed()))
    return splice(movie, [*edits, *_resized(movie, edits)])


def _table(part: Box, rows: Ticks) -> Splice:
    """Return the splice of a table of 32-bit numbers, from its count on."""
    return part.body + 4, part.end, pack(len(rows), 4) + rows.astype(">i4").tobytes()


def _resized(movie: bytes, edits: Sequence[Splice]) -> list[Splice]:
    """Return the splices of the lengths of all boxes around edits."""

    def around(inside: Iterator[Box]) -> list[Splice]:
        found = []
        for part in inside:
            mine = [one for one in edits if part.start < one[0] and one[1] <= part.end]
            if not (grown := growth(mine)):
                continue
            if part.body - part.start != 8:
                raise UnsupportedFormat("a box in moov has a length of 64 bits")
            size = pack(part.end - part.start + grown, 4)
            found.append((part.start, part.start + 4, size))
            if part.kind in (b"moov", b"trak", *_PATH):
                found += around(boxes(movie, part.body, part.end))
            elif part.kind == b"stsd":
                found += around(boxes(movie, part.body + 8, part.end))
            elif part.kind == b"avc1":
                found += around(_within(movie, part))
        return found

    return around(boxes(movie))
