"""The blind watermark as a mark: in pictures (`pictures`) and in sounds (`sounds`)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from aiglabel.evidence import Evidence, Status
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
