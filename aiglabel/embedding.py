"""Embedding: decode once → mark → encode once → metadata → signature → read back → rename.

No mark decodes or encodes for itself. The order matters: whatever touches pixels comes first, C2PA
last, because it signs everything before it.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from aiglabel import containers, media
from aiglabel.containers.sniff import SUFFIXES, Format, sniff
from aiglabel.errors import (
    AigLabelError,
    OutputError,
    PolicyError,
    SigningError,
    UnsupportedFormat,
)
from aiglabel.evidence import Outcome
from aiglabel.key import Key
from aiglabel.label import Label
from aiglabel.marks import aigc, credentials, iptc, overlay
from aiglabel.marks import watermark as watermark_mark
from aiglabel.marks.metadata import write_properties
from aiglabel.media import Limits, Picture
from aiglabel.policy import Policy

Destination = str | os.PathLike[str] | BinaryIO | None
SIDECAR_SUFFIX = ".c2pa"
_GLANCE_SIDE = 512  # pixels of the shortest side that reading the marks back needs


@dataclass(frozen=True)
class Quality:
    """What the watermark changed; the visible label is meant to be seen and does not count.

    Attributes
    ----------
    psnr_db : float or None
        Worst frame, all colour channels; None where nothing changed.
    ssim : float or None
        Worst frame, luma, on the canonical frame of the watermark.
    largest_change : int
        Of one sample, in the picture's own scale.
    """

    psnr_db: float | None
    ssim: float | None
    largest_change: int

    @classmethod
    def of(cls, outcome: Outcome | None) -> Quality:
        """Take the figures from the watermark's outcome; None means nothing was changed."""
        facts = outcome.facts if outcome else {}
        return cls(facts.get("psnr_db"), facts.get("ssim"), facts.get("largest_change", 0))


