"""The public way to write marks: every kind of source, one pipeline, every kind of destination."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import Any, BinaryIO, TypeVar

from aiglabel import media
from aiglabel.containers.sniff import (
    SOUND_SUFFIXES,
    SUFFIXES,
    AnyFormat,
    Format,
    SoundFormat,
    VideoFormat,
    sniff_media,
)
from aiglabel.errors import (
    AigLabelError,
    OutputError,
    PolicyError,
    UnsupportedFormat,
)
from aiglabel.key import Key
from aiglabel.label import Label
from aiglabel.marks import credentials, overlay
from aiglabel.media import Limits, sound_arrays
from aiglabel.pipeline import Job, PictureJob, SoundJob
from aiglabel.policy import Policy
from aiglabel.result import BatchResult, EmbedResult

Destination = str | os.PathLike[str] | BinaryIO | None
AnyJob = TypeVar("AnyJob", bound=Job)


class Labeler:
    """Labels many files under one policy, key and signer. Thread-safe: it keeps no state.

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
        When the font lacks a character of the visible label, or no voice says the audible one.
    MediaError
        When the recording of the audible label cannot be read.
    """

    def __init__(
        self,
        *,
        policy: Policy | None = None,
        key: Key | None = None,
        signer: credentials.Signer | None = None,
        limits: Limits | None = None,
    ) -> None:
        _expect("policy", policy, Policy, "Policy.preset('cn') or Policy.load(path)")
        _expect("key", key, Key, "Key.load(path)")
        _expect("signer", signer, credentials.Signer, "Signer.pem(...) or Signer.dev()")
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
        if self.policy.audible.enabled and self.policy.audible.form == "voice":
            self.policy.audible.known_voice()

    def embed(
        self,
        src: Any,
        dst: Destination = None,
        *,
        label: Label,
        rate: float | None = None,
        overwrite: bool = True,
        quality: int | None = None,
        bitrate: int | None = None,
    ) -> EmbedResult | BatchResult:
        """Label one picture or sound; see `aiglabel.embed`."""
        _expect("label", label, Label, "Label.generated(...)")
        return self._embed(
            src, dst, label, label.payload, rate=rate, overwrite=overwrite, quality=quality,
            bitrate=bitrate,
        )  # fmt: skip

    def watermark(
        self,
        src: Any,
        dst: Destination = None,
        *,
        payload: bytes,
        rate: float | None = None,
        overwrite: bool = True,
    ) -> EmbedResult | BatchResult:
        """Write the blind watermark alone; see `aiglabel.watermark`."""
        return self._embed(src, dst, None, payload, rate=rate, overwrite=overwrite)

    def _embed(
        self,
        src: Any,
        dst: Destination,
        label: Label | None,
        payload: bytes,
        *,
        rate: float | None,
        overwrite: bool,
        **coding: Any,
    ) -> EmbedResult | BatchResult:
        def job(kind: type[AnyJob]) -> AnyJob:
            return kind(
                policy=self.policy, key=self.key, signer=self.signer, limits=self.limits,
                label=label, payload=payload, **coding,
            )  # fmt: skip

        if media.is_file(src):
            path = src if isinstance(src, (str, os.PathLike)) else None
            try:
                _refuse_same_file(path, dst)
                data = media.read_source(src, self.limits)
                found = sniff_media(data)
                kind = SoundJob if isinstance(found, SoundFormat) else PictureJob
                result = job(kind).run(data, format_for(dst, found))
            except AigLabelError as error:
                raise error.at(path) from None
            return _deliver(result, dst, overwrite=overwrite)
        if rate is not None:
            samples, like = sound_arrays.from_samples(src, rate, limits=self.limits)
            wanted = format_for(dst, SoundFormat.WAV)
            result = job(SoundJob).run_array(samples, like, wanted)
            return _deliver(result, dst, overwrite=overwrite)
        decoded = media.from_array(src, limits=self.limits)
        if isinstance(decoded, list):
            if dst is not None:
                raise OutputError(
                    "a batch of arrays has no single destination",
                    remedy="Leave dst out and write result.data, or embed them one by one",
                )
            batch = (job(PictureJob).run_array(one, Format.PNG) for one in decoded)
            return BatchResult(tuple(batch))
        usual = SUFFIXES.get(f".{(getattr(src, 'format', None) or 'png').lower()}", Format.PNG)
        result = job(PictureJob).run_array(decoded, format_for(dst, usual))
        return _deliver(result, dst, overwrite=overwrite)


def embed(
    src: Any,
    dst: Destination = None,
    *,
    label: Label,
    policy: Policy | None = None,
    key: Key | None = None,
    signer: credentials.Signer | None = None,
    rate: float | None = None,
    overwrite: bool = True,
    quality: int | None = None,
    bitrate: int | None = None,
) -> EmbedResult | BatchResult:
    """Label one picture or sound with every mark of the policy and read each mark back.

    Parameters
    ----------
    src : path, bytes, binary file, PIL.Image, array or tensor
        Pictures: uint8, uint16 or float in [0, 1]; (H, W), (H, W, 3), (H, W, 4), or a batch
        (N, H, W, 3). Sounds, with `rate`: int16, int32 or float in [-1, 1]; (channels, n) or (n,).
        Never modified.
    dst : path, binary file or None
        The format follows the suffix of a path, else the source; arrays become PNG or WAV. None:
        the file is in ``result.data``.
    label : Label
    policy : Policy, optional
        Default: preset ``cn``.
    key : Key, optional
        Watermark key; default the open key.
    signer : Signer, optional
        C2PA signing profile; None writes no credentials.
    rate : int, optional
        Samples a second: says that an array is a sound.
    overwrite : bool
        Whether an existing `dst` is replaced (in one step). `src` itself never is.
    quality : int, optional
        1 to 100 for lossy picture formats; by default as the source is coded.
    bitrate : int, optional
        Bits a second for lossy sound formats; by default as the source is coded.

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
    return labeler.embed(
        src, dst, label=label, rate=rate, overwrite=overwrite, quality=quality, bitrate=bitrate
    )


