"""Bytes to pixels: sniffed once, judged by `Limits` on the header, decoded once."""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from PIL import ExifTags, Image, ImageFile, JpegImagePlugin

from aiglabel.containers import webp
from aiglabel.containers.sniff import Format, sniff
from aiglabel.errors import CorruptMedia, UnsupportedFormat
from aiglabel.media import heic
from aiglabel.media.deep import read_deep
from aiglabel.media.limits import Limits
from aiglabel.media.orientation import exif_orientation, tidy_exif, upright
from aiglabel.media.picture import Array, Picture, Settings, Space, Subsampling, eight_bits
from aiglabel.media.pillow import guarded, open_image, to_arrays


def decode(data: bytes, *, limits: Limits | None = None) -> Picture:
    """Decode every frame of `data` into displayed orientation.

    Raises
    ------
    UnsupportedFormat
        Not a picture format of `Format`, or a variant of one that is not handled.
    CorruptMedia
        Damaged or truncated data.
    ResourceLimit
        Over `limits`, told from the header.
    """
    limits = limits or Limits()
    limits.check_bytes(len(data))
    fmt = sniff(data)
    with guarded(fmt):
        return _READERS[fmt](data, limits)


def dimensions(data: bytes) -> tuple[int, int]:
    """Return displayed (width, height) from the header alone.

    Raises
    ------
    MediaError
        As `decode`, for what the header shows.
    """
    fmt = sniff(data)
    with guarded(fmt):
        if fmt is Format.HEIC:
            return heic.dimensions(data)
        if fmt is Format.WEBP:
            _check(webp.layout(data), Limits())
        im = open_image(data, fmt)
        width, height = im.size
        # Pillow already swaps the sides of a turned TIFF.
        exif = _png_exif(data) if fmt is Format.PNG else im.info.get("exif")
        turned = fmt is not Format.TIFF and exif_orientation(exif) >= 5
        return (height, width) if turned else (width, height)


# ---------------------------------------------------------------------- shared


def _common_settings(im: Image.Image, exif: bytes | None) -> dict[str, Any]:
    exif = tidy_exif(exif)
    dpi = im.info.get("dpi")
    return {
        "icc": im.info.get("icc_profile") or None,
        "exif": exif,
        "orientation": exif_orientation(exif),
        "dpi": (float(dpi[0]), float(dpi[1])) if dpi and min(dpi) > 0 else None,
    }


def _frames(im: ImageFile.ImageFile, limits: Limits) -> Iterator[int]:
    """Seek through the frames of `im`, judging each before its pixels are decoded."""
    total = 0
    for index in range(limits.max_frames + 1):
        try:
            im.seek(index)
        except EOFError:
            return
        limits.check_size(*im.size)
        total += im.size[0] * im.size[1]
        limits.check_frames(index + 1, total)
        yield index


def _assemble(
    decoded: list[tuple[Array, Array | None, Space]],
    fmt: Format,
    settings: Settings,
    notes: list[str],
) -> Picture:
    """Turn frames upright and give them all one colour space and depth."""
    if not decoded:
        raise CorruptMedia("there is no frame in the file")
    spaces = {space for _, _, space in decoded}
    if len(spaces) > 1:
        if "cmyk" in spaces:
            raise UnsupportedFormat("pages in CMYK together with pages in other colour spaces")
        notes.append("Grey frames become colour, as other frames are")
    space: Space = "rgb" if len(spaces) > 1 else spaces.pop()
    deep = all(colour.dtype == np.uint16 for colour, _, _ in decoded)
    frames: list[Array] = []
    alphas: list[Array | None] = []
    for colour, alpha, _ in decoded:
        if not deep:
            colour, alpha = eight_bits(colour), None if alpha is None else eight_bits(alpha)
        if space == "rgb" and colour.shape[2] == 1:
            colour = np.repeat(colour, 3, axis=2)
        frames.append(upright(colour, settings.orientation))
        alphas.append(None if alpha is None else upright(alpha, settings.orientation))
    return Picture(frames, alphas, space, fmt, settings, notes)


# ---------------------------------------------------------------------- JPEG


_SAMPLING: dict[int, Subsampling] = {0: "4:4:4", 1: "4:2:2", 2: "4:2:0"}


def _read_jpeg(data: bytes, limits: Limits) -> Picture:
    im = open_image(data, Format.JPEG)
    assert isinstance(im, JpegImagePlugin.JpegImageFile)
    limits.check_size(*im.size)
    notes = []
    if "mp" in im.info:
        notes.append("Further pictures inside the JPEG (gain map, stereo, preview) are dropped")
    if im.mode == "CMYK" and im.info.get("adobe_transform") == 2:
        notes.append("A YCCK JPEG is written as CMYK")
    tables = list(dict.fromkeys(layer[3] for layer in im.layer))[:2]
    sampling = _SAMPLING.get(JpegImagePlugin.get_sampling(im))
    if im.mode == "RGB" and sampling is None:
        sampling = "4:4:4"
        notes.append("An unusual chroma layout of the JPEG becomes 4:4:4")
    decoded = to_arrays(im)
    settings = Settings(
        **_common_settings(im, im.info.get("exif")),
        quantisation=tuple(tuple(im.quantization[table]) for table in tables),
        subsampling=sampling,
        progressive=bool(im.info.get("progressive")),
        stored_rgb=im.mode == "RGB"
        and (im.info.get("adobe_transform") == 0 or [c[0] for c in im.layer] == [82, 71, 66]),
    )
    return _assemble([decoded], Format.JPEG, settings, notes)


