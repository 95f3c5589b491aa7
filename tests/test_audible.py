"""The audible labels: they sound as the standard says, neither click nor clip, are found again."""

from __future__ import annotations

import importlib
import math
import re
import subprocess
import sys
import wave
from pathlib import Path

import numpy as np
import pytest

from aiglabel import assets
from aiglabel.errors import LabelError
from aiglabel.marks import audible
from aiglabel.marks.audible import Placement, Rhythm, loudness, voices
from aiglabel.marks.audible.resample import resample
from aiglabel.media.ffmpeg import ffmpeg_exe

ROOT = Path(__file__).resolve().parents[1]
if str(ROOT) not in sys.path:  # `python -m pytest` has it, `pytest` has not
    sys.path.insert(0, str(ROOT))
audible_sounds = importlib.import_module("benchmarks.audible_sounds")
SHARED = ROOT.parent / "shared" / "media"
RATES = (8000, 16000, 22050, 44100, 48000, 96000, 192000)


def babble(seconds: float, rate: int, channels: int = 1, seed: int = 0) -> np.ndarray:
    """Noise with the spectrum and the syllables of speech, about -23 LUFS in one channel."""
    rng = np.random.default_rng(seed)
    count = round(seconds * rate)
    spectrum = np.fft.rfft(rng.standard_normal((channels, count)), axis=1)
    frequency = np.fft.rfftfreq(count, 1 / rate)
    spectrum *= 1 / (1 + (frequency / 500) ** 2) * (frequency > 80)
    sound = np.fft.irfft(spectrum, count, axis=1)
    syllables = np.interp(
        np.arange(count) / rate, np.arange(0, seconds + 1, 0.1),
        rng.gamma(1.0, 1.0, len(np.arange(0, seconds + 1, 0.1))),
    )  # fmt: skip
    sound *= syllables
    return (0.05 * sound / sound.std()).astype(np.float32)


def steepest(y: np.ndarray) -> float:
    """Greatest second difference: a click has a large one."""
    return float(np.abs(np.diff(y, 2)).max())


# ---------------------------------------------------------------- the rhythm


@pytest.mark.parametrize("rate", RATES)
@pytest.mark.parametrize(("unit", "frequency"), [(0.12, 880.0), (0.06, 3000.0), (0.4, 300.0)])
def test_the_rhythm_has_morse_proportions(rate: int, unit: float, frequency: float) -> None:
    y = audible.make(rate, Rhythm(unit=unit, frequency=frequency))[0]
    assert np.abs(y).max() == pytest.approx(0.5, rel=0.03)
    # The level by the analytic signal; a mark is where it exceeds half its height.
    spectrum = np.fft.fft(y, 2 * len(y))
    spectrum[len(y) :] = 0
    level = 2 * np.abs(np.fft.ifft(spectrum))[: len(y)]
    edges = np.flatnonzero(np.diff((level > 0.25).astype(int)))
    lengths = np.diff(edges) / rate / unit
    assert lengths == pytest.approx([1, 1, 3, 3, 1, 1, 1], abs=0.05)
    assert y[0] == pytest.approx(0, abs=0.01)
    assert y[-1] == pytest.approx(0, abs=0.01)


def test_the_rhythm_does_not_click() -> None:
    rate = 48000
    y = audible.make(rate)[0]
    steady = 0.5 * np.sin(2 * np.pi * 880 * np.arange(rate) / rate)
    assert steepest(np.pad(y, 100)) < 1.1 * steepest(steady)


@pytest.mark.parametrize(
    "values", [{"unit": 0.05}, {"unit": 0.5}, {"frequency": 299}, {"frequency": 9e3}]
)
def test_a_rhythm_outside_is_refused(values: dict[str, float]) -> None:
    with pytest.raises(LabelError, match="lies between"):
        Rhythm(**values)


@pytest.mark.parametrize("rate", [0, 7999, 192001])
def test_rates_outside_are_refused(rate: int) -> None:
    y = np.zeros((1, 100), np.float32)
    for call in (
        lambda: audible.make(rate),
        lambda: audible.find_rhythm(y, rate),
        lambda: audible.find_clips(y, rate),
        lambda: loudness.integrated(y, rate),
        lambda: resample(y, rate, 8000),
        lambda: audible.place(y, rate, y, 8000),
    ):
        with pytest.raises(LabelError, match="samples a second"):
            call()


