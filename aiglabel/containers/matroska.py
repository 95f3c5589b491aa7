"""Matroska and WebM (RFC 9559): where the parts of a film are, and the labels in ``Tags``.

The label is a ``SimpleTag`` named AIGC, about the whole film (TC260-PG-20257A), before the first
cluster. How it gets there without harm to positions is the business of `matroska_edits`.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain, takewhile
from typing import BinaryIO

from aiglabel.containers import ebml
from aiglabel.containers.ebml import Element, Part, parts
from aiglabel.containers.pieces import Digest
from aiglabel.containers.tags import KEY, MAX_TEXT, Tags, is_label, merged, one_text, read_at
from aiglabel.containers.texts import decode
from aiglabel.errors import CorruptMedia, MediaError, ResourceLimit

SEGMENT, SEEK_HEAD, INFO, TRACKS = 0x18538067, 0x114D9B74, 0x1549A966, 0x1654AE6B
CLUSTER, CUES, ATTACHMENTS, CHAPTERS = 0x1F43B675, 0x1C53BB6B, 0x1941A469, 0x1043A770
TAGS, TAG, SIMPLE, NAME, STRING = 0x1254C367, 0x7373, 0x67C8, 0x45A3, 0x4487
TARGETS = 0x63C0
POSITION, PREVIOUS = 0xA7, 0xAB  # of a cluster: its place, and the size of the one before
CARRIER = f"Matroska Tags {KEY}"
_TOP = {SEEK_HEAD, INFO, TRACKS, CLUSTER, CUES, ATTACHMENTS, CHAPTERS, TAGS}
_LAST = {ebml.HEADER, SEGMENT}
_UIDS = {0x63C5, 0x63C9, 0x63C4, 0x63C6}  # a track, an edition, a chapter, an attachment
_BLOCKS = {0xA3, 0xA0}
_TITLE = 0x7BA9
_TRACK_ENTRY, _TRACK_TYPE, _VIDEO = 0xAE, 0x83, 1
_MOST_PARTS = 1 << 17
_MOST_BLOCKS = 1 << 21
_MOST_PART = 16 << 20
_DEPTH = 8
_CLUSTER_HEAD = 128  # time, position and size of the one before stand first


@dataclass(frozen=True)
class Film:
    """A file taken apart: the segment, what is in it, its end, and whether that is missing."""

    segment: Element
    parts: list[Part]
    end: int
    cut: bool

    def of(self, kind: int) -> list[Part]:
        """Return the parts of a kind."""
        return [part for part in self.parts if part.kind == kind]


def doc_type(file: BinaryIO) -> str:
    """Return ``matroska``, ``webm`` or whatever else the file says it is; empty for no EBML."""
    try:
        return _doc_type(file)
    except MediaError:
        return ""


def shows_video(file: BinaryIO) -> bool | None:
    """Whether there is a video track; None if the tracks are not at hand."""
    try:
        first = takewhile(lambda part: part.kind != CLUSTER, _walk(file, _segment(file)))
        tracks = [content(file, part) for part in first if part.kind == TRACKS]
        kinds = [
            ebml.number(data, one)
            for data in tracks
            for entry in parts(data) if entry.kind == _TRACK_ENTRY
            for one in parts(data, entry.body, entry.end) if one.kind == _TRACK_TYPE
        ]  # fmt: skip
    except MediaError:
        return None
    return _VIDEO in kinds if tracks else None


def read(file: BinaryIO) -> Tags:
    """Return the title and the texts of all tags.

    Raises
    ------
    CorruptMedia, ResourceLimit
        If the structure of the file is broken or absurd; cut off clusters do not matter.
    """
    return tags_of(file, taken_apart(file))


def tags_of(file: BinaryIO, film: Film) -> Tags:
    """Return what `read` does, of a file taken apart."""
    titles = (one for part in film.of(INFO) for one in _titles(content(file, part)))
    texts = (one for part in film.of(TAGS) for one in _texts(content(file, part)))
    return merged(chain(titles, texts))


def coded_digest(file: BinaryIO) -> bytes:
    """Digest of the tracks and of all clusters, but for what these say of their places."""
    film, digest = taken_apart(file), Digest(file)
    for part in film.parts:
        if part.kind == TRACKS:
            digest.add_span(part.start, part.end)
        elif part.kind == CLUSTER:
            heads = cluster_head(file, part)
            for one in heads:
                if one.kind not in (POSITION, PREVIOUS, ebml.CRC, ebml.VOID):
                    digest.add_span(one.start, one.end)
            digest.add_span(heads[-1].end if heads else part.body, part.end)
    return digest.value()


def taken_apart(file: BinaryIO) -> Film:
    """Find the parts of the first segment.

    Raises
    ------
    CorruptMedia, ResourceLimit
        If there is none, or its structure is broken or absurd.
    """
    segment, size = _segment(file), file.seek(0, os.SEEK_END)
    found = list(_walk(file, segment))
    end = found[-1].end if found else segment.body
    cut = end > size
    if segment.end is not None:
        cut |= segment.end > size
        end = max(end, segment.end)
    clipped = [Part(one.kind, one.start, one.body, min(one.end, size)) for one in found]
    return Film(segment, clipped, min(end, size), cut)


def content(file: BinaryIO, part: Part) -> bytes:
    """Return the content of a part that is no cluster.

    Raises
    ------
    ResourceLimit
        If it is over 16 MiB.
    """
    if part.end - part.body > _MOST_PART:
        raise ResourceLimit(f"a part of a Matroska file is over {_MOST_PART >> 20} MiB")
    return read_at(file, part.body, part.end - part.body)


def cluster_head(file: BinaryIO, cluster: Part) -> list[Part]:
    """Return what stands in a cluster before its first block."""
    data = read_at(file, cluster.body, min(_CLUSTER_HEAD, cluster.end - cluster.body))
    found, at = [], 0
    while at < len(data):
        try:
            one = ebml.head(data, at)
        except CorruptMedia:  # cut in two by the end of `data`, or by that of the file
            break
        if one.kind in _BLOCKS or one.end is None or one.end > len(data):
            break
        found.append(
            Part(
                one.kind, one.start + cluster.body, one.body + cluster.body, one.end + cluster.body
            )
        )
        at = one.end
    return found


def name_of(data: bytes, simple: Part) -> str:
    """Return the name of a tag; empty for none."""
    names = (one for one in parts(data, simple.body, simple.end) if one.kind == NAME)
    return next((decode(data[one.body : one.end]) for one in names), "")


def whole_film(data: bytes, tag: Part) -> bool:
    """Whether a tag is about the film, not about one track, chapter or attachment."""
    return not any(
        ebml.number(data, one)
        for targets in parts(data, tag.body, tag.end) if targets.kind == TARGETS
        for one in parts(data, targets.body, targets.end) if one.kind in _UIDS
    )  # fmt: skip


def _doc_type(file: BinaryIO) -> str:
    first = _head(file, 0)
    if first.kind != ebml.HEADER or first.end is None or first.end - first.body > 4096:
        return ""
    data = read_at(file, first.body, first.end - first.body)
    names = [data[one.body : one.end] for one in parts(data) if one.kind == ebml.DOC_TYPE]
    return decode(names[0]) if names else "matroska"


def _head(file: BinaryIO, at: int) -> Element:
    return ebml.head(read_at(file, at, ebml.HEAD_BYTES), 0, at)


def _segment(file: BinaryIO) -> Element:
    first = _head(file, 0)
    at = first.end
    if first.kind != ebml.HEADER or at is None:
        raise CorruptMedia("a Matroska file does not begin with an EBML header")
    for _ in range(_DEPTH):  # Void may stand between
        one = _head(file, at)
        if one.kind == SEGMENT:
            return one
        if one.end is None:
            break
        at = one.end
    raise CorruptMedia("a Matroska file has no segment")


def _walk(file: BinaryIO, segment: Element) -> Iterator[Part]:
    """Yield what is in the segment; the last part may claim to end behind the file."""
    size = file.seek(0, os.SEEK_END)
    at, end = segment.body, size if segment.end is None else min(segment.end, size)
    left = _MOST_BLOCKS
    for _ in range(_MOST_PARTS):
        if at >= end:
            return
        one = _head(file, at)
        if segment.end is None and one.kind in _LAST:
            return
        stop = one.end
        if stop is None:
            if one.kind != CLUSTER:
                raise CorruptMedia("a part of a Matroska file has no size")
            stop, left = _end_of_cluster(file, one.body, end, left)
        yield Part(one.kind, one.start, one.body, stop)
        at = stop
    raise ResourceLimit(f"the file has more than {_MOST_PARTS} parts")


def _end_of_cluster(file: BinaryIO, at: int, end: int, left: int) -> tuple[int, int]:
    """Return where a cluster without a size ends, and how many blocks more are allowed.

    It ends at what cannot be in one.
    """
    while at < end:
        one = _head(file, at)
        if one.kind in _TOP or one.kind in _LAST:
            break
        if one.end is None:
            raise CorruptMedia("a part of a Matroska cluster has no size")
        at, left = one.end, left - 1
        if left < 0:
            raise ResourceLimit(f"clusters without a size have more than {_MOST_BLOCKS} blocks")
    return at, left


def _titles(data: bytes) -> Iterator[Tags]:
    for one in parts(data):
        if one.kind == _TITLE and one.end - one.body <= MAX_TEXT:
            yield one_text("Matroska Info Title", "Title", decode(data[one.body : one.end]))


def _texts(data: bytes) -> Iterator[Tags]:
    """Yield the texts in the content of ``Tags``."""
    for tag in parts(data):
        if tag.kind == TAG:
            place = "Matroska Tags" if whole_film(data, tag) else "Matroska Tags (of a part)"
            for simple in parts(data, tag.body, tag.end):
                if simple.kind == SIMPLE:
                    yield from _simple(data, simple, place)


def _simple(data: bytes, simple: Part, place: str, depth: int = 0) -> Iterator[Tags]:
    if depth > _DEPTH:
        raise ResourceLimit("the tags of a Matroska file are nested too deep")
    name = name_of(data, simple)
    for one in parts(data, simple.body, simple.end):
        if one.kind == STRING and one.end - one.body <= MAX_TEXT:
            key = KEY if is_label(name) else name
            yield one_text(f"{place} {key}", name, decode(data[one.body : one.end]))
        elif one.kind == SIMPLE:
            yield from _simple(data, one, "Matroska Tags (nested)", depth + 1)
