"""What became of each file of a run: frozen, picklable, JSON-ready."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from typing import Any, Final, Self

from aiglabel.errors import AigLabelError
from aiglabel.evidence import Outcome
from aiglabel.label import Label
from aiglabel.report import Report
from aiglabel.result import EmbedResult, Quality

SCHEMA: Final = "aiglabel.record/1"


class State(StrEnum):
    """How far a file got."""

    OK = "ok"
    INCOMPLETE = "incomplete"  # written, but without a mark that the policy asks for
    FAILED = "failed"
    SKIPPED = "skipped"  # a rehearsal: nothing was done


@dataclass(frozen=True)
class Failure:
    """Why a file failed: class of the error, what is wrong with which path, what helps."""

    type: str
    reason: str
    remedy: str | None = None
    path: str | None = None

    def __str__(self) -> str:
        where = f"{self.path}: " if self.path else ""
        return f"{where}{self.reason}{f'. {self.remedy}' if self.remedy else ''}"

    @classmethod
    def of(cls, error: Exception, file: str) -> Self:
        """Describe an error met with `file`; one that nobody foresaw is told as such."""
        kind = type(error).__name__
        if isinstance(error, AigLabelError):
            return cls(kind, error.reason, error.remedy, error.path or file)
        remedy = "This is a fault of aiglabel: please report it, with the file if you can"
        return cls(kind, f"unexpected {kind}: {error}", remedy, file)


@dataclass(frozen=True, kw_only=True)
class LabelRecord:
    """One source and its labelled copy.

    Attributes
    ----------
    file, destination : str
    status : State
    error : Failure or None
    label : Label
        What was claimed; its content id is drawn anew for every file.
    marks : tuple of Outcome
    payload : str or None
        Of the watermark, hex.
    quality : Quality or None
    sizes : mapping
        Bytes of ``source`` and ``result``.
    timings : mapping
        Seconds by step.
    notes : tuple of str
        What the copy could not keep.
    """

    file: str
    destination: str
    status: State
    error: Failure | None = None
    label: Label
    marks: tuple[Outcome, ...] = ()
    payload: str | None = None
    quality: Quality | None = None
    sizes: Mapping[str, int] = field(default_factory=dict)
    timings: Mapping[str, float] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    @classmethod
    def of(cls, file: str, destination: str, label: Label, result: EmbedResult) -> Self:
        """Take what is worth keeping of a result; the pixels are not."""
        return cls(
            file=file,
            destination=destination,
            status=State.OK if result.complete else State.INCOMPLETE,
            label=label,
            marks=result.marks,
            payload=result.payload.hex() if result.payload else None,
            quality=result.quality,
            sizes=result.sizes,
            timings={step: round(seconds, 4) for step, seconds in result.timings.items()},
            notes=result.notes,
        )

    def to_dict(self) -> dict[str, Any]:
        """Return JSON-ready values."""
        label = {**asdict(self.label), "time": self.label.time.isoformat()}
        return {"schema": SCHEMA, **asdict(self), "label": label}


@dataclass(frozen=True, kw_only=True)
class VerifyRecord:
    """One file and what was found in it.

    Attributes
    ----------
    file : str
    status : State
        OK where the file could be looked at, whatever was found.
    error : Failure or None
    report : Report or None
    """

    file: str
    status: State
    error: Failure | None = None
    report: Report | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return JSON-ready values."""
        return {
            "schema": SCHEMA,
            "file": self.file,
            "status": self.status,
            "error": asdict(self.error) if self.error else None,
            "report": self.report.to_dict() if self.report else None,
        }
