"""Colour pictures of 16 bits a sample, which Pillow would cut to 8.

OpenCV reads them (this is the one place where its BGR order appears); PNG and TIFF are written
here with zlib, which keeps grey with alpha, colour profile and orientation.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Sequence

import cv2
import numpy as np

from aiglabel.errors import CorruptMedia
from aiglabel.media.orientation import stored
from aiglabel.media.picture import Array, Picture
from aiglabel.media.pillow import with_alpha

_PNG_LEVEL = 6
_STRIP_BYTES = 1 << 20


def read_deep(data: bytes) -> list[tuple[Array, Array | None]]:
    """Return (RGB (H, W, 3), alpha (H, W) or None) of every page, ``uint16``.

    PNG is as stored; TIFF pages are turned upright.
    """
    # OpenCV writes its warnings about odd tags to stderr, which is not ours to fill.
    level = cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_ERROR)
    try:
        found, pages = cv2.imdecodemulti(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    finally:
        cv2.utils.logging.setLogLevel(level)
    if not found or not pages:
        raise CorruptMedia("the 16-bit picture cannot be decoded")
    return [_rgb_of_bgr(page) for page in pages]


def _rgb_of_bgr(page: Array) -> tuple[Array, Array | None]:
    if page.dtype != np.uint16 or page.ndim != 3 or page.shape[2] not in (3, 4):
        raise CorruptMedia("the samples are not the 16-bit colour its header promises")
    if page.shape[2] == 3:
        return np.asarray(cv2.cvtColor(page, cv2.COLOR_BGR2RGB)), None
    alpha = np.asarray(cv2.extractChannel(page, 3))
    return np.asarray(cv2.cvtColor(page, cv2.COLOR_BGRA2RGB)), alpha


def _samples(picture: Picture) -> list[Array]:
    """Return every frame with its alpha, (H, W, 1 to 4), turned as it is stored."""
    joined = [
        frame if alpha is None else with_alpha(frame, alpha)
        for frame, alpha in zip(picture.frames, picture.alpha, strict=True)
    ]
    return [stored(samples, picture.settings.orientation) for samples in joined]


# ---------------------------------------------------------------------- PNG


def write_png(picture: Picture) -> bytes:
    """Return a 16-bit PNG of the first frame, with its colour profile and EXIF (PNG 3rd ed.)."""
    samples = _samples(picture)[0]
    height, width, count = samples.shape
    colour_type = {1: 0, 2: 4, 3: 2, 4: 6}[count]
    chunks = [(b"IHDR", struct.pack(">IIBBBBB", width, height, 16, colour_type, 0, 0, 0))]
    if picture.settings.icc:
        chunks.append((b"iCCP", b"ICC Profile\0\0" + zlib.compress(picture.settings.icc)))
    if picture.settings.dpi:
        per_metre = [round(dpi / 0.0254) for dpi in picture.settings.dpi]
        chunks.append((b"pHYs", struct.pack(">IIB", *per_metre, 1)))
    if picture.settings.exif:
        chunks.append((b"eXIf", picture.settings.exif))
    chunks += [(b"IDAT", zlib.compress(_paeth_rows(samples), _PNG_LEVEL)), (b"IEND", b"")]
    body = b"".join(
        struct.pack(">I", len(content)) + name + content
        + struct.pack(">I", zlib.crc32(name + content))
        for name, content in chunks
    )  # fmt: skip
    return b"\x89PNG\r\n\x1a\n" + body


def _paeth_rows(samples: Array) -> bytes:
    """Return the rows filtered with Paeth (type 4), the best single filter for photographs."""
    height, width, count = samples.shape
    raw = samples.astype(">u2").view(np.uint8).reshape(height, width * count * 2)
    step = count * 2
    rows = np.empty((height, raw.shape[1] + 1), np.uint8)
    rows[:, 0] = 4
    padded = np.zeros((height + 1, raw.shape[1] + step), np.int16)
    padded[1:, step:] = raw
    left, up, corner = padded[1:, :-step], padded[:-1, step:], padded[:-1, :-step]
    to_left, to_up = np.abs(up - corner), np.abs(left - corner)
    to_corner = np.abs(left + up - 2 * corner)
    guess = np.where(to_up <= to_corner, up, corner)
    guess = np.where((to_left <= to_up) & (to_left <= to_corner), left, guess)
    rows[:, 1:] = raw - guess.astype(np.uint8)
    return rows.tobytes()


# ---------------------------------------------------------------------- TIFF

_SHORT, _LONG, _RATIONAL, _UNDEFINED = 3, 4, 5, 7


def write_tiff(picture: Picture) -> bytes:
    """Return a 16-bit TIFF 6.0, one page a frame, deflate with horizontal prediction."""
    out = bytearray(b"II*\0\0\0\0\0")
    link = 4  # where the offset of the next directory is to be written
    for samples in _samples(picture):
        strips, rows = _strips(samples)
        offsets = []
        for strip in strips:
            offsets.append(len(out))
            out += strip
        out += b"\0" * (len(out) % 2)
        struct.pack_into("<I", out, link, len(out))
        link = _append_directory(out, picture, samples, (offsets, [len(s) for s in strips], rows))
    return bytes(out)


def _strips(samples: Array) -> tuple[list[bytes], int]:
    height, width, count = samples.shape
    rows = max(1, _STRIP_BYTES // (width * count * 2))
    differences = samples.astype("<u2")
    differences[:, 1:] -= samples[:, :-1]
    strips = [
        zlib.compress(differences[top : top + rows].tobytes()) for top in range(0, height, rows)
    ]
    return strips, rows


def _append_directory(
    out: bytearray,
    picture: Picture,
    samples: Array,
    layout: tuple[Sequence[int], Sequence[int], int],
) -> int:
    height, width, count = samples.shape
    offsets, lengths, rows = layout
    entries: list[tuple[int, int, Sequence[int] | bytes]] = [
        (256, _LONG, [width]), (257, _LONG, [height]), (258, _SHORT, [16] * count),
        (259, _SHORT, [8]), (262, _SHORT, [2 if count > 2 else 1]), (273, _LONG, offsets),
        (274, _SHORT, [picture.settings.orientation]), (277, _SHORT, [count]),
        (278, _LONG, [rows]), (279, _LONG, lengths), (284, _SHORT, [1]), (317, _SHORT, [2]),
    ]  # fmt: skip
    if picture.settings.dpi:
        across, down = (round(dpi * 1000) for dpi in picture.settings.dpi)
        entries += [(282, _RATIONAL, [across, 1000]), (283, _RATIONAL, [down, 1000])]
        entries.append((296, _SHORT, [2]))
    if count in (2, 4):
        entries.append((338, _SHORT, [2]))  # unassociated alpha
    if picture.settings.icc:
        entries.append((34675, _UNDEFINED, picture.settings.icc))
    directory = struct.pack("<H", len(entries))
    tail_at = len(out) + 2 + 12 * len(entries) + 4
    tail = b""
    for tag, kind, values in sorted(entries, key=lambda entry: entry[0]):
        if isinstance(values, bytes):
            content, number = values, len(values)
        else:
            content = struct.pack(f"<{len(values)}{'H' if kind == _SHORT else 'I'}", *values)
            number = len(values) // 2 if kind == _RATIONAL else len(values)
        if len(content) > 4:
            at = struct.pack("<I", tail_at + len(tail))
            tail += content + b"\0" * (len(content) % 2)
            content = at
        directory += struct.pack("<HHI", tag, kind, number) + content.ljust(4, b"\0")
    out += directory
    link = len(out)
    out += b"\0\0\0\0" + tail
    return link
