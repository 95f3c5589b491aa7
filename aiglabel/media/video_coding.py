"""How a film is coded: what its frames look like, and what an encoder needs to stay close to it."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray

from aiglabel.containers.sniff import VideoFormat

Plane = NDArray[np.uint8] | NDArray[np.uint16]

ROUNDED = 0.002
"""Seconds by which containers round times."""

_PLANAR = re.compile(r"(?:yuv(420|422|444|440|411|410)p|gray)(9|10|12|14|16)?(?:le)?")
_SHIFTS = {"420": (1, 1), "422": (1, 0), "444": (0, 0), "440": (0, 1), "411": (2, 0), "410": (2, 2)}
# The same samples in another order, or two names of one thing.
_ALIKE = {
    "nv12": "yuv420p", "nv21": "yuv420p", "nv16": "yuv422p", "nv24": "yuv444p",
    "yuyv422": "yuv422p", "uyvy422": "yuv422p", "yvyu422": "yuv422p", "uyyvyy411": "yuv411p",
    "p010le": "yuv420p10le", "p210le": "yuv422p10le", "p410le": "yuv444p10le",
    "nv20le": "yuv422p10le", "monow": "gray", "monob": "gray", "ya8": "gray",
}  # fmt: skip


@dataclass(frozen=True)
class PixelFormat:
    """A planar pixel format: Y alone, or Y, U and V.

    Parameters
    ----------
    name : str
        ffmpeg's.
    bits : int
        Bits a sample; more than 8 are in the low bits of uint16.
    shift : (int, int) or None
        log2 of how much narrower and lower U and V are; None for grey.
    """

    name: str
    bits: int
    shift: tuple[int, int] | None

    @classmethod
    def named(cls, name: str) -> PixelFormat | None:
        """Return the format that ffmpeg calls `name`; None if it is not one of these."""
        found = _PLANAR.fullmatch(name)
        if not found:
            return None
        bits = int(found[2] or 8)
        if (bits > 8) != name.endswith("le"):
            return None
        return cls(name, bits, _SHIFTS.get(found[1] or ""))

    def shapes(self, width: int, height: int) -> list[tuple[int, int]]:
        """Return the (rows, columns) of every plane."""
        shapes = [(height, width)]
        if self.shift:
            across, down = self.shift
            shapes += [(-(-height >> down), -(-width >> across))] * 2
        return shapes

    def size(self, width: int, height: int) -> int:
        """Return the bytes of a frame."""
        return (1 + (self.bits > 8)) * sum(h * w for h, w in self.shapes(width, height))

    def planes(
        self, picture: bytearray | NDArray[np.uint8], width: int, height: int
    ) -> tuple[Plane, ...]:
        """Return views of the planes in `picture`, which they can change."""
        flat = np.frombuffer(picture, np.uint8 if self.bits == 8 else "<u2")
        planes, at = [], 0
        for rows, columns in self.shapes(width, height):
            planes.append(flat[at : at + rows * columns].reshape(rows, columns))
            at += rows * columns
        return tuple(planes)


def worked_in(name: str) -> tuple[PixelFormat, str]:
    """Return the planar format in which frames of pixel format `name` are handed out.

    Returns
    -------
    PixelFormat
    str
        What is lost by that, a plain sentence; empty if nothing is.
    """
    plain = re.sub(r"^yuvj", "yuv", name)
    plain = re.sub(r"be$", "le", _ALIKE.get(plain, plain))
    direct = PixelFormat.named(plain)
    if direct:
        return direct, ""
    opaque = PixelFormat.named(re.sub(r"^yuva", "yuv", plain))
    if opaque:
        return opaque, "transparency is not kept"
    deep = bool(re.search(r"(48|64|10|12|14|16)(le)?$", plain))
    colour = PixelFormat("yuv444p10le", 10, (0, 0)) if deep else PixelFormat("yuv444p", 8, (0, 0))
    return colour, f"the pictures, {name[:20]}, are converted to {colour.name}"


@dataclass(frozen=True)
class Colour:
    """Colour tags under ffmpeg's names; None where the file has none.

    Parameters
    ----------
    range : {"tv", "pc"}, optional
        Limited or full.
    space, primaries, transfer : str, optional
        Matrix coefficients, primaries, transfer characteristics (ITU-T H.273).
    chroma : str, optional
        Where chroma samples lie ("left", "topleft", …).
    mastering : str, optional
        The mastering display (SMPTE ST 2086) as x265 writes it:
        ``G(x,y)B(x,y)R(x,y)WP(x,y)L(max,min)`` in units of 0.00002 and 0.0001 cd/m².
    light : (int, int), optional
        Greatest light level of a pixel and of a frame's mean (CTA-861.3), cd/m².
    """

    range: str | None = None
    space: str | None = None
    primaries: str | None = None
    transfer: str | None = None
    chroma: str | None = None
    mastering: str | None = None
    light: tuple[int, int] | None = None

    @property
    def hdr(self) -> bool:
        """Whether the transfer is PQ or HLG."""
        return self.transfer in ("smpte2084", "arib-std-b67")


@dataclass(frozen=True)
class Track:
    """A track of a film as ffmpeg sees it.

    Parameters
    ----------
    index : int
        ffmpeg's number, from 0.
    kind : {"video", "audio", "subtitle", "data", "attachment"}
    codec : str
        "none" where ffmpeg does not know it.
    tag : str
        The file's own name of the codec, as in "tmcd"; may be empty.
    language : str
        May be empty.
    dispositions : tuple of str
        As in "default", "forced", "attached pic".
    bitrate : int, optional
        Bits a second.
    """

    index: int
    kind: str
    codec: str
    tag: str = ""
    language: str = ""
    dispositions: tuple[str, ...] = ()
    bitrate: int | None = None

    @property
    def cover(self) -> bool:
        """Whether it is a picture that stands beside the film."""
        return "attached pic" in self.dispositions


@dataclass(frozen=True)
class VideoCoding:
    """Container, codec and parameters of the first film track of a file.

    Parameters
    ----------
    container : VideoFormat
    codec : str
        ffmpeg's name: "h264", "hevc", "vp9", "av1", …
    profile : str, optional
        As in "High 10".
    width, height : int
        Of frames as they are stored, pixels.
    sample_aspect : Fraction, optional
        Width of a pixel over its height; None if not told.
    rotation : float
        Degrees by which a player turns the frames clockwise.
    pixel_format : PixelFormat
        What frames are handed out in.
    rate : Fraction, optional
        Mean frames a second.
    variable : bool
        The mean rate is not the usual one: frames stand for different times.
    time_base : Fraction
        Seconds a tick.
    begins : float
        When the file's first track begins, seconds on its clock.
    seconds : float, optional
        Length of the file.
    frames : int, optional
        About how many; `rate` times `seconds`.
    colour : Colour
    fields : str, optional
        Order of the fields of interlaced film: "tt", "bb", "tb" or "bt".
    bitrate : int, optional
        Bits a second of this track, of all the file where only that is told.
    tracks : tuple of Track
        All tracks of the file.
    stream : int
        Index of the film track.
    chapters : int
    notes : tuple of str
        Plain sentences on what is not kept.
    """

    container: VideoFormat
    codec: str
    profile: str | None
    width: int
    height: int
    pixel_format: PixelFormat
    time_base: Fraction
    sample_aspect: Fraction | None = None
    rotation: float = 0.0
    rate: Fraction | None = None
    variable: bool = False
    begins: float = 0.0
    seconds: float | None = None
    frames: int | None = None
    colour: Colour = field(default_factory=Colour)
    fields: str | None = None
    bitrate: int | None = None
    tracks: tuple[Track, ...] = ()
    stream: int = 0
    chapters: int = 0
    notes: tuple[str, ...] = ()

    @property
    def bits(self) -> int:
        """Bits a sample."""
        return self.pixel_format.bits


@dataclass(frozen=True)
class VideoTarget:
    """How a film is to be coded, as far as that differs from its source.

    Parameters
    ----------
    container : VideoFormat, optional
    codec : {"h264", "hevc", "vp9", "vp8", "av1", "mpeg4", "mpeg2video", "mjpeg", "prores", \
"ffv1", "flv1"}, optional
    profile : str, optional
        The encoder's name of it.
    quality : float, optional
        The encoder's own measure: CRF, or the quantiser's scale.
    bitrate : int, optional
        Bits a second, instead of a quality.
    preset : str, optional
        The encoder's own, as in "medium": slower and smaller, or faster.
    options : mapping
        Further output options of ffmpeg, the last word.
    """

    container: VideoFormat | None = None
    codec: str | None = None
    profile: str | None = None
    quality: float | None = None
    bitrate: int | None = None
    preset: str | None = None
    options: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Lead:
    """A still picture that comes before a film.

    Parameters
    ----------
    seconds : float
    paint : callable
        Gets the first `Frame`, of undefined samples, at its time on the clock of the film, which is
        before the film's own first; the others show the same.
    """

    seconds: float
    paint: Callable[[Frame], None]


@dataclass(frozen=True, eq=False)
class Frame:
    """One picture of a film.

    Parameters
    ----------
    number : int
        From 0, in the order of display.
    time : float
        When it is shown, seconds on the clock of the file.
    planes : tuple of uint8 or uint16 (rows, columns)
        Y, and U and V where there is colour; changing them changes the frame.
    """

    number: int
    time: float
    planes: tuple[Plane, ...]

    @property
    def y(self) -> Plane:
        """Luma, (height, width)."""
        return self.planes[0]

    @property
    def chroma(self) -> tuple[Plane, ...]:
        """U and V, or nothing."""
        return self.planes[1:]
