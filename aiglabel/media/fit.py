"""What a format can hold: a picture made to fit it, and said in notes."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from aiglabel.containers.sniff import Format
from aiglabel.errors import UnsupportedFormat
from aiglabel.media.orientation import exif_orientation
from aiglabel.media.picture import Array, Picture, eight_bits
from aiglabel.media.pillow import to_arrays, to_image

_SEVERAL_FRAMES = {Format.PNG, Format.WEBP, Format.GIF, Format.TIFF, Format.AVIF}
_ALPHA = {Format.PNG, Format.WEBP, Format.GIF, Format.TIFF, Format.AVIF, Format.HEIC}
_CMYK = {Format.JPEG, Format.TIFF}
_NO_EXIF = {Format.GIF, Format.TIFF}
_OWN_ORIENTATION = {Format.TIFF, Format.HEIC}  # stated outside EXIF
_JPEG_EXIF_BYTES = 65_527  # one APP1 segment less its prefix


def fit(picture: Picture, fmt: Format) -> Picture:
    """Return `picture` as `fmt` can hold it; the same object where nothing has to change.

    Notes are added on what is lost: 16 bits where the format has 8, alpha (composed on white),
    CMYK (turned to RGB without a colour profile), EXIF or profile where another format has no
    place for them.

    Raises
    ------
    UnsupportedFormat
        Several frames for a format of one, or pages for a format of animations and the reverse.
    """
    several = len(picture.frames) > 1
    if several and (fmt not in _SEVERAL_FRAMES or (fmt is Format.TIFF) == picture.animated):
        raise UnsupportedFormat(
            f"{fmt.value.upper()} cannot hold these {len(picture.frames)} frames",
            remedy="Keep the format of the source",
        )
    if fmt is not picture.format:
        picture = _moved(picture, fmt)
    if _too_deep(picture, fmt):
        picture = _reduced(picture)
    if picture.space == "cmyk" and fmt not in _CMYK:
        picture = _without_cmyk(picture)
    if fmt not in _ALPHA and any(alpha is not None for alpha in picture.alpha):
        picture = _on_white(picture)
    return picture


def _moved(picture: Picture, fmt: Format) -> Picture:
    """Drop what another format has no place for, and store pixels as that file will say."""
    settings, notes = picture.settings, list(picture.notes)
    exif, icc, orientation = settings.exif, settings.icc, settings.orientation
    if exif and (fmt in _NO_EXIF or (fmt is Format.JPEG and len(exif) > _JPEG_EXIF_BYTES)):
        exif = None
        notes.append(f"EXIF is not carried into {fmt.value.upper()}")
    if icc and fmt is Format.GIF:
        icc = None
        notes.append("GIF has no colour profile")
    if fmt is Format.GIF:
        notes.append("GIF has at most 256 colours a frame")
        orientation = 1
    elif fmt not in _OWN_ORIENTATION:
        orientation = exif_orientation(exif)
    settings = replace(settings, exif=exif, icc=icc, orientation=orientation)
    return replace(picture, settings=settings, notes=notes)


def _too_deep(picture: Picture, fmt: Format) -> bool:
    deep = picture.frames[0].dtype == np.uint16
    kept = (
        picture.settings.bits == 16
        and not picture.animated
        and picture.space != "cmyk"
        and fmt in (Format.PNG, Format.TIFF)
    )
    return deep and not kept


def _reduced(picture: Picture) -> Picture:
    notes = list(picture.notes)
    if picture.settings.bits == 16:
        notes.append("16-bit samples become 8-bit")
    return replace(
        picture,
        frames=[eight_bits(frame) for frame in picture.frames],
        alpha=[None if alpha is None else eight_bits(alpha) for alpha in picture.alpha],
        settings=replace(picture.settings, bits=8),
        notes=notes,
    )


def _without_cmyk(picture: Picture) -> Picture:
    converted = [to_arrays(to_image(frame, None).convert("RGB"))[0] for frame in picture.frames]
    notes = [*picture.notes, "CMYK becomes RGB without regard to its colour profile"]
    settings = replace(picture.settings, icc=None)
    return replace(picture, frames=converted, space="rgb", settings=settings, notes=notes)


def _on_white(picture: Picture) -> Picture:
    frames: list[Array] = []
    for frame, alpha in zip(picture.frames, picture.alpha, strict=True):
        weight = np.uint32(255) if alpha is None else alpha[..., None].astype(np.uint32)
        frames.append(((frame * weight + 255 * (255 - weight) + 127) // 255).astype(np.uint8))
    notes = [*picture.notes, "Transparency becomes white"]
    return replace(picture, frames=frames, alpha=[None] * len(frames), notes=notes)
