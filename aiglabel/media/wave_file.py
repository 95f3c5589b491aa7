"""WAV with PCM samples, read and written with NumPy, no other program needed.

RIFF/WAVE and WAVEFORMATEXTENSIBLE: Microsoft, Multiple Channel Audio Data and WAVE Files (2007).
RF64 and BW64, for files over 4 GB: EBU Tech 3306, ITU-R BS.2088. All numbers are little-endian.
8-bit samples are unsigned; the others are signed or floating-point.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import BinaryIO

import numpy as np

from aiglabel.containers.sniff import SoundFormat
from aiglabel.errors import CorruptMedia, MediaError, ResourceLimit, UnsupportedFormat
from aiglabel.media.limits import Limits
from aiglabel.media.quantise import Quantiser, check_finite
from aiglabel.media.sound_coding import MASKS, Coding, Samples, layout_of

_INTEGER, _FLOAT, _EXTENSIBLE = 1, 3, 0xFFFE
_OTHER_CODECS = {2: "ADPCM", 6: "A-law", 7: "mu-law", 0x11: "IMA ADPCM", 0x55: "MP3", 0xFF: "AAC"}
_GUID_TAIL = bytes.fromhex("000000001000800000aa00389b71")
_UNKNOWN = 0xFFFF_FFFF
_RIFF_MOST = 0xFFFF_FFFE
_MAX_CHUNKS = 1000
_MAX_KEPT = 256 << 20
_PIECE = 1 << 20
# Chunks that speak of the old samples: checksum, peaks and signature would be false.
_STALE = {b"PEAK", b"MD5 ", b"levl", b"C2PA"}
_OWN = {b"fmt ", b"data", b"ds64", b"fact", b"JUNK"} | _STALE


@dataclass(frozen=True)
class Chunk:
    """A chunk's name, where its body begins, and the bytes of its body."""

    name: bytes
    start: int
    size: int


@dataclass(frozen=True)
class Wave:
    """Header of a WAV file: coding, where the samples are, and the chunks around them."""

    coding: Coding
    mask: int
    data: Chunk
    before: tuple[Chunk, ...]
    after: tuple[Chunk, ...]
    notes: tuple[str, ...]

    @property
    def frame(self) -> int:
        """Bytes of one sample of every channel."""
        return self.coding.channels * (self.coding.bits or 0) // 8


# ---------------------------------------------------------------------- reading


def read_header(file: BinaryIO, limits: Limits) -> Wave:
    """Walk the chunks of an open WAV file.

    Raises
    ------
    UnsupportedFormat
        Compressed samples, or widths other than 8, 16, 24, 32 bits and 32, 64 bits floating-point.
    CorruptMedia
        No samples, or fewer than the header promises.
    ResourceLimit
        Over `limits`.
    """
    end = file.seek(0, os.SEEK_END)
    file.seek(0)
    rf64 = file.read(12)[:4] != b"RIFF"
    chunks, notes, true_size = [], [], None
    at = 12
    while at + 8 <= end:
        file.seek(at)
        name, size = struct.unpack("<4sI", file.read(8))
        if name == b"ds64" and rf64:
            body = file.read(16)
            true_size = struct.unpack("<QQ", body)[1] if len(body) == 16 else None
        if name == b"data":
            size = _data_size(size, end - at - 8, true_size if rf64 else None)
        elif at + 8 + size > end:
            notes.append(f"The last {end - at} bytes of the WAV file are no whole chunk")
            break
        chunks.append(Chunk(name, at + 8, size))
        if len(chunks) > _MAX_CHUNKS:
            raise ResourceLimit(f"the WAV file has more than {_MAX_CHUNKS} chunks")
        at += 8 + size + size % 2
    names = [chunk.name for chunk in chunks]
    if b"fmt " not in names or b"data" not in names:
        raise CorruptMedia("the WAV file has no fmt or no data chunk")
    place = names.index(b"data")
    form = chunks[names.index(b"fmt ")]
    file.seek(form.start)
    coding, mask = _format(file.read(min(form.size, 64)), rf64=rf64, limits=limits)
    data = chunks[place]
    frames = data.size // (coding.channels * (coding.bits or 0) // 8)
    limits.check_sound(coding.channels, coding.rate, frames)
    dropped = sorted({n.decode("latin-1").strip() for n in names if n in _STALE})
    if dropped:
        notes.append(f"Chunks that speak of the old samples are not kept: {', '.join(dropped)}")
    return Wave(
        coding=Coding(**{**vars(coding), "samples": frames}),
        mask=mask,
        data=data,
        before=tuple(c for c in chunks[:place] if c.name not in _OWN),
        after=tuple(c for c in chunks[place + 1 :] if c.name not in _OWN),
        notes=tuple(notes),
    )


