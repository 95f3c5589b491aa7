"""Texts found outside XMP, where AIGC labels are seen in the wild (GB 45438-2025 Annex B)."""

from __future__ import annotations

import re
from dataclasses import dataclass

_GLUED = re.compile(rb"AIGC[\"']?\s{0,9}[:=]?\s{0,9}(?=\{)")
_JSON_TOKEN = re.compile(rb'"(?:[^"\\]|\\.)*+"?|[{}]', re.DOTALL)


@dataclass(frozen=True)
class TextField:
    """One text and the place it was found in.

    Attributes
    ----------
    carrier : str
        ``PNG tEXt AIGC``, ``EXIF UserComment``, ``JPEG APP11 text``, …
    key : str
        Keyword or tag name.
    text : str
    """

    carrier: str
    key: str
    text: str


def decode(raw: bytes) -> str:
    """UTF-8 where it is that, else Latin-1; what follows the first NUL is padding."""
    raw = raw.partition(b"\0")[0]
    try:
        return raw.decode()
    except UnicodeDecodeError:
        return raw.decode("latin-1")


def glued(raw: bytes, carrier: str) -> list[TextField]:
    """Return the JSON objects that follow a bare ``AIGC`` in `raw`."""
    found, at = [], 0
    while match := _GLUED.search(raw, at):
        end = _object_end(raw, match.end())
        if end is None:  # searching on from here would cost quadratic time in a hostile file
            break
        found.append(TextField(carrier, "AIGC", decode(raw[match.end() : end])))
        at = end
    return found


def _object_end(raw: bytes, at: int) -> int | None:
    depth = 0
    for token in _JSON_TOKEN.finditer(raw, at):
        depth += {b"{": 1, b"}": -1}.get(token[0], 0)
        if depth == 0:
            return token.end()
    return None
