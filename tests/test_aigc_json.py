"""The label's JSON: strict when written, tolerant and bounded when read."""

from __future__ import annotations

import base64
import json
from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aiglabel.errors import LabelError
from aiglabel.label import Label
from aiglabel.marks.aigc_json import KEYS, decode, looks_like_label, to_fields, to_json

NOW = datetime(2026, 11, 22, tzinfo=UTC)
CODE = "001191110102MACQD9K64010000"
LABEL = Label.generated(producer=CODE, content_id="p-1", time=NOW)
CANONICAL = (
    '{"Label":"1","ContentProducer":"001191110102MACQD9K64010000","ProduceID":"p-1",'
    '"ReservedCode1":"","ContentPropagator":"","PropagateID":"","ReservedCode2":""}'
)
FIELDS = to_fields(LABEL)
annex_e = st.text(st.characters(min_codepoint=0x21, max_codepoint=0x7E, exclude_characters="\\"))


def codes(decoded):
    return {problem["code"] for problem in decoded.problems}


def test_canonical_value_is_the_one_of_the_standard():
    assert to_json(LABEL) == CANONICAL


@given(producer=annex_e, content_id=annex_e, reserved1=annex_e, propagator=annex_e)
def test_reading_undoes_writing(producer, content_id, reserved1, propagator):
    label = Label.generated(
        producer="p" + producer, content_id="c" + content_id, reserved1=reserved1,
        propagator=propagator, propagate_id="x", time=NOW,
    )  # fmt: skip
    text = to_json(label)
    assert all("\x21" <= char <= "\x7e" for char in text)
    decoded = decode(text)
    assert decoded.fields == to_fields(label)
    assert (decoded.form, decoded.problems, decoded.valid) == ("bare", [], True)


@pytest.mark.parametrize("value", ["豆包", "two words", "back\\slash", "new\nline", "\x7f"])
def test_forbidden_characters_are_refused(value):
    with pytest.raises(LabelError, match="Annex E"):
        Label.generated(producer=value, content_id="p-1", time=NOW)


@pytest.mark.parametrize(
    ("text", "form"),
    [
        (CANONICAL, "bare"),
        ('{"AIGC":' + CANONICAL + "}", "wrapped"),
        (json.dumps({"AIGC": CANONICAL}), "wrapped+string"),
        (json.dumps(CANONICAL), "string"),
        ("AIGC=" + CANONICAL, "prefix"),
        ("AIGC" + CANONICAL, "prefix"),
        ("aigc: " + CANONICAL, "prefix"),
        ('AIGC={"AIGC":' + CANONICAL + "}", "prefix+wrapped"),
        (CANONICAL.replace('"', "&quot;"), "html"),
        (base64.b64encode(CANONICAL.encode()).decode(), "base64"),
        (base64.urlsafe_b64encode(b"AIGC=" + CANONICAL.encode()).decode(), "base64+prefix"),
        ("\ufeff" + CANONICAL + "\0\0", "bare"),
    ],
)
def test_forms_seen_in_the_wild(text, form):
    decoded = decode(text)
    assert decoded.fields == FIELDS
    assert decoded.valid
    assert set(decoded.form.split("+")) == set(form.split("+"))
    assert codes(decoded) == (set() if form == "bare" else {"form"})


@pytest.mark.parametrize(
    ("text", "code", "valid"),
    [
        (CANONICAL[:-1], "not_json", False),
        ("", "not_json", False),
        ("null", "not_json", False),
        ('["1"]', "not_json", False),
        ('{"Label2":"1"}', "not_json", False),
        (CANONICAL + "{}", "trailing_data", False),
        (CANONICAL.replace("{", '{"Label":"2",'), "duplicate_key", False),
        ('{"AIGC":{},"AIGC":' + CANONICAL + "}", "duplicate_key", False),
        (CANONICAL.replace('"1"', '"AIGC"', 1), "label_value", False),
        (CANONICAL.replace('"1"', '"0"', 1), "label_value", False),
        (CANONICAL.replace('"p-1"', '""'), "empty", False),
        (CANONICAL.replace('"p-1"', '""').replace('"1"', '"3"', 1), "empty", True),
        (CANONICAL.replace('"1"', "1", 1), "type", True),
        (CANONICAL.replace(CODE, "某某公司"), "charset", True),
        (CANONICAL.replace("p-1", "p 1"), "charset", True),
        (CANONICAL.replace("p-1", r"p\ud8001"), "charset", True),
        (CANONICAL.replace("PropagateID", "PropatorID"), "unknown_key", True),
        (CANONICAL.replace(',"ReservedCode2":""', ""), "missing_key", True),
        (CANONICAL.replace("ContentProducer", "contentProducer"), "key_case", True),
        ('{"AIGC":{"ServiceProvider":"x","Time":"1","ContentId":"2"}}', "older_schema", False),
        (" " * 70_000 + CANONICAL, "too_large", False),
    ],
)
def test_every_departure_is_named(text, code, valid):
    decoded = decode(text)
    assert code in codes(decoded)
    assert decoded.valid is valid


@pytest.mark.parametrize(
    "bomb",
    [
        "[" * 60_000,
        '{"a":' * 12_000,
        '{"Label":' + "9" * 60_000 + "}",
        '{"Label":' + "[" * 150 + "]" * 150 + "}",
        "{" + ",".join(f'"k{i}":1' for i in range(5_000)) + "}",
        '"' * 60_000,
        "A" * 60_000,
        "AIGC=" * 12_000,
        "&quot;" * 10_000,
    ],
)
def test_bombs_end_quickly_and_quietly(bomb):
    decoded = decode(bomb)
    assert not decoded.valid
    assert len(decoded.problems) < 100
    json.dumps(decoded.problems).encode()


nested = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from([*KEYS, "AIGC", "label", "x"]), inner, max_size=5)
    ),
    max_leaves=12,
)


@settings(max_examples=200)
@given(nested.map(json.dumps) | st.text() | nested.map(lambda value: "AIGC=" + json.dumps(value)))
def test_nothing_makes_the_reader_raise(text):
    decoded = decode(text)
    looks_like_label(text)
    if decoded.fields is not None:
        assert list(decoded.fields) == list(KEYS)
        json.dumps(decoded.fields, ensure_ascii=False).encode()


@pytest.mark.parametrize(
    ("text", "label"),
    [
        (CANONICAL, True),
        ('{"AIGC":{"Label":"1"}}', True),
        ('{"AIGC":{"ServiceProvider":"x","ContentId":"2"}}', True),
        (CANONICAL[:-20], True),  # cut off: a broken label, not none
        ('{"label":"cat"}', False),
        ('{"ContentId":"7","Time":"noon"}', False),
        ('{"prompt":"a label"}', False),
        ("Label: 1", False),
        ("a photograph of AIGC {}", False),
    ],
)
def test_free_text_counts_only_with_the_fields_of_the_standard(text, label):
    assert looks_like_label(text) is label
