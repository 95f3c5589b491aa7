"""MPEG audio between its tags: ID3v2 before it, ID3v1 and APEv2 behind. The label is a ``TXXX``.

MPEG audio (ISO/IEC 11172-3, 2.4.2.3; 13818-3 and MPEG-2.5 for the lower rates) has no signature:
frame headers must follow one another at the distances they state.
"""

from __future__ import annotations

import io
import os
from collections.abc import Iterator
from typing import BinaryIO

from aiglabel.containers import id3
from aiglabel.containers.bounds import Splice
from aiglabel.containers.pieces import Digest
from aiglabel.containers.tags import KEY, MOST_HEAD, Tags, merged, read_at
from aiglabel.errors import CorruptMedia, ResourceLimit

CARRIER = f"ID3 TXXX {KEY}"
_ID3V1, _APE = 128, 32
_ALIKE = 3  # frames that must follow one another
_PADDING = 1 << 16  # bytes of zeros that some writers leave between tag and frames
_SCAN = 8192  # bytes of junk there
KBPS_1 = (32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320)  # MPEG-1 layer III
KBPS_2 = (8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160)  # MPEG-2 and 2.5
_RATES = (44_100, 48_000, 32_000)


def read(file: BinaryIO) -> Tags:
    """Return texts, XMP and C2PA of the ID3v2 tags.

    Raises
    ------
    CorruptMedia, ResourceLimit, UnsupportedFormat
        If a tag is longer than the file, absurd, or of an unknown version.
    """
    return merged(id3.read(tag) for tag in each_tag(leading_tags(file)))


def edits(file: BinaryIO, label: bytes) -> list[Splice]:
    """Return the splice that puts `label` into one user text frame of the first ID3v2 tag.

    The tag keeps its version; a file without gets one of version 2.4. While the padding of the
    tag lasts, the audio stays where it is.

    Raises
    ------
    CorruptMedia, ResourceLimit, UnsupportedFormat
        As `read`; also if the tag would outgrow 256 MiB.
    """
    tags = leading_tags(file)
    first = id3.size_at(tags)
    head = id3.with_label(id3.parse(tags), label) if first else id3.fresh(label)
    return [(0, len(tags), head + without_labels(tags[first:]))]


def coded_digest(file: BinaryIO) -> bytes:
    """Digest of everything between the tags."""
    start, digest = len(leading_tags(file)), Digest(file)
    digest.add_span(start, trailer(file, start))
    return digest.value()


def leading_tags(file: BinaryIO) -> bytes:
    """Return the run of ID3v2 tags at the start of a file.

    Raises
    ------
    CorruptMedia, ResourceLimit
        If it is longer than the file, or absurd.
    """
    end = id3.after(file)
    if end > MOST_HEAD:
        raise ResourceLimit(f"an ID3 tag is over {MOST_HEAD >> 20} MiB")
    tags = read_at(file, 0, end)
    if len(tags) < end:
        raise CorruptMedia("an ID3 tag runs past the end of the file")
    return tags


def each_tag(tags: bytes) -> Iterator[id3.Tag]:
    """Yield the tags of a run of them."""
    for at, _ in id3.starts(io.BytesIO(tags)):
        yield id3.parse(tags, at)


def without_labels(tags: bytes) -> bytes:
    """Return a run of ID3v2 tags without labels, as long as it was."""
    parts = (id3.with_label(tag, b"") or tags[tag.start : tag.end] for tag in each_tag(tags))
    return b"".join(parts)


def trailer(file: BinaryIO, start: int) -> int:
    """Return where the tags at the end of a file begin, at `start` or later."""
    end = file.seek(0, os.SEEK_END)
    if end - start >= _ID3V1 and read_at(file, end - _ID3V1, 3) == b"TAG":
        end -= _ID3V1
    foot = read_at(file, end - _APE, _APE) if end - start >= _APE else b""
    if foot[:8] == b"APETAGEX":
        size = int.from_bytes(foot[12:16], "little")  # items and footer
        size += _APE if foot[23] & 0x80 else 0  # the flag of a header
        end -= size if _APE <= size <= end - start else 0
    return end


def first_frame(file: BinaryIO, start: int) -> int | None:
    """Return the offset of the first layer III frame at or shortly behind `start`, if any.

    Parameters
    ----------
    file : open binary file
        Its position is moved.
    start : int
        Where the ID3 tags end. Behind one a lone frame is believed, if it is there at once.
    """
    end = file.seek(0, os.SEEK_END)
    zeros = read_at(file, start, _PADDING)
    begin = start + len(zeros) - len(zeros.lstrip(b"\0"))
    window = read_at(file, begin, _SCAN + 4)
    at = window.find(b"\xff")
    while 0 <= at < len(window) - 3:
        if frame_size(window[at : at + 4]) and _chained(file, begin + at, end):
            return begin + at
        at = window.find(b"\xff", at + 1)
    return begin if start and frame_size(window[:4]) else None


def _chained(file: BinaryIO, at: int, end: int) -> bool:
    """Whether frames alike follow the one at `at`, as far as the file goes."""
    first = head = read_at(file, at, 4)
    for number in range(1, _ALIKE):
        at += frame_size(head)
        if at + 4 > end:  # a frame alone must be whole
            return number > 1 or at <= end
        head = read_at(file, at, 4)
        if head[:3] == b"TAG" or head == b"APET":
            return True
        if not frame_size(head) or (head[1] ^ first[1]) & 0xFE or (head[2] ^ first[2]) & 0x0C:
            return False
    return True


def frame_size(header: bytes) -> int:
    """Return the bytes of the layer III frame with this four-byte header; 0 if it is none."""
    if len(header) < 4 or header[0] != 0xFF or header[1] & 0xE6 != 0xE2:
        return 0
    if header[1] >> 3 & 3 == 1 or header[2] >> 4 in (0, 15) or header[2] >> 2 & 3 == 3:
        return 0
    bits, hertz, first = frame_rates(header)
    return (144 if first else 72) * bits // hertz + (header[2] >> 1 & 1)


def frame_rates(header: bytes) -> tuple[int, int, bool]:
    """Return bits a second, samples a second, and whether the frame is MPEG-1 (1152 samples).

    `header` is one of which `frame_size` is not 0.
    """
    version = header[1] >> 3 & 3
    hertz = _RATES[header[2] >> 2 & 3] >> {3: 0, 2: 1, 0: 2}[version]
    kbps = (KBPS_1 if version == 3 else KBPS_2)[(header[2] >> 4) - 1]
    return kbps * 1000, hertz, version == 3
