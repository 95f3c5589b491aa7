"""The channel codes: their algebra, what the decoder guarantees, and what it costs."""

from __future__ import annotations

import concurrent.futures
import heapq
import tracemalloc

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aiglabel.errors import PayloadError
from aiglabel.signal.code import (
    CODE_BITS,
    DWT_1,
    DWT_2,
    INFO_BITS,
    ONE,
    RATE_INVERSE,
    THOROUGH,
    USUAL,
    Code,
    Effort,
)

PAYLOAD = b"\x01\x23\x45\x67\x89\xab\xcd\xef"
DISTANCE = {DWT_1: 24, DWT_2: 29}
payloads = st.binary(min_size=8, max_size=8)
both = pytest.mark.parametrize("code", DISTANCE, ids=["dwt.1", "dwt.2"])


def received(code: Code, rows: int, distance: float, *, kept: int = CODE_BITS, seed: int = 0):
    """Payloads, their words, and soft bits in unit noise; all but `kept` of them are erased.

    `distance` is the expected correlation with the right word, in standard deviations.
    """
    rng = np.random.default_rng(seed)
    sent = [rng.bytes(8) for _ in range(rows)]
    words = np.stack([code.encode(one, b"k") for one in sent])
    soft = words * np.float32(distance / kept**0.5) + rng.standard_normal(words.shape, np.float32)
    there = rng.random(words.shape).argsort(axis=1) < kept
    return sent, words, soft * there


# --- algebra ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("code", "word"),
    [
        (
            DWT_1,
            "83f0000fa594c1238fd285f2fba69f112bb6c8e546b1"
            "22066cf766d718837c343d6f0615ca8a40a4e726e7a5",
        ),
        (
            DWT_2,
            "e0d1f00fc987eaa690242778b02c7c0dfa18fa9a4c3e"
            "801ffa9d4dc1da9516b463f09ace7b75d6f0f4ac9e64",
        ),
    ],
    ids=["dwt.1", "dwt.2"],
)
def test_words_are_those_of_the_wire_format(code, word):
    assert np.packbits(code.encode(PAYLOAD, b"tag key") < 0).tobytes().hex() == word


@both
def test_code_is_linear_and_tail_biting(code):
    bits = np.random.default_rng(1).integers(0, 2, (2, INFO_BITS), dtype=np.uint8)
    one, two = code.encode_bits(bits)
    np.testing.assert_array_equal(code.encode_bits(bits[:1] ^ bits[1:])[0], one * two)
    turned = code.encode_bits(np.roll(bits[:1], 5, axis=1))[0]
    np.testing.assert_array_equal(turned, np.roll(one, 5 * RATE_INVERSE))


@both
def test_free_distance_is_the_published_one(code):
    """Larsen 1973: the lightest path from state zero back to it, by Dijkstra's algorithm."""

    def weight(register: int) -> int:
        return sum((register & generator).bit_count() & 1 for generator in code.generators)

    states = 1 << (code.constraint - 1)
    least, queue = {1: weight(1)}, [(weight(1), 1)]
    while queue[0][1]:
        so_far, state = heapq.heappop(queue)
        for register in (state << 1, state << 1 | 1):
            total, after = so_far + weight(register), register % states
            if total < least.get(after, CODE_BITS):
                least[after] = total
                heapq.heappush(queue, (total, after))
    assert queue[0][0] == DISTANCE[code]


@both
def test_code_is_not_catastrophic_and_taps_both_ends(code):
    """Generators without a common factor: no endless error from finitely many code bits."""
    common = 0
    for other in code.generators:
        assert other & 1
        assert other >> (code.constraint - 1) == 1
        one = common
        while other:
            while one.bit_length() >= other.bit_length():
                one ^= other << (one.bit_length() - other.bit_length())
            one, other = other, one
        common = one
    assert common == 1


# --- what is always decoded ---------------------------------------------------------------------


@both
@given(payload=payloads, tag_key=st.binary(min_size=1, max_size=64))
def test_decode_inverts_encode(code, payload, tag_key):
    word = code.encode(payload, tag_key)
    words, found = code.decode(word[None].astype(np.float32), [tag_key])
    assert found == [payload]
    assert words.dtype == np.int8
    np.testing.assert_array_equal(words[0], word)


@both
@given(payload=payloads, data=st.data())
def test_errors_up_to_half_the_free_distance_are_corrected(code, payload, data):
    most = (DISTANCE[code] - 1) // 2
    span = data.draw(st.sampled_from([most, 2 * most, CODE_BITS]))
    begin = data.draw(st.integers(0, CODE_BITS - 1))
    wrong = data.draw(st.lists(st.integers(0, span - 1), min_size=most, max_size=most, unique=True))
    word = code.encode(payload, b"k")
    soft = word.astype(np.float32)
    soft[(begin + np.array(wrong)) % CODE_BITS] *= -1
    words, found = code.decode(soft[None], [b"k"], effort=ONE)
    assert found == [payload]
    np.testing.assert_array_equal(words[0], word)


@both
@given(payload=payloads, begin=st.integers(0, CODE_BITS - 1))
def test_erasures_below_the_free_distance_are_filled_in(code, payload, begin):
    soft = code.encode(payload, b"k").astype(np.float32)
    soft[(begin + np.arange(DISTANCE[code] - 1)) % CODE_BITS] = 0
    assert code.decode(soft[None], [b"k"], effort=ONE)[1] == [payload]


