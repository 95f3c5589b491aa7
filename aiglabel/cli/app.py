"""The program ``aiglabel``: its commands, and what becomes of errors."""

from __future__ import annotations

import logging
import signal
import sys
import threading
import traceback
from typing import Annotated

import typer

from aiglabel.cli import cert, doctor, inspect, keygen, label, policy, rules, verify
from aiglabel.cli.exits import Exit, of_error
from aiglabel.cli.output import prepare_streams, say, tell, tell_error
from aiglabel.errors import AigLabelError

_SETTINGS = {"help_option_names": ["-h", "--help"], "max_content_width": 100}

app = typer.Typer(
    name="aiglabel",
    help="Mark AI-generated media and find the marks again.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings=_SETTINGS,
)
label.register(app)
verify.register(app)
inspect.register(app)
keygen.register(app)
cert.register(app)
policy.register(app)
rules.register(app)
doctor.register(app)


def run(arguments: list[str]) -> int:
    """Run one command and return its exit code."""
    prepare_streams()
    if threading.current_thread() is threading.main_thread():
        # `kill` ends a run as Ctrl-C does: what is begun is finished, nothing is left half done.
        signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        app(args=arguments, prog_name="aiglabel")
    except AigLabelError as error:
        _trace()
        tell_error(str(error))
        return of_error(error)
    except KeyboardInterrupt:
        tell("interrupted")
        return Exit.INTERRUPTED
    except SystemExit as stop:
        return stop.code if isinstance(stop.code, int) else Exit.OK
    except Exception as error:
        _trace()
        tell_error(
            f"unexpected {type(error).__name__}: {error}. "
            "This is a fault of aiglabel: please report it; -v shows where it happened"
        )
        return Exit.ERROR
    return Exit.OK


def _print_version(wanted: bool) -> None:
    if wanted:
        from aiglabel.version import toolkit_version

        say(f"aiglabel {toolkit_version()}")
        raise typer.Exit


@app.callback()
def _main(
    _version: Annotated[
        bool,
        typer.Option("--version", is_eager=True, callback=_print_version,
                     help="Print the version and end."),
    ] = False,
    verbose: Annotated[
        int,
        typer.Option(
            "--verbose", "-v", count=True, show_default=False, help="Log to stderr; -vv logs more."
        ),
    ] = 0,
) -> None:  # fmt: skip
    if verbose:
        logging.basicConfig(
            level=logging.INFO if verbose == 1 else logging.DEBUG,
            format="%(levelname)s %(name)s: %(message)s",
        )


def _trace() -> None:
    if logging.getLogger("aiglabel").isEnabledFor(logging.INFO):
        traceback.print_exc(file=sys.stderr)
