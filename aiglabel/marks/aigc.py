"""The AIGC metadata label of GB 45438-2025 6.1 and Annex E: one per file, seven values.

Written is only the canonical carrier of a format, holding the bare JSON object (TC260-PG-20259A):
for pictures the XMP property ``TC260:AIGC``, for sounds and films the tags that `containers.timed`
names. Reading is in `aigc_read`.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, BinaryIO, Literal, NamedTuple

from aiglabel.containers import timed
from aiglabel.containers.pieces import copying
from aiglabel.containers.sniff import AnyFormat, Format
from aiglabel.errors import LabelError, OutputError
from aiglabel.evidence import Evidence, Outcome
from aiglabel.label import Kind, Label, check_annex_e
from aiglabel.marks.aigc_code import (
    Role,
    code_problems,
    meant_as_code,
    same_provider,
    service_type_fits,
)  # fmt: skip
from aiglabel.marks.aigc_json import fields_to_json, to_fields, to_json
from aiglabel.marks.aigc_read import CARRIER, MARK, NAMESPACE, PREFIX, PROPERTY, carrier, read
from aiglabel.marks.metadata import Properties, write_properties

__all__ = [
    "CARRIER", "MARK", "NAMESPACE", "Existing", "Plan", "carrier", "confirm", "plan", "read",
    "to_json", "write", "write_file",
]  # fmt: skip

Existing = Literal["keep", "replace", "refuse"]
"""What to do about a label of another producer."""

_PRODUCER_FIELDS = ("Label", "ContentProducer", "ProduceID", "ReservedCode1")
_PROPAGATOR_FIELDS = ("ContentPropagator", "PropagateID", "ReservedCode2")


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What a file's label will be.

    Attributes
    ----------
    fields : mapping of str to str, or None
        The seven values, None to leave a label that cannot be read as it is.
    outcome : Outcome
    """

    fields: Mapping[str, str] | None
    outcome: Outcome


def plan(found: Evidence, label: Label, *, existing: Existing = "keep") -> Plan:
    """Decide a file's one label from the label it has and the one that is wanted.

    A producer's own older label is replaced. A propagator's claim leaves the producer's four
    values as they are and sets its own three (Labeling Measures Art. 6). Of another producer's
    label a producer's claim changes nothing unless told so (Art. 10).

    Parameters
    ----------
    found : Evidence
        What `read` found in the file the content comes from.
    label : Label
    existing : {"keep", "replace", "refuse"}
        For another producer's label, and one that cannot be read: leave it, put ours in its place,
        or raise.

    Raises
    ------
    LabelError
        When a value is outside Annex E, a provider code is malformed, or `existing` says so.
    """
    ours = to_fields(label)
    for name, value in ours.items():
        check_annex_e(name, value)
    warnings = _check_codes(label)

    def decided(fields: Mapping[str, str] | None, written: bool, detail: str) -> Plan:
        facts: dict[str, Any] = {"fields": dict(fields) if fields else None, "warnings": warnings}
        facts["kept"] = not written and fields is not None
        facts["carrier"] = found.facts.get("carrier", CARRIER)
        outcome = Outcome(mark=MARK, written=written, detail=detail, facts=facts)
        return Plan(fields=fields, outcome=outcome)

    if not found.facts.get("labels"):
        return decided(ours, True, f"Label {ours['Label']} written.")
    old: Mapping[str, str] | None = found.facts["fields"]
    made = label.kind in (Kind.GENERATED, Kind.EDITED)
    if old is not None:
        of_producer = bool(old["ContentProducer"]) or old["Label"] == "1"
        if not of_producer or (made and same_provider(old["ContentProducer"], label.producer)):
            kept = {} if label.propagator else {name: old[name] for name in _PROPAGATOR_FIELDS}
            return decided({**ours, **kept}, True, f"Label {ours['Label']} put for an older one.")
        if label.propagator and not (made and existing == "replace"):
            mine = {name: ours[name] for name in _PROPAGATOR_FIELDS}
            detail = f"Propagator added to the label of {old['ContentProducer'] or 'no name'}."
            return decided({**old, **mine}, True, detail)
    whose = (
        f"labelled by {old['ContentProducer'] or 'no name'}" if old else "a label nobody can read"
    )
    if existing == "replace":
        return decided(ours, True, f"Label {ours['Label']} put for another: {whose}.")
    if existing == "refuse":
        raise LabelError(
            f"already {whose}" if old else f"the file has {whose}",
            remedy="Pass existing='keep' to leave it, existing='replace' if you may replace it",
        )
    return decided(old, False, f"Already {whose}; kept." if old else f"It has {whose}; kept.")


