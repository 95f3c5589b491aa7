"""The version of this toolkit, as reports and manifests state it."""

from __future__ import annotations

from functools import cache
from importlib.metadata import PackageNotFoundError, version


@cache
def toolkit_version() -> str:
    """Return the installed version; ``0`` when the toolkit runs without being installed."""
    try:
        return version("aiglabel")
    except PackageNotFoundError:
        return "0"
