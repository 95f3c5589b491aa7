"""What ``label`` and ``verify`` share: going through files, telling results, the report file."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from typing import Protocol, TypeVar

from aiglabel.batch import SCHEMA, Failure, Found, State, default_workers
from aiglabel.cli.options import FileOptions, Format, ResultOptions
from aiglabel.cli.output import Meter, say_json, tell, tell_error
from aiglabel.errors import OutputError, PolicyError
from aiglabel.media import atomic_write


class Record(Protocol):
    """What the records of both commands have in common."""

    @property
    def file(self) -> str: ...  # noqa: D102
    @property
    def status(self) -> State: ...  # noqa: D102
    @property
    def error(self) -> Failure | None: ...  # noqa: D102
    def to_dict(self) -> dict[str, object]: ...  # noqa: D102


R = TypeVar("R", bound=Record)
Render = Callable[[Sequence[R]], str]


def workers_for(files: FileOptions, found: Sequence[Found]) -> int:
    """Return the number of processes asked for, or one that suits the files."""
    sizes = [one.path.stat().st_size for one in found if one.path.is_file()]
    return files.workers or default_workers(sizes)


def report_writer(results: ResultOptions, renderers: dict[str, Render[R]]) -> Render[R] | None:
    """Return what makes the report file, before any work is done for a name that will not do.

    Raises
    ------
    PolicyError
        When no report has that suffix.
    OutputError
        When its folder cannot be made.
    """
    if results.report is None:
        return None
    renderer = renderers.get(results.report.suffix.lower())
    if renderer is None:
        raise PolicyError(
            "no report has this suffix", path=results.report,
            remedy=f"Use {', '.join(renderers)}",
        )  # fmt: skip
    folder = results.report.parent
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"the folder cannot be made ({error.strerror})", path=folder) from error
    return renderer


def go_through(
    records: Iterator[R],
    files: Sequence[str],
    results: ResultOptions,
    tell_one: Callable[[R], None],
    render: Render[R] | None,
    meter: Meter,
) -> tuple[list[R], bool]:
    """Take the records as they come, tell each, and write the report file.

    Parameters
    ----------
    records : iterator
    files : sequence of str
        Whom the records are about, in the order that the report and the JSON object keep.
    results : ResultOptions
    tell_one : callable
        Prints a record as text.
    render : callable or None
        Makes the text of the report file.
    meter : Meter
        Shows how far the run is.

    Returns
    -------
    records : list
    interrupted : bool
        Whether Ctrl-C came before the end; what was finished is in the list and in the report.
    """
    taken: list[R] = []
    interrupted = False
    try:
        for record in meter.through(records):
            taken.append(record)
            if record.error is not None:
                tell_error(str(record.error))
            if results.format is Format.JSONL:
                say_json(record.to_dict(), indent=None)
            elif results.format is Format.TEXT:
                tell_one(record)
    except KeyboardInterrupt:
        interrupted = True
        tell(f"interrupted: {len(taken)} of {len(files)} files are done, no file is half written")
    finally:
        order = {file: place for place, file in enumerate(files)}
        taken.sort(key=lambda record: order[record.file])
        if render is not None and results.report is not None:
            text = render(taken).encode("utf-8", "backslashreplace")
            atomic_write(results.report, text, overwrite=True)
    if results.format is Format.JSON:
        say_json(as_object(taken))
    return taken, interrupted


def as_object(records: Sequence[R]) -> dict[str, object]:
    """Return a whole run as one JSON-ready object."""
    counts = {state.value: sum(one.status is state for one in records) for state in State}
    return {
        "schema": SCHEMA.replace("record", "run"),
        "counts": {state: count for state, count in counts.items() if count},
        "records": [one.to_dict() for one in records],
    }


def as_json(records: Sequence[R]) -> str:
    """Return a run as JSON text."""
    return json.dumps(as_object(records), ensure_ascii=False, indent=2) + "\n"


def as_lines(records: Sequence[R]) -> str:
    """Return a run as JSON lines."""
    return "".join(f"{json.dumps(one.to_dict(), ensure_ascii=False)}\n" for one in records)
