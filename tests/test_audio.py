"""The audio watermark as its callers hear it: round trips, robustness, answers, statistics."""

from __future__ import annotations

import hashlib
import re
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from sounds import RATE, voice

from aiglabel.errors import PayloadError
from aiglabel.key import Key
from aiglabel.signal import audio, audio_detector, audio_trial, code, score, spectrogram

KEY = Key(bytes(range(32)))
PAYLOAD = b"\x01\x23\x45\x67\x89\xab\xcd\xef"
OTHERS = [Key(hashlib.sha256(bytes([number])).digest()) for number in range(8)]
CARRIER = score.carrier(KEY)


@cache
def marked(seconds: float = 10.0) -> NDArray[np.float32]:
    return audio.embed(voice(seconds), PAYLOAD, rate=RATE, key=KEY)


def resampled(y: NDArray[np.float32], speed: float) -> NDArray[np.float32]:
    """The sound played that much faster, at the same rate: linear interpolation is enough."""
    places = np.arange(0, len(y) - 1, speed)
    return np.interp(places, np.arange(len(y)), y).astype(np.float32)


# --- tile and map -------------------------------------------------------------------------------


@given(st.integers(0, 2**32 - 1))
def test_tile_transform_is_orthonormal_and_invertible(seed):
    values = np.random.default_rng(seed).standard_normal(score.COEFFICIENTS).astype(np.float32)
    tile = score.synthesise(values)
    assert tile.shape == (score.ROWS, score.BANDS)
    np.testing.assert_allclose(score.analyse(tile), values, atol=1e-4)
    assert float((tile**2).sum()) == pytest.approx(float((values**2).sum()), rel=1e-4)


