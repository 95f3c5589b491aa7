"""Audible labels: found over real speech and music, not found where there are none, and how fast.

The level of a tone is given over what the programme has within a third of an octave around it, on
average over the pattern and its silence. Spoken clips are put in by `place`, at the programme's own
loudness. False alarms are counted in stretches of ten seconds.
"""

from __future__ import annotations

import time
from concurrent.futures import Executor
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from aiglabel.marks import audible
from aiglabel.marks.audible import Placement, Rhythm, clips, reader
from benchmarks import audible_sounds as sounds
from benchmarks import pictures
from benchmarks.audible_sounds import RATE, Random, Sound
from benchmarks.estimates import Rate
from benchmarks.report import Findings, Floor, Row, Table

HOURS = 0.2, 6.0  # of sound without labels, in the quick and in the full run
LABELS = 3, 100  # of each row
_PIECE = 300.0  # s, about
_STRETCH = 10.0  # s
_REAL_SHARE = 0.6
_LEVELS = (10.0, 15.0, 20.0)  # dB
_DUCKS = (6.0, 12.0)  # dB
_CODERS = ("none", "libmp3lame", "aac", "libopus")
_BITRATE = "32k"


@dataclass(frozen=True)
class Alarms:
    """What one kind of sound without labels held."""

    kind: str
    seconds: float
    rhythms: int
    spoken: int
    highest: float
    highest_spoken: float


def run(*, full: bool, media: Path | None, workers: Executor) -> Findings:
    """Measure what was promised."""
    alarms = list(workers.map(partial(_alarms, hours=HOURS[full], media=media), _kinds(media)))
    tables = [_alarm_table(alarms)]
    floors = _alarm_floors(alarms, full=full)
    if media is not None:
        jobs = [(level, coder) for level in _LEVELS for coder in _CODERS]
        found = list(workers.map(partial(_rhythms, count=LABELS[full], media=media), jobs))
        tables.append(Table("Rhythm labels found", found, _RHYTHM_NOTE))
        at_ten = [row["found"] for row in found if row["dB"] == _LEVELS[0]]
        floors.append(Floor("rhythm labels found at 10 dB", _share(at_ten), ">=", 0.99))
        spoken = [(duck, coder) for duck in _DUCKS for coder in _CODERS]
        found = list(workers.map(partial(_clips, count=LABELS[full], media=media), spoken))
        tables.append(Table("Spoken labels found", found, _CLIP_NOTE))
        floors.append(Floor("spoken labels found", _share([r["found"] for r in found]), ">=", 0.99))
    speed = _speeds()
    tables.append(Table("Speed", speed, "48 kHz, two channels, one core."))
    slowest = min(float(row["times real time"]) for row in speed)  # type: ignore[arg-type]
    floors.append(Floor("times real time", slowest, ">=", 200))
    return Findings(tables, floors)


_RHYTHM_NOTE = (
    "Tones of 300 to 3000 Hz and units of 60 to 400 ms, both drawn evenly on a log scale, sped up "
    f"or slowed down by up to 6 %, and coded at {_BITRATE}bit/s. 95 % Wilson intervals."
)
_CLIP_NOTE = "Clips put in at the programme's loudness, which is lowered; the rest as above."


# ---------------------------------------------------------------------- false alarms


def _kinds(media: Path | None) -> list[str]:
    return [*(sounds.REAL if media is not None else ()), *sounds.MADE]


def _alarms(kind: str, *, hours: float, media: Path | None) -> Alarms:
    """Look for labels where none are."""
    rng = pictures.random_for("audible", kind)
    group = sounds.REAL if kind in sounds.REAL else sounds.MADE
    share = (_REAL_SHARE if kind in sounds.REAL else 1 - _REAL_SHARE) / len(group)
    seconds = hours * 3600 * share
    pieces = max(1, round(seconds / _PIECE))
    piece = seconds / pieces
    scores, spoken = [0.0], [0.0]
    for _ in range(pieces):
        if kind in sounds.REAL:
            assert media is not None
            sound = sounds.REAL[kind](media, piece, rng)
        else:
            sound = sounds.MADE[kind](piece, rng)
        scores += [one.score for one in audible.find_rhythm(sound[None], RATE, threshold=0.5)]
        spoken += [one.score for one in audible.find_clips(sound[None], RATE, threshold=0.3)]
    return Alarms(
        kind, seconds, sum(one >= reader.THRESHOLD for one in scores),
        sum(one >= clips.THRESHOLD for one in spoken), max(scores), max(spoken),
    )  # fmt: skip


