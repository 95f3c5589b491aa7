"""Stored results as a page: ``python -m benchmarks.table [SUITE | RESULT.json] > docs/…md``."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Mapping, Sequence
from importlib import metadata
from pathlib import Path
from typing import Any

from benchmarks import references
from benchmarks.estimates import Rate, Spread
from benchmarks.report import RESULTS, as_text
from benchmarks.subjects import LARGE, PHOTOGRAPHS, SMALL


def main() -> None:
    """Print the page made of a result, by default of this version's longest robustness run."""
    asked = sys.argv[1] if len(sys.argv) > 1 else "robustness"
    path = newest(asked) if asked in _PAGES else Path(asked)
    print(page(json.loads(path.read_text("utf-8"))))


_PAGES = {
    "robustness": "# Robustness",
    "audio": "# Robustness of the watermark of sound",
    "video": "# Robustness of the watermark of films",
}


def newest(suite: str = "robustness") -> Path:
    """Return this version's stored result of a suite, the long run before the quick one."""
    stored = (RESULTS / metadata.version("aiglabel")).glob(f"{suite}*.json")
    found = sorted(path for path in stored if path.name.startswith((f"{suite}--", f"{suite}-full")))
    if not found:
        raise SystemExit(f"no stored result: run python -m benchmarks --suite {suite} --full")
    return next((path for path in found if "-full--" in path.name), found[0])


def page(result: dict[str, Any]) -> str:
    """Return the whole page as Markdown."""
    tables = {re.sub(r" \(.*", "", one["title"]): one for one in result["tables"]}
    parts = [
        _PAGES[result["suite"]],
        f"Made by `python -m benchmarks.table` from the {'long' if result['full'] else 'quick'} "
        f"run of {result['finished'][:10]}, version {result['version']}; "
        "[benchmarks.md](benchmarks.md) tells how it is measured. 64 payload bits, read exactly, "
        "with 95 % Wilson intervals; **bold** is what falls short of its promise.",
        _promises(tables),
        *(
            f"## {title}\n\n{one['note']}\n\n{_markdown(one['rows'])}"
            for title, one in tables.items()
            if title not in _MERGED
        ),
        *(_published() if result["suite"] == "robustness" else ()),
    ]
    return "\n\n".join(part for part in parts if part)


def _published() -> tuple[str, str, str]:
    return (
        "## Neural watermarks, as published",
        "None of these was run here. Their papers count bits; the last column is what follows for "
        "whole payloads if wrong bits are independent. Sets and strengths of attacks differ from "
        f"ours. {references.SYNTHID_O}",
        _markdown(references.rows()),
    )


_MERGED = {f"Attacks: {size.name} {PHOTOGRAPHS}": size.name for size in (SMALL, LARGE)}


def _promises(tables: dict[str, Any]) -> str:
    """Both sizes of photographs side by side, one row an attack."""
    merged: dict[str, dict[str, Any]] = {}
    for title, size in _MERGED.items():
        for row in tables.get(title, {"rows": []})["rows"]:
            cells = merged.setdefault(row["attack"], {"attack": row["attack"]})
            exact = _cell(row["payload exact"])
            cells[f"{size}: exact"] = f"**{exact}**" if row["kept"] == "NO" else exact
            cells[f"{size}: promised %"] = row["promised %"]
            cells[f"{size}: present"] = row["present"]
            cells[f"{size}: wrong"] = row["wrong"]
    columns = list(dict.fromkeys(name for row in merged.values() for name in row))
    rows = [{name: row.get(name) for name in columns} for row in merged.values()]
    return f"## {PHOTOGRAPHS[0].upper()}{PHOTOGRAPHS[1:]}\n\n{_markdown(rows)}" if rows else ""


def _markdown(rows: Sequence[Mapping[str, Any]]) -> str:
    head = [name for name in rows[0] if any(row[name] is not None for row in rows)]
    lines = [head, ["---" if isinstance(rows[0][name], str) else "--:" for name in head]]
    lines += [[_cell(row[name]) for name in head] for row in rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _cell(cell: Any) -> str:
    """As on the screen; spreads and rates were stored as their fields."""
    if isinstance(cell, dict):
        cell = Rate(**cell) if "hits" in cell else Spread(**cell)
    return as_text(cell).replace("|", "\\|")


if __name__ == "__main__":
    main()
