"""What of the watermark is left after every attack, and what it changes in a picture."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from functools import partial
from itertools import groupby
from pathlib import Path

import numpy as np

from aiglabel.key import Key
from aiglabel.signal import image, quality
from benchmarks import peers, pictures
from benchmarks.attacks import ATTACKS, QUICK, Attack
from benchmarks.estimates import Rate
from benchmarks.pictures import Rgb
from benchmarks.report import Findings, Floor, Row, Table
from benchmarks.subjects import GRAPHICS, LARGE, PHOTOGRAPHS, SMALL, Size, Subject, spread, subjects

# Pictures of each class in the quick run.
_QUICK_PICTURES = {(SMALL, PHOTOGRAPHS): 12, (SMALL, GRAPHICS): 1, (LARGE, PHOTOGRAPHS): 6}
_PSNR = {SMALL: 42.0, LARGE: 45.0}
_WORST_PSNR, _SSIM = 38.0, 0.98


@dataclass(frozen=True)
class Reading:
    """What was read of one picture after one attack; margin is statistic ÷ threshold."""

    payload: bytes | None
    present: bool
    margin: float


@dataclass(frozen=True)
class Change:
    """What marking did to one picture: RGB PSNR and PSNR-HVS-M in dB, SSIM, grey levels."""

    psnr: float
    psnr_hvs_m: float
    ssim: float
    largest: float

    @classmethod
    def of(cls, cover: Rgb, marked: Rgb) -> Change:
        """Compare (H, W, 3) bytes."""
        return cls(
            quality.psnr(cover, marked), quality.psnr_hvs_m(cover, marked),
            quality.ssim(cover, marked), quality.largest_change(cover, marked),
        )  # fmt: skip


@dataclass(frozen=True)
class Tried:
    """A payload, and what is read after each attack."""

    payload: bytes
    readings: dict[str, Reading]

    def exact(self, attack: str) -> bool:
        """Whether the payload came through."""
        return self.readings[attack].payload == self.payload

    def wrong(self, attack: str) -> bool:
        """Whether another payload was read: the one thing that must not happen."""
        return self.readings[attack].payload not in (None, self.payload)


@dataclass(frozen=True)
class Trial(Tried):
    """One picture: its size, and what marking changed."""

    subject: Subject
    width: int
    height: int
    change: Change


# ---------------------------------------------------------------------- the suite


def run(*, full: bool, media: Path | None, workers: Executor) -> Findings:
    """Mark every picture, attack it, read it."""
    chosen = _chosen(subjects(media), full=full)
    names = tuple(ATTACKS) if full else QUICK
    ours = list(workers.map(partial(trial, full=full, attacks=names), _by_cost(chosen)))
    tables, floors = [], []
    for (size, kind), trials in _classes(ours):
        head = f"{size.name} {kind} (at most {size.limit(full=full):g} MP)"
        tables.append(Table(f"Attacks: {head}", by_attack(trials), _NOTE))
        tables.append(Table(f"Pictures: {head}", by_picture(trials), _PICTURE_NOTE))
        if kind == PHOTOGRAPHS and size in _PSNR:
            floors += promises(size, trials)
    floors.append(Floor("wrong payloads", float(_wrong(ours)), "<=", 0))
    if full:
        small = [
            one for one in ours if (one.subject.size, one.subject.kind) == (SMALL, PHOTOGRAPHS)
        ]
        tables += _strengths([one.subject for one in small], workers)
        tables.append(_against_peers(small, workers))
    return Findings(tables, floors)


_NOTE = (
    "Payload read exactly, with 95 % Wilson interval; mark present at a false-positive rate of "
    "1e-9; wrong payloads; median and worst statistic ÷ threshold; what is promised."
)
_PICTURE_NOTE = "lost: attacks after which the payload is not read, of those that were tried."


def _chosen(found: list[Subject], *, full: bool) -> list[Subject]:
    if full:
        return found
    return [
        one
        for wanted, count in _QUICK_PICTURES.items()
        for one in spread([one for one in found if (one.size, one.kind) == wanted], count)
    ]


def _by_cost(chosen: list[Subject]) -> list[Subject]:
    """Put the large ones first, so that the last minute keeps every core busy."""
    return sorted(chosen, key=lambda one: one.size.full, reverse=True)


def _classes(trials: list[Trial]) -> list[tuple[tuple[Size, str], list[Trial]]]:
    def group(one: Trial) -> tuple[float, bool]:
        return one.subject.size.full, one.subject.kind == GRAPHICS

    groups = [list(some) for _, some in groupby(sorted(trials, key=group), group)]
    return [((some[0].subject.size, some[0].subject.kind), some) for some in groups]


def _wrong(trials: list[Trial]) -> int:
    return sum(one.wrong(attack) for one in trials for attack in one.readings)


# ---------------------------------------------------------------------- one picture


def trial(
    subject: Subject,
    *,
    full: bool,
    attacks: Sequence[str],
    strength: str = image.DEFAULT_STRENGTH,
) -> Trial:
    """Mark one picture with a key and a payload of its own, and read it after every attack."""
    rng = pictures.random_for("robustness", subject.name)
    key, payload = Key(rng.bytes(32)), rng.bytes(8)
    cover = subject.load(full=full)
    marked = image.mark(cover, payload, key=key, strength=strength).pixels

    def read(rgb: Rgb) -> Reading:
        found = image.detect(rgb, key=key)
        return Reading(found.payload, found.present, found.statistic / found.threshold)

    return _tried(subject, cover, marked, payload, attacks, read)


def peer_trial(subject: Subject, peer: str, *, attacks: Sequence[str]) -> Trial:
    """As `trial`, with another tool; it cannot tell whether a mark is there."""
    tool = next(one for one in peers.available() if one.name == peer)
    payload = pictures.random_for("robustness", subject.name).bytes(40)[32:]
    cover = subject.load(full=True)
    marked = tool.embed(cover, payload)

    def read(rgb: Rgb) -> Reading:
        return Reading(tool.extract(rgb, len(payload)), True, 0.0)

    return _tried(subject, cover, marked, payload, attacks, read)


def _tried(
    subject: Subject,
    cover: Rgb,
    marked: Rgb,
    payload: bytes,
    attacks: Sequence[str],
    read: Callable[[Rgb], Reading],
) -> Trial:
    height, width = cover.shape[:2]
    readings = {
        name: read(ATTACKS[name](marked, subject.name))
        for name in attacks
        if height * width <= ATTACKS[name].most * 1e6
    }
    return Trial(payload, readings, subject, width, height, Change.of(cover, marked))


# ---------------------------------------------------------------------- tables


def _attacks(trials: list[Trial]) -> list[tuple[Attack, list[Trial]]]:
    """Return the attacks that were tried, each with the pictures it was tried on."""
    tried = {name: [one for one in trials if name in one.readings] for name in ATTACKS}
    return [(ATTACKS[name], some) for name, some in tried.items() if some]


def by_attack(trials: list[Trial]) -> list[Row]:
    """One row an attack over all pictures of one class."""
    rows: list[Row] = []
    for attack, some in _attacks(trials):
        readings = [one.readings[attack.name] for one in some]
        margins = [reading.margin for reading in readings]
        exact = Rate.of(sum(one.exact(attack.name) for one in some), len(some))
        promised = _promised(attack, some[0].subject)
        rows.append(
            {
                "attack": attack.name,
                "family": attack.family,
                "payload exact": exact,
                "present": sum(reading.present for reading in readings),
                "wrong": sum(one.wrong(attack.name) for one in some),
                "margin": float(np.median(margins)),
                "worst": min(margins),
                "promised %": promised,
                "kept": None if promised is None else _yes(100 * exact.hits >= promised * exact.n),
            }
        )
    return rows


def _promised(attack: Attack, subject: Subject) -> float | None:
    if subject.kind != PHOTOGRAPHS:
        return None
    return {SMALL: attack.small, LARGE: attack.large}.get(subject.size)


def _yes(kept: bool) -> str:
    return "yes" if kept else "NO"


def by_picture(trials: list[Trial]) -> list[Row]:
    """One row a picture, then the mean and the worst."""
    rows = [
        _row(one.subject.name, f"{one.width} × {one.height}", one.change, _lost(one))
        for one in trials
    ]
    changes, lost = [one.change for one in trials], [_lost(one) for one in trials]
    for name, least, most in (("mean", np.mean, np.mean), ("worst", np.min, np.max)):
        change = Change(
            _fold(least, (one.psnr for one in changes)),
            _fold(least, (one.psnr_hvs_m for one in changes)),
            _fold(least, (one.ssim for one in changes)),
            _fold(most, (one.largest for one in changes)),
        )
        rows.append(_row(name, "", change, _fold(most, lost)))
    return rows


def _lost(one: Trial) -> float:
    return sum(not one.exact(attack) for attack in one.readings)


def _row(name: str, size: str, change: Change, lost: float) -> Row:
    return {
        "picture": name, "size": size, "PSNR dB": _known(change.psnr),
        "HVS-M dB": _known(change.psnr_hvs_m), "SSIM": _known(change.ssim),
        "largest change": change.largest, "lost": lost,
    }  # fmt: skip


def _known(value: float) -> float | None:
    return value if np.isfinite(value) else None


def _fold(function: Callable[[list[float]], object], values: Iterable[float]) -> float:
    """Over what is finite: an unchanged picture has no PSNR."""
    finite = [value for value in values if np.isfinite(value)]
    return float(np.asarray(function(finite))) if finite else float("nan")


def promises(size: Size, trials: list[Trial]) -> list[Floor]:
    """Hold one class of photographs to what is promised of its looks and its payloads."""
    changes = [one.change for one in trials]
    psnr = [change.psnr for change in changes]
    floors = [
        Floor(f"{size.name}: mean PSNR, dB", _fold(np.mean, psnr), ">=", _PSNR[size]),
        Floor(f"{size.name}: worst PSNR, dB", _fold(np.min, psnr), ">=", _WORST_PSNR),
        Floor(f"{size.name}: mean SSIM", _fold(np.mean, (c.ssim for c in changes)), ">=", _SSIM),
    ]
    for attack, some in _attacks(trials):
        promised = _promised(attack, some[0].subject)
        if promised is not None:
            share = 100 * sum(one.exact(attack.name) for one in some) / len(some)
            name = f"{size.name}: {attack.name}, exact %"
            floors.append(Floor(name, share, ">=", promised))
    return floors


# ---------------------------------------------------------------------- strengths and peers


def _strengths(chosen: list[Subject], workers: Executor) -> list[Table]:
    """The other strengths, on the quick run's attacks."""
    tables = []
    for strength in ("invisible", "robust"):
        job = partial(trial, full=True, attacks=QUICK, strength=strength)
        trials = list(workers.map(job, chosen))
        head = f"small {PHOTOGRAPHS}, strength '{strength}'"
        tables.append(Table(f"Attacks: {head}", by_attack(trials), _NOTE))
        tables.append(Table(f"Pictures: {head}", by_picture(trials), _PICTURE_NOTE))
    return tables


def _against_peers(ours: list[Trial], workers: Executor) -> Table:
    title = f"Peers: small {PHOTOGRAPHS}"
    tools = [peer.name for peer in peers.available()]
    if not tools:
        return Table(title, [{"attack": peers.MISSING}])
    chosen, names = [one.subject for one in ours], tuple(ATTACKS)
    trials = {"aiglabel": ours}
    for tool in tools:
        trials[tool] = list(workers.map(partial(peer_trial, peer=tool, attacks=names), chosen))
    rows: list[Row] = [
        {
            "attack": attack.name,
            **{
                tool: Rate.of(sum(one.exact(attack.name) for one in some), len(some))
                for tool, some in trials.items()
            },
        }
        for attack, _ in _attacks(ours)
    ]
    for head, field in (
        ("mean PSNR, dB", "psnr"), ("mean PSNR-HVS-M, dB", "psnr_hvs_m"), ("mean SSIM", "ssim"),
    ):  # fmt: skip
        means = {
            tool: _known(_fold(np.mean, (getattr(one.change, field) for one in some)))
            for tool, some in trials.items()
        }
        rows.append({"attack": head, **means})
    return Table(title, rows, "64 bits read exactly. The peers are told that they are 64.")
