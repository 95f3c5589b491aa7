"""Seconds of sound a second of one core marks and listens to, growth with length, and memory."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from aiglabel.containers import SoundFormat
from aiglabel.key import Key
from aiglabel.media.sound import encode, write
from aiglabel.media.sound_coding import Coding, Sound
from aiglabel.signal import audio
from benchmarks import memory, sounds
from benchmarks.estimates import Times, interleaved, with_children
from benchmarks.memory import PAYLOAD, PRODUCER
from benchmarks.pictures import random_for
from benchmarks.report import Findings, Floor, Row, Table
from benchmarks.sounds import Samples

FORMATS = {"16 kHz mono": (16_000, 1), "44.1 kHz stereo": (44_100, 2), "48 kHz 5.1": (48_000, 6)}
LENGTHS = (10.0, 60.0, 600.0)  # s
MEMORY_LENGTHS = (120.0, 600.0)  # s
FILE_LENGTHS = (600.0, 10_800.0)  # s
EMBED, MARKED, UNMARKED = "embed", "detect, marked", "detect, unmarked"
_ENCODE = "plain encoding,"
_MOST_MP3 = 2  # channels
_USUAL, _USUAL_LENGTH = "44.1 kHz stereo", 60.0
_ROUNDS = 3
_FLOORS = {EMBED: 400.0, MARKED: 400.0, UNMARKED: 40.0}  # times real time
_MOST_GROWTH = 1.25  # of the memory besides the samples, from two minutes to ten
_MB = 1e6


def run(*, full: bool, media: Path | None, lengths: tuple[float, ...] = LENGTHS) -> Findings:  # noqa: ARG001
    """Time embedding and detection in every format, and at every length of one."""
    if not full:
        lengths = lengths[:2]
    by_format = {name: _timed(name, _USUAL_LENGTH, codec=True) for name in FORMATS}
    by_length = {
        seconds: by_format[_USUAL] if seconds == _USUAL_LENGTH else _timed(_USUAL, seconds)
        for seconds in lengths
    }
    formats = [
        row for name, times in by_format.items() for row in _rows({"format": name}, times)
    ]  # fmt: skip
    growing = [
        row
        for seconds, times in by_length.items()
        for row in _rows({"s": seconds}, times, seconds)
        if row["step"] in _FLOORS
    ]
    peaks = [row for seconds in MEMORY_LENGTHS for row in _memory(seconds)]
    tables = [
        Table(f"Watermark of sound alone, one core, {_USUAL_LENGTH:g} s", formats, _NOTE),
        Table(f"By length, {_USUAL}", growing, _NOTE),
        Table("Growth with length", _growth(by_length), _GROWTH_NOTE),
        Table(f"Peak memory, {_USUAL}", peaks, _MEMORY_NOTE),
    ]
    floors = _speed_floors(by_format)
    floors += _growth_floors(peaks, "besides MB", "memory besides samples, {}", MEMORY_LENGTHS)
    if full:
        whole = [row for seconds in FILE_LENGTHS for row in _whole_file(seconds)]
        tables.append(Table(f"WAV files on the command line, {_USUAL}", whole, _FILES_NOTE))
        floors += _growth_floors(whole, "MB", "memory, {} of WAV", FILE_LENGTHS)
    return Findings(tables, floors)


_NOTE = (
    f"CPU time of {_ROUNDS} rounds: length of the sound ÷ the shortest; and the median ± "
    "interquartile range. Unmarked: every tempo and pitch has been searched. "
    "Plain encoding, by ffmpeg, is what the machine of this run makes of something well known."
)
_GROWTH_NOTE = (
    "CPU time ∝ length to this power, least squares over all lengths. Of an unmarked sound at most "
    "three minutes are searched."
)
_MEMORY_NOTE = (
    "Growth of the process's peak in a process of its own, libraries not counted. samples: what "
    "goes in, and for embedding what comes out; besides: the rest, which should not grow."
)
_FILES_NOTE = (
    "All marks of the policy cn, written and read back; then verified. MB: peak of the process and "
    "all it starts, libraries included."
)


def sound(rate: int, channels: int, seconds: float) -> Samples:
    """Music made by code, float32 (channels, n), repeated and each pair of channels later."""
    pair, _ = sounds.music_like(random_for("speed"), rate, sounds.MADE_SECONDS)
    count = round(seconds * rate)
    rows = [np.roll(pair[at % 2], at // 2 * rate) for at in range(channels)]
    return np.tile(np.stack(rows), -(-count // pair.shape[1]))[:, :count].copy()


# ---------------------------------------------------------------------- time


def _timed(name: str, seconds: float, *, codec: bool = False) -> dict[str, Times]:
    rate, channels = FORMATS[name]
    cover, key = sound(rate, channels, seconds), Key.public()
    marked = audio.embed(cover, PAYLOAD, rate=rate, key=key)
    actions: dict[str, Callable[[], object]] = {
        EMBED: partial(audio.embed, cover, PAYLOAD, rate=rate, key=key),
        MARKED: partial(audio.detect, marked, rate=rate, key=key),
        UNMARKED: partial(audio.detect, cover, rate=rate, key=key),
    }
    if codec:
        held = Sound(cover, Coding(SoundFormat.WAV, "pcm", rate, channels, bits=16))
        for fmt in (SoundFormat.FLAC, SoundFormat.MP3):
            if fmt is SoundFormat.FLAC or channels <= _MOST_MP3:
                target = held.coding.into(fmt)
                actions[f"{_ENCODE} {fmt.value.upper()}"] = partial(encode, held, target=target)
    return interleaved(actions, _ROUNDS, warm_up=False, clock=with_children)


def _rows(head: Row, times: dict[str, Times], seconds: float = _USUAL_LENGTH) -> list[Row]:
    return [
        {
            **head,
            "step": step,
            "× real time": seconds / min(taken.cpu),
            "CPU ms": taken.milliseconds(cpu=True),
            "wall ms": taken.milliseconds(),
        }
        for step, taken in times.items()
    ]


def _growth(by_length: dict[float, dict[str, Times]]) -> list[Row]:
    logs = np.log(list(by_length))
    rows: list[Row] = []
    for step in (EMBED, MARKED, UNMARKED):
        taken = np.log([min(times[step].cpu) for times in by_length.values()])
        exponent = float(np.polyfit(logs, taken, 1)[0]) if len(logs) > 1 else None
        rows.append({"step": step, "exponent": exponent})
    return rows


def _speed_floors(by_format: dict[str, dict[str, Times]]) -> list[Floor]:
    return [
        Floor(f"{step}, {name}, × real time", _USUAL_LENGTH / min(times[step].cpu), ">=", least)
        for name, times in by_format.items()
        for step, least in _FLOORS.items()
    ]


# ---------------------------------------------------------------------- memory


def _memory(seconds: float) -> list[Row]:
    rate, channels = FORMATS[_USUAL]
    cover = sound(rate, channels, seconds)
    rows: list[Row] = []
    for action, copies in (("embed", 2), ("detect", 1)):
        peak, samples = memory.peak(cover, action, rate) / _MB, copies * cover.nbytes / _MB
        rows.append(
            {"step": action, "s": seconds, "samples MB": samples, "besides MB": peak - samples}
        )
    return rows


def _growth_floors(
    rows: list[Row], column: str, name: str, lengths: tuple[float, ...]
) -> list[Floor]:
    """Promise of every step that a column hardly grows from the shortest length to the longest."""
    floors = []
    for step in dict.fromkeys(str(row["step"]) for row in rows):
        cells = [row[column] for row in rows if row["step"] == step]
        short, *_, long = (cell for cell in cells if isinstance(cell, float))
        if short:  # else the system does not tell
            label = f"{step}, {name.format(f'{lengths[-1]:g} s ÷ {lengths[0]:g} s')}"
            floors.append(Floor(label, long / short, "<=", _MOST_GROWTH))
    return floors


# ---------------------------------------------------------------------- whole files


def _whole_file(seconds: float) -> list[Row]:
    """Label a file on disk and verify what was made."""
    rate, channels = FORMATS[_USUAL]
    piece = sound(rate, channels, _USUAL_LENGTH)
    rows: list[Row] = []
    with TemporaryDirectory() as folder:
        source, made = Path(folder) / "long.wav", Path(folder) / "made.wav"
        coding = Coding(SoundFormat.WAV, "pcm", rate, channels, bits=16)
        write(source, (piece for _ in range(round(seconds / _USUAL_LENGTH))), coding)
        label = ["label", str(source), "-o", str(made), "--producer", PRODUCER, "--no-progress"]
        for step, rest in (("label", label), ("verify", ["verify", str(made)])):
            begin = time.perf_counter()
            _, held = memory.of_command([sys.executable, "-m", "aiglabel", *rest])
            wall = time.perf_counter() - begin
            row: Row = {"s": seconds, "step": step, "file MB": source.stat().st_size / _MB}
            rows.append({**row, "wall s": wall, "× real time": seconds / wall, "MB": held / _MB})
    return rows
