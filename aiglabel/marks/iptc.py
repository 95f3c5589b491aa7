"""IPTC digital source type in XMP, and the AI system fields of IPTC Photo Metadata 2025.1.

``Iptc4xmpExt:DigitalSourceType`` holds one full ``http`` URI of the NewsCodes vocabulary. It is a
statement anybody can write or remove; it carries weight only inside a signature (C2PA). The prompt
fields of 2025.1 are never written: prompts are personal data. Nothing is written into sounds and
films, where the credentials state the source type.
"""

from __future__ import annotations

from typing import Any, BinaryIO

from aiglabel import containers
from aiglabel.containers import xmp
from aiglabel.containers.sniff import AnyFormat, Format
from aiglabel.errors import CorruptMedia, OutputError
from aiglabel.evidence import Evidence, Outcome, Status
from aiglabel.label import Label
from aiglabel.marks.metadata import Properties, write_properties
from aiglabel.marks.source_types import MAX_VALUE, OF_KIND, Meaning, SourceType, source_type

MARK = "iptc"
NAMESPACE = "http://iptc.org/std/Iptc4xmpExt/2008-02-29/"
PREFIX = "Iptc4xmpExt"

_SOURCE_TYPE = "DigitalSourceType"
_SYSTEM = "AISystemUsed"
_VERSION = "AISystemVersionUsed"
_PROMPT_FIELDS = ("AIPromptInformation", "AIPromptWriterName")
_MAX_VALUES = 16


def properties(label: Label) -> dict[tuple[str, str, str], str]:
    """Return the XMP properties that state a label; none for suspicions."""
    if label.kind not in OF_KIND:
        return {}
    values = {
        _SOURCE_TYPE: OF_KIND[label.kind],
        _SYSTEM: label.model,
        _VERSION: label.model_version if label.model else "",
    }
    return {(NAMESPACE, PREFIX, name): value for name, value in values.items() if value}


def write(data: bytes, fmt: Format, label: Label) -> tuple[bytes, Outcome]:
    """Write the properties of a label into a file's XMP packet and read them back.

    Raises
    ------
    MediaError
        When the file is broken or takes no XMP.
    OutputError
        When the source type does not read back as written.
    """
    wanted = properties(label)
    data = write_properties(data, fmt, wanted)
    return data, outcome(data, fmt, wanted)


def outcome(data: bytes, fmt: Format, wanted: Properties) -> Outcome:
    """Compare a written file with the properties it should hold.

    Raises
    ------
    OutputError
        When the source type does not read back as written.
    """
    uri = wanted.get((NAMESPACE, PREFIX, _SOURCE_TYPE))
    if uri is None:
        detail = "A suspicion states no digital source type."
        return Outcome(mark=MARK, written=False, detail=detail)
    if [one["value"] for one in read(data, fmt).facts["source_types"]] != [uri]:
        raise OutputError("the IPTC digital source type did not read back as written")
    return Outcome(
        mark=MARK,
        written=True,
        detail=f"Digital source type {uri.rpartition('/')[2]} written.",
        facts={name: value for (_, _, name), value in wanted.items()},
    )


def read(data: bytes | BinaryIO, fmt: AnyFormat) -> Evidence:
    """Look for IPTC statements that AI made or changed the content.

    Parameters
    ----------
    data : bytes or open binary file
        A film is read in places, whatever its length.
    fmt : Format, SoundFormat or VideoFormat

    Returns
    -------
    Evidence
        PRESENT when a source type or an AI system field says so; ABSENT otherwise, with what else
        is stated kept in `facts`: ``ai`` (bool), ``source_types`` (each ``value, uri, meaning``),
        ``system``, ``system_version``, ``prompt_fields`` (names only), ``problems``.

    Raises
    ------
    MediaError
        When the file's structure is broken.
    """
    values: dict[str, list[str]] = {}
    problems = []
    for packet in containers.read_xmp(data, fmt):
        try:
            tree = xmp.parse(packet)
        except CorruptMedia as error:
            problems.append(f"an XMP packet cannot be read: {error.reason}")
            continue
        for name in (_SOURCE_TYPE, _SYSTEM, _VERSION, *_PROMPT_FIELDS):
            values.setdefault(name, []).extend(tree.get(NAMESPACE, name)[:_MAX_VALUES])
    types = list({value: source_type(value) for value in values.get(_SOURCE_TYPE, [])}.values())
    problems += [f"{one.value} {one.problem}" for one in types if one.problem]
    if len(types) > 1:
        problems.append("more than one digital source type")
    system = _first(values, _SYSTEM)
    prompt_fields = [name for name in _PROMPT_FIELDS if _first(values, name)]
    ai_types = [one for one in types if one.meaning is Meaning.AI]
    named = bool(system or prompt_fields)
    if named and not types:
        problems.append("AI fields without a digital source type")
    facts: dict[str, Any] = {
        "ai": bool(ai_types) or named,
        "source_types": [one.record() for one in types],
        "system": system,
        "system_version": _first(values, _VERSION),
        "prompt_fields": prompt_fields,
        "problems": problems,
    }
    return _evidence(types, ai_types, facts)


def _evidence(
    types: list[SourceType], ai_types: list[SourceType], facts: dict[str, Any]
) -> Evidence:
    if ai_types:
        payload = ai_types[0].uri
        detail = f"Digital source type {ai_types[0].uri}."
    elif facts["ai"]:
        payload = facts["system"]
        detail = f"The metadata names an AI system: {facts['system'] or 'prompt fields'}."
    else:
        payload = None
        stated = ", ".join(one.value for one in types)
        detail = f"Stated, but not AI: {stated}." if stated else "No digital source type found."
    return Evidence(
        mark=MARK,
        status=Status.PRESENT if facts["ai"] else Status.ABSENT,
        payload=payload,
        where=f"XMP {PREFIX}" if types or facts["ai"] else None,
        detail=detail,
        facts=facts,
    )


def _first(values: dict[str, list[str]], name: str) -> str | None:
    return next(
        (value.strip()[:MAX_VALUE] for value in values.get(name, []) if value.strip()), None
    )
