"""What a manifest store says, in the JSON the SDK makes of it.

A stranger wrote it: nothing need be there or be of the type it should be, and lists may be endless.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

MAX_ENTRIES = 200
"""Of a kind; a hostile manifest may list millions."""

MAX_TEXT = 300
"""Characters."""

_METADATA = ("cawg.metadata", "c2pa.metadata", "stds.iptc")

Json = dict[str, Any]


def manifests(store: Json) -> Iterator[tuple[str, Json]]:
    """Yield label and manifest of each, the active one first."""
    active = store["active_manifest"]
    yield active, store["manifests"][active]
    for label, manifest in store["manifests"].items():
        if label != active:
            yield label, manifest


def actions(manifest: Json) -> Iterator[Json]:
    """Yield what its ``c2pa.actions`` assertions list."""
    for assertion in _assertions(manifest):
        if str(assertion.get("label")).startswith("c2pa.actions"):
            listed = mapping(assertion.get("data")).get("actions")
            yield from filter(None, map(mapping, listed if isinstance(listed, list) else ()))


def metadata_values(manifest: Json, name: str) -> Iterator[str]:
    """Yield the values of a property, of any prefix, in its metadata assertions."""
    for assertion in _assertions(manifest):
        if str(assertion.get("label")).startswith(_METADATA):
            for key, value in mapping(assertion.get("data")).items():
                if key.endswith(f":{name}") and isinstance(value, str):
                    yield value[:MAX_TEXT]


def _assertions(manifest: Json) -> list[Json]:
    return [mapping(assertion) for assertion in manifest.get("assertions") or ()]


def descriptions(action: Json) -> tuple[Any, Any]:
    """Return the two places in which an action is told in words."""
    return action.get("description"), mapping(action.get("parameters")).get("description")


def agent(value: Any) -> dict[str, str | None] | None:
    """Return name and version of an agent, a text in claims of version 1, a map since."""
    if isinstance(value, str):
        return {"name": text(value), "version": None}
    named = mapping(value)
    name = text(named.get("name"))
    return {"name": name, "version": text(named.get("version"))} if name else None


def claim_generator(active: Json) -> str | None:
    """Return name and version of the software that wrote the claim."""
    for info in active.get("claim_generator_info") or ():
        named = agent(info)
        if named:
            return " ".join(filter(None, (named["name"], named["version"])))
    return text(active.get("claim_generator"))


def codes(entries: Any) -> list[str]:
    """Return the status codes of validation results, each once, in order."""
    return sorted({text(entry.get("code")) or "" for entry in entries or ()})[:MAX_ENTRIES]


def deltas(results: Any) -> Iterator[tuple[str, Json]]:
    """Yield the URI of each ingredient, and the validation results that it adds."""
    for entry in mapping(results).get("ingredientDeltas") or ():
        yield str(entry.get("ingredientAssertionURI")), mapping(entry.get("validationDeltas"))


def mapping(value: Any) -> Json:
    """Return a map as it is, an empty one for all else."""
    return value if isinstance(value, dict) else {}


def text(value: Any) -> str | None:
    """Return a text, cut at `MAX_TEXT`; None for all else."""
    return value[:MAX_TEXT] if isinstance(value, str) else None
