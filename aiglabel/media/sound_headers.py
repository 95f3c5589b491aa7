"""What the headers of compressed sound say: rate, channels, length, bit rate, and coder delay.

FLAC: RFC 9639, 8.2. MP3: ISO/IEC 11172-3, 2.4.2.3, with the Xing and LAME fields of the first
frame (gabriel.mp3-tech.org/mp3infotag.html). Ogg: RFC 3533; Vorbis I, 4.2.2; Opus in Ogg, RFC 7845.
MP4: ISO/IEC 14496-12, edit list 8.6.6, and Apple's iTunSMPB text.
"""

from __future__ import annotations

import os
import re
import struct
from dataclasses import replace
from typing import BinaryIO

from aiglabel.containers import id3, mp3, mp4_tracks
from aiglabel.containers.isobmff import Box, boxes, media_tables, movie
from aiglabel.containers.ogg import FLAC, MOST_HEADER, Page
from aiglabel.containers.sniff import SoundFormat
from aiglabel.containers.tags import read_at
from aiglabel.errors import CorruptMedia, UnsupportedFormat
from aiglabel.media.sound_coding import Codec, Coding, usual_layout

_MP3_DECODER_DELAY = 529  # 528 samples of the filter bank and one of the decoder
# ES_Descriptor, and in it DecoderConfigDescriptor: object type, …, mean bit rate. Lengths take one
# to four bytes (ISO/IEC 14496-1, 7.2.6).
_ESDS = re.compile(
    rb"esds.{4}\x03[\x80-\xff]{0,3}[\x00-\x7f].{3}\x04[\x80-\xff]{0,3}[\x00-\x7f](.).{8}(.{4})",
    re.DOTALL,
)
_MAX_HEADER_PAGES = 1000
_OPUS_RATE = 48_000


def read_flac(file: BinaryIO) -> Coding:
    """Read STREAMINFO."""
    start = id3.after(file)
    file.seek(start + 4)
    body = file.read(4 + 34)
    if len(body) < 38 or body[0] & 0x7F != 0:
        raise CorruptMedia("the FLAC file does not begin with STREAMINFO")
    return _flac_info(body[4:], SoundFormat.FLAC)


def _flac_info(body: bytes, container: SoundFormat) -> Coding:
    packed = int.from_bytes(body[10:18], "big")
    channels = (packed >> 41 & 7) + 1
    return Coding(
        container,
        "flac",
        rate=packed >> 44,
        channels=channels,
        layout=usual_layout(channels),
        bits=(packed >> 36 & 31) + 1,
        samples=(packed & (1 << 36) - 1) or None,
    )


def read_mp3(file: BinaryIO) -> Coding:
    """Read the first frame's header and, where it is one, its Xing and LAME fields."""
    start = mp3.first_frame(file, id3.after(file))
    if start is None:
        raise CorruptMedia("the MP3 file has no frame")
    end = file.seek(0, os.SEEK_END)
    frame = read_at(file, start, mp3.frame_size(read_at(file, start, 4)))
    bitrate, rate, first = mp3.frame_rates(frame[:4])
    mono = frame[3] >> 6 == 3
    coding = Coding(
        SoundFormat.MP3,
        "mp3",
        rate,
        1 if mono else 2,
        "mono" if mono else "stereo",
        bitrate=bitrate,
    )
    side = (17 if mono else 32) if first else (9 if mono else 17)
    at = 4 + side
    tag = frame[at : at + 4]
    if tag not in (b"Xing", b"Info") or len(frame) < at + 8:
        return coding
    flags = int.from_bytes(frame[at + 4 : at + 8], "big")
    coding = replace(coding, variable=tag == b"Xing")
    second = read_at(file, start + len(frame), 4)
    if tag == b"Info" and mp3.frame_size(second):
        # The frame with these fields holds no sound and may be of another size than the rest.
        coding = replace(coding, bitrate=mp3.frame_rates(second)[0])
    if not flags & 1:
        return coding
    frames = int.from_bytes(frame[at + 8 : at + 12], "big")
    played = frames * (1152 if first else 576)
    if frames and coding.variable:
        mean = (end - start) * 8 * rate // played
        coding = replace(coding, bitrate=max(8000, min(mean, 320_000)))
    at += 8 + 4 + 4 * (flags >> 1 & 1) + 100 * (flags >> 2 & 1) + 4 * (flags >> 3 & 1)
    gaps = int.from_bytes(frame[at + 21 : at + 24], "big")
    if frame[at : at + 4] not in (b"LAME", b"Lavf", b"Lavc"):
        # ffmpeg reads the delay of these writers only, and so only those are ours to count on.
        return replace(coding, samples=played or None)
    delay = (gaps >> 12) + _MP3_DECODER_DELAY
    padding = (gaps & 0xFFF) - _MP3_DECODER_DELAY
    samples = played - delay - max(0, padding)
    return replace(coding, delay=delay, padding=max(0, padding), samples=max(0, samples) or None)


