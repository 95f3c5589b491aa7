"""One claim made of one picture, step by step: decode once, mark, encode once, sign, read back.

No mark decodes or encodes for itself. The order matters: whatever touches pixels comes first, C2PA
last, because it signs everything before it.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace

from aiglabel import containers, media
from aiglabel.containers.sniff import Format, sniff
from aiglabel.errors import SigningError
from aiglabel.evidence import Evidence, Outcome
from aiglabel.key import Key
from aiglabel.label import Label, record_number
from aiglabel.marks import aigc, credentials, iptc, overlay, watermark
from aiglabel.marks.metadata import write_properties
from aiglabel.media import Limits, Picture
from aiglabel.policy import Policy
from aiglabel.result import EmbedResult, Quality

_FINER_QUALITY = 80  # JPEG quality at which the watermark holds
_GLANCE_SIDE = 512  # pixels of the shortest side that reading the marks back needs


@dataclass(frozen=True)
class _Source:
    """The file a picture comes from, and what is asked of it more than once; arrays have none.

    `label` is what `aigc.read` found in it, where that matters.
    """

    data: bytes
    format: Format
    label: Evidence | None


@dataclass(frozen=True, kw_only=True)
class Job:
    """What to write, how, and with what; `run` does it to one picture. See `embedding.Labeler`.

    Attributes
    ----------
    label : Label or None
        None writes the watermark alone.
    payload : bytes
        What the watermark carries.
    quality : int or None
        For lossy formats; None keeps the source's.
    """

    policy: Policy
    key: Key
    signer: credentials.Signer | None
    limits: Limits
    label: Label | None
    payload: bytes
    quality: int | None

    @property
    def _signs(self) -> bool:
        asked = self.label is not None and self.policy.credentials.enabled
        return asked and self.signer is not None

    def run(self, source: bytes | Picture, fmt: Format) -> EmbedResult:
        """Label a file's bytes, or a picture made of an array."""
        if isinstance(source, bytes):
            return self._run_file(self._look_at(source), fmt)
        return self._paint(source, None, fmt, _Clock())

    def _look_at(self, data: bytes) -> _Source:
        fmt = sniff(data)
        matters = self.label is not None and self.policy.aigc.enabled
        return _Source(data, fmt, aigc.read(data, fmt) if matters else None)

    def _run_file(self, source: _Source, fmt: Format) -> EmbedResult:
        record = self._record(source)
        if record is not None and record != self.payload:
            return replace(self, payload=record)._run_file(source, fmt)
        clock = _Clock()
        unsigned = not self._signs and containers.has_c2pa(source.data, source.format)
        converts = fmt is not source.format
        if not (self.policy.overlay.enabled or self.policy.watermark.enabled or converts):
            # A file whose pixels nobody touches is never decoded: they stay byte-identical.
            if unsigned:
                raise SigningError(
                    "the file carries C2PA credentials that a new label would invalidate",
                    remedy="Pass a signer, so that they become the parent of new ones",
                )
            return self._write(None, source, fmt, [], clock, None)
        with clock.step("decode"):
            picture = media.decode(source.data, limits=self.limits)
        if converts:
            picture = self._converted(picture, fmt)
        if unsigned:
            picture.notes.append(
                "its C2PA credentials do not fit the new pixels; a signer keeps them"
            )
        return self._paint(picture, source, fmt, clock)

    def _paint(
        self, picture: Picture, source: _Source | None, fmt: Format, clock: _Clock
    ) -> EmbedResult:
        """Draw the visible label, then the watermark over it, as loud as the encoder needs it."""
        picture = media.fit(picture, fmt)
        outcomes: list[Outcome] = []
        if self.policy.overlay.enabled:
            with clock.step("overlay"):
                outcomes.append(overlay.write(picture, self.policy.overlay))
        if not self.policy.watermark.enabled:
            return self._write(picture, source, fmt, outcomes, clock, self.quality)
        for strength, quality in self._attempts(fmt):
            marked = replace(picture, frames=list(picture.frames), notes=list(picture.notes))
            with clock.step("watermark"):
                mark = watermark.write(marked, self.payload, key=self.key, strength=strength)
            if quality != self.quality:
                marked.notes.append(
                    f"its JPEG tables would swallow the watermark: coded at quality {quality}"
                )
            result = self._write(marked, source, fmt, [*outcomes, mark], clock, quality)
            if result.payload is not None or not mark.written:
                break
        return result

    @staticmethod
    def _converted(picture: Picture, fmt: Format) -> Picture:
        """Replace the notes on what the source's own format would have lost."""
        note = f"converted to {fmt.value.upper()}: of the metadata, XMP, EXIF and ICC come along"
        return replace(picture, notes=[note])

    def _record(self, source: _Source) -> bytes | None:
        """Return the record the metadata label will name, where the file has one to consider.

        A label that is kept names another record than ours: the watermark must agree with it.
        """
        if self.label is None or source.label is None:
            return None
        fields = aigc.plan(source.label, self.label, existing=self.policy.aigc.existing).fields
        if fields is None:
            return None
        if fields["ContentProducer"]:
            return record_number(fields["ContentProducer"], fields["ProduceID"])
        return record_number(fields["ContentPropagator"], fields["PropagateID"])

    def _attempts(self, fmt: Format) -> Iterator[tuple[str, int | None]]:
        """Strength and quality to try in turn, for encoders that swallow the mark.

        A palette or low JPEG quality may; a JPEG re-encoded with its own coarse tables even snaps
        back to the very same coefficients.
        """
        asked = self.policy.watermark.strength
        for strength in (asked, *watermark.stronger(asked)):
            yield strength, self.quality
        if fmt is Format.JPEG and self.quality is None:
            yield asked, _FINER_QUALITY

    def _write(
        self,
        picture: Picture | None,
        source: _Source | None,
        fmt: Format,
        outcomes: list[Outcome],
        clock: _Clock,
        quality: int | None,
    ) -> EmbedResult:
        """Encode what was painted, add metadata and credentials, and read everything back."""
        original = source.data if source else b""
        coded, notes = original, list[str]()
        if picture is not None:
            coded, notes = self._encode(picture, source, fmt, clock, quality)
        coded, described = self._describe(coded, source, fmt, clock)
        outcomes = [*outcomes, *described]
        notes += [one.detail for one in described if one.facts.get("kept")]
        signed = self._sign(coded, source, fmt, outcomes, clock)
        if signed is not None:
            coded, outcomes = signed.data, [*outcomes, signed.outcome]
        if picture is not None:
            with clock.step("read back"):
                outcomes = self._read_back(picture, coded, outcomes)
        marked = next((one for one in outcomes if one.mark == watermark.MARK), None)
        return EmbedResult(
            payload=self.payload if marked and marked.written else None,
            quality=Quality.of(marked),
            marks=tuple(outcomes),
            format=fmt,
            sizes={"source": len(original), "result": len(coded)},
            timings=clock.seconds,
            notes=tuple(notes),
            data=coded,
            sidecar=signed.sidecar if signed else None,
            _picture=picture,
        )

    def _encode(
        self,
        picture: Picture,
        source: _Source | None,
        fmt: Format,
        clock: _Clock,
        quality: int | None,
    ) -> tuple[bytes, list[str]]:
        with clock.step("encode"):
            coded = media.encode(picture, fmt, quality=quality)
            notes = list(picture.notes)
            if source and source.format is fmt:
                coded, lost = containers.carry_over(source.data, coded, fmt)
                notes += lost
            elif source:
                for packet in containers.read_xmp(source.data, source.format)[:1]:
                    coded = containers.write_xmp(coded, fmt, packet)
        return coded, notes

    def _describe(
        self, coded: bytes, source: _Source | None, fmt: Format, clock: _Clock
    ) -> tuple[bytes, list[Outcome]]:
        """Write AIGC and IPTC properties in one pass over the file."""
        outcomes: list[Outcome] = []
        if self.label is None:
            return coded, outcomes
        with clock.step("metadata"):
            also = iptc.properties(self.label) if self.policy.iptc.enabled else {}
            if self.policy.aigc.enabled:
                coded, outcome = aigc.write(
                    coded, fmt, self.label, existing=self.policy.aigc.existing,
                    source=source.label if source else None, also=also,
                )  # fmt: skip
                outcomes.append(outcome)
            else:
                coded = write_properties(coded, fmt, also)
            if also:  # a mere suspicion states no source type
                outcomes.append(iptc.outcome(coded, fmt, also))
        return coded, outcomes

    def _sign(
        self,
        coded: bytes,
        source: _Source | None,
        fmt: Format,
        outcomes: list[Outcome],
        clock: _Clock,
    ) -> credentials.Signed | None:
        if not self._signs or self.signer is None or self.label is None:
            return None
        wanted = self.policy.credentials
        with clock.step("sign"):
            return credentials.write(
                coded, fmt, label=self.label, signer=self.signer, marks=outcomes,
                parent=source.data if source else None, soft_binding=wanted.soft_binding,
                allow_broken_parent=wanted.allow_broken_parent,
            )  # fmt: skip

    def _read_back(self, picture: Picture, data: bytes, outcomes: list[Outcome]) -> list[Outcome]:
        """Decode what was made; a pixel mark that the encoder destroyed is not called written."""
        back = media.glance(data, space=picture.space, shortest=_GLANCE_SIDE, limits=self.limits)
        return [
            one
            if not one.written or self._survived(one, picture, back)
            else replace(one, written=False, detail=f"{one.detail}; lost in encoding")
            for one in outcomes
        ]

    def _survived(self, outcome: Outcome, picture: Picture, back: Picture) -> bool:
        if outcome.mark == overlay.MARK:
            return overlay.holds(picture, back, outcome)
        if outcome.mark == watermark.MARK:
            return watermark.holds(back, self.payload, key=self.key)
        return True  # metadata and credentials read themselves back as they are written


class _Clock:
    """Seconds spent in each step of one job."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}

    @contextmanager
    def step(self, name: str) -> Iterator[None]:
        begin = time.perf_counter()
        yield
        self.seconds[name] = self.seconds.get(name, 0.0) + time.perf_counter() - begin