# ---------------------------------------------------------------------- PNG


def _png_exif(data: bytes) -> bytes | None:
    """Return the ``eXIf`` chunk, which may stand behind the pixels where Pillow looks late."""
    at = 8
    while at + 8 <= len(data):
        length = int.from_bytes(data[at : at + 4], "big")
        if data[at + 4 : at + 8] == b"eXIf":
            return data[at + 8 : at + 8 + length]
        at += 12 + length
    return None


def _read_png(data: bytes, limits: Limits) -> Picture:
    if data[12:16] != b"IHDR":
        raise CorruptMedia("a PNG without its header chunk")
    width, height, depth, colour_type, _, _, interlace = struct.unpack_from(">IIBBBBB", data, 16)
    limits.check_size(width, height)
    im: Any = open_image(data, Format.PNG)
    count = getattr(im, "n_frames", 1)
    limits.check_frames(count, count * width * height)
    notes = []
    if colour_type == 3:
        notes.append("A PNG palette becomes true colour")
    elif depth < 8:
        notes.append(f"A {depth}-bit PNG becomes 8-bit grey")
    if interlace:
        notes.append("PNG interlacing is not kept")
    animated = getattr(im, "is_animated", False)
    settings = _common_settings(im, _png_exif(data))
    decoded: list[tuple[Array, Array | None, Space]] = []
    if depth == 16 and colour_type != 0 and not animated:
        settings["bits"] = 16
        ((colour, alpha),) = read_deep(data)
        gray = colour_type == 4
        decoded.append(
            (colour[..., :1].copy() if gray else colour, alpha, "gray" if gray else "rgb")
        )
    else:
        if depth == 16 and animated:
            notes.append("A 16-bit animated PNG becomes 8-bit")
        durations = []
        for _ in _frames(im, limits):
            decoded.append(to_arrays(im))
            durations.append(float(im.info.get("duration", 0)))
        settings["bits"] = 16 if decoded[0][0].dtype == np.uint16 else 8
        if animated:
            settings |= {
                "durations": tuple(durations),
                "plays": im.info.get("loop", 0),
                "poster": bool(im.default_image),
            }
    return _assemble(decoded, Format.PNG, Settings(**settings), notes)


# ---------------------------------------------------------------------- WebP


def _check(layout: webp.Layout, limits: Limits) -> None:
    """Judge the size first: libwebp allocates the canvas when it opens a file."""
    limits.check_size(layout.width, layout.height)
    limits.check_frames(layout.frames, layout.frames * layout.width * layout.height)


def _read_webp(data: bytes, limits: Limits) -> Picture:
    layout = webp.layout(data)
    _check(layout, limits)
    im: Any = open_image(data, Format.WEBP)
    decoded: list[tuple[Array, Array | None, Space]] = []
    durations = []
    for _ in _frames(im, limits):
        decoded.append(to_arrays(im))
        durations.append(float(im.info.get("duration", 0)))
    settings = _common_settings(im, im.info.get("exif")) | {"lossless": layout.lossless}
    if im.is_animated:
        settings |= {"durations": tuple(durations), "plays": im.info["loop"]}
    return _assemble(decoded, Format.WEBP, Settings(**settings), [])


# ---------------------------------------------------------------------- GIF


def _read_gif(data: bytes, limits: Limits) -> Picture:
    im = open_image(data, Format.GIF)
    limits.check_size(*im.size)
    decoded = []
    durations = []
    for _ in _frames(im, limits):
        decoded.append(to_arrays(im))
        durations.append(float(im.info.get("duration", 0)))
    settings: dict[str, Any] = {}
    if len(decoded) > 1:
        # The file counts repetitions after the first run; without the extension it runs once.
        loop = im.info.get("loop")
        plays = 1 if loop is None else loop and loop + 1
        settings = {"durations": tuple(durations), "plays": plays}
    notes = ["GIF colours are chosen anew, at most 256 a frame"]
    # A canvas may grow while later frames are read; earlier ones are then smaller.
    if len({colour.shape[:2] for colour, _, _ in decoded}) > 1:
        raise UnsupportedFormat("a GIF whose frames reach outside its canvas")
    return _assemble(decoded, Format.GIF, Settings(**settings), notes)


# ---------------------------------------------------------------------- TIFF

_LOSSLESS_TIFF = {"raw", "packbits", "tiff_lzw", "tiff_adobe_deflate", "tiff_deflate"}
_TAG_BITS, _TAG_PHOTOMETRIC, _TAG_SAMPLE_FORMAT = 258, 262, 339


