"""The public way to write marks: every kind of source, one pipeline, every kind of destination."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, BinaryIO, TypeVar

from aiglabel import media
from aiglabel.containers.sniff import (
    SOUND_SUFFIXES,
    SUFFIXES,
    VIDEO_SUFFIXES,
    AnyFormat,
    Format,
    SoundFormat,
    VideoFormat,
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
from aiglabel.media.taken import taken
from aiglabel.media.video_belt import Progress
from aiglabel.media.video_coding import VideoTarget
from aiglabel.pipeline import FilmJob, Job, PictureJob, SoundJob
from aiglabel.policy import Policy
from aiglabel.result import BatchResult, EmbedResult

_KINDS: dict[type[AnyFormat], tuple[str, Mapping[str, AnyFormat]]] = {
    Format: ("picture", SUFFIXES),
    SoundFormat: ("sound", SOUND_SUFFIXES),
    VideoFormat: ("video", VIDEO_SUFFIXES),
}
Destination = str | os.PathLike[str] | BinaryIO | None
AnyJob = TypeVar("AnyJob", bound=Job)
_Make = Callable[[Path, Any], EmbedResult]  # writes a file of a format, and tells of it


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
        film: VideoTarget | None = None,
        progress: Progress | None = None,
    ) -> EmbedResult | BatchResult:
        """Label one picture, sound or film; see `aiglabel.embed`."""
        _expect("label", label, Label, "Label.generated(...)")
        return self._embed(
            src, dst, label, label.payload, rate=rate, overwrite=overwrite, progress=progress,
            quality=quality, bitrate=bitrate, film=film,
        )  # fmt: skip

    def watermark(
        self,
        src: Any,
        dst: Destination = None,
        *,
        payload: bytes,
        rate: float | None = None,
        overwrite: bool = True,
        film: VideoTarget | None = None,
        progress: Progress | None = None,
    ) -> EmbedResult | BatchResult:
        """Write the blind watermark alone; see `aiglabel.watermark`."""
        return self._embed(
            src, dst, None, payload, rate=rate, overwrite=overwrite, progress=progress, film=film
        )

    def _embed(
        self,
        src: Any,
        dst: Destination,
        label: Label | None,
        payload: bytes,
        *,
        rate: float | None,
        overwrite: bool,
        progress: Progress | None,
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
                with taken(src, self.limits) as given:
                    fmt = format_for(dst, given.known)
                    if given.path is not None:
                        kind = SoundJob if isinstance(given.known, SoundFormat) else FilmJob
                        work = replace(job(kind), progress=progress)
                        make = partial(work.run, given.path, given.known)
                        return self._deliver_file(make, fmt, dst, overwrite=overwrite)
                    result = job(PictureJob).run(given.data, fmt)
            except AigLabelError as error:
                raise error.at(path) from None
            return _deliver(result, dst, overwrite=overwrite)
        if rate is not None:
            samples, like = sound_arrays.from_samples(src, rate, limits=self.limits)
            make = partial(job(SoundJob).run_array, samples, like)
            wanted = format_for(dst, SoundFormat.WAV)
            return self._deliver_file(make, wanted, dst, overwrite=overwrite)
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

    def _deliver_file(
        self, make: _Make, fmt: AnyFormat, dst: Destination, *, overwrite: bool
    ) -> EmbedResult:
        """Have a sound or film made in a file beside the destination, which then takes its name."""
        if not isinstance(dst, (str, os.PathLike)):
            with TemporaryDirectory(prefix="aiglabel-") as folder:
                made = Path(folder) / "made"
                result = self._deliver_file(make, fmt, made, overwrite=True)
                self.limits.check_bytes(made.stat().st_size)
                result = replace(result, _data=made.read_bytes(), path=None)
            return _deliver(result, dst, overwrite=overwrite)
        if not overwrite and os.path.lexists(dst):  # before the work, and once more after it
            raise OutputError(
                "the destination exists", path=dst,
                remedy="Choose another name or allow overwriting",
            )  # fmt: skip
        with media.atomic_file(dst, overwrite=overwrite) as temporary:
            try:
                result = make(temporary, fmt)
            except OutputError as error:
                error.path = os.fspath(dst)  # not a copy that is gone
                raise
            media.synced(temporary)
            if result.sidecar is not None:
                media.atomic_write(_beside(dst), result.sidecar, overwrite=overwrite)
        return replace(result, path=os.fspath(dst))


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
    film: VideoTarget | None = None,
    progress: Progress | None = None,
) -> EmbedResult | BatchResult:
    """Label one picture, sound or film with every mark of the policy and read each mark back.

    Parameters
    ----------
    src : path, bytes, binary file, PIL.Image, array or tensor
        Pictures: uint8, uint16 or float in [0, 1]; (H, W), (H, W, 3), (H, W, 4), or a batch
        (N, H, W, 3). Sounds, with `rate`: int16, int32 or float in [-1, 1]; (channels, n) or (n,).
        Films are files. Sounds and films at a path may be larger than memory. Never modified.
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
    film : VideoTarget, optional
        How a film is to be coded, as far as that differs from its source.
    progress : callable, optional
        Called as a sound or film is written, with the time that is done and its length, seconds.

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
        src, dst, label=label, rate=rate, overwrite=overwrite, quality=quality, bitrate=bitrate,
        film=film, progress=progress,
    )  # fmt: skip


def watermark(
    src: Any,
    dst: Destination = None,
    *,
    payload: bytes,
    key: Key | None = None,
    strength: str = "balanced",
    rate: float | None = None,
    overwrite: bool = True,
    film: VideoTarget | None = None,
    progress: Progress | None = None,
) -> EmbedResult | BatchResult:
    """Write the blind watermark alone: no visible or audible label, no metadata.

    Parameters
    ----------
    src, dst, key, rate, overwrite, film, progress
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
    return labeler.watermark(
        src, dst, payload=payload, rate=rate, overwrite=overwrite, film=film, progress=progress
    )


def _expect(name: str, value: object, kind: type, example: str) -> None:
    if value is not None and not isinstance(value, kind):
        raise TypeError(f"{name} is {type(value).__name__}, not {kind.__name__}; pass {example}")


def format_for(dst: Destination, usual: AnyFormat) -> Any:
    """Return the format of the same kind of media that a destination asks for."""
    if not isinstance(dst, (str, os.PathLike)):
        return usual
    suffix = Path(dst).suffix.lower()
    kind, known = _KINDS[type(usual)]
    if suffix not in known:
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


def _beside(dst: str | os.PathLike[str]) -> str:
    return f"{os.fspath(dst)}{credentials.SIDECAR_SUFFIX}"


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
        media.atomic_write(_beside(dst), result.sidecar, overwrite=overwrite)
    media.atomic_write(dst, result.data, overwrite=overwrite)
    return replace(result, path=os.fspath(dst))
