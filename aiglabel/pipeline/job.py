"""One claim made of one file, step by step: decode once, mark, encode once, sign, read back.

No mark decodes or encodes for itself. The order matters: whatever touches pixels or samples comes
first, C2PA last, because it signs everything before it. What is particular to a kind of media is
in the other rooms here.
"""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any, Self

from aiglabel import containers
from aiglabel.containers.sniff import AnyFormat, Format, sniff_media
from aiglabel.errors import SigningError
from aiglabel.evidence import Evidence, Outcome
from aiglabel.key import Key
from aiglabel.label import Label, record_number
from aiglabel.marks import aigc, credentials, iptc
from aiglabel.marks.metadata import write_properties
from aiglabel.marks.watermark import MARK as WATERMARK
from aiglabel.media import Limits
from aiglabel.media.video_coding import VideoTarget
from aiglabel.policy import Policy
from aiglabel.result import EmbedResult, Quality

LOST_CREDENTIALS = "its C2PA credentials do not fit the new file; a signer keeps them"


def broken_credentials() -> SigningError:
    """Say that credentials, which cover all metadata, cannot stay beside a new label."""
    return SigningError(
        "the file carries C2PA credentials that a new label would invalidate",
        remedy="Pass a signer, so that they become the parent of new ones",
    )


@dataclass(frozen=True)
class Origin:
    """The file a picture or sound comes from, and what is asked of it more than once.

    `label` is what `aigc.read` found in it, where that matters.
    """

    data: bytes
    format: AnyFormat
    label: Evidence | None


@dataclass(frozen=True, kw_only=True)
class Job:
    """What to write, how, and with what; see `embedding.Labeler`.

    Attributes
    ----------
    label : Label or None
        None writes the watermark alone.
    payload : bytes
        What the watermark carries.
    quality : int or None
        For lossy picture formats; None keeps the source's.
    bitrate : int or None
        Bits a second, for lossy sound formats; None keeps the source's.
    film : VideoTarget or None
        How films are coded, as far as that is to differ from the source.
    """

    policy: Policy
    key: Key
    signer: credentials.Signer | None
    limits: Limits
    label: Label | None
    payload: bytes
    quality: int | None = None
    bitrate: int | None = None
    film: VideoTarget | None = None

    @property
    def signs(self) -> bool:
        """Whether credentials are written."""
        asked = self.label is not None and self.policy.credentials.enabled
        return asked and self.signer is not None

    def agreeing(self, found: Evidence | None) -> Self:
        """Return the job with the payload that the file's metadata label, `found`, will name.

        A label that is kept names another record than ours: the watermark must agree with it.
        """
        if self.label is None or found is None:
            return self
        fields = aigc.plan(found, self.label, existing=self.policy.aigc.existing).fields
        if fields is None:
            return self
        if fields["ContentProducer"]:
            number = record_number(fields["ContentProducer"], fields["ProduceID"])
        else:
            number = record_number(fields["ContentPropagator"], fields["PropagateID"])
        return replace(self, payload=number)

    def result(
        self,
        fmt: AnyFormat,
        outcomes: Sequence[Outcome],
        clock: Clock,
        *,
        sizes: tuple[int, int],
        **fields: Any,
    ) -> EmbedResult:
        """Sum up what was done; `fields` are those of `EmbedResult` only the medium knows.

        `sizes` are the bytes of the source, 0 for arrays, and of the result.
        """
        marked = next((one for one in outcomes if one.mark == WATERMARK), None)
        kept = [one.detail for one in outcomes if one.facts.get("kept")]
        return EmbedResult(
            payload=self.payload if marked and marked.written else None,
            quality=Quality.of(marked),
            marks=tuple(outcomes),
            format=fmt,
            sizes=dict(zip(("source", "result"), sizes, strict=True)),
            timings=clock.seconds,
            notes=(*fields.pop("notes", ()), *kept),
            **fields,
        )