# ---------------------------------------------------------------- finding the rhythm


@pytest.mark.parametrize("rate", [8000, 11025, 44100, 48000, 192000])
def test_the_rhythm_is_found_alone(rate: int) -> None:
    y = np.pad(audible.make(rate), ((0, 0), (0, 0)))
    [found] = audible.find_rhythm(y, rate)
    assert found.start == pytest.approx(0.005, abs=0.02)
    assert found.duration == pytest.approx(1.32, rel=0.02)
    assert found.unit == pytest.approx(0.12, rel=0.02)
    assert found.frequency == pytest.approx(880, rel=0.005)
    assert found.score > 0.95


@pytest.mark.parametrize("seed", range(8))
def test_any_rhythm_is_found_over_babble(seed: int) -> None:
    """At the programme's loudness, ducked, at any speed."""
    rate = 16000
    rng = np.random.default_rng(seed)
    unit, frequency = np.exp(rng.uniform(np.log([0.06, 300]), np.log([0.4, 3000])))
    speed = float(rng.uniform(0.94, 1.06))
    tone = audible.make(rate, Rhythm(unit=unit, frequency=frequency))
    placement = Placement(start=False, every=9, duck=6)
    placed = audible.place(babble(17, rate, seed=seed), rate, tone, rate, placement)
    sped = audible_sounds.sped(placed.y[0], speed)[None]
    [found] = audible.find_rhythm(sped, rate)
    assert found.start == pytest.approx(9 / speed, abs=0.3 * unit)
    assert found.unit == pytest.approx(unit / speed, rel=0.03)
    assert found.frequency == pytest.approx(frequency * speed, rel=0.01)


@pytest.mark.parametrize("kind", audible_sounds.MADE)
def test_what_is_like_the_rhythm_is_not_taken_for_it(kind: str) -> None:
    rng = np.random.default_rng(5)
    sound = audible_sounds.MADE[kind](120.0, rng)[None]
    assert audible.find_rhythm(sound, audible_sounds.RATE) == []


@pytest.mark.parametrize(
    "code", [".-", "..", ".-..", ".- .", ".- ...", ". .- ..", ".- .. .", "-. ..", ".- ..-"]
)
def test_other_morse_is_not_taken_for_it(code: str) -> None:
    rate, unit = 16000, 0.1
    notes, at = [], 1.0
    for sign in code:
        if sign == " ":
            at += 2 * unit
            continue
        length = unit * (3 if sign == "-" else 1)
        notes.append((at, length, 700.0))
        at += length + unit
    sound = audible_sounds._keyed(at + 1, notes)[None]
    assert audible.find_rhythm(sound, rate) == []


def test_the_word_itself_is_found_in_morse() -> None:
    """The same maker as above, so that the test above tests something."""
    notes = [(1.0, 0.1, 700.0), (1.2, 0.3, 700.0), (1.8, 0.1, 700.0), (2.0, 0.1, 700.0)]
    [found] = audible.find_rhythm(audible_sounds._keyed(3.0, notes)[None], 16000)
    assert found.start == pytest.approx(1.0, abs=0.02)


def test_long_sound_is_read_in_blocks() -> None:
    """One label at each place relative to the blocks' edges."""
    rate = 8000
    y = np.zeros((1, rate * 400), np.float32)
    starts = (0.0, 85.0, 88.5, 90.6, 178.0, 269.2, 397.0)
    label = audible.make(rate)
    for start in starts:
        y[:, int(start * rate) :][:, : label.shape[1]] += label
    found = audible.find_rhythm(y, rate)
    assert [one.start for one in found] == pytest.approx(starts, abs=0.03)


@pytest.mark.parametrize("count", [0, 1, 100, 4000])
def test_short_empty_and_broken_sound_holds_nothing(count: int) -> None:
    for value in (0.0, 1.0, math.nan, math.inf, -math.inf):
        y = np.full((2, count), value, np.float32)
        assert audible.find_rhythm(y, 8000) == []
        assert audible.find_clips(y, 8000) == []


# ---------------------------------------------------------------- spoken labels