def read_ogg(file: BinaryIO) -> Coding:
    """Read the first packet of the first stream, and the time stamp of its last page."""
    head = read_at(file, 0, MOST_HEADER + 512)
    page = Page.at(0, head)
    if page is None:
        raise CorruptMedia("the Ogg file does not begin with a page")
    packet = head[page.body :]
    try:
        coding, skip = _ogg_codec(packet)
    except (struct.error, IndexError) as exc:
        raise CorruptMedia("the first packet of the Ogg file is too short") from exc
    last = _last_granule(file, page.serial)
    samples = None if last is None or last < skip else last - skip
    # RFC 7845, 4.6: the stream may be cut out of a longer one; then the length is not known here.
    sounds = _first_sound_page(file)
    size = file.seek(0, os.SEEK_END) - (sounds.start if sounds else 0)
    if coding.bitrate is None and not coding.lossless and samples:
        coding = replace(coding, bitrate=max(6000, size * 8 * coding.rate // samples))
    return replace(coding, samples=samples, delay=skip or None)


def single_page(file: BinaryIO) -> bool:
    """Whether all sound of an Ogg file is in one page, which is then both first and last."""
    page = _first_sound_page(file)
    # Another stream may follow (chained Ogg).
    return page is not None and page.ends and page.end >= file.seek(0, os.SEEK_END)


def _first_sound_page(file: BinaryIO) -> Page | None:
    """Return the first page with a time stamp; headers have none (0)."""
    at = 0
    for _ in range(_MAX_HEADER_PAGES):
        page = Page.at(at, read_at(file, at, MOST_HEADER))
        if page is None or page.granule > 0:
            return page
        at = page.end
    return None


def _ogg_codec(packet: bytes) -> tuple[Coding, int]:
    if packet.startswith(b"OpusHead"):
        channels, skip = struct.unpack_from("<BH", packet, 9)
        layout = usual_layout(channels) if packet[18] <= 1 else None
        return Coding(SoundFormat.OPUS, "opus", _OPUS_RATE, channels, layout), skip
    if packet.startswith(b"\x01vorbis"):
        channels, rate, most, nominal, _ = struct.unpack_from("<BIiii", packet, 11)
        bitrate = nominal if nominal > 0 else most if most > 0 else None
        layout = usual_layout(channels)
        return Coding(SoundFormat.OGG, "vorbis", rate, channels, layout, bitrate=bitrate), 0
    if packet.startswith(FLAC) and len(packet) >= 17 + 34:
        return _flac_info(packet[17:], SoundFormat.OGG), 0
    raise UnsupportedFormat("an Ogg file whose first stream is not Vorbis, Opus or FLAC")


def _last_granule(file: BinaryIO, serial: bytes) -> int | None:
    """Return the time stamp of the last page, None where that is of another stream (chained)."""
    end = file.seek(0, os.SEEK_END)
    tail = read_at(file, max(0, end - (1 << 17)), 1 << 17)
    at = tail.rfind(b"OggS")
    while at >= 0:
        granule = int.from_bytes(tail[at + 6 : at + 14], "little", signed=True)
        if len(tail) >= at + 27 and tail[at + 4] == 0:
            if tail[at + 14 : at + 18] != serial:
                return None
            if granule >= 0:
                return granule
        at = tail.rfind(b"OggS", 0, at)
    return None


# ---------------------------------------------------------------------- MP4


def read_m4a(file: BinaryIO) -> Coding:
    """Read the one sound track of ``moov``; channels and codec are for the decoder to confirm.

    Raises
    ------
    UnsupportedFormat
        The file has no sound, or sound that is not AAC or ALAC.
    CorruptMedia
        The boxes lie.
    """
    moov = mp4_tracks.movie_of(file)
    track = next((track for track, kind, _ in mp4_tracks.kinds(moov) if kind == b"soun"), None)
    if track is None:
        raise UnsupportedFormat("the MP4 file has no sound track")
    return _track(moov, track)


def _track(moov: bytes, track: Box) -> Coding:
    tables = {box.kind: box for box in media_tables(moov, track)}
    if b"stsd" not in tables or b"mdhd" not in tables:
        raise CorruptMedia("the sound track does not say how it is coded")
    codec, channels, bits, rate, bitrate = _sample_entry(moov, tables[b"stsd"])
    scale, length = _times(moov, tables[b"mdhd"])
    delay, samples = _edit(moov, tables.get(b"edts"), scale, length)
    exact = _gapless_text(moov)
    if exact:
        delay, samples = exact[0], exact[2]
        length = sum(exact)
    padding = length - delay - samples
    coding = Coding(
        SoundFormat.M4A, codec, rate or scale, channels, usual_layout(channels),
        bits=bits if codec == "alac" else None, bitrate=bitrate,
    )  # fmt: skip
    if (
        scale != coding.rate or samples <= 0
    ):  # SBR doubles the rate: leave the length to the decoder
        return coding
    return replace(coding, samples=samples, delay=delay, padding=max(0, padding))


def _sample_entry(moov: bytes, box: Box) -> tuple[Codec, int, int, int, int | None]:
    """Return codec, channels, bits, rate and bit rate of the first sample entry."""
    entry = moov[box.body + 8 : box.end]
    if len(entry) < 36:
        raise CorruptMedia("the sample entry of the sound track is too short")
    kind = entry[4:8]
    channels, bits = struct.unpack_from(">HH", entry, 24)
    rate = int.from_bytes(entry[32:34], "big")
    if kind == b"alac":
        at = entry.find(b"alac", 36)
        if at < 0 or len(entry) < at + 8 + 24:
            raise CorruptMedia("the ALAC description of the sound track is missing")
        cookie = entry[at + 8 :]
        return "alac", cookie[9], cookie[5], int.from_bytes(cookie[20:24], "big"), None
    if kind != b"mp4a":
        name = kind.decode("latin-1")
        raise UnsupportedFormat(f"the sound track is coded as {name!r}", remedy="Use AAC or ALAC")
    mean = None
    match = _ESDS.search(entry, 36)
    if match:
        if match[1] not in b"\x40\x66\x67\x68":
            raise UnsupportedFormat(
                f"the sound track is of MPEG-4 object type {match[1].hex()}, not AAC",
                remedy="Convert it to M4A with AAC, or to MP3",
            )
        mean = int.from_bytes(match[2], "big") or None
    return "aac", channels, bits, rate, mean


def _times(moov: bytes, box: Box) -> tuple[int, int]:
    """Return time scale and length of ``mdhd``."""
    try:
        if moov[box.body] == 1:
            return struct.unpack_from(">IQ", moov, box.body + 20)
        return struct.unpack_from(">II", moov, box.body + 12)
    except (struct.error, IndexError) as exc:
        raise CorruptMedia("the mdhd box of the sound track is too short") from exc


def _edit(moov: bytes, edts: Box | None, scale: int, length: int) -> tuple[int, int]:
    """Return where the first edit begins and how long it is, in samples."""
    root = movie(moov)
    whole = boxes(moov, root.body, root.end) if root else iter(())
    mvhd = next((box for box in whole if box.kind == b"mvhd"), None)
    inside = boxes(moov, edts.body, edts.end) if edts else iter(())
    elst = next((box for box in inside if box.kind == b"elst"), None)
    if mvhd is None or elst is None:
        return 0, length
    try:
        ticks, _ = _times(moov, mvhd)
        long = moov[elst.body] == 1
        if int.from_bytes(moov[elst.body + 4 : elst.body + 8], "big") != 1:
            return 0, length
        span, begin = struct.unpack_from(">Qq" if long else ">Ii", moov, elst.body + 8)
    except (struct.error, IndexError) as exc:
        raise CorruptMedia("the edit list of the sound track is too short") from exc
    if begin < 0 or not ticks:
        return 0, length
    # The edit is counted in ticks of the movie, often milliseconds; the media knows better.
    coarse = -(-scale // ticks)
    edited, rest = span * scale // ticks, length - begin
    return begin, rest if abs(edited - rest) <= coarse else min(edited, rest)


def _gapless_text(moov: bytes) -> tuple[int, int, int] | None:
    """Return delay, padding and length of Apple's iTunSMPB, if there is one."""
    at = moov.find(b"iTunSMPB")
    found = re.search(
        rb" [0-9A-F]{8} ([0-9A-F]{8}) ([0-9A-F]{8}) ([0-9A-F]{16})", moov[at : at + 400]
    )
    if at < 0 or not found:
        return None
    delay, padding, samples = (int(group, 16) for group in found.groups())
    return delay, padding, samples