def _data_size(stated: int, available: int, true_size: int | None) -> int:
    if true_size is not None and stated == _UNKNOWN:
        stated = true_size
    elif stated in (0, _UNKNOWN):
        # Written into a pipe: nobody went back to fill in the size.
        return available
    if stated > available:
        raise CorruptMedia(
            f"the WAV header promises {stated} bytes of sound, the file has {available}",
            remedy="Get the whole file, or convert what is there to a new file",
        )
    return stated


def _format(body: bytes, *, rf64: bool, limits: Limits) -> tuple[Coding, int]:
    if len(body) < 16:
        raise CorruptMedia("the fmt chunk of the WAV file is too short")
    tag, channels, rate, _, block, bits = struct.unpack_from("<HHIIHH", body)
    mask, extensible = 0, tag == _EXTENSIBLE
    if extensible:
        if len(body) < 40 or body[26:40] != _GUID_TAIL:
            raise UnsupportedFormat("a WAV file of an unknown kind of samples")
        mask, tag = struct.unpack_from("<IH", body, 20)
    limits.check_sound(channels, rate)
    if tag not in (_INTEGER, _FLOAT):
        raise UnsupportedFormat(
            f"the samples of the WAV file are coded as {_OTHER_CODECS.get(tag, hex(tag))}",
            remedy="Convert it to PCM WAV or FLAC first",
        )
    width = bits + -bits % 8
    if width not in ((32, 64) if tag == _FLOAT else (8, 16, 24, 32)):
        raise UnsupportedFormat(f"a WAV file of {bits} bits a sample", remedy="Use 16 or 24 bits")
    if block != channels * width // 8:
        raise CorruptMedia(f"the WAV header states {block} bytes for {channels} × {bits} bits")
    layout = layout_of(mask, channels)
    if mask.bit_count() not in (0, channels):
        mask, layout = 0, None
    coding = Coding(
        SoundFormat.WAV, "pcm", rate, channels, layout,
        bits=width, floating=tag == _FLOAT, extensible=extensible, rf64=rf64,
    )  # fmt: skip
    return coding, mask


def read_blocks(file: BinaryIO, wave: Wave, size: int) -> Iterator[Samples]:
    """Yield ``float32 (channels, size)``, the last one shorter.

    32-bit integers and 64-bit numbers are rounded to the 24 significant bits of float32.

    Raises
    ------
    CorruptMedia
        The file ends early, or holds NaN or infinity.
    """
    left = wave.coding.samples or 0
    file.seek(wave.data.start)
    while left:
        count = min(size, left)
        raw = file.read(count * wave.frame)
        if len(raw) < count * wave.frame:
            raise CorruptMedia("the WAV file became shorter while it was read")
        y = _to_float(raw, wave.coding)
        if wave.coding.floating and not np.isfinite(y).all():
            raise CorruptMedia("the WAV file holds samples that are not finite numbers")
        yield y
        left -= count


