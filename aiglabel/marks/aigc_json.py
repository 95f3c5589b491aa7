"""The value of an AIGC label: seven strings as JSON (GB 45438-2025 Annex E), read tolerantly.

What is written is strict. What is read includes every variant seen in the wild; each departure
from the standard is kept as a problem with a stable code, for the rule catalogue to judge.
"""

from __future__ import annotations

import base64
import binascii
import html
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from aiglabel.errors import LabelError
from aiglabel.label import Label, check_annex_e

KEYS = (
    "Label", "ContentProducer", "ProduceID", "ReservedCode1",
    "ContentPropagator", "PropagateID", "ReservedCode2",
)  # fmt: skip
MANDATORY = ("Label", "ContentProducer", "ProduceID")
LABEL_VALUES = ("1", "2", "3")
MAX_TEXT = 64 * 1024  # characters; a signed label has about 2 000

_OLDER_SCHEMA = {"ServiceProvider": "ContentProducer", "ContentId": "ProduceID"}
_SPELLINGS = {key.lower(): key for key in KEYS}
_OLDER_GATE = {"ServiceProvider", "ServiceUser"}
_SPOILING = {"duplicate_key", "trailing_data", "label_value", "older_schema"}
_MAX_LAYERS = 5
_MAX_BRACKETS = 200  # far below the depth at which a recursive parser fails
_MAX_KEYS = 64
_BASE64 = re.compile(r"[0-9A-Za-z+/_-]{16,}={0,2}")
_PREFIX = re.compile(r"\s*AIGC\s*[=:]?\s*(?=[{\"])", re.IGNORECASE)


@dataclass(frozen=True)
class Decoded:
    """One label value as found.

    Attributes
    ----------
    fields : dict of str to str, or None
        The values under their Annex E names, None when nothing could be decoded.
    form : str
        ``bare``, or the layers around it joined by ``+``: ``prefix``, ``string`` (JSON encoded
        twice), ``wrapped``, ``html``, ``base64``; ``properties`` for one XMP property per field,
        ``older`` for the schema before the standard.
    problems : list of dict
        ``{"code", "field", "text"}``; `code` is one of ``not_json``, ``too_large``,
        ``duplicate_key``, ``trailing_data``, ``form``, ``unknown_key``, ``missing_key``,
        ``key_case``, ``type``, ``label_value``, ``empty``, ``charset``, ``older_schema``.
    """

    fields: dict[str, str] | None
    form: str
    problems: list[dict[str, str]] = field(default_factory=list)

    @property
    def valid(self) -> bool:
        """Whether the value says something definite, however flawed its dress."""
        codes = {problem["code"] for problem in self.problems}
        if self.fields is None or codes & _SPOILING:
            return False
        return self.fields["Label"] != "1" or all(self.fields[key] for key in MANDATORY)


def to_fields(label: Label) -> dict[str, str]:
    """Return the seven values of a label under their Annex E names, in order."""
    values = (
        label.kind.aigc_code, label.producer, label.content_id, label.reserved1,
        label.propagator, label.propagate_id, label.reserved2,
    )  # fmt: skip
    return dict(zip(KEYS, values, strict=True))


def to_json(label: Label) -> str:
    """Return the canonical value: seven keys in order, compact, characters of Annex E j) only.

    Raises
    ------
    LabelError
        When a value holds a character the standard does not allow.
    """
    fields = to_fields(label)
    for name, value in fields.items():
        check_annex_e(name, value)
    return fields_to_json(fields)


def fields_to_json(fields: Mapping[str, str]) -> str:
    """Return seven values as canonical JSON, whatever their characters (another's stay his)."""
    return json.dumps({key: fields[key] for key in KEYS}, separators=(",", ":"), ensure_ascii=False)


def decode(text: str) -> Decoded:
    """Read a label value in any form seen in the wild; never raises, whatever the text."""
    if len(text) > MAX_TEXT:
        return Decoded(None, "bare", [_problem("too_large", "", f"over {MAX_TEXT} characters")])
    layers: list[str] = []
    problems: list[dict[str, str]] = []
    value: Any = text.strip("\0 \t\r\n\ufeff")
    try:
        for _ in range(_MAX_LAYERS):
            if isinstance(value, str):
                value = _peel(value, layers, problems)
            elif isinstance(value, _Object) and (inner := _unwrap(value)) is not None:
                problems += _duplicates(value)
                layers += ["wrapped", "string"] if isinstance(inner, str) else ["wrapped"]
                value = inner
            else:
                break
    except (ValueError, RecursionError) as error:
        return Decoded(None, _form(layers), [_problem("not_json", "", f"not JSON: {error}")])
    if not isinstance(value, _Object):
        return Decoded(None, _form(layers), [_problem("not_json", "", "not a JSON object")])
    problems += _duplicates(value)
    if layers:
        problems.append(_problem("form", "", f"not the bare JSON object but {_form(layers)}"))
    return _judge(value, layers, problems)


def looks_like_label(text: str) -> bool:
    """Tell whether free text (a comment, a description) holds a label; gates generic carriers."""
    if "{" not in text:
        return False
    decoded = decode(text)
    if decoded.fields is None:
        # Broken JSON is a broken label only where it names fields that nothing else has.
        return any(f'"{key}"' in text.replace("\\", "") for key in KEYS[1:])
    said = {key for key, value in decoded.fields.items() if value}
    return bool(said - {"Label"}) or not {"wrapped", "prefix"}.isdisjoint(decoded.form.split("+"))


