"""Terminal and pipes: results on stdout, everything else on stderr.

Text from files is hostile: nothing reaches a terminal before `clean`. rich is loaded only where a
table or a bar is drawn.
"""

from __future__ import annotations

import io
import json
import sys
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

T = TypeVar("T")
# Cf holds the marks that turn the writing direction, with which a name can lie.
_UNSAFE = ("Cc", "Cf", "Zl", "Zp")
_NAME = 40  # characters of a file's name beside a bar
_COLOURS = {
    "ok": "green", "compliant": "green", "present": "green", "generated": "cyan",
    "incomplete": "yellow", "undetermined": "yellow", "skipped": "yellow", "suspected": "yellow",
    "failed": "red", "non_compliant": "red", "invalid": "red",
}  # fmt: skip


def prepare_streams() -> None:
    """Let Chinese text through a stream that cannot encode it: as escapes, not as a crash."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def clean(text: str) -> str:
    """Return `text` with control and direction characters visible; line ends stay."""
    if text.isascii() and text.isprintable():
        return text
    return "".join(
        char if char == "\n" or unicodedata.category(char) not in _UNSAFE else _escaped(char)
        for char in text
    )


def say(text: str = "") -> None:
    """Print a result as text."""
    sys.stdout.write(f"{clean(text)}\n")
    sys.stdout.flush()


def say_json(value: Any, *, indent: int | None = 2) -> None:
    """Print a result as JSON, in ASCII where stdout knows no more."""
    wide = (sys.stdout.encoding or "").lower().replace("-", "") == "utf8"
    text = json.dumps(value, ensure_ascii=not wide, indent=indent)
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def tell(text: str) -> None:
    """Print a remark to stderr."""
    sys.stderr.write(f"aiglabel: {clean(text)}\n")


def tell_error(text: str) -> None:
    """Print an error to stderr, in one line."""
    tell(f"error: {' '.join(text.split())}")


def line(words: Sequence[str], rest: str) -> None:
    """Print a line of a list: padded words, in colour on a terminal, then free text."""
    from rich.console import Console
    from rich.text import Text

    text = Text()
    for word in words:
        text.append(f"{word:<14}", _COLOURS.get(word, ""))
    # A file name with a line end must not pass for a second line.
    one_line = clean(rest).replace("\n", "\\n")
    Console().print(text.append(one_line), soft_wrap=True)


def table(title: str, rows: Iterable[tuple[str, str]]) -> None:
    """Print a title and a table of names and figures."""
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    drawn = Table(box=box.ROUNDED, show_header=False)
    drawn.add_column()
    drawn.add_column(justify="right")
    for name, figure in rows:
        drawn.add_row(Text(clean(name), _COLOURS.get(name, "")), Text(clean(figure)))
    console = Console()
    console.print(Text(f"\n{clean(title)}", "bold"))
    console.print(drawn)


def tree(name: str, value: Any, depth: int = 0) -> None:
    """Print nested values, indented."""
    indent = "  " * depth
    if isinstance(value, dict) and value:
        say(f"{indent}{name}:")
        for key, inner in value.items():
            tree(str(key), inner, depth + 1)
    elif isinstance(value, (list, tuple)) and value:
        if all(isinstance(inner, float) for inner in value):
            say(f"{indent}{name}: {' '.join(map(str, value))}")  # a row of a map
            return
        say(f"{indent}{name}:")
        for index, inner in enumerate(value, start=1):
            tree(str(index), inner, depth + 1)
    else:
        shown = "-" if value in (None, "", [], {}, ()) else str(value)
        say(f"{indent}{name}: " + shown.replace("\n", f"\n{indent}  "))


class Meter:
    """How far a run is, on stderr: a bar for its files, one for the film that is being written.

    Parameters
    ----------
    total : int
        Files of the run; a single one has no bar.
    shown : bool or None
        None: where stderr is a terminal.
    """

    def __init__(self, total: int, *, shown: bool | None) -> None:
        self._total = total
        self._shown = sys.stderr.isatty() if shown is None else shown
        self._bars: Progress | None = None
        self._file: tuple[str, TaskID] | None = None

    def through(self, records: Iterator[T]) -> Iterator[T]:
        """Hand the records on, and count them."""
        try:
            several = self._shown and self._total > 1
            files = self._add(self._count(0), self._total) if several else None
            for done, record in enumerate(records, start=1):
                self._drop_file()
                yield record
                if self._bars and files is not None:
                    self._bars.update(files, completed=done, description=self._count(done))
        finally:
            if self._bars:
                self._bars.stop()

    def file(self, file: str, time: float, length: float | None) -> None:
        """Take note that a sound or film is written as far as `time` of `length`, seconds."""
        if not self._shown:
            return
        if self._file is None or self._file[0] != file:
            self._drop_file()
            # The length at once: a short one can end before the bar is painted again.
            self._file = file, self._add(_shortened(Path(file).name), length)
        if self._bars:
            self._bars.update(self._file[1], completed=time)

    def _drop_file(self) -> None:
        if self._bars and self._file:
            self._bars.remove_task(self._file[1])
        self._file = None

    def _count(self, done: int) -> str:
        return f"{done} of {self._total} files"

    def _add(self, words: str, total: float | None = None) -> TaskID:
        """Add a bar; where its total is not known it moves to and fro."""
        if self._bars is None:
            from rich.console import Console
            from rich.progress import (
                BarColumn,
                Progress,
                TaskProgressColumn,
                TextColumn,
                TimeRemainingColumn,
            )

            # A pipe gets its lines untouched; on a terminal they have to pass above the bars.
            self._bars = Progress(
                TextColumn("{task.description}", markup=False), BarColumn(), TaskProgressColumn(),
                TimeRemainingColumn(), console=Console(stderr=True), transient=True,
                redirect_stdout=sys.stdout.isatty(),
            )  # fmt: skip
            self._bars.start()
        return self._bars.add_task(words, total=total)


def _shortened(name: str) -> str:
    name = clean(name).replace("\n", "\\n")
    return name if len(name) <= _NAME else f"{name[: _NAME - 1]}…"


def _escaped(char: str) -> str:
    code = ord(char)
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}"
