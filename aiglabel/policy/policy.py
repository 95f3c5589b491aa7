"""Policies: frozen settings read from TOML. Presets lie beside this file; figures never in code.

A policy file may build on a preset or another file with ``extends = "cn"``; what it names
replaces what it builds on, table by table, value by value. A misspelt name is an error.
"""

from __future__ import annotations

import dataclasses
import difflib
import os
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any, Literal, Self, get_type_hints

from aiglabel.errors import LabelError, PolicyError
from aiglabel.marks.audible import AudibleStyle
from aiglabel.marks.overlay import OverlayStyle
from aiglabel.marks.overlay.when import When
from aiglabel.rules import RULES
from aiglabel.signal.budget import DEFAULT_EFFORT, EFFORTS
from aiglabel.signal.informed import STRENGTHS

COMMAND_LINE_TABLES = ("label", "key", "signer")
"""Tables of aiglabel.toml that are no part of a policy; `aiglabel.cli` reads them."""

_MAX_FILE_BYTES = 256 * 1024
_MAX_DEPTH = 8
_SPANS = tuple[tuple[float, float], ...]


@dataclass(frozen=True, kw_only=True)
class OverlayPolicy(OverlayStyle):
    """The visible label; `OverlayStyle` says how it looks."""

    enabled: bool = True


@dataclass(frozen=True, kw_only=True)
class AudiblePolicy(AudibleStyle):
    """The audible label of sounds; `AudibleStyle` says how it sounds."""

    enabled: bool = True


@dataclass(frozen=True, kw_only=True)
class FilmPolicy(When):
    """What films ask besides; `When` says when they show the visible label.

    Attributes
    ----------
    speak : bool
        Also play the audible label, over the first sound track.
    sound : bool
        Also write the watermark, the same payload, into the first sound track.
    """

    speak: bool = False
    sound: bool = True


@dataclass(frozen=True, kw_only=True)
class WatermarkPolicy:
    """The blind watermark of pictures, sounds and films.

    Attributes
    ----------
    enabled : bool
    strength : {"invisible", "balanced", "robust"}
        How strong it is written.
    effort : {"quick", "full", "thorough"}
        How hard verification looks for it, see `signal.image.detect`.
    """

    enabled: bool = True
    strength: str = "balanced"
    effort: str = DEFAULT_EFFORT

    def __post_init__(self) -> None:
        _choose("watermark.strength", self.strength, STRENGTHS)
        _choose("watermark.effort", self.effort, EFFORTS)


@dataclass(frozen=True, kw_only=True)
class AigcPolicy:
    """The GB 45438 metadata label; `existing` says what to do about another producer's."""

    enabled: bool = True
    existing: Literal["keep", "replace", "refuse"] = "keep"

    def __post_init__(self) -> None:
        _choose("aigc.existing", self.existing, ("keep", "replace", "refuse"))


@dataclass(frozen=True, kw_only=True)
class IptcPolicy:
    """IPTC digital source type and AI system."""

    enabled: bool = True


@dataclass(frozen=True, kw_only=True)
class CredentialsPolicy:
    """C2PA credentials, written when a signer is given.

    Attributes
    ----------
    enabled : bool
    required : bool
        Refuse to embed without a signer.
    soft_binding : bool
        Name the watermark in the manifest so that a stripped manifest can be found again.
    allow_broken_parent : bool
        Sign although the credentials the file came with fail; the failure is recorded.
    trust : {"default", "official", "none"}
        Trust lists at verification.
    """

    enabled: bool = True
    required: bool = False
    soft_binding: bool = False
    allow_broken_parent: bool = False
    trust: str = "default"

    def __post_init__(self) -> None:
        _choose("credentials.trust", self.trust, ("default", "official", "none"))


@dataclass(frozen=True, kw_only=True)
class Policy:
    """What to write and what to judge.

    Attributes
    ----------
    name, description : str
    regime : {"cn", "eu", "us-ca", ""}
        Whose law it serves; "cn" cannot switch the metadata label off (Labeling Measures Art. 5).
    overlay, audible, watermark, aigc, iptc, credentials
        One table a mark.
    film
        What films ask besides.
    rules : tuple of str
        Ids of the catalogue that verification judges, see docs/rules.md.
    thresholds : mapping of str to float
        Figures those rules use.
    """

    name: str = "custom"
    description: str = ""
    regime: str = ""
    overlay: OverlayPolicy = field(default_factory=OverlayPolicy)
    audible: AudiblePolicy = field(default_factory=AudiblePolicy)
    film: FilmPolicy = field(default_factory=FilmPolicy)
    watermark: WatermarkPolicy = field(default_factory=WatermarkPolicy)
    aigc: AigcPolicy = field(default_factory=AigcPolicy)
    iptc: IptcPolicy = field(default_factory=IptcPolicy)
    credentials: CredentialsPolicy = field(default_factory=CredentialsPolicy)
    rules: tuple[str, ...] = ()
    thresholds: Mapping[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        _choose("regime", self.regime, ("cn", "eu", "us-ca", ""))
        for rule in self.rules:
            _choose("rule", rule, RULES)
        if self.regime == "cn" and not self.aigc.enabled:
            raise PolicyError(
                f"policy '{self.name}' serves China but switches the metadata label off",
                remedy="Labeling Measures Art. 5 has no exception; only the visible label may be "
                "left out (Art. 9), by overlay.enabled = false and audible.enabled = false",
            )

    @classmethod
    def preset(cls, name: str) -> Policy:
        """Return a built-in policy; `preset_names` lists them.

        Raises
        ------
        PolicyError
            When there is no such preset.
        """
        return _built_in(name)

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Policy:
        """Read a policy from a TOML file, `aiglabel.toml` included.

        The tables of the command line, `COMMAND_LINE_TABLES`, are passed over.

        Raises
        ------
        PolicyError
            When it cannot be read, is not TOML, or a name or value in it is wrong.
        """
        file = Path(path)
        try:
            values = _resolve(read_toml(file), file.parent, 0)
            for table in COMMAND_LINE_TABLES:
                values.pop(table, None)
        except PolicyError as error:
            raise PolicyError(error.reason, path=error.path or file, remedy=error.remedy) from None
        return cls.from_dict(values, path=path)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any], *, path: Any = None) -> Policy:
        """Build a policy from the tables of a TOML file whose `extends` is resolved.

        Raises
        ------
        PolicyError
            When a name or value is wrong.
        """
        try:
            policy: Policy = _build(cls, values, "")
        except (PolicyError, LabelError) as error:
            raise PolicyError(error.reason, path=path, remedy=error.remedy) from error
        return policy

    def to_dict(self) -> dict[str, Any]:
        """Return the tables, ready for JSON."""
        return dataclasses.asdict(self)

    def changed(self, **tables: Mapping[str, Any]) -> Self:
        """Return a copy with values replaced: ``policy.changed(overlay={"text": "AI合成"})``."""
        fresh = {
            name: dataclasses.replace(getattr(self, name), **values)
            for name, values in tables.items()
        }
        return dataclasses.replace(self, **fresh)


