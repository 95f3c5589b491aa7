"""Where the time of a whole `aiglabel.embed` goes, and what it is next to decoding and encoding."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

import aiglabel as agl
from benchmarks import pictures
from benchmarks.estimates import Spread, Times, interleaved
from benchmarks.memory import PRODUCER
from benchmarks.report import Findings, Floor, Row, Table

SIZES = (0.25, 1, 4, 12)
FLOOR = 4.0
# How a source is written, and how Pillow writes it again with the same settings.
_WRITTEN: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "JPEG": ({"quality": 90}, {"quality": "keep"}),
    "PNG": ({}, {}),
    "WebP": ({"quality": 90}, {"quality": 90}),
}


def run(*, full: bool, media: Path | None, sizes: tuple[float, ...] = SIZES) -> Findings:
    """Label files of three formats from path to path, with every mark of preset ``cn``."""
    name, source = pictures.large(media)
    whole: list[Row] = []
    shares: list[Row] = []
    floors = []
    with tempfile.TemporaryDirectory() as folder:
        signer = agl.Signer.dev(Path(folder) / "signer")
        for fmt, (first, again) in _WRITTEN.items():
            for megapixels in sizes:
                path = Path(folder) / f"source.{fmt.lower()}"
                Image.fromarray(pictures.sized(source, megapixels)).save(path, **first)
                base, ours, steps = _measure(
                    path, again, signer, _rounds(fmt, megapixels, full=full),
                    warm_up=_is_cheap(fmt, megapixels),
                )  # fmt: skip
                what: Row = {"format": fmt, "MP": megapixels}
                whole.append(what | _whole(base, ours))
                shares.append(what | steps)
                label = f"{fmt} {megapixels} MP, embed ÷ (decode + encode)"
                floors.append(Floor(label, ours.ratio(base).median, "<=", FLOOR))
    title = f"Whole call, preset cn, development signer, '{name}'"
    return Findings(
        [Table(title, whole, _WHOLE_NOTE), Table("Share of each step, %", shares, _SHARE_NOTE)],
        floors,
    )


_WHOLE_NOTE = (
    "Wall time, median ± interquartile range, interleaved. Base: Pillow opens the file and saves "
    "it with the same settings, without forcing it to disk as embed does."
)
_SHARE_NOTE = (
    "Medians. rest: reading the source, writing, forcing to disk, renaming. The base is what "
    "Pillow's decoding and encoding takes in % of the whole call."
)


def _rounds(fmt: str, megapixels: float, *, full: bool) -> int:
    """Few of the large ones that take seconds; those need no warm-up either."""
    quick = 9 if _is_cheap(fmt, megapixels) else 3
    return 3 * quick if full else quick


def _is_cheap(fmt: str, megapixels: float) -> bool:
    return fmt == "JPEG" or megapixels <= 1


def _measure(
    source: Path, again: dict[str, Any], signer: agl.Signer, rounds: int, *, warm_up: bool
) -> tuple[Times, Times, Row]:
    label = agl.Label.generated(producer=PRODUCER, content_id="bench-1")
    target = source.with_name(f"labelled{source.suffix}")
    results: list[agl.EmbedResult] = []

    def embed() -> None:
        result = agl.embed(source, target, label=label, signer=signer)
        assert isinstance(result, agl.EmbedResult)
        assert result.complete, result.marks
        results.append(result)

    recode = partial(_recode, source, source.with_name(f"recoded{source.suffix}"), again)
    times = interleaved({"base": recode, "embed": embed}, rounds, warm_up=warm_up)
    base, ours = times["base"], times["embed"]
    timings = [result.timings for result in results[-rounds:]]
    parts: Row = {step: _percent([one[step] for one in timings], ours.wall) for step in timings[0]}
    rest = [total - sum(one.values()) for total, one in zip(ours.wall, timings, strict=True)]
    parts |= {"rest": _percent(rest, ours.wall), "base": _percent(base.wall, ours.wall)}
    return base, ours, parts


def _recode(source: Path, target: Path, options: dict[str, Any]) -> None:
    with Image.open(source) as image:
        image.load()
        image.save(target, **options)


def _percent(parts: Sequence[float], totals: Sequence[float]) -> float:
    return float(np.median(100 * np.asarray(parts) / np.asarray(totals)))


def _whole(base: Times, ours: Times) -> Row:
    return {
        "base ms": base.milliseconds(),
        "embed ms": ours.milliseconds(),
        "CPU ms": ours.milliseconds(cpu=True),
        "ratio": ours.ratio(base),
        "more ms": Spread.of([1e3 * (a - b) for a, b in zip(ours.wall, base.wall, strict=True)]),
    }
