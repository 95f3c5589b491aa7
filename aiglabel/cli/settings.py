"""Where settings come from: flags, then the environment, then aiglabel.toml, then the policy.

``aiglabel.toml`` is a policy file that may also hold the tables ``[label]``, ``[key]`` and
``[signer]``. A policy that is named by flag or environment takes the place of the file's policy;
those three tables stay in force.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import typer

from aiglabel.cli.options import (
    FilmOptions,
    MarkOptions,
    PolicyOptions,
    SearchOptions,
    SignerOptions,
    TrustOptions,
)
from aiglabel.errors import PolicyError, SigningError
from aiglabel.key import Key
from aiglabel.marks.credentials import Signer, TrustProfile
from aiglabel.policy import Policy, preset_names, read_toml

DEFAULT_FILE = Path("aiglabel.toml")
DEFAULT_PRESET = "cn"
# What a command line says besides the policy; [signer] chain may be "dev" or "none".
TABLES: Mapping[str, tuple[str, ...]] = {
    "label": ("producer", "content_id_prefix", "propagator", "model", "model_version"),
    "key": ("file",),
    "signer": ("chain", "key", "password_env", "tsa"),
}
_PATHS = (("key", "file"), ("signer", "chain"), ("signer", "key"))


def _spans(words: Sequence[str]) -> list[list[float]]:
    """Read START-END, seconds; whether they go forward is for the policy to say."""
    try:
        return [list(map(float, word.split("-", 1))) for word in words]
    except ValueError:
        raise PolicyError(
            f"{', '.join(words)}: these are not seconds", remedy="Pass --film-at 10-15"
        ) from None


# Option → what it sets in the policy, and to what, where the option is a switch; or what reads it.
_OF_OPTION: Mapping[str, tuple[tuple[str, str, Any], ...]] = {
    "text": (("overlay", "text", None),),
    "position": (("overlay", "position", None),),
    "style": (("overlay", "style", None),),
    "strength": (("watermark", "strength", None),),
    "existing": (("aigc", "existing", None),),
    "audible": (("audible", "form", None),),
    "say": (("audible", "text", None),),
    "voice": (("audible", "voice", None),),
    "engine": (("audible", "engine", None),),
    "film_seconds": (("film", "seconds", None),),
    "film_whole": (("film", "whole", True),),
    "film_end": (("film", "end", True),),
    "film_at": (("film", "at", _spans),),
    "film_card": (("film", "card", None),),
    "speak": (("film", "speak", True),),
    "keep_sound": (("film", "sound", False), ("film", "speak", False)),
    "no_overlay": (
        ("overlay", "enabled", False),
        ("audible", "enabled", False),
        ("film", "speak", False),
    ),
    "metadata_only": (
        ("overlay", "enabled", False),
        ("audible", "enabled", False),
        ("film", "speak", False),
        ("watermark", "enabled", False),
    ),
    "allow_broken_parent": (("credentials", "allow_broken_parent", True),),
    "trust": (("credentials", "trust", None),),
    "effort": (("watermark", "effort", None),),
}
_Tables = dict[str, Any]
_Group = MarkOptions | FilmOptions | TrustOptions | SearchOptions


@dataclass(frozen=True)
class Settings:
    """What holds for a run.

    Attributes
    ----------
    policy : Policy
    origins : dict of str to str
        Where each value of the policy comes from, by ``table.name``.
    label, key, signer : dict
        Tables of aiglabel.toml; paths in them are resolved.
    """

    policy: Policy
    origins: dict[str, str]
    label: dict[str, str] = field(default_factory=dict)
    key: dict[str, str] = field(default_factory=dict)
    signer: dict[str, str] = field(default_factory=dict)


def load(context: typer.Context, chosen: PolicyOptions, *groups: _Group) -> Settings:
    """Lay all layers over one another.

    Raises
    ------
    PolicyError
        When a file cannot be read, or a name or value in it or on the command line is wrong.
    """
    file = chosen.config or (DEFAULT_FILE if DEFAULT_FILE.is_file() else None)
    values = read_toml(file) if file else {}
    own = {table: _own_table(values, table, file) for table in TABLES}
    if chosen.policy is not None:
        layers = _layers(chosen.policy)
    else:
        layers = _layers_of_file(values, file) if file else _layers(DEFAULT_PRESET)
    layers += _layers_of_options(context, groups)
    merged: _Tables = {}
    origins: dict[str, str] = {}
    for origin, tables in layers:
        _lay(tables, origin, merged, origins)
    policy = Policy.from_dict(merged, path=file if chosen.policy is None else None)
    return Settings(policy, origins, **own)


def load_key(file: Path | None, settings: Settings) -> Key:
    """Return the watermark key to write with; the open key where none is named."""
    named = file or settings.key.get("file")
    return Key.load(named) if named else Key.public()


def load_keys(files: Sequence[Path] | None, settings: Settings) -> tuple[Key, ...]:
    """Return the watermark keys to look with."""
    configured = [settings.key["file"]] if "file" in settings.key else []
    return tuple(Key.load(file) for file in files or configured)


def load_signer(options: SignerOptions, settings: Settings) -> Signer | None:
    """Return who signs.

    Raises
    ------
    PolicyError
        When the options contradict one another, or the policy wants a signer and there is none.
    """
    table = settings.signer
    chain = options.signer or table.get("chain", "none")
    key = options.signer_key or table.get("key")
    password_env = options.signer_password_env or table.get("password_env")
    tsa = options.tsa or table.get("tsa")
    if chain in ("dev", "none"):
        if options.signer_key or options.signer_password_env or options.tsa:
            raise PolicyError(
                f"the signer is '{chain}', which has no key, password or time-stamping authority",
                remedy="Pass --signer CHAIN.pem",
            )
        if chain == "none" and settings.policy.credentials.required:
            raise PolicyError(
                f"policy '{settings.policy.name}' requires C2PA credentials, and nobody signs",
                remedy="Pass --signer CHAIN.pem --signer-key KEY.pem, or --signer dev to try it",
            )
        return Signer.dev() if chain == "dev" else None
    if key is None:
        raise PolicyError("a certificate chain signs only with its key", remedy="Pass --signer-key")
    for file in (chain, key):
        if not Path(file).is_file():
            raise SigningError("there is no such file", path=file)
    return Signer.pem(chain, key, password_env=password_env, tsa_url=tsa)


def load_trust(options: TrustOptions, settings: Settings) -> TrustProfile:
    """Return whose signatures count: the lists of the policy, files, and this machine's root."""
    profile = TrustProfile.named(settings.policy.credentials.trust)
    for file in options.trust_file or ():
        profile = profile.with_file(file)
    return profile.with_dev()


