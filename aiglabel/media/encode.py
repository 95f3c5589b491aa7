"""Pixels to bytes, as close to the source's coding as the format's encoder allows.

Every file is complete by itself: colour profile, EXIF and orientation are written wherever the
format has a place for them. Other metadata is carried over by `aiglabel.containers`.

Defaults where the source says nothing: JPEG quality 92 with 4:2:0 chroma; WebP 90, method 4 (the
quality of a lossy source cannot be read from the file); AVIF 85, speed 7; HEIC 80. PNG uses
Pillow's own compression level.
"""

from __future__ import annotations

from collections.abc import Callable
from io import BytesIO
from typing import Any

import numpy as np
from PIL import Image, TiffImagePlugin

from aiglabel.containers.sniff import Format
from aiglabel.errors import AigLabelError, MediaError, UnsupportedFormat
from aiglabel.media import heic
from aiglabel.media.deep import write_png, write_tiff
from aiglabel.media.fit import fit
from aiglabel.media.orientation import stored
from aiglabel.media.palette import to_palette
from aiglabel.media.picture import Picture
from aiglabel.media.pillow import to_image

JPEG_QUALITY = 92
WEBP_QUALITY = 90
AVIF_QUALITY = 85
_AVIF_SPEED = 7


def encode(picture: Picture, fmt: Format | None = None, *, quality: int | None = None) -> bytes:
    """Code `picture` in `fmt`, by default the format and the settings of its source.

    Parameters
    ----------
    picture : Picture
        Not modified. What `fmt` cannot hold is changed as `fit` says; call `fit` first to read
        its notes.
    fmt : Format, optional
        PNG where neither it nor the picture names one.
    quality : int, optional
        1 to 100 for lossy formats; overrides the source's JPEG tables. Lossless formats have none.

    Returns
    -------
    bytes
        The file. GIF and APNG merge frames that equal the one before into one that lasts longer.

    Raises
    ------
    UnsupportedFormat
        `fmt` cannot hold the frames, or the size (WebP: 16383 a side).
    MediaError
        The encoder failed.
    """
    if quality is not None and not 1 <= quality <= 100:
        raise UnsupportedFormat(f"quality {quality} is outside 1 to 100")
    fmt = fmt or picture.format or Format.PNG
    if quality is not None:
        picture = picture.changed(quality=quality, quantisation=())
    picture = fit(picture, fmt)
    try:
        return _WRITERS[fmt](picture)
    except AigLabelError:
        raise
    except Exception as exc:
        raise MediaError(f"{fmt.value.upper()} encoding failed: {exc}") from exc


def _images(picture: Picture) -> list[Image.Image]:
    """Return the frames as Pillow images, turned as they are stored."""
    turn = picture.settings.orientation
    return [
        to_image(stored(frame, turn), None if alpha is None else stored(alpha, turn))
        for frame, alpha in zip(picture.frames, picture.alpha, strict=True)
    ]


def _save(images: list[Image.Image], pillow_name: str, **options: Any) -> bytes:
    if len(images) > 1:
        options |= {"save_all": True, "append_images": images[1:]}
    out = BytesIO()
    images[0].save(out, pillow_name, **{k: v for k, v in options.items() if v is not None})
    return out.getvalue()


def _embedded(picture: Picture) -> dict[str, Any]:
    """Return what Pillow embeds for every format that takes it."""
    exif = picture.settings.exif
    return {"icc_profile": picture.settings.icc, "exif": exif and b"Exif\0\0" + exif}


def _timing(picture: Picture, durations: list[int] | list[float]) -> dict[str, Any]:
    if not picture.animated:
        return {}
    return {"duration": durations, "loop": picture.settings.plays}


def _write_jpeg(picture: Picture) -> bytes:
    settings = picture.settings
    options: dict[str, Any] = {"quality": settings.quality or JPEG_QUALITY}
    if settings.quantisation:
        options = {"qtables": [list(table) for table in settings.quantisation]}
    if picture.space == "rgb":
        options |= {"subsampling": settings.subsampling or "4:2:0"}
        if settings.stored_rgb:
            options |= {"keep_rgb": True}
    return _save(
        _images(picture), "JPEG", **options, progressive=settings.progressive,
        dpi=settings.dpi, **_embedded(picture),
    )  # fmt: skip


def _write_png(picture: Picture) -> bytes:
    if picture.frames[0].dtype == np.uint16:
        return write_png(picture)
    settings = picture.settings
    durations = list(settings.durations[1:] if settings.poster else settings.durations)
    return _save(
        _images(picture), "PNG", dpi=settings.dpi, default_image=settings.poster or None,
        **_timing(picture, durations), **_embedded(picture),
    )  # fmt: skip


def _write_webp(picture: Picture) -> bytes:
    settings = picture.settings
    options: dict[str, Any] = {"method": 4, "quality": settings.quality or WEBP_QUALITY}
    if settings.lossless:
        # Here quality is effort; `exact` keeps colours under full transparency.
        options = {"method": 4, "lossless": True, "quality": 75, "exact": True}
    durations = [round(duration) for duration in settings.durations]
    return _save(
        _images(picture), "WEBP", **options, **_timing(picture, durations), **_embedded(picture)
    )


def _write_gif(picture: Picture) -> bytes:
    images = to_palette(_images(picture))
    timing = _timing(picture, list(picture.settings.durations))
    if timing:
        # GIF counts repetitions after the first run, and none for a single run.
        plays = timing.pop("loop")
        timing |= {"loop": plays and plays - 1 if plays != 1 else None}
        # Frames are whole canvases; only clearing the one before makes a pixel transparent again.
        timing["disposal"] = 2 if any("transparency" in im.info for im in images) else 1
    return _save(images, "GIF", **timing)


def _write_tiff(picture: Picture) -> bytes:
    settings = picture.settings
    if picture.frames[0].dtype == np.uint16:
        return write_tiff(picture)
    compression = settings.compression or "tiff_adobe_deflate"
    tags = TiffImagePlugin.ImageFileDirectory_v2()
    tags[274] = settings.orientation
    if compression not in ("raw", "packbits"):
        tags[317] = 2  # horizontal prediction
    return _save(
        _images(picture), "TIFF", compression=compression, tiffinfo=tags,
        dpi=settings.dpi, icc_profile=settings.icc,
    )  # fmt: skip


def _write_avif(picture: Picture) -> bytes:
    settings = picture.settings
    durations = [round(duration) for duration in settings.durations]
    timing = {"duration": durations} if picture.animated else {}
    gray = picture.space == "gray"
    return _save(
        _images(picture), "AVIF", quality=settings.quality or AVIF_QUALITY, speed=_AVIF_SPEED,
        subsampling="4:0:0" if gray else settings.subsampling or "4:2:0",
        **timing, **_embedded(picture),
    )  # fmt: skip


_WRITERS: dict[Format, Callable[[Picture], bytes]] = {
    Format.JPEG: _write_jpeg,
    Format.PNG: _write_png,
    Format.WEBP: _write_webp,
    Format.GIF: _write_gif,
    Format.TIFF: _write_tiff,
    Format.AVIF: _write_avif,
    Format.HEIC: heic.write,
}
