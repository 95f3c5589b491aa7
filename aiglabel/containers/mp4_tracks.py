"""Tracks of an MP4 (ISO/IEC 14496-12): what they hold, and where their samples are.

The tables of a day of sound take a few megabytes; as numbers they take ten times as much. What is
larger is refused before it is read.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from itertools import chain
from typing import BinaryIO

from aiglabel.containers.bounds import uint
from aiglabel.containers.isobmff import Box, boxes, media_tables, movie, tracks
from aiglabel.containers.tags import read_at
from aiglabel.errors import CorruptMedia, ResourceLimit

_MOST_BOXES = 1 << 14
_MOST_MOOV = 64 << 20
# Bytes of all tables of a kind: a million chunks, and eight million samples, a day at 96 kHz.
_MOST_TABLES = {b"stco": 4 << 20, b"co64": 8 << 20, b"stsc": 12 << 20, b"stsz": 32 << 20}


def movie_of(file: BinaryIO) -> bytes:
    """Return the ``moov`` box of an open file, itself a file of one box.

    Raises
    ------
    CorruptMedia
        If there is none, or a box before it runs past the end of the file.
    ResourceLimit
        If it is over 64 MiB, or stands behind thousands of boxes.
    """
    end = file.seek(0, os.SEEK_END)
    for number, top in enumerate(top_boxes(file)):
        if number == _MOST_BOXES:
            raise ResourceLimit(
                f"the moov box of the MP4 file is not among its first {_MOST_BOXES}"
            )
        if top.end > end:
            raise past_end(top)
        if top.kind == b"moov":
            return read_moov(file, top)
    raise CorruptMedia("the MP4 file has no moov box", remedy="Copy the whole file again")


def read_moov(file: BinaryIO, moov: Box) -> bytes:
    """Return the bytes of a ``moov`` box.

    Raises
    ------
    ResourceLimit
        If it is over 64 MiB.
    """
    _check_moov(moov.end - moov.start)
    return read_at(file, moov.start, moov.end - moov.start)


def top_boxes(file: BinaryIO) -> Iterator[Box]:
    """Yield the boxes at the top of an open file; the last may claim to end behind it.

    Raises
    ------
    CorruptMedia
        If a box is smaller than its own head.
    """
    end, at = file.seek(0, os.SEEK_END), 0
    while at < end:
        head = read_at(file, at, 16)
        if len(head) < 8:  # QuickTime may end a file by four zero bytes
            return
        size, body = int.from_bytes(head[:4], "big"), 8
        if size == 1:
            size, body = int.from_bytes(head[8:16], "big"), 16
        size = size or end - at
        top = Box(head[4:8], at, at + body, at + size)
        if size < body:
            raise past_end(top)
        yield top
        at = top.end


def past_end(top: Box) -> CorruptMedia:
    """Return the error of a box that does not fit into its file."""
    return CorruptMedia(f"the {top.kind!r} box at byte {top.start} runs past the end of the file")


def kinds(data: bytes) -> Iterator[tuple[Box, bytes, bytes]]:
    """Yield every track with its handler and first sample format."""
    for track in tracks(data):
        tables: dict[bytes, Box] = {}
        for part in media_tables(data, track):  # QuickTime has a second hdlr, of the data
            tables.setdefault(part.kind, part)
        hdlr, stsd = tables.get(b"hdlr"), tables.get(b"stsd")
        if hdlr and stsd:
            codec = data[stsd.body + 12 : stsd.body + 16]
            yield track, data[hdlr.body + 8 : hdlr.body + 12], codec


def moov_of(data: bytes) -> Box:
    """Return the ``moov`` box.

    Raises
    ------
    CorruptMedia
        If there is none.
    ResourceLimit
        If it is over 64 MiB.
    """
    moov = movie(data)
    if moov is None:
        raise CorruptMedia("an MP4 has no moov box", remedy="Copy the whole file again")
    _check_moov(moov.end - moov.start)
    return moov


def tables_of(data: bytes) -> list[list[Box]]:
    """Return the boxes of every track that describe its samples.

    Raises
    ------
    CorruptMedia, ResourceLimit
        As `moov_of`; also for more than a million chunks or eight million samples.
    """
    moov_of(data)
    found = [list(media_tables(data, track)) for track in tracks(data)]
    for kind, most in _MOST_TABLES.items():
        sizes = (part.end - part.body for part in chain.from_iterable(found) if part.kind == kind)
        if sum(sizes) > most + 16 * len(found):
            raise ResourceLimit(f"the {kind.decode()} tables of an MP4 are over {most >> 20} MiB")
    return found


def _check_moov(size: int) -> None:
    if size > _MOST_MOOV:
        raise ResourceLimit(f"the moov box of an MP4 is over {_MOST_MOOV >> 20} MiB")


def elsewhere(data: bytes) -> list[bytes]:
    """Return where tracks of a moov have their samples if not in the file itself (``dref``).

    Each as its entry tells it, a URL or Apple's alias; empty bytes if it does not.

    Raises
    ------
    CorruptMedia, ResourceLimit
        As `tables_of`.
    """
    entries = (
        entry
        for parts in tables_of(data)
        for dinf in parts
        if dinf.kind == b"dinf"
        for dref in boxes(data, dinf.body, dinf.end)
        for entry in boxes(data, dref.body + 8, dref.end)
    )
    return [
        data[entry.body + 4 : entry.end].strip(b"\0")
        for entry in entries
        if not uint(data, entry.body, 4, "a data reference") & 1
    ]
