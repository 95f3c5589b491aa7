"""``aiglabel inspect``: everything there is to read in one file, unjudged."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from aiglabel.cli.options import (
    KeyFiles,
    PolicyOptions,
    SearchOptions,
    Shape,
    ShapeOption,
    TrustOptions,
    grouped,
)

if TYPE_CHECKING:
    from aiglabel.containers import AnyFormat

_MAX_TEXT = 20_000


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(inspect)


@grouped
def inspect(
    context: typer.Context,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="One file.")],
    policies: PolicyOptions,
    trusting: TrustOptions,
    searching: SearchOptions,
    key: KeyFiles = None,
    shape: ShapeOption = Shape.TEXT,
) -> None:
    """Show all that can be read in one file.

    Facts of every mark, summary of the C2PA manifest, XMP packets, texts; nothing is judged.
    """
    from aiglabel.cli import output
    from aiglabel.cli import settings as layers
    from aiglabel.verification import verify

    settings = layers.load(context, policies, trusting, searching)
    report = verify(
        file, policy=settings.policy, keys=layers.load_keys(key, settings),
        trust=layers.load_trust(trusting, settings),
    )  # fmt: skip
    shown = {
        "file": report.file,
        "sha256": report.sha256,
        "media": dict(report.media),
        "marks": {one.mark: asdict(one) for one in report.evidence},
        **_metadata(file, report.media.get("format")),
        "problems": list(report.problems),
    }
    if shape is Shape.JSON:
        output.say_json(shown)
        return
    for name, value in shown.items():
        output.tree(name, value)


def _metadata(file: Path, name: str | None) -> dict[str, Any]:
    """Return the XMP packets and texts of a file; empty where it is broken or of no known kind."""
    from aiglabel import containers
    from aiglabel.errors import MediaError
    from aiglabel.media import read_source

    shown: dict[str, Any] = {"xmp": [], "texts": []}
    if name is None:
        return shown
    data = read_source(file)
    try:
        fmt = containers.sniff_media(data)
        packets = containers.read_xmp(data, fmt)
        shown["xmp"] = [packet[:_MAX_TEXT].decode(errors="replace").strip() for packet in packets]
        shown["texts"] = _texts(data, fmt)
    except MediaError:
        pass  # verification has told it among the problems
    return shown


def _texts(data: bytes, fmt: AnyFormat) -> list[dict[str, str]]:
    from aiglabel import containers

    return [
        {**asdict(one), "text": one.text[:_MAX_TEXT]} for one in containers.read_texts(data, fmt)
    ]
