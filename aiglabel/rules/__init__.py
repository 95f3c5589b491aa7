"""The conformance catalogue: one rule = one id, one clause, one small function.

Rules judge evidence, never bytes. Which of them apply is a policy's business.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Any

from aiglabel.errors import PolicyError
from aiglabel.evidence import Evidence
from aiglabel.rules import (
    california,
    china_audible,
    china_explicit,
    china_film,
    china_metadata,
    eu,
    provenance,
)
from aiglabel.rules.rule import Finding, Grade, Judged, Rule, Severity

__all__ = ["RULES", "Finding", "Grade", "Judged", "Rule", "Severity", "check"]

RULES: Mapping[str, Rule] = MappingProxyType({
    rule.id: rule
    for room in (
        china_explicit, china_film, china_audible, china_metadata, eu, california, provenance,
    )
    for rule in room.RULES
})  # fmt: skip
"""Every rule by its id. Ids are only ever added; a withdrawn one is never used again."""


def check(
    rule_ids: Iterable[str],
    evidence: Mapping[str, Evidence],
    media: Mapping[str, Any],
    thresholds: Mapping[str, float],
) -> list[Finding]:
    """Apply rules to what is known of one file.

    Parameters
    ----------
    rule_ids : iterable of str
        In the order the findings shall have.
    evidence : mapping of str to Evidence
        By mark name: ``overlay``, ``audible``, ``watermark``, ``aigc``, ``iptc``, ``credentials``.
        A mark that is missing counts as not checked.
    media : mapping
        ``kind`` (``image`` if not given, ``audio`` or ``video``), ``width`` and ``height`` in
        pixels as displayed; of films ``seconds`` and ``rate`` in frames a second.
    thresholds : mapping of str to float
        ``height_ratio`` (label height over the shorter side, 0.05), ``contrast`` (3.0) and
        ``film_seconds`` (how long a film shows its label, 2.0).

    Returns
    -------
    list of Finding
        One for each rule that is about this kind of media.

    Raises
    ------
    PolicyError
        For an id that is not in the catalogue.
    """
    kind = media.get("kind", "image")
    findings = []
    for rule_id in rule_ids:
        rule = RULES.get(rule_id)
        if rule is None:
            close = difflib.get_close_matches(rule_id, RULES, n=1)
            raise PolicyError(
                f"no rule is called {rule_id!r}",
                remedy=f"Did you mean {close[0]}?" if close else "docs/rules.md lists them all",
            )
        if kind in rule.media:
            findings.append(rule.find(evidence, media, thresholds))
    return findings
