"""Megapixels a second of the watermark alone, on one core, next to one reduction to grey."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import cv2

from aiglabel.key import Key
from aiglabel.signal import image
from benchmarks import peers, pictures
from benchmarks.estimates import Times, interleaved
from benchmarks.pictures import Rgb
from benchmarks.report import Findings, Floor, Row, Table

SIZES = (0.25, 1, 4, 12)
PAYLOAD = b"\x01\x23\x45\x67\x89\xab\xcd\xef"
FLOOR_SIZE, FLOOR = 4, 15.0
_PEER_SIZE = 1  # a peer takes seconds a megapixel


def run(*, full: bool, media: Path | None, sizes: tuple[float, ...] = SIZES) -> Findings:
    """Time embedding and detection at each size."""
    name, source = pictures.large(media)
    key = Key.public()
    rows: list[Row] = []
    floors = []
    for megapixels in sizes:
        cover = pictures.sized(source, megapixels)
        marked = image.embed(cover, PAYLOAD, key=key)
        times = interleaved(
            {
                "grey + resize": partial(_reduce, cover),
                "embed": partial(image.embed, cover, PAYLOAD, key=key),
                "detect, marked": partial(image.detect, marked, key=key),
                "detect, unmarked": partial(image.detect, cover, key=key),
            },
            rounds=25 if full else 9,
        )
        rows += _rows(megapixels, times, times["grey + resize"])
        if megapixels == FLOOR_SIZE:
            floors.append(_floor(times["embed"]))
    tables = [Table(f"Watermark alone, one core, '{name}'", rows, _NOTE)]
    if full:
        tables.append(_against_peers(pictures.sized(source, _PEER_SIZE), key))
    return Findings(tables, floors)


_NOTE = (
    "CPU time, median ± interquartile range. Ratio to cv2's RGB → grey → 256 × 256 of the same "
    "picture, median of the ratios of each round."
)


def _reduce(rgb: Rgb) -> object:
    grey = cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY)
    return cv2.resize(grey, (256, 256), interpolation=cv2.INTER_AREA)


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


def _floor(embed: Times) -> Floor:
    rate = FLOOR_SIZE * 1e3 / embed.milliseconds(cpu=True).median
    return Floor(f"watermark embedding at {FLOOR_SIZE} MP, MP/s", rate, ">=", FLOOR)


def _against_peers(cover: Rgb, key: Key) -> Table:
    title = f"Peers at {_PEER_SIZE} MP, one core"
    if not peers.available():
        return Table(title, [{"step": peers.MISSING}])
    marked, theirs = image.embed(cover, PAYLOAD, key=key), peers.embed(cover, PAYLOAD)
    times = interleaved(
        {
            "embed, aiglabel": partial(image.embed, cover, PAYLOAD, key=key),
            "embed, blind-watermark": partial(peers.embed, cover, PAYLOAD),
            "read, aiglabel": partial(image.detect, marked, key=key),
            "read, blind-watermark": partial(peers.extract, theirs, len(PAYLOAD)),
        },
        rounds=5,
    )
    return Table(title, _rows(_PEER_SIZE, times, times["embed, aiglabel"]), _PEER_NOTE)


_PEER_NOTE = (
    "64 bits each; ratio to embedding with aiglabel. The peer is told how many bits to read and "
    "cannot tell whether there are any."
)
