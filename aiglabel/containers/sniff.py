"""What a file is, told from its first bytes. File names and declared types are never trusted."""

from __future__ import annotations

from enum import StrEnum
from typing import BinaryIO, NoReturn

from aiglabel.containers import id3, matroska, mp3, mp4_tracks, ogg
from aiglabel.containers.pieces import opened
from aiglabel.containers.tags import read_at
from aiglabel.errors import MediaError, ResourceLimit, UnsupportedFormat

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
    OGG = "ogg"  # Vorbis or FLAC
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


class VideoFormat(StrEnum):
    """Video formats whose labels are read and written.

    Beside the others: whoever asks for a picture or a sound goes on refusing films.
    """

    MP4 = "mp4"  # and M4V
    MOV = "mov"
    MKV = "mkv"
    WEBM = "webm"
    AVI = "avi"
    FLV = "flv"

    @property
    def mime(self) -> str:
        """Media type, as C2PA and HTTP want it."""
        names = {"mov": "quicktime", "mkv": "x-matroska", "avi": "x-msvideo", "flv": "x-flv"}
        return f"video/{names.get(self.value, self.value)}"

    @property
    def suffix(self) -> str:
        """Usual file name suffix, with its dot."""
        return f".{self.value}"


AnyFormat = Format | SoundFormat | VideoFormat

SOUND_SUFFIXES = {
    ".wav": SoundFormat.WAV, ".wave": SoundFormat.WAV, ".bwf": SoundFormat.WAV,
    ".rf64": SoundFormat.WAV, ".flac": SoundFormat.FLAC, ".mp3": SoundFormat.MP3,
    ".ogg": SoundFormat.OGG, ".oga": SoundFormat.OGG, ".opus": SoundFormat.OPUS,
    ".m4a": SoundFormat.M4A, ".m4b": SoundFormat.M4A,
}  # fmt: skip

VIDEO_SUFFIXES = {
    ".mp4": VideoFormat.MP4, ".m4v": VideoFormat.MP4, ".mov": VideoFormat.MOV,
    ".qt": VideoFormat.MOV, ".mkv": VideoFormat.MKV, ".webm": VideoFormat.WEBM,
    ".avi": VideoFormat.AVI, ".flv": VideoFormat.FLV,
}  # fmt: skip

MEDIA_SUFFIXES: dict[str, AnyFormat] = {**SUFFIXES, **SOUND_SUFFIXES, **VIDEO_SUFFIXES}

