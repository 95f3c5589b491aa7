"""The one way into the containers of sounds and films: a format and a file in, labels out or in.

They may be larger than memory. Files on disk are read in places and copied in pieces; bytes are
taken too. Names and declared types are never looked at, and hostile bytes raise only `MediaError`
subclasses.
"""

from __future__ import annotations

import io
import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import BinaryIO

from aiglabel.containers import avi, flac, flv, matroska, matroska_edits, mp3, mp4, ogg, wav
from aiglabel.containers.bounds import Splice
from aiglabel.containers.pieces import copy_spliced, copying, opened
from aiglabel.containers.sniff import SoundFormat, VideoFormat
from aiglabel.containers.tags import Tags, label_bytes


@dataclass(frozen=True)
class _Family:
    """What each family of containers offers."""

    carrier: str
    read: Callable[[BinaryIO], Tags]
    edits: Callable[[BinaryIO, bytes], list[Splice]]
    coded_digest: Callable[[BinaryIO], bytes]


TimedFormat = SoundFormat | VideoFormat
_MP4 = _Family(mp4.CARRIER, mp4.read, mp4.edits, mp4.coded_digest)
_MKV = _Family(matroska.CARRIER, matroska.read, matroska_edits.edits, matroska.coded_digest)
_OGG = _Family(ogg.CARRIER, ogg.read, ogg.edits, ogg.coded_digest)
_FAMILIES: dict[TimedFormat, _Family] = {
    SoundFormat.WAV: _Family(wav.CARRIER, wav.read, wav.edits, wav.coded_digest),
    SoundFormat.FLAC: _Family(flac.CARRIER, flac.read, flac.edits, flac.coded_digest),
    SoundFormat.MP3: _Family(mp3.CARRIER, mp3.read, mp3.edits, mp3.coded_digest),
    SoundFormat.OGG: _OGG,
    SoundFormat.OPUS: _OGG,
    SoundFormat.M4A: _MP4,
    VideoFormat.MP4: _MP4,
    VideoFormat.MOV: _MP4,
    VideoFormat.MKV: _MKV,
    VideoFormat.WEBM: _MKV,
    VideoFormat.AVI: _Family(avi.CARRIER, avi.read, avi.edits, avi.coded_digest),
    VideoFormat.FLV: _Family(flv.CARRIER, flv.read, flv.edits, flv.coded_digest),
}


def canonical_carrier(fmt: TimedFormat) -> str:
    """Return the `TextField.carrier` of the one place in which a label belongs."""
    return _FAMILIES[fmt].carrier


def read_tags(data: bytes | BinaryIO, fmt: TimedFormat) -> Tags:
    """Return every text tag, every XMP packet, and whether C2PA is there.

    Parameters
    ----------
    data : bytes or open binary file
        A file is read in places, whatever its length, and its position is moved.
    fmt : SoundFormat or VideoFormat
        As sniffed.

    Raises
    ------
    CorruptMedia
        If the structure of the file is broken. Cut off pictures do not matter where the tags can
        still be found.
    ResourceLimit
        If it has more parts or texts than any honest file.
    UnsupportedFormat
        For rare variants, named in the message.
    """
    return _FAMILIES[fmt].read(opened(data))


def write_label(data: bytes, fmt: TimedFormat, label: str) -> bytes:
    """Return a small file with `label` as its one AIGC label; see `copy_labelled`."""
    out = io.BytesIO()
    copy_labelled(io.BytesIO(data), out, fmt, label)
    return out.getvalue()


def write_label_file(
    src: str | os.PathLike[str], dst: str | os.PathLike[str], fmt: TimedFormat, label: str
) -> None:
    """Copy a file with `label` as its one AIGC label; see `copy_labelled`.

    `dst` is overwritten; where the copy fails, nothing of it is left.

    Raises
    ------
    MediaError
        If `dst` is the source; also as `copy_labelled`.
    OSError
        If a file cannot be read or written.
    """
    with copying(src, dst) as (file, out):
        copy_labelled(file, out, fmt, label)


def copy_labelled(file: BinaryIO, out: BinaryIO, fmt: TimedFormat, label: str | None) -> None:
    """Copy a file with `label` as its one AIGC label, at the canonical place, in bounded memory.

    Labels under the key AIGC elsewhere in the tags go; those in XMP and comments stay. Coded
    pictures and sound, subtitles, chapters and all other metadata stay byte for byte; a C2PA
    signature breaks, as with any change.

    Parameters
    ----------
    file, out : open binary files
        The file, which can be sought in, and where the copy goes; nothing is written before it is
        known that the label can be set.
    fmt : SoundFormat or VideoFormat
        As sniffed.
    label : str or None
        The text; None copies the file as it is.

    Raises
    ------
    CorruptMedia, ResourceLimit, UnsupportedFormat
        As `read_tags`; also for a file that is cut off, and where the format has no room, named in
        the message.
    LabelError
        For characters a tag cannot carry.
    """
    splices = [] if label is None else _FAMILIES[fmt].edits(file, label_bytes(label))
    copy_spliced(file, out, splices)


def coded_digest(data: bytes | BinaryIO, fmt: TimedFormat) -> bytes:
    """Return SHA-256 over everything in the file that makes pictures or sound, and no metadata.

    Equal before and after writing labels. The media data are read once, in pieces.
    """
    return _FAMILIES[fmt].coded_digest(opened(data))