def _alarm_table(alarms: list[Alarms]) -> Table:
    rows: list[Row] = [
        {
            "sound": one.kind,
            "hours": one.seconds / 3600,
            "rhythm alarms": Rate.of(one.rhythms, round(one.seconds / _STRETCH)),
            "highest rhythm": one.highest,
            "clip alarms": Rate.of(one.spoken, round(one.seconds / _STRETCH)),
            "highest clip": one.highest_spoken,
        }
        for one in alarms
    ]
    note = (
        f"A rhythm counts from {reader.THRESHOLD} on, a clip from {clips.THRESHOLD} on. 95 % "
        "Wilson intervals, of stretches of 10 s."
    )
    return Table("False alarms", rows, note)


def _alarm_floors(alarms: list[Alarms], *, full: bool) -> list[Floor]:
    floors = [
        Floor("rhythms found there", sum(one.rhythms for one in alarms), "<=", 0),
        Floor("clips found there", sum(one.spoken for one in alarms), "<=", 0),
    ]
    if full:
        hours = sum(one.seconds for one in alarms) / 3600
        floors.append(Floor("hours without labels", hours, ">=", 5))
    return floors


# ---------------------------------------------------------------------- labels


def _rhythms(job: tuple[float, str], *, count: int, media: Path) -> Row:
    """Put rhythms of every kind into speech and music, and look for them."""
    level, coder = job
    rng = pictures.random_for("audible rhythm", f"{level} {coder}")
    hits = 0
    for _ in range(count):
        unit, frequency = np.exp(rng.uniform(np.log([0.06, 300]), np.log([0.4, 3000])))
        y, start = _toned(media, float(unit), float(frequency), level, rng)
        y, speed = _sent(y, coder, rng)
        hits += any(
            abs(one.start - start / speed) < 0.3 + unit and abs(one.unit * speed / unit - 1) < 0.05
            for one in audible.find_rhythm(y[None], RATE)
        )
    return {"dB": level, "coder": coder, "found": Rate.of(hits, count)}


def _toned(
    media: Path, unit: float, frequency: float, level: float, rng: Random
) -> tuple[Sound, float]:
    """Lay a rhythm over a programme, `level` dB above what that has around the tone."""
    start = 5 + 5 * unit
    _, y = sounds.programme(media, start + 16 * unit + 5, rng)
    around = y[round(5 * RATE) : round((start + 16 * unit) * RATE)]
    power = np.abs(np.fft.rfft(around)) ** 2 * 2 / len(around) ** 2
    bins = np.fft.rfftfreq(len(around), 1 / RATE) / frequency
    there = power[(bins > 2 ** (-1 / 6)) & (bins < 2 ** (1 / 6))].sum()
    # Where the programme is silent, a tone of -40 dBFS.
    amplitude = max(np.sqrt(2 * there) * 10 ** (level / 20), 0.01)
    tone = audible.make(RATE, Rhythm(unit=unit, frequency=frequency))[0]
    first = round(start * RATE)
    y[first : first + len(tone)] += tone * np.float32(amplitude / 0.5)
    return y / max(1.0, float(np.abs(y).max())), start


def _clips(job: tuple[float, str], *, count: int, media: Path) -> Row:
    """Put spoken labels into speech and music, and look for them."""
    duck, coder = job
    rng = pictures.random_for("audible clip", f"{duck} {coder}")
    hits = 0
    for index in range(count):
        voice = audible.shipped()[index % len(audible.TEXTS)]
        _, y = sounds.programme(media, 14, rng)
        placement = Placement(start=False, every=7.0, duck=duck)
        placed = audible.place(y[None], RATE, voice.clip, voice.rate, placement)
        y, speed = _sent(placed.y[0], coder, rng)
        hits += any(
            one.text == voice.text and abs(one.start - 7 / speed) < 0.3
            for one in audible.find_clips(y[None], RATE)
        )
    return {"lowered dB": duck, "coder": coder, "found": Rate.of(hits, count)}


def _sent(y: Sound, coder: str, rng: Random) -> tuple[Sound, float]:
    speed = float(rng.uniform(0.94, 1.06))
    y = sounds.sped(np.asarray(y, np.float32), speed)
    return (y if coder == "none" else sounds.coded(y, RATE, coder, "-b:a", _BITRATE)), speed


def _share(rates: list[object]) -> float:
    kept = [one for one in rates if isinstance(one, Rate)]
    return sum(one.hits for one in kept) / sum(one.n for one in kept)


# ---------------------------------------------------------------------- speed


def _speeds() -> list[Row]:
    """Seconds of sound read in a second of one core's time."""
    rng = pictures.random_for("audible", "speed")
    sound = sounds.MADE["melodies"](200.0, rng) + sounds.MADE["noise"](200.0, rng)
    y = np.repeat(np.repeat(sound, 3)[None], 2, axis=0)
    rows: list[Row] = []
    for name, find in (("rhythm", audible.find_rhythm), ("clips", audible.find_clips)):
        find(y[:, :480000], 48000)
        begin = time.process_time()
        find(y, 48000)
        rows.append({"reader": name, "times real time": 200 / (time.process_time() - begin)})
    return rows
