"""What of the watermark of films is left after every attack, and what marking changes."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

import numpy as np

import aiglabel
from aiglabel.key import Key
from aiglabel.media import ffmpeg, video
from aiglabel.media.video_coding import VideoTarget
from aiglabel.signal import quality
from benchmarks import films
from benchmarks.attacks_video import ATTACKS, QUICK, VideoAttack, unavailable
from benchmarks.estimates import Rate
from benchmarks.films import PROMISED, Clip, coder, program
from benchmarks.pictures import random_for
from benchmarks.report import Findings, Floor, Row, Table
from benchmarks.robustness import Reading, Tried
from benchmarks.subjects import spread

_DELIVERED = 18.0  # CRF in which films are handed out, and attacked
_GROWN = 23.0  # CRF at which sizes are compared
_PRESETS = ("veryfast", "medium")
_QUICK_CLIPS, _QUICK_SECONDS = 2, 1.2
_SSIM_EVERY = 5
_PSNR, _VMAF, _GROWTH = 44.0, 92.0, 10.0


@dataclass(frozen=True)
class Change:
    """What marking did to one film, before anything coded it.

    Attributes
    ----------
    psnr, worst : float
        Of luma, dB: mean of the frames, and the worst of them.
    ssim : float
        Of luma, mean of the frames that were looked at.
    vmaf : float or None
        None where ffmpeg has no libvmaf.
    growth : dict of str to float
        By how much the file grows at the same CRF, by preset, %.
    """

    psnr: float
    worst: float
    ssim: float
    vmaf: float | None
    growth: dict[str, float]

    @classmethod
    def of(cls, cover: Path, marked: Path, folder: Path) -> Change:
        """Compare two lossless films."""
        ratios, likeness = [], []
        for a, b in zip(video.frames(cover), video.frames(marked), strict=True):
            ratios.append(quality.psnr(a.y, b.y))
            if a.number % _SSIM_EVERY == 0:
                likeness.append(quality.ssim(a.y, b.y))
        grown = {preset: _growth(cover, marked, preset, folder) for preset in _PRESETS}
        mean = float(np.mean([one for one in ratios if np.isfinite(one)] or [np.inf]))
        return cls(mean, min(ratios), float(np.mean(likeness)), vmaf(cover, marked), grown)


@dataclass(frozen=True)
class Trial(Tried):
    """One clip: the size of its frames, and what marking changed."""

    clip: Clip
    size: str
    change: Change


# ---------------------------------------------------------------------- the suite


def run(*, full: bool, media: Path | None, workers: Executor) -> Findings:
    """Mark every clip, deliver it, attack it, read it."""
    chosen = _chosen(films.clips(media), full=full)
    names = tuple(ATTACKS) if full else QUICK
    possible = [name for name in names if not unavailable(name)]
    trials = list(workers.map(partial(trial, attacks=possible), chosen))
    tables, floors = [], list[Floor]()
    for kind in dict.fromkeys(one.clip.kind for one in trials):
        some = [one for one in trials if one.clip.kind == kind]
        promised = kind == PROMISED
        tables.append(Table(f"Attacks: {kind}", by_attack(some, names, promised), _note(names)))
        tables.append(Table(f"Films: {kind}", by_clip(some), _CLIP_NOTE))
        floors += promises(some) if promised else []
    wrong = sum(one.wrong(attack) for one in trials for attack in one.readings)
    return Findings(tables, [*floors, Floor("wrong payloads", float(wrong), "<=", 0)])


def _note(names: Iterable[str]) -> str:
    reasons = {name: unavailable(name) for name in names}
    missing = [f"{name}, {reason}" for name, reason in reasons.items() if reason]
    return " ".join(
        [
            f"Films of about {films.Clip('', '', None).seconds:g} s, marked and delivered with "
            f"x264 at CRF {_DELIVERED:g}, then attacked, by {films.version()}. Payload read "
            "exactly, with 95 % Wilson interval; mark present at a false-positive rate of 1e-9; "
            "wrong payloads; median and worst statistic ÷ threshold; what is promised. Nothing is "
            "enlarged.",
            *(f"Not available here: {reason}" for reason in missing),
        ]
    )


_CLIP_NOTE = (
    "Luma PSNR of the mark alone, mean and worst of the frames; SSIM of luma; VMAF (– where this "
    f"ffmpeg has no libvmaf); growth of the file at CRF {_GROWN:g}, %; lost: attacks after which "
    "the payload is not read, of those tried."
)


def _chosen(found: list[Clip], *, full: bool) -> list[Clip]:
    """Return all clips, or the beginnings of some that something is promised of."""
    if full:
        return found
    some = spread([one for one in found if one.kind == PROMISED], _QUICK_CLIPS)
    return [Clip(one.name, one.kind, one.path, one.start, _QUICK_SECONDS) for one in some]


# ---------------------------------------------------------------------- one clip


def trial(clip: Clip, *, attacks: Sequence[str]) -> Trial:
    """Mark one clip with a key and a payload of its own, and read it after every attack."""
    rng = random_for("video", clip.name)
    key, payload = Key(rng.bytes(32)), rng.bytes(8)
    with TemporaryDirectory() as name:
        folder = Path(name)
        cover, marked = clip.cover(folder), folder / "marked.mkv"
        aiglabel.watermark(
            cover, marked, payload=payload, key=key, film=VideoTarget(codec="ffv1")
        )  # fmt: skip
        coding = video.probe(marked)
        change = Change.of(cover, marked, folder)
        delivered = folder / "delivered.mp4"
        program("-i", marked, *coder(_DELIVERED), delivered)
        readings = {
            one: read(ATTACKS[one](delivered, folder), key)
            for one in attacks
            if min(coding.width, coding.height) > ATTACKS[one].lines
        }
    return Trial(payload, readings, clip, f"{coding.width} × {coding.height}", change)


def read(film: Path, key: Key) -> Reading:
    """Look for the mark in an attacked film, or picture."""
    found = aiglabel.detect_watermark(film, keys=key)
    return Reading(found.payload, found.present, found.statistic / found.threshold)


def _growth(cover: Path, marked: Path, preset: str, folder: Path) -> float:
    sizes = []
    for film in (cover, marked):
        program("-i", film, *coder(_GROWN, preset), folder / "grown.mp4")
        sizes.append((folder / "grown.mp4").stat().st_size)
    return 100 * (sizes[1] / sizes[0] - 1)


def vmaf(cover: Path, marked: Path) -> float | None:
    """Netflix's measure with its default model, 0 to 100; None without libvmaf."""
    if not _has_vmaf():
        return None
    said = program(
        "-i", marked, "-i", cover, "-lavfi", "[0:v][1:v]libvmaf=n_threads=2", "-f",
        "null", "-",
    )  # fmt: skip
    found = re.search(r"VMAF score: ([\d.]+)", said)
    return float(found[1]) if found else None


