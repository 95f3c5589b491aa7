"""``aiglabel verify``: look for every mark and judge."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from aiglabel.cli.grouping import grouped
from aiglabel.cli.options import (
    FileOptions,
    Format,
    KeyFiles,
    PolicyOptions,
    ResultOptions,
    SearchOptions,
    TrustOptions,
)

if TYPE_CHECKING:
    from aiglabel.batch import VerifyRecord


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(verify)


@grouped
def verify(
    context: typer.Context,
    sources: Annotated[list[Path], typer.Argument(metavar="SRC", help="Files and folders.")],
    policies: PolicyOptions,
    trusting: TrustOptions,
    searching: SearchOptions,
    files: FileOptions,
    results: ResultOptions,
    key: KeyFiles = None,
    declared: Annotated[
        bool,
        typer.Option("--declared",
                     help="The sender declared the content AI-generated (Measures Art. 6)."),
    ] = False,
) -> None:  # fmt: skip
    """Look for every mark and judge by a policy.

    Nothing is fetched from the network.

    Exit codes: 0 meets the policy, 1 a file could not be read, 3 does not meet it, 4 nothing
    found, 5 cannot be told.
    """
    from aiglabel import batch
    from aiglabel.cli import batch as runs
    from aiglabel.cli import settings as layers
    from aiglabel.cli.exits import Exit, of_verifying
    from aiglabel.cli.output import Meter
    from aiglabel.cli.page import as_page

    settings = layers.load(context, policies, trusting, searching)
    what = batch.VerifySettings(
        policy=settings.policy,
        keys=layers.load_keys(key, settings),
        trust=layers.load_trust(trusting, settings),
        declared=declared,
    )
    renderers: dict[str, runs.Render[VerifyRecord]] = {
        ".html": as_page, ".json": runs.as_json, ".jsonl": runs.as_lines,
    }  # fmt: skip
    render = runs.report_writer(results, renderers)
    found = batch.find(sources, include=files.include or (), exclude=files.exclude or ())
    names = [str(one.path) for one in found]
    records = batch.run(
        partial(batch.verify_one, settings=what), names,
        failed=batch.verify_failed, workers=runs.workers_for(files, found),
    )  # fmt: skip
    alone = len(found) == 1 and found[0].path in sources
    tell = _tell_all if alone else _tell
    meter = Meter(len(names), shown=results.progress)
    done, interrupted = runs.go_through(records, names, results, tell, render, meter)
    if results.format is Format.TEXT and done and not alone:
        _sum_up(done)
    raise typer.Exit(Exit.INTERRUPTED if interrupted else of_verifying(done))


def _tell(record: VerifyRecord) -> None:
    from aiglabel.cli.output import line

    report = record.report
    words = [report.verdict, report.compliance] if report else [record.status, ""]
    line(words, record.file)


def _tell_all(record: VerifyRecord) -> None:
    from aiglabel.cli.output import say

    if record.report is not None:
        say(str(record.report))


def _sum_up(records: Sequence[VerifyRecord]) -> None:
    from aiglabel.cli.output import table

    reports = [one.report for one in records if one.report is not None]
    rows = [
        *sorted(Counter(one.verdict.value for one in reports).items()),
        *sorted(Counter(one.compliance.value for one in reports).items()),
        *Counter(f"{mark} found" for one in reports for mark in one.found).items(),
    ]
    if len(reports) < len(records):
        rows.append(("failed", len(records) - len(reports)))
    policy = f", policy '{reports[0].policy}'" if reports else ""
    table(f"{len(records)} files{policy}", [(name, str(n)) for name, n in rows])
