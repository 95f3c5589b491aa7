"""Damaged, lying and greedy files: only `MediaError` comes out, and nothing large is allocated."""

from __future__ import annotations

import io
import struct
import threading
import tracemalloc
import warnings
import zlib
from functools import cache

import numpy as np
import pytest
from PIL import Image

from aiglabel.containers.sniff import Format
from aiglabel.errors import CorruptMedia, MediaError, ResourceLimit, UnsupportedFormat
from aiglabel.media import Limits, Picture, decode, dimensions, encode, from_array


@cache
def sample(fmt: Format) -> bytes:
    rng = np.random.default_rng(3)
    frames = [np.kron(rng.integers(0, 255, (6, 8, 3)), np.ones((6, 6, 1))).astype(np.uint8)
              for _ in range(2)]  # fmt: skip
    if fmt in (Format.JPEG, Format.HEIC, Format.AVIF):
        return encode(Picture(frames[:1], [None], "rgb"), fmt)
    picture = Picture(frames, [None, None], "rgb")
    return encode(picture if fmt is Format.TIFF else picture.changed(durations=(40.0, 40.0)), fmt)


@cache
def deep_sample(fmt: Format) -> bytes:
    frames = decode(sample(fmt)).frames
    deep = [frame.astype(np.uint16) * 257 for frame in frames[: 1 + (fmt is Format.TIFF)]]
    return encode(Picture(deep, [None] * len(deep), "rgb").changed(bits=16), fmt)


