"""The benchmarks themselves: their arithmetic, their pictures, the results that are committed."""

from __future__ import annotations

import dataclasses
import importlib
import json
import re
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import cv2
import jsonschema
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aiglabel import errors
from aiglabel.containers.sniff import SoundFormat
from aiglabel.media import sound as sound_files
from aiglabel.media import sound_coding
from aiglabel.media import video as film_files
from aiglabel.signal import quality

ROOT = Path(__file__).resolve().parents[1]
if str(ROOT) not in sys.path:  # `python -m pytest` has it, `pytest` has not
    sys.path.insert(0, str(ROOT))

pytest.importorskip("skimage")
attacks = importlib.import_module("benchmarks.attacks")
attacks_sound = importlib.import_module("benchmarks.attacks_sound")
attacks_video = importlib.import_module("benchmarks.attacks_video")
audio = importlib.import_module("benchmarks.audio")
audio_detection = importlib.import_module("benchmarks.audio_detection")
audio_throughput = importlib.import_module("benchmarks.audio_throughput")
detection = importlib.import_module("benchmarks.detection")
estimates = importlib.import_module("benchmarks.estimates")
films = importlib.import_module("benchmarks.films")
geometry = importlib.import_module("benchmarks.attacks_geometry")
masking = importlib.import_module("benchmarks.masking")
memory = importlib.import_module("benchmarks.memory")
peaq = importlib.import_module("benchmarks.peaq")
peers = importlib.import_module("benchmarks.peers")
pictures = importlib.import_module("benchmarks.pictures")
pipeline = importlib.import_module("benchmarks.pipeline")
references = importlib.import_module("benchmarks.references")
report = importlib.import_module("benchmarks.report")
robustness = importlib.import_module("benchmarks.robustness")
schema = importlib.import_module("benchmarks.schema")
security = importlib.import_module("benchmarks.security")
sounds = importlib.import_module("benchmarks.sounds")
subjects = importlib.import_module("benchmarks.subjects")
suites = importlib.import_module("benchmarks.__main__")
table = importlib.import_module("benchmarks.table")
throughput = importlib.import_module("benchmarks.throughput")
video = importlib.import_module("benchmarks.video")
video_detection = importlib.import_module("benchmarks.video_detection")
video_throughput = importlib.import_module("benchmarks.video_throughput")


# --- arithmetic ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("hits", "n", "low", "high"),  # Newcombe 1998, table I, method 3
    [
        (81, 263, 0.2553, 0.3662),
        (15, 148, 0.0624, 0.1605),
        (0, 20, 0, 0.1611),
        (1, 29, 0.0061, 0.1718),
    ],
)
def test_wilson_interval_agrees_with_newcombe(hits: int, n: int, low: float, high: float) -> None:
    rate = estimates.Rate.of(hits, n)
    assert (rate.low, rate.high) == pytest.approx((low, high), abs=5e-5)


