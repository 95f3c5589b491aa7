"""Questions about C2PA credentials that several regimes ask."""

from __future__ import annotations

from aiglabel.evidence import Status
from aiglabel.rules.rule import Facts

_HOLDS = ("valid", "trusted")


def signature_holds(facts: Facts) -> bool | None:
    """Tell whether credentials are there and hold, trusted or not; None if not checked."""
    credentials = facts.mark("credentials")
    if credentials.status in (Status.NOT_CHECKED, Status.UNDETERMINED):
        return None
    return str(credentials.facts.get("state", "")).lower() in _HOLDS


def declares_ai(facts: Facts) -> bool | None:
    """Tell whether credentials that hold declare AI; None if not checked."""
    holds = signature_holds(facts)
    return holds and bool(facts.mark("credentials").facts.get("ai_declared"))
