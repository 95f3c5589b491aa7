"""``aiglabel label``: write every mark of a policy into files."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from aiglabel.cli.grouping import grouped
from aiglabel.cli.options import (
    ClaimOptions,
    CodingOptions,
    FileOptions,
    FilmOptions,
    Format,
    MarkOptions,
    PolicyOptions,
    ResultOptions,
    SignerOptions,
)
from aiglabel.errors import LabelError, OutputError
from aiglabel.label import Kind, Label

if TYPE_CHECKING:
    from aiglabel.batch import LabelRecord, LabelSettings
    from aiglabel.cli.settings import Settings

_MADE = (Kind.GENERATED, Kind.EDITED)


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(label)


@grouped
def label(
    context: typer.Context,
    sources: Annotated[list[Path], typer.Argument(metavar="SRC", help="Files and folders.")],
    output: Annotated[
        str,
        typer.Option("--output", "-o", metavar="OUT",
                     help="Folder for the labelled copies; for a single source also a file name."),
    ],
    claim: ClaimOptions,
    policies: PolicyOptions,
    marks: MarkOptions,
    films: FilmOptions,
    coding: CodingOptions,
    signing: SignerOptions,
    files: FileOptions,
    results: ResultOptions,
    key: Annotated[
        Path | None,
        typer.Option("--key", envvar="AIGLABEL_KEY", metavar="FILE",
                     help="Watermark key. Default: the open key, whose marks anyone may detect."),
    ] = None,
    force: Annotated[
        bool, typer.Option("--force", help="Replace results that exist; sources never are.")
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what would be done and write nothing.")
    ] = False,
) -> None:  # fmt: skip
    """Label pictures, sounds and films with every mark of a policy.

    Sources are never changed. Folders are mirrored below OUT. A file that fails does not stop
    the others.
    """
    from aiglabel import batch
    from aiglabel.cli import batch as runs
    from aiglabel.cli import settings as layers
    from aiglabel.cli.exits import Exit, of_labelling
    from aiglabel.cli.output import Meter

    settings = layers.load(context, policies, marks, films)
    what = batch.LabelSettings(
        policy=settings.policy,
        key=layers.load_key(key, settings),
        signer=layers.load_signer(signing, settings),
        overwrite=force,
        quality=coding.quality,
        bitrate=None if coding.bitrate is None else 1000 * coding.bitrate,
        film=coding.film(),
    )
    render = runs.report_writer(results, {".jsonl": runs.as_lines, ".json": runs.as_json})
    found = batch.find(
        sources, include=files.include or (), exclude=files.exclude or (), skip=output
    )
    labels = _labels(claim, settings, len(found))
    _check(what, labels[0])
    try:
        goals = batch.destinations(found, output)
    except OutputError as error:  # nothing was begun: the command line is at fault
        raise typer.BadParameter(str(error), param_hint="--output") from error
    jobs = [
        batch.LabelJob(file=str(one.path), destination=str(goal), label=one_label)
        for one, goal, one_label in zip(found, goals, labels, strict=True)
    ]
    workers = 1 if dry_run else runs.workers_for(files, found)
    meter = Meter(len(jobs), shown=results.progress)
    # What other processes are at is not told.
    heard = meter.file if workers == 1 else None
    work = partial(batch.label_one, settings=what, progress=heard)
    records = batch.run(
        partial(batch.preview_one, settings=what) if dry_run else work, jobs,
        failed=batch.label_failed, workers=workers,
    )  # fmt: skip
    names = [job.file for job in jobs]
    done, interrupted = runs.go_through(records, names, results, _tell, render, meter)
    if results.format is Format.TEXT and done:
        _sum_up(done)
    raise typer.Exit(Exit.INTERRUPTED if interrupted else of_labelling(done))


def _check(settings: LabelSettings, label: Label) -> None:
    """Let policy, font and provider codes fail once, before the work, and not with every file."""
    from aiglabel.embedding import Labeler
    from aiglabel.evidence import Evidence, Status
    from aiglabel.marks import aigc

    Labeler(policy=settings.policy, key=settings.key, signer=settings.signer)
    if settings.policy.aigc.enabled:
        aigc.plan(Evidence(mark=aigc.MARK, status=Status.ABSENT), label)


def _labels(claim: ClaimOptions, settings: Settings, count: int) -> list[Label]:
    """Return one label a file; they differ in their content numbers."""
    for option, value in (("content_id", claim.content_id), ("propagate_id", claim.propagate_id)):
        if value is not None and count > 1:
            hint = f"--{option.replace('_', '-')}"
            raise typer.BadParameter(f"it names one content, here are {count}", param_hint=hint)
    values = {
        name: getattr(claim, name) or settings.label.get(name, "")
        for name in ("producer", "propagator", "model", "model_version")
    }
    made = claim.kind in _MADE
    needed = "producer" if made else "propagator"
    if not values[needed]:
        raise LabelError(
            f"a label of kind '{claim.kind}' needs a {needed}",
            remedy=f"Pass --{needed} CODE, set AIGLABEL_{needed.upper()}, "
            f'or write {needed} = "CODE" under [label] in aiglabel.toml',
        )
    prefix = claim.content_id_prefix or settings.label.get("content_id_prefix", "")
    labels = []
    for _ in range(count):
        drawn = f"{prefix}{uuid.uuid4().hex}"
        ids: dict[str, Any] = {
            "content_id": claim.content_id or (drawn if made else ""),
            "propagate_id": claim.propagate_id or (drawn if values["propagator"] else ""),
        }
        make = getattr(Label, claim.kind.value)
        # Of content it merely spreads, a platform names the producer only where it knows both.
        known = values if made or claim.content_id else {**values, "producer": ""}
        labels.append(make(**known, **ids))
    return labels


def _tell(record: LabelRecord) -> None:
    from aiglabel.cli.output import line, say

    goal = "" if record.error else f" -> {record.destination}"
    line([record.status], f"{record.file}{goal}")
    for outcome in record.marks:
        if not outcome.written:
            say(f"    {outcome.mark}: {outcome.detail}")
    for remark in record.notes:
        say(f"    {remark}")


def _sum_up(records: Sequence[LabelRecord]) -> None:
    from aiglabel.cli.output import table

    written: dict[str, list[bool]] = {}
    for record in records:
        for outcome in record.marks:
            written.setdefault(outcome.mark, []).append(outcome.written)
    ratios = [one.quality.psnr_db for one in records if one.quality and one.quality.psnr_db]
    rows = [(state, str(count)) for state, count in _counts(one.status for one in records)]
    rows += [(f"{mark} written", f"{sum(ok)} of {len(ok)}") for mark, ok in written.items()]
    if ratios:
        rows.append(("worst PSNR of the watermark", f"{min(ratios):.1f} dB"))
    noises = [one.quality.snr_db for one in records if one.quality and one.quality.snr_db]
    if noises:
        rows.append(("worst SNR of the watermark", f"{min(noises):.1f} dB"))
    if records and any(record.marks for record in records):
        before = sum(record.sizes.get("source", 0) for record in records)
        after = sum(record.sizes.get("result", 0) for record in records)
        rows.append(("size", f"{before / 1e6:.1f} -> {after / 1e6:.1f} MB"))
    table(f"{len(records)} files", rows)


def _counts(words: Iterable[str]) -> list[tuple[str, int]]:
    counts: dict[str, int] = {}
    for word in words:
        counts[word] = counts.get(word, 0) + 1
    return sorted(counts.items())
