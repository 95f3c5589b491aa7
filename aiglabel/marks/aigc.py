"""The AIGC metadata label of GB 45438-2025 6.1 and Annex E: one per file, seven values.

Written is only the canonical carrier of a format, holding the bare JSON object (TC260-PG-20259A):
for pictures the XMP property ``TC260:AIGC``, for sounds the tag that `containers.sound` names. Read
are all carriers and forms seen in the wild.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal

from aiglabel import containers
from aiglabel.containers import sound, xmp
from aiglabel.containers.sniff import AnyFormat, SoundFormat
from aiglabel.errors import CorruptMedia, LabelError, OutputError
from aiglabel.evidence import Evidence, Outcome, Status
from aiglabel.label import Kind, Label, check_annex_e
from aiglabel.marks import aigc_security
from aiglabel.marks.aigc_code import (
    Role,
    code_problems,
    meant_as_code,
    parse_code,
    same_provider,
    service_type_fits,
)  # fmt: skip
from aiglabel.marks.aigc_json import (
    KEYS,
    Decoded,
    decode,
    fields_to_json,
    from_properties,
    looks_like_label,
    to_fields,
    to_json,
)  # fmt: skip
from aiglabel.marks.metadata import Properties, write_properties

__all__ = [
    "CARRIER", "NAMESPACE", "Existing", "Plan", "carrier", "confirm", "plan", "read", "to_json",
    "write",
]  # fmt: skip

MARK = "aigc"
NAMESPACE = "http://www.tc260.org.cn/ns/AIGC/1.0/"
PREFIX = "TC260"
PROPERTY = "AIGC"
CARRIER = f"XMP {PREFIX}:{PROPERTY}"
"""The canonical carrier of pictures."""

Existing = Literal["keep", "replace", "refuse"]
"""What to do about a label of another producer."""

_PRODUCER_FIELDS = ("Label", "ContentProducer", "ProduceID", "ReservedCode1")
_PROPAGATOR_FIELDS = ("ContentPropagator", "PropagateID", "ReservedCode2")
_IDENTITY = ("Label", "ContentProducer", "ProduceID")
_RAW_SHOWN = 2048
_MAX_LABELS = 16
_XMP_NAMES = (
    (NAMESPACE, PROPERTY), (NAMESPACE, PROPERTY.lower()), (NAMESPACE, "XmpKvBase64"),
    (NAMESPACE.lower(), PROPERTY), (NAMESPACE.lower(), PROPERTY.lower()),
)  # fmt: skip
log = logging.getLogger(__name__)


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


def carrier(fmt: AnyFormat) -> str:
    """Return the one carrier of a format in which a label belongs."""
    return sound.canonical_carrier(fmt) if isinstance(fmt, SoundFormat) else CARRIER


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
        The encoded file. Its pixels or sound and all other metadata stay as they are.
    fmt : Format
    label : Label
    existing : {"keep", "replace", "refuse"}
        See `plan`.
    source : Evidence, optional
        What `read` found before the file was encoded anew; defaults to what is in `data`.
    also : mapping, optional
        Further XMP properties to set in the same pass, e.g. those of `aiglabel.marks.iptc`; none
        for sounds.

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
    here = read(data, fmt)
    planned = plan(source or here, label, existing=existing)
    labels = here.facts["labels"]
    elsewhere = sorted({one["carrier"] for one in labels if one["carrier"] != carrier(fmt)})
    done = len(labels) == 1 and labels[0]["canonical"] and labels[0]["fields"] == planned.fields
    if elsewhere and labels[0]["fields"] != planned.fields and existing != "keep":
        raise LabelError(
            f"a label in {', '.join(elsewhere)} would stay beside a new one",
            remedy="A file may hold one label only: encode the file anew, without that field",
        )
    if elsewhere:
        detail = f"Labelled already in {', '.join(elsewhere)}; a second label is not allowed."
        return _put(data, fmt, None, also), replace(planned.outcome, written=False, detail=detail)
    data = _put(data, fmt, None if done else planned.fields, also)
    if planned.fields is not None:
        confirm(data, fmt, planned.fields)
    return data, planned.outcome


def _put(
    data: bytes, fmt: AnyFormat, fields: Mapping[str, str] | None, also: Properties | None
) -> bytes:
    """Write a label, None for none, and other properties."""
    text = None if fields is None else fields_to_json(fields)
    if isinstance(fmt, SoundFormat):
        assert not also
        return data if text is None else sound.write_label(data, fmt, text)
    label = {} if text is None else {(NAMESPACE, PREFIX, PROPERTY): text}
    return write_properties(data, fmt, {**(also or {}), **label})


def confirm(data: bytes, fmt: AnyFormat, fields: Mapping[str, str]) -> None:
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


def read(data: bytes, fmt: AnyFormat) -> Evidence:
    """Look for the label in every carrier and form known.

    Parameters
    ----------
    data : bytes
    fmt : Format

    Returns
    -------
    Evidence
        PRESENT for a label that says something definite, even in the wrong dress; INVALID for one
        that is broken, incomplete or contradicts another; ABSENT for none. `payload` is the JSON
        text as found. `facts`: ``labels`` (each ``carrier, canonical, form, raw, fields,
        problems``), ``count``, ``carrier`` (the canonical one of the format), ``fields`` of the
        best label, ``producer_code``, ``security``.

    Raises
    ------
    MediaError
        When the file's structure is broken.
    """
    proper = carrier(fmt)
    labels = [*_xmp_labels(data, fmt, proper), *_text_labels(data, fmt, proper)][:_MAX_LABELS]
    if not labels:
        facts = {
            "labels": [], "count": 0, "carrier": proper, "fields": None, "producer_code": None,
        }  # fmt: skip
        return Evidence(
            mark=MARK, status=Status.ABSENT, detail="No AIGC label found.",
            facts={**facts, "security": _security(None)},
        )  # fmt: skip
    best = max(labels, key=lambda one: (one.decoded.valid, one.canonical))
    identities = {one.identity for one in labels if one.decoded.valid}
    fields = best.decoded.fields
    sound = best.decoded.valid and len(identities) == 1
    code = parse_code(fields["ContentProducer"]) if fields else None
    return Evidence(
        mark=MARK,
        status=Status.PRESENT if sound else Status.INVALID,
        payload=best.text,
        where=best.carrier,
        detail=_describe(best, labels, contradicting=len(identities) > 1),
        facts={
            "labels": [one.record() for one in labels],
            "count": len(labels),
            "carrier": proper,
            "fields": fields,
            "producer_code": asdict(code) if code else None,
            "security": _security(fields),
        },
    )


@dataclass(frozen=True)
class _Found:
    """One label in one carrier; `proper` is the one it should be in."""

    carrier: str
    text: str
    decoded: Decoded
    proper: str

    @property
    def canonical(self) -> bool:
        return self.carrier == self.proper and self.decoded.form == "bare"

    @property
    def identity(self) -> tuple[str, ...]:
        return tuple((self.decoded.fields or {}).get(name, "") for name in _IDENTITY)

    def record(self) -> dict[str, Any]:
        return {
            "carrier": self.carrier,
            "canonical": self.canonical,
            "form": self.decoded.form,
            "raw": self.text[:_RAW_SHOWN],
            "fields": self.decoded.fields,
            "problems": self.decoded.problems,
        }


def _xmp_labels(data: bytes, fmt: AnyFormat, proper: str) -> list[_Found]:
    found = []
    for packet in containers.read_xmp(data, fmt):
        try:
            found += _packet_labels(packet, proper)
        except CorruptMedia as error:
            log.debug("XMP packet skipped: %s", error.reason)
            if f"{PREFIX}:{PROPERTY}".encode() in packet:
                text = packet[:_RAW_SHOWN].decode("utf-8", "replace")
                broken = {"code": "not_json", "field": "", "text": f"in broken XMP: {error.reason}"}
                found.append(_Found(CARRIER, text, Decoded(None, "bare", [broken]), proper))
    return found


def _packet_labels(packet: bytes, proper: str) -> list[_Found]:
    tree = xmp.parse(packet)
    found = []
    for namespace, name in _XMP_NAMES:
        regular = (namespace, name) == (NAMESPACE, PROPERTY)
        where = CARRIER if regular else f"XMP {name} ({namespace})"
        texts = (text for text in tree.get(namespace, name) if text)
        found += [_Found(where, text, decode(text), proper) for text in texts]
    # One property per field: beside each other, or as a structure inside TC260:AIGC.
    beside = {key: values[0] for key in KEYS if (values := tree.get(NAMESPACE, key))}
    if beside:
        found.append(_fields_found(f"XMP {PREFIX} fields", beside, proper))
    for node in (child for described in tree.rdf.children for child in described.children):
        within = {
            one.name[1]: next(iter(one.values()), "")
            for one in node.children
            if one.name[0] == NAMESPACE
        }
        if node.name == (NAMESPACE, PROPERTY) and within:
            found.append(_fields_found(CARRIER, within, proper))
    return found


def _fields_found(where: str, values: Mapping[str, str], proper: str) -> _Found:
    text = "\n".join(f"{key}={value}" for key, value in values.items())
    return _Found(where, text, from_properties(values), proper)


def _text_labels(data: bytes, fmt: AnyFormat, proper: str) -> list[_Found]:
    return [
        _Found(one.carrier, one.text, decode(one.text), proper)
        for one in containers.read_texts(data, fmt)
        if one.key.upper() == PROPERTY or looks_like_label(one.text)
    ]


def _describe(best: _Found, labels: list[_Found], *, contradicting: bool) -> str:
    if contradicting:
        return f"{len(labels)} AIGC labels contradict each other."
    fields = best.decoded.fields
    if not best.decoded.valid or fields is None:
        reasons = "; ".join(problem["text"] for problem in best.decoded.problems[:3])
        return f"The AIGC label in {best.carrier} is broken: {reasons}."
    says = {"1": "is", "2": "may be", "3": "is suspected to be"}[fields["Label"]]
    by = fields["ContentProducer"] or fields["ContentPropagator"] or "nobody named"
    flaws = sum(len(one.decoded.problems) for one in labels) + len(labels) - 1
    rest = f", with {flaws} flaw{'s' if flaws > 1 else ''}" if flaws else ""
    return f"The AIGC label says the content {says} AI-generated, by {by}{rest}."


def _security(fields: Mapping[str, str] | None) -> dict[str, str]:
    checked = aigc_security.verify(fields or {})
    return {"result": checked.result.value, "detail": checked.detail}


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