def test_the_clips_are_small_and_clean() -> None:
    total = 0
    for text in audible.TEXTS:
        one = audible.voice(text)
        name = voices._FILES[text]
        total += len(assets.load(f"voices/{name}.wav"))
        assert one.rate == 16000
        assert one.clip.dtype == np.float32
        assert np.abs(one.clip).max() == pytest.approx(0.7, abs=0.01)
        assert abs(one.clip[0, 0]) < 0.01
        assert abs(one.clip[0, -1]) < 0.01
        rate = voices.speaking_rate(text, one.duration)
        assert rate is None or voices.SPEAKING_RATE[0] <= rate <= voices.SPEAKING_RATE[1]
    assert total < 400_000


def test_a_text_nobody_speaks_is_refused() -> None:
    with pytest.raises(LabelError, match="no spoken label"):
        audible.voice("../fonts/OFL.txt")


def test_characters_are_counted_as_they_are_spoken() -> None:
    assert voices.characters("AI生成") == 4
    assert voices.characters("人工智能生成") == 6
    assert voices.characters("AI-generated") is None
    assert voices.speaking_rate("AI生成", 1.6) == pytest.approx(150)


@pytest.mark.parametrize("text", audible.TEXTS)
@pytest.mark.parametrize("speed", [0.94, 1.0, 1.06])
def test_clips_are_found(text: str, speed: float) -> None:
    rate = 16000
    one = audible.voice(text)
    placed = audible.place(
        babble(12, rate), rate, one.clip, one.rate, Placement(every=6, start=False)
    )
    sped = audible_sounds.sped(placed.y[0], speed)[None]
    [found] = audible.find_clips(sped, rate)
    assert found.text == text
    assert found.start == pytest.approx(6 / speed, abs=0.05)
    assert found.speed == pytest.approx(speed, abs=0.015)
    assert found.duration == pytest.approx(one.duration / speed, rel=0.02)


def test_own_recordings_are_found() -> None:
    own = audible.Voice("由机器朗读", babble(1.5, 22050, seed=9), 22050)
    y = audible.place(
        babble(10, 44100, 2), 44100, own.clip, own.rate, Placement(end=True, start=False)
    ).y
    [found] = audible.find_clips(y, 44100, voices=[own])
    assert found.text == own.text
    assert found.speaking_rate == pytest.approx(200, rel=0.02)
    assert audible.find_clips(y, 44100) == []


def test_clips_of_no_use_are_refused() -> None:
    y = np.zeros((1, 16000), np.float32)
    for clip in (np.zeros((1, 16000), np.float32), np.ones((1, 100), np.float32)):
        with pytest.raises(LabelError):
            audible.find_clips(y, 16000, voices=[audible.Voice("x", clip, 16000)])
        with pytest.raises(LabelError):
            audible.place(y, 16000, clip * 0, 16000)


# ---------------------------------------------------------------- loudness


def test_a_full_scale_sine_reads_as_the_standard_says() -> None:
    """BS.1770-4, annex 1: 0 dBFS at 997 Hz in one channel is -3.01 LUFS, at any rate."""
    for rate in RATES:
        sine = np.sin(2 * np.pi * 997 * np.arange(4 * rate) / rate).astype(np.float32)[None]
        assert loudness.integrated(sine, rate) == pytest.approx(-3.01, abs=0.1)
        stereo = np.repeat(sine, 2, axis=0) * 10 ** (-23 / 20)
        assert loudness.integrated(stereo, rate) == pytest.approx(-23, abs=0.1)


def test_the_filters_are_those_of_the_standard() -> None:
    shelf, low_cut = loudness.biquads(48000)
    wanted = [1.53512485958697, -2.69169618940638, 1.19839281085285]
    assert shelf[0] == pytest.approx(wanted, abs=1e-8)
    assert shelf[1] == pytest.approx([1, -1.69065929318241, 0.73248077421585], abs=1e-8)
    assert low_cut[0] == [1, -2, 1]
    assert low_cut[1] == pytest.approx([1, -1.99004745483398, 0.99007225036621], abs=1e-8)


