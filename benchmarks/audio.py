"""What of the watermark of sound is left after every attack, and what marking changes."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final

import numpy as np

from aiglabel.key import Key
from aiglabel.signal import audio
from benchmarks import peaq, sounds
from benchmarks.attacks_sound import ATTACKS, QUICK, SoundAttack, resampled, unavailable
from benchmarks.estimates import Rate
from benchmarks.peaq import Grade
from benchmarks.pictures import random_for
from benchmarks.report import Findings, Floor, Row, Table
from benchmarks.robustness import Reading, Tried
from benchmarks.sounds import MADE, MUSIC, PROMISED, SPEECH, Clip, Samples
from benchmarks.subjects import spread

# Clips of each kind in the quick run.
_QUICK_CLIPS = {SPEECH: 4, MUSIC: 3, MADE: 1}
_MEAN_ODG, _WORST_ODG, _PESQ = -0.20, -0.45, 4.4
_PESQ_RATE = 16_000


@dataclass(frozen=True)
class Change:
    """What marking did to one sound.

    Attributes
    ----------
    snr : float
        dB.
    grade : Grade or None
        Objective difference grade and noise to mask; None where all is silent or too short.
    pesq : float or None
        Of speech, wide band at 16 kHz; None where it was not measured.
    """

    snr: float
    grade: Grade | None
    pesq: float | None

    @classmethod
    def of(cls, cover: Samples, marked: Samples, rate: int, *, speech: bool) -> Change:
        """Compare float32 (channels, n)."""
        noise = float(np.sum(np.square(marked - cover, dtype=np.float64)))
        power = float(np.sum(np.square(cover, dtype=np.float64)))
        snr = float(10 * np.log10(power / noise)) if noise and power else np.inf
        heard = _pesq(cover, marked, rate) if speech else None
        return cls(snr, peaq.grade(cover, marked, rate), heard)


@dataclass(frozen=True)
class Trial(Tried):
    """One clip: its length in s and its rate, and what marking changed."""

    clip: Clip
    seconds: float
    rate: int
    change: Change


# ---------------------------------------------------------------------- the suite


def run(*, full: bool, media: Path | None, workers: Executor) -> Findings:
    """Mark every clip, attack it, read it."""
    chosen = _chosen(sounds.clips(media), full=full)
    names = tuple(ATTACKS) if full else QUICK
    possible = [name for name in names if not unavailable(name)]
    trials = list(workers.map(partial(trial, attacks=possible), chosen))
    promised = [one for one in trials if one.clip.kind in PROMISED]
    tables = [
        Table("Attacks: speech, music, made by code", by_attack(promised, names), _note(names))
    ]
    for kind in dict.fromkeys(one.clip.kind for one in trials):
        some = [one for one in trials if one.clip.kind == kind]
        if full:
            tables.append(Table(f"Attacks: {kind}", by_attack(some, names), _note(names)))
        tables.append(Table(f"Sounds: {kind}", by_clip(some), _CLIP_NOTE))
    if full:
        tables += _strengths([one.clip for one in promised], workers)
    floors = promises(promised)
    floors.append(Floor("wrong payloads", float(sum(map(_wrong, trials))), "<=", 0))
    return Findings(tables, floors)


def _note(names: Iterable[str]) -> str:
    reasons = {name: unavailable(name) for name in names}
    missing = [f"{name}, {reason}" for name, reason in reasons.items() if reason]
    return " ".join(
        [
            "Payload read exactly, with 95 % Wilson interval; mark present at a false-positive "
            "rate of 1e-9; wrong payloads; median and worst statistic ÷ threshold; what is "
            "promised. A crop is tried on longer sounds only.",
            *(f"Not available here: {reason}" for reason in missing),
        ]
    )


_CLIP_NOTE = (
    "Signal-to-noise ratio; objective difference grade (0 imperceptible, -1 perceptible), mean "
    "noise to mask, and share of frames with a band above its mask, after ITU-R BS.1387, basic "
    "version, each channel by itself (conformance not claimed, made for 48 kHz); PESQ, wide band "
    "at 16 kHz, of speech, – where not measured; lost: attacks after which the payload is not "
    "read, of those tried."
)


def _chosen(found: list[Clip], *, full: bool) -> list[Clip]:
    """Return all clips, or some of each kind."""
    if full:
        return found
    return [
        one
        for kind, count in _QUICK_CLIPS.items()
        for one in spread([one for one in found if one.kind == kind], count)
    ]


def _wrong(one: Trial) -> int:
    return sum(one.wrong(attack) for attack in one.readings)


# ---------------------------------------------------------------------- one clip


def trial(clip: Clip, *, attacks: Sequence[str], strength: str | None = None) -> Trial:
    """Mark one clip with a key and a payload of its own, and read it after every attack."""
    rng = random_for("audio", clip.name)
    key, payload = Key(rng.bytes(32)), rng.bytes(8)
    cover, rate = clip.load()
    marked = audio.embed(cover, payload, rate=rate, key=key, strength=strength)
    seconds = cover.shape[1] / rate
    change = Change.of(cover, marked, rate, speech=clip.kind == SPEECH)
    readings = {}
    for name in attacks:
        attack = ATTACKS[name]
        if seconds > attack.longer:
            y, new_rate = attack(marked, rate, clip.name)
            found = audio.detect(y, rate=new_rate, key=key)
            margin = found.statistic / found.threshold
            readings[name] = Reading(found.payload, found.present, margin)
    return Trial(payload, readings, clip, seconds, rate, change)


def _pesq(cover: Samples, marked: Samples, rate: int) -> float | None:
    """ITU-T P.862.2 of the channels' mean; None without the package, or of a narrow band."""
    if rate < _PESQ_RATE:
        return None
    try:
        measure: Callable[..., float] = importlib.import_module("pesq").pesq
    except ImportError:
        return None
    one, other = (
        resampled(y.mean(axis=0, keepdims=True), rate, _PESQ_RATE)[0][0] for y in (cover, marked)
    )
    return float(measure(_PESQ_RATE, one, other, "wb"))


