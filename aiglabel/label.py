"""What is claimed about a piece of media. Which bytes say so is the marks' business.

Terms follow GB 45438-2025 Annex E (Label, ContentProducer, ProduceID, ContentPropagator,
PropagateID) and the IPTC digital source type vocabulary.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

from aiglabel.errors import LabelError

PAYLOAD_BYTES = 8
MAX_CHARACTERS = 4096  # of one value; the standard names no limit, containers have theirs
_ANNEX_E_FIELDS = (
    "producer", "content_id", "propagator", "propagate_id", "reserved1", "reserved2",
)  # fmt: skip


class Kind(StrEnum):
    """What the label says of the content."""

    GENERATED = "generated"  # wholly made by a model
    EDITED = "edited"  # existing media changed by a model
    POSSIBLE = "possible"  # the user declares it, nothing else proves it  (Measures Art. 6(2))
    SUSPECTED = "suspected"  # a platform found other traces                  (Measures Art. 6(3))

    @property
    def aigc_code(self) -> str:
        """Annex E `Label` value: 1 is, 2 may be, 3 is suspected to be AI-generated."""
        return {"possible": "2", "suspected": "3"}.get(self.value, "1")


@dataclass(frozen=True, kw_only=True)
class Label:
    """One claim. Build it with `generated`, `edited`, `possible` or `suspected`.

    Attributes
    ----------
    kind : Kind
    producer, content_id : str
        Code of the generation service provider (TC260-PG-20252A, 27 characters) and the number it
        gave this content. Required for `generated` and `edited`.
    propagator, propagate_id : str
        The same for the platform that spreads the content.
    model, model_version : str
        The generating system, for C2PA, IPTC and SB 942.
    time : datetime
        When the content was made; UTC. Defaults to now.
    reserved1, reserved2 : str
        Annex E `ReservedCode1` and `ReservedCode2`; empty unless security data is wanted.
    """

    kind: Kind
    producer: str = ""
    content_id: str = ""
    propagator: str = ""
    propagate_id: str = ""
    model: str = ""
    model_version: str = ""
    time: datetime
    reserved1: str = ""
    reserved2: str = ""

    def __post_init__(self) -> None:
        made = self.kind in (Kind.GENERATED, Kind.EDITED)
        required = ("producer", "content_id") if made else ("propagator", "propagate_id")
        for name in required:
            if not getattr(self, name):
                raise LabelError(
                    f"a label of kind '{self.kind}' needs {name}",
                    remedy="GB 45438-2025 Annex E wants the provider and its content number",
                )
        for name in _ANNEX_E_FIELDS:
            check_annex_e(name, getattr(self, name))
        if len(self.model) + len(self.model_version) > MAX_CHARACTERS:
            raise LabelError(f"model and version have more than {MAX_CHARACTERS} characters")
        if self.time.tzinfo is None:
            raise LabelError("the label's time has no time zone", remedy="Pass an aware datetime")

    @classmethod
    def generated(
        cls, *, producer: str, content_id: str, time: datetime | None = None, **rest: str
    ) -> Label:
        """Content wholly made by a model; `rest` may name `model`, `model_version` and others."""
        return cls(
            kind=Kind.GENERATED, producer=producer, content_id=content_id, time=time or _now(),
            **rest,
        )  # fmt: skip

    @classmethod
    def edited(cls, **values: Any) -> Label:
        """Existing content changed by a model; takes what `generated` does."""
        return replace(cls.generated(**values), kind=Kind.EDITED)

    @classmethod
    def possible(
        cls, *, propagator: str, propagate_id: str, time: datetime | None = None, **rest: str
    ) -> Label:
        """Content its user declares to be AI-generated, written by a platform."""
        return cls(
            kind=Kind.POSSIBLE, propagator=propagator, propagate_id=propagate_id,
            time=time or _now(), **rest,
        )  # fmt: skip

    @classmethod
    def suspected(cls, **values: Any) -> Label:
        """Content in which a platform found traces of generation; takes what `possible` does."""
        return replace(cls.possible(**values), kind=Kind.SUSPECTED)

    @property
    def payload(self) -> bytes:
        """The 8 bytes the watermark carries: a digest of who made it and its number.

        BLAKE2b-64 of ``producer NUL content_id`` (the propagator's pair for labels 2 and 3), so a
        provider finds its record without a table and nobody reads personal data out of pixels.
        """
        made = self.kind in (Kind.GENERATED, Kind.EDITED)
        if made:
            return record_number(self.producer, self.content_id)
        return record_number(self.propagator, self.propagate_id)


def record_number(provider: str, content_id: str) -> bytes:
    """Return the 8 bytes that stand for a provider's record in the watermark."""
    text = f"{provider}\0{content_id}"
    return hashlib.blake2b(text.encode(), digest_size=PAYLOAD_BYTES).digest()


def check_annex_e(name: str, value: str) -> None:
    r"""Refuse a value outside the charset of GB 45438-2025 Annex E j).

    After JSON decoding every character lies in 0x21–0x7E and is not a backslash.

    Raises
    ------
    LabelError
        Naming the field and the first character that is not allowed.
    """
    if len(value) > MAX_CHARACTERS:
        raise LabelError(f"{name} has more than {MAX_CHARACTERS} characters")
    for char in value:
        if not "\x21" <= char <= "\x7e" or char == "\\":
            raise LabelError(
                f"{name} contains {char!r}, which GB 45438-2025 Annex E does not allow",
                remedy="Use printable ASCII without spaces; for a company, its 27-character code",
            )


def _now() -> datetime:
    return datetime.now(UTC).replace(microsecond=0)
