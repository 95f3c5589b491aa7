"""What a file is, told from its first bytes. File names and declared types are never trusted."""

from __future__ import annotations

from enum import StrEnum
from typing import NoReturn

from aiglabel.containers import id3, m4a
from aiglabel.errors import MediaError, UnsupportedFormat

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


class SoundFormat(StrEnum):
    """Sound formats whose labels are read and written.

    Beside `Format`, not in it: whoever asks for a picture goes on refusing sound.
    """

    WAV = "wav"
    FLAC = "flac"
    MP3 = "mp3"
    OGG = "ogg"  # Vorbis
    OPUS = "opus"
    M4A = "m4a"

    @property
    def mime(self) -> str:
        """Media type, as C2PA and HTTP want it."""
        names = {"mp3": "mpeg", "opus": "ogg", "m4a": "mp4"}
        return f"audio/{names.get(self.value, self.value)}"

    @property
    def suffix(self) -> str:
        """Usual file name suffix, with its dot."""
        return f".{self.value}"


SOUND_SUFFIXES = {
    ".wav": SoundFormat.WAV, ".wave": SoundFormat.WAV, ".bwf": SoundFormat.WAV,
    ".rf64": SoundFormat.WAV, ".flac": SoundFormat.FLAC, ".mp3": SoundFormat.MP3,
    ".ogg": SoundFormat.OGG, ".oga": SoundFormat.OGG, ".opus": SoundFormat.OPUS,
    ".m4a": SoundFormat.M4A, ".m4b": SoundFormat.M4A,
}  # fmt: skip

