"""Labelling a sound: the audible label, the watermark over it, one encoding, all in blocks."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
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
from aiglabel.media import Limits, sound
from aiglabel.media.sound_arrays import Like
from aiglabel.media.sound_coding import Coding, Sound
from aiglabel.media.video_belt import Progress
from aiglabel.pipeline.files import FileJob, Given, Marked
from aiglabel.pipeline.job import Clock
from aiglabel.result import EmbedResult
from aiglabel.signal import audio

Float = NDArray[np.float32]


@dataclass(frozen=True, kw_only=True)
class SoundJob(FileJob):
    """See `FileJob`.

    Attributes
    ----------
    samples : Sound, optional
        An array that is labelled in place of a file.
    """

    samples: Sound | None = None

    @property
    def touches(self) -> bool:
        """See `FileJob`."""
        return self.policy.audible.enabled or self.policy.watermark.enabled

    def run_array(self, samples: Sound, like: Like, dst: Path, fmt: SoundFormat) -> EmbedResult:
        """Label a sound made of an array; see `run`."""
        job = replace(self, samples=samples)
        return replace(job.labelled(Given(), dst, fmt), _media=like)

    def marked(self, given: Given, fmt: AnyFormat, folder: Path, clock: Clock) -> Marked:
        """See `FileJob`: mark, the louder where the encoder leaves too little."""
        if not isinstance(fmt, SoundFormat):
            raise UnsupportedFormat(
                f"a sound cannot be written as {fmt.value}", remedy="Name a sound format"
            )
        source, path = self._source(given), folder / "sound"
        target = self._target(source.coding, given, fmt)
        for strength in self.strengths(source.coding):
            with clock.step("mark and encode"):
                marks = self.write(source, path, target, strength)
            with clock.step("read back"):
                outcomes = self.read_back(path, marks)
            if not too_little(outcomes):
                break
        converted = given.path is not None and fmt is not given.format
        return Marked(path, outcomes, [f"converted to {fmt.value}"] if converted else [])

    def _source(self, given: Given) -> SoundSource:
        if self.samples is not None:
            return SoundSource(self.samples.coding, y=self.samples.y)
        assert given.path is not None
        return SoundSource(sound.probe(given.path, limits=self.limits), file=given.path)

    def strengths(self, coding: Coding) -> list[str | None]:
        """Strengths to try in turn; None where there is to be no watermark."""
        if not self.policy.watermark.enabled or watermark.refusal(coding.rate, coding.channels):
            return [None]
        return [*at_least(self.policy.watermark.strength, audio.STRENGTHS)]

    def _target(self, coding: Coding, given: Given, fmt: SoundFormat) -> Coding:
        if fmt is not given.format:
            return coding.into(fmt, bitrate=self.bitrate)
        if self.bitrate is None or coding.lossless:
            return coding
        return replace(coding, bitrate=self.bitrate)

    def write(
        self, source: SoundSource, path: Path, target: Coding, strength: str | None
    ) -> SoundMarks:
        """Mark and encode to `path`, which may exist; with no `strength` there is no watermark."""
        coding, labelling, marking = source.coding, None, None
        blocks: Iterable[Float] = source.blocks(self.limits)
        if self.policy.audible.enabled:
            blocks = labelling = audible.Labelling(
                blocks, rate=coding.rate, channels=coding.channels,
                length=source.length(self.policy.audible, self.limits), style=self.policy.audible,
            )  # fmt: skip
        if strength is not None:
            blocks = marking = watermark.Marking(
                blocks, self.payload, rate=coding.rate, channels=coding.channels, key=self.key,
                strength=strength,
            )  # fmt: skip
        if self.progress:
            blocks = _told(blocks, coding, self.progress)
        sound.write(path, blocks, coding, source=source.file, target=target, overwrite=True)
        return SoundMarks(labelling, marking)

    def read_back(self, coded: Path, marks: SoundMarks) -> list[Outcome]:
        """Listen to what was made; a mark that the encoder destroyed is not called written."""
        coding = sound.probe(coded, limits=self.limits)
        rate = coding.rate
        outcomes = []
        if marks.labelling:
            put = marks.labelling.outcome()
            if not self._audible(coded, rate, put):
                detail = f"{put.detail}; not heard again in the finished file"
                put = replace(put, written=False, detail=detail)
            outcomes.append(put)
        if marks.marking:
            pieces = sound.blocks(coded, size=round(audio.LISTENED * rate), limits=self.limits)
            heard = watermark.reread(pieces, self.payload, rate=rate, key=self.key)
            outcomes.append(marks.marking.outcome(heard))
        elif self.policy.watermark.enabled:
            why = watermark.refusal(rate, coding.channels) or ""
            outcomes.append(Outcome(mark=MARK, written=False, detail=why))
        return outcomes

    def _audible(self, coded: Path, rate: int, put: Outcome) -> bool:
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
class SoundSource:
    """Samples in an array, or in a file."""

    coding: Coding
    y: Float | None = None
    file: Path | None = None

    def blocks(self, limits: Limits) -> Iterator[Float]:
        """Yield the samples, (channels, any)."""
        if self.file is None:
            assert self.y is not None
            return iter([self.y])
        return sound.blocks(self.file, limits=limits)

    def length(self, style: audible.AudibleStyle, limits: Limits) -> int:
        """Samples of a channel; headers may be off by a little, which matters at the end only."""
        exact = self.coding.lossless or not (style.end or style.every)
        if self.coding.samples is not None and exact:
            return self.coding.samples
        return sum(block.shape[1] for block in self.blocks(limits))


@dataclass(frozen=True)
class SoundMarks:
    """What puts marks into a sound that is being written, and can tell of them afterwards."""

    labelling: audible.Labelling | None
    marking: watermark.Marking | None


def too_little(outcomes: Sequence[Outcome]) -> bool:
    """Whether an encoder left too little of a watermark that was there: stronger ones may hold."""
    last = outcomes[-1] if outcomes else None
    return last is not None and not last.written and bool(last.facts.get("largest_change"))


def _told(blocks: Iterable[Float], coding: Coding, progress: Progress) -> Iterator[Float]:
    """Yield the blocks, and tell how far they go."""
    done, length = 0, coding.samples and coding.samples / coding.rate
    for block in blocks:
        yield block
        done += block.shape[1]
        progress(done / coding.rate, length)
