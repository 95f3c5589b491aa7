"""Groups of options as parameters of commands, which typer does not know.

``@grouped`` lets a command take a dataclass of `options` as one parameter.
"""

from __future__ import annotations

import dataclasses
import functools
import inspect
from collections.abc import Callable
from typing import Any, get_type_hints


def grouped(command: Callable[..., Any]) -> Callable[..., Any]:
    """Spread the dataclass parameters of a command into options, and gather their values again."""
    hints = get_type_hints(command, include_extras=True)
    groups: dict[str, Any] = {
        name: hint for name, hint in hints.items() if dataclasses.is_dataclass(hint)
    }
    spread: list[inspect.Parameter] = []
    for parameter in inspect.signature(command).parameters.values():
        if parameter.name in groups:
            spread += _fields(groups[parameter.name])
        else:
            spread.append(
                parameter.replace(kind=parameter.KEYWORD_ONLY, annotation=hints[parameter.name])
            )

    @functools.wraps(command)
    def gathered(**values: Any) -> Any:
        for name, group in groups.items():
            own = {one.name: values.pop(one.name) for one in dataclasses.fields(group)}
            values[name] = group(**own)
        return command(**values)

    gathered.__signature__ = inspect.Signature(spread)  # type: ignore[attr-defined]
    gathered.__annotations__ = {one.name: one.annotation for one in spread}
    return gathered


def _fields(group: Any) -> list[inspect.Parameter]:
    hints = get_type_hints(group, include_extras=True)
    return [
        inspect.Parameter(
            one.name, inspect.Parameter.KEYWORD_ONLY, default=one.default,
            annotation=hints[one.name],
        )
        for one in dataclasses.fields(group)
    ]  # fmt: skip
