"""Labelling a picture: the visible label, then the watermark over it, as its encoder needs it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from aiglabel import containers, media
from aiglabel.containers.sniff import AnyFormat, Format
from aiglabel.errors import UnsupportedFormat
from aiglabel.evidence import Evidence, Outcome
from aiglabel.marks import aigc, credentials, iptc, overlay
from aiglabel.marks.metadata import write_properties
from aiglabel.marks.watermark import MARK as WATERMARK
from aiglabel.marks.watermark import at_least
from aiglabel.marks.watermark import pictures as watermark
from aiglabel.media import Picture
from aiglabel.pipeline.job import LOST_CREDENTIALS, Clock, Job, broken_credentials
from aiglabel.result import EmbedResult
from aiglabel.signal.informed import STRENGTHS

_FINER_QUALITY = 80  # JPEG quality at which the watermark holds
_GLANCE_SIDE = 512  # pixels of the shortest side that reading the marks back needs


@dataclass(frozen=True)
class Origin:
    """The file a picture comes from, and what is asked of it more than once.

    `label` is what `aigc.read` found in it, where that matters.
    """

    data: bytes
    format: Format
    label: Evidence | None


@dataclass(frozen=True, kw_only=True)
class PictureJob(Job):
    """A job on a picture, which is held in memory; `run` does it."""

    def run(self, data: bytes, fmt: AnyFormat) -> EmbedResult:
        """Label a file's bytes; `fmt` is what the result shall be."""
        if not isinstance(fmt, Format):
            raise UnsupportedFormat(
                f"a picture cannot be written as {fmt.value}", remedy="Name a picture format"
            )
        found = containers.sniff(data)
        matters = self.label is not None and self.policy.aigc.enabled
        origin = Origin(data, found, aigc.read(data, found) if matters else None)
        return self.agreeing(origin.label)._run(origin, fmt)

    def run_array(self, picture: Picture, fmt: Format) -> EmbedResult:
        """Label a picture made of an array."""
        return self._paint(picture, None, fmt, Clock())

    def _run(self, origin: Origin, fmt: Format) -> EmbedResult:
        clock = Clock()
        unsigned = not self.signs and containers.has_c2pa(origin.data, origin.format)
        touches = self.policy.overlay.enabled or self.policy.watermark.enabled
        if touches or fmt is not origin.format:
            result = self._decoded(origin, fmt, clock)
            return replace(result, notes=(*result.notes, LOST_CREDENTIALS)) if unsigned else result
        # What nobody touches is never decoded: it stays byte-identical.
        if unsigned:
            raise broken_credentials()
        data, outcomes, sidecar = self._described(origin.data, origin, fmt, [], clock)
        sizes = len(origin.data), len(data)
        return self.result(fmt, outcomes, clock, sizes=sizes, _data=data, sidecar=sidecar)

    def _decoded(self, origin: Origin, fmt: Format, clock: Clock) -> EmbedResult:
        with clock.step("decode"):
            picture = media.decode(origin.data, limits=self.limits)
        if fmt is not origin.format:
            # What the source's own format would have lost is of no interest.
            note = (
                f"converted to {fmt.value.upper()}: of the metadata, XMP, EXIF and ICC come along"
            )
            picture = replace(picture, notes=[note])
        return self._paint(picture, origin, fmt, clock)

    def _paint(
        self, picture: Picture, origin: Origin | None, fmt: Format, clock: Clock
    ) -> EmbedResult:
        picture = media.fit(picture, fmt)
        outcomes: list[Outcome] = []
        if self.policy.overlay.enabled:
            with clock.step("overlay"):
                outcomes.append(overlay.write(picture, self.policy.overlay))
        if not self.policy.watermark.enabled:
            return self._write(picture, origin, fmt, outcomes, clock, self.quality)
        for strength, quality in self._attempts(fmt):
            marked = replace(picture, frames=list(picture.frames), notes=list(picture.notes))
            with clock.step("watermark"):
                mark = watermark.write(marked, self.payload, key=self.key, strength=strength)
            if quality != self.quality:
                marked.notes.append(
                    f"its JPEG tables would swallow the watermark: coded at quality {quality}"
                )
            result = self._write(marked, origin, fmt, [*outcomes, mark], clock, quality)
            if result.payload is not None or not mark.written:
                break
        return result

    def _attempts(self, fmt: Format) -> Iterator[tuple[str, int | None]]:
        """Strength and quality to try in turn, for encoders that swallow the mark.

        A palette or low JPEG quality may; a JPEG re-encoded with its own coarse tables even snaps
        back to the very same coefficients.
        """
        asked = self.policy.watermark.strength
        for strength in at_least(asked, STRENGTHS):
            yield strength, self.quality
        if fmt is Format.JPEG and self.quality is None:
            yield asked, _FINER_QUALITY

    def _write(
        self,
        picture: Picture,
        origin: Origin | None,
        fmt: Format,
        outcomes: Sequence[Outcome],
        clock: Clock,
        quality: int | None,
    ) -> EmbedResult:
        """Encode what was painted, add metadata and credentials, and read everything back."""
        coded, notes = self._encode(picture, origin, fmt, clock, quality)
        coded, outcomes, sidecar = self._described(coded, origin, fmt, outcomes, clock)
        with clock.step("read back"):
            outcomes = self._read_back(picture, coded, outcomes)
        return self.result(
            fmt, outcomes, clock, sizes=(len(origin.data) if origin else 0, len(coded)),
            _data=coded, sidecar=sidecar, notes=notes, _media=picture,
        )  # fmt: skip

    def _encode(
        self,
        picture: Picture,
        origin: Origin | None,
        fmt: Format,
        clock: Clock,
        quality: int | None,
    ) -> tuple[bytes, list[str]]:
        with clock.step("encode"):
            coded = media.encode(picture, fmt, quality=quality)
            notes = list(picture.notes)
            if origin and origin.format is fmt:
                coded, lost = containers.carry_over(origin.data, coded, fmt)
                notes += lost
            elif origin:
                for packet in containers.read_xmp(origin.data, origin.format)[:1]:
                    coded = containers.write_xmp(coded, fmt, packet)
        return coded, notes

    def _read_back(
        self, picture: Picture, data: bytes, outcomes: Sequence[Outcome]
    ) -> list[Outcome]:
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
        if outcome.mark == WATERMARK:
            return watermark.holds(back, self.payload, key=self.key)
        return True  # metadata and credentials read themselves back as they are written

    # ------------------------------------------------------------------ metadata and credentials

    def _described(
        self,
        coded: bytes,
        origin: Origin | None,
        fmt: Format,
        outcomes: Sequence[Outcome],
        clock: Clock,
    ) -> tuple[bytes, list[Outcome], bytes | None]:
        """Add metadata and credentials to an encoded file: its bytes, all outcomes, the sidecar."""
        coded, properties = self._with_properties(coded, origin, fmt, clock)
        outcomes = [*outcomes, *properties]
        if not self.signs or self.signer is None or self.label is None:
            return coded, outcomes, None
        wanted = self.policy.credentials
        with clock.step("sign"):
            signed = credentials.write(
                coded, fmt, label=self.label, signer=self.signer, marks=outcomes,
                parent=origin.data if origin else None, soft_binding=wanted.soft_binding,
                allow_broken_parent=wanted.allow_broken_parent,
            )  # fmt: skip
        return signed.data, [*outcomes, signed.outcome], signed.sidecar

    def _with_properties(
        self, coded: bytes, origin: Origin | None, fmt: Format, clock: Clock
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
                    source=origin.label if origin else None, also=also,
                )  # fmt: skip
                outcomes.append(outcome)
            else:
                coded = write_properties(coded, fmt, also)
            if also:  # a mere suspicion states no source type
                outcomes.append(iptc.outcome(coded, fmt, also))
        return coded, outcomes
