"""What embedding gives back."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from aiglabel import media
from aiglabel.containers.sniff import AnyFormat, SoundFormat, VideoFormat
from aiglabel.errors import MediaError, UnsupportedFormat
from aiglabel.evidence import Outcome
from aiglabel.media import Picture, sound, video
from aiglabel.media.sound_arrays import Like, to_samples
from aiglabel.media.video_display import displayed


@dataclass(frozen=True)
class Quality:
    """What the watermark changed; the visible label is meant to be seen and does not count.

    Attributes
    ----------
    psnr_db : float or None
        Worst frame, all colour channels; None where nothing changed.
    psnr_hvs_m_db : float or None
        Worst frame, luma, weighted by what eyes see; of blocks spread over the frame.
    ssim : float or None
        Worst frame, luma, on the canonical frame of the watermark.
    largest_change : float
        Of one sample: in the picture's own scale; of a sound, in shares of full scale.
    snr_db : float or None
        Of a sound: the whole over the change.
    """

    psnr_db: float | None
    psnr_hvs_m_db: float | None
    ssim: float | None
    largest_change: float
    snr_db: float | None = None

    @classmethod
    def of(cls, outcome: Outcome | None) -> Quality:
        """Take the figures from the watermark's outcome; None means nothing was changed."""
        facts = outcome.facts if outcome else {}
        ratios = facts.get("psnr_db"), facts.get("psnr_hvs_m_db")
        return cls(*ratios, facts.get("ssim"), facts.get("largest_change", 0), facts.get("snr_db"))


@dataclass(frozen=True, kw_only=True, eq=False)
class EmbedResult:
    """A labelled picture, sound or film and what was done to it.

    Attributes
    ----------
    payload : bytes or None
        The 8 bytes in the watermark; None when none was written.
    quality : Quality
    marks : tuple of Outcome
        One for each mark of the policy, in the order they were made.
    format : Format, SoundFormat or VideoFormat
    sizes : dict
        Bytes of ``source`` (0 for arrays) and ``result``.
    timings : dict
        Seconds by step.
    notes : tuple of str
        What the result could not keep of its source.
    data : bytes
        The labelled file.
    sidecar : bytes or None
        The C2PA manifest where the container could not take it, kept as ``<file>.c2pa``.
    path : str or None
        Where it was written.
    """

    payload: bytes | None
    quality: Quality
    marks: tuple[Outcome, ...]
    format: AnyFormat
    sizes: dict[str, int]
    timings: dict[str, float]
    notes: tuple[str, ...]
    sidecar: bytes | None = field(default=None, repr=False)
    path: str | None = None
    _data: bytes | None = field(default=None, repr=False)
    _media: Picture | Like | None = field(default=None, repr=False)

    @cached_property
    def data(self) -> bytes:
        """The labelled file. One that was written to a path in pieces is read now.

        Raises
        ------
        MediaError
            When it cannot be read.
        """
        if self._data is None:
            assert self.path is not None
            try:
                return Path(self.path).read_bytes()
            except OSError as exc:
                raise MediaError(f"cannot be read: {exc.strerror}", path=self.path) from exc
        return self._data

    @cached_property
    def image(self) -> NDArray[Any]:
        """The marked pixels before encoding: shape and dtype of an array source, else (H, W, C).

        Of an animation, the first frame; of a film that too, as it is shown.

        Raises
        ------
        UnsupportedFormat
            When it is a sound.
        """
        if isinstance(self.format, SoundFormat):
            raise UnsupportedFormat("the result is a sound", remedy="Ask for its `sound`")
        if isinstance(self.format, VideoFormat):
            film = self.path or self.data
            return displayed(next(video.frames(film)), video.probe(film))
        picture = self._media if isinstance(self._media, Picture) else media.decode(self.data)
        return media.to_array(picture)

    @cached_property
    def sound(self) -> NDArray[Any]:
        """The labelled samples: shape and dtype of an array source, else float32 (channels, n).

        Of a file, as it is decoded: of lossy formats, what the encoder left.

        Raises
        ------
        UnsupportedFormat
            When it is a picture or a film.
        """
        if not isinstance(self.format, SoundFormat):
            raise UnsupportedFormat("the result is no sound", remedy="Ask for its `image`")
        like = self._media if isinstance(self._media, Like) else None
        return to_samples(sound.decode(self.path or self.data).y, like)

    @property
    def complete(self) -> bool:
        """Whether every mark the policy asks for is in the file, if only as it came."""
        return all(outcome.written or outcome.facts.get("kept") for outcome in self.marks)

    def mark(self, name: str) -> Outcome | None:
        """Return the outcome of one mark, None when the policy does not ask for it."""
        return next((outcome for outcome in self.marks if outcome.mark == name), None)


@dataclass(frozen=True)
class BatchResult:
    """Results of an (N, H, W, C) array, one for each picture.

    Attributes
    ----------
    results : tuple of EmbedResult
    """

    results: tuple[EmbedResult, ...]

    @property
    def data(self) -> list[bytes]:
        """The labelled files."""
        return [result.data for result in self.results]

    @property
    def image(self) -> NDArray[Any]:
        """The marked pixels, (N, H, W, C) of the source's dtype."""
        return np.stack([result.image for result in self.results])
