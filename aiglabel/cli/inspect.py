"""``aiglabel inspect``: everything there is to read in one file, unjudged."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from aiglabel.cli.grouping import grouped
from aiglabel.cli.options import (
    KeyFiles,
    PolicyOptions,
    SearchOptions,
    Shape,
    ShapeOption,
    TrustOptions,
)

if TYPE_CHECKING:
    from typing import BinaryIO

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

    Facts of every mark, summary of the C2PA manifest, XMP packets, texts, the tracks of a film;
    nothing is judged.
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
    """Return the XMP packets, texts and tracks of a file; none of what cannot be read."""
    from aiglabel import containers
    from aiglabel.errors import MediaError
    from aiglabel.media.atomic import regular_file

    shown: dict[str, Any] = {"xmp": [], "texts": []}
    if name is None:
        return shown
    # What cannot be read, verification has told among the problems.
    with suppress(MediaError), regular_file(str(file)) as opened:
        fmt = containers.sniff_media(opened)
        packets = containers.read_xmp(opened, fmt)
        shown["xmp"] = [packet[:_MAX_TEXT].decode(errors="replace").strip() for packet in packets]
        shown["texts"] = _texts(opened, fmt)
        if isinstance(fmt, containers.VideoFormat):
            shown["tracks"] = _tracks(file)
    return shown


def _texts(opened: BinaryIO, fmt: AnyFormat) -> list[dict[str, str]]:
    from aiglabel import containers

    return [
        {**asdict(one), "text": one.text[:_MAX_TEXT]} for one in containers.read_texts(opened, fmt)
    ]


def _tracks(file: Path) -> list[dict[str, Any]]:
    from aiglabel.media import video

    return [asdict(track) for track in video.probe(file).tracks]
