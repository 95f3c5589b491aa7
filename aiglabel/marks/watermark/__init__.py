"""The blind watermark as a mark: in pictures (`pictures`) and in sounds (`sounds`)."""

from __future__ import annotations

from typing import Final

from aiglabel.evidence import Status
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


def stated(found: Detection, key: Key, effort: str) -> tuple[Status, str]:
    """Say what was found of the mark of a key."""
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
