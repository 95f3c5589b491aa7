"""Which demuxer a sound file is for, told from its first bytes, never from its name.

`containers.sniff_sound` tells where a label goes, from a file's bytes; here an open file is looked
at, of any length, and what counts is what ffmpeg is to open it as.

MPEG audio (ISO/IEC 11172-3, 2.4.2.3) has no signature: two frame headers must follow one another
at the distance the first one states. An ID3v2 tag (id3.org, 3.1) may stand before MP3 and FLAC.
"""

from __future__ import annotations

import os
from enum import StrEnum
from typing import BinaryIO

from aiglabel.errors import UnsupportedFormat

_SCAN = 8192  # bytes of padding or junk allowed between an ID3 tag and the first frame
_MAX_TAGS = 8
_PICTURE_BRANDS = {b"avif", b"avis", b"heic", b"heix", b"mif1", b"msf1", b"mif2", b"hevc", b"jxl "}
_BITRATES_1 = (0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320)
_BITRATES_2 = (0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160)
_RATES = (44_100, 48_000, 32_000)


class Container(StrEnum):
    """Containers of sound the toolkit reads and writes."""

    WAV = "wav"
    FLAC = "flac"
    MP3 = "mp3"
    M4A = "m4a"
    OGG = "ogg"

    @property
    def demuxer(self) -> str:
        """Name of ffmpeg's demuxer."""
        return "mov" if self is Container.M4A else self.value

    @property
    def muxer(self) -> str:
        """Name of ffmpeg's muxer."""
        return "ipod" if self is Container.M4A else self.value


def container_of(file: BinaryIO) -> Container:
    """Return the format of an open, seekable file; its position is moved.

    Raises
    ------
    UnsupportedFormat
        For anything else, films and Ogg streams of other codecs included.
    """
    head = _at(file, 0, 4096)
    if head[:4] in (b"RIFF", b"RF64", b"BW64") and head[8:12] == b"WAVE":
        return Container.WAV
    if head[4:8] == b"ftyp":
        return _of_boxes(head)
    if head[:4] == b"OggS":
        return _of_ogg(head)
    start = after_id3(file)
    if _at(file, start, 4) == b"fLaC":
        return Container.FLAC
    if first_frame(file, start) is not None:
        return Container.MP3
    raise UnsupportedFormat(
        f"not a sound this toolkit reads ({_guess(head)})",
        remedy="Use WAV, FLAC, MP3, M4A or Ogg",
    )


def after_id3(file: BinaryIO) -> int:
    """Return the offset behind the ID3v2 tags at the front."""
    at = 0
    for _ in range(_MAX_TAGS):
        head = _at(file, at, 10)
        if len(head) < 10 or head[:3] != b"ID3" or max(head[6:10]) > 127:
            break
        size = head[6] << 21 | head[7] << 14 | head[8] << 7 | head[9]
        at += 10 + size + (10 if head[5] & 0x10 else 0)
    return at


def first_frame(file: BinaryIO, start: int) -> int | None:
    """Return the offset of the first MPEG layer III frame at or shortly behind `start`."""
    file.seek(0, os.SEEK_END)
    end = file.tell()
    window = _at(file, start, _SCAN + 4)
    at = window.find(b"\xff")
    while 0 <= at < len(window) - 3:
        size = frame_size(window[at : at + 4])
        if size:
            following = _at(file, start + at + size, 4)
            # A file of one frame ends where a second would begin.
            if start + at + size == end or (
                frame_size(following) and following[1] == window[at + 1]
            ):
                return start + at
        at = window.find(b"\xff", at + 1)
    return None


def frame_size(header: bytes) -> int:
    """Return the bytes of the layer III frame with this four-byte header, 0 if it is none."""
    if len(header) < 4 or header[0] != 0xFF or header[1] & 0xE6 != 0xE2:
        return 0
    if header[1] >> 3 & 3 == 1 or header[2] >> 4 in (0, 15) or header[2] >> 2 & 3 == 3:
        return 0
    bitrate, rate, first = frame_rates(header)
    return (144 if first else 72) * bitrate // rate + (header[2] >> 1 & 1)


def frame_rates(header: bytes) -> tuple[int, int, bool]:
    """Return bits a second, samples a second, and whether the frame is MPEG-1 (1152 samples)."""
    version, index = header[1] >> 3 & 3, header[2] >> 4
    first = version == 3
    rate = _RATES[header[2] >> 2 & 3] >> {3: 0, 2: 1, 0: 2}[version]
    return (_BITRATES_1 if first else _BITRATES_2)[index] * 1000, rate, first


def _of_ogg(head: bytes) -> Container:
    first = head[27 + head[26] :] if len(head) > 27 else b""
    if first.startswith((b"\x01vorbis", b"OpusHead", b"\x7fFLAC")):
        return Container.OGG
    raise UnsupportedFormat(
        "an Ogg file whose first stream is not Vorbis, Opus or FLAC",
        remedy="Convert it to Ogg Opus or Ogg Vorbis",
    )


def _of_boxes(head: bytes) -> Container:
    size = max(16, min(int.from_bytes(head[:4], "big"), len(head)))
    brands = {head[8:12]} | {head[i : i + 4] for i in range(16, size - 3, 4)}
    if brands & _PICTURE_BRANDS:
        raise UnsupportedFormat("it is a picture, not a sound")
    return Container.M4A


def _at(file: BinaryIO, offset: int, count: int) -> bytes:
    file.seek(offset)
    return file.read(count)


def _guess(head: bytes) -> str:
    known = {
        b"#EXTM3U": "it looks like a playlist", b"%PDF": "it looks like PDF",
        b"\xff\xd8\xff": "it looks like JPEG", b"\x89PNG": "it looks like PNG",
        b"FORM": "it looks like AIFF", b"\x1a\x45\xdf\xa3": "it looks like Matroska or WebM",
        b"RIFX": "it looks like big-endian WAV", b"RIFF": "it looks like RIFF, but not WAV",
        b"\xff\xf1": "it looks like raw AAC", b"\xff\xf9": "it looks like raw AAC",
        b"riff": "it looks like Wave64", b"caff": "it looks like CAF", b"FLV": "it looks like FLV",
        b"wvpk": "it looks like WavPack", b"MAC ": "it looks like Monkey's Audio",
    }  # fmt: skip
    for magic, name in known.items():
        if head.startswith(magic):
            return name
    return "unknown first bytes" if head else "the file is empty"
