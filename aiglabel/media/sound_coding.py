"""How a sound is coded: what an encoder needs to stay close to its source."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from aiglabel.containers.sniff import SoundFormat
from aiglabel.errors import UnsupportedFormat
from aiglabel.media.atomic import Source

Samples = NDArray[np.float32]
Codec = Literal["pcm", "flac", "alac", "mp3", "aac", "vorbis", "opus"]

# Speaker masks of WAVEFORMATEXTENSIBLE, by ffmpeg's names; its channel order is that of the bits.
MASKS = {
    "mono": 0x4, "stereo": 0x3, "2.1": 0xB, "3.0": 0x7, "3.0(back)": 0x103, "4.0": 0x107,
    "3.1": 0xF, "4.1": 0x10F, "quad": 0x33, "quad(side)": 0x603, "5.0": 0x37, "5.0(side)": 0x607,
    "5.1": 0x3F, "5.1(side)": 0x60F, "6.0": 0x707, "6.1": 0x70F, "6.1(back)": 0x13F,
    "7.0": 0x637, "7.1": 0x63F, "7.1(wide)": 0xFF, "7.1(wide-side)": 0x6CF,
}  # fmt: skip
_USUAL = ("mono", "stereo", "3.0", "quad", "5.0", "5.1", "6.1", "7.1")

CODECS: dict[SoundFormat, tuple[Codec, ...]] = {
    SoundFormat.WAV: ("pcm",),
    SoundFormat.FLAC: ("flac",),
    SoundFormat.MP3: ("mp3",),
    SoundFormat.M4A: ("aac", "alac"),
    SoundFormat.OGG: ("vorbis", "flac", "opus"),
    SoundFormat.OPUS: ("opus",),
}
LOSSLESS = ("pcm", "flac", "alac")


def usual_layout(channels: int) -> str | None:
    """Return the usual layout of 1 to 8 channels; None for others."""
    return _USUAL[channels - 1] if 1 <= channels <= len(_USUAL) else None


def layout_of(mask: int, channels: int) -> str | None:
    """Return the layout of a speaker mask; the usual one where the mask is empty."""
    if mask == 0:
        return usual_layout(channels)
    return next((name for name, bits in MASKS.items() if bits == mask), None)


@dataclass(frozen=True)
class Coding:
    """SoundFormat, codec and its parameters.

    Parameters
    ----------
    container : SoundFormat
    codec : {"pcm", "flac", "alac", "mp3", "aac", "vorbis", "opus"}
    rate : int
        Samples a second (Hz) of the decoded sound; 48000 for every Opus.
    channels : int
    layout : str, optional
        ffmpeg's name of the channel layout, which also gives the channels' order ("5.1" is FL,
        FR, FC, LFE, BL, BR); None where speakers are not assigned.
    bits : int, optional
        Bits a sample of lossless codecs.
    floating : bool
        WAV: samples are floating-point numbers.
    bitrate : int, optional
        Bits a second of lossy codecs: nominal where the file says so, else the mean.
    variable : bool
        MP3: the bit rate varies from frame to frame.
    samples : int, optional
        Samples of one channel when played, as far as the headers tell.
    delay, padding : int, optional
        Samples that the coder put before and behind the sound and that decoding removes.
    extensible, rf64 : bool
        WAV: kinds of header.
    """

    container: SoundFormat
    codec: Codec
    rate: int
    channels: int
    layout: str | None = None
    bits: int | None = None
    floating: bool = False
    bitrate: int | None = None
    variable: bool = False
    samples: int | None = None
    delay: int | None = None
    padding: int | None = None
    extensible: bool = False
    rf64: bool = False

    @property
    def ogg(self) -> bool:
        """Whether the codec, Opus, Vorbis or FLAC, is in Ogg pages."""
        return self.container in (SoundFormat.OGG, SoundFormat.OPUS)

    @property
    def lossless(self) -> bool:
        """Whether what is encoded comes back as it was."""
        return self.codec in LOSSLESS

    def into(
        self, container: SoundFormat, codec: Codec | None = None, *, bitrate: int | None = None
    ) -> Coding:
        """Return the coding of the same sound in another container.

        Opus in ``SoundFormat.OGG`` is taken for what it is, ``SoundFormat.OPUS``.

        Parameters
        ----------
        container : SoundFormat
        codec : str, optional
            By default the source's where `container` takes it, else the container's first of
            `CODECS`.
        bitrate : int, optional
            Bits a second of lossy codecs; by default the source's, else the encoder's default.

        Raises
        ------
        UnsupportedFormat
            `container` does not hold `codec`.
        """
        allowed = CODECS[container]
        codec = codec or (self.codec if self.codec in allowed else allowed[0])
        if codec not in allowed:
            raise UnsupportedFormat(
                f"{container.value} does not hold {codec}", remedy=f"Use {' or '.join(allowed)}"
            )
        bits = self.bits or 16
        if codec != "pcm":
            bits = 16 if bits <= 16 and not self.floating else 24
        lossless = codec in LOSSLESS
        return replace(
            self,
            container=SoundFormat.OPUS if codec == "opus" else container,
            codec=codec,
            bits=bits if lossless else None,
            floating=self.floating and codec == "pcm",
            bitrate=None if lossless else bitrate or (None if self.lossless else self.bitrate),
            variable=self.variable and codec == "mp3",
            delay=None,
            padding=None,
            extensible=self.extensible and codec == "pcm",
            rf64=self.rf64 and codec == "pcm",
        )


@dataclass(frozen=True, eq=False)
class Sound:
    """A decoded sound.

    Parameters
    ----------
    y : float32 (channels, n)
        Full scale is [-1, 1]; lossy codecs and floating-point files may overshoot a little.
    coding : Coding
        How the source is coded; `coding.samples` is n.
    source : path, bytes or open file, optional
        Where tags and pictures are taken from when it is encoded again.
    notes : tuple of str
        Plain sentences on what was odd in the source.
    """

    y: Samples
    coding: Coding
    source: Source | None = field(default=None, repr=False)
    notes: tuple[str, ...] = ()

    @property
    def rate(self) -> int:
        """Samples a second (Hz)."""
        return self.coding.rate

    @property
    def seconds(self) -> float:
        """Length in seconds."""
        return float(self.y.shape[1] / self.coding.rate)

    def changed(self, **coding: Any) -> Sound:
        """Return a copy that shares the samples, with other fields of `coding`."""
        return replace(self, coding=replace(self.coding, **coding))
