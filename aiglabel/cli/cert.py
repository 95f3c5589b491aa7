"""``aiglabel cert``: certificates that sign C2PA credentials."""

from __future__ import annotations

import os
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from aiglabel.cli.exits import Exit
from aiglabel.cli.options import Shape, ShapeOption
from aiglabel.cli.output import line, say, say_json, tell
from aiglabel.errors import SigningError

_cert = typer.Typer(
    help="Certificates that sign C2PA credentials.", no_args_is_help=True, rich_markup_mode=None
)


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.add_typer(_cert, name="cert")


@_cert.command()
def dev(shape: ShapeOption = Shape.TEXT) -> None:
    """Show the development certificate of this machine, and make it if there is none.

    Nobody trusts it: it is for trying things out.
    """
    from aiglabel.marks.credentials import Signer
    from aiglabel.marks.credentials.pem import load_chain

    signer = Signer.dev()
    assert signer.chain_path is not None
    chain = Path(signer.chain_path)
    leaf = load_chain(chain.read_bytes())[0]
    shown = {
        "trusted": False,
        "chain": signer.chain_path,
        "key": signer.key_path,
        "root": str(chain.with_name("root.pem")),
        "subject": leaf.subject.rfc4514_string(),
        "not_before": leaf.not_valid_before_utc.isoformat(),
        "not_after": leaf.not_valid_after_utc.isoformat(),
    }
    if shape is Shape.JSON:
        say_json(shown)
    else:
        for name, value in shown.items():
            say(f"{name:<12}{value}")
    tell("NOT TRUSTED by anyone: credentials signed with it prove nothing outside this machine")


@_cert.command()
def check(
    chain: Annotated[
        Path, typer.Argument(metavar="CHAIN", help="PEM file, the signing certificate first.")
    ],
    key: Annotated[
        Path | None, typer.Option("--key", metavar="KEY.pem", help="Private key, to compare.")
    ] = None,
    password_env: Annotated[
        str | None,
        typer.Option("--password-env", metavar="VARIABLE",
                     help="Environment variable that holds the key's password."),
    ] = None,
    shape: ShapeOption = Shape.TEXT,
) -> None:  # fmt: skip
    """Explain whether a certificate chain can sign C2PA credentials, and what is missing.

    Exit codes: 0 it can, 3 it cannot.
    """
    from aiglabel.marks.credentials import lint_chain

    password = os.environ.get(password_env, "").encode() or None if password_env else None
    findings = lint_chain(_read(chain), _read(key) if key else None, password=password)
    if shape is Shape.JSON:
        say_json([asdict(finding) for finding in findings])
    else:
        for finding in findings:
            line([finding.severity], finding.message)
            if finding.remedy:
                say(f"{'':<14}{finding.remedy}")
        if not findings:
            line(["ok"], str(chain))
    broken = any(finding.severity == "error" for finding in findings)
    raise typer.Exit(Exit.NON_COMPLIANT if broken else Exit.OK)


def _read(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError as error:
        raise SigningError(f"cannot be read ({error.strerror})", path=file) from error
