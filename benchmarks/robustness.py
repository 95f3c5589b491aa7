"""What of the watermark is left after everyday processing, and what it changes in a picture."""

from __future__ import annotations

from collections.abc import Iterable
from concurrent.futures import Executor
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from aiglabel.key import Key
from aiglabel.signal import image, quality
from benchmarks import peers, pictures
from benchmarks.attacks import ATTACKS, UNSUPPORTED
from benchmarks.estimates import Rate
from benchmarks.pictures import Rgb
from benchmarks.report import Findings, Row, Table

_QUICK_SIZE = 0.5  # MP; pictures are reduced to this, as sites do
_FULL_SIZE = 4.0
_PEER_SIZE = 0.15


@dataclass(frozen=True)
class Reading:
    """What was read of one picture after one attack; margin is statistic ÷ threshold."""

    payload: bytes | None
    present: bool
    margin: float


@dataclass(frozen=True)
class Trial:
    """One picture: its size, what marking changed, and what is read after each attack."""

    name: str
    width: int
    height: int
    payload: bytes
    psnr: float
    ssim: float
    largest: int
    readings: dict[str, Reading]

    def exact(self, attack: str) -> bool:
        """Whether the payload came through."""
        return self.readings[attack].payload == self.payload


def run(*, full: bool, media: Path | None, workers: Executor) -> Findings:
    """Mark every picture, attack it, read it."""
    sets = {"bundled": pictures.bundled(), "folder": pictures.in_folder(media)}
    tables = []
    for group, paths in sets.items():
        for strength in ("invisible", "balanced", "robust") if full else ("balanced",):
            size = _FULL_SIZE if full else _QUICK_SIZE
            trials = list(workers.map(partial(trial, megapixels=size, strength=strength), paths))
            if trials:
                head = f"{group} pictures, strength '{strength}', at most {size:g} MP"
                tables.append(Table(f"Robustness: {head}", by_attack(trials), _NOTE))
                tables.append(Table(f"Pictures: {head}", by_picture(trials), _PICTURE_NOTE))
    if full:
        tables.append(_against_peers(sets["bundled"], workers))
    return Findings(tables)


_NOTE = (
    "Payload read exactly, with 95 % Wilson interval; mark present at a false-positive rate of "
    "1e-9; wrong payloads; median and worst statistic ÷ threshold. * is not supported: no search."
)
_PICTURE_NOTE = "lost: supported attacks after which the payload is not read."


def trial(path: Path, *, megapixels: float, strength: str) -> Trial:
    """Mark one picture with a key and a payload of its own, and read it after every attack."""
    rng = pictures.random_for("robustness", path.name)
    key, payload = Key(rng.bytes(32)), rng.bytes(8)
    cover = pictures.load(path, megapixels=megapixels)
    marked = image.embed(cover, payload, key=key, strength=strength)
    readings = {}
    for name, attack in ATTACKS.items():
        found = image.detect(attack(marked), key=key)
        readings[name] = Reading(found.payload, found.present, found.statistic / found.threshold)
    return _trial(path.name, cover, marked, payload, readings)


def _trial(
    name: str, cover: Rgb, marked: Rgb, payload: bytes, readings: dict[str, Reading]
) -> Trial:
    largest = int(np.abs(marked.astype(np.int16) - cover).max())
    height, width = cover.shape[:2]
    return Trial(
        name, width, height, payload, quality.psnr(cover, marked), quality.ssim(cover, marked),
        largest, readings,
    )  # fmt: skip


def by_attack(trials: list[Trial]) -> list[Row]:
    """One row an attack over all pictures."""
    rows: list[Row] = []
    for attack in ATTACKS:
        readings = [one.readings[attack] for one in trials]
        exact = [one.exact(attack) for one in trials]
        wrong = sum(
            reading.payload is not None and not right
            for reading, right in zip(readings, exact, strict=True)
        )
        margins = [reading.margin for reading in readings]
        rows.append(
            {
                "attack": f"{attack} *" if attack in UNSUPPORTED else attack,
                "payload exact": Rate.of(sum(exact), len(trials)),
                "present": sum(reading.present for reading in readings),
                "wrong": wrong,
                "margin": float(np.median(margins)),
                "worst": min(margins),
            }
        )
    return rows


def by_picture(trials: list[Trial]) -> list[Row]:
    """One row a picture, then the mean and the worst."""
    tried = [attack for attack in ATTACKS if attack not in UNSUPPORTED]
    rows = [
        _row(
            one.name, f"{one.width} × {one.height}", one.psnr, one.ssim, one.largest,
            sum(not one.exact(attack) for attack in tried),
        )
        for one in trials
    ]  # fmt: skip
    for name, fold, bad in (("mean", np.mean, np.mean), ("worst", np.min, np.max)):
        rows.append(
            _row(
                name, "", float(fold(_finite(one.psnr for one in trials))),
                float(fold(_finite(one.ssim for one in trials))),
                float(bad([one.largest for one in trials])),
                float(bad([row["lost"] for row in rows[: len(trials)]])),
            )
        )  # fmt: skip
    return rows


def _row(name: str, size: str, psnr: float, ssim: float, largest: float, lost: float) -> Row:
    return {
        "picture": name, "size": size, "PSNR dB": psnr if np.isfinite(psnr) else None,
        "SSIM": ssim if np.isfinite(ssim) else None, "largest change": largest, "lost": lost,
    }  # fmt: skip


def _finite(values: Iterable[float]) -> list[float]:
    return [value for value in values if np.isfinite(value)]


def _against_peers(paths: list[Path], workers: Executor) -> Table:
    title = f"Peers: bundled pictures, at most {_PEER_SIZE} MP"
    if not peers.available():
        return Table(title, [{"attack": peers.MISSING}])
    jobs = partial(trial, megapixels=_PEER_SIZE, strength="balanced")
    ours, theirs = list(workers.map(jobs, paths)), list(workers.map(peer_trial, paths))
    rows: list[Row] = [
        {
            "attack": attack,
            **{
                name: Rate.of(sum(one.exact(attack) for one in trials), len(trials))
                for name, trials in (("aiglabel", ours), ("blind-watermark", theirs))
            },
        }
        for attack in ATTACKS
    ]
    rows.append(
        {
            "attack": "mean PSNR, dB",
            "aiglabel": float(np.mean([one.psnr for one in ours])),
            "blind-watermark": float(np.mean([one.psnr for one in theirs])),
        }
    )
    return Table(title, rows, "64 bits read exactly. The peer is told that they are 64.")


def peer_trial(path: Path) -> Trial:
    """As `trial`, with blind-watermark; it cannot tell whether a mark is there."""
    payload = pictures.random_for("robustness", path.name).bytes(40)[32:]
    cover = pictures.load(path, megapixels=_PEER_SIZE)
    marked = peers.embed(cover, payload)
    readings = {
        name: Reading(peers.extract(attack(marked), len(payload)), True, 0.0)
        for name, attack in ATTACKS.items()
    }
    return _trial(path.name, cover, marked, payload, readings)
