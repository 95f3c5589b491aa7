"""Digital source types: the IPTC vocabulary and the values C2PA adds, and which of them mean AI.

The SDK writes any URI without a word, so ours are checked against this list (facts §2.1).
"""

from __future__ import annotations

from aiglabel.label import Kind

IPTC = "http://cv.iptc.org/newscodes/digitalsourcetype/"
_C2PA = "http://c2pa.org/digitalsourcetype/"

# Wholly or partly made by a trained model.
MODEL_MADE = frozenset({
    "trainedAlgorithmicMedia", "compositeWithTrainedAlgorithmicMedia", "compositeSynthetic",
    "trainedAlgorithmicData",
})  # fmt: skip
# Made by an algorithm, though not by a trained one: a hint, no declaration of AI.
ALGORITHM_MADE = frozenset({"algorithmicMedia"})
VOCABULARY = frozenset(
    IPTC + code
    for code in (
        "trainedAlgorithmicMedia", "compositeWithTrainedAlgorithmicMedia", "compositeSynthetic",
        "algorithmicMedia", "algorithmicallyEnhanced", "virtualRecording", "digitalCapture",
        "computationalCapture", "negativeFilm", "positiveFilm", "print", "humanEdits",
        "digitalCreation", "dataDrivenMedia", "screenCapture", "composite", "compositeCapture",
        "minorHumanEdits", "softwareImage", "digitalArt",
    )
) | {f"{_C2PA}empty", f"{_C2PA}trainedAlgorithmicData"}  # fmt: skip

ENHANCED = IPTC + "algorithmicallyEnhanced"
_OF_KIND = {
    Kind.GENERATED: IPTC + "trainedAlgorithmicMedia",
    Kind.EDITED: IPTC + "compositeWithTrainedAlgorithmicMedia",
}


def of_label(kind: Kind) -> str | None:
    """Return the source type a label states; None where it only reports a suspicion."""
    return _OF_KIND.get(kind)


def code(uri: object) -> str:
    """Return the last part of a source type URI, and the whole text where it is none."""
    return str(uri).rsplit("/", 1)[-1]