def ebur128(y: np.ndarray, rate: int, layout: str) -> tuple[float, list[float]]:
    """Integrated and short-term loudness by ffmpeg."""
    command = [ffmpeg_exe(), "-nostats", "-hide_banner", "-f", "f32le", "-ar", str(rate)]
    command += ["-ac", str(len(y)), "-channel_layout", layout, "-i", "-", "-af", "ebur128"]
    done = subprocess.run(
        [*command, "-f", "null", "-"], input=y.T.tobytes(), capture_output=True, check=True
    )
    text = done.stderr.decode()
    short = [float(one) for one in re.findall(r" S:\s*(-?[\d.]+)", text)]
    return float(re.findall(r"I:\s+(-?[\d.]+) LUFS", text)[-1]), short


@pytest.mark.parametrize(
    ("rate", "channels", "layout"),
    [(8000, 1, "mono"), (22050, 2, "stereo"), (44100, 2, "stereo"), (48000, 6, "5.1"),
     (48000, 8, "7.1"), (48000, 4, "quad"), (96000, 1, "mono")],
)  # fmt: skip
def test_loudness_agrees_with_ffmpeg(rate: int, channels: int, layout: str) -> None:
    y = babble(12, rate, channels, seed=channels)
    y[:, 3 * rate : 6 * rate] *= 0.02  # for the gates
    whole, short = ebur128(y, rate, layout)
    assert loudness.integrated(y, rate) == pytest.approx(whole, abs=0.2)
    own = loudness.short_term(y, rate)
    count = min(len(own), len(short) - 29)
    assert count > 80
    assert own[:count] == pytest.approx(short[29 : 29 + count], abs=0.2)


def test_loudness_of_little_or_nothing() -> None:
    assert loudness.integrated(np.zeros((2, 48000), np.float32), 48000) == -math.inf
    assert loudness.integrated(np.zeros((1, 0), np.float32), 48000) == -math.inf
    brief = np.full((1, 4800), 0.5, np.float32) * np.sin(np.arange(4800) * 0.13).astype(np.float32)
    assert -15 < loudness.integrated(brief, 48000) < -3
    with pytest.raises(LabelError, match="1 to 8 channels"):
        loudness.integrated(np.zeros((9, 100), np.float32), 48000)


# ---------------------------------------------------------------- resampling


@pytest.mark.parametrize("rate", [8000, 22050, 44100, 44101, 48000])
@pytest.mark.parametrize("to", [8000, 16000, 44100, 96000])
def test_resampling_keeps_a_tone(rate: int, to: int) -> None:
    def tone(at: int) -> np.ndarray:
        time = np.arange(round(0.5 * at)) / at
        envelope = np.sin(np.pi * time / 0.5) ** 2
        return (envelope * np.sin(2 * np.pi * 1000 * time)).astype(np.float32)[None]

    got, wanted = resample(tone(rate), rate, to), tone(to)
    assert abs(got.shape[1] - wanted.shape[1]) <= 1
    count = min(got.shape[1], wanted.shape[1])
    assert np.abs(got[:, :count] - wanted[:, :count]).max() < 2e-3


def test_long_clips_are_refused() -> None:
    with pytest.raises(LabelError, match="at most 60 s"):
        resample(np.zeros((1, 8000 * 61), np.float32), 8000, 16000)


# ---------------------------------------------------------------- placing


@pytest.mark.parametrize("insert", [False, True])
@pytest.mark.parametrize("channels", [1, 2, 6])
def test_the_label_is_as_loud_as_the_programme(insert: bool, channels: int) -> None:
    rate = 48000
    one = audible.voice("AI生成")
    y = babble(30, rate, channels)
    placement = Placement(start=True, end=True, every=10, insert=insert)
    placed = audible.place(y, rate, one.clip, one.rate, placement)
    assert len(placed.spots) == 4
    assert placed.y.dtype == np.float32
    assert placed.y.shape[0] == channels
    assert (placed.y.shape[1] > y.shape[1]) == insert
    for spot in placed.spots:
        assert spot.loudness == pytest.approx(spot.programme, abs=0.1)
        first, last = (round(edge * rate) for edge in (spot.start, spot.start + spot.duration))
        heard = loudness.energies(placed.y[:, first:last], rate).mean()
        extra = 1.0 if not insert else 0.1  # what is left of the programme adds to it
        assert loudness.loudness_of(heard) == pytest.approx(spot.loudness, abs=extra)
    if channels == 6 and insert:
        spot = placed.spots[1]
        middle = round((spot.start + spot.duration / 2) * rate)
        assert not placed.y[3, middle - 4800 : middle + 4800].any()