@cache
def _has_vmaf() -> bool:
    listing = subprocess.run(
        [ffmpeg.ffmpeg_exe(), "-hide_banner", "-filters"], capture_output=True, check=False
    )
    return b" libvmaf " in listing.stdout


# ---------------------------------------------------------------------- tables


def _tried(trials: list[Trial], name: str) -> list[Trial]:
    return [one for one in trials if name in one.readings]


def by_attack(trials: list[Trial], names: Iterable[str], promised: bool) -> list[Row]:
    """One row an attack, also of those that cannot be made here."""
    tried = {name: _tried(trials, name) for name in names}
    return [
        _attack_row(ATTACKS[name], some, promised)
        for name, some in tried.items()
        if some or unavailable(name)
    ]


def _attack_row(attack: VideoAttack, trials: list[Trial], promised: bool) -> Row:
    readings = [one.readings[attack.name] for one in trials]
    margins = [reading.margin for reading in readings]
    exact = Rate.of(sum(one.exact(attack.name) for one in trials), len(trials)) if trials else None
    least = attack.exact if promised else None
    kept = None if exact else "not available"
    if exact and least is not None:
        kept = "yes" if 100 * exact.hits >= least * exact.n else "NO"
    return {
        "attack": attack.name,
        "family": attack.family,
        "payload exact": exact,
        "present": sum(reading.present for reading in readings),
        "wrong": sum(one.wrong(attack.name) for one in trials),
        "margin": float(np.median(margins)) if margins else None,
        "worst": min(margins, default=None),
        "promised %": least,
        "kept": kept,
    }


def by_clip(trials: list[Trial]) -> list[Row]:
    """One row a clip, then the mean and the worst."""
    rows = [_clip_row(one) for one in trials]
    return [*rows, *(_folded(rows, name) for name in ("mean", "worst"))]


def _clip_row(one: Trial) -> Row:
    change = one.change
    return {
        "film": one.clip.name,
        "size": one.size,
        "s": one.clip.seconds,
        "PSNR dB": change.psnr if np.isfinite(change.psnr) else None,
        "worst dB": change.worst if np.isfinite(change.worst) else None,
        "SSIM": change.ssim,
        "VMAF": change.vmaf,
        **{f"grown %, {preset}": grown for preset, grown in change.growth.items()},
        "lost": sum(not one.exact(attack) for attack in one.readings),
    }


_WORST: Final[dict[str, Callable[[list[float]], float]]] = {
    "PSNR dB": min, "worst dB": min, "SSIM": min, "VMAF": min,
    **dict.fromkeys((f"grown %, {preset}" for preset in _PRESETS), max), "lost": max,
}  # fmt: skip


def _folded(rows: list[Row], name: str) -> Row:
    folded: Row = dict.fromkeys(rows[0]) | {"film": name, "size": ""}
    for column, worst in _WORST.items():
        cells = [cell for row in rows if isinstance(cell := row[column], int | float)]
        if cells:
            folded[column] = float(np.mean(cells)) if name == "mean" else float(worst(cells))
    return folded


def promises(trials: list[Trial]) -> list[Floor]:
    """Hold large films to what is promised of their looks, their sizes and their payloads."""
    mean, worst = by_clip(trials)[-2:]
    floors = [
        Floor(name, cell, sense, limit)
        for name, cell, sense, limit in (
            ("mean luma PSNR, dB", mean["PSNR dB"], ">=", _PSNR),
            ("worst VMAF", worst["VMAF"], ">=", _VMAF),
            *(
                (f"growth, {preset}, %", mean[f"grown %, {preset}"], "<=", _GROWTH)
                for preset in _PRESETS
            ),
        )
        if isinstance(cell, float)
    ]
    for attack in ATTACKS.values():
        some = _tried(trials, attack.name)
        if some and attack.exact is not None:
            share = 100 * sum(one.exact(attack.name) for one in some) / len(some)
            floors.append(Floor(f"{attack.name}, exact %", share, ">=", attack.exact))
    return floors
