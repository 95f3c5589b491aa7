"""``aiglabel policy``: what the presets and policy files ask for."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from aiglabel.cli.grouping import grouped
from aiglabel.cli.options import (
    FilmOptions,
    MarkOptions,
    PolicyOptions,
    Shape,
    ShapeOption,
)
from aiglabel.cli.output import say, say_json

_policy = typer.Typer(help="What policies ask for.", no_args_is_help=True, rich_markup_mode=None)


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.add_typer(_policy, name="policy")


@_policy.command("list")
def list_(shape: ShapeOption = Shape.TEXT) -> None:
    """List the presets."""
    from aiglabel.policy import Policy, preset_names

    described = {name: Policy.preset(name).description for name in preset_names()}
    if shape is Shape.JSON:
        say_json(described)
        return
    for name, description in described.items():
        say(f"{name:<16}{description}")


@_policy.command()
@grouped
def show(
    context: typer.Context,
    policies: PolicyOptions,
    marks: MarkOptions,
    films: FilmOptions,
    name: Annotated[
        str | None,
        typer.Argument(metavar="[NAME|FILE]", help="Preset or TOML file; the same as --policy."),
    ] = None,
    origin: Annotated[
        bool, typer.Option("--origin", help="Say where each value comes from.")
    ] = False,
    shape: ShapeOption = Shape.TEXT,
) -> None:
    """Show every setting in force, as TOML: preset, file, environment and flags together."""
    from aiglabel.cli import settings as layers

    chosen = PolicyOptions(policy=name or policies.policy, config=policies.config)
    settings = layers.load(context, chosen, marks, films)
    values = settings.policy.to_dict()
    if shape is Shape.JSON:
        say_json({"policy": values, "origins": settings.origins} if origin else values)
        return
    plain = {key: value for key, value in values.items() if not isinstance(value, dict)}
    tables = {key: value for key, value in values.items() if isinstance(value, dict)}
    origins = settings.origins if origin else {}
    _say_table("", plain, origins)
    for table, inner in tables.items():
        say(f"\n[{table}]")
        _say_table(f"{table}.", inner, origins)


def _say_table(prefix: str, values: dict[str, Any], origins: dict[str, str]) -> None:
    for name, value in values.items():
        if value is not None:
            origin = origins.get(prefix + name)
            say(f"{name} = {_toml(value)}{f'  # {origin}' if origin else ''}")


def _toml(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, (tuple, list)):
        return f"[{', '.join(map(_toml, value))}]"
    if isinstance(value, str):
        escaped = value.replace("\\", "\\\\").replace('"', '\\"')
        return f'"{escaped}"'
    return str(value)
