"""The one way into the sound containers: a format and its bytes in, bytes or texts out.

All functions hold the whole file in memory, never look at names or declared types, and raise only
`MediaError` subclasses for hostile bytes.
"""

from __future__ import annotations

from typing import Protocol

from aiglabel.containers import flac, m4a, mp3, ogg, wav, xmp
from aiglabel.containers.sniff import SoundFormat
from aiglabel.containers.tags import KEY, Tags, is_label
from aiglabel.containers.texts import TextField
from aiglabel.errors import CorruptMedia

_NAMESPACE = "http://www.tc260.org.cn/ns/AIGC/1.0/"


class _Family(Protocol):
    """What each family module offers."""

    CARRIER: str

    def read(self, data: bytes) -> Tags: ...
    def write(self, data: bytes, label: str) -> bytes: ...
    def coded_digest(self, data: bytes) -> bytes: ...


_FAMILIES: dict[SoundFormat, _Family] = {
    SoundFormat.WAV: wav, SoundFormat.FLAC: flac, SoundFormat.MP3: mp3, SoundFormat.OGG: ogg,
    SoundFormat.OPUS: ogg, SoundFormat.M4A: m4a,
}  # fmt: skip


def canonical_carrier(fmt: SoundFormat) -> str:
    """Return the `TextField.carrier` of the one place in which a label belongs."""
    return _FAMILIES[fmt].CARRIER


def read_tags(data: bytes, fmt: SoundFormat) -> Tags:
    """Return every text tag, every XMP packet, and whether C2PA is there.

    Raises
    ------
    CorruptMedia
        If the structure of the file is broken.
    ResourceLimit
        If it has more parts or texts than any honest file.
    UnsupportedFormat
        For rare variants, named in the message.
    """
    return _FAMILIES[fmt].read(data)


def read_xmp(data: bytes, fmt: SoundFormat) -> list[bytes]:
    """Return every XMP packet of a sound, as stored; Ogg has no place for one.

    Raises
    ------
    CorruptMedia, ResourceLimit, UnsupportedFormat
        As `read_tags`.
    """
    return read_tags(data, fmt).packets


def labels(tags: Tags) -> list[TextField]:
    """Return the texts whose key or XMP property is AIGC, in the carriers they were found in.

    Labels under other keys, such as a comment, are among ``tags.texts``; only who knows their
    fields can tell them. Broken XMP holds no label.
    """
    found = [text for text in tags.texts if is_label(text.key)]
    for packet in tags.packets:
        try:
            values = xmp.get(packet, _NAMESPACE, KEY)
        except CorruptMedia:
            continue
        found += [TextField(f"XMP TC260:{KEY}", KEY, value) for value in values]
    return found


def write_label(data: bytes, fmt: SoundFormat, label: str) -> bytes:
    """Return the file with `label` as its one AIGC label, at the canonical place.

    Labels under the key AIGC elsewhere in the tags go; those in XMP and comments stay, and `labels`
    goes on telling of the former. Coded sound and all other metadata stay byte for byte; a C2PA
    signature breaks, as with any change.

    Raises
    ------
    CorruptMedia, ResourceLimit, UnsupportedFormat
        As `read_tags`; also where the format has no room, named in the message.
    LabelError
        For characters a tag cannot carry.
    """
    return _FAMILIES[fmt].write(data, label)


def coded_digest(data: bytes, fmt: SoundFormat) -> bytes:
    """Return SHA-256 over everything in the file that makes samples, and over no metadata.

    Equal before and after `write_label`.
    """
    return _FAMILIES[fmt].coded_digest(data)
