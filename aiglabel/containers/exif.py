"""EXIF blocks and what they share with TIFF files: image file directories (TIFF 6.0, CIPA DC-008).

Offsets count from the first byte of the block, which for TIFF is the file itself.
"""

from __future__ import annotations

from dataclasses import dataclass

from aiglabel.containers.bounds import Order, take, uint
from aiglabel.containers.texts import TextField, decode
from aiglabel.errors import CorruptMedia

PREFIX = b"Exif\0\0"  # before the block in JPEG APP1, and by mistake elsewhere
TYPE_SIZES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4}
IMAGE_DESCRIPTION, EXIF_IFD, GPS_IFD, INTEROP_IFD, USER_COMMENT = 270, 34665, 34853, 40965, 37510
_THUMBNAIL_AT, _THUMBNAIL_LENGTH = 513, 514
_WHAT = "an EXIF or TIFF directory"


@dataclass(frozen=True)
class Entry:
    """One directory entry: tag, field type, count, and the offset of its four value bytes."""

    tag: int
    kind: int
    count: int
    at: int

    def span(self, block: bytes, order: Order) -> tuple[int, int]:
        """Return (start, end) of the value, inline or elsewhere in the block."""
        size = TYPE_SIZES.get(self.kind, 0) * self.count
        start = self.at if size <= 4 else uint(block, self.at, 4, _WHAT, order)
        return start, start + size

    def value(self, block: bytes, order: Order) -> bytes:
        """Return the bytes of the value, in the block's byte order."""
        start, end = self.span(block, order)
        return take(block, start, end - start, f"the value of tag {self.tag}")

    def numbers(self, block: bytes, order: Order) -> list[int]:
        """Return the value as unsigned integers (BYTE, SHORT, LONG or IFD)."""
        size = {1: 1, 3: 2, 4: 4, 13: 4}.get(self.kind)
        if size is None:
            raise CorruptMedia(f"tag {self.tag} is not an integer field")
        raw = self.value(block, order)
        return [int.from_bytes(raw[i : i + size], order) for i in range(0, len(raw), size)]


@dataclass(frozen=True)
class Directory:
    """One image file directory: its entries and the offset of the next one's pointer."""

    entries: list[Entry]
    link_at: int

    def find(self, tag: int) -> Entry | None:
        """Return the first entry of `tag`, if there is one."""
        return next((entry for entry in self.entries if entry.tag == tag), None)


def byte_order(block: bytes) -> Order:
    """Return the byte order of a block, from its header."""
    order: Order = "little" if block[:2] == b"II" else "big"
    if block[:2] not in (b"II", b"MM") or uint(block, 2, 2, _WHAT, order) != 42:
        raise CorruptMedia("an EXIF or TIFF header is broken")
    return order


def directory(block: bytes, at: int, order: Order) -> Directory:
    """Read the directory at offset `at`."""
    count = uint(block, at, 2, _WHAT, order)
    take(block, at, 2 + 12 * count, _WHAT)

    def field(entry: int, offset: int, size: int) -> int:
        return uint(block, entry + offset, size, _WHAT, order)

    starts = range(at + 2, at + 2 + 12 * count, 12)
    entries = [Entry(field(i, 0, 2), field(i, 2, 2), field(i, 4, 4), i + 8) for i in starts]
    return Directory(entries, at + 2 + 12 * count)


def first_directory(block: bytes) -> tuple[Directory, Order]:
    """Return IFD0 and the byte order."""
    order = byte_order(block)
    return directory(block, uint(block, 4, 4, _WHAT, order), order), order


def read_texts(block: bytes) -> list[TextField]:
    """Return ImageDescription and UserComment.

    EXIF broken by careless editors is common and no reason to refuse a picture: what cannot be
    reached is left out.
    """
    block = block.removeprefix(PREFIX)
    found = []
    try:
        ifd, order = first_directory(block)
        if description := ifd.find(IMAGE_DESCRIPTION):
            text = decode(description.value(block, order))
            found.append(TextField("EXIF ImageDescription", "ImageDescription", text))
        if pointer := ifd.find(EXIF_IFD):
            exif = directory(block, uint(block, pointer.at, 4, _WHAT, order), order)
            if comment := exif.find(USER_COMMENT):
                text = _comment(comment.value(block, order), order)
                found.append(TextField("EXIF UserComment", "UserComment", text))
    except CorruptMedia:
        pass
    return [field for field in found if field.text.strip()]


def without_thumbnail(block: bytes) -> bytes:
    """Return the block without IFD1, whose thumbnail would show the picture before marking.

    Nothing moves, because maker notes hold offsets of their own: the link to IFD1 and the
    thumbnail's bytes become zero. A block that cannot be parsed comes back as it is.
    """
    prefix = PREFIX if block.startswith(PREFIX) else b""
    out = bytearray(block[len(prefix) :])
    block = bytes(out)
    try:
        ifd, order = first_directory(block)
        second = uint(block, ifd.link_at, 4, _WHAT, order)
        if not second:
            return prefix + block
        out[ifd.link_at : ifd.link_at + 4] = bytes(4)
        thumbnail = directory(block, second, order)
        where, length = thumbnail.find(_THUMBNAIL_AT), thumbnail.find(_THUMBNAIL_LENGTH)
        if where and length:
            start = where.numbers(block, order)[0]
            end = min(start + length.numbers(block, order)[0], len(block))
            if block[start : start + 2] == b"\xff\xd8":
                out[start:end] = bytes(end - start)
    except (CorruptMedia, IndexError):
        pass
    return prefix + bytes(out)


def _comment(raw: bytes, order: Order) -> str:
    """Decode a UserComment by its eight-byte character code (CIPA DC-008, 4.6.5)."""
    code, text = raw[:8], raw[8:]
    if code == b"UNICODE\0":
        if text[:2] in (b"\xff\xfe", b"\xfe\xff"):
            encoding = "utf-16"
        elif b"\0" in (text[:1], text[1:2]):  # Latin text tells the true order; writers ignore it
            encoding = "utf-16-be" if text[:1] == b"\0" else "utf-16-le"
        else:
            encoding = "utf-16-be" if order == "big" else "utf-16-le"
        return text.decode(encoding, "replace").rstrip("\0")
    if code == b"JIS\0\0\0\0\0":
        return text.decode("iso2022_jp", "replace").rstrip("\0")
    return decode(text if code in (b"ASCII\0\0\0", bytes(8)) else raw)
