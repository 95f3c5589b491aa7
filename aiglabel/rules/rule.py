"""What a rule and a finding are, and the few questions many rules ask of the evidence."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from aiglabel.evidence import Evidence, Status


class Severity(StrEnum):
    """What a broken rule is worth."""

    ERROR = "error"
    WARNING = "warning"


class Grade(StrEnum):
    """How well the wording of a rule is known."""

    PRIMARY = "P"  # text of the law or standard
    GUIDE = "G"  # TC260 practice guide, as several implementers transcribe it
    SECONDARY = "S"  # one secondary source
    MEASURED = "M"  # behaviour measured by us
    BACKGROUND = "K"  # not read again


PICTURES = frozenset({"image"})
SOUNDS = frozenset({"audio"})
FILMS = frozenset({"video"})
EVERY = PICTURES | SOUNDS | FILMS
"""Kinds of media a rule may be about."""

_WEAK = (Grade.SECONDARY, Grade.BACKGROUND)


@dataclass(frozen=True, kw_only=True)
class Judged:
    """A rule's answer: `ok` (None = undetermined) and why, in English and Chinese.

    `severity` overrides the rule's own for this case only.
    """

    ok: bool | None
    en: str
    zh: str
    severity: Severity | None = None


@dataclass(frozen=True, kw_only=True)
class Finding:
    """What one rule says about one file; `ok` is None where that cannot be told."""

    rule: str
    severity: Severity
    ok: bool | None
    message_en: str
    message_zh: str
    clause: str


@dataclass(frozen=True, kw_only=True)
class Facts:
    """What a rule may look at."""

    evidence: Mapping[str, Evidence]
    media: Mapping[str, Any]
    thresholds: Mapping[str, float]

    def mark(self, name: str) -> Evidence:
        """Return the evidence of a mark, NOT_CHECKED when there is none."""
        return self.evidence.get(name) or Evidence(mark=name, status=Status.NOT_CHECKED)

    @property
    def explicit(self) -> Evidence:
        """The evidence of the label that people see or hear."""
        return self.mark("audible" if self.media.get("kind") == "audio" else "overlay")

    def present(self, name: str) -> bool | None:
        """Tell whether a mark is there; None when that was not, or cannot be, found out."""
        status = self.mark(name).status
        if status in (Status.UNDETERMINED, Status.NOT_CHECKED):
            return None
        return status is Status.PRESENT


@dataclass(frozen=True, kw_only=True)
class Rule:
    """One requirement.

    Attributes
    ----------
    id, clause : str
        Stable id, and where the requirement stands.
    title_en, title_zh : str
        What is required, one line.
    severity : Severity
        Never ERROR where `grade` is weak: what was not read cannot fail a file.
    grade : Grade
    judge : callable
        Pure function of `Facts`.
    media : frozenset of str
    """

    id: str
    clause: str
    title_en: str
    title_zh: str
    severity: Severity
    grade: Grade
    judge: Callable[[Facts], Judged]
    media: frozenset[str] = EVERY

    def __post_init__(self) -> None:
        assert self.severity is Severity.WARNING or self.grade not in _WEAK

    def find(
        self,
        evidence: Mapping[str, Evidence],
        media: Mapping[str, Any],
        thresholds: Mapping[str, float],
    ) -> Finding:
        """Judge one file."""
        judged = self.judge(Facts(evidence=evidence, media=media, thresholds=thresholds))
        return Finding(
            rule=self.id,
            severity=judged.severity or self.severity,
            ok=judged.ok,
            message_en=judged.en,
            message_zh=judged.zh,
            clause=self.clause,
        )


def good(en: str, zh: str) -> Judged:
    """Answer that the rule is kept."""
    return Judged(ok=True, en=en, zh=zh)


def bad(en: str, zh: str, *, severity: Severity | None = None) -> Judged:
    """Answer that the rule is broken."""
    return Judged(ok=False, en=en, zh=zh, severity=severity)


def unknown(en: str, zh: str) -> Judged:
    """Answer that it cannot be told."""
    return Judged(ok=None, en=en, zh=zh)