def from_properties(values: Mapping[str, str]) -> Decoded:
    """Judge a label written as one XMP property per field instead of JSON."""
    problem = _problem("form", "", "one property per field instead of one JSON value")
    return _judge(_Object(dict(values), []), ["properties"], [problem])


class _Object(dict[str, Any]):
    """A JSON object that remembers keys given twice."""

    def __init__(self, values: dict[str, Any], repeated: list[str]) -> None:
        super().__init__(values)
        self.repeated = repeated


def _object(pairs: list[tuple[str, Any]]) -> _Object:
    seen: dict[str, Any] = {}
    repeated = []
    for key, value in pairs:
        if key in seen:
            repeated.append(key)
        else:
            seen[key] = value  # the first one wins: it is what a reader of the head sees
    return _Object(seen, repeated)


_DECODER = json.JSONDecoder(object_pairs_hook=_object)


def _peel(text: str, layers: list[str], problems: list[dict[str, str]]) -> Any:
    """Remove one layer from text: a prefix, HTML escapes, Base64, or JSON itself."""
    prefixed = _PREFIX.match(text)
    if prefixed:
        layers.append("prefix")
        return text[prefixed.end() :]
    if _BASE64.fullmatch(text):
        try:
            plain = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_").decode()
        except (binascii.Error, UnicodeDecodeError) as error:
            raise ValueError("neither JSON nor Base64 of it") from error
        layers.append("base64")
        return plain
    if text.count("{") + text.count("[") > _MAX_BRACKETS:
        raise ValueError("too many brackets")
    if "&quot;" in text and '"' not in text:
        layers.append("html")
        return html.unescape(text)
    value, end = _DECODER.raw_decode(text)
    if text[end:].strip("\0 \t\r\n"):
        problems.append(_problem("trailing_data", "", "more text follows the JSON value"))
    if isinstance(value, str):
        layers.append("string")
    return value


def _unwrap(value: _Object) -> Any:
    """Return what is inside ``{"AIGC": …}``, None when there is no such wrapper."""
    if len(value) > 1 and not _SPELLINGS.keys().isdisjoint(key.lower() for key in value):
        return None
    return next((inner for key, inner in value.items() if key.upper() == "AIGC"), None)


def _judge(value: _Object, layers: list[str], problems: list[dict[str, str]]) -> Decoded:
    fields: dict[str, str] = {}
    # Names this general belong to the older schema only where its own key stands beside them.
    older_keys = _OLDER_SCHEMA if "wrapped" in layers or _OLDER_GATE & value.keys() else {}
    older = False
    for name, item in list(value.items())[:_MAX_KEYS]:
        key = _SPELLINGS.get(name.lower())
        if key is None and name in older_keys:
            key, older = older_keys[name], True
        if key is None or key in fields:
            problems.append(_problem("unknown_key", name, f"{_short(name)} is not an Annex E key"))
            continue
        if name != key and name not in older_keys:
            problems.append(_problem("key_case", key, f"{key} is spelt {_short(name)}"))
        fields[key] = _as_text(key, item, problems)
    if not fields:
        problems.append(_problem("not_json", "", "none of the Annex E keys"))
        return Decoded(None, _form(layers), problems)
    problems += [
        _problem("missing_key", key, f"{key} is missing") for key in KEYS if key not in fields
    ]
    fields = {key: fields.get(key, "") for key in KEYS}
    if older:
        problems.append(_problem("older_schema", "", "an older schema, from before the standard"))
        return Decoded(fields, "+".join([*layers, "older"]), problems)
    problems += _field_problems(fields)
    return Decoded(fields, _form(layers), problems)


def _field_problems(fields: Mapping[str, str]) -> list[dict[str, str]]:
    problems = []
    if fields["Label"] not in LABEL_VALUES:
        text = f"Label is {_short(fields['Label'])}, not 1, 2 or 3"
        problems.append(_problem("label_value", "Label", text))
    problems += [_problem("empty", key, f"{key} is empty") for key in MANDATORY if not fields[key]]
    for key, value in fields.items():
        try:
            check_annex_e(key, value)
        except LabelError as error:
            problems.append(_problem("charset", key, error.reason))
    return problems


def _as_text(key: str, item: Any, problems: list[dict[str, str]]) -> str:
    if isinstance(item, str):
        # A lone surrogate cannot be written to any file again.
        return item.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    problems.append(_problem("type", key, f"{key} is no string"))
    if isinstance(item, (int, float)) and not isinstance(item, bool):
        return str(item)
    return "" if item is None else json.dumps(item, separators=(",", ":"))


def _duplicates(value: _Object) -> list[dict[str, str]]:
    return [
        _problem("duplicate_key", key, f"{_short(key)} is given twice") for key in value.repeated
    ]


def _problem(code: str, field_name: str, text: str) -> dict[str, str]:
    return {"code": code, "field": _short(field_name), "text": text}


def _short(text: str) -> str:
    """Cut foreign text for messages, and make it safe to print."""
    return "".join(char if char.isprintable() else "?" for char in text[:64])


def _form(layers: list[str]) -> str:
    return "+".join(layers) or "bare"
