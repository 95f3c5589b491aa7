"""Labelling a sound: the audible label, the watermark over it, one encoding, all in blocks.

Only coded bytes are held whole: the memory taken does not grow with the number of samples.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from aiglabel.containers.sniff import AnyFormat, SoundFormat
from aiglabel.errors import UnsupportedFormat
from aiglabel.evidence import Outcome
from aiglabel.marks import audible
from aiglabel.marks.watermark import MARK, at_least
from aiglabel.marks.watermark import sounds as watermark
from aiglabel.media import sound
from aiglabel.media.sound_arrays import Like
from aiglabel.media.sound_coding import Coding, Sound
from aiglabel.pipeline.job import Clock, Job, Origin
from aiglabel.result import EmbedResult
from aiglabel.signal import audio

Float = NDArray[np.float32]


@dataclass(frozen=True, kw_only=True)
class SoundJob(Job):
    """See `Job`."""

    @property
    def touches(self) -> bool:
        """See `Job`."""
        return self.policy.audible.enabled or self.policy.watermark.enabled

    def run_array(self, samples: Sound, like: Like, fmt: SoundFormat) -> EmbedResult:
        """Label a sound made of an array."""
        marked = _Source(samples.y, samples.coding, None)
        return replace(self._mark(marked, None, fmt, Clock()), _media=like)

    def mark(self, origin: Origin, fmt: AnyFormat, clock: Clock) -> EmbedResult:
        """See `Job`."""
        if not isinstance(fmt, SoundFormat):
            raise UnsupportedFormat(
                f"a sound cannot be written as {fmt.value}", remedy="Name a sound format"
            )
        coding = sound.probe(origin.data, limits=self.limits)
        return self._mark(_Source(None, coding, origin.data), origin, fmt, clock)

    def _mark(
        self, source: _Source, origin: Origin | None, fmt: SoundFormat, clock: Clock
    ) -> EmbedResult:
        """Mark, the louder where the encoder leaves too little, then add what is not sound.

        Metadata and credentials leave coded sound as it is, so it is heard before them: they state
        what is really there.
        """
        coding = source.coding
        target = self._target(coding, origin, fmt)
        notes = [] if origin is None or fmt is origin.format else [f"converted to {fmt.value}"]
        refused = None
        if self.policy.watermark.enabled:
            refused = watermark.refusal(coding.rate, coding.channels)
        marks = self.policy.watermark.enabled and refused is None
        strengths = at_least(self.policy.watermark.strength, audio.STRENGTHS)
        for strength in strengths if marks else [None]:
            with clock.step("mark and encode"):
                coded, labelling, marking = self._write(source, target, strength)
            with clock.step("read back"):
                outcomes = self._read_back(coded, labelling, marking)
            last = outcomes[-1] if outcomes else None
            if last is None or last.written or not last.facts.get("largest_change"):
                break
        if refused:
            outcomes.append(Outcome(mark=MARK, written=False, detail=refused))
        coded, outcomes, sidecar = self.described(coded, origin, fmt, outcomes, clock)
        return self.result(origin, fmt, outcomes, clock, data=coded, sidecar=sidecar, notes=notes)

    def _target(self, coding: Coding, origin: Origin | None, fmt: SoundFormat) -> Coding:
        if origin is None or fmt is not origin.format:
            return coding.into(fmt, bitrate=self.bitrate)
        if self.bitrate is None or coding.lossless:
            return coding
        return replace(coding, bitrate=self.bitrate)

    def _write(
        self, source: _Source, target: Coding, strength: str | None
    ) -> tuple[bytes, audible.Labelling | None, watermark.Marking | None]:
        """Mark and encode; with no `strength` there is no watermark."""
        coding, labelling, marking = source.coding, None, None
        blocks: Iterable[Float] = source.blocks(self)
        if self.policy.audible.enabled:
            blocks = labelling = audible.Labelling(
                blocks, rate=coding.rate, channels=coding.channels,
                length=source.length(self, self.policy.audible), style=self.policy.audible,
            )  # fmt: skip
        if strength is not None:
            blocks = marking = watermark.Marking(
                blocks, self.payload, rate=coding.rate, channels=coding.channels, key=self.key,
                strength=strength,
            )  # fmt: skip
        with tempfile.TemporaryDirectory(prefix="aiglabel-") as folder:
            path = Path(folder) / "sound"
            sound.write(path, blocks, coding, source=source.data, target=target)
            return path.read_bytes(), labelling, marking

    def _read_back(
        self, coded: bytes, labelling: audible.Labelling | None, marking: watermark.Marking | None
    ) -> list[Outcome]:
        """Listen to what was made; a mark that the encoder destroyed is not called written."""
        rate = sound.probe(coded, limits=self.limits).rate
        outcomes = []
        if labelling:
            put = labelling.outcome()
            if not self._audible(coded, rate, put):
                detail = f"{put.detail}; not heard again in the finished file"
                put = replace(put, written=False, detail=detail)
            outcomes.append(put)
        if marking:
            pieces = sound.blocks(coded, size=round(audio.LISTENED * rate), limits=self.limits)
            heard = watermark.reread(pieces, self.payload, rate=rate, key=self.key)
            outcomes.append(marking.outcome(heard))
        return outcomes

    def _audible(self, coded: bytes, rate: int, put: Outcome) -> bool:
        """Whether the first label is heard where it was put."""
        style, first = self.policy.audible, put.facts["spots"][0]
        begin = max(round((first["start"] - 1) * rate), 0)
        end = round((first["start"] + first["duration"] + 1) * rate)
        parts, at = [], 0
        for block in sound.blocks(coded, limits=self.limits):
            parts.append(block[:, max(begin - at, 0) : max(end - at, 0)])
            at += block.shape[1]
            if at >= end:
                break
        listener = audible.Listener(rate, seconds=None, voices=style.own_voices)
        listener.hear(np.concatenate(parts, axis=1))
        facts = listener.evidence().facts
        return bool(facts.get("rhythms" if style.form == "rhythm" else "voices"))


@dataclass(frozen=True)
class _Source:
    """Samples in an array, or in a file's bytes."""

    y: Float | None
    coding: Coding
    data: bytes | None

    def blocks(self, job: SoundJob) -> Iterator[Float]:
        if self.data is None:
            assert self.y is not None
            return iter([self.y])
        return sound.blocks(self.data, limits=job.limits)

    def length(self, job: SoundJob, style: audible.AudibleStyle) -> int:
        """Samples of a channel; headers may be off by a little, which matters at the end only."""
        exact = self.coding.lossless or not (style.end or style.every)
        if self.coding.samples is not None and exact:
            return self.coding.samples
        return sum(block.shape[1] for block in self.blocks(job))