def _to_float(raw: bytes, coding: Coding) -> Samples:
    """Return interleaved samples as float32 (channels, n)."""
    bits, channels = coding.bits, coding.channels
    if coding.floating:
        with np.errstate(over="ignore"):
            y = np.frombuffer(raw, f"<f{(bits or 0) // 8}").astype(np.float32)
    elif bits == 8:
        y = (np.frombuffer(raw, np.uint8).astype(np.float32) - 128) / np.float32(128)
    elif bits == 24:
        wide = np.zeros((len(raw) // 3, 4), np.uint8)
        wide[:, 1:] = np.frombuffer(raw, np.uint8).reshape(-1, 3)
        y = wide.view("<i4")[:, 0].astype(np.float32) / np.float32(2**31)
    else:
        y = np.frombuffer(raw, f"<i{(bits or 0) // 8}").astype(np.float32)
        y /= np.float32(2 ** ((bits or 0) - 1))
    return np.ascontiguousarray(y.reshape(-1, channels).T)


# ---------------------------------------------------------------------- writing


def write(
    out: BinaryIO,
    blocks: Iterable[Samples],
    coding: Coding,
    *,
    source: tuple[BinaryIO, Wave] | None = None,
    info: bytes = b"",
) -> int:
    """Write a WAV file to `out`, a new, seekable file.

    Parameters
    ----------
    out : binary file
    blocks : iterable of float32 (channels, n)
    coding : Coding
        `rf64` asks for RF64 in any case; without it the file becomes RF64 where it grows over
        4 GB. `samples` need not be known.
    source : (binary file, Wave), optional
        File whose other chunks are kept, in place and order.
    info : bytes, optional
        Body of a LIST chunk for tags from elsewhere.

    Returns
    -------
    int
        Samples that were clipped to full scale.

    Raises
    ------
    MediaError
        A sample is not a finite number, or the kept chunks are too large.
    """
    mask = source[1].mask if source and source[1].coding.layout == coding.layout else None
    out.write(b"RIFF\0\0\0\0WAVE")
    room = (
        coding.rf64 or coding.samples is None or _sound_bytes(coding) > _RIFF_MOST - _MAX_KEPT * 2
    )
    if room:  # for the sizes of RF64: a JUNK chunk unless they are needed
        out.write(b"JUNK" + struct.pack("<I", 28) + bytes(28))
    before, after = (source[1].before, source[1].after) if source else ((), ())
    if sum(chunk.size for chunk in before + after) > _MAX_KEPT:
        raise ResourceLimit("the WAV file has more than 256 MB beside its samples")
    _write_chunk(out, b"fmt ", _format_body(coding, mask))
    fact = 0
    if coding.floating:
        fact = out.tell() + 8
        _write_chunk(out, b"fact", bytes(4))
    for chunk in before:
        _copy_chunk(out, source, chunk)
    out.write(b"data\0\0\0\0")
    start = out.tell()
    quantiser = Quantiser(coding.bits or 16)
    out.writelines(_to_bytes(y, coding, quantiser) for y in blocks)
    size = out.tell() - start
    out.write(bytes(size % 2))
    for chunk in after:
        _copy_chunk(out, source, chunk)
    if info:
        _write_chunk(out, b"LIST", info)
    _fill_sizes(out, coding, data=(start, size), fact=fact, room=room)
    return quantiser.clipped


def _sound_bytes(coding: Coding) -> int:
    return (coding.samples or 0) * coding.channels * (coding.bits or 16) // 8


def _fill_sizes(
    out: BinaryIO, coding: Coding, *, data: tuple[int, int], fact: int, room: bool
) -> None:
    start, size = data
    total = out.tell() - 8
    frames = size // (coding.channels * (coding.bits or 16) // 8)
    wide = coding.rf64 or total > _RIFF_MOST
    if wide and not room:
        raise MediaError("the WAV file became longer than was announced")
    if wide:
        out.seek(0)
        out.write(b"RF64" + struct.pack("<I", _UNKNOWN) + b"WAVEds64")
        out.write(struct.pack("<IQQQI", 28, total, size, frames, 0))
    else:
        out.seek(4)
        out.write(struct.pack("<I", total))
    out.seek(start - 4)
    out.write(struct.pack("<I", _UNKNOWN if wide else size))
    if fact:
        out.seek(fact)
        out.write(struct.pack("<I", min(frames, _UNKNOWN)))
    out.seek(0, os.SEEK_END)


def _format_body(coding: Coding, mask: int | None) -> bytes:
    bits = coding.bits or 16
    tag = _FLOAT if coding.floating else _INTEGER
    block = coding.channels * bits // 8
    most = 0xFFFF_FFFF
    rest = struct.pack(
        "<HIIHH", coding.channels, coding.rate, min(coding.rate * block, most), block, bits
    )
    # Without the extensible header nobody would know the speakers of more than two channels.
    if not coding.extensible and coding.channels <= 2:
        return struct.pack("<H", tag) + rest + (b"\0\0" if coding.floating else b"")
    if mask is None:
        mask = MASKS.get(coding.layout or "", 0)
    more = struct.pack("<HHIH", 22, bits, mask, tag) + _GUID_TAIL
    return struct.pack("<H", _EXTENSIBLE) + rest + more


def _to_bytes(y: Samples, coding: Coding, quantiser: Quantiser) -> bytes:
    """Return float32 (channels, n) as interleaved samples."""
    bits = coding.bits or 16
    if coding.floating:
        check_finite(y)
        return y.T.astype(f"<f{bits // 8}", order="C").tobytes()
    steps = quantiser(y)
    if bits == 8:
        return (steps + 128).astype(np.uint8).tobytes()
    if bits == 24:
        return steps.astype("<i4").view(np.uint8).reshape(-1, 4)[:, :3].tobytes()
    return steps.astype(f"<i{bits // 8}").tobytes()


def _write_chunk(out: BinaryIO, name: bytes, body: bytes) -> None:
    out.write(name + struct.pack("<I", len(body)) + body + bytes(len(body) % 2))


def _copy_chunk(out: BinaryIO, source: tuple[BinaryIO, Wave] | None, chunk: Chunk) -> None:
    if source is None:
        return
    out.write(chunk.name + struct.pack("<I", chunk.size))
    source[0].seek(chunk.start)
    for at in range(0, chunk.size, _PIECE):
        piece = source[0].read(min(_PIECE, chunk.size - at))
        if len(piece) < min(_PIECE, chunk.size - at):
            raise CorruptMedia("the WAV file became shorter while it was read")
        out.write(piece)
    out.write(bytes(chunk.size % 2))
