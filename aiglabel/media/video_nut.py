"""NUT, as far as raw pictures need it to go through a pipe with their times.

Raw video in a pipe has no times; NUT adds a few bytes to each picture that hold its time in any
time base, so films of variable frame rate keep every tick. ffmpeg reads and writes it.

NUT Open Container Format, version 4 (20250218): variable length numbers ("v", "s", "vb"), packets
of headers, frames. What is written here has only one syncpoint (main flag ``pipe``): readers
keep a table of them, which would grow with the film.
"""

from __future__ import annotations

import io
from dataclasses import dataclass
from fractions import Fraction
from functools import cache
from typing import BinaryIO

from aiglabel.errors import CorruptMedia

_MAGIC = b"nut/multimedia container\0"
_MAIN = bytes.fromhex("4e4d7a561f5f04ad")
_STREAM = bytes.fromhex("4e5311405bf2f9db")
_INFO = bytes.fromhex("4e49ab68b596ba78")
_SYNCPOINT = bytes.fromhex("4e4be4adeeca4569")

_KEY, _CODED_PTS, _STREAM_ID, _SIZE_MSB = 1, 8, 16, 32
_CHECKSUM, _RESERVED, _SIDE_DATA = 64, 128, 256
_HEADER_IDX, _MATCH_TIME, _CODED, _INVALID = 1024, 2048, 4096, 8192
_PIPE = 2

_MAX_PACKET = 1 << 24
_MAX_NUMBER = 1 << 64
_ELISION_MOST = 4096  # bytes; larger frames never leave out a header
_PTS_SHIFT = 7


@dataclass(frozen=True)
class RawStream:
    """One stream of raw pictures: size in pixels, format (FourCC), seconds a tick, frames a second.

    The rate only tells how long the last picture is shown; where there is none, it is not told.
    """

    width: int
    height: int
    fourcc: bytes
    time_base: Fraction
    rate: Fraction | None = None


@dataclass(frozen=True)
class _FrameCode:
    flags: int
    pts_delta: int
    size_mul: int
    size_lsb: int
    reserved: int
    header: int


