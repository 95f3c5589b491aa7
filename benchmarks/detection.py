"""How often something is found where nothing is: unmarked pictures, and marks of other keys."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Iterable
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
from benchmarks.attacks import ATTACKS
from benchmarks.estimates import at_most, beyond
from benchmarks.pictures import Rgb
from benchmarks.report import Findings, Floor, Row, Table

# The keys of a job look at all of its windows: transforms of a picture are shared by the keys, and
# carriers of a key by the pictures. A multiple of four windows: one in four is synthetic.
WINDOWS, KEYS = 4, 40
_JOBS = 130
_QUICK_SECONDS = 35.0
_SIZE = 1.0  # MP of a picture before a window is cut out of it
_DESIGN = 1e-9
LABEL = "visible label"
_ATTACKS = [name for name, attack in ATTACKS.items() if name != "none" and np.isinf(attack.most)]


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


def run(
    *, full: bool, media: Path | None, workers: Executor, seconds: float = _QUICK_SECONDS
) -> Findings:
    """Look for marks that are not there; the quick run takes what its time allows."""
    paths = pictures.bundled() + pictures.in_folder(media)
    until = np.inf if full else time.time() + seconds
    jobs = workers.map(partial(job, paths, until=until), range(_JOBS))
    looks = [look for some in jobs for look in some]
    watermark = [look for look in looks if look.kind != LABEL]
    label = [look for look in looks if look.kind == LABEL]
    rows = rows_of(watermark)
    return Findings(
        [
            Table("False positives: watermark", rows, NOTE),
            Table("False positives: visible label", _label_rows(label), _LABEL_NOTE),
        ],
        promises(rows[-1], full=full),
    )


NOTE = (
    "A detection is one key on one window, with every hypothesis on. Quantiles and the largest of "
    "statistic ÷ threshold. rule of three: upper 95 % bound of the rate of payloads. Gumbel: rate "
    "of passing the threshold, extrapolated from a fit to the squares' maxima in a hundred blocks, "
    "and its upper 95 % bound by bootstrap. The threshold itself is set by a bound: 1e-9."
)
_LABEL_NOTE = "Windows of unlabelled pictures, every wording and position tried in each."


# ---------------------------------------------------------------------- looking


def job(paths: list[Path], number: int, *, until: float = np.inf) -> list[Look]:
    """Look at some windows of every kind with a handful of fresh keys, while there is time."""
    rng = pictures.random_for("detection", number)
    keys = [Key(rng.bytes(32)) for _ in range(KEYS)]
    looks = []
    for index in range(WINDOWS):
        if time.time() > until:
            break
        kind, name, window = _window(index, paths, rng)
        for found in image.detect_any(window, keys=keys):
            margin = found.statistic / found.threshold
            looks.append(Look(kind, name, margin, found.present, found.payload is not None))
        looks.append(_label_look(name, window))
    return looks


def _window(index: int, paths: list[Path], rng: np.random.Generator) -> tuple[str, str, Rgb]:
    """Cut a window out of a picture, mark it with another key or not, and attack it or not."""
    if index % 4 == 0:
        return "synthetic", "synthetic", pictures.synthetic(rng)
    path = paths[rng.integers(len(paths))]
    window = pictures.crop(pictures.load(path, megapixels=_SIZE), rng)
    kind = "marked, other key" if index % 4 == 1 else "photographs"
    if index % 4 == 1:
        window = image.embed(window, rng.bytes(8), key=Key(rng.bytes(32)))
    if rng.random() < 0.5:
        return kind, path.name, window
    attack = _ATTACKS[rng.integers(len(_ATTACKS))]
    return kind, f"{path.name}, {attack}", ATTACKS[attack](window, path.name)


def _label_look(name: str, window: Rgb) -> Look:
    seen = find(window)
    assert seen.statistic is not None
    assert seen.threshold is not None
    present = seen.status is not Status.ABSENT
    return Look(LABEL, name, seen.statistic / seen.threshold, present, False)


# ---------------------------------------------------------------------- tables


def rows_of(looks: list[Look]) -> list[Row]:
    """One row a kind of window, then all of them together."""
    kinds: dict[str, list[Look]] = defaultdict(list)
    for look in looks:
        kinds[look.kind].append(look)
    return [*(_row(kind, some) for kind, some in sorted(kinds.items())), _row("all", looks)]


def _row(kind: str, looks: list[Look]) -> Row:
    margins = [look.margin for look in looks]
    payloads = sum(look.payload for look in looks)
    rate, upper = _extrapolated(kind, margins)
    return {
        "kind": kind,
        "detections": len(looks),
        **{f"{share:g} %": float(np.percentile(margins, share)) for share in (50, 99, 99.9)},
        "largest": max(margins),
        "present": sum(look.present for look in looks),
        "payloads": payloads,
        "rule of three": at_most(len(looks)) if payloads == 0 else None,
        "Gumbel": rate,
        "Gumbel, 95 %": upper,
        "largest in": max(looks, key=lambda look: look.margin).picture,
    }


def _extrapolated(kind: str, margins: Iterable[float]) -> tuple[float | None, float | None]:
    """Fit the squares: the tail of a normalised correlation falls with the square's exponential.

    Flat windows, where there is nothing to look at, are left out.
    """
    squares = [margin**2 for margin in margins if margin > 0]
    if len(set(squares)) < 10:
        return None, None
    return beyond(squares, 1, pictures.random_for("bootstrap", kind))


def promises(row: Row, *, full: bool) -> list[Floor]:
    """Hold the figures of all windows together to what is promised."""

    def figure(column: str) -> float:
        cell = row[column]
        return float(cell) if isinstance(cell, int | float) else float("nan")

    floors = [Floor("false positives", figure("present"), "<=", 0)]
    if full:
        floors += [
            Floor("detections", figure("detections"), ">=", 20_000),
            Floor("false-positive rate, extrapolated", figure("Gumbel"), "<=", _DESIGN),
        ]
    return floors


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
            "rule of three": at_most(len(looks)) if not hits else None,
            "in": ", ".join(sorted(set(hits))) or None,
        }
    ]
