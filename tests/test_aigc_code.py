"""Provider codes: the check character of GB 32100 and the layout of TC260-PG-20252A."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aiglabel.marks.aigc_code import (
    code_problems,
    meant_as_code,
    parse_code,
    same_provider,
    service_type_fits,
    uscc_valid,
)

ALPHABET = "0123456789ABCDEFGHJKLMNPQRTUWXY"
# Found in the labels of Doubao, Honor and others; the last is Baidu's.
REAL = (
    "91110102MACQD9K640", "91440300MA5G49LC9K", "91440300708461136T", "91310104MACE0YX639",
    "91110000802100433B",
)  # fmt: skip
DOUBAO = "001191110102MACQD9K64010000"


@pytest.mark.parametrize("uscc", REAL)
def test_real_credit_codes_pass(uscc):
    assert uscc_valid(uscc)


@given(st.sampled_from(REAL), st.integers(0, 17), st.sampled_from(ALPHABET))
def test_every_single_wrong_character_is_found(uscc, place, char):
    changed = uscc[:place] + char + uscc[place + 1 :]
    assert uscc_valid(changed) is (changed == uscc)


@given(st.sampled_from(REAL), st.integers(0, 16))
def test_every_swap_of_neighbours_is_found(uscc, place):
    swapped = uscc[:place] + uscc[place + 1] + uscc[place] + uscc[place + 2 :]
    assert uscc_valid(swapped) is (swapped == uscc)


def test_parts_of_a_real_code():
    code = parse_code(DOUBAO)
    assert (code.subject_type, code.binding, code.uscc) == ("1", "1", "91110102MACQD9K640")
    assert code.uscc_valid
    assert (code.service_type, code.model_code) == ("1", "0000")


def test_the_22_character_form_is_read_but_is_no_valid_code():
    assert parse_code(DOUBAO[:22]).uscc_valid
    assert parse_code(DOUBAO[:22]).service_type is None
    assert "22 characters" in code_problems(DOUBAO[:22])[0]


@pytest.mark.parametrize(
    ("text", "meant", "flawed"),
    [
        (DOUBAO, True, False),
        (DOUBAO.replace("K640", "K641"), True, True),
        (DOUBAO.lower(), True, True),
        (DOUBAO + "0", True, True),
        ("0021" + "A" * 23, True, False),  # an individual's identifier has no check character
        ("doubao", False, False),
        ("", False, False),
        ("豆包", False, False),
    ],
)
def test_codes_names_and_mistakes(text, meant, flawed):
    assert meant_as_code(text) is meant
    assert bool(code_problems(text)) is flawed


@pytest.mark.parametrize(
    ("digit", "producer", "propagator"), [("1", True, False), ("2", False, True), ("0", True, True)]
)
def test_position_23(digit, producer, propagator):
    code = DOUBAO[:22] + digit + "YO01"
    assert service_type_fits(code, "producer") is producer
    assert service_type_fits(code, "propagator") is propagator
    assert service_type_fits("a name", "producer") is None


def test_same_provider_looks_at_the_legal_entity():
    assert same_provider(DOUBAO, DOUBAO[:23] + "AB12")
    assert same_provider(DOUBAO, DOUBAO[:22])
    assert same_provider("doubao", "doubao")
    assert not same_provider("doubao", DOUBAO)
    assert not same_provider(DOUBAO, "001191440300MA5G49LC9K1YO01")