def write(
    data: bytes,
    fmt: AnyFormat,
    label: Label,
    *,
    existing: Existing = "keep",
    source: Evidence | None = None,
    also: Properties | None = None,
) -> tuple[bytes, Outcome]:
    """Write the label into a file and read it back.

    Parameters
    ----------
    data : bytes
        The encoded file. Its pictures or sound and all other metadata stay as they are.
    fmt : Format, SoundFormat or VideoFormat
    label : Label
    existing : {"keep", "replace", "refuse"}
        See `plan`.
    source : Evidence, optional
        What `read` found before the file was encoded anew; defaults to what is in `data`.
    also : mapping, optional
        Further XMP properties to set in the same pass, e.g. those of `aiglabel.marks.iptc`; none
        for sounds and films.

    Returns
    -------
    tuple of bytes and Outcome
        `written` is False where another's label was kept, or where a label sits in a carrier this
        toolkit does not rewrite: a second one would break GB 45438-2025 6.1 c).

    Raises
    ------
    LabelError
        See `plan`; also for a label in another carrier unless `existing` is ``keep``.
    MediaError
        When the file is broken or takes no such metadata.
    OutputError
        When the label does not read back as written.
    """
    decided = _decide(read(data, fmt), fmt, label, existing=existing, source=source)
    data = _put(data, fmt, decided.written, also)
    if decided.kept is not None:
        confirm(data, fmt, decided.kept)
    return data, decided.outcome


def write_file(
    src: str | os.PathLike[str],
    dst: str | os.PathLike[str],
    fmt: timed.TimedFormat,
    label: Label,
    *,
    existing: Existing = "keep",
    source: Evidence | None = None,
) -> Outcome:
    """Copy a sound or film in pieces, with the label, and read it back; see `write`.

    Parameters
    ----------
    src, dst : path
        `dst` is overwritten; where anything fails, nothing of it is left.
    fmt : SoundFormat or VideoFormat
    label, existing, source
        As for `write`.

    Returns
    -------
    Outcome
        As from `write`; a copy is at `dst` in any case.

    Raises
    ------
    LabelError, MediaError, OutputError
        As `write`; MediaError also if `dst` is `src`.
    OSError
        If a file cannot be read or written.
    """
    with copying(src, dst) as (file, copy):
        decided = _decide(read(file, fmt), fmt, label, existing=existing, source=source)
        text = None if decided.written is None else fields_to_json(decided.written)
        timed.copy_labelled(file, copy, fmt, text)
        if decided.kept is not None:
            confirm(copy, fmt, decided.kept)
    return decided.outcome


class _Decision(NamedTuple):
    """What is written into a file, and what it holds afterwards, where that is one good label."""

    written: Mapping[str, str] | None
    kept: Mapping[str, str] | None
    outcome: Outcome


def _decide(
    here: Evidence,
    fmt: AnyFormat,
    label: Label,
    *,
    existing: Existing,
    source: Evidence | None,
) -> _Decision:
    """Plan a label for a file in which `here` was read."""
    planned = plan(source or here, label, existing=existing)
    fields, outcome = planned.fields, planned.outcome
    labels = here.facts["labels"]
    elsewhere = sorted({one["carrier"] for one in labels if one["carrier"] != carrier(fmt)})
    if elsewhere and labels[0]["fields"] != fields and existing != "keep":
        raise LabelError(
            f"a label in {', '.join(elsewhere)} would stay beside a new one",
            remedy="A file may hold one label only: encode the file anew, without that field",
        )
    if elsewhere:
        detail = f"Labelled already in {', '.join(elsewhere)}; a second label is not allowed."
        return _Decision(None, None, replace(outcome, written=False, detail=detail))
    done = len(labels) == 1 and labels[0]["canonical"] and labels[0]["fields"] == fields
    return _Decision(None if done else fields, fields, outcome)


def _put(
    data: bytes, fmt: AnyFormat, fields: Mapping[str, str] | None, also: Properties | None
) -> bytes:
    """Write a label, None for none, and other properties."""
    text = None if fields is None else fields_to_json(fields)
    if isinstance(fmt, Format):
        label = {} if text is None else {(NAMESPACE, PREFIX, PROPERTY): text}
        return write_properties(data, fmt, {**(also or {}), **label})
    assert not also
    return data if text is None else timed.write_label(data, fmt, text)


def confirm(data: bytes | BinaryIO, fmt: AnyFormat, fields: Mapping[str, str]) -> None:
    """Read a label back and compare its seven values (CN-M-13).

    Raises
    ------
    OutputError
        When the file does not hold exactly this label, once.
    """
    labels = read(data, fmt).facts["labels"]
    if len(labels) != 1 or not labels[0]["canonical"] or labels[0]["fields"] != dict(fields):
        raise OutputError(
            f"the AIGC label did not read back as written ({len(labels)} labels found)",
            remedy="Please report this, with the file if you can",
        )


def _check_codes(label: Label) -> list[str]:
    """Refuse malformed provider codes; return warnings about legal but poor ones."""
    warnings = []
    providers: tuple[tuple[str, str, Role], ...] = (
        ("producer", label.producer, "producer"),
        ("propagator", label.propagator, "propagator"),
    )
    for name, value, role in providers:
        if problems := code_problems(value):
            raise LabelError(
                f"{name} is no valid provider code: {problems[0]}",
                remedy="Use the code you were assigned, 27 characters; never make one up",
            )
        if value and not meant_as_code(value):
            warnings.append(f"{name} is a plain name; its 27-character code could be checked")
        elif service_type_fits(value, role) is False:
            warnings.append(f"position 23 of {name} does not say {role}")
    return warnings
