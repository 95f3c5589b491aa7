"""``aiglabel rules``: the conformance catalogue."""

from __future__ import annotations

import typer

from aiglabel.cli.options import Shape, ShapeOption
from aiglabel.cli.output import say, say_json


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(rules)


def rules(shape: ShapeOption = Shape.TEXT) -> None:
    """List the rules that policies judge by."""
    from aiglabel.rules import RULES

    if shape is Shape.JSON:
        say_json([
            {
                "id": rule.id, "severity": rule.severity, "clause": rule.clause,
                "title": {"en": rule.title_en, "zh": rule.title_zh},
            }
            for rule in RULES.values()
        ])  # fmt: skip
        return
    for rule in RULES.values():
        say(f"{rule.id:<10}{rule.severity:<9}{rule.title_en}  {rule.title_zh}")
        say(f"{'':<19}{rule.clause}")
