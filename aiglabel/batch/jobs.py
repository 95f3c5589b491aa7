"""What is done with one file. Functions of a module, so that they can be sent to a process."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from aiglabel.batch.executor import give_up_if_stopped
from aiglabel.batch.records import Failure, LabelRecord, State, VerifyRecord
from aiglabel.embedding import Labeler, format_for
from aiglabel.errors import MediaError, OutputError
from aiglabel.key import Key
from aiglabel.label import Label
from aiglabel.marks.credentials import Signer, TrustProfile
from aiglabel.media import Limits
from aiglabel.media.taken import taken
from aiglabel.media.video_coding import VideoTarget
from aiglabel.policy import Policy
from aiglabel.result import EmbedResult
from aiglabel.verification import verify

FileProgress = Callable[[str, float, float | None], None]
"""Takes the name of a sound or film, the time that is written and its length, seconds."""


@dataclass(frozen=True, kw_only=True)
class LabelJob:
    """One file to label, and the claim to be made of it."""

    file: str
    destination: str
    label: Label


@dataclass(frozen=True, kw_only=True)
class LabelSettings:
    """What holds for every file of a run; see `Labeler` and `Labeler.embed`."""

    policy: Policy
    key: Key
    signer: Signer | None = None
    overwrite: bool = False
    quality: int | None = None
    bitrate: int | None = None
    film: VideoTarget | None = None


@dataclass(frozen=True, kw_only=True)
class VerifySettings:
    """What holds for every file of a run; see `verify`."""

    policy: Policy
    keys: tuple[Key, ...] = ()
    trust: TrustProfile | None = None
    declared: bool = False


def label_one(
    job: LabelJob, settings: LabelSettings, progress: FileProgress | None = None
) -> LabelRecord:
    """Label one file; the folders above the destination are made.

    `progress` is called as a sound or film is written.

    Raises
    ------
    AigLabelError
        See `aiglabel.embed`.
    """
    _refuse_existing(job, settings)
    destination = Path(job.destination)
    try:
        destination.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(
            f"the folder cannot be made ({error.strerror})", path=destination.parent
        ) from error

    def under_way(time: float, length: float | None) -> None:
        give_up_if_stopped()
        if progress:
            progress(job.file, time, length)

    labeler = Labeler(policy=settings.policy, key=settings.key, signer=settings.signer)
    result = labeler.embed(
        job.file, destination, label=job.label, overwrite=settings.overwrite,
        quality=settings.quality, bitrate=settings.bitrate, film=settings.film,
        progress=under_way,
    )  # fmt: skip
    assert isinstance(result, EmbedResult)
    return LabelRecord.of(job.file, job.destination, job.label, result)


def preview_one(job: LabelJob, settings: LabelSettings) -> LabelRecord:
    """Find out what can be known without work: whether the source and the name will do.

    Raises
    ------
    MediaError, OutputError
    """
    try:
        with taken(job.file, Limits()) as given:
            format_for(job.destination, given.known)
    except MediaError as error:
        raise error.at(job.file) from None
    _refuse_existing(job, settings)
    return LabelRecord(
        file=job.file, destination=job.destination, status=State.SKIPPED, label=job.label,
        notes=("a rehearsal: nothing was written",),
    )  # fmt: skip


def label_failed(job: LabelJob, error: Exception) -> LabelRecord:
    """Return the record of a file that could not be labelled."""
    return LabelRecord(
        file=job.file, destination=job.destination, status=State.FAILED, label=job.label,
        error=Failure.of(error, job.file),
    )  # fmt: skip


def verify_one(file: str, settings: VerifySettings) -> VerifyRecord:
    """Verify one file.

    Raises
    ------
    AigLabelError
        See `aiglabel.verify`.
    """
    report = verify(
        file, policy=settings.policy, keys=settings.keys, trust=settings.trust,
        declared=settings.declared,
    )  # fmt: skip
    return VerifyRecord(file=file, status=State.OK, report=report)


def verify_failed(file: str, error: Exception) -> VerifyRecord:
    """Return the record of a file that could not be looked at."""
    return VerifyRecord(file=file, status=State.FAILED, error=Failure.of(error, file))


def _refuse_existing(job: LabelJob, settings: LabelSettings) -> None:
    # Told again when the file is put in place; here it saves the work.
    if not settings.overwrite and Path(job.destination).exists():
        raise OutputError(
            "the destination exists", path=job.destination,
            remedy="Name another output, or pass --force to replace it",
        )  # fmt: skip