# ---------------------------------------------------------------------- tables


def _tried(trials: list[Trial], name: str) -> list[Trial]:
    return [one for one in trials if name in one.readings]


def by_attack(trials: list[Trial], names: Iterable[str]) -> list[Row]:
    """One row an attack, also of those that cannot be made here."""
    tried = {name: _tried(trials, name) for name in names}
    return [
        _attack_row(ATTACKS[name], some)
        for name, some in tried.items()
        if some or unavailable(name)
    ]


def _attack_row(attack: SoundAttack, trials: list[Trial]) -> Row:
    readings = [one.readings[attack.name] for one in trials]
    margins = [reading.margin for reading in readings]
    exact = Rate.of(sum(one.exact(attack.name) for one in trials), len(trials)) if trials else None
    present = sum(reading.present for reading in readings)
    kept = "not available"
    if exact:
        kept = "yes" if 100 * exact.hits >= (attack.exact or 0) * exact.n else "NO"
    return {
        "attack": attack.name,
        "family": attack.family,
        "payload exact": exact,
        "present": Rate.of(present, len(trials)) if trials else None,
        "wrong": sum(one.wrong(attack.name) for one in trials),
        "margin": float(np.median(margins)) if margins else None,
        "worst": min(margins, default=None),
        "promised %": attack.exact,
        "kept": kept,
    }


def by_clip(trials: list[Trial]) -> list[Row]:
    """One row a clip, then the mean and the worst."""
    rows = [_clip_row(one) for one in trials]
    mean, worst = (_folded(rows, name) for name in ("mean", "worst"))
    return [*rows, mean, worst]


def _folded(rows: list[Row], name: str) -> Row:
    """Mean or worst of every column, over the sounds that have it."""
    folded: Row = dict.fromkeys(rows[0]) | {"sound": name}
    for column, worst in _WORST.items():
        cells = [cell for row in rows if isinstance(cell := row[column], int | float)]
        if cells:
            folded[column] = float(np.mean(cells)) if name == "mean" else float(worst(cells))
    return folded


_WORST: Final[dict[str, Callable[[list[float]], float]]] = {
    "SNR dB": min, "ODG": min, "noise to mask dB": max, "disturbed": max, "PESQ": min, "lost": max,
}  # fmt: skip


def _clip_row(one: Trial) -> Row:
    change, grade = one.change, one.change.grade
    return {
        "sound": one.clip.name,
        "s": one.seconds,
        "Hz": one.rate,
        "SNR dB": change.snr if np.isfinite(change.snr) else None,
        "ODG": grade.odg if grade else None,
        "noise to mask dB": grade.noise_to_mask if grade else None,
        "disturbed": grade.disturbed if grade else None,
        "PESQ": change.pesq,
        "lost": sum(not one.exact(attack) for attack in one.readings),
    }


def promises(trials: list[Trial]) -> list[Floor]:
    """Hold speech, music and made sounds to what is promised of quality and payloads."""
    floors = []
    if grades := [one.change.grade.odg for one in trials if one.change.grade]:
        floors.append(Floor("mean ODG", float(np.mean(grades)), ">=", _MEAN_ODG))
        floors.append(Floor("worst ODG", min(grades), ">=", _WORST_ODG))
    if heard := [one.change.pesq for one in trials if one.change.pesq is not None]:
        floors.append(Floor("worst PESQ of speech", min(heard), ">=", _PESQ))
    for attack in ATTACKS.values():
        some = _tried(trials, attack.name)
        if some and attack.exact is not None:
            share = 100 * sum(one.exact(attack.name) for one in some) / len(some)
            floors.append(Floor(f"{attack.name}, exact %", share, ">=", attack.exact))
        if some and attack.present is not None:
            share = 100 * sum(one.readings[attack.name].present for one in some) / len(some)
            floors.append(Floor(f"{attack.name}, present %", share, ">=", attack.present))
    return floors


def _strengths(chosen: list[Clip], workers: Executor) -> list[Table]:
    """The other strengths, on the quick run's attacks."""
    tables = []
    for strength in ("invisible", "robust"):
        trials = list(workers.map(partial(trial, attacks=QUICK, strength=strength), chosen))
        tables.append(
            Table(f"Attacks: strength '{strength}'", by_attack(trials, QUICK), _note(QUICK))
        )
        tables.append(Table(f"Sounds: strength '{strength}'", by_clip(trials), _CLIP_NOTE))
    return tables
