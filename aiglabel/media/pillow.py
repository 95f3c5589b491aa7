"""The door to Pillow: opening without its global switches, and pixels to and from arrays."""

from __future__ import annotations

import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from types import TracebackType

import cv2
import numpy as np
from PIL import (
    AvifImagePlugin,
    GifImagePlugin,
    Image,
    ImageFile,
    JpegImagePlugin,
    PngImagePlugin,
    TiffImagePlugin,
    WebPImagePlugin,
)

from aiglabel.containers.sniff import Format
from aiglabel.errors import AigLabelError, CorruptMedia, ResourceLimit, UnsupportedFormat
from aiglabel.media.picture import Array, Space

_PLUGINS: dict[Format, type[ImageFile.ImageFile]] = {
    Format.JPEG: JpegImagePlugin.JpegImageFile,
    Format.PNG: PngImagePlugin.PngImageFile,
    Format.WEBP: WebPImagePlugin.WebPImageFile,
    Format.GIF: GifImagePlugin.GifImageFile,
    Format.TIFF: TiffImagePlugin.TiffImageFile,
    Format.AVIF: AvifImagePlugin.AvifImageFile,
}

_BAND_BYTES = 1 << 19  # fits in cache: twice as fast as one conversion of a whole large picture


def open_image(data: bytes, fmt: Format) -> ImageFile.ImageFile:
    """Read the header of `data` with the one plugin of `fmt`.

    `PIL.Image.open` is not used: it would try other formats and warn about sizes that our own
    `Limits` judge.
    """
    return _PLUGINS[fmt](BytesIO(data))


class _Quiet:
    """Silence Pillow's warnings while any thread is inside.

    `warnings.catch_warnings` alone may restore the wrong filters when threads overlap, so the
    first one in sets them and the last one out restores them.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._inside = 0
        self._saved = warnings.catch_warnings()

    def __enter__(self) -> None:
        with self._lock:
            if self._inside == 0:
                self._saved = warnings.catch_warnings()
                self._saved.__enter__()
                warnings.filterwarnings("ignore", module=r"PIL\b")
            self._inside += 1

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, tb: TracebackType | None
    ) -> None:
        with self._lock:
            self._inside -= 1
            if self._inside == 0:
                self._saved.__exit__(kind, exc, tb)


_quiet = _Quiet()


@contextmanager
def guarded(fmt: Format) -> Iterator[None]:
    """Turn whatever a decoder raises on hostile bytes into a `MediaError`."""
    try:
        with _quiet:
            yield
    except AigLabelError:
        raise
    except (MemoryError, Image.DecompressionBombError) as exc:
        raise ResourceLimit(f"the {fmt.value.upper()} data need too much memory") from exc
    except Exception as exc:
        detail = " ".join(str(exc).split())[:200] or type(exc).__name__
        if isinstance(exc, NotImplementedError) or "cannot handle" in detail:
            raise UnsupportedFormat(f"a kind of {fmt.value.upper()} not handled: {detail}") from exc
        raise CorruptMedia(f"the {fmt.value.upper()} data are damaged: {detail}") from exc


# ---------------------------------------------------------------------- pixels

_LOADED_AS = {
    "1": "L", "L": "L", "LA": "LA", "La": "LA", "RGB": "RGB", "RGBX": "RGB", "RGBA": "RGBA",
    "RGBa": "RGBA", "CMYK": "CMYK", "YCbCr": "RGB", "HSV": "RGB", "P": "RGB", "PA": "RGBA",
    "I;16": "I;16", "I;16B": "I;16", "I;16L": "I;16", "I;16N": "I;16",
}  # fmt: skip
_CHANNELS = {"L": 1, "LA": 2, "RGB": 3, "RGBA": 4, "CMYK": 4}
_SPACES: dict[str, Space] = {
    "L": "gray", "LA": "gray", "I;16": "gray", "RGB": "rgb", "RGBA": "rgb", "CMYK": "cmyk",
}  # fmt: skip


def to_arrays(im: Image.Image) -> tuple[Array, Array | None, Space]:
    """Return colour (H, W, C), alpha (H, W) or None, and the colour space of a Pillow image.

    Palettes and 1-bit become true colour and grey; a transparent colour becomes alpha. The arrays
    are fresh, contiguous and writable.
    """
    mode = _LOADED_AS.get(im.mode)
    if mode is None:
        raise UnsupportedFormat(
            f"samples of Pillow mode {im.mode} are not handled",
            remedy="Convert the picture to 8 or 16 bits of grey, RGB or CMYK",
        )
    if mode == "I;16":
        return _deep_gray(im)
    if mode in ("L", "RGB") and im.has_transparency_data:
        mode += "A"
    if im.mode != mode:
        im = im.convert(mode)
    im.load()
    width, height = im.size
    count = _CHANNELS[mode]
    colour = np.empty((height, width, count - (mode in ("LA", "RGBA"))), np.uint8)
    alpha = np.empty((height, width), np.uint8) if mode in ("LA", "RGBA") else None
    rows = max(1, _BAND_BYTES // (width * 4))
    for top in range(0, height, rows):
        band = im.crop((0, top, width, min(top + rows, height)))
        samples = np.frombuffer(band.tobytes(), np.uint8).reshape(-1, width, count)
        if alpha is None:
            colour[top : top + rows] = samples
        else:
            cv2.extractChannel(samples, count - 1, alpha[top : top + rows])
            if mode == "RGBA":
                cv2.cvtColor(samples, cv2.COLOR_RGBA2RGB, colour[top : top + rows])
            else:
                cv2.extractChannel(samples, 0, colour[top : top + rows])
    return colour, alpha, _SPACES[mode]


def _deep_gray(im: Image.Image) -> tuple[Array, Array | None, Space]:
    colour = np.array(im, np.uint16)
    clear = im.info.get("transparency")
    alpha = None
    if isinstance(clear, int):
        alpha = np.where(colour == clear, 0, 65535).astype(np.uint16)
    return colour[..., None], alpha, "gray"


def to_image(colour: Array, alpha: Array | None) -> Image.Image:
    """Return the Pillow image of 8-bit colour (H, W, C) and alpha, or of 16-bit grey."""
    height, width, count = colour.shape
    if colour.dtype == np.uint16:
        return Image.frombuffer(
            "I;16", (width, height), np.ascontiguousarray(colour, "<u2"), "raw", "I;16", 0, 1
        )
    mode = {1: "L", 3: "RGB", 4: "CMYK"}[count]
    samples = np.ascontiguousarray(colour)
    if alpha is not None:
        mode += "A"
        samples = with_alpha(samples, alpha)
    return Image.frombuffer(mode, (width, height), samples, "raw", mode, 0, 1)


def with_alpha(colour: Array, alpha: Array) -> Array:
    """Return grey + alpha (H, W, 2) or RGBA (H, W, 4) of either depth."""
    if colour.shape[2] == 1:
        return np.asarray(cv2.merge([colour[..., 0], alpha]))
    rgba = cv2.cvtColor(colour, cv2.COLOR_RGB2RGBA)
    return np.asarray(cv2.insertChannel(np.ascontiguousarray(alpha), rgba, 3))
