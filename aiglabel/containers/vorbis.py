"""The comment structure of Vorbis I (5.2.1), shared by FLAC (RFC 9639, 8.6) and Opus (RFC 7845).

Vendor, number of comments, comments: each with its length before it, little-endian.
"""

from __future__ import annotations

from dataclasses import dataclass

from aiglabel.containers.bounds import take, uint
from aiglabel.containers.tags import KEY, MAX_TEXT, Tags, is_label, replaced
from aiglabel.containers.texts import TextField, decode
from aiglabel.errors import ResourceLimit

VENDOR = b"aiglabel"
_WHAT = "a Vorbis comment"
_MOST = 1 << 13
_LONGEST_NAME = 1 << 10
_PICTURES = {b"METADATA_BLOCK_PICTURE", b"COVERART"}


@dataclass(frozen=True)
class Comments:
    """Vendor, ``NAME=value`` fields, and what stands behind them (framing bit, padding)."""

    vendor: bytes
    fields: list[bytes]
    rest: bytes

    def pack(self) -> bytes:
        """Return the structure."""
        parts = [_sized(self.vendor), len(self.fields).to_bytes(4, "little")]
        return b"".join([*parts, *map(_sized, self.fields), self.rest])


def parse(raw: bytes) -> Comments:
    """Take the structure apart.

    Raises
    ------
    CorruptMedia
        If a length runs past its end.
    ResourceLimit
        For more than 8192 comments.
    """
    vendor = _field(raw, 0)
    at = 4 + len(vendor)
    count = uint(raw, at, 4, _WHAT, "little")
    if count > _MOST:
        raise ResourceLimit(f"the file has more than {_MOST} comments")
    fields = []
    at += 4
    for _ in range(count):
        fields.append(_field(raw, at))
        at += 4 + len(fields[-1])
    return Comments(vendor, fields, raw[at:])


def read(comments: Comments, place: str) -> Tags:
    """Return the texts, with names in capitals: they ignore case. Pictures are left out."""
    texts = []
    for field in comments.fields:
        if len(field) > MAX_TEXT + _LONGEST_NAME:
            continue
        name, _, value = field.partition(b"=")
        if len(value) <= MAX_TEXT and name.upper() not in _PICTURES:
            key = decode(name).upper()
            texts.append(TextField(f"{place} {key}", key, decode(value)))
    return Tags(texts, [], False)


def with_label(comments: Comments, label: bytes) -> Comments:
    """Return the comments with `label` as their one label; empty for none."""
    new = KEY.encode() + b"=" + label if label else b""
    old = (
        (is_label(decode(one[:_LONGEST_NAME].partition(b"=")[0])), one) for one in comments.fields
    )
    return Comments(comments.vendor, list(replaced(old, new)), comments.rest)


def _field(raw: bytes, at: int) -> bytes:
    return take(raw, at + 4, uint(raw, at, 4, _WHAT, "little"), _WHAT)


def _sized(raw: bytes) -> bytes:
    return len(raw).to_bytes(4, "little") + raw
