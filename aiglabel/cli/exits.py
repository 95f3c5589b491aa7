"""Exit codes: what a script may conclude without reading the output.

Of several files the worst counts, in the order 1 > 3 > 5 > 4 > 0: an answer that is missing
outweighs one that is known, a broken rule outweighs an open question, and "nothing found" is said
only of a whole run, because beside labelled files an unlabelled one is a broken rule.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import IntEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from aiglabel.batch import LabelRecord, VerifyRecord
    from aiglabel.report import Report


class Exit(IntEnum):
    """What the program returns."""

    OK = 0
    ERROR = 1
    USAGE = 2
    NON_COMPLIANT = 3
    NOTHING_FOUND = 4
    INCONCLUSIVE = 5
    INTERRUPTED = 130  # as shells have it: 128 + SIGINT


_WORST_FIRST = (Exit.ERROR, Exit.NON_COMPLIANT, Exit.INCONCLUSIVE, Exit.NOTHING_FOUND, Exit.OK)


def of_error(error: Exception) -> Exit:
    """Return the code of an error that stopped the run: 2 where an option or a setting is wrong."""
    return Exit.USAGE if isinstance(error, ValueError) else Exit.ERROR


def of_labelling(records: Sequence[LabelRecord]) -> Exit:
    """Return the code of a finished run of ``aiglabel label``."""
    codes = {"failed": Exit.ERROR, "incomplete": Exit.NON_COMPLIANT}
    return _worst([codes.get(one.status, Exit.OK) for one in records])


def of_verifying(records: Sequence[VerifyRecord]) -> Exit:
    """Return the code of a finished run of ``aiglabel verify``."""
    reports = [one.report for one in records if one.report is not None]
    if len(reports) < len(records):
        return Exit.ERROR
    if reports and all(map(_nothing_in, reports)):
        return Exit.NOTHING_FOUND
    codes = {"compliant": Exit.OK, "non_compliant": Exit.NON_COMPLIANT}
    return _worst([codes.get(one.compliance, Exit.INCONCLUSIVE) for one in reports])


def _nothing_in(report: Report) -> bool:
    looked = all(one.status in ("absent", "not_checked") for one in report.evidence)
    return looked and report.verdict == "none"


def _worst(codes: Sequence[Exit]) -> Exit:
    return min(codes, key=_WORST_FIRST.index, default=Exit.OK)