def test_a_tile_changes_neither_loudness_nor_timbre():
    tile = score.synthesise(score.gains() * CARRIER.chips)
    assert float(np.mean(tile**2)) == pytest.approx(1, rel=1e-4)
    np.testing.assert_allclose(tile[0::2].mean() + tile[1::2].mean(), 0, atol=1e-5)
    squares = tile.reshape(score.ROWS // 2, 2, score.BANDS // 2, 2).sum((1, 3))
    np.testing.assert_allclose(squares, 0, atol=1e-4)


def test_carriers_are_cached_read_only_and_differ_from_those_of_pictures():
    assert score.carrier(KEY) is CARRIER
    with pytest.raises(ValueError, match="read-only"):
        CARRIER.chips[0] = 0
    assert len(CARRIER.pilots) + len(CARRIER.message) == score.COEFFICIENTS
    assert not np.array_equal(CARRIER.chips, score.carrier(OTHERS[0]).chips)


def test_bands_are_wide_enough_for_pitch_and_reach_the_telephone_and_beyond():
    edges = score.edges()
    assert len(edges) == score.BANDS + 1
    assert edges[0] == 300
    assert 6500 < edges[-1] < 7200
    widths = np.diff(edges)
    assert (widths >= 50).all()
    np.testing.assert_allclose(
        widths[edges[:-1] > 1700] / edges[:-1][edges[:-1] > 1700], 0.03, rtol=1e-3
    )


@pytest.mark.parametrize("size", [320, 882, 1764])
def test_frames_undo_lines(size):
    rows = np.random.default_rng(size).standard_normal((7, size)).astype(np.float32)
    rows -= rows.mean(axis=1, keepdims=True)
    alternating = np.where(np.arange(size) % 2, -1, 1).astype(np.float32)
    rows -= np.outer(rows @ alternating / size, alternating)
    np.testing.assert_allclose(spectrogram.frames(spectrogram.lines(rows)), rows, atol=1e-4)


# --- every kind of sound ------------------------------------------------------------------------


@pytest.mark.parametrize("rate", [8000, 11025, 16000, 22050, 44100, 48000])
@pytest.mark.parametrize("channels", [1, 2])
def test_round_trip_at_every_rate(rate, channels):
    y = np.stack([voice(6, rate, seed) for seed in range(channels)])
    before = y.copy()
    out = audio.embed(y, PAYLOAD, rate=rate, key=KEY)
    np.testing.assert_array_equal(y, before)
    assert (out.shape, out.dtype) == (y.shape, y.dtype)
    assert 10 * np.log10((y**2).sum() / ((out - y) ** 2).sum()) > 18
    found = audio.detect(out, rate=rate, key=KEY)
    assert found.payload == PAYLOAD
    assert found.present
    assert found.p_value < 1e-9


@pytest.mark.parametrize(
    ("shape", "dtype"),
    [
        ((96000,), np.int16), ((1, 96000), np.int32), ((6, 96000), np.float32),
        ((2, 96000), np.float64),
    ],
)  # fmt: skip
def test_every_type_and_layout(shape, dtype):
    y = np.broadcast_to(voice(6), shape)
    if np.dtype(dtype).kind == "i":
        y = y * np.iinfo(dtype).max
    y = y.astype(dtype)
    out = audio.embed(y, PAYLOAD, rate=RATE, key=KEY)
    assert (out.shape, out.dtype) == (shape, np.dtype(dtype))
    assert audio.detect(out, rate=RATE, key=KEY).payload == PAYLOAD


@settings(max_examples=15, deadline=None)
@given(st.lists(st.integers(0, 9000), min_size=1, max_size=12), st.integers(0, 3))
def test_blocks_of_any_size_give_the_same_samples(sizes, extra):
    y = np.stack([voice(3), voice(3, seed=1)])[:, : sum(sizes) + extra]
    marker = audio.Marker(PAYLOAD, rate=RATE, channels=2, key=KEY)
    blocks, at = [], 0
    for size in (*sizes, y.shape[1]):
        blocks.append(marker.process(y[:, at : at + size]))
        at = min(at + size, y.shape[1])
        given_out = sum(block.shape[1] for block in blocks)
        assert at - given_out <= 0.07 * RATE
    blocks.append(marker.flush())
    at_once = audio.Marker(PAYLOAD, rate=RATE, channels=2, key=KEY)
    whole = np.concatenate([at_once.process(y), at_once.flush()], axis=1)
    np.testing.assert_allclose(np.concatenate(blocks, axis=1), whole, atol=1e-6)


def test_longer_sounds_carry_twice_as_much():
    y, payload = voice(16.0), bytes(range(16))
    marked = audio.mark(y, payload, rate=RATE, key=KEY)
    assert marked.holds
    assert audio.holds(marked.samples, payload, rate=RATE, key=KEY)
    assert not audio.holds(marked.samples, payload[::-1], rate=RATE, key=KEY)
    found = audio.detect(marked.samples, rate=RATE, key=KEY, bits=128)
    assert found.payload == payload
    assert audio.detect(marked.samples, rate=RATE, key=KEY).payload == payload[:8]
    assert audio.detect(y, rate=RATE, key=KEY, bits=128).payload is None
    assert audio.detect(audio.embed(y, payload[:8], rate=RATE, key=KEY), rate=RATE, key=KEY,
                        effort="quick", bits=128).payload is None  # fmt: skip
    with pytest.raises(PayloadError, match="8 bytes, or 16"):
        audio.embed(y, bytes(12), rate=RATE, key=KEY)
    with pytest.raises(ValueError, match="64 or 128"):
        audio.detect(y, rate=RATE, key=KEY, bits=32)


def test_silence_stays_silent_and_loud_sounds_do_not_wrap():
    silent = np.zeros((2, RATE), np.int16)
    np.testing.assert_array_equal(audio.embed(silent, PAYLOAD, rate=RATE, key=KEY), silent)
    loud = np.where(np.sin(np.arange(5 * RATE) * 0.2) > 0, 32767, -32768).astype(np.int16)
    out = audio.embed(loud, PAYLOAD, rate=RATE, key=KEY).astype(int)
    assert np.abs(out - loud).max() < 20000


@pytest.mark.parametrize("seconds", [0, 0.01, 0.3])
def test_what_is_too_short_has_no_mark_and_says_so(seconds):
    y = voice(1)[: round(seconds * RATE)]
    out = audio.embed(y, PAYLOAD, rate=RATE, key=KEY)
    assert out.shape == y.shape
    found = audio.detect(out, rate=RATE, key=KEY)
    assert found.payload is None
    assert not found.present


def test_refusals_are_clear():
    y = voice(1)
    with pytest.raises(PayloadError):
        audio.embed(y, b"seven..", rate=RATE, key=KEY)
    with pytest.raises(ValueError, match="sample rate"):
        audio.embed(y, PAYLOAD, rate=4000, key=KEY)
    with pytest.raises(ValueError, match="channels"):
        audio.detect(np.zeros((9, 100), np.float32), rate=RATE, key=KEY)
    with pytest.raises(ValueError, match="a sound is"):
        audio.detect(np.zeros((2, 2, 100), np.float32), rate=RATE, key=KEY)
    with pytest.raises(ValueError, match="effort"):
        audio.detect(y, rate=RATE, key=KEY, effort="hard")


@pytest.mark.parametrize("wrong", [np.nan, np.inf, -np.inf])
def test_samples_that_are_no_numbers_are_refused(wrong):
    y = voice(1).copy()
    y[77] = wrong
    with pytest.raises(ValueError, match="finite"):
        audio.embed(y, PAYLOAD, rate=RATE, key=KEY)
    with pytest.raises(ValueError, match="finite"):
        audio.detect(y, rate=RATE, key=KEY)
    with pytest.raises(ValueError, match="finite"):
        audio.Marker(PAYLOAD, rate=RATE, channels=1, key=KEY).process(y[None])


@pytest.mark.parametrize(
    "y", [np.zeros(0, np.float32), np.ones(1, np.float32), np.full((2, RATE), 1e-40, np.float32)],
    ids=["empty", "one", "denormal"],
)  # fmt: skip
def test_odd_sounds_are_marked_and_heard_without_a_word(y):
    done = audio.mark(y, PAYLOAD, rate=RATE, key=KEY)
    assert done.samples.shape == y.shape
    assert np.isfinite(done.samples).all()
    assert not done.holds
    assert not audio.holds(done.samples, PAYLOAD, rate=RATE, key=KEY)
    assert not audio.detect(done.samples, rate=RATE, key=KEY).present


def test_direct_current_does_no_harm():
    y = np.full(5 * RATE, 0.5, np.float32)
    assert audio.mark(y, PAYLOAD, rate=RATE, key=KEY).snr_db > 50
    assert not audio.detect(y, rate=RATE, key=KEY).present
    shifted = audio.mark(voice() + y[0], PAYLOAD, rate=RATE, key=KEY).samples
    assert audio.detect(shifted, rate=RATE, key=KEY).payload == PAYLOAD


# --- what is known of a mark --------------------------------------------------------------------


def test_mark_is_embed_and_tells_how_well_it_holds():
    done = audio.mark(voice(), PAYLOAD, rate=RATE, key=KEY)
    np.testing.assert_array_equal(done.samples, marked())
    assert done.holds
    assert 18 < done.snr_db < 35
    softer = audio.mark(voice(), PAYLOAD, rate=RATE, key=KEY, strength="invisible")
    assert softer.statistic < done.statistic
    assert softer.snr_db > done.snr_db


def test_a_trial_lets_the_tile_begin_where_the_sound_agrees_with_the_message():
    y, strength = voice(), audio.Strength(1.25)
    chosen, same = audio_trial.trial(y, PAYLOAD, rate=RATE, key=KEY, strength=strength)
    assert same == strength

    def statistic(row: int) -> float:
        marker = audio.Marker(PAYLOAD, rate=RATE, channels=1, key=KEY, strength=strength, row=row)
        out = np.concatenate([marker.process(y[None]), marker.flush()], axis=1)
        return audio_trial.kept(out[0], PAYLOAD, rate=RATE, key=KEY)

    others = [statistic(row) for row in range(0, score.ROWS, 16)]
    assert statistic(chosen) > np.mean(others) + 1


def test_a_trial_marks_what_noise_covers_more_strongly():
    strength = audio.Strength(1.25, softest=0.8, loudest=1.1, margin=25)
    dense = np.random.default_rng(0).standard_normal(12 * RATE).astype(np.float32) * 0.1
    gappy = voice(4.0)
    found = [
        audio_trial.trial(y, PAYLOAD, rate=RATE, key=KEY, strength=strength)[1].change
        for y in (dense, gappy)
    ]
    assert 1.25 * 0.8 - 1e-6 <= found[0] < found[1] <= 1.25 * 1.1 + 1e-6


def test_levels_above_noise_hear_what_noise_covers():
    y = noisy(marked(), 12)
    word = code.DWT_2.encode(PAYLOAD, KEY.derive("audio-1/tag"))
    heard = spectrogram.Spectrogram(y, RATE)
    plain, above = (
        (audio_detector.soft_bits(heard, KEY, above_noise=which) * word).sum()
        for which in (False, True)
    )
    assert above > 1.1 * plain


def test_what_cannot_carry_a_mark_says_so():
    for y in (voice()[: RATE // 2], np.zeros((2, 5 * RATE), np.int16)):
        done = audio.mark(y, PAYLOAD, rate=RATE, key=KEY)
        assert not done.holds
        assert not audio.holds(done.samples, PAYLOAD, rate=RATE, key=KEY)


def test_holds_is_a_cheap_reading_back():
    assert audio.holds(marked(), PAYLOAD, rate=RATE, key=KEY)
    assert not audio.holds(marked(), b"8 bytes.", rate=RATE, key=KEY)
    assert not audio.holds(marked(), PAYLOAD, rate=RATE, key=OTHERS[0])
    assert not audio.holds(voice(), PAYLOAD, rate=RATE, key=KEY)


# --- robustness ---------------------------------------------------------------------------------


def noisy(y, decibels):
    noise = np.random.default_rng(1).standard_normal(len(y)) * np.sqrt(np.mean(y**2))
    return (y + noise * 10 ** (-decibels / 20)).astype(np.float32)


def without_lows(y):
    spectrum = np.fft.rfft(y)
    spectrum[: round(1600 * len(y) / RATE)] = 0
    return np.fft.irfft(spectrum, len(y)).astype(np.float32)


ATTACKS = {
    "softer": lambda y: y * np.float32(0.05),
    "upside down": lambda y: -y,
    "cut to 4 s": lambda y: y[23456 : 23456 + 4 * RATE],
    "noise at 30 dB": lambda y: noisy(y, 30),
    "noise at 15 dB": lambda y: noisy(y, 15),
    "highs alone": without_lows,
    "eight bits": lambda y: (np.round(y * 127) / 127).astype(np.float32),
    "3 % faster": lambda y: resampled(y, 1.03),
    "9 % slower": lambda y: resampled(y, 0.91),
    "a hole": lambda y: np.concatenate([y[: 5 * RATE], y[5 * RATE + 9000 :]]),
    "0.77 s put in": lambda y: np.concatenate(
        [y[: 5 * RATE], np.zeros(12320, np.float32), y[5 * RATE :]]
    ),
    "5 ms lost every second": lambda y: np.delete(
        y, (np.arange(80) + RATE * np.arange(1, 9)[:, None]).ravel()
    ),
}


@pytest.mark.parametrize("attack", ATTACKS)
def test_payload_survives(attack):
    found = audio.detect(ATTACKS[attack](marked()), rate=RATE, key=KEY)
    assert found.payload == PAYLOAD
    assert audio.detect(ATTACKS[attack](voice(10.0)), rate=RATE, key=KEY).payload is None


@pytest.mark.parametrize(("speed", "pitch"), [(1.05, 1.05), (0.94, 0.94)])
def test_a_change_of_speed_is_told(speed, pitch):
    found = audio.detect(resampled(marked(), speed), rate=RATE, key=KEY)
    assert found.step == audio_detector.SEARCHED
    assert (found.tempo, found.pitch) == (
        pytest.approx(speed, abs=0.002),
        pytest.approx(pitch, abs=0.01),
    )


def test_quick_listens_to_the_sound_as_it_is_only():
    assert audio.detect(marked(), rate=RATE, key=KEY, effort="quick").payload == PAYLOAD
    faster = resampled(marked(), 1.05)
    assert audio.detect(faster, rate=RATE, key=KEY, effort="quick").payload is None


def test_channels_that_cancel_each_other_are_still_heard():
    y = np.stack([marked(), -marked()])
    assert audio.detect(y, rate=RATE, key=KEY).payload == PAYLOAD


def test_a_mark_in_one_minute_of_a_long_sound_is_found():
    y = np.concatenate([voice(70.0), marked(10.0), voice(70.0)])
    found = audio.detect(y, rate=RATE, key=KEY, effort="quick")
    assert found.payload == PAYLOAD
    assert found.seconds in (0, 60)


# --- answers ------------------------------------------------------------------------------------


def test_other_keys_find_nothing_and_two_marks_are_both_found():
    assert [one.payload for one in audio.detect_any(marked(), rate=RATE, keys=OTHERS[:3])] == [
        None
    ] * 3
    both = audio.embed(marked(), b"8 bytes.", rate=RATE, key=OTHERS[0])
    found = audio.detect_any(both, rate=RATE, keys=[KEY, OTHERS[0]])
    assert [one.payload for one in found] == [PAYLOAD, b"8 bytes."]


def test_no_payload_in_unmarked_sounds():
    rng = np.random.default_rng(0)
    sounds = [voice(4.0, seed=seed) for seed in range(3)]
    sounds += [rng.standard_normal(4 * RATE).astype(np.float32) * 0.1]
    sounds += [np.sin(np.arange(4 * RATE) * 0.3).astype(np.float32), np.zeros(4 * RATE, np.float32)]
    for y in sounds:
        for found in audio.detect_any(y, rate=RATE, keys=OTHERS[:3]):
            assert found.payload is None
            assert not found.present
            assert found.p_value == 1


@pytest.mark.parametrize(
    ("step", "first"),
    [(audio_detector.AS_IT_IS, (11.964, 7.440)), (audio_detector.SEARCHED, (11.697, 8.583))],
)
def test_thresholds_rise_with_looks_and_keep_the_rate(step, first):
    limits = [audio_detector.TRIED[step].limits(looks) for looks in (1, 10, 1000)]
    assert limits == sorted(limits)
    assert limits[0] == pytest.approx(first, abs=1e-3)
    assert limits[0][1] < np.sqrt(len(CARRIER.pilots))
    assert all(f"{one:.3f}" in PAGE for one in first)


def test_places_that_are_looked_at_are_counted():
    """Each step's bound holds for all steps together."""
    tests = {step: tried.tests for step, tried in audio_detector.TRIED.items()}
    assert set(tests.values()) == {4}
    # As it is: three maps, each at all offsets and half a row between them.
    assert audio_detector.TRIED[audio_detector.AS_IT_IS].places == 3 * 2 * score.PERIOD


# --- wire format --------------------------------------------------------------------------------

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs/wire-format-sound.md").read_text("utf-8")
OPEN, GOLDEN_PAYLOAD = Key.public(), bytes.fromhex("0123456789abcdef")


def vector(name: str) -> str:
    return re.search(rf"^\| {re.escape(name)} \| `(.*)` \|$", PAGE, re.MULTILINE)[1]


def digest(numbers: Any) -> str:
    return hashlib.sha256(np.asarray(numbers).astype("<u4").tobytes()).hexdigest()[:16]


def golden() -> NDArray[np.int16]:
    return np.load(ROOT / "tests/golden/audio-1.npz")["marked"]


def test_carrier_and_codeword_are_the_documented_ones():
    drawn = score.carrier(OPEN)
    assert digest(drawn.pilots) == vector("pilots")
    assert digest(drawn.message) == vector("message coefficients")
    assert digest(drawn.bits) == vector("their code bits")
    assert digest(drawn.chips < 0) == vector("chips, 1 for −1")
    word = code.DWT_2.encode(GOLDEN_PAYLOAD, OPEN.derive("audio-1/tag"))
    assert np.packbits(word < 0).tobytes().hex() == vector("code bits")


def test_golden_sound_is_still_read():
    """A mark of the first release of its format: every later detector must find it."""
    sound = golden()
    assert hashlib.sha256(sound.tobytes()).hexdigest() == vector("SHA-256 of its 40000 samples")
    found = audio.detect(sound, rate=8000, key=OPEN)
    assert (found.payload, found.wire_format) == (GOLDEN_PAYLOAD, "aiglabel.audio.1")
    assert found.statistic == pytest.approx(
        float(vector("statistic of the golden sound")), rel=0.01
    )


@pytest.mark.parametrize("which", ["golden", "marked", "unmarked"])
def test_the_page_suffices_to_write_a_detector(which):
    listings = "".join(
        re.findall(r"^```python\n(.*?)^```", page, re.MULTILINE | re.DOTALL)[0]
        for page in ((ROOT / "docs/wire-format.md").read_text("utf-8"), PAGE)
    )
    names: dict[str, Any] = {}
    exec(compile(listings, "wire-format-sound.md", "exec"), names)
    y, rate, key = {
        "golden": (golden(), 8000, OPEN), "marked": (marked(), RATE, KEY),
        "unmarked": (voice(), RATE, KEY),
    }[which]  # fmt: skip
    floats = y / 32768 if y.dtype == np.int16 else y.astype(float)
    payload, statistic, pilots = names["audio_detect"](floats, rate, key.secret)
    ours = audio.detect(y, rate=rate, key=key, effort="quick")
    assert payload == ours.payload
    theirs = statistic if payload else pilots
    assert theirs == pytest.approx(ours.statistic, rel=0.02 if payload else 0.2)