def test_outside_the_labels_nothing_changes() -> None:
    rate = 44100
    y = babble(20, rate, 2)
    one = audible.voice("AI-generated")
    placed = audible.place(y, rate, one.clip, one.rate, Placement(start=False, every=9))
    changed = np.zeros(y.shape[1], bool)
    for spot in placed.spots:
        begin, end = spot.start - 0.2, spot.start + spot.duration + 0.2
        changed[round(begin * rate) : round(end * rate)] = True
    assert np.array_equal(placed.y[:, ~changed], y[:, ~changed])
    kept = audible.place(y, rate, one.clip, one.rate, Placement(end=True, insert=True))
    width = (kept.y.shape[1] - y.shape[1]) // 2
    rest = kept.y[:, width:-width]
    assert np.array_equal(rest[:, 300:-300], y[:, 300:-300])


@pytest.mark.parametrize("insert", [False, True])
@pytest.mark.parametrize("level", [0.0, 1e-4, 0.3, 1.0])
def test_labels_never_clip_click_or_vanish(insert: bool, level: float) -> None:
    rate = 48000
    time = np.arange(8 * rate) / rate
    y = (level * np.sin(2 * np.pi * 60 * time)).astype(np.float32)[None]
    placement = Placement(start=False, every=5, insert=insert, relative=6)
    placed = audible.place(y, rate, audible.make(rate), rate, placement)
    assert np.abs(placed.y).max() <= max(level, 0.97) + 1e-6
    assert steepest(placed.y) < 1.2 * (1.0 * (2 * np.pi * 880 / rate) ** 2) + 1e-3
    assert placed.spots[0].loudness >= -30.05 or level == 1.0
    assert len(audible.find_rhythm(placed.y, rate)) == 1


def test_placements_that_cannot_be_are_refused() -> None:
    one = audible.voice("AI生成")
    y = np.zeros((1, 8000), np.float32)
    with pytest.raises(LabelError, match="longer than the sound"):
        audible.place(y, 8000, one.clip, one.rate)
    assert audible.place(y, 8000, one.clip, one.rate, Placement(insert=True)).y.shape[1] > 8000
    for values in (
        {"start": False},
        {"every": 1.0},
        {"duck": -1.0},
        {"ramp": 0.0},
        {"relative": math.nan},
    ):
        with pytest.raises(LabelError):
            Placement(**values)
    with pytest.raises(LabelError, match="do not fit in"):
        audible.place(
            np.zeros((1, 20000), np.float32), 8000, one.clip, one.rate, Placement(end=True)
        )
    with pytest.raises(LabelError, match="do not fit every"):
        audible.place(y.repeat(30, 1), 8000, y.repeat(8, 1) + 0.1, 8000, Placement(every=6))
    with pytest.raises(LabelError, match="no sound"):
        audible.place(y, 8000, np.zeros((1, 0), np.float32), 16000)


# ---------------------------------------------------------------- real sound


@pytest.mark.skipif(not SHARED.is_dir(), reason="the shared media are not here")
def test_labels_in_real_sound_survive_coding() -> None:
    rng = np.random.default_rng(3)
    _, y = audible_sounds.programme(SHARED, 30, rng)
    one = audible.voice("人工智能生成")
    rate = audible_sounds.RATE
    assert audible.find_rhythm(y[None], rate) == []
    assert audible.find_clips(y[None], rate) == []
    y = audible.place(y[None], rate, audible.make(rate), rate).y
    y = audible.place(y, rate, one.clip, one.rate, Placement(start=False, end=True)).y
    for codec in ("libmp3lame", "aac", "libopus"):
        heard = audible_sounds.coded(y[0], rate, codec, "-b:a", "32k")[None]
        assert len(audible.find_rhythm(heard, rate)) == 1
        assert [found.text for found in audible.find_clips(heard, rate)] == [one.text]


def test_clips_are_plain_wave_files() -> None:
    for name in voices._FILES.values():
        path = Path(assets.__file__).parent / "voices" / f"{name}.wav"
        with wave.open(str(path)) as stream:
            assert stream.getparams()[:3] == (1, 2, 16000)