def _read_tiff(data: bytes, limits: Limits) -> Picture:
    im: Any = open_image(data, Format.TIFF)
    settings = _common_settings(im, im.info.get("exif"))
    settings["orientation"] = _tiff_orientation(im)
    compression = im.info.get("compression", "raw")
    modes: list[str] = []
    deep: list[bool] = []
    sizes: list[tuple[int, int]] = []
    for _ in _frames(im, limits):
        modes.append(im.mode)
        deep.append(_is_deep_colour(im))
        sizes.append(im.size)
    notes = []
    if "1" in modes:
        notes.append("A 1-bit TIFF becomes 8-bit grey")
    if "P" in modes:
        notes.append("A TIFF palette becomes true colour")
    if compression not in _LOSSLESS_TIFF:
        notes.append(f"TIFF compression {compression} becomes deflate")
        compression = "tiff_adobe_deflate"
    settings["compression"] = compression
    decoded: list[tuple[Array, Array | None, Space]] = []
    if all(deep):
        # OpenCV turns TIFF pages upright by itself, as Pillow does; other formats it does not.
        decoded = [(colour, alpha, "rgb") for colour, alpha in read_deep(data)]
        if [colour.shape[1::-1] for colour, _, _ in decoded] != sizes:
            raise CorruptMedia("TIFF pages are not of the size that their headers say")
    else:
        if any(deep):
            notes.append("16-bit pages become 8-bit, as other pages are")
        for _ in _frames(im, limits):
            im.load()
            decoded.append(to_arrays(im))
    depths = {colour.dtype for colour, _, _ in decoded}
    if depths == {np.dtype(np.uint16)}:
        settings |= {"bits": 16, "compression": "tiff_adobe_deflate"}  # the one `deep` writes
    orientation = settings.pop("orientation")
    picture = _assemble(decoded, Format.TIFF, Settings(**settings), notes)
    return picture.changed(orientation=orientation)


def _tiff_orientation(im: Any) -> int:
    value = im.tag_v2.get(ExifTags.Base.Orientation, 1)
    return value if value in range(1, 9) else 1


def _is_deep_colour(im: Any) -> bool:
    bits, formats = im.tag_v2.get(_TAG_BITS, (1,)), im.tag_v2.get(_TAG_SAMPLE_FORMAT, (1,))
    return (
        set(bits) == {16} and len(bits) in (3, 4) and set(formats) == {1}
        and im.tag_v2.get(_TAG_PHOTOMETRIC) == 2
    )  # fmt: skip


# ---------------------------------------------------------------------- AVIF, HEIC


def _read_avif(data: bytes, limits: Limits) -> Picture:
    im: Any = open_image(data, Format.AVIF)
    limits.check_size(*im.size)
    limits.check_frames(im.n_frames, im.n_frames * im.size[0] * im.size[1])
    decoded: list[tuple[Array, Array | None, Space]] = []
    durations = []
    for _ in _frames(im, limits):
        decoded.append(to_arrays(im))
        durations.append(float(im.info.get("duration", 0)))
    coding = _av1_coding(data)
    settings = _common_settings(im, im.info.get("exif")) | {"subsampling": coding.subsampling}
    if im.is_animated:
        settings["durations"] = tuple(durations)
    notes = []
    if coding.bits > 8:
        notes.append(f"A {coding.bits}-bit AVIF becomes 8-bit")
    at = data.find(b"colrnclx")
    if 0 <= at < len(data) - 12:
        primaries, transfer = struct.unpack_from(">HH", data, at + 8)
        # Pillow writes BT.709 primaries with the sRGB curve; 2 is "unspecified" (ITU-T H.273).
        if primaries not in (1, 2) or transfer not in (1, 2, 6, 13):
            notes.append(f"The AVIF colour description (CICP {primaries}/{transfer}) is not kept")
    if coding.subsampling == "4:0:0":
        decoded = [(colour[..., :1].copy(), alpha, "gray") for colour, alpha, _ in decoded]
    return _assemble(decoded, Format.AVIF, Settings(**settings), notes)


@dataclass(frozen=True)
class _Av1Coding:
    bits: int
    subsampling: Subsampling


def _av1_coding(data: bytes) -> _Av1Coding:
    """Return depth and chroma layout from the first ``av1C`` box (AV1-ISOBMFF 2.3.3).

    The first one belongs to the colour picture in files of every known writer; a wrong guess
    would cost file size or chroma detail, nothing else.
    """
    at = data.find(b"av1C")
    flags = data[at + 6] if 0 <= at < len(data) - 6 else 0b1100
    bits = 8 if not flags & 0x40 else 12 if flags & 0x20 else 10
    if flags & 0x10:
        return _Av1Coding(bits, "4:0:0")
    chroma: dict[int, Subsampling] = {0: "4:4:4", 0b1000: "4:2:2"}
    return _Av1Coding(bits, chroma.get(flags & 0b1100, "4:2:0"))


_READERS: dict[Format, Callable[[bytes, Limits], Picture]] = {
    Format.JPEG: _read_jpeg,
    Format.PNG: _read_png,
    Format.WEBP: _read_webp,
    Format.GIF: _read_gif,
    Format.TIFF: _read_tiff,
    Format.AVIF: _read_avif,
    Format.HEIC: heic.read,
}
