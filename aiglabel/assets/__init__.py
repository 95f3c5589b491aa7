"""Files that travel with the package: fonts, sounds, lists, schemas."""

from __future__ import annotations

from functools import lru_cache
from importlib.resources import files


@lru_cache(maxsize=32)
def load(name: str) -> bytes:
    """Return the bytes of one asset, e.g. ``load("fonts/AIGLabelSans-Bold.otf")``.

    Raises
    ------
    FileNotFoundError
        When the package holds no such file.
    """
    return files(__name__).joinpath(*name.split("/")).read_bytes()
