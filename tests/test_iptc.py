"""IPTC digital source type: written as full URI, read in every spelling."""

from __future__ import annotations

import io

import pytest
from PIL import Image

from aiglabel import containers
from aiglabel.containers.sniff import Format
from aiglabel.evidence import Status
from aiglabel.label import Label
from aiglabel.marks import iptc
from aiglabel.marks.source_types import NEWSCODES, VOCABULARY, Meaning, source_type

TRAINED = NEWSCODES + "trainedAlgorithmicMedia"
COMPOSITE = NEWSCODES + "compositeWithTrainedAlgorithmicMedia"
WHO = {"producer": "p", "content_id": "1"}
GENERATED = Label.generated(**WHO, model="Painter", model_version="2.1")
EDITED = Label.edited(**WHO)
SUSPECTED = Label.suspected(propagator="p", propagate_id="1")


def picture():
    stream = io.BytesIO()
    Image.new("RGB", (16, 16)).save(stream, "PNG")
    return stream.getvalue()


def with_properties(**values):
    rows = "".join(f"<e:{name}>{value}</e:{name}>" for name, value in values.items())
    packet = (
        '<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"><rdf:Description '
        f'rdf:about="" xmlns:e="{iptc.NAMESPACE}">{rows}</rdf:Description></rdf:RDF>'
    )
    return containers.write_xmp(picture(), Format.PNG, packet.encode())


def read(data):
    return iptc.read(data, Format.PNG)


@pytest.mark.parametrize(("label", "uri"), [(GENERATED, TRAINED), (EDITED, COMPOSITE)])
def test_written_statement_reads_back(label, uri):
    data, outcome = iptc.write(picture(), Format.PNG, label)
    assert outcome.written
    evidence = read(data)
    assert (evidence.status, evidence.payload) == (Status.PRESENT, uri)
    assert evidence.facts["ai"]
    assert evidence.facts["problems"] == []
    assert evidence.facts["system"] == (label.model or None)
    assert evidence.facts["system_version"] == (label.model_version or None)
    assert iptc.write(data, Format.PNG, label)[0] == data


def test_a_suspicion_states_no_source_type():
    data, outcome = iptc.write(picture(), Format.PNG, SUSPECTED)
    assert (data, outcome.written) == (picture(), False)
    assert read(data).status is Status.ABSENT


def test_prompts_are_never_written():
    assert not any("Prompt" in name for _, _, name in iptc.properties(GENERATED))


def test_a_new_statement_replaces_the_old_one():
    data = with_properties(DigitalSourceType=NEWSCODES + "digitalCapture")
    data, _ = iptc.write(data, Format.PNG, EDITED)
    assert [one["value"] for one in read(data).facts["source_types"]] == [COMPOSITE]


@pytest.mark.parametrize(
    ("value", "uri", "flawed"),
    [
        (TRAINED, TRAINED, False),
        (f" {TRAINED}\n", TRAINED, False),
        ("trainedAlgorithmicMedia", TRAINED, True),
        ("TrainedAlgorithmicMedia", TRAINED, True),
        (TRAINED.replace("http:", "https:"), TRAINED, True),
        (TRAINED + "/", TRAINED, True),
        ("http://c2pa.org/digitalsourcetype/trainedAlgorithmicMedia", TRAINED, True),
        ("http://example.org/trainedAlgorithmicMedia", None, True),
        (NEWSCODES + "madeByElves", None, True),
        ("", None, True),
        ("x" * 10_000, None, True),
    ],
)
def test_spellings(value, uri, flawed):
    found = source_type(value)
    assert found.uri == uri
    assert bool(found.problem) is flawed
    assert (found.meaning is Meaning.AI) is (uri is not None)


@pytest.mark.parametrize(("uri", "meaning"), VOCABULARY.items())
def test_the_whole_vocabulary(uri, meaning):
    evidence = read(with_properties(DigitalSourceType=uri))
    assert (evidence.status is Status.PRESENT) is (meaning is Meaning.AI)
    assert evidence.facts["source_types"] == [
        {"value": uri, "uri": uri, "meaning": meaning.value}
    ]  # fmt: skip


def test_no_algorithm_without_training_counts_as_ai():
    assert VOCABULARY[NEWSCODES + "algorithmicMedia"] is Meaning.SYNTHETIC
    assert VOCABULARY[NEWSCODES + "digitalCapture"] is Meaning.OTHER


def test_naming_a_system_is_a_statement_too():
    evidence = read(with_properties(AISystemUsed="Painter", AIPromptInformation="a secret"))
    assert evidence.status is Status.PRESENT
    assert evidence.facts["prompt_fields"] == ["AIPromptInformation"]
    assert "secret" not in str(evidence)
    assert evidence.facts["problems"]


def test_two_source_types_are_a_problem():
    both = f"<r:li>{TRAINED}</r:li><r:li>{NEWSCODES}digitalCapture</r:li>"
    bag = (
        f'<r:Bag xmlns:r="http://www.w3.org/1999/02/22-rdf-syntax-ns#">{both}</r:Bag>'
    )  # fmt: skip
    evidence = read(with_properties(DigitalSourceType=bag))
    assert evidence.status is Status.PRESENT
    assert "more than one digital source type" in evidence.facts["problems"]


def test_a_broken_packet_is_a_problem_and_no_crash(monkeypatch):
    monkeypatch.setattr(containers, "read_xmp", lambda data, fmt: [b"<rdf:RDF", b""])
    evidence = read(picture())
    assert evidence.status is Status.ABSENT
    assert len(evidence.facts["problems"]) == 2
