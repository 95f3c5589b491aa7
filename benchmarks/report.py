"""Tables on the screen, and the same tables as JSON with the versions and the machine."""

from __future__ import annotations

import json
import os
import platform
import re
import subprocess
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any, Literal
from unicodedata import combining

from benchmarks.estimates import Rate, Spread
from benchmarks.pictures import SEED
from benchmarks.schema import FORMAT, validate

Cell = str | int | float | None | Spread | Rate
Row = dict[str, Cell]

RESULTS = Path(__file__).parent / "results"
_PACKAGES = (
    "aiglabel", "numpy", "opencv-python-headless", "PyWavelets", "pillow", "c2pa-python",
    "scikit-image", "blind-watermark", "invisible-watermark", "imageio-ffmpeg", "pesq",
)  # fmt: skip


@dataclass(frozen=True)
class Table:
    """Rows with the same columns; `note` tells what the columns cannot."""

    title: str
    rows: list[Row]
    note: str = ""


@dataclass(frozen=True)
class Floor:
    """A figure the project has promised. Missing it is printed, and breaks nothing."""

    name: str
    value: float
    sense: Literal[">=", "<="]
    limit: float

    @property
    def kept(self) -> bool:
        """Whether the promise was kept."""
        return self.value >= self.limit if self.sense == ">=" else self.value <= self.limit


@dataclass(frozen=True)
class Findings:
    """What one suite found."""

    tables: list[Table]
    floors: Sequence[Floor] = ()


@dataclass(frozen=True)
class Run:
    """When a suite ran, for how long, and on how busy a machine (load average of a minute)."""

    suite: str
    full: bool
    seconds: float
    load: tuple[float, float]


# ---------------------------------------------------------------------- on the screen


def show(findings: Findings) -> str:
    """Return the tables and the floors as plain text."""
    parts = [_table(table) for table in findings.tables]
    if findings.floors:
        lines = [
            f"{'PASS' if floor.kept else 'MISS'}  {floor.name}: {_number(floor.value)} "
            f"({floor.sense} {_number(floor.limit)})"
            for floor in findings.floors
        ]
        parts.append("\n".join(["Floors", *lines]))
    return "\n\n".join(parts)


def _table(table: Table) -> str:
    head = list(table.rows[0])
    body = [[as_text(row[name]) for name in head] for row in table.rows]
    widths = [max(map(_width, column)) for column in zip(head, *body, strict=True)]
    numeric = [not isinstance(cell, str) for cell in table.rows[0].values()]
    lines = [table.title, *([table.note] if table.note else []), ""]
    for cells in (head, *body):
        padded = [
            " " * (width - _width(cell)) + cell if right else cell + " " * (width - _width(cell))
            for cell, width, right in zip(cells, widths, numeric, strict=True)
        ]
        lines.append("  ".join(padded).rstrip())
    return "\n".join(lines)


def _width(text: str) -> int:
    return sum(not combining(char) for char in text)


def as_text(cell: Cell) -> str:
    """Return one cell as it is read."""
    match cell:
        case None:
            return "–"
        case Spread():
            return f"{_number(cell.median)} ± {_number(cell.iqr)}"
        case Rate():
            low, high = round(100 * cell.low), round(100 * cell.high)
            return f"{cell.hits}/{cell.n} = {100 * cell.hits / cell.n:.0f} % [{low}, {high}]"
        case str():
            return cell
        case _:
            return _number(cell)


def _number(value: float) -> str:
    if isinstance(value, int):
        return f"{value}"
    if value and (abs(value) < 1e-3 or abs(value) >= 1e6):
        return f"{value:.1e}"
    return f"{value:.0f}" if abs(value) >= 100 else f"{value:.3g}"


# ---------------------------------------------------------------------- in a file


def store(run: Run, findings: Findings, folder: Path = RESULTS) -> Path:
    """Write the findings to ``<folder>/<version>/<suite>--<machine>.json`` and return the path."""
    machine = _machine()
    result = {
        "format": FORMAT,
        "suite": run.suite,
        "full": run.full,
        "version": metadata.version("aiglabel"),
        "commit": _commit(),
        "finished": datetime.now(UTC).isoformat(timespec="seconds"),
        "seconds": round(run.seconds, 1),
        "seed": SEED,
        "machine": machine | {"load_before": run.load[0], "load_after": run.load[1]},
        "packages": _packages(),
        "tables": [
            {"title": t.title, "note": t.note, "rows": [_plain(row) for row in t.rows]}
            for t in findings.tables
        ],
        "floors": [_plain(asdict(f)) | {"kept": f.kept} for f in findings.floors],
    }
    validate(result)
    suite = f"{run.suite}-full" if run.full else run.suite
    slug = re.sub(r"[^a-z0-9]+", "-", f"{machine['cpu']} {machine['cores']} cores".lower())
    path = folder / str(result["version"]) / f"{suite}--{slug.strip('-')}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(result, ensure_ascii=False, indent=1) + "\n", "utf-8")
    return path


def _plain(row: dict[str, Any]) -> dict[str, Any]:
    """Cells as JSON; four digits are more than any of them is good for."""

    def plain(cell: Any) -> Any:
        if isinstance(cell, Spread | Rate):
            return {name: plain(value) for name, value in asdict(cell).items()}
        return float(f"{cell:.4g}") if isinstance(cell, float) else cell

    return {name: plain(cell) for name, cell in row.items()}


def load_average() -> float:
    """Return how many processes wanted the processor in the last minute."""
    return round(os.getloadavg()[0], 2)


def _machine() -> dict[str, Any]:
    return {
        "cpu": _cpu(),
        "cores": os.cpu_count(),
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
    }


def _cpu() -> str:
    try:
        listing = Path("/proc/cpuinfo").read_text()
        found = re.search(r"^model name\s*:\s*(.+)$", listing, re.MULTILINE)
    except OSError:
        found = None
    return found[1] if found else platform.processor() or platform.machine()


def _packages() -> dict[str, str | None]:
    found: dict[str, str | None] = {}
    for name in _PACKAGES:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            found[name] = None
    return found


def _commit() -> str | None:
    """Return the commit that was measured, ``-dirty`` where files were changed since."""
    try:
        done = subprocess.run(
            ["git", "describe", "--always", "--dirty", "--exclude", "*"],
            cwd=Path(__file__).parent, capture_output=True, check=True, text=True,
        )  # fmt: skip
    except (OSError, subprocess.CalledProcessError):
        return None
    return done.stdout.strip()
