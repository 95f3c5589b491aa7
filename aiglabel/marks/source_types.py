"""Digital source types: the IPTC NewsCodes vocabulary and the terms C2PA adds to it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from aiglabel.label import Kind

NEWSCODES = "http://cv.iptc.org/newscodes/digitalsourcetype/"
C2PA_TYPES = "http://c2pa.org/digitalsourcetype/"
MAX_VALUE = 512  # characters of a foreign value that are looked at


class Meaning(StrEnum):
    """What a digital source type says about the part of AI."""

    AI = "ai"  # a trained model made all or part of it
    SYNTHETIC = "synthetic"  # computed, though not (or not surely) by a trained model
    OTHER = "other"


_TERMS = {
    Meaning.AI: (
        "trainedAlgorithmicMedia compositeWithTrainedAlgorithmicMedia compositeSynthetic "
        "trainedAlgorithmicData"
    ),
    Meaning.SYNTHETIC: "algorithmicMedia virtualRecording",
    Meaning.OTHER: (
        "digitalCapture computationalCapture negativeFilm positiveFilm print humanEdits "
        "algorithmicallyEnhanced digitalCreation dataDrivenMedia screenCapture composite "
        "compositeCapture minorHumanEdits softwareImage digitalArt empty"
    ),
}
_C2PA_TERMS = {"empty", "trainedAlgorithmicData"}

VOCABULARY: dict[str, Meaning] = {
    (C2PA_TYPES if term in _C2PA_TERMS else NEWSCODES) + term: meaning
    for meaning, terms in _TERMS.items()
    for term in terms.split()
}
"""Full URI of every known digital source type → its meaning."""

_BY_TERM = {uri.rpartition("/")[2].lower(): uri for uri in VOCABULARY}

OF_KIND = {
    Kind.GENERATED: NEWSCODES + "trainedAlgorithmicMedia",
    Kind.EDITED: NEWSCODES + "compositeWithTrainedAlgorithmicMedia",
}
"""What is written; kinds that only suspect state no source type."""


@dataclass(frozen=True)
class SourceType:
    """A digital source type as found: the URI it means (None if unknown) and its defect, if any."""

    value: str
    uri: str | None
    meaning: Meaning
    problem: str | None

    def record(self) -> dict[str, str | None]:
        """Return it JSON-ready."""
        return {"value": self.value, "uri": self.uri, "meaning": self.meaning.value}


def source_type(value: str) -> SourceType:
    """Understand a digital source type, also as bare code, with ``https`` or in other case."""
    value = value.strip()[:MAX_VALUE]
    if value in VOCABULARY:
        return SourceType(value, value, VOCABULARY[value], None)
    head, _, term = value.rstrip("/").rpartition("/")
    place = head.lower().removeprefix("https://").removeprefix("http://").removeprefix("www.")
    uri = _BY_TERM.get(term.lower())
    homes = {"", "cv.iptc.org/newscodes/digitalsourcetype", "c2pa.org/digitalsourcetype"}
    if uri is None or place not in homes:
        return SourceType(value, None, Meaning.OTHER, "is not in the IPTC vocabulary")
    problem = f"should read {uri}" if head else f"is a bare code; it should read {uri}"
    return SourceType(value, uri, VOCABULARY[uri], problem)
