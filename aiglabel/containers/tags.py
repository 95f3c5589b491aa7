"""What containers of sounds and films give and take: texts, XMP packets, one label; and reads."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import BinaryIO

from aiglabel.containers.texts import TextField
from aiglabel.errors import LabelError, ResourceLimit

KEY = "AIGC"
MAX_TEXT = 1 << 20  # bytes of one text; longer ones are lyrics or pictures, no label
MOST_HEAD = 64 << 20  # bytes of tags that are read at once, cover pictures among them
_MOST_LABEL = MAX_TEXT // 4  # leaves room for names around it, and for UTF-16
_MOST_TEXTS = 1 << 12
_MOST_PACKETS = 64


@dataclass(frozen=True)
class Tags:
    """Everything in a sound file in which a declaration of AI may stand.

    Attributes
    ----------
    texts : list of TextField
        Every text tag, label or not, in the order of the file.
    packets : list of bytes
        XMP packets, as stored.
    c2pa : bool
        Whether a C2PA store is embedded; nothing about it is checked.
    """

    texts: list[TextField]
    packets: list[bytes]
    c2pa: bool


def merged(parts: Iterable[Tags]) -> Tags:
    """Return the tags of all `parts` as one.

    Raises
    ------
    ResourceLimit
        For more texts or XMP packets than any honest file has.
    """
    texts: list[TextField] = []
    packets: list[bytes] = []
    c2pa = False
    for part in parts:
        texts += part.texts
        packets += part.packets
        c2pa |= part.c2pa
        if len(texts) > _MOST_TEXTS:
            raise ResourceLimit(f"the file has more than {_MOST_TEXTS} text tags")
        if len(packets) > _MOST_PACKETS:
            raise ResourceLimit(f"the file has more than {_MOST_PACKETS} XMP packets")
    return Tags(texts, packets, c2pa)


def one_text(carrier: str, key: str, text: str) -> Tags:
    """Return the tags of a carrier that holds a single text."""
    return Tags([TextField(carrier, key, text)], [], False)


def is_label(key: str) -> bool:
    """Whether `key` names a label; Vorbis comments, for one, ignore case."""
    return key.upper() == KEY


def label_bytes(text: str) -> bytes:
    """Return a label as UTF-8.

    Raises
    ------
    LabelError
        For NUL characters, which end a text in most tags, and for lone surrogates.
    ResourceLimit
        For a label longer than 256 KiB, which readers might not take for one.
    """
    try:
        raw = text.encode()
    except UnicodeEncodeError as error:
        raise LabelError("a label holds characters UTF-8 cannot carry") from error
    if b"\0" in raw:
        raise LabelError("a label holds a NUL character")
    if len(raw) > _MOST_LABEL:
        raise ResourceLimit(f"a label is longer than {_MOST_LABEL} bytes")
    return raw


def read_at(file: BinaryIO, at: int, count: int) -> bytes:
    """Return up to `count` bytes of an open file from `at`, fewer where it ends."""
    file.seek(at)
    return file.read(count)


def replaced(old: Iterable[tuple[bool, bytes]], new: bytes) -> Iterator[bytes]:
    """Yield the parts of a tag with `new` for the first label, and for none of the others.

    Parameters
    ----------
    old : iterable of (bool, bytes)
        Whether a part is a label, and the part.
    new : bytes
        The label's part; at the end where there was no label. Empty to remove labels.
    """
    for label, part in old:
        if not label:
            yield part
        elif new:
            yield new
            new = b""
    if new:
        yield new
