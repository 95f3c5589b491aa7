"""HEIC stills: read with libheif (`pi_heif`, no GPL part), written with HEVC from ffmpeg.

The HEVC encoder runs as a program of its own, on Y'CbCr planes made here (full range, BT.601),
and `aiglabel.containers.heif_mux` puts its stream into the file.
"""

from __future__ import annotations

from io import BytesIO
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from aiglabel.containers.heif_mux import Coded, mux
from aiglabel.containers.sniff import Format
from aiglabel.errors import CorruptMedia, MediaError, UnsupportedFormat
from aiglabel.media import ffmpeg
from aiglabel.media.limits import Limits
from aiglabel.media.orientation import exif_orientation, stored, tidy_exif
from aiglabel.media.picture import Array, Picture, Settings, Space

DEFAULT_QUALITY = 80
_SMALLEST = 64  # one coding tree; encoders refuse less
_LARGEST = 16_384
_SRGB = (1, 13)


def _primary(data: bytes) -> tuple[Any, int]:
    import pi_heif

    images = pi_heif.open_heif(BytesIO(data))
    if not len(images):
        raise CorruptMedia("there is no picture in the HEIC file")
    return images[images.primary_index], len(images)


def dimensions(data: bytes) -> tuple[int, int]:
    """Return displayed (width, height) of the primary picture from the boxes alone."""
    image, _ = _primary(data)
    return image.size[0], image.size[1]


def read(data: bytes, limits: Limits) -> Picture:
    """Decode the primary picture, 8-bit, upright."""
    image, count = _primary(data)
    limits.check_size(*image.size)
    notes = ["HEIC is coded 8-bit 4:2:0"]
    if count > 1:
        notes.append(f"Only the main one of {count} pictures in the HEIC file is kept")
    if image.info.get("bit_depth", 8) > 8:
        notes.append(f"A {image.info['bit_depth']}-bit HEIC becomes 8-bit")
    if image.info.get("depth_images") or image.info.get("aux"):
        notes.append("Depth and gain maps of the HEIC file are dropped")
    # libheif owns the memory and frees it with `image`, which numpy does not keep alive: copy.
    samples = np.array(image)
    width, height = image.size
    if samples.dtype != np.uint8 or samples.ndim not in (2, 3):
        raise UnsupportedFormat(f"HEIC samples of mode {image.mode} are not handled")
    samples = samples[:height, :width].reshape(height, width, -1)
    colour, alpha = samples, None
    if samples.shape[2] in (2, 4):
        alpha = np.ascontiguousarray(samples[..., -1])
        colour = np.ascontiguousarray(samples[..., :-1])
    exif = tidy_exif(image.info.get("exif"))
    nclx = image.info.get("nclx_profile")
    settings = Settings(
        icc=image.info.get("icc_profile") or None,
        exif=exif,
        orientation=exif_orientation(exif),
        cicp=(nclx["color_primaries"], nclx["transfer_characteristics"]) if nclx else None,
    )
    space: Space = "rgb" if colour.shape[2] == 3 else "gray"
    return Picture([colour], [alpha], space, Format.HEIC, settings, notes)


def write(picture: Picture) -> bytes:
    """Code the first frame, 8-bit "rgb" or "gray", as a HEIC still.

    Quality 1 to 100 is HEVC's constant rate factor 51 to 0; the default 80 is factor 10, which
    keeps photographs above 40 dB.
    """
    settings = picture.settings
    colour = stored(picture.frames[0], settings.orientation)
    alpha = picture.alpha[0]
    height, width = colour.shape[:2]
    if max(width, height) > _LARGEST:
        raise UnsupportedFormat(f"HEIC pictures over {_LARGEST} pixels a side are not written")
    factor = round((100 - (settings.quality or DEFAULT_QUALITY)) * 51 / 99)
    coded_alpha = None
    if alpha is not None:
        coded_alpha = _code(stored(alpha, settings.orientation)[..., None], factor)
    return mux(
        _code(colour, factor),
        shown=(width, height),
        alpha=coded_alpha,
        orientation=settings.orientation,
        icc=settings.icc,
        cicp=settings.cicp or _SRGB,
        exif=settings.exif,
    )


def _code(colour: Array, factor: int) -> Coded:
    """Return (H, W, 1 or 3) coded by HEVC, grown to an even size at its right and lower edge."""
    height, width = colour.shape[:2]
    across = max(_SMALLEST, width + width % 2)
    down = max(_SMALLEST, height + height % 2)
    grown = cv2.copyMakeBorder(
        colour, 0, down - height, 0, across - width, cv2.BORDER_REPLICATE
    ).reshape(down, across, -1)
    exe, encoder = ffmpeg.hevc_encoder()
    tuning: dict[str, Any] = {"kvazaar-params": f"qp={factor},period=1,range=pc"}
    if encoder == "libx265":
        parameters = "log-level=none:range=full:colormatrix=smpte170m:info=0:repeat-headers=1"
        tuning = {"preset": "medium", "crf": factor, "x265-params": parameters}
    raw = {"f": "rawvideo", "pix_fmt": "yuv420p", "color_range": "pc", "s": f"{across}x{down}"}
    coded = {"f": "hevc", "frames:v": 1, "color_range": "pc", "c:v": encoder, **tuning}
    stream = ffmpeg.run(exe, raw, coded, _planes(grown))
    if b"\0\0\1" not in stream:
        raise MediaError("the HEVC encoder gave no picture")
    return Coded(stream, across, down)


def _planes(colour: NDArray[np.uint8]) -> bytes:
    """Return Y, Cb and Cr (full range, BT.601), chroma averaged over 2 by 2 pixels."""
    half = (colour.shape[1] // 2, colour.shape[0] // 2)
    if colour.shape[2] == 1:
        neutral = np.full(half, 128, np.uint8)
        planes = [colour, neutral, neutral]
    else:
        luma, red, blue = cv2.split(cv2.cvtColor(colour, cv2.COLOR_RGB2YCrCb))
        planes = [luma, *(cv2.resize(c, half, interpolation=cv2.INTER_AREA) for c in (blue, red))]
    return b"".join(plane.tobytes() for plane in planes)
