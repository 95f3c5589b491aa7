"""What container a film is in, and whether it is whole, told from its outermost boxes.

A cut or odd film is still a film here: whether it has pictures is the decoder's to tell, where
`containers.sniff_video` wants to see their track.
"""

from __future__ import annotations

import os
from contextlib import suppress
from typing import BinaryIO

from aiglabel.containers import mp4_tracks
from aiglabel.containers.sniff import HEAD_BYTES, VideoFormat, sniff
from aiglabel.containers.tags import read_at
from aiglabel.errors import CorruptMedia, MediaError, UnsupportedFormat

ISOBMFF = (VideoFormat.MP4, VideoFormat.MOV)
_QUICKTIME = {b"moov", b"mdat", b"wide", b"free", b"skip", b"pnot"}
_MOST_BOXES = 1 << 14
_MOST_TAGS = 1 << 22


def container_of(file: BinaryIO) -> VideoFormat:
    """Return the container of an open file; of MP4 it is not told whether it has pictures.

    Raises
    ------
    UnsupportedFormat
        For anything else.
    """
    found = _found(read_at(file, 0, HEAD_BYTES))
    if found:
        return found
    raise UnsupportedFormat(
        "not a video format this toolkit reads", remedy="Use MP4, MOV, MKV, WebM, AVI or FLV"
    )


def _found(head: bytes) -> VideoFormat | None:
    if head[4:8] == b"ftyp":
        try:
            sniff(head)
        except UnsupportedFormat:
            return VideoFormat.MOV if head[8:12] == b"qt  " else VideoFormat.MP4
        return None  # AVIF or HEIC
    if head[4:8] in _QUICKTIME:
        return VideoFormat.MOV
    if head.startswith(b"\x1a\x45\xdf\xa3"):
        return VideoFormat.WEBM if b"\x42\x82\x84webm" in head[:256] else VideoFormat.MKV
    if head[:4] == b"RIFF" and head[8:12] == b"AVI ":
        return VideoFormat.AVI
    return VideoFormat.FLV if head.startswith(b"FLV\x01") else None


def check_whole(file: BinaryIO, container: VideoFormat) -> None:
    """Refuse a file that is shorter than its own outermost lengths say.

    Raises
    ------
    CorruptMedia
        The end is missing. Matroska does not tell; ffmpeg does when it comes to the end.
    """
    end = file.seek(0, os.SEEK_END)
    if container in ISOBMFF:
        stated = _end_of_boxes(file, end)
    elif container is VideoFormat.AVI:
        stated = 8 + int.from_bytes(read_at(file, 4, 4), "little")
    else:
        stated = _end_of_tags(file, end) if container is VideoFormat.FLV else 0
    if stated > end:
        raise CorruptMedia(
            f"the {container.value.upper()} file ends early: {stated} bytes are promised, "
            f"{end} are there",
            remedy="Get the whole file",
        )


def check_own(file: BinaryIO, container: VideoFormat) -> None:
    """Refuse an MP4 or MOV that says its samples are in another file.

    ffmpeg does not open that one: it takes bytes of this file for them.

    Raises
    ------
    UnsupportedFormat
    """
    places: list[bytes] = []
    if container in ISOBMFF:
        with suppress(MediaError):  # what else is wrong is the decoder's to tell
            places = mp4_tracks.elsewhere(mp4_tracks.movie_of(file))
    if any(places):
        raise UnsupportedFormat(
            f"the {container.value.upper()} file keeps its pictures or sound in another file",
            remedy="Save it as one file that holds everything",
        )


def _end_of_boxes(file: BinaryIO, end: int) -> int:
    at = 0
    for _ in range(_MOST_BOXES):
        head = read_at(file, at, 16)
        if len(head) < 8:
            break
        size = int.from_bytes(head[:4], "big")
        if size == 1:
            size = int.from_bytes(head[8:16], "big")
        if size < 8:  # 0: up to the end
            break
        at += size
        if at >= end:
            break
    return at


def _end_of_tags(file: BinaryIO, end: int) -> int:
    """Return where the last tag of an FLV ends (Adobe FLV 10.1, E.3: header, then tags)."""
    at = int.from_bytes(read_at(file, 5, 4), "big") + 4
    for _ in range(_MOST_TAGS):
        head = read_at(file, at, 4)
        if len(head) < 4:
            # Some writers leave out the last number; a cut between two tags cannot be told.
            return 0 if end in (at, at - 4) else at + 11
        if head[0] & 0x1F not in (8, 9, 18):
            break
        size = 11 + int.from_bytes(head[1:], "big")
        if at + size > end:
            return at + size
        at += size + 4
    return 0