@dataclass(frozen=True, kw_only=True)
class CodedJob(Job, ABC):
    """A job on a file that is held in memory; `run` does it."""

    # ------------------------------------------------------------------ what a kind of media adds

    @property
    @abstractmethod
    def touches(self) -> bool:
        """Whether the policy wants a mark for which the media must be decoded."""

    @abstractmethod
    def mark(self, origin: Origin, fmt: AnyFormat, clock: Clock) -> EmbedResult:
        """Decode a file, mark and encode it, have it `described`, and return its `result`."""

    # ------------------------------------------------------------------ what all have in common

    def run(self, data: bytes, fmt: AnyFormat) -> EmbedResult:
        """Label a file's bytes; `fmt` is what the result shall be."""
        found = sniff_media(data)
        matters = self.label is not None and self.policy.aigc.enabled
        origin = Origin(data, found, aigc.read(data, found) if matters else None)
        return self.agreeing(origin.label)._run(origin, fmt)

    def _run(self, origin: Origin, fmt: AnyFormat) -> EmbedResult:
        clock = Clock()
        unsigned = not self.signs and containers.has_c2pa(origin.data, origin.format)
        if self.touches or fmt is not origin.format:
            result = self.mark(origin, fmt, clock)
            return replace(result, notes=(*result.notes, LOST_CREDENTIALS)) if unsigned else result
        # What nobody touches is never decoded: it stays byte-identical.
        if unsigned:
            raise broken_credentials()
        data, outcomes, sidecar = self.described(origin.data, origin, fmt, [], clock)
        sizes = len(origin.data), len(data)
        return self.result(fmt, outcomes, clock, sizes=sizes, _data=data, sidecar=sidecar)

    def described(
        self,
        coded: bytes,
        origin: Origin | None,
        fmt: AnyFormat,
        outcomes: Sequence[Outcome],
        clock: Clock,
    ) -> tuple[bytes, list[Outcome], bytes | None]:
        """Add metadata and credentials to an encoded file: its bytes, all outcomes, the sidecar."""
        coded, described = self._describe(coded, origin, fmt, clock)
        outcomes = [*outcomes, *described]
        signed = self._sign(coded, origin, fmt, outcomes, clock)
        if signed is None:
            return coded, outcomes, None
        return signed.data, [*outcomes, signed.outcome], signed.sidecar

    def _describe(
        self, coded: bytes, origin: Origin | None, fmt: AnyFormat, clock: Clock
    ) -> tuple[bytes, list[Outcome]]:
        """Write AIGC and IPTC properties in one pass over the file."""
        outcomes: list[Outcome] = []
        if self.label is None:
            return coded, outcomes
        with clock.step("metadata"):
            # IPTC's properties are those of pictures; of the rest the credentials state the same.
            picture = fmt if isinstance(fmt, Format) else None
            states = self.policy.iptc.enabled and picture is not None
            also = iptc.properties(self.label) if states else {}
            if self.policy.aigc.enabled:
                coded, outcome = aigc.write(
                    coded, fmt, self.label, existing=self.policy.aigc.existing,
                    source=origin.label if origin else None, also=also,
                )  # fmt: skip
                outcomes.append(outcome)
            elif picture is not None:
                coded = write_properties(coded, picture, also)
            if picture is not None and also:  # a mere suspicion states no source type
                outcomes.append(iptc.outcome(coded, picture, also))
        return coded, outcomes

    def _sign(
        self,
        coded: bytes,
        origin: Origin | None,
        fmt: AnyFormat,
        outcomes: list[Outcome],
        clock: Clock,
    ) -> credentials.Signed | None:
        if not self.signs or self.signer is None or self.label is None:
            return None
        wanted = self.policy.credentials
        with clock.step("sign"):
            return credentials.write(
                coded, fmt, label=self.label, signer=self.signer, marks=outcomes,
                parent=origin.data if origin else None, soft_binding=wanted.soft_binding,
                allow_broken_parent=wanted.allow_broken_parent,
            )  # fmt: skip


class Clock:
    """Seconds spent in each step of one job."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}

    @contextmanager
    def step(self, name: str) -> Iterator[None]:
        """Add the time spent inside to a step."""
        begin = time.perf_counter()
        yield
        self.seconds[name] = self.seconds.get(name, 0.0) + time.perf_counter() - begin