def watermark(
    src: Any,
    dst: Destination = None,
    *,
    payload: bytes,
    key: Key | None = None,
    strength: str = "balanced",
    rate: float | None = None,
    overwrite: bool = True,
) -> EmbedResult | BatchResult:
    """Write the blind watermark alone: no visible or audible label, no metadata.

    Parameters
    ----------
    src, dst, key, rate, overwrite
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
        "name": "watermark", "overlay": off, "audible": off, "aigc": off, "iptc": off,
        "credentials": off, "watermark": {"strength": strength},
    })  # fmt: skip
    labeler = Labeler(policy=policy, key=key)
    return labeler.watermark(src, dst, payload=payload, rate=rate, overwrite=overwrite)


def _expect(name: str, value: object, kind: type, example: str) -> None:
    if value is not None and not isinstance(value, kind):
        raise TypeError(f"{name} is {type(value).__name__}, not {kind.__name__}; pass {example}")


def format_for(dst: Destination, usual: AnyFormat) -> Any:
    """Return the format of the same kind of media that a destination asks for."""
    if isinstance(usual, VideoFormat):
        raise UnsupportedFormat("films are not labelled yet", remedy="Label pictures or sounds")
    if not isinstance(dst, (str, os.PathLike)):
        return usual
    suffix = Path(dst).suffix.lower()
    known = SOUND_SUFFIXES if isinstance(usual, SoundFormat) else SUFFIXES
    if suffix not in known:
        kind = "sound" if isinstance(usual, SoundFormat) else "picture"
        raise UnsupportedFormat(
            f"no {kind} format has the suffix '{suffix}'", path=dst,
            remedy=f"Use one of {', '.join(known)}",
        )  # fmt: skip
    return known[suffix]


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
        try:
            dst.write(result.data)
        except (AttributeError, TypeError, OSError, ValueError) as error:
            raise OutputError(
                f"the destination takes no bytes: {error}",
                remedy='Pass a path, a file opened with mode "wb", or None',
            ) from error
        return result
    if result.sidecar is not None:
        beside = f"{os.fspath(dst)}{credentials.SIDECAR_SUFFIX}"
        media.atomic_write(beside, result.sidecar, overwrite=overwrite)
    media.atomic_write(dst, result.data, overwrite=overwrite)
    return replace(result, path=os.fspath(dst))