_HEIC_BRANDS = {b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1", b"mif2"}
_AVIF_BRANDS = {b"avif", b"avis"}
_M4A_BRANDS = {b"M4A ", b"M4B ", b"M4P "}
_STILLS = {b"jpeg", b"mjpa", b"mjpb", b"png "}
_MOST_PADDING = 1 << 16
_PICTURES = "JPEG, PNG, WebP, GIF, TIFF, AVIF or HEIC"
_SOUNDS = "WAV, FLAC, MP3, M4A, Ogg Vorbis or Opus"
# What is often tried, and by whoever asks for the other family.
_KNOWN = {
    b"\xff\xd8\xff": "JPEG", b"\x89PNG": "PNG", b"GIF8": "GIF", b"II*\0": "TIFF", b"MM\0*": "TIFF",
    b"II+\0": "BigTIFF", b"MM\0+": "BigTIFF", b"BM": "BMP", b"8BPS": "PSD", b"<svg": "SVG",
    b"\0\0\0\x0cJXL ": "JPEG XL", b"\xff\x0a": "JPEG XL", b"fLaC": "FLAC", b"ID3": "MP3",
    b"OggS": "Ogg", b"RIFF": "RIFF audio or video", b"RIFX": "a big-endian WAV",
    b"riff": "Wave64", b"FORM": "AIFF", b"#!AMR": "AMR", b"MThd": "MIDI", b"MAC ": "APE",
    b"wvpk": "WavPack", b"caff": "CAF", b".snd": "AU", b"\x30\x26\xb2\x75": "WMA",
    b"\x0b\x77": "AC-3", b"\xff\xf1": "raw AAC", b"\xff\xf9": "raw AAC",
    b"\x1a\x45\xdf\xa3": "Matroska or WebM", b"FLV": "FLV", b"%PDF": "PDF", b"PK\3\4": "ZIP",
    b"<?xml": "XML", b"#EXTM3U": "a playlist",
}  # fmt: skip
_KBPS_1 = (32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320)  # MPEG-1 layer III
_KBPS_2 = (8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160)  # MPEG-2 and 2.5


def sniff(data: bytes) -> Format:
    """Return the picture format of `data` (at least its first `HEAD_BYTES`).

    Raises
    ------
    UnsupportedFormat
        For anything else, saying what it looks like where that is known.
    """
    return _picture(data) or _refuse(data, "a picture format", _PICTURES)


def sniff_sound(data: bytes) -> SoundFormat:
    """Return the sound format of `data`.

    The first `HEAD_BYTES` are enough, but for MP3 and FLAC behind a longer ID3 tag, which is taken
    for that of an MP3, and for MP4, where only the tracks tell sound from video: without ``moov``
    the brand of an M4A is believed.

    Raises
    ------
    UnsupportedFormat
        For anything else, saying what it looks like and what to do, where that is known.
    """
    return _sound(data) or _refuse(data, "a sound format", _SOUNDS)


def sniff_media(data: bytes) -> Format | SoundFormat:
    """Return the format of a picture or a sound; as much of `data` is needed as by `sniff_sound`.

    Raises
    ------
    UnsupportedFormat
        For anything else. Raw AAC, films and Ogg of other codecs are refused as by `sniff_sound`.
    """
    found = _picture(data) or _sound(data)
    return found or _refuse(
        data, "a picture or sound format", f"{_PICTURES} for pictures, {_SOUNDS} for sound"
    )


def _refuse(data: bytes, wanted: str, formats: str) -> NoReturn:
    raise UnsupportedFormat(
        f"not {wanted} this toolkit reads ({_guess(bytes(data[:HEAD_BYTES]))})",
        remedy=f"Use {formats}",
    )


def _picture(data: bytes) -> Format | None:
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
    return None


def _sound(data: bytes) -> SoundFormat | None:
    head = bytes(data[:HEAD_BYTES])
    if head[:4] in (b"RIFF", b"RF64", b"BW64") and head[8:12] == b"WAVE":
        return SoundFormat.WAV
    if head.startswith(b"OggS"):
        return _sniff_ogg(head)
    if head[4:8] == b"ftyp":
        return _sniff_mp4(data, head)
    at = 0
    for _ in range(4):
        at += id3.size_at(data, at)
    if data[at : at + 4] == b"fLaC":
        return SoundFormat.FLAC
    if _is_adts(data, at):
        raise UnsupportedFormat(
            "raw AAC (ADTS) has no place for metadata",
            remedy="Put it into an M4A without coding it again: ffmpeg -i in.aac -c copy out.m4a",
        )
    return SoundFormat.MP3 if _is_mp3(data, at) or (at and at >= len(data)) else None


def _sniff_ogg(head: bytes) -> SoundFormat:
    packet = head[27 + int.from_bytes(head[26:27], "big") :]  # behind the lacing values
    kinds = {b"\x01vorbis": SoundFormat.OGG, b"OpusHead": SoundFormat.OPUS}
    for magic, fmt in kinds.items():
        if packet.startswith(magic):
            return fmt
    raise UnsupportedFormat(
        "an Ogg file whose first stream is neither Vorbis nor Opus",
        remedy="Convert it to one of them, or to FLAC",
    )


def _sniff_mp4(data: bytes, head: bytes) -> SoundFormat:
    try:
        kinds = list(m4a.kinds(data))
    except MediaError:  # a head only, or a broken file, which its reader will describe
        kinds = []
    # An audio book may have a track of still pictures, its chapters.
    video = any(kind == b"vide" and codec not in _STILLS for kind, codec in kinds)
    sound = any(kind == b"soun" for kind, _ in kinds)
    if not video and (sound or (not kinds and head[8:12] in _M4A_BRANDS)):
        return SoundFormat.M4A
    what = "video" if video else "no sound that can be seen"
    raise UnsupportedFormat(
        f"an MP4 or QuickTime file with {what}", remedy="Use WAV, FLAC, MP3, M4A, Ogg or Opus"
    )


def _is_mp3(data: bytes, at: int) -> bool:
    """Whether MPEG layer III frames follow one another at `at`, as far as `data` goes.

    Behind an ID3 tag one is enough.
    """
    frames = 1 if at else 3
    padding = data[at : at + _MOST_PADDING]
    at += len(padding) - len(padding.lstrip(b"\0"))  # some writers leave it outside the tag
    first = data[at : at + 4]
    for number in range(frames):
        head = data[at : at + 4]
        size = _layer3_size(head)
        if not size or (head[1] ^ first[1]) & 0xFE or (head[2] ^ first[2]) & 0x0C:
            return False
        at += size
        if at + 4 > len(data):
            return number > 0 or at <= len(data)
    return True


def _layer3_size(head: bytes) -> int:
    """Return the bytes of the MPEG layer III frame with this header; 0 if it is none."""
    if len(head) < 4 or head[0] != 0xFF or head[1] & 0xE6 != 0xE2:
        return 0
    version, rate, bits = head[1] >> 3 & 3, head[2] >> 2 & 3, head[2] >> 4
    if version == 1 or rate == 3 or bits in (0, 15):
        return 0
    hz = (44100, 48000, 32000)[rate] >> {3: 0, 2: 1, 0: 2}[version]
    kbps = (_KBPS_1 if version == 3 else _KBPS_2)[bits - 1]
    return (144 if version == 3 else 72) * kbps * 1000 // hz + (head[2] >> 1 & 1)


def _is_adts(data: bytes, at: int) -> bool:
    head = data[at : at + 7]
    if len(head) < 7 or head[0] != 0xFF or head[1] & 0xF6 != 0xF0 or head[2] >> 2 & 15 > 12:
        return False
    size = (head[3] & 3) << 11 | head[4] << 3 | head[5] >> 5
    following = data[at + size : at + size + 2]
    return size >= 7 and (len(following) < 2 or following == head[:2])


def _guess(head: bytes) -> str:
    if not head:
        return "the file is empty"
    for magic, name in _KNOWN.items():
        if head.startswith(magic):
            return f"it looks like {name}"
    if head[4:8] == b"ftyp":
        return "it looks like MP4 or QuickTime"
    return "unknown first bytes"
