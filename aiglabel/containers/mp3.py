"""MPEG audio between its tags: ID3v2 before it, ID3v1 and APEv2 behind. The label is a ``TXXX``."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator

from aiglabel.containers import id3
from aiglabel.containers.bounds import bounded
from aiglabel.containers.tags import KEY, Tags, label_bytes, merged
from aiglabel.errors import CorruptMedia

CARRIER = f"ID3 TXXX {KEY}"
_ID3V1, _APE = 128, 32
_MOST_TAGS = 4


def read(data: bytes) -> Tags:
    """Return texts, XMP and C2PA of the ID3v2 tags.

    Raises
    ------
    CorruptMedia, ResourceLimit, UnsupportedFormat
        If a tag is longer than the file, absurd, or of an unknown version.
    """
    return merged(id3.read(tag) for tag in leading_tags(data))


def write(data: bytes, label: str) -> bytes:
    """Return the file with `label` in one user text frame of its first ID3v2 tag.

    The tag keeps its version; a file without gets one of version 2.4. While the padding of the
    tag lasts, the audio stays where it is.

    Raises
    ------
    CorruptMedia, ResourceLimit, UnsupportedFormat
        As `read`; also if the tag would outgrow 256 MiB.
    """
    text = label_bytes(label)
    start = after_tags(data)
    first = id3.size_at(data)
    head = id3.with_label(id3.parse(data), text) if first else id3.fresh(text)
    return b"".join([head, without_labels(data[first:start]), memoryview(data)[start:]])


def coded_digest(data: bytes) -> bytes:
    """Digest of everything between the tags."""
    start = after_tags(data)
    return hashlib.sha256(memoryview(data)[start : trailer(data, start)]).digest()


def leading_tags(data: bytes) -> Iterator[id3.Tag]:
    """Yield the ID3v2 tags at the start of a file."""
    for at in _starts(data):
        yield id3.parse(data, at)


def after_tags(data: bytes) -> int:
    """Return where the tags at the start of a file end.

    Raises
    ------
    CorruptMedia
        If that is beyond its end.
    """
    end = max((at + id3.size_at(data, at) for at in _starts(data)), default=0)
    if end > len(data):
        raise CorruptMedia("an ID3 tag runs past the end of the file")
    return end


def without_labels(tags: bytes) -> bytes:
    """Return a run of ID3v2 tags without labels, as long as it was."""
    parts = (id3.with_label(tag, b"") or tags[tag.start : tag.end] for tag in leading_tags(tags))
    return b"".join(parts)


def trailer(data: bytes, start: int) -> int:
    """Return where the tags at the end of a file begin, at `start` or later."""
    end = len(data)
    if end - start >= _ID3V1 and data[end - _ID3V1 : end - _ID3V1 + 3] == b"TAG":
        end -= _ID3V1
    foot = data[end - _APE : end]
    if end - start >= _APE and foot[:8] == b"APETAGEX":
        size = int.from_bytes(foot[12:16], "little")  # items and footer
        size += _APE if foot[23] & 0x80 else 0  # the flag of a header
        end -= size if _APE <= size <= end - start else 0
    return end


@bounded(_MOST_TAGS, "ID3 tags")
def _starts(data: bytes) -> Iterator[int]:
    at = 0
    while size := id3.size_at(data, at):
        yield at
        at += size
