"""The benchmarks themselves: their arithmetic, their pictures, the results that are committed."""

from __future__ import annotations

import importlib
import json
import subprocess
import sys
from pathlib import Path

import jsonschema
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

ROOT = Path(__file__).resolve().parents[1]
if str(ROOT) not in sys.path:  # `python -m pytest` has it, `pytest` has not
    sys.path.insert(0, str(ROOT))

pytest.importorskip("skimage")
attacks = importlib.import_module("benchmarks.attacks")
estimates = importlib.import_module("benchmarks.estimates")
falsepositive = importlib.import_module("benchmarks.falsepositive")
pictures = importlib.import_module("benchmarks.pictures")
pipeline = importlib.import_module("benchmarks.pipeline")
report = importlib.import_module("benchmarks.report")
robustness = importlib.import_module("benchmarks.robustness")
schema = importlib.import_module("benchmarks.schema")
speed = importlib.import_module("benchmarks.speed")


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
    assert calls == list("abababab")
    assert len(times["a"].wall) == len(times["a"].cpu) == 3
    assert times["a"].ratio(times["a"]) == estimates.Spread(1, 0, 3)


def test_ratio_is_taken_within_each_round() -> None:
    slow_spell = (1.0, 10.0, 1.0)
    base = estimates.Times(slow_spell, slow_spell)
    double = estimates.Times(tuple(2 * x for x in slow_spell), slow_spell)
    assert double.ratio(base) == estimates.Spread(2, 0, 3)


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


@pytest.mark.parametrize("name", attacks.ATTACKS)
def test_attacks_are_repeatable_and_leave_their_input(name: str, cover: np.ndarray) -> None:
    before = cover.copy()
    one, two = attacks.ATTACKS[name](cover), attacks.ATTACKS[name](cover)
    assert one.dtype == np.uint8
    assert one.shape[2] == 3
    assert np.array_equal(one, two)
    assert np.array_equal(cover, before)
    assert np.array_equal(one, cover) == (name == "none")


def test_unsupported_attacks_are_attacks() -> None:
    assert set(attacks.ATTACKS) > attacks.UNSUPPORTED


# --- suites, on little ---------------------------------------------------------------------------


def test_robustness_counts_what_comes_through() -> None:
    one = robustness.trial(pictures.bundled()[0], megapixels=0.1, strength="balanced")
    assert one.exact("none")
    assert one.exact("JPEG 80")
    assert 30 < one.psnr < 60
    assert 0.9 < one.ssim < 1
    rows = {row["attack"]: row for row in robustness.by_attack([one, one])}
    assert rows["none"]["payload exact"] == estimates.Rate.of(2, 2)
    assert rows["none"]["margin"] > 1
    assert not any(row["wrong"] for row in rows.values())
    assert all(f"{name} *" in rows for name in attacks.UNSUPPORTED)
    *_, mean, worst = robustness.by_picture([one, one])
    assert mean["PSNR dB"] == worst["PSNR dB"] == pytest.approx(one.psnr)


def test_false_positives_are_looked_for_everywhere(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(falsepositive, "WINDOWS", 4)
    monkeypatch.setattr(falsepositive, "GROUPS", 1)
    monkeypatch.setattr(falsepositive, "KEYS", 2)
    monkeypatch.setattr(falsepositive, "_SIZE", 0.1)
    looks = falsepositive.job(pictures.bundled(), 0)
    assert looks == falsepositive.job(pictures.bundled(), 0)
    kinds = [look.kind for look in looks]
    assert {kind: kinds.count(kind) for kind in kinds} == {
        "synthetic": 2, "marked, other key": 2, "photographs": 4, falsepositive.LABEL: 4,
    }  # fmt: skip
    assert not any(look.present or look.payload for look in looks)
    assert max(look.margin for look in looks) < 1


def test_timing_suites_fill_their_tables(
    cover: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pictures, "large", lambda folder: ("astronaut", cover))
    monkeypatch.setattr(pipeline, "_rounds", lambda *args, **kwargs: 2)
    (alone,) = speed.run(full=False, media=None, sizes=(0.05,)).tables
    assert [row["step"] for row in alone.rows][:2] == ["grey + resize", "embed"]
    assert all(row["MP/s"] > 0 for row in alone.rows)
    found = pipeline.run(full=False, media=None, sizes=(0.05,))
    assert [row["format"] for row in found.tables[0].rows] == ["JPEG", "PNG", "WebP"]
    assert len(found.floors) == 3
    for row in found.tables[1].rows:
        parts = [row[step] for step in row.keys() - {"format", "MP", "base"}]
        assert min(parts) >= 0
        assert sum(parts) == pytest.approx(100, abs=5)  # of medians


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


def test_every_suite_is_offered_and_described() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks", "--help"],
        cwd=ROOT, capture_output=True, check=True, text=True,
    )  # fmt: skip
    text = (ROOT / "docs/benchmarks.md").read_text("utf-8")
    for name in schema.SCHEMA["properties"]["suite"]["enum"]:
        assert name in done.stdout
        assert f"`{name}`" in text
