"""What a file is, told from its first bytes. File names and declared types are never trusted."""

from __future__ import annotations

from enum import StrEnum

from aiglabel.errors import UnsupportedFormat

HEAD_BYTES = 4096  # enough for every rule below


class Format(StrEnum):
    """Picture formats the toolkit reads and writes."""

    JPEG = "jpeg"
    PNG = "png"
    WEBP = "webp"
    GIF = "gif"
    TIFF = "tiff"
    AVIF = "avif"
    HEIC = "heic"

    @property
    def mime(self) -> str:
        """Media type, as C2PA and HTTP want it."""
        return f"image/{self.value}"

    @property
    def suffix(self) -> str:
        """Usual file name suffix, with its dot."""
        return {"jpeg": ".jpg", "tiff": ".tif"}.get(self.value, f".{self.value}")


SUFFIXES = {
    ".jpg": Format.JPEG, ".jpeg": Format.JPEG, ".jpe": Format.JPEG, ".jfif": Format.JPEG,
    ".png": Format.PNG, ".apng": Format.PNG, ".webp": Format.WEBP, ".gif": Format.GIF,
    ".tif": Format.TIFF, ".tiff": Format.TIFF, ".avif": Format.AVIF, ".avifs": Format.AVIF,
    ".heic": Format.HEIC, ".heif": Format.HEIC, ".hif": Format.HEIC,
}  # fmt: skip

_HEIC_BRANDS = {b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1", b"mif2"}
_AVIF_BRANDS = {b"avif", b"avis"}


def sniff(data: bytes) -> Format:
    """Return the format of `data` (at least its first `HEAD_BYTES`).

    Raises
    ------
    UnsupportedFormat
        For anything else, saying what it looks like where that is known.
    """
    head = bytes(data[:HEAD_BYTES])
    if head.startswith(b"\xff\xd8\xff"):
        return Format.JPEG
    if head.startswith(b"\x89PNG\r\n\x1a\n"):
        return Format.PNG
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return Format.WEBP
    if head.startswith((b"GIF87a", b"GIF89a")):
        return Format.GIF
    if head.startswith((b"II*\0", b"MM\0*")):
        return Format.TIFF
    if head[4:8] == b"ftyp":
        size = max(16, min(int.from_bytes(head[:4], "big"), len(head)))
        brands = {head[8:12]} | {head[i : i + 4] for i in range(16, size - 3, 4)}
        # An AVIF file may also list the structural brand mif1, so AVIF is asked first.
        if brands & _AVIF_BRANDS:
            return Format.AVIF
        if brands & _HEIC_BRANDS:
            return Format.HEIC
    raise UnsupportedFormat(
        f"not a picture format this toolkit reads ({_guess(head)})",
        remedy="Use JPEG, PNG, WebP, GIF, TIFF, AVIF or HEIC",
    )


def _guess(head: bytes) -> str:
    if not head:
        return "the file is empty"
    known = {
        b"%PDF": "it looks like PDF", b"BM": "it looks like BMP", b"fLaC": "it looks like FLAC",
        b"ID3": "it looks like MP3", b"OggS": "it looks like Ogg", b"PK\3\4": "it looks like ZIP",
        b"\x1a\x45\xdf\xa3": "it looks like Matroska or WebM", b"FLV": "it looks like FLV",
        b"<svg": "it looks like SVG", b"<?xml": "it looks like XML", b"8BPS": "it looks like PSD",
        b"RIFF": "it looks like RIFF audio or video", b"II+\0": "it looks like BigTIFF",
        b"MM\0+": "it looks like BigTIFF", b"\0\0\0\x0cJXL ": "it looks like JPEG XL",
        b"\xff\x0a": "it looks like JPEG XL", b"#EXTM3U": "it looks like a playlist",
    }  # fmt: skip
    for magic, name in known.items():
        if head.startswith(magic):
            return name
    if head[4:8] == b"ftyp":
        return "it looks like MP4 or QuickTime"
    return "unknown first bytes"