@dataclass(frozen=True, kw_only=True)
class EmbedResult:
    """A labelled picture and what was done to it.

    Attributes
    ----------
    payload : bytes or None
        The 8 bytes in the watermark; None when none was written.
    quality : Quality
    marks : tuple of Outcome
        One for each mark of the policy, in the order they were made.
    format : Format
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
    format: Format
    sizes: dict[str, int]
    timings: dict[str, float]
    notes: tuple[str, ...]
    data: bytes = field(repr=False)
    sidecar: bytes | None = field(default=None, repr=False)
    path: str | None = None
    _picture: Picture | None = field(default=None, repr=False)

    @cached_property
    def image(self) -> NDArray[Any]:
        """The marked pixels before encoding: shape and dtype of an array source, else (H, W, C).

        Of an animation, the first frame.
        """
        picture = self._picture or media.decode(self.data)
        return media.to_array(picture)

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


class Labeler:
    """Labels many pictures under one policy, key and signer. Thread-safe: it keeps no state.

    Parameters
    ----------
    policy : Policy, optional
        Default: preset ``cn``.
    key : Key, optional
        Watermark key. Default: the open key, whose marks anyone may detect.
    signer : marks.credentials.Signer, optional
        None writes no C2PA credentials.
    limits : Limits, optional

    Raises
    ------
    PolicyError
        When the policy requires credentials and there is no signer.
    LabelError
        When the font lacks a character of the visible label.
    """

    def __init__(
        self,
        *,
        policy: Policy | None = None,
        key: Key | None = None,
        signer: credentials.Signer | None = None,
        limits: Limits | None = None,
    ) -> None:
        self.policy = policy or Policy.preset("cn")
        self.key = key or Key.public()
        self.signer = signer
        self.limits = limits or Limits()
        if self.policy.credentials.required and signer is None:
            raise PolicyError(
                f"policy '{self.policy.name}' requires C2PA credentials, and there is no signer",
                remedy="Pass signer=Signer.pem(...), or Signer.dev() to try it out",
            )
        if self.policy.overlay.enabled:
            overlay.check(self.policy.overlay.text, self.policy.overlay.font)

    def embed(
        self,
        src: Any,
        dst: Destination = None,
        *,
        label: Label,
        overwrite: bool = True,
        quality: int | None = None,
    ) -> EmbedResult | BatchResult:
        """Label one picture; see `aiglabel.embed`."""
        return self._embed(src, dst, label, label.payload, overwrite=overwrite, quality=quality)

    def watermark(
        self, src: Any, dst: Destination = None, *, payload: bytes, overwrite: bool = True
    ) -> EmbedResult | BatchResult:
        """Write the blind watermark alone; see `aiglabel.watermark`."""
        return self._embed(src, dst, None, payload, overwrite=overwrite, quality=None)

    def _embed(
        self,
        src: Any,
        dst: Destination,
        label: Label | None,
        payload: bytes,
        *,
        overwrite: bool,
        quality: int | None,
    ) -> EmbedResult | BatchResult:
        job = _Job(self, label, payload, quality)
        if media.is_file(src):
            path = src if isinstance(src, (str, os.PathLike)) else None
            try:
                _refuse_same_file(path, dst)
                data = media.read_source(src, self.limits)
                result = job.run(data, _format_for(dst, sniff(data)))
            except AigLabelError as error:
                raise error.at(path) from None
            return _deliver(result, dst, overwrite=overwrite)
        decoded = media.from_array(src, limits=self.limits)
        if isinstance(decoded, list):
            if dst is not None:
                raise OutputError(
                    "a batch of arrays has no single destination",
                    remedy="Leave dst out and write result.data, or embed them one by one",
                )
            return BatchResult(tuple(job.run(one, Format.PNG) for one in decoded))
        usual = SUFFIXES.get(f".{(getattr(src, 'format', None) or 'png').lower()}", Format.PNG)
        return _deliver(job.run(decoded, _format_for(dst, usual)), dst, overwrite=overwrite)


def embed(
    src: Any,
    dst: Destination = None,
    *,
    label: Label,
    policy: Policy | None = None,
    key: Key | None = None,
    signer: credentials.Signer | None = None,
    overwrite: bool = True,
    quality: int | None = None,
) -> EmbedResult | BatchResult:
    """Label one picture with every mark of the policy and read each mark back.

    Parameters
    ----------
    src : path, bytes, binary file, PIL.Image, array or tensor
        Arrays: uint8, uint16 or float in [0, 1]; (H, W), (H, W, 3), (H, W, 4), or a batch
        (N, H, W, 3). Never modified.
    dst : path, binary file or None
        The format follows the suffix of a path, else the source; arrays become PNG. None: the file
        is in ``result.data``.
    label : Label
    policy : Policy, optional
        Default: preset ``cn``.
    key : Key, optional
        Watermark key; default the open key.
    signer : Signer, optional
        C2PA signing profile; None writes no credentials.
    overwrite : bool
        Whether an existing `dst` is replaced (in one step). `src` itself never is.
    quality : int, optional
        1 to 100 for lossy formats; by default as the source is coded.

    Returns
    -------
    EmbedResult
        `BatchResult` for a batch of arrays.

    Raises
    ------
    MediaError, LabelError, PolicyError, SigningError, OutputError
        Naming the file, the reason and the remedy; then nothing is written.
    """
    labeler = Labeler(policy=policy, key=key, signer=signer)
    return labeler.embed(src, dst, label=label, overwrite=overwrite, quality=quality)


def watermark(
    src: Any,
    dst: Destination = None,
    *,
    payload: bytes,
    key: Key | None = None,
    strength: str = "balanced",
    overwrite: bool = True,
) -> EmbedResult | BatchResult:
    """Write the blind watermark alone: no visible label, no metadata.

    Parameters
    ----------
    src, dst, key, overwrite
        See `embed`.
    payload : bytes
        Exactly 8 bytes.
    strength : {"invisible", "balanced", "robust"}

    Raises
    ------
    PayloadError
        When `payload` is not 8 bytes.
    """
    off = {"enabled": False}
    policy = Policy.from_dict({
        "name": "watermark", "overlay": off, "aigc": off, "iptc": off, "credentials": off,
        "watermark": {"strength": strength},
    })  # fmt: skip
    return Labeler(policy=policy, key=key).watermark(src, dst, payload=payload, overwrite=overwrite)


class _Job:
    """One claim, to be made of one picture or more. The steps stand in the order they are taken."""

    def __init__(
        self, labeler: Labeler, label: Label | None, payload: bytes, quality: int | None
    ) -> None:
        self.policy, self.key, self.signer = labeler.policy, labeler.key, labeler.signer
        self.limits, self.label, self.payload = labeler.limits, label, payload
        self.quality = quality

    @property
    def _signs(self) -> bool:
        asked = self.label is not None and self.policy.credentials.enabled
        return asked and self.signer is not None

    def run(self, source: bytes | Picture, fmt: Format) -> EmbedResult:
        """Label a file's bytes, or a picture made of an array."""
        clock = _Clock()
        data = source if isinstance(source, bytes) else b""
        picture = None if isinstance(source, bytes) else source
        # A file whose pixels nobody touches is never decoded: they stay byte-identical.
        repaint = self.policy.overlay.enabled or self.policy.watermark.enabled
        if picture is None and (repaint or fmt is not sniff(data)):
            with clock.step("decode"):
                picture = media.decode(data, limits=self.limits)
        unsigned = bool(data) and not self._signs and containers.has_c2pa(data, sniff(data))
        if unsigned and picture is None:
            raise SigningError(
                "the file carries C2PA credentials that a new label would invalidate",
                remedy="Pass a signer, so that they become the parent of new ones",
            )
        outcomes: list[Outcome] = []
        coded: bytes = data
        notes: list[str] = []
        if picture is not None:
            picture = media.fit(picture, fmt)
            outcomes += self._paint(picture, clock)
            coded, notes = self._encode(picture, data, fmt, clock)
            if unsigned:
                notes.append("its C2PA credentials do not fit the new pixels; a signer keeps them")
        coded, more = self._describe(coded, data, fmt, clock)
        outcomes += more
        signed = self._sign(coded, data, fmt, outcomes, clock)
        if signed is not None:
            coded, outcomes = signed.data, [*outcomes, signed.outcome]
        if picture is not None:
            with clock.step("read back"):
                outcomes = self._read_back(picture, coded, outcomes)
        marked = next((one for one in outcomes if one.mark == watermark_mark.MARK), None)
        return EmbedResult(
            payload=self.payload if marked and marked.written else None,
            quality=Quality.of(marked),
            marks=tuple(outcomes),
            format=fmt,
            sizes={"source": len(data), "result": len(coded)},
            timings=clock.seconds,
            notes=tuple(notes),
            data=coded,
            sidecar=signed.sidecar if signed else None,
            _picture=picture,
        )

    def _paint(self, picture: Picture, clock: _Clock) -> Iterator[Outcome]:
        """Draw the visible label, then the watermark over it, replacing the picture's arrays."""
        if self.policy.overlay.enabled:
            with clock.step("overlay"):
                yield overlay.write(picture, self.policy.overlay)
        if self.policy.watermark.enabled:
            with clock.step("watermark"):
                yield watermark_mark.write(
                    picture, self.payload, key=self.key, strength=self.policy.watermark.strength
                )

    def _encode(
        self, picture: Picture, source: bytes, fmt: Format, clock: _Clock
    ) -> tuple[bytes, list[str]]:
        with clock.step("encode"):
            coded = media.encode(picture, fmt, quality=self.quality)
            notes = list(picture.notes)
            if source and sniff(source) is fmt:
                coded, lost = containers.carry_over(source, coded, fmt)
                notes += lost
            elif source:
                for packet in containers.read_xmp(source, sniff(source))[:1]:
                    coded = containers.write_xmp(coded, fmt, packet)
                notes.append(f"converted to {fmt.value.upper()}: only EXIF, ICC and XMP come along")
        return coded, notes

    def _describe(
        self, coded: bytes, source: bytes, fmt: Format, clock: _Clock
    ) -> tuple[bytes, list[Outcome]]:
        """Write AIGC and IPTC properties in one pass over the file."""
        outcomes: list[Outcome] = []
        if self.label is None:
            return coded, outcomes
        with clock.step("metadata"):
            also = iptc.properties(self.label) if self.policy.iptc.enabled else {}
            if self.policy.aigc.enabled:
                found = aigc.read(source, sniff(source)) if source else None
                coded, outcome = aigc.write(
                    coded, fmt, self.label, existing=self.policy.aigc.existing, source=found,
                    also=also,
                )  # fmt: skip
                outcomes.append(outcome)
            else:
                coded = write_properties(coded, fmt, also)
            if also:  # a mere suspicion states no source type
                outcomes.append(iptc.outcome(coded, fmt, also))
        return coded, outcomes

    def _sign(
        self, coded: bytes, source: bytes, fmt: Format, outcomes: list[Outcome], clock: _Clock
    ) -> credentials.Signed | None:
        if not self._signs or self.signer is None or self.label is None:
            return None
        with clock.step("sign"):
            return credentials.write(
                coded, fmt, label=self.label, signer=self.signer, marks=outcomes,
                parent=source or None, soft_binding=self.policy.credentials.soft_binding,
                allow_broken_parent=self.policy.credentials.allow_broken_parent,
            )  # fmt: skip

    def _read_back(self, picture: Picture, data: bytes, outcomes: list[Outcome]) -> list[Outcome]:
        """Decode what was made; a pixel mark that the encoder destroyed is not called written."""
        back = media.glance(data, space=picture.space, shortest=_GLANCE_SIDE, limits=self.limits)
        return [
            one
            if not one.written or self._survived(one, picture, back)
            else replace(one, written=False, detail=f"{one.detail}; lost in encoding")
            for one in outcomes
        ]

    def _survived(self, outcome: Outcome, picture: Picture, back: Picture) -> bool:
        if outcome.mark == overlay.MARK:
            return overlay.holds(picture, back, outcome)
        if outcome.mark == watermark_mark.MARK:
            return watermark_mark.holds(back, self.payload, key=self.key)
        return True  # metadata and credentials read themselves back as they are written


