"""What a mark reports of itself: `Outcome` when written, `Evidence` when looked for."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any


class Status(StrEnum):
    """State of one mark in one file. INVALID (there, but broken or forged) is never ABSENT."""

    PRESENT = "present"
    ABSENT = "absent"
    INVALID = "invalid"
    UNDETERMINED = "undetermined"
    NOT_CHECKED = "not_checked"


@dataclass(frozen=True, kw_only=True)
class Evidence:
    """What looking for one mark has shown.

    Attributes
    ----------
    mark : str
        Room that read it: ``overlay``, ``audible``, ``watermark``, ``aigc``, ``iptc``,
        ``credentials``.
    status : Status
    statistic, threshold, p_value : float or None
        Detection statistic, the value it must reach, and the probability that media without the
        mark would reach it, over all hypotheses tried. None where the mark is read exactly.
    payload : str or None
        What the mark says, as text: hex of the watermark payload, the AIGC JSON, a URI.
    where : str or None
        Carrier or place, e.g. ``XMP TC260:AIGC in APP1`` or ``bottom-right``.
    detail : str
        One plain English sentence.
    facts : mapping
        JSON-ready particulars, read by the rule catalogue.
    presence : sequence of rows or None
        Where in the picture the watermark is, coarsely: rows of fields of equal size, from the top
        left, with the local correlation in standard deviations. About 1 and less where no mark is;
        a low figure proves nothing. None where no payload was read.
    """

    mark: str
    status: Status
    statistic: float | None = None
    threshold: float | None = None
    p_value: float | None = None
    payload: str | None = None
    where: str | None = None
    detail: str = ""
    facts: Mapping[str, Any] = field(default_factory=dict)
    presence: Sequence[Sequence[float]] | None = None


def left_open(marks: Iterable[str], reason: str) -> dict[str, Evidence]:
    """Return evidence of marks that could not be looked for, though they were to be."""
    return {mark: Evidence(mark=mark, status=Status.UNDETERMINED, detail=reason) for mark in marks}


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What became of one mark during embedding.

    Attributes
    ----------
    mark : str
    written : bool
    detail : str
        One plain English sentence: what was written, or why not.
    facts : mapping
        JSON-ready particulars (ink height, margin, carrier, signer, …).
    """

    mark: str
    written: bool
    detail: str = ""
    facts: Mapping[str, Any] = field(default_factory=dict)
