"""Many files at once: which ones, where to, in how many processes, and what became of each."""

from aiglabel.batch.executor import default_workers, run
from aiglabel.batch.jobs import (
    LabelJob,
    LabelSettings,
    VerifySettings,
    label_failed,
    label_one,
    preview_one,
    verify_failed,
    verify_one,
)
from aiglabel.batch.plan import Found, destinations, find
from aiglabel.batch.records import SCHEMA, Failure, LabelRecord, State, VerifyRecord

__all__ = [
    "SCHEMA",
    "Failure",
    "Found",
    "LabelJob",
    "LabelRecord",
    "LabelSettings",
    "State",
    "VerifyRecord",
    "VerifySettings",
    "default_workers",
    "destinations",
    "find",
    "label_failed",
    "label_one",
    "preview_one",
    "run",
    "verify_failed",
    "verify_one",
]
