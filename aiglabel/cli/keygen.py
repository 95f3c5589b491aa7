"""``aiglabel keygen``: make a watermark key."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from aiglabel.cli.output import say, tell
from aiglabel.errors import KeyMaterialError


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(keygen)


def keygen(
    path: Annotated[Path, typer.Argument(metavar="PATH", help="The key file to make.")],
    passphrase_env: Annotated[
        str | None,
        typer.Option("--passphrase-env", metavar="VARIABLE",
                     help="Derive the key from the passphrase in this environment variable: the "
                     "same words give the same key. Default: a random key."),
    ] = None,
) -> None:  # fmt: skip
    """Make a watermark key.

    The file is readable by you only; one that exists is never overwritten.
    """
    from aiglabel.key import Key

    if passphrase_env is None:
        key = Key.generate()
    elif passphrase_env in os.environ:
        key = Key.from_passphrase(os.environ[passphrase_env])
    else:
        raise KeyMaterialError(
            f"the environment variable {passphrase_env} is not set",
            remedy="Put the passphrase in it; it is never taken from the command line",
        )
    key.save(path)
    say(f"key {key.id}: {path}")
    tell("keep it safe: without it the marks cannot be read, with it anyone can forge them")
