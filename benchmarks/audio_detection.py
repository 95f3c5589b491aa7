"""How often the mark of sound is found where none is: unmarked sounds, and marks of other keys.

The tables and the extrapolation are those of pictures (`detection`).
"""

from __future__ import annotations

import time
from concurrent.futures import Executor
from functools import partial
from pathlib import Path

import numpy as np

from aiglabel.key import Key
from aiglabel.signal import audio
from benchmarks import sounds
from benchmarks.attacks_sound import pitched, sped, stretched
from benchmarks.detection import NOTE, Look, promises, rows_of
from benchmarks.pictures import random_for
from benchmarks.report import Findings, Table
from benchmarks.sounds import PROMISED, Clip, Random, Sounding

# The keys of a job listen to all of its windows. A multiple of four windows: one in four is made.
WINDOWS, KEYS = 4, (10, 40)  # keys in the quick and in the full run
JOBS = 130
_QUICK_SECONDS = 15.0  # and what a window that was begun still takes
_LENGTHS = 3.0, 20.0  # s of a window
_FACTORS, _SEMITONES = (0.88, 1.12), (-2.0, 2.0)


def run(
    *, full: bool, media: Path | None, workers: Executor, seconds: float = _QUICK_SECONDS
) -> Findings:
    """Listen for marks that are not there; the quick run takes what its time allows."""
    clips = [one for one in sounds.clips(media) if one.kind in PROMISED]
    until = np.inf if full else time.time() + seconds
    jobs = workers.map(partial(job, clips, keys=KEYS[full], until=until), range(JOBS))
    rows = rows_of([look for some in jobs for look in some])
    return Findings(
        [Table("False positives: watermark of sound", rows, NOTE)], promises(rows[-1], full=full)
    )


def job(clips: list[Clip], number: int, *, keys: int, until: float = np.inf) -> list[Look]:
    """Listen to some windows of every kind with fresh keys, while there is time."""
    rng = random_for("audio detection", number)
    drawn = [Key(rng.bytes(32)) for _ in range(keys)]
    looks = []
    for index in range(WINDOWS):
        if time.time() > until:
            break
        kind, name, (y, rate) = _window(number + index, clips, rng)
        for found in audio.detect_any(y, rate=rate, keys=drawn):
            margin = found.statistic / found.threshold
            looks.append(Look(kind, name, margin, found.present, found.payload is not None))
    return looks


def _window(index: int, clips: list[Clip], rng: Random) -> tuple[str, str, Sounding]:
    """Cut a window out of a sound, mark it with another key or not, and change it or not."""
    if index % 4 == 0:
        name, (y, rate) = sounds.made(rng)
        return "made by code", name, (sounds.cut(y, rate, _LENGTHS, rng), rate)
    clip = clips[rng.integers(len(clips))]
    y, rate = clip.load()
    y = sounds.cut(y, rate, _LENGTHS, rng)
    kind = "marked, other key" if index % 4 == 1 else "recordings"
    if index % 4 == 1:
        y = audio.embed(y, rng.bytes(8), rate=rate, key=Key(rng.bytes(32)))
    if rng.random() < 0.5:
        return kind, clip.name, (y, rate)
    name, way, amounts = _CHANGES[rng.integers(len(_CHANGES))]
    amount = float(rng.uniform(*amounts))
    return kind, f"{clip.name}, {name} {amount:.3g}", way(y, rate, amount)


_CHANGES = [
    ("tempo", stretched, _FACTORS), ("speed", sped, _FACTORS), ("pitch", pitched, _SEMITONES),
]  # fmt: skip
