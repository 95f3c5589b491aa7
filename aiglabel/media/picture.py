"""A decoded picture: arrays in displayed orientation, and what its encoder needs to know."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from aiglabel.containers.sniff import Format

Array = NDArray[np.uint8 | np.uint16]
Space = Literal["rgb", "gray", "cmyk"]
Subsampling = Literal["4:4:4", "4:2:2", "4:2:0", "4:0:0"]


@dataclass(frozen=True)
class Settings:
    """How the source was coded: what an encoder needs to stay close to it.

    Parameters
    ----------
    orientation : int
        EXIF orientation, 1 to 8. Frames are held upright; encoders turn them back, so the tag in
        the file stays true.
    icc, exif : bytes, optional
        Colour profile; EXIF block without its six byte prefix and without thumbnail.
    bits : int
        Bits a sample to code with, 8 or 16. Frames of 16 bits are reduced where it is 8.
    lossless : bool
        WebP, AVIF: the source was coded without loss.
    quality : int, optional
        1 to 100. None means the encoder's default for the format.
    quantisation : tuple of tuple of int
        JPEG tables in use, luma then chroma, 64 values each in natural order.
    subsampling : str, optional
        Chroma layout of JPEG and AVIF.
    progressive, stored_rgb : bool
        JPEG scan order; JPEG that stores R, G, B instead of Y, Cb, Cr.
    compression : str, optional
        TIFF compression by its Pillow name, where it is lossless.
    dpi : tuple of float, optional
        Resolution in pixels an inch, horizontal and vertical.
    durations : tuple of float
        Milliseconds each frame is shown; empty for stills and pages.
    plays : int
        How often an animation runs, 0 = for ever.
    poster : bool
        APNG: the first frame is a still for old viewers and not part of the animation.
    cicp : tuple of int, optional
        HEIC: colour primaries and transfer characteristics (ITU-T H.273).
    array : tuple of str and int, optional
        Kind of samples (NumPy's letter) and number of axes of the array it was made from.
    """

    orientation: int = 1
    icc: bytes | None = None
    exif: bytes | None = None
    bits: int = 8
    lossless: bool = False
    quality: int | None = None
    quantisation: tuple[tuple[int, ...], ...] = ()
    subsampling: Subsampling | None = None
    progressive: bool = False
    stored_rgb: bool = False
    compression: str | None = None
    dpi: tuple[float, float] | None = None
    durations: tuple[float, ...] = ()
    plays: int = 0
    poster: bool = False
    cicp: tuple[int, int] | None = None
    array: tuple[str, int] | None = None


@dataclass
class Picture:
    """A still, an animation or the pages of a TIFF.

    Parameters
    ----------
    frames : list of ndarray
        Colour only, displayed orientation, ``uint8`` or ``uint16`` (all alike), each
        ``(H, W, C)``: C is 3 for "rgb", 1 for "gray", 4 for "cmyk" (ink, 0 = none). Animation
        frames are whole canvases of one size; pages may differ.
    alpha : list of ndarray or None
        One for each frame, ``(H, W)``, same dtype, 0 = transparent.
    space : {"rgb", "gray", "cmyk"}
        Meaning of the channels.
    format : Format, optional
        Container it came from; None for arrays.
    settings : Settings
        How it was coded.
    notes : list of str
        Plain sentences on what the coded result cannot keep.
    """

    frames: list[Array]
    alpha: list[Array | None]
    space: Space
    format: Format | None = None
    settings: Settings = field(default_factory=Settings)
    notes: list[str] = field(default_factory=list)

    @property
    def size(self) -> tuple[int, int]:
        """Displayed width and height of the first frame."""
        return self.frames[0].shape[1], self.frames[0].shape[0]

    @property
    def animated(self) -> bool:
        """Several frames shown one after the other, not pages."""
        return bool(self.settings.durations)

    def changed(self, **settings: Any) -> Picture:
        """Return a copy that shares the arrays, with other `settings`."""
        return replace(self, settings=replace(self.settings, **settings), notes=list(self.notes))


def eight_bits(samples: Array) -> Array:
    """Return 16-bit samples rounded to 8; 8-bit ones as they are. 65535 = 255 * 257."""
    if samples.dtype == np.uint8:
        return samples.astype(np.uint8, copy=False)
    return ((samples.astype(np.uint32) + 128) // 257).astype(np.uint8)
