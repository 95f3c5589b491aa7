"""Megapixels a second of the watermark alone, threads, growth with size, and peak memory."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from io import BytesIO
from pathlib import Path

import cv2
import numpy as np
from PIL import Image

from aiglabel.key import Key
from aiglabel.signal import image
from benchmarks import memory, peers, pictures
from benchmarks.estimates import Times, interleaved
from benchmarks.memory import PAYLOAD
from benchmarks.pictures import Rgb
from benchmarks.report import Findings, Floor, Row, Table

SIZES = (0.25, 1, 4, 12, 48)
EMBED, MARKED, UNMARKED, JPEG = "embed", "detect, marked", "detect, unmarked", "Pillow, JPEG 90"
_BASE = "grey + resize"
_PEER_SIZE = 1  # a peer takes seconds a megapixel
_MB = 1e6


def run(*, full: bool, media: Path | None, sizes: tuple[float, ...] = SIZES) -> Findings:
    """Time embedding and detection at each size, on one thread and on two."""
    name, source = pictures.large(media)
    alone, together, peaks = {}, [], []
    for megapixels in sizes:
        cover = pictures.sized(source, megapixels)
        marked = image.embed(cover, PAYLOAD, key=Key.public())
        alone[megapixels] = interleaved(_actions(cover, marked), _rounds(megapixels, full=full))
        together += _threads(megapixels, cover, marked, rounds=_rounds(megapixels, full=full))
        if full or megapixels == max(sizes):
            peaks += _memory(megapixels, cover, marked)
    rows = [row for size, times in alone.items() for row in _rows(size, times, times[_BASE])]
    growth = _growth(alone)
    tables = [
        Table(f"Watermark alone, one core, '{name}'", rows, _NOTE),
        Table("Growth with size", growth, _GROWTH_NOTE),
        Table("Two pictures in two threads at once", together, _THREADS_NOTE),
        Table("Peak memory", peaks, _MEMORY_NOTE),
    ]
    if full:
        tables.append(_against_peers(pictures.sized(source, _PEER_SIZE)))
    return Findings(tables, _floors(alone, growth, peaks))


_NOTE = (
    "CPU time, median ± interquartile range. Ratio to cv2's RGB → grey → 256 × 256 of the same "
    "picture, median of the ratios of each round. Unmarked: every hypothesis has been tried."
)
_GROWTH_NOTE = "CPU time ∝ size to this power, least squares over all sizes; below 1: rising MP/s."
_THREADS_NOTE = "Wall time. speed-up: two pictures one after the other ÷ both at once."
_MEMORY_NOTE = (
    "Growth of the process's peak in a process of its own, the picture included, libraries not."
)


# ---------------------------------------------------------------------- time


def _actions(cover: Rgb, marked: Rgb) -> dict[str, Callable[[], object]]:
    key = Key.public()
    return {
        _BASE: partial(_reduce, cover),
        JPEG: partial(_coded, cover),
        EMBED: partial(image.embed, cover, PAYLOAD, key=key),
        MARKED: partial(image.detect, marked, key=key),
        UNMARKED: partial(image.detect, cover, key=key),
    }


def _rounds(megapixels: float, *, full: bool) -> int:
    quick = 7 if megapixels <= 4 else 3
    return 3 * quick if full else quick


def _reduce(rgb: Rgb) -> object:
    grey = cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY)
    return cv2.resize(grey, (256, 256), interpolation=cv2.INTER_AREA)


def _coded(rgb: Rgb) -> None:
    Image.fromarray(rgb).save(BytesIO(), "JPEG", quality=90)


def _rows(megapixels: float, times: dict[str, Times], base: Times) -> list[Row]:
    return [
        {
            "step": step,
            "MP": megapixels,
            "MP/s": megapixels * 1e3 / taken.milliseconds(cpu=True).median,
            "CPU ms": taken.milliseconds(cpu=True),
            "wall ms": taken.milliseconds(),
            "ratio": taken.ratio(base, cpu=True),
        }
        for step, taken in times.items()
    ]


def _growth(alone: dict[float, dict[str, Times]]) -> list[Row]:
    """Fit one power of the size to each step."""
    if len(alone) < 2:
        return [{"step": EMBED, "exponent": None}]
    logs = np.log(list(alone))
    rows: list[Row] = []
    for step in (EMBED, MARKED, UNMARKED):
        taken = [times[step].milliseconds(cpu=True).median for times in alone.values()]
        rows.append({"step": step, "exponent": float(np.polyfit(logs, np.log(taken), 1)[0])})
    return rows


def _threads(megapixels: float, cover: Rgb, marked: Rgb, *, rounds: int) -> list[Row]:
    rows: list[Row] = []
    steps = {step: _actions(cover, marked)[step] for step in (EMBED, MARKED)}
    with ThreadPoolExecutor(2) as pool:

        def at_once(action: Callable[[], object]) -> None:
            for future in [pool.submit(action) for _ in range(2)]:
                future.result()

        def in_turn(action: Callable[[], object]) -> None:
            action()
            action()

        for step, action in steps.items():
            ways = {"in turn": partial(in_turn, action), "at once": partial(at_once, action)}
            times = interleaved(ways, rounds)
            rate = 2 * megapixels * 1e3 / times["at once"].milliseconds().median
            faster = times["in turn"].ratio(times["at once"])
            rows.append({"step": step, "MP": megapixels, "MP/s": rate, "speed-up": faster})
    return rows


# ---------------------------------------------------------------------- memory and promises


def _memory(megapixels: float, cover: Rgb, marked: Rgb) -> list[Row]:
    steps = {EMBED: ("embed", cover), MARKED: ("detect", marked), UNMARKED: ("detect", cover)}
    rows: list[Row] = []
    for step, (action, rgb) in steps.items():
        peak = memory.peak(rgb, action)
        rows.append(
            {
                "step": step,
                "MP": megapixels,
                "picture MB": rgb.nbytes / _MB,
                "peak MB": peak / _MB,
                "peak ÷ picture": peak / rgb.nbytes,
                "allowed MB": (4 * rgb.nbytes + 64 * 2**20) / _MB,
            }
        )
    return rows


def _floors(
    alone: dict[float, dict[str, Times]], growth: list[Row], peaks: list[Row]
) -> list[Floor]:
    """Hold the figures to what is promised at the sizes that were measured."""
    floors = []
    for size, times in alone.items():
        speed = {step: size / float(np.median(taken.cpu)) for step, taken in times.items()}
        if size == 0.25:
            floors.append(Floor("embedding at 0.25 MP, MP/s", speed[EMBED], ">=", 15))
        if size >= 4:
            floors.append(Floor(f"embedding at {size} MP, MP/s", speed[EMBED], ">=", 50))
            floors.append(Floor(f"detection at {size} MP, marked, MP/s", speed[MARKED], ">=", 50))
        seconds = times[UNMARKED].milliseconds(cpu=True).median / 1e3
        floors.append(Floor(f"detection at {size} MP, unmarked, CPU s", seconds, "<=", 1))
        if size == 12:
            ratio = times[EMBED].ratio(times[JPEG], cpu=True).median
            floors.append(Floor("embedding ÷ JPEG encoding at 12 MP", ratio, "<=", 1))
    if isinstance(exponent := growth[0]["exponent"], float):
        floors.append(Floor("growth of embedding, exponent", exponent, "<=", 1))
    for row in peaks:
        value, limit = row["peak MB"], row["allowed MB"]
        if isinstance(value, float) and isinstance(limit, float) and row["MP"] == max(SIZES):
            floors.append(Floor(f"peak memory at 48 MP, {row['step']}, MB", value, "<=", limit))
    return floors


# ---------------------------------------------------------------------- peers


def _against_peers(cover: Rgb) -> Table:
    title = f"Peers at {_PEER_SIZE} MP, one core"
    tools = peers.available()
    if not tools:
        return Table(title, [{"step": peers.MISSING}])
    key = Key.public()
    marked = image.embed(cover, PAYLOAD, key=key)
    actions: dict[str, Callable[[], object]] = {
        "embed, aiglabel": partial(image.embed, cover, PAYLOAD, key=key),
        "read, aiglabel": partial(image.detect, marked, key=key),
    }
    for tool in tools:
        theirs = tool.embed(cover, PAYLOAD)
        actions[f"embed, {tool.name}"] = partial(tool.embed, cover, PAYLOAD)
        actions[f"read, {tool.name}"] = partial(tool.extract, theirs, len(PAYLOAD))
    times = interleaved(actions, rounds=5)
    return Table(title, _rows(_PEER_SIZE, times, times["embed, aiglabel"]), _PEER_NOTE)


_PEER_NOTE = (
    "64 bits each; ratio to embedding with aiglabel. A peer is told how many bits to read and "
    "cannot tell whether there are any."
)
