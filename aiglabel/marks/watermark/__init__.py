"""The blind watermark as a mark: in pictures (`pictures`) and in sounds (`sounds`)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from aiglabel.evidence import Evidence, Outcome, Status
from aiglabel.key import Key
from aiglabel.signal.detection import Detection

MARK: Final = "watermark"
QUICK: Final = "quick"
THOROUGH: Final = "thorough"
COMFORT: Final = 1.3
"""Smaller margins after the simulated attack are worth a warning: little is left for a real one."""


def certainty(found: Detection) -> tuple[bool, float]:
    """Order the answers of several keys: a payload goes before mere presence."""
    return found.payload is not None, found.statistic / found.threshold


def at_least(strength: str, strengths: Iterable[str]) -> list[str]:
    """Return a strength and those above it, for when an encoder leaves too little of the mark."""
    names = list(strengths)
    return names[names.index(strength) :]


def outcome(
    reread: Detection | None, payload: bytes, key: Key, *, medium: str, why: str, strength: str,
    wire_format: str, facts: Mapping[str, Any],
) -> Outcome:  # fmt: skip
    """Tell what was written into a film or sound, and how much the finished file holds of it.

    Parameters
    ----------
    reread : Detection or None
        What was found in the finished file; None where there was nothing to look at.
    medium, why : str
        "film" or "sound", and why it cannot carry the mark if it does not.
    facts : mapping
        Those only the medium has.
    """
    margin = reread.statistic / reread.threshold if reread else 0.0
    written = reread is not None and reread.payload == payload
    held = "is expected to hold" if margin >= COMFORT else f"is weak: the {medium} is short or bare"
    detail = f"64-bit watermark with key {key.id}; in the finished file it {held}"
    return Outcome(
        mark=MARK,
        written=written,
        detail=detail if written else f"the {medium} cannot carry the watermark: {why}",
        facts={
            "payload": payload.hex(),
            "key": key.id,
            "wire_format": wire_format,
            "strength": strength,
            "margin": round(margin, 3),
            **facts,
        },
    )


def evidence(
    found: Detection, key: Key, *, tried: Sequence[Key], effort: str, where: str | None,
    facts: Mapping[str, Any], presence: Sequence[Sequence[float]] | None = None,
) -> Evidence:  # fmt: skip
    """State what was found of the mark of a key; `facts` are those only the medium has."""
    status, detail = _stated(found, key, effort)
    return Evidence(
        mark=MARK,
        status=status,
        statistic=round(found.statistic, 3),
        threshold=round(found.threshold, 3),
        p_value=found.p_value,
        payload=found.payload.hex() if found.payload else None,
        where=where,
        detail=detail,
        facts={
            "keys_tried": [one.id for one in tried],
            "effort": effort,
            "key": key.id if found.present else None,
            "wire_format": found.wire_format if found.present else None,
            **facts,
        },
        presence=presence,
    )


def _stated(found: Detection, key: Key, effort: str) -> tuple[Status, str]:
    if found.payload is not None:
        return Status.PRESENT, f"payload {found.payload.hex()}, written with key {key.id}"
    if found.present:
        return (
            Status.PRESENT,
            f"a mark of key {key.id} is there, too damaged to read its payload",
        )
    looked = ", as it is" if effort == QUICK else ""
    nothing = "that proves nothing about where it is from"
    return Status.ABSENT, f"no mark of the keys tried{looked}; {nothing}"
