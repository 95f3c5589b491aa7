"""The one way into the container families: a format and its bytes in, bytes or texts out.

No function looks at names or declared types, and hostile bytes raise only `MediaError` subclasses.
What is alike for pictures, sounds and films is asked here for all; what is written into sounds and
films, in `timed`. Bytes and open binary files are taken alike: pictures are held in memory as a
whole, sounds and films read in places.
"""

from __future__ import annotations

from typing import BinaryIO, Protocol

from aiglabel.containers import gif, heif, jpeg, png, tiff, timed, webp
from aiglabel.containers.pieces import whole
from aiglabel.containers.sniff import AnyFormat, Format
from aiglabel.containers.texts import TextField


class _Family(Protocol):
    """What each family module offers."""

    def read_xmp(self, data: bytes) -> list[bytes]: ...
    def write_xmp(self, data: bytes, packet: bytes) -> bytes: ...
    def read_texts(self, data: bytes) -> list[TextField]: ...
    def carry_over(self, source: bytes, coded: bytes) -> tuple[bytes, list[str]]: ...
    def coded_digest(self, data: bytes) -> bytes: ...
    def has_c2pa(self, data: bytes) -> bool: ...


_FAMILIES: dict[Format, _Family] = {
    Format.JPEG: jpeg, Format.PNG: png, Format.WEBP: webp, Format.GIF: gif, Format.TIFF: tiff,
    Format.AVIF: heif, Format.HEIC: heif,
}  # fmt: skip


def read_xmp(data: bytes | BinaryIO, fmt: AnyFormat) -> list[bytes]:
    """Return every XMP packet of a file, as stored.

    None or one is usual; more are odd, with one exception: in JPEG, each extended packet
    (``xmpNote:HasExtendedXMP``) is joined from its parts and follows the standard packets.

    Raises
    ------
    CorruptMedia
        If the structure of the file is broken.
    ResourceLimit
        If a sound or a film has more parts or texts than any honest file.
    UnsupportedFormat
        For rare variants, named in the message.
    """
    if isinstance(fmt, Format):
        return _FAMILIES[fmt].read_xmp(whole(data))
    return timed.read_tags(data, fmt).packets


def write_xmp(data: bytes, fmt: Format, packet: bytes) -> bytes:
    """Return the picture with `packet` as its one XMP packet, at the canonical place.

    Coded pixels and all other metadata stay byte for byte; a C2PA signature breaks, as with any
    change. Extended JPEG packets stay too.

    Raises
    ------
    CorruptMedia, UnsupportedFormat
        As `read_xmp`; in GIF also for a packet with NUL bytes.
    ResourceLimit
        If a JPEG segment cannot hold the packet (65 502 bytes without padding).
    """
    return _FAMILIES[fmt].write_xmp(data, packet)


def read_texts(data: bytes | BinaryIO, fmt: AnyFormat) -> list[TextField]:
    """Return texts outside XMP in which AIGC labels are seen in the wild.

    All text tags of sounds and films; all PNG text chunks and GIF comments; EXIF ImageDescription
    and UserComment in every picture format; ``AIGC{…}`` glued into JPEG segments or GIF extensions.
    Broken EXIF yields no text.
    """
    if isinstance(fmt, Format):
        return _FAMILIES[fmt].read_texts(whole(data))
    return timed.read_tags(data, fmt).texts


def carry_over(source: bytes, coded: bytes, fmt: Format) -> tuple[bytes, list[str]]:
    """Bring the metadata of `source` into `coded`, a freshly encoded file of the same format.

    Left out are C2PA stores, what describes the coded pixels (palettes, transparency, Adobe colour
    marker, …), and whatever `coded` has already. EXIF, JFXX and Photoshop thumbnails are removed,
    because they would show the picture before it was marked; previews inside maker notes stay.
    Orientation is carried as it is: `coded` must hold the pixels as `source` stored them.

    Returns
    -------
    bytes
        The coded file with metadata.
    list of str
        What `source` had and the result has not, apart from C2PA and properties of the coding.
    """
    return _FAMILIES[fmt].carry_over(source, coded)


def coded_digest(data: bytes | BinaryIO, fmt: AnyFormat) -> bytes:
    """Return SHA-256 over everything in the file that makes pictures or sound, and no metadata.

    Equal before and after writing labels and C2PA signing. In JPEG it covers the first picture, not
    previews or gain maps behind it.
    """
    if isinstance(fmt, Format):
        return _FAMILIES[fmt].coded_digest(whole(data))
    return timed.coded_digest(data, fmt)


def has_c2pa(data: bytes | BinaryIO, fmt: AnyFormat) -> bool:
    """Tell whether a C2PA store is embedded; nothing about it is checked."""
    if isinstance(fmt, Format):
        return _FAMILIES[fmt].has_c2pa(whole(data))
    return timed.read_tags(data, fmt).c2pa