def _layers(name: str) -> list[tuple[str, _Tables]]:
    """Return the layers of a preset or policy file, outermost last, each with its origin."""
    if name in preset_names() or not (name.endswith(".toml") or Path(name).is_file()):
        return [(f"preset {name}", _tables(Policy.preset(name)))]
    Policy.load(name)  # refuses whatever is wrong, a circle of `extends` as well
    return _layers_of_file(read_toml(Path(name)), Path(name))


def _layers_of_file(values: _Tables, file: Path) -> list[tuple[str, _Tables]]:
    own = dict(values)
    parent = own.pop("extends", None)
    if parent is None:
        below = [("default", _tables(Policy()))]
    elif isinstance(parent, str):
        below = _layers(str(file.parent / parent) if parent.endswith(".toml") else parent)
    else:
        raise PolicyError("extends names one preset or file", path=file)
    return [*below, (str(file), own)]


def _layers_of_options(
    context: typer.Context, groups: Sequence[_Group]
) -> list[tuple[str, _Tables]]:
    layers = []
    given = {name: value for group in groups for name, value in vars(group).items()}
    for option, places in _OF_OPTION.items():
        value = given.get(option)
        if value is None or value is False or value == []:
            continue
        origin = _origin(context, option)
        for table, name, fixed in places:
            read = fixed(value) if callable(fixed) else value if fixed is None else fixed
            layers.append((origin, {table: {name: read}}))
    return layers


def _origin(context: typer.Context, option: str) -> str:
    source = context.get_parameter_source(option)
    if source is not None and source.name == "ENVIRONMENT":
        return f"environment AIGLABEL_{option.upper()}"
    return f"flag --{option.replace('_', '-')}"


def _lay(tables: _Tables, origin: str, merged: _Tables, origins: dict[str, str]) -> None:
    for table, values in tables.items():
        if not isinstance(values, dict):
            merged[table], origins[table] = values, origin
            continue
        under = merged.get(table)
        merged[table] = {**(under if isinstance(under, dict) else {}), **values}
        origins.update({f"{table}.{name}": origin for name in values})


def _tables(policy: Policy) -> _Tables:
    """Return a policy as TOML would have it: lists, and nothing where there is no value."""
    return {name: _plain(value) for name, value in policy.to_dict().items()}


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _plain(inner) for name, inner in value.items() if inner is not None}
    return [_plain(inner) for inner in value] if isinstance(value, tuple) else value


def _own_table(values: _Tables, table: str, file: Path | None) -> dict[str, str]:
    """Take one of `TABLES` out of the file's values, and check it."""
    given = values.pop(table, {})
    if not isinstance(given, dict):
        raise PolicyError(f"{table} is a table, [{table}]", path=file)
    for name, value in given.items():
        if name not in TABLES[table]:
            close = difflib.get_close_matches(name, TABLES[table], n=1)
            remedy = (
                f"Did you mean '{close[0]}'?" if close else f"Known: {', '.join(TABLES[table])}"
            )
            raise PolicyError(f"[{table}] has no setting '{name}'", path=file, remedy=remedy)
        if not isinstance(value, str):
            raise PolicyError(f"{table}.{name} is a text, not {value!r}", path=file)
    assert file is not None or not given
    return {
        name: str(file.parent / value)
        if file and (table, name) in _PATHS and value not in ("dev", "none")
        else value
        for name, value in given.items()
    }