@pytest.mark.parametrize("fmt", Format)
def test_truncated_files_raise_or_are_whole(fmt: Format) -> None:
    data = sample(fmt)
    for end in sorted({*range(0, min(len(data), 64), 3), *range(64, len(data), len(data) // 40)}):
        for read in (decode, dimensions):
            try:
                read(data[:end])
            except MediaError:
                continue


@pytest.mark.parametrize("fmt", Format)
def test_half_a_picture_is_refused(fmt: Format) -> None:
    with pytest.raises(MediaError):
        decode(sample(fmt)[: len(sample(fmt)) // 2])


@pytest.mark.parametrize(
    ("fmt", "deep"), [*((fmt, False) for fmt in Format), (Format.PNG, True), (Format.TIFF, True)]
)
def test_flipped_bits_raise_or_decode(fmt: Format, deep: bool) -> None:
    source = deep_sample(fmt) if deep else sample(fmt)
    rng = np.random.default_rng(sum(fmt.value.encode()))
    limits = Limits(max_pixels=1 << 20, max_total_pixels=1 << 22, max_frames=50)
    for _ in range(120):
        data = np.frombuffer(source, np.uint8).copy()
        where = rng.integers(0, min(len(data), rng.choice([60, 400, 10_000])), rng.integers(1, 6))
        data[where] ^= rng.integers(1, 256, len(where)).astype(np.uint8)
        try:
            picture = decode(data.tobytes(), limits=limits)
        except MediaError:
            continue
        assert picture.frames[0].size <= 4 << 20


def png(width: int, height: int, pixels: bytes = b"", depth: int = 8, kind: int = 2) -> bytes:
    def chunk(name: bytes, body: bytes) -> bytes:
        return (
            struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))
        )

    header = struct.pack(">IIBBBBB", width, height, depth, kind, 0, 0, 0)
    body = chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(pixels)) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + body


def vp8x(width: int, height: int) -> bytes:
    size = (width - 1).to_bytes(3, "little") + (height - 1).to_bytes(3, "little")
    body = b"WEBPVP8X" + struct.pack("<I", 10) + b"\2\0\0\0" + size
    body += b"ANIM" + struct.pack("<I", 6) + bytes(6)
    return b"RIFF" + struct.pack("<I", len(body)) + body


def gif(width: int, height: int, frames: int) -> bytes:
    frame = b",\0\0\0\0\1\0\1\0\0\2\2D\1\0"
    head = b"GIF89a" + struct.pack("<HH", width, height) + b"\x80\0\0\0\0\0\xff\xff\xff"
    return head + frame * frames + b";"


def tiff(width: int, height: int) -> bytes:
    entries = [(256, width), (257, height), (258, 8), (259, 1), (262, 1), (273, 8), (277, 1),
               (278, height), (279, width * height & 0xFFFFFFFF)]  # fmt: skip
    body = b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in entries)
    return b"II*\0\x08\0\0\0" + struct.pack("<H", len(entries)) + body + bytes(4)


BOMBS = {
    "png 60000x60000": png(60_000, 60_000),
    "png 16 bit": png(50_000, 50_000, depth=16),
    "png side": png(70_000, 1),
    "png huge side": png(2**31 - 1, 2**31 - 1),
    "webp canvas": vp8x(1 << 24, 1 << 24),
    "webp canvas of 16383": vp8x(16_383, 16_383),
    "gif canvas": gif(65_535, 65_535, 1),
    "gif frames": gif(1, 1, 5000),
    "gif pixels": gif(1000, 1000, 600),
    "tiff": tiff(60_000, 60_000),
}


@pytest.mark.parametrize("name", BOMBS)
def test_bombs_are_refused_before_memory_is_taken(name: str) -> None:
    limits = Limits(max_total_pixels=20_000_000)
    tracemalloc.start()
    try:
        with pytest.raises(ResourceLimit):
            decode(BOMBS[name], limits=limits)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 100 << 20


def test_a_lying_header_gives_no_more_than_it_promises() -> None:
    row = b"\0" + bytes(9)
    assert decode(png(3, 1, row)).size == (3, 1)
    # Pixel data that end properly but early leave black rows, as in every browser.
    assert decode(png(3, 9, row)).frames[0].shape == (9, 3, 3)
    with pytest.raises(MediaError):
        decode(png(3, 9, row, depth=16))
    with pytest.raises(CorruptMedia):
        decode(png(0, 5))


def test_no_frames() -> None:
    for data in (gif(4, 4, 0), b"II*\0\0\0\0\0", b"II*\0\x08\0\0\0\0\0\0\0\0\0"):
        with pytest.raises(MediaError):
            decode(data)


def test_limits_are_the_callers() -> None:
    data = sample(Format.PNG)
    for limits in (Limits(max_bytes=10), Limits(max_pixels=100), Limits(max_side=20),
                   Limits(max_frames=1), Limits(max_total_pixels=2000)):  # fmt: skip
        with pytest.raises(ResourceLimit):
            decode(data, limits=limits)


@pytest.mark.parametrize("size", [(1, 1), (1, 300), (20_000, 16), (16, 20_000)])
@pytest.mark.parametrize("fmt", [f for f in Format if f is not Format.HEIC])
def test_extreme_shapes_survive(fmt: Format, size: tuple[int, int]) -> None:
    array = np.full((size[1], size[0], 3), 77, np.uint8)
    picture = from_array(array)
    assert isinstance(picture, Picture)
    if fmt is Format.WEBP and max(size) > 16_383:
        with pytest.raises(MediaError):
            encode(picture, fmt)
        return
    again = decode(encode(picture, fmt))
    assert again.size == size
    assert np.abs(again.frames[0].astype(int) - 77).max() <= 3


@pytest.mark.parametrize("mode", ["F", "I", "LAB"])
def test_unusual_samples_are_unsupported(mode: str) -> None:
    out = io.BytesIO()
    Image.new(mode, (8, 8)).save(out, "TIFF")
    with pytest.raises(UnsupportedFormat):
        decode(out.getvalue())


def test_files_of_other_kinds_are_unsupported() -> None:
    for data in (b"", b"%PDF-1.7", b"BM" + bytes(60), b"<svg/>", bytes(99)):
        with pytest.raises(UnsupportedFormat):
            decode(data)
        with pytest.raises(UnsupportedFormat):
            dimensions(data)


def test_warnings_stay_inside_and_filters_come_back() -> None:
    # A TIFF with a tag beyond the end of the file makes Pillow warn.
    data = bytearray(sample(Format.TIFF))
    before = list(warnings.filters)

    def work() -> None:
        for _ in range(20):
            decode(bytes(data))

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert list(warnings.filters) == before