@both
def test_a_part_of_the_code_bits_is_enough(code):
    soft = code.encode(PAYLOAD, b"k").astype(np.float32)
    spread = np.zeros_like(soft)
    spread[np.arange(150) * CODE_BITS // 150] = 1
    assert code.decode((soft * spread)[None], [b"k"])[1] == [PAYLOAD]


# --- noise --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("code", "distance", "kept", "least"),
    [
        (DWT_1, 14, 352, 0.93),
        (DWT_2, 14, 352, 0.95),
        (DWT_1, 16.5, 150, 0.94),
        (DWT_2, 16.5, 150, 0.97),
    ],
)
def test_noisy_words_are_read_as_often_as_measured(code, distance, kept, least):
    sent, words, soft = received(code, 240, distance, kept=kept)
    decoded, found = code.decode(soft, [b"k"] * len(soft))
    right = [one == two for one, two in zip(sent, found, strict=True)]
    assert np.mean(right) >= least
    np.testing.assert_array_equal(decoded[right], words[right])


@both
def test_the_list_reads_what_the_likeliest_word_does_not(code):
    _, _, soft = received(code, 120, 13.5)
    keys = [b"k"] * len(soft)
    counts = []
    before = [None] * len(soft)
    for effort in (ONE, Effort(8, 6, 2), USUAL):
        _, found = code.decode(soft, keys, effort=effort)
        assert all(old in (None, new) for old, new in zip(before, found, strict=True))
        counts.append(sum(one is not None for one in found))
        before = found
    assert counts[0] < counts[1] < counts[2]


def test_a_longer_list_reads_more():
    sent, _, soft = received(DWT_2, 120, 11.3)
    found = [
        DWT_2.decode(soft, [b"k"] * len(soft), effort=effort)[1] for effort in (USUAL, THOROUGH)
    ]
    read = [sum(map(bytes.__eq__, sent, (one or b"" for one in some))) for some in found]
    assert read[1] >= 1.1 * read[0]
    assert all(set(some) <= {*sent, None} for some in found)


@both
def test_a_wrong_tag_gives_no_payload_but_the_likeliest_word(code):
    _, words, soft = received(code, 60, 17)
    decoded, found = code.decode(soft, [b"other key"] * len(soft))
    assert found == [None] * len(soft)
    np.testing.assert_array_equal(decoded, words)


@both
def test_noise_gives_no_payload(code):
    noise = np.random.default_rng(4).standard_normal((100, CODE_BITS)).astype(np.float32)
    words, found = code.decode(noise, [b"k"] * len(noise))
    assert found == [None] * len(noise)
    # The best of 2^88 words always fits noise a little.
    assert ((words * noise).sum(axis=1) / CODE_BITS**0.5 > 8.5).all()


# --- rows, scale, repetition --------------------------------------------------------------------


@both
def test_each_row_has_its_own_key(code):
    keys = [bytes([n + 1]) for n in range(20)]
    soft = np.stack([code.encode(PAYLOAD, key) for key in keys]).astype(np.float32)
    assert code.decode(soft, keys)[1] == [PAYLOAD] * 20
    assert code.decode(soft, keys[1:] + keys[:1])[1] == [None] * 20


@both
def test_no_rows_and_blank_rows_are_decoded_too(code):
    words, found = code.decode(np.empty((0, CODE_BITS), np.float32), [])
    assert (words.shape, found) == ((0, CODE_BITS), [])
    words, found = code.decode(np.zeros((1, CODE_BITS), np.float32), [b"k"])
    assert (words.shape, found) == ((1, CODE_BITS), [None])


@both
def test_neither_other_rows_nor_scale_nor_threads_change_the_answer(code):
    _, _, soft = received(code, 24, 12.5)
    keys = [b"k"] * len(soft)
    words, found = code.decode(soft, keys)
    for row, word, payload in zip(soft, words, found, strict=True):
        for scale in (1, 2.0**-60, 2.0**60):
            one, alone = code.decode(row[None] * np.float32(scale), [b"k"])
            assert alone == [payload]
            np.testing.assert_array_equal(one[0], word)
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        for again, same in pool.map(lambda _: code.decode(soft, keys), range(4)):
            np.testing.assert_array_equal(again, words)
            assert same == found


@both
def test_memory_does_not_grow_with_the_rows(code):
    soft = np.random.default_rng(6).standard_normal((64, CODE_BITS)).astype(np.float32)
    tracemalloc.start()
    try:
        code.decode(soft, [b"k"] * len(soft))
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 32 << 20


# --- refusals -----------------------------------------------------------------------------------


@both
@pytest.mark.parametrize("payload", [b"", b"seven b", b"nine byte", "8 bytes."])
def test_payload_of_another_size_is_refused(code, payload):
    with pytest.raises(PayloadError):
        code.encode(payload, b"k")


@pytest.mark.parametrize("effort", [(0, 6, 2), (535, 6, 2), (7, 6, 0)])
def test_a_list_of_another_length_is_refused(effort):
    with pytest.raises(ValueError, match="1 to "):
        Effort(*effort)