def preset_names() -> list[str]:
    """Return the names of the built-in policies."""
    files = resources.files(__package__).iterdir()
    return sorted(file.name.removesuffix(".toml") for file in files if file.name.endswith(".toml"))


@cache
def _built_in(name: str) -> Policy:
    return Policy.from_dict(_preset(name))


def _preset(name: str) -> dict[str, Any]:
    _choose("policy preset", name, preset_names())
    text = resources.files(__package__).joinpath(f"{name}.toml").read_text(encoding="utf-8")
    return _resolve(tomllib.loads(text), None, 0)


def read_toml(path: Path) -> dict[str, Any]:
    """Return the tables of a policy file as they stand, `extends` unresolved.

    Raises
    ------
    PolicyError
        When it cannot be read or is not TOML.
    """
    try:
        with path.open("rb") as stream:
            text = stream.read(_MAX_FILE_BYTES).decode("utf-8")
        return tomllib.loads(text)
    except OSError as error:
        raise PolicyError(
            f"the policy cannot be read ({error.strerror})", path=path,
            remedy=f"Presets need no file: {', '.join(preset_names())}",
        ) from error  # fmt: skip
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise PolicyError(f"the policy is not TOML: {error}", path=path) from error


def _resolve(values: dict[str, Any], folder: Path | None, depth: int) -> dict[str, Any]:
    """Lay a file's tables over those of what it extends."""
    parent = values.pop("extends", None)
    if parent is None:
        return values
    if not isinstance(parent, str) or depth > _MAX_DEPTH:
        raise PolicyError("extends names one preset or file, and not itself in a circle")
    if parent.endswith(".toml") and folder is not None:
        file = folder / parent
        base = _resolve(read_toml(file), file.parent, depth + 1)
    else:
        base = _preset(parent)
    merged = dict(base)
    for name, value in values.items():
        both_tables = isinstance(value, dict) and isinstance(base.get(name), dict)
        merged[name] = {**base[name], **value} if both_tables else value
    return merged


def _build(kind: Any, values: Mapping[str, Any], where: str) -> Any:
    """Make a frozen dataclass of a TOML table, strictly."""
    if not isinstance(values, Mapping):
        raise PolicyError("a policy is a table of settings")
    hints = get_type_hints(kind)
    names = [one.name for one in dataclasses.fields(kind)]
    made: dict[str, Any] = {}
    for name, value in values.items():
        _choose("setting", f"{where}{name}", [f"{where}{known}" for known in names])
        hint = hints[name]
        if dataclasses.is_dataclass(hint):
            if not isinstance(value, dict):
                raise PolicyError(f"{where}{name} is a table, [{where}{name}]")
            made[name] = _build(hint, value, f"{name}.")
        else:
            made[name] = _plain(f"{where}{name}", value, hint, getattr(kind(), name))
    return kind(**made)


def _plain(name: str, value: Any, hint: Any, default: Any) -> Any:
    """Check one value against its type, which that of its default tells but for lists."""
    example = default
    if isinstance(default, bool):
        fits = isinstance(value, bool)
    elif isinstance(default, float):
        fits = _number(value)
    elif hint == _SPANS:
        # That a span has two ends, and goes forward, is for `When` to say.
        fits, example = _listed(value, lambda span: _listed(span, _number)), [[10, 15]]
    elif isinstance(default, tuple):
        fits = _listed(value, lambda item: isinstance(item, str))
    elif isinstance(default, dict):
        fits = isinstance(value, dict) and all(map(_number, value.values()))
    else:
        fits = isinstance(value, str)
    if not fits:
        raise PolicyError(f"{name} cannot be {value!r}", remedy=f"An example: {example!r}")
    return tuple(value) if isinstance(value, list) else value


def _listed(value: Any, fits: Callable[[Any], bool]) -> bool:
    return isinstance(value, (list, tuple)) and all(map(fits, value))


def _number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _choose(what: str, value: str, known: Any) -> None:
    if value in known:
        return
    close = difflib.get_close_matches(value, list(known), n=1)
    listed = ", ".join(repr(name) for name in known)
    remedy = f"Did you mean {close[0]!r}?" if close else f"Known: {listed}"
    raise PolicyError(f"there is no {what} {value!r}", remedy=remedy)
