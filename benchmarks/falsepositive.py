"""How often something is found where nothing is: unmarked pictures, and marks of other keys."""

from __future__ import annotations

from collections import defaultdict
from concurrent.futures import Executor
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from aiglabel.evidence import Status
from aiglabel.key import Key
from aiglabel.marks.overlay.reader import find
from aiglabel.signal import image
from benchmarks import pictures
from benchmarks.estimates import at_most
from benchmarks.pictures import Rgb
from benchmarks.report import Findings, Row, Table

# A job looks at its windows with one small group of keys after the other: the library then has
# their carriers in its cache. A multiple of four windows: one in four is synthetic.
WINDOWS, GROUPS, KEYS = 12, 4, 5
_QUICK_JOBS, _FULL_JOBS = 21, 210
_SIZE = 1.0  # MP of a picture before a window is cut out of it


@dataclass(frozen=True)
class Look:
    """One key (or the reader of the visible label) looking at one window.

    `margin` is statistic ÷ threshold.
    """

    kind: str
    picture: str
    margin: float
    present: bool
    payload: bool


def run(*, full: bool, media: Path | None, workers: Executor) -> Findings:
    """Look for marks that are not there."""
    paths = pictures.bundled() + pictures.in_folder(media)
    jobs = range(_FULL_JOBS if full else _QUICK_JOBS)
    looks = [look for some in workers.map(partial(job, paths), jobs) for look in some]
    watermark = [look for look in looks if look.kind != LABEL]
    label = [look for look in looks if look.kind == LABEL]
    return Findings(
        [
            Table("False positives: watermark", _rows(watermark, "looks"), _NOTE),
            Table("False positives: visible label", _label_rows(label), _LABEL_NOTE),
        ]
    )


LABEL = "visible label"
_NOTE = (
    "A look is one key on one window, in every frame that fits; statistics ÷ threshold. upper "
    "95 %: rule of three for a payload. The threshold itself is set by a bound, 1e-9 a look, that "
    "no number of trials can show."
)
_LABEL_NOTE = "Windows of unlabelled pictures, every wording and position tried in each."


def job(paths: list[Path], number: int) -> list[Look]:
    """Look at some windows of every kind with a handful of fresh keys."""
    rng = pictures.random_for("false positive", number)
    windows = [_window(index, paths, rng) for index in range(WINDOWS)]
    looks = []
    for _ in range(GROUPS):
        keys = [Key(rng.bytes(32)) for _ in range(KEYS)]
        for kind, name, window in windows:
            for found in image.detect_any(window, keys=keys):
                margin = found.statistic / found.threshold
                looks.append(Look(kind, name, margin, found.present, found.payload is not None))
    for _, name, window in windows:
        seen = find(window)
        assert seen.statistic is not None
        assert seen.threshold is not None
        present = seen.status is not Status.ABSENT
        looks.append(Look(LABEL, name, seen.statistic / seen.threshold, present, False))
    return looks


def _window(index: int, paths: list[Path], rng: np.random.Generator) -> tuple[str, str, Rgb]:
    if index % 4 == 0:
        return "synthetic", "synthetic", pictures.synthetic(rng)
    path = paths[rng.integers(len(paths))]
    window = pictures.crop(pictures.load(path, megapixels=_SIZE), rng)
    if index % 4 == 1:
        other = Key(rng.bytes(32))
        return "marked, other key", path.name, image.embed(window, rng.bytes(8), key=other)
    return "photographs", path.name, window


def _rows(looks: list[Look], unit: str) -> list[Row]:
    kinds: dict[str, list[Look]] = defaultdict(list)
    for look in looks:
        kinds[look.kind].append(look)
    rows = [_row(kind, some, unit) for kind, some in sorted(kinds.items())]
    return [*rows, _row("all", looks, unit)]


def _row(kind: str, looks: list[Look], unit: str) -> Row:
    margins = [look.margin for look in looks]
    payloads = sum(look.payload for look in looks)
    return {
        "kind": kind,
        unit: len(looks),
        "mean": float(np.mean(margins)),
        "99.9 %": float(np.percentile(margins, 99.9)),
        "largest ÷ threshold": max(margins),
        "present": sum(look.present for look in looks),
        "payloads": payloads,
        "upper 95 %": at_most(len(looks)) if payloads == 0 else None,
    }


def _label_rows(looks: list[Look]) -> list[Row]:
    margins = [look.margin for look in looks]
    hits = [look.picture for look in looks if look.present]
    return [
        {
            "kind": "all",
            "windows": len(looks),
            "mean": float(np.mean(margins)),
            "largest ÷ threshold": max(margins),
            "found": len(hits),
            "upper 95 %": at_most(len(looks)) if not hits else None,
            "in": ", ".join(sorted(set(hits))) or None,
        }
    ]
