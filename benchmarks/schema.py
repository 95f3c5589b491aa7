"""The form of a stored result; every committed file is held to it by the tests."""

from __future__ import annotations

from typing import Any

import jsonschema

FORMAT = 1

_NUMBER = {"type": "number"}
_TEXT = {"type": "string"}


def _record(properties: dict[str, Any]) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }


_SPREAD = _record({"median": _NUMBER, "iqr": {"type": "number", "minimum": 0}, "n": _NUMBER})
_SHARE = {"type": "number", "minimum": 0, "maximum": 1}
_RATE = _record({"hits": _NUMBER, "n": _NUMBER, "low": _SHARE, "high": _SHARE})
_CELL = {"anyOf": [_NUMBER, _TEXT, {"type": "null"}, _SPREAD, _RATE]}
_ROW = {"type": "object", "minProperties": 1, "additionalProperties": _CELL}

SCHEMA = _record(
    {
        "format": {"const": FORMAT},
        "suite": {"type": "string", "pattern": "^[a-z-]+$"},
        "full": {"type": "boolean"},
        "version": _TEXT,
        "commit": {"type": ["string", "null"]},
        "finished": {"type": "string", "pattern": r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\+00:00$"},
        "seconds": _NUMBER,
        "seed": {"type": "integer"},
        "machine": _record(
            {
                "cpu": _TEXT,
                "cores": {"type": "integer", "minimum": 1},
                "system": _TEXT,
                "python": _TEXT,
                "load_before": _NUMBER,
                "load_after": _NUMBER,
            }
        ),
        "packages": {"type": "object", "additionalProperties": {"type": ["string", "null"]}},
        "tables": {
            "type": "array",
            "minItems": 1,
            "items": _record(
                {"title": _TEXT, "note": _TEXT, "rows": {"type": "array", "items": _ROW}}
            ),
        },
        "floors": {
            "type": "array",
            "items": _record(
                {
                    "name": _TEXT,
                    "value": _NUMBER,
                    "sense": {"enum": [">=", "<="]},
                    "limit": _NUMBER,
                    "kept": {"type": "boolean"},
                }
            ),
        },
    }
)


def validate(result: dict[str, Any]) -> None:
    """Raise `jsonschema.ValidationError` where `result` is not a stored result."""
    jsonschema.validate(result, SCHEMA)
