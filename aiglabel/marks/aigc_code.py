"""Service provider codes of the AIGC label (TC260-PG-20252A): 27 characters ``[0-9A-Z]``.

===========  =====================================================================
1–2          format code, fixed ``00``
3            subject type, ``1`` = organisation
4            kind of identifier, ``1`` = unified social credit code (USCC)
5–22         the identifier
23           service type: ``1`` generation, ``2`` propagation, ``0`` unused
24–27        model or application, the provider's choice; ``0000`` when unused
===========  =====================================================================

The credit code ends in a check character (GB 32100-2015), so an invented code is found offline.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

Role = Literal["producer", "propagator"]

CODE_LENGTH = 27
SERVICE_TYPES: dict[Role, str] = {"producer": "1", "propagator": "2"}

_USCC_ALPHABET = "0123456789ABCDEFGHJKLMNPQRTUWXY"
_USCC_LENGTH = 18
_CODE = re.compile(r"00([0-9A-Z])([0-9A-Z])([0-9A-Z]{18})(?:([0-9A-Z])([0-9A-Z]{4}))?")
# No plain name starts with two zeros and goes on for 20 letters and digits: it is meant as a code.
_MEANT_AS_CODE = re.compile(r"00[0-9A-Za-z]{18,34}")


@dataclass(frozen=True, kw_only=True)
class ProviderCode:
    """The parts of a provider code.

    Attributes
    ----------
    subject_type, binding : str
        Positions 3 and 4.
    uscc : str or None
        Positions 5–22 where they are a unified social credit code, else None.
    uscc_valid : bool or None
        Whether its check character fits; None for other identifiers, which have none.
    identifier : str
        Positions 5–22 whatever they are.
    service_type, model_code : str or None
        Position 23 and 24–27; None in the 22-character form seen in the wild.
    """

    subject_type: str
    binding: str
    uscc: str | None
    uscc_valid: bool | None
    identifier: str
    service_type: str | None
    model_code: str | None


def parse_code(text: str) -> ProviderCode | None:
    """Return the parts of a 27-character code (or of its first 22), None for anything else."""
    match = _CODE.fullmatch(text)
    if match is None:
        return None
    subject_type, binding, identifier, service_type, model_code = match.groups()
    uscc = identifier if (subject_type, binding) == ("1", "1") else None
    return ProviderCode(
        subject_type=subject_type,
        binding=binding,
        uscc=uscc,
        uscc_valid=uscc_valid(uscc) if uscc else None,
        identifier=identifier,
        service_type=service_type,
        model_code=model_code,
    )


def meant_as_code(text: str) -> bool:
    """Tell whether a provider value is meant as a code, right or wrong, and not a plain name."""
    return _MEANT_AS_CODE.fullmatch(text) is not None


def code_problems(text: str) -> list[str]:
    """Return what is wrong with a value that is meant as a code; empty for a good one or a name."""
    if not meant_as_code(text):
        return []
    if len(text) != CODE_LENGTH:
        return [f"{text} has {len(text)} characters; a provider code has {CODE_LENGTH}"]
    code = parse_code(text)
    if code is None:
        return [f"{text} holds other characters than 0-9 and A-Z"]
    if code.uscc is not None and not code.uscc_valid:
        return [f"the check character of credit code {code.uscc} in {text} is wrong"]
    return []


def service_type_fits(text: str, role: Role) -> bool | None:
    """Tell whether position 23 suits the field; None where `text` is no 27-character code."""
    code = parse_code(text)
    if code is None or code.service_type is None:
        return None
    return code.service_type in ("0", SERVICE_TYPES[role])


def same_provider(one: str, other: str) -> bool:
    """Tell whether two provider values name the same legal entity (its models may differ)."""
    if one == other:
        return True
    first, second = parse_code(one), parse_code(other)
    if first is None or second is None:
        return False
    return (first.subject_type, first.binding, first.identifier) == (
        second.subject_type,
        second.binding,
        second.identifier,
    )


def uscc_valid(uscc: str) -> bool:
    """Check a unified social credit code: weights 3**i mod 31, GB 32100-2015."""
    if len(uscc) != _USCC_LENGTH or any(char not in _USCC_ALPHABET for char in uscc):
        return False
    values = [_USCC_ALPHABET.index(char) for char in uscc]
    total = sum(value * pow(3, i, 31) for i, value in enumerate(values[:-1]))
    return (total + values[-1]) % 31 == 0