@given(st.integers(1, 10**6).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_wilson_interval_holds_its_rate_and_mirrors(pair: tuple[int, int]) -> None:
    hits, n = pair
    rate, mirror = estimates.Rate.of(hits, n), estimates.Rate.of(n - hits, n)
    assert 0 <= rate.low <= hits / n + 1e-12
    assert hits / n - 1e-12 <= rate.high <= 1
    assert rate.low == pytest.approx(1 - mirror.high, abs=1e-9)


def test_actions_take_turns_and_the_warm_up_does_not_count() -> None:
    calls: list[str] = []
    actions = {name: lambda name=name: calls.append(name) for name in "ab"}
    times = estimates.interleaved(actions, 3)
    assert calls == list("abbaabba")
    assert len(times["a"].wall) == len(times["a"].cpu) == 3
    assert times["a"].ratio(times["a"]) == estimates.Spread(1, 0, 3)


def test_ratio_is_taken_within_each_round() -> None:
    slow_spell = (1.0, 10.0, 1.0)
    base = estimates.Times(slow_spell, slow_spell)
    double = estimates.Times(tuple(2 * x for x in slow_spell), slow_spell)
    assert double.ratio(base) == estimates.Spread(2, 0, 3)


def test_gumbel_fit_finds_what_was_drawn() -> None:
    drawn = np.random.default_rng(1).gumbel(3, 2, 20_000)
    found = estimates.Gumbel.of(drawn)
    assert (found.mode, found.scale) == pytest.approx((3, 2), rel=0.03)
    assert estimates.Gumbel(3, 2).beyond(3) == pytest.approx(1 - np.exp(-1))


def test_rate_beyond_all_values_is_extrapolated() -> None:
    rng = np.random.default_rng(2)
    level = 14.0  # exponential: e^-14 = 8e-7, five times farther out than any of 5000 values
    rate, upper = estimates.beyond(list(rng.exponential(1, 5000)), level, rng)
    assert 1e-8 < rate < 1e-4
    assert rate < upper < 1e-3


# --- quality -------------------------------------------------------------------------------------


def test_psnr_hvs_m_agrees_with_its_definition() -> None:
    """Block by block, coefficient by coefficient, as psnrhvsm.m of the authors goes."""
    rng = np.random.default_rng(3)
    cover = np.cumsum(rng.normal(0, 6, (19, 26)), axis=1) + 128
    marked = cover + rng.normal(0, 3, cover.shape)
    cover, marked = cover.astype(np.float32), marked.astype(np.float32)
    # Corners and middle of the authors' tables.
    csf, masking = quality._CSF.reshape(8, 8), quality._MASKING.reshape(8, 8)
    assert (csf[0, 0], csf[0, 7], csf[4, 4]) == pytest.approx((1.608443, 0.421887, 0.378457))
    assert (masking[0, 1], masking[7, 7]) == pytest.approx((0.826446, 0.010203), abs=1e-6)

    def scatter(block: np.ndarray) -> float:
        return block.var(ddof=1) * block.size

    def hidden(block: np.ndarray, bands: np.ndarray) -> float:
        energy = (bands**2 * masking).sum() - bands[0, 0] ** 2 * masking[0, 0]
        parts = [block[y : y + 4, x : x + 4] for y in (0, 4) for x in (0, 4)]
        return np.sqrt(energy * sum(map(scatter, parts)) / scatter(block)) / 32

    errors = []
    for y, x in ((y, x) for y in (0, 8) for x in (0, 8, 16)):
        blocks = [plane[y : y + 8, x : x + 8].astype(float) for plane in (cover, marked)]
        bands = [cv2.dct(block) for block in blocks]
        limit = max(map(hidden, blocks, bands)) / masking
        limit[0, 0] = 0
        errors.append((np.maximum(abs(bands[0] - bands[1]) - limit, 0) * csf) ** 2)
    expected = 10 * np.log10(255**2 / np.mean(errors))
    assert quality.psnr_hvs_m(cover, marked) == pytest.approx(expected, abs=1e-3)


def test_psnr_hvs_m_of_what_nobody_sees() -> None:
    cover = np.full((16, 16, 3), 90, np.uint8)
    assert quality.psnr_hvs_m(cover, cover) == np.inf
    assert np.isnan(quality.psnr_hvs_m(cover[:7], cover[:7]))
    busy = np.random.default_rng(4).uniform(0, 255, (64, 64)).astype(np.float32)
    change = np.random.default_rng(5).choice(np.float32([-2, 2]), (64, 64))
    flat = np.full_like(busy, 128)
    in_busy = quality.psnr_hvs_m(busy, busy + change)
    assert in_busy > quality.psnr_hvs_m(flat, flat + change) + 6


# --- pictures and attacks -----------------------------------------------------------------------


@pytest.fixture(scope="module")
def cover() -> np.ndarray:
    return pictures.load(pictures.bundled()[0], megapixels=0.1)


def test_pictures_are_rgb_bytes_of_the_size_asked_for(cover: np.ndarray) -> None:
    assert cover.dtype == np.uint8
    assert cover.shape[0] * cover.shape[1] == pytest.approx(0.1e6, rel=0.01)
    assert pictures.sized(cover, 0.25).shape == (408, 612, 3)
    name, large = pictures.large(None)
    assert "mosaic" in name
    assert large.shape[0] * large.shape[1] > 12e6
    for path in pictures.bundled():
        assert pictures.load(path).ndim == 3


def test_random_pictures_depend_on_their_name_alone() -> None:
    one, two = (pictures.synthetic(pictures.random_for("a", 1)) for _ in range(2))
    assert np.array_equal(one, two)
    assert not np.array_equal(
        pictures.random_for("a", 1).random(4), pictures.random_for("a", 2).random(4)
    )


def test_subjects_are_sorted_by_size_and_content() -> None:
    found = subjects.subjects(None)
    by_class = {
        size.name: {one.name: one for one in found if one.size is size}
        for size in (subjects.TINY, subjects.SMALL, subjects.LARGE)
    }
    assert "text.png" in by_class["tiny"]
    assert {"astronaut.png", "retina.jpg"} <= set(by_class["small"])
    assert set(by_class["large"]) == {"retina.jpg", *pictures.MOSAICS}
    assert [one.name for one in found if one.kind == subjects.GRAPHICS] == ["logo.png"]
    for one in by_class["large"].values():
        rgb = one.load(full=False)
        assert 1e6 <= rgb.shape[0] * rgb.shape[1] <= 1.51e6
    assert subjects.spread(list(range(10)), 3) == [0, 3, 6]
    assert subjects.spread([1, 2], 3) == [1, 2]


@pytest.mark.parametrize("name", attacks.ATTACKS)
def test_attacks_are_repeatable_and_leave_their_input(name: str, cover: np.ndarray) -> None:
    before = cover.copy()
    one, two = (attacks.ATTACKS[name](cover, "astronaut.png") for _ in range(2))
    assert one.dtype == np.uint8
    assert one.shape[2] == 3
    assert np.array_equal(one, two)
    assert np.array_equal(cover, before)
    assert np.array_equal(one, cover) == (name == "none")


def test_chance_depends_on_the_name_of_the_picture(cover: np.ndarray) -> None:
    attack = attacks.ATTACKS["crop to 25 %"]
    one, two = attack(cover, "a.png"), attack(cover, "b.png")
    assert one.shape == two.shape == (158, 158, 3)
    assert not np.array_equal(one, two)


@pytest.mark.parametrize(
    ("name", "small", "large"),  # order 2, its table
    [
        ("none", 100, 100), ("JPEG 20", 85, 98), ("resize × 0.25", 60, 97),
        ("aspect 0.8 : 1", 98, 100), ("crop to 10 %", 40, 85),
        ("rotated by 45°, black corners", 96, 99), ("noise σ 20", 90, 100),
        ("25 % erased, one block", 98, 100), ("print and camera", 40, 70), ("WebP 30", None, None),
    ],
)  # fmt: skip
def test_promises_are_those_of_the_order(
    name: str, small: float | None, large: float | None
) -> None:
    assert (attacks.ATTACKS[name].small, attacks.ATTACKS[name].large) == (small, large)


def test_quick_attacks_are_attacks_of_every_family() -> None:
    assert set(attacks.QUICK) <= set(attacks.ATTACKS)
    families = {attack.family for attack in attacks.ATTACKS.values()}
    assert {attacks.ATTACKS[name].family for name in attacks.QUICK} == families


@pytest.mark.parametrize("degrees", [0.5, 10, 30, 45])
@pytest.mark.parametrize("shape", [(300, 300), (200, 500), (500, 200)])
def test_nothing_black_is_inside_a_rotation(degrees: float, shape: tuple[int, int]) -> None:
    white = np.full((*shape, 3), 255, np.uint8)
    inside = geometry.rotated_inside(white, degrees)
    assert inside[2:-2, 2:-2].min() == 255
    assert geometry.rotated(white, degrees).shape == white.shape
    assert geometry.rotated(white, degrees).min() == 0


# --- suites, on little ---------------------------------------------------------------------------


SUBJECT = subjects.Subject(
    "astronaut.png", pictures.bundled()[0], subjects.SMALL, subjects.PHOTOGRAPHS
)
TRIED = ("none", "JPEG 50", "WebP 30", "resize × 4")


@pytest.fixture(scope="module")
def one() -> Any:
    return robustness.trial(SUBJECT, full=False, attacks=TRIED)


def test_robustness_counts_what_comes_through(one: Any) -> None:
    assert one.exact("none")
    assert not one.wrong("none")
    assert 30 < one.change.psnr < 60
    assert 30 < one.change.psnr_hvs_m < 60
    assert 0.9 < one.change.ssim < 1
    lost = dataclasses.replace(
        one,
        readings=one.readings
        | {
            "none": robustness.Reading(None, True, 1.1),
            "JPEG 50": robustness.Reading(b"", True, 2),
        },
    )
    rows = {row["attack"]: row for row in robustness.by_attack([one, lost])}
    assert list(rows) == [name for name in attacks.ATTACKS if name in TRIED]
    assert rows["none"]["payload exact"] == estimates.Rate.of(1, 2)
    assert (rows["none"]["promised %"], rows["none"]["kept"]) == (100, "NO")
    assert (rows["none"]["wrong"], rows["JPEG 50"]["wrong"]) == (0, 1)
    assert (rows["WebP 30"]["promised %"], rows["WebP 30"]["kept"]) == (None, None)
    *_, mean, worst = robustness.by_picture([one, lost])
    assert mean["PSNR dB"] == worst["PSNR dB"] == pytest.approx(one.change.psnr)
    assert worst["lost"] >= 2
    floors = {floor.name: floor for floor in robustness.promises(subjects.SMALL, [one, lost])}
    assert not floors["small: none, exact %"].kept
    assert floors["small: mean SSIM"].kept
    assert "small: WebP 30, exact %" not in floors


def test_too_large_a_picture_is_left_out(cover: np.ndarray) -> None:
    large = np.tile(cover, (3, 2, 1))
    tried = robustness._tried(
        SUBJECT, large, large, b"", ("none", "resize × 4"),
        lambda rgb: robustness.Reading(None, False, 0),
    )  # fmt: skip
    assert list(tried.readings) == ["none"]


def test_robustness_has_a_table_a_class(one: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    graphic = dataclasses.replace(one, subject=dataclasses.replace(SUBJECT, kind="graphics"))
    trials = iter([graphic, one])
    monkeypatch.setattr(robustness, "trial", lambda *args, **kwargs: next(trials))
    monkeypatch.setattr(robustness, "subjects", lambda media: [SUBJECT, graphic.subject])
    with ThreadPoolExecutor(1) as workers:
        found = robustness.run(full=False, media=None, workers=workers)
    assert [table.title.split(" (")[0] for table in found.tables] == [
        "Attacks: small photographs and AI pictures", "Pictures: small photographs and AI pictures",
        "Attacks: small graphics", "Pictures: small graphics",
    ]  # fmt: skip
    assert found.floors[-1] == report.Floor("wrong payloads", 0, "<=", 0)


def test_peers_read_what_they_wrote() -> None:
    assert len({peer.name for peer in peers.PEERS}) == len(peers.PEERS)
    rgb = pictures.load(pictures.bundled()[0])
    for peer in peers.available():
        read = peer.extract(peer.embed(rgb, memory.PAYLOAD), len(memory.PAYLOAD))
        assert len(read) == len(memory.PAYLOAD), peer.name


def test_false_positives_are_looked_for_everywhere(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(detection, "WINDOWS", 4)
    monkeypatch.setattr(detection, "KEYS", 2)
    monkeypatch.setattr(detection, "_SIZE", 0.1)
    looks = detection.job(pictures.bundled(), 0)
    assert looks == detection.job(pictures.bundled(), 0)
    kinds = [look.kind for look in looks]
    assert {kind: kinds.count(kind) for kind in kinds} == {
        "synthetic": 2, "marked, other key": 2, "photographs": 4, detection.LABEL: 4,
    }  # fmt: skip
    assert not any(look.present or look.payload for look in looks)
    assert max(look.margin for look in looks) < 1
    assert detection.job(pictures.bundled(), 0, until=0) == []
    monkeypatch.setattr(detection, "_JOBS", 1)
    monkeypatch.setattr(detection, "job", lambda *args, **kwargs: looks)
    with ThreadPoolExecutor(1) as workers:
        found = detection.run(full=False, media=None, workers=workers)
    assert found.tables[0].rows[-1]["detections"] == 8
    assert found.floors == [report.Floor("false positives", 0, "<=", 0)]


def test_timing_suites_fill_their_tables(
    cover: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pictures, "large", lambda folder: ("astronaut", cover))
    monkeypatch.setattr(pipeline, "_rounds", lambda *args, **kwargs: 1)
    monkeypatch.setattr(throughput, "_rounds", lambda *args, **kwargs: 1)
    alone, growth, threads, peaks = throughput.run(full=False, media=None, sizes=(0.05, 0.1)).tables
    assert [row["step"] for row in alone.rows][2:5] == [
        throughput.EMBED, throughput.MARKED, throughput.UNMARKED,
    ]  # fmt: skip
    assert all(row["MP/s"] > 0 for row in [*alone.rows, *threads.rows])
    assert all(isinstance(row["exponent"], float) for row in growth.rows)
    assert all(row["peak MB"] > row["picture MB"] / 2 for row in peaks.rows)
    found = pipeline.run(full=False, media=None, sizes=(0.05,))
    assert [row["format"] for row in found.tables[0].rows] == ["JPEG", "PNG", "WebP"]
    assert len(found.floors) == 3
    for row in found.tables[1].rows:
        parts = [row[step] for step in row.keys() - {"format", "MP", "base"}]
        assert min(parts) >= 0
        assert sum(parts) == pytest.approx(100, abs=5)  # of medians


def test_promises_of_speed_are_held_to_the_figures() -> None:
    def times(seconds: float) -> Any:
        return estimates.Times((seconds,), (seconds,))

    steps = {
        throughput.EMBED: times(0.5), throughput.MARKED: times(0.1),
        throughput.UNMARKED: times(2), throughput.JPEG: times(0.25),
    }  # fmt: skip
    peak = {"step": throughput.EMBED, "MP": 48, "peak MB": 700.0, "allowed MB": 643.0}
    floors = throughput._floors({12: steps}, [{"exponent": 0.9}], [peak])
    assert [(floor.value, floor.kept) for floor in floors] == [
        (24, False), (120, True), (2, False), (2, False), (0.9, True), (700, False),
    ]  # fmt: skip


def test_every_attacker_has_a_go(cover: np.ndarray, monkeypatch: pytest.MonkeyPatch) -> None:
    wide = pictures.load(pictures.bundled()[0])
    monkeypatch.setattr(security, "_covers", lambda media: [wide])
    rng = pictures.random_for("test")
    (target,) = security.windows(1, None, rng)
    assert target.shape == (512, 512, 3)
    again = list(security.ATTACKERS["another key"]([target], None, rng))
    assert [(one.looked_for, one.exact) for one in again][1] == ("second mark", True)
    average = list(security._averaging([target], None, rng, count=2, one_payload=True))
    assert [one.looked_for for one in average] == ["removal", "forgery"] * 2
    assert [round(one.psnr) for one in average] == [44, 44, 38, 38]
    (copied,) = security.ATTACKERS["copy"]([target], None, rng)
    assert copied.psnr > 35
    monkeypatch.setattr(security, "_QUERIES", 1)
    (asked,) = security.ATTACKERS["ask, noise"]([target], None, rng)
    assert 10 < asked.psnr < 25
    with ThreadPoolExecutor(1) as workers:
        monkeypatch.setattr(security, "ATTACKERS", {"one": lambda *args: iter([asked])})
        found = security.run(full=False, media=None, workers=workers)
    assert found.tables[0].rows[0]["looked for"] == "removal"


# --- reports ------------------------------------------------------------------------------------


FINDINGS = report.Findings(
    [
        report.Table(
            "Title",
            [
                {"what": "JPEG 50", "rate": estimates.Rate.of(18, 19), "ms": None},
                {"what": "σ", "rate": estimates.Rate.of(1, 19), "ms": estimates.Spread(1, 2, 3)},
            ],
            "Note.",
        )
    ],
    [report.Floor("MP/s", 12.0, ">=", 15.0), report.Floor("ratio", 3.0, "<=", 4.0)],
)


def test_tables_are_aligned_and_misses_are_printed() -> None:
    text = report.show(FINDINGS)
    assert "18/19 = 95 % [75, 99]" in text
    assert "MISS  MP/s: 12 (>= 15)" in text
    assert "PASS  ratio: 3 (<= 4)" in text
    head, *rows = text.splitlines()[3:6]
    assert head.split() == ["what", "rate", "ms"]
    assert len({len(line) for line in rows}) == 1


def test_results_are_stored_with_the_machine(tmp_path: Path) -> None:
    run = report.Run("speed", True, 1.0, (0.1, 0.2))
    path = report.store(run, FINDINGS, tmp_path)
    stored = json.loads(path.read_text("utf-8"))
    schema.validate(stored)
    assert path.name.startswith("speed-full--")
    assert stored["tables"][0]["rows"][1]["ms"] == {"median": 1, "iqr": 2, "n": 3}
    assert [floor["kept"] for floor in stored["floors"]] == [False, True]
    assert stored["packages"]["numpy"] == np.__version__
    del stored["machine"]["cpu"]
    with pytest.raises(jsonschema.ValidationError, match="cpu"):
        schema.validate(stored)


def test_committed_results_are_whole() -> None:
    for path in report.RESULTS.rglob("*.json"):
        stored = json.loads(path.read_text("utf-8"))
        schema.validate(stored)
        assert path.parent.name == stored["version"]
        assert path.name.startswith(stored["suite"] + ("-full--" if stored["full"] else "--"))


def test_stored_robustness_makes_a_page(one: Any, tmp_path: Path) -> None:
    title = "Attacks: small photographs and AI pictures (at most 0.39 MP)"
    rows = robustness.by_attack([one])
    findings = report.Findings([report.Table(title, rows, "Note."), *FINDINGS.tables])
    path = report.store(report.Run("robustness", True, 1.0, (0.1, 0.2)), findings, tmp_path)
    page = table.page(json.loads(path.read_text("utf-8")))
    assert "| none | 1/1 = 100 % [21, 100] | 100 | 1 | 0 |" in page
    assert "| σ | 1/19 = 5 % [1, 25] | 1 ± 2 |" in page
    assert "Video Seal" in page
    for block in re.findall(r"(?:^\|.*\n)+", page, re.MULTILINE):
        assert len({line.count("|") for line in block.splitlines()}) == 1


def test_right_bits_are_not_payloads() -> None:
    bare = references.Neural("", "", 32, 0, {})
    assert bare.whole(95.9) == pytest.approx(26, abs=0.5)
    assert bare.whole(100) == 100
    assert references.Neural("", "", 100, 5, {}).whole(95) == pytest.approx(61.6, abs=0.1)
    assert references.right_bits(256 * np.log10(2), 256) == 100
    assert references.right_bits(0.3, 256) == pytest.approx(50, abs=1)


def test_every_suite_is_offered_and_described() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks", "--help"],
        cwd=ROOT, capture_output=True, check=True, text=True,
    )  # fmt: skip
    text = (ROOT / "docs/benchmarks.md").read_text("utf-8")
    for name in suites.SUITES:
        assert name in done.stdout
        assert f"`{name}`" in text


# --- sound --------------------------------------------------------------------------------------


RATE = 16_000


@pytest.fixture(scope="module")
def sung() -> np.ndarray:
    """Four seconds of a vowel that comes and goes, with a little noise; float32 (2, n)."""
    time = np.arange(4 * RATE) / RATE
    voice = sum(np.sin(2 * np.pi * 150 * n * time) / n for n in range(1, 30))
    hiss = np.random.default_rng(1).standard_normal((2, len(time)))
    y = 0.1 * np.sin(2 * np.pi * 1.5 * time) ** 2 * voice + 0.002 * hiss
    return np.asarray(y, np.float32)


def test_every_clip_loads_and_has_a_class() -> None:
    clips = sounds.clips(None)
    assert len({clip.name for clip in clips}) == len(clips)
    assert {clip.kind for clip in clips} == {sounds.SPEECH, sounds.MADE, sounds.BARE}
    for clip in clips:
        y, rate = clip.load()
        assert y.dtype == np.float32
        seconds = y.shape[1] / rate
        assert 0 < np.abs(y).max() <= 1
        assert 10 <= seconds <= 22 or clip.kind == sounds.BARE
    assert np.array_equal(y, clip.load()[0])


def test_recordings_are_cut_into_windows(tmp_path: Path, sung: np.ndarray) -> None:
    long = np.tile(sung, 8)[:, : 31 * RATE]
    for name, y in (("aud1_speech", long), ("aud2_music", sung), ("aud3_speech", sung * 1e-4)):
        coding = sound_coding.Coding(SoundFormat.WAV, "pcm", RATE, 2, bits=32, floating=True)
        sound_files.write(tmp_path / f"{name}.wav", y, coding)
    first, second, music, hush = sounds.clips(tmp_path)[:4]
    assert [one.kind for one in (first, second, music, hush)] == [
        sounds.SPEECH, sounds.SPEECH, sounds.MUSIC, sounds.BARE,
    ]  # fmt: skip
    assert first.load()[0].shape == second.load()[0].shape == (2, 31 * RATE // 2)
    assert np.array_equal(np.concatenate([first.load()[0], second.load()[0]], axis=1), long)
    cut = sounds.cut(long, RATE, (3, 20), np.random.default_rng(1))
    assert 3 * RATE <= cut.shape[1] <= 20 * RATE


@pytest.mark.parametrize("name", list(importlib.import_module("benchmarks.attacks_sound").ATTACKS))
def test_attacks_on_sound_keep_its_form_and_happen_again(name: str, sung: np.ndarray) -> None:
    attack = attacks_sound.ATTACKS[name]
    before = sung.copy()
    if attacks_sound.unavailable(name):
        pytest.skip("not in this ffmpeg")
    y, rate = attack(sung, RATE, "a.wav")
    again, _ = attack(sung, RATE, "a.wav")
    assert np.array_equal(y, again)
    assert np.array_equal(sung, before)
    assert y.dtype == np.float32
    assert len(y) == (1 if attack.values[-1:] == (1,) else 2)
    assert np.isfinite(y).all()
    if attack.family not in ("cropping", "tempo and pitch", "pieces lost and put in"):
        assert y.shape[1] / rate == pytest.approx(4, abs=0.4)


def test_attacks_on_sound_do_what_they_say(sung: np.ndarray) -> None:
    tried = {
        name: attacks_sound.ATTACKS[name](sung, RATE, "a.wav")[0]
        for name in ("none", "crop to 3 s", "speed +10 %", "tempo -5 %", "0.77 s put in",
                     "5 ms lost each second", "white noise 20 dB", "gain +6 dB, clipped",
                     "16 levels")
    }  # fmt: skip
    seconds = {name: y.shape[1] / RATE for name, y in tried.items()}
    assert seconds["crop to 3 s"] == 3
    assert seconds["speed +10 %"] == pytest.approx(4 / 1.1, abs=0.02)
    assert seconds["tempo -5 %"] == pytest.approx(4 / 0.95, abs=0.1)
    assert seconds["0.77 s put in"] == pytest.approx(4.77)
    assert seconds["5 ms lost each second"] == pytest.approx(3.98)
    noise = tried["white noise 20 dB"] - sung
    assert 10 * np.log10(np.mean(sung**2) / np.mean(noise**2)) == pytest.approx(20, abs=0.01)
    assert np.abs(tried["gain +6 dB, clipped"]).max() <= 1
    assert len(np.unique(tried["16 levels"])) <= 17
    one, other = (attacks_sound.ATTACKS["crop to 3 s"](sung, RATE, n)[0] for n in "ab")
    assert not np.array_equal(one, other)


def test_quick_attacks_on_sound_are_of_every_family() -> None:
    assert set(attacks_sound.QUICK) <= set(attacks_sound.ATTACKS)
    families = {attack.family for attack in attacks_sound.ATTACKS.values()}
    assert {attacks_sound.ATTACKS[name].family for name in attacks_sound.QUICK} == families


def test_what_the_ffmpeg_lacks_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    def lost(*args: object) -> Any:
        raise errors.MediaError("no such encoder")

    attack = dataclasses.replace(attacks_sound.ATTACKS["MP3 64"], name="lost", function=lost)
    monkeypatch.setitem(attacks_sound.ATTACKS, "lost", attack)
    assert attacks_sound.unavailable("lost") == "no such encoder"
    (row,) = audio.by_attack([], ["lost"])
    assert (row["payload exact"], row["kept"]) == (None, "not available")


def test_bands_of_the_ear_are_those_of_the_recommendation() -> None:
    assert len(masking.CENTRES) == 109
    assert masking.CENTRES[[0, 1, 50, -1]] == pytest.approx(
        [91.708, 115.216, 2183.564, 17690.045], abs=2e-3
    )


def test_louder_noise_is_heard_more(sung: np.ndarray) -> None:
    noise = np.random.default_rng(2).standard_normal(sung.shape, np.float32)
    grades = [
        peaq.grade(sung, sung + np.float32(level) * noise, RATE) for level in (0, 1e-4, 1e-3, 1e-2)
    ]
    odg = [one.odg for one in grades]
    assert odg[0] == pytest.approx(0.2, abs=0.05)
    assert odg == sorted(odg, reverse=True)
    assert odg[-1] < -3
    ratios = [one.noise_to_mask for one in grades]
    assert ratios == sorted(ratios)
    assert ratios[0] < -60
    # 20 dB, and up to 3 more: where noise is weak, only its part in phase changes a magnitude.
    assert 20 < ratios[3] - ratios[2] < 23
    assert grades[0].disturbed == 0
    assert grades[3].disturbed > 0.5


def test_masked_noise_is_heard_less() -> None:
    """Noise within a band hides beside a loud tone there, and not two octaves away from it."""
    time = np.arange(3 * 48_000) / 48_000
    spectrum = np.fft.rfft(np.random.default_rng(3).standard_normal(len(time)))
    hertz = np.fft.rfftfreq(len(time), 1 / 48_000)
    narrow = np.fft.irfft(spectrum * (np.abs(hertz - 1000) < 40))
    noise = (0.002 * narrow / narrow.std()).astype(np.float32)
    grades = {}
    for frequency in (1000, 4000):
        tone = (0.3 * np.sin(2 * np.pi * frequency * time)).astype(np.float32)[None]
        grades[frequency] = peaq.grade(tone, tone + noise, 48_000)
    assert grades[1000].noise_to_mask < grades[4000].noise_to_mask - 15
    assert grades[1000].odg > grades[4000].odg


def test_silence_and_shorts_have_no_grade() -> None:
    assert peaq.grade(*np.zeros((2, 1, 48_000), np.float32), 48_000) is None
    assert peaq.grade(*np.ones((2, 1, 4800), np.float32), 48_000) is None


@pytest.fixture(scope="module")
def heard() -> Any:
    clip = next(one for one in sounds.clips(None) if one.name == "shipped voices")
    return audio.trial(clip, attacks=("none", "gain -20 dB", "crop to 5 s"))


def test_audio_counts_what_comes_through(heard: Any) -> None:
    assert heard.exact("none")
    assert 15 < heard.change.snr < 40
    assert -4 < heard.change.grade.odg < 0.3
    lost = dataclasses.replace(
        heard, readings=heard.readings | {"none": robustness.Reading(b"", True, 2)}
    )
    rows = {row["attack"]: row for row in audio.by_attack([heard, lost], attacks_sound.ATTACKS)}
    assert {"none", "gain -20 dB", "crop to 5 s"} <= set(rows)
    assert rows["none"]["payload exact"] == estimates.Rate.of(1, 2)
    assert (rows["none"]["wrong"], rows["none"]["kept"]) == (1, "NO")
    *_, mean, worst = audio.by_clip([heard, lost])
    assert mean["SNR dB"] == worst["SNR dB"] == pytest.approx(heard.change.snr)
    assert worst["lost"] == mean["lost"] + 0.5
    floors = {floor.name: floor for floor in audio.promises([heard, lost])}
    assert not floors["none, exact %"].kept
    assert floors["mean ODG"].value == pytest.approx(heard.change.grade.odg)


def test_audio_has_a_table_of_attacks_and_one_a_kind(
    heard: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(audio, "trial", lambda *args, **kwargs: heard)
    monkeypatch.setattr(audio, "_chosen", lambda found, full: [heard.clip])
    with ThreadPoolExecutor(1) as workers:
        found = audio.run(full=False, media=None, workers=workers)
    assert [table.title for table in found.tables] == [
        "Attacks: speech, music, made by code", "Sounds: speech",
    ]  # fmt: skip
    assert found.floors[-1] == report.Floor("wrong payloads", 0, "<=", 0)
    assert report.show(found)


def test_no_mark_is_heard_where_there_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(audio_detection, "_LENGTHS", (3.0, 3.5))
    clips = [one for one in sounds.clips(None) if one.name == "shipped voices"]
    looks = audio_detection.job(clips, 0, keys=1)
    kinds = [look.kind for look in looks]
    assert {kind: kinds.count(kind) for kind in kinds} == {
        "made by code": 1, "marked, other key": 1, "recordings": 2,
    }  # fmt: skip
    assert not any(look.present or look.payload for look in looks)
    assert audio_detection.job(clips, 0, keys=1, until=0) == []
    monkeypatch.setattr(audio_detection, "job", lambda *args, **kwargs: looks)
    with ThreadPoolExecutor(1) as workers:
        found = audio_detection.run(full=False, media=None, workers=workers)
    assert found.tables[0].rows[-1]["detections"] == 4 * audio_detection.JOBS
    assert found.floors == [report.Floor("false positives", 0, "<=", 0)]


def test_timing_of_sound_fills_its_tables(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(audio_throughput, "FORMATS", {"tiny": (8000, 1)})
    monkeypatch.setattr(audio_throughput, "_USUAL", "tiny")
    monkeypatch.setattr(audio_throughput, "_USUAL_LENGTH", 2.0)
    monkeypatch.setattr(audio_throughput, "_ROUNDS", 1)
    monkeypatch.setattr(audio_throughput, "MEMORY_LENGTHS", (1.0, 2.0))
    monkeypatch.setattr(audio_throughput, "FILE_LENGTHS", (2.0, 4.0))
    found = audio_throughput.run(full=True, media=None, lengths=(1.0, 2.0))
    formats, lengths, growth, peaks, files = found.tables
    assert [(row["s"], row["step"]) for row in files.rows] == [
        (2.0, "label"), (2.0, "verify"), (4.0, "label"), (4.0, "verify"),
    ]  # fmt: skip
    assert [row["step"] for row in formats.rows] == [
        *audio_throughput._FLOORS, "plain encoding, FLAC", "plain encoding, MP3",
    ]  # fmt: skip
    assert len(lengths.rows) == 6
    assert all(isinstance(row["exponent"], float) for row in growth.rows)
    assert len(peaks.rows) == 4
    assert len(found.floors) == (7 if files.rows[0]["MB"] else 5)
    five = audio_throughput.sound(8000, 6, 1.0)
    assert five.shape == (6, 8000)
    assert np.abs(five).max() <= 1


# --- films --------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A moving test picture, 320 × 240, 14 frames in 1.4 s."""
    made = tmp_path_factory.mktemp("film") / "film.mp4"
    films.program(
        "-f", "lavfi", "-i", "testsrc2=size=320x240:rate=10", "-frames:v", 14,
        *films.coder(18, "ultrafast"), made,
    )  # fmt: skip
    return made


def test_films_are_cut_and_repeated(tmp_path: Path, film: Path) -> None:
    films.program("-stream_loop", "4", "-i", film, "-c", "copy", tmp_path / "long.mkv")
    (tmp_path / "short.mp4").write_bytes(film.read_bytes())
    (tmp_path / "text.mp4").write_bytes(b"no film")
    found = films.clips(tmp_path)
    assert [one.name for one in found[:4]] == ["long, 1", "long, 2", "long, 3", "short"]
    assert {one.kind for one in found[:4]} == {films.SMALLER}
    assert [one.start for one in found[:3]] == pytest.approx([0, 2, 4], abs=0.1)
    assert {one.kind for one in found[4:]} == {films.PROMISED}
    for one in (found[1], found[3]):
        cover = film_files.probe(one.cover(tmp_path))
        assert (cover.codec, cover.width, cover.seconds) == ("ffv1", 320, pytest.approx(3, abs=0.2))
        assert [track.kind for track in cover.tracks] == ["video"]


@pytest.mark.parametrize("name", list(importlib.import_module("benchmarks.attacks_video").ATTACKS))
def test_attacks_on_films_do_what_they_say(name: str, film: Path, tmp_path: Path) -> None:
    if attacks_video.unavailable(name):
        pytest.skip("not in this ffmpeg")
    made = attacks_video.ATTACKS[name](film, tmp_path)
    if name == "one frame":
        assert pictures.load(made).shape == (240, 320, 3)
        return
    frames = list(film_files.frames(made))
    assert len(frames) == {
        "15 frames a second": 21, "half the frames": 7, "first second": 10, "screen recording": 35,
    }.get(name, 14)  # fmt: skip
    height, width = frames[0].y.shape
    sizes = {
        "to 480 lines": (640, 480), "to 360 lines": (480, 360), "to 720 lines": (960, 720),
        "aspect 4 : 3": (320, 240), "letterbox": (320, 312), "messenger, twice": (720, 540),
        "crop to 50 %": (226, 168), "crop to 90 %, off centre": (302, 226),
        "screen recording": (252, 188),
    }  # fmt: skip
    if "crop" not in name or name in sizes:
        assert (width, height) == sizes.get(name, (320, 240))


def test_quick_attacks_on_films_are_of_every_family() -> None:
    assert set(attacks_video.QUICK) <= set(attacks_video.ATTACKS)
    families = {attack.family for attack in attacks_video.ATTACKS.values()}
    assert {attacks_video.ATTACKS[name].family for name in attacks_video.QUICK} == families


@pytest.mark.parametrize(
    ("name", "exact"),  # order 4, its table
    [("H.264 40", 60), ("H.265 35", 90), ("AV1 50", 95), ("to 360 lines", 95), ("one frame", 95),
     ("crop to 50 %", 95), ("letterbox", 98), ("filmed from a screen", 40), ("logo", None)],
)  # fmt: skip
def test_promises_of_films_are_those_of_the_order(name: str, exact: float | None) -> None:
    assert attacks_video.ATTACKS[name].exact == exact


@pytest.fixture(scope="module")
def watched() -> Any:
    clip = films.Clip("photographs, panned", films.PROMISED, None, seconds=0.6)
    return video.trial(clip, attacks=("none", "to 720 lines"))


def test_video_counts_what_comes_through(watched: Any) -> None:
    assert watched.size == "1280 × 720"
    assert list(watched.readings) == ["none"]  # 720 lines are no fewer
    assert not watched.wrong("none")
    assert 40 < watched.change.worst <= watched.change.psnr < 60
    assert 0.9 < watched.change.ssim < 1
    assert watched.change.vmaf is None or 80 < watched.change.vmaf <= 100
    lost = dataclasses.replace(watched, readings={"none": robustness.Reading(b"", True, 2)})
    (row,) = video.by_attack([watched, lost], ["none"], True)
    assert (row["wrong"], row["kept"]) == (1, "NO")
    (row,) = video.by_attack([lost], ["none"], False)
    assert (row["promised %"], row["kept"]) == (None, None)
    *_, mean, worst = video.by_clip([watched, lost])
    assert mean["PSNR dB"] == worst["PSNR dB"] == pytest.approx(watched.change.psnr)
    assert worst["lost"] == 1
    floors = {floor.name: floor for floor in video.promises([watched, lost])}
    assert not floors["none, exact %"].kept
    assert floors["mean luma PSNR, dB"].value == pytest.approx(watched.change.psnr)


def test_video_has_two_tables_a_kind(watched: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(video, "trial", lambda *args, **kwargs: watched)
    monkeypatch.setattr(video, "_chosen", lambda found, full: [watched.clip])
    with ThreadPoolExecutor(1) as workers:
        found = video.run(full=False, media=None, workers=workers)
    assert [table.title for table in found.tables] == [
        "Attacks: 720 lines and more", "Films: 720 lines and more",
    ]  # fmt: skip
    assert found.floors[-1] == report.Floor("wrong payloads", 0, "<=", 0)
    assert report.show(found)


def test_timing_of_films_fills_its_tables(film: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = video_throughput.Source(film, 1.4, 14, (320, 240))
    monkeypatch.setattr(video_throughput, "_source", lambda *args: source)
    monkeypatch.setattr(video_throughput, "_LENGTHS", (2.0,))
    monkeypatch.setattr(video_throughput, "_VERIFIED", (2.0,))
    monkeypatch.setattr(video_throughput, "_FULL_ROUNDS", 1)
    found = video_throughput.run(full=True, media=None)
    calls, steps, parts, peaks, verified = found.tables
    assert [row["call"] for row in calls.rows] == 2 * [
        video_throughput.PLAIN, video_throughput.CARRIED, video_throughput.MARKED,
        video_throughput.LABELLED,
    ]  # fmt: skip
    assert all(row["frames/s"] > 0 for row in calls.rows)
    assert all(row["mark and encode"] > 0 for row in steps.rows)
    assert len(parts.rows) == 9
    assert peaks.rows[0]["s"] == 2.0
    assert sys.platform != "linux" or peaks.rows[0]["all MB"] > peaks.rows[0]["Python MB"] > 10
    assert verified.rows[0]["wall s"] > 0
    assert len(found.floors) == 6
    with pytest.raises(RuntimeError):
        memory.of_command([sys.executable, "-c", "raise SystemExit(3)"])


def test_no_mark_is_seen_in_films_where_there_is_none(
    film: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(video_detection, "_FRAMES", (4, 5))
    monkeypatch.setattr(video_detection, "_SHAPE", (144, 256))
    monkeypatch.setattr(video_detection, "_EFFORT", "quick")
    clips = [films.Clip("film", films.PROMISED, film, seconds=1.0)]
    looks = video_detection.job(clips, 0, keys=1)
    kinds = [look.kind for look in looks]
    assert {kind: kinds.count(kind) for kind in kinds} == {
        "made by code": 1, "marked, other key": 1, "films": 2,
    }  # fmt: skip
    assert not any(look.present or look.payload for look in looks)
    assert video_detection.job(clips, 0, keys=1, until=0) == []
    monkeypatch.setattr(video_detection, "job", lambda *args, **kwargs: looks)
    with ThreadPoolExecutor(1) as workers:
        found = video_detection.run(full=False, media=None, workers=workers)
    assert found.tables[0].rows[-1]["detections"] == 4 * video_detection.JOBS
    assert found.floors == [report.Floor("false positives", 0, "<=", 0)]
