"""Labelling a picture: the visible label, then the watermark over it, as its encoder needs it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from aiglabel import containers, media
from aiglabel.containers.sniff import AnyFormat, Format
from aiglabel.errors import UnsupportedFormat
from aiglabel.evidence import Outcome
from aiglabel.marks import overlay
from aiglabel.marks.watermark import MARK as WATERMARK
from aiglabel.marks.watermark import at_least
from aiglabel.marks.watermark import pictures as watermark
from aiglabel.media import Picture
from aiglabel.pipeline.job import Clock, CodedJob, Origin
from aiglabel.result import EmbedResult
from aiglabel.signal.informed import STRENGTHS

_FINER_QUALITY = 80  # JPEG quality at which the watermark holds
_GLANCE_SIDE = 512  # pixels of the shortest side that reading the marks back needs


@dataclass(frozen=True, kw_only=True)
class PictureJob(CodedJob):
    """See `CodedJob`."""

    @property
    def touches(self) -> bool:
        """See `CodedJob`."""
        return self.policy.overlay.enabled or self.policy.watermark.enabled

    def run_array(self, picture: Picture, fmt: Format) -> EmbedResult:
        """Label a picture made of an array."""
        return self._paint(picture, None, fmt, Clock())

    def mark(self, origin: Origin, fmt: AnyFormat, clock: Clock) -> EmbedResult:
        """See `CodedJob`."""
        if not isinstance(fmt, Format):
            raise UnsupportedFormat(
                f"a picture cannot be written as {fmt.value}", remedy="Name a picture format"
            )
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
        coded, outcomes, sidecar = self.described(coded, origin, fmt, outcomes, clock)
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