class _Clock:
    """Seconds spent in each step of one job."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}

    @contextmanager
    def step(self, name: str) -> Iterator[None]:
        begin = time.perf_counter()
        yield
        self.seconds[name] = self.seconds.get(name, 0.0) + time.perf_counter() - begin


def _format_for(dst: Destination, usual: Format) -> Format:
    if not isinstance(dst, (str, os.PathLike)):
        return usual
    suffix = Path(dst).suffix.lower()
    if suffix not in SUFFIXES:
        raise UnsupportedFormat(
            f"no picture format has the suffix '{suffix}'", path=dst,
            remedy=f"Use one of {', '.join(SUFFIXES)}",
        )  # fmt: skip
    return SUFFIXES[suffix]


def _refuse_same_file(src: str | os.PathLike[str] | None, dst: Destination) -> None:
    if src is None or not isinstance(dst, (str, os.PathLike)):
        return
    if Path(src).exists() and Path(dst).exists() and Path(src).samefile(dst):
        raise OutputError(
            "source and destination are the same file", path=src,
            remedy="Write to another name; sources are never changed",
        )  # fmt: skip


def _deliver(result: EmbedResult, dst: Destination, *, overwrite: bool) -> EmbedResult:
    if dst is None:
        return result
    if not isinstance(dst, (str, os.PathLike)):
        dst.write(result.data)
        return result
    if result.sidecar is not None:
        media.atomic_write(f"{os.fspath(dst)}{SIDECAR_SUFFIX}", result.sidecar, overwrite=overwrite)
    media.atomic_write(dst, result.data, overwrite=overwrite)
    return replace(result, path=os.fspath(dst))