_HEIC_BRANDS = {b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1", b"mif2"}
_AVIF_BRANDS = {b"avif", b"avis"}
_M4A_BRANDS = {b"M4A ", b"M4B ", b"M4P "}
_STILLS = {b"jpeg", b"mjpa", b"mjpb", b"png "}
_PICTURES = "JPEG, PNG, WebP, GIF, TIFF, AVIF or HEIC"
_SOUNDS = "WAV, FLAC, MP3, M4A, Ogg Vorbis or Opus"
_FILMS = "MP4, MOV, MKV, WebM, AVI or FLV"
_MP4 = "MP4 or QuickTime"
_UNSEEN = "whose tracks cannot be seen"
# What a QuickTime file without ``ftyp``, as all were before 2005, begins with.
_QUICKTIME = {b"moov", b"mdat", b"wide", b"free", b"skip", b"pnot"}
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


def sniff(data: bytes) -> Format:
    """Return the picture format of `data` (at least its first `HEAD_BYTES`).

    Raises
    ------
    UnsupportedFormat
        For anything else, saying what it looks like where that is known.
    """
    head = bytes(data[:HEAD_BYTES])
    return _picture(head) or _refuse(opened(data), "a picture format", _PICTURES)


def sniff_sound(data: bytes | BinaryIO) -> SoundFormat:
    """Return the sound format of `data`.

    Of bytes the first `HEAD_BYTES` are enough, but for MP3 and FLAC behind a longer ID3 tag, which
    is taken for that of an MP3, and for MP4, where only the tracks tell sound from video: without
    ``moov`` the brand of an M4A is believed.

    Parameters
    ----------
    data : bytes or open binary file
        A file is read in places, whatever its length, and its position is moved.

    Raises
    ------
    UnsupportedFormat
        For anything else, saying what it looks like and what to do, where that is known.
    """
    file = opened(data)
    return _sound(file) or _refuse(file, "a sound format", _SOUNDS)


def sniff_video(data: bytes | BinaryIO) -> VideoFormat:
    """Return the video format of `data`.

    Only the tracks tell a film from sound: of an MP4 they must be at hand, so bytes have to hold
    all of ``moov``; of Matroska they stand in front, and are believed to be there if they cannot be
    seen.

    Parameters
    ----------
    data : bytes or open binary file
        A file is read in places, whatever its length, and its position is moved.

    Raises
    ------
    UnsupportedFormat
        For anything else, saying what it looks like, where that is known.
    """
    file = opened(data)
    return _film(file) or _refuse(file, "a video format", _FILMS)


def sniff_media(data: bytes | BinaryIO) -> AnyFormat:
    """Return the format of a picture, a sound or a film.

    As much of `data` is needed as by `sniff_sound` and `sniff_video`; only whole files tell all.

    Raises
    ------
    UnsupportedFormat
        For anything else, as by the others: MP4 and Matroska without a track of either kind, raw
        AAC, Ogg of other codecs.
    """
    file = opened(data)
    found = _picture(read_at(file, 0, HEAD_BYTES)) or _film(file) or _sound(file)
    return found or _refuse(
        file,
        "a picture, sound or video format",
        f"{_PICTURES} for pictures, {_SOUNDS} for sound, {_FILMS} for video",
    )


def _refuse(file: BinaryIO, wanted: str, formats: str) -> NoReturn:
    head = read_at(file, 0, HEAD_BYTES)
    name, remedy = _name(head), f"Use {formats}"
    if name == _MP4:
        told = _tracks_told(file)
        name += f" {told}"
        remedy = "Get the whole file" if told.startswith(_UNSEEN) else remedy
    looks = f"it looks like {name}" if name else "unknown first bytes"
    raise UnsupportedFormat(
        f"not {wanted} this toolkit reads ({looks if head else 'the file is empty'})",
        remedy=remedy,
    )


def _name(head: bytes) -> str:
    """Return what bytes look like to whoever does not read them; empty if unknown."""
    known = next((name for magic, name in _KNOWN.items() if head.startswith(magic)), "")
    return known or (_MP4 if head[4:8] == b"ftyp" or head[4:8] in _QUICKTIME else "")


def _picture(head: bytes) -> Format | None:
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


def _sound(file: BinaryIO) -> SoundFormat | None:
    head = read_at(file, 0, HEAD_BYTES)
    if head[:4] in (b"RIFF", b"RF64", b"BW64") and head[8:12] == b"WAVE":
        return SoundFormat.WAV
    if head.startswith(b"OggS"):
        return _of_ogg(head)
    if head[4:8] == b"ftyp":
        return _of_mp4(file, head)
    try:
        start = id3.after(file)
    except ResourceLimit:
        return None
    behind = read_at(file, start, 16)
    if behind.startswith(b"fLaC"):
        return SoundFormat.FLAC
    if _is_adts(file, start):
        raise UnsupportedFormat(
            "raw AAC (ADTS) has no place for metadata",
            remedy="Put it into an M4A without coding it again: ffmpeg -i in.aac -c copy out.m4a",
        )
    if start and not behind:
        return SoundFormat.MP3
    # Frames may stand behind some junk, but not anywhere in a file of another kind.
    found = not _name(behind) and mp3.first_frame(file, start) is not None
    return SoundFormat.MP3 if found else None


def _of_ogg(head: bytes) -> SoundFormat:
    page = ogg.Page.at(0, head)
    packet = head[page.body :] if page else b""
    kinds = {
        b"\x01vorbis": SoundFormat.OGG, ogg.FLAC: SoundFormat.OGG, b"OpusHead": SoundFormat.OPUS,
    }  # fmt: skip
    for magic, fmt in kinds.items():
        if packet.startswith(magic):
            return fmt
    raise UnsupportedFormat(
        "an Ogg file whose first stream is neither Vorbis, Opus nor FLAC",
        remedy="Convert it to one of them",
    )


def _film(file: BinaryIO) -> VideoFormat | None:
    head = read_at(file, 0, HEAD_BYTES)
    if head[:4] == b"RIFF" and head[8:12] == b"AVI ":
        return VideoFormat.AVI
    if head.startswith(b"FLV\1"):
        return VideoFormat.FLV
    if head.startswith(b"\x1a\x45\xdf\xa3"):
        return _of_matroska(file)
    if (head[4:8] == b"ftyp" and not _picture(head)) or head[4:8] in _QUICKTIME:
        kinds = _tracks(file)
        handlers = {kind for kind, _ in kinds}
        if _moves(kinds) or (b"vide" in handlers and b"soun" not in handlers):
            quicktime = head[4:12] == b"ftypqt  " or head[4:8] != b"ftyp"
            return VideoFormat.MOV if quicktime else VideoFormat.MP4
    return None


def _of_matroska(file: BinaryIO) -> VideoFormat | None:
    kinds = {"matroska": VideoFormat.MKV, "webm": VideoFormat.WEBM}
    found = kinds.get(matroska.doc_type(file))
    if found and matroska.shows_video(file) is False:
        raise UnsupportedFormat(
            "a Matroska file without video", remedy="Use FLAC, Ogg or Opus for its sound"
        )
    return found


def _tracks(file: BinaryIO) -> list[tuple[bytes, bytes]]:
    """Return handler and codec of the tracks of an MP4; none if they cannot be seen."""
    try:
        return _tracks_seen(file)
    except MediaError:  # a head only, or a broken file
        return []


def _tracks_seen(file: BinaryIO) -> list[tuple[bytes, bytes]]:
    return [(kind, codec) for _, kind, codec in mp4_tracks.kinds(mp4_tracks.movie_of(file))]


def _tracks_told(file: BinaryIO) -> str:
    """Say why an MP4 is not what it was asked for as."""
    try:
        kinds = _tracks_seen(file)
    except MediaError as error:
        return f"{_UNSEEN}: {error.reason}"
    sound = any(kind == b"soun" for kind, _ in kinds)
    return "with video" if _moves(kinds) else "with sound only" if sound else "without either"


def _moves(kinds: list[tuple[bytes, bytes]]) -> bool:
    """Whether there is video. An audio book may have a track of still pictures, its chapters."""
    return any(kind == b"vide" and codec not in _STILLS for kind, codec in kinds)


def _of_mp4(file: BinaryIO, head: bytes) -> SoundFormat | None:
    kinds = _tracks(file)
    sound = any(kind == b"soun" for kind, _ in kinds) and not _moves(kinds)
    return SoundFormat.M4A if sound or (not kinds and head[8:12] in _M4A_BRANDS) else None


def _is_adts(file: BinaryIO, at: int) -> bool:
    head = read_at(file, at, 7)
    if len(head) < 7 or head[0] != 0xFF or head[1] & 0xF6 != 0xF0 or head[2] >> 2 & 15 > 12:
        return False
    size = (head[3] & 3) << 11 | head[4] << 3 | head[5] >> 5
    following = read_at(file, at + size, 2)
    return size >= 7 and (len(following) < 2 or following == head[:2])