class NutReader:
    """Frames of a NUT with a single stream of raw pictures, as ffmpeg writes it to a pipe.

    Parameters
    ----------
    file : binary file
        Read once, from front to back.

    Raises
    ------
    CorruptMedia
        Not such a NUT, or it ends before the first picture.
    """

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._last_pts = 0
        self._codes: list[_FrameCode] = []
        self._elided = [b""]
        self._bases: list[Fraction] = []
        self._pts_shift = 0
        self._first: bytes | None = None
        if self._exactly(len(_MAGIC)) != _MAGIC:
            raise CorruptMedia("ffmpeg did not send a NUT")
        stream = None
        while stream is None:
            name = self._exactly(8)
            body = self._packet()
            if name == _MAIN:
                self._read_main(body)
            elif name == _STREAM:
                stream = self._read_stream(body)
        self.stream = stream

    def next_frame(self) -> tuple[int, int] | None:
        """Go to the next picture and return its time in ticks and its size in bytes.

        `read_into` must have taken the picture before. None at the end.
        """
        while first := self._file.read(1):
            if first != b"N":
                return self._frame_head(first[0])
            name = first + self._exactly(7)
            body = self._packet()
            if name == _SYNCPOINT:
                ticks = _number(body)
                base = self._bases[ticks % len(self._bases)]
                seconds = ticks // len(self._bases) * base
                self._last_pts = int(seconds // self.stream.time_base)
        return None

    def read_into(self, picture: memoryview) -> None:
        """Fill `picture`, as long as `next_frame` said, with the current one."""
        at = len(self._first or b"")
        picture[:at] = self._first or b""
        while at < len(picture):
            count = self._file.readinto(picture[at:])  # type: ignore[attr-defined]
            if not count:
                raise CorruptMedia("the pictures end in the midst of one")
            at += count

    def _frame_head(self, number: int) -> tuple[int, int]:
        code = self._codes[number]
        flags = code.flags
        if flags & _CODED:
            flags ^= self._number()
        if flags & (_INVALID | _SIDE_DATA):
            raise CorruptMedia("ffmpeg sent a frame that is not understood")
        if flags & _STREAM_ID:
            self._number()
        coded_pts = self._number() if flags & _CODED_PTS else None
        size = code.size_lsb + (code.size_mul * self._number() if flags & _SIZE_MSB else 0)
        if flags & _MATCH_TIME:
            self._number()
        header = self._number() if flags & _HEADER_IDX else code.header
        for _ in range(min(255, self._number() if flags & _RESERVED else code.reserved)):
            self._number()
        if flags & _CHECKSUM:
            self._exactly(4)
        if header >= len(self._elided):
            raise CorruptMedia("ffmpeg sent a frame that is not understood")
        self._first = self._elided[header] if size <= _ELISION_MOST else b""
        self._last_pts = self._pts(coded_pts, code.pts_delta)
        return self._last_pts, size

    def _pts(self, coded: int | None, delta: int) -> int:
        if coded is None:
            return self._last_pts + delta
        if coded >= 1 << self._pts_shift:
            return coded - (1 << self._pts_shift)
        mask = (1 << self._pts_shift) - 1
        start = self._last_pts - mask // 2
        return ((coded - start) & mask) + start

    def _read_main(self, body: BinaryIO) -> None:
        version = _number(body)
        if version > 3:
            _number(body)
        if _number(body) != 1:
            raise CorruptMedia("ffmpeg sent more than one stream")
        _number(body)  # max_distance
        for _ in range(min(_number(body), 1000)):
            numerator = _number(body)
            self._bases.append(Fraction(numerator, max(1, _number(body))))
        self._codes = _frame_codes(body)
        for _ in range(min(_number(body), 127)):
            self._elided.append(body.read(min(_number(body), 255)))

    def _read_stream(self, body: BinaryIO) -> RawStream:
        _number(body)  # stream id
        if _number(body) != 0:
            raise CorruptMedia("ffmpeg did not send pictures")
        fourcc = body.read(min(_number(body), 16))
        base = _number(body)
        self._pts_shift = _number(body)
        for _ in range(3):  # max_pts_distance, decode_delay, stream_flags
            _number(body)
        body.read(_number(body) % _MAX_PACKET)  # codec_specific_data
        width, height = _number(body), _number(body)
        if base >= len(self._bases) or not self._bases[base] or self._pts_shift > 16:
            raise CorruptMedia("ffmpeg sent a stream without a time base")
        return RawStream(width, height, fourcc, self._bases[base])

    def _packet(self) -> BinaryIO:
        size = self._number()
        if size > _MAX_PACKET:
            raise CorruptMedia("ffmpeg sent a header of absurd length")
        if size > 4096:
            self._exactly(4)
        return io.BytesIO(self._exactly(size))

    def _number(self) -> int:
        return _number(self._file)

    def _exactly(self, count: int) -> bytes:
        data = self._file.read(count)
        if len(data) < count:
            raise CorruptMedia("no pictures could be decoded")
        return data


def _number(file: BinaryIO) -> int:
    value = 0
    while byte := file.read(1):
        value = value << 7 | byte[0] & 0x7F
        if not byte[0] & 0x80:
            return value
        if value >= _MAX_NUMBER:
            break
    raise CorruptMedia("ffmpeg sent a broken number")


def _signed(file: BinaryIO) -> int:
    value = _number(file) + 1
    return -(value >> 1) if value & 1 else value >> 1


def _frame_codes(body: BinaryIO) -> list[_FrameCode]:
    """Return the table of all 256 frame codes, of which runs with rising sizes are stored."""
    codes: list[_FrameCode] = []
    pts, mul, size = 0, 1, 0
    invalid = _FrameCode(_INVALID, 0, 1, 0, 0, 0)
    header = 0
    while len(codes) < 256:
        flags, fields = _number(body), _number(body)
        if fields > 0:
            pts = _signed(body)
        if fields > 1:
            mul = _number(body)
        if fields > 2:
            _number(body)  # stream
        size = _number(body) if fields > 3 else 0
        reserved = _number(body) if fields > 4 else 0
        count = _number(body) if fields > 5 else mul - size
        if fields > 6:
            _signed(body)  # match time
        if fields > 7:
            header = _number(body)
        for _ in range(8, min(fields, 1000)):
            _number(body)
        if not 0 < count <= 256:
            raise CorruptMedia("ffmpeg sent a broken table of frame codes")
        for lsb in range(size, size + count):
            if len(codes) == ord("N"):
                codes.append(invalid)
            codes.append(_FrameCode(flags, pts, mul, lsb, reserved, header))
    return codes[:256]


# ---------------------------------------------------------------------- writing


def head(stream: RawStream) -> bytes:
    """Return what stands before the first frame."""
    base = _v(1) + _v(stream.time_base.numerator) + _v(stream.time_base.denominator)
    # All frame codes alike: what a frame is, stands in the frame (flag CODED).
    codes = _v(_CODED) + _v(6) + _s(0) + _v(1) + _v(0) + _v(0) + _v(0) + _v(255)
    main = _v(4) + _v(0) + _v(1) + _v(65_536) + base + codes + _v(0) + _v(_PIPE)
    named = _v(len(stream.fourcc)) + stream.fourcc
    size = _v(stream.width) + _v(stream.height) + _v(0) + _v(0) + _v(0)
    of_stream = (
        _v(0) + _v(0) + named + _v(0) + _v(_PTS_SHIFT) + _v(1) + _v(0) + _v(0) + _v(0) + size
    )
    first = _packed(_SYNCPOINT, _v(0) + _v(0))  # readers look for it once, also in a pipe
    return _MAGIC + _packed(_MAIN, main) + _packed(_STREAM, of_stream) + _told(stream.rate) + first


def _told(rate: Fraction | None) -> bytes:
    """Return the info packet of the first stream; ffmpeg takes no rate of 1000 and more."""
    if rate is None:
        return b""
    name, value = b"r_frame_rate", f"{rate.numerator}/{rate.denominator}".encode()
    field = _v(len(name)) + name + _s(-1) + _v(len(value)) + value
    return _packed(_INFO, _v(1) + _s(0) + _v(0) + _v(0) + _v(1) + field)


def frame_head(pts: int, size: int) -> bytes:
    """Return what stands before the bytes of a picture.

    Parameters
    ----------
    pts : int
        Its time in ticks of the time base, not below 0.
    size : int
        Bytes of the picture.
    """
    flags = _v(_KEY | _CODED_PTS | _SIZE_MSB | _CHECKSUM)
    body = b"\0" + flags + _v(pts + (1 << _PTS_SHIFT)) + _v(size)
    return body + _crc(body)


def _packed(name: bytes, body: bytes) -> bytes:
    return name + _v(len(body) + 4) + body + _crc(body)


def _v(value: int) -> bytes:
    out = [value & 0x7F]
    while value := value >> 7:
        out.append(value & 0x7F | 0x80)
    return bytes(reversed(out))


def _s(value: int) -> bytes:
    return _v(2 * abs(value) - (value > 0))


def _crc(data: bytes) -> bytes:
    """CRC-32 of ISO/IEC 3309 with the highest bit first, which `zlib` does not have."""
    table = _crc_table()
    crc = 0
    for byte in data:
        crc = (crc << 8) & 0xFFFF_FFFF ^ table[crc >> 24 ^ byte]
    return crc.to_bytes(4, "big")


@cache
def _crc_table() -> tuple[int, ...]:
    table = []
    for byte in range(256):
        crc = byte << 24
        for _ in range(8):
            crc = (crc << 1) & 0xFFFF_FFFF ^ (0x04C1_1DB7 if crc >> 31 else 0)
        table.append(crc)
    return tuple(table)
