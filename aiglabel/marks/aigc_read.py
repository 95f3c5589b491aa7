"""The AIGC metadata label of GB 45438-2025 read: every carrier and form seen in the wild."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, BinaryIO

from aiglabel import containers
from aiglabel.containers import timed, xmp
from aiglabel.containers.sniff import AnyFormat, Format
from aiglabel.errors import CorruptMedia
from aiglabel.evidence import Evidence, Status
from aiglabel.marks import aigc_security
from aiglabel.marks.aigc_code import parse_code
from aiglabel.marks.aigc_json import (
    KEYS,
    Decoded,
    decode,
    from_properties,
    looks_like_label,
)  # fmt: skip

MARK = "aigc"
NAMESPACE = "http://www.tc260.org.cn/ns/AIGC/1.0/"
PREFIX = "TC260"
PROPERTY = "AIGC"
CARRIER = f"XMP {PREFIX}:{PROPERTY}"
"""The canonical carrier of pictures."""

_IDENTITY = ("Label", "ContentProducer", "ProduceID")
_RAW_SHOWN = 2048
_MAX_LABELS = 16
_XMP_NAMES = (
    (NAMESPACE, PROPERTY), (NAMESPACE, PROPERTY.lower()), (NAMESPACE, "XmpKvBase64"),
    (NAMESPACE.lower(), PROPERTY), (NAMESPACE.lower(), PROPERTY.lower()),
)  # fmt: skip
log = logging.getLogger(__name__)


def carrier(fmt: AnyFormat) -> str:
    """Return the one carrier of a format in which a label belongs."""
    return CARRIER if isinstance(fmt, Format) else timed.canonical_carrier(fmt)


def read(data: bytes | BinaryIO, fmt: AnyFormat) -> Evidence:
    """Look for the label in every carrier and form known.

    Parameters
    ----------
    data : bytes or open binary file
        Sounds and films are read in places, whatever their length.
    fmt : Format, SoundFormat or VideoFormat

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


def _xmp_labels(data: bytes | BinaryIO, fmt: AnyFormat, proper: str) -> list[_Found]:
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


def _text_labels(data: bytes | BinaryIO, fmt: AnyFormat, proper: str) -> list[_Found]:
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
