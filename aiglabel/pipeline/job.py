"""One claim made of one file, step by step: decode once, mark, encode once, sign, read back.

No mark decodes or encodes for itself. The order matters: whatever touches pixels or samples comes
first, C2PA last, because it signs everything before it. Pictures are held in memory (`pictures`),
sounds and films stay on disk (`files`).
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any, Self

from aiglabel.containers.sniff import AnyFormat
from aiglabel.errors import SigningError
from aiglabel.evidence import Evidence, Outcome
from aiglabel.key import Key
from aiglabel.label import Label, record_number
from aiglabel.marks import aigc, credentials
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
