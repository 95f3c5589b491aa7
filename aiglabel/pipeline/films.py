"""Labelling a film: from file to file, one decoding, one encoding, in memory that does not grow.

What changes frames is done on their way from the decoder to the encoder; the sound track goes the
way of sounds. Where only the first seconds change, only they are encoded, if the film allows it.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Generator, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from aiglabel.containers.sniff import AnyFormat, VideoFormat
from aiglabel.errors import CorruptMedia, MediaError, UnsupportedFormat
from aiglabel.evidence import Outcome
from aiglabel.marks import overlay
from aiglabel.marks.overlay import Caption
from aiglabel.marks.watermark import MARK, at_least
from aiglabel.marks.watermark import films as watermark
from aiglabel.media import sound, video, video_partial, video_sound
from aiglabel.media.sound_coding import Coding
from aiglabel.media.video_coding import ROUNDED, Frame, VideoCoding, VideoTarget
from aiglabel.media.video_reading import OpenVideo
from aiglabel.pipeline.files import FileJob, Given, Marked
from aiglabel.pipeline.job import Clock
from aiglabel.pipeline.sounds import SoundJob, SoundMarks, SoundSource, too_little
from aiglabel.policy import Policy
from aiglabel.signal import video as signal

logger = logging.getLogger(__name__)

# Seconds in which the label is read back, as an encoder that keeps it for so long keeps it; seconds
# in which the mark is, and about how many frames of the rest, where they are needed.
_LABEL_S, _MARK_S = 0.8, 2.0
_MOST_SAMPLES = 60


@dataclass(frozen=True, kw_only=True)
class FilmJob(FileJob):
    """See `FileJob`."""

    @property
    def touches(self) -> bool:
        """See `FileJob`."""
        asked = self.policy.overlay.enabled or self.policy.watermark.enabled
        return asked or self.policy.film.speak

    def marked(self, given: Given, fmt: AnyFormat, folder: Path, clock: Clock) -> Marked:
        """See `FileJob`."""
        if not isinstance(fmt, VideoFormat):
            raise UnsupportedFormat(
                f"a film cannot be written as {fmt.value}", remedy="Name a video format"
            )
        return _Film(self, given, fmt, folder).marked(clock)


@dataclass(frozen=True)
class _Film:
    """One film under way: what it is, what it becomes, and where its copies lie."""

    job: FilmJob
    given: Given
    fmt: VideoFormat
    folder: Path

    @property
    def policy(self) -> Policy:
        return self.job.policy

    def marked(self, clock: Clock) -> Marked:
        """Mark and encode, the stronger where the encoder leaves too little of a watermark."""
        assert self.given.path is not None
        given = video.look(self.given.path, limits=self.job.limits)
        coding = given.coding
        if self._brief and (begun := self._begun(given, clock)):
            return begun
        track = _Track.of(self, given, clock)
        refused = watermark.refusal(coding) if self.policy.watermark.enabled else None
        bright = loud = self.policy.watermark.strength
        while True:
            caption, marking = self._caption(coding), None
            if self.policy.watermark.enabled and refused is None:
                marking = watermark.Marking(
                    coding, self.job.payload, key=self.job.key, strength=bright
                )
            with clock.step("sound"):
                voice = track.marked(loud) if track else None
            with clock.step("mark and encode"):
                begins = track.begins if track else None
                film, notes = self._transcoded(given, caption, marking, voice, begins)
            with clock.step("read back"):
                made = video.look(film, limits=self.job.limits)
                with ThreadPoolExecutor(1) as beside:
                    listening = beside.submit(track.read_back, made) if track else None
                    outcomes = self._read_back(made, caption, marking)
                    heard = listening.result() if listening else []
            loud = (track and track.strength) or loud
            tried = bright, loud
            if marking is not None and marking.begins is not None and not outcomes[-1].written:
                bright = _stronger(bright, signal.STRENGTHS)
            if track and voice and too_little(heard):
                with clock.step("sound"):
                    loud = track.holding(loud, given, self.fmt)
            if tried == (bright, loud):
                break
        if refused:
            outcomes.append(Outcome(mark=MARK, written=False, detail=refused))
        return Marked(film, _joined(outcomes, heard), notes)

    @property
    def _brief(self) -> bool:
        """Whether only the first seconds are to change."""
        policy, when = self.policy, self.policy.film
        shown = when.whole or when.end or when.at or when.card
        # Old credentials would stay in the file, and fail.
        given = self.given
        other = self.fmt is not given.format or self.job.film is not None or given.signed
        return policy.overlay.enabled and not (
            shown or when.speak or policy.watermark.enabled or other
        )

    def _begun(self, given: OpenVideo, clock: Clock) -> Marked | None:
        """Mark the beginning, and encode no more; None where the rest cannot safely follow it."""
        caption, film = self._caption(given.coding), self.folder / "film"
        assert caption is not None
        try:
            with clock.step("mark and encode"):
                written = video_partial.begin(
                    given, film, caption.burn, seconds=self.policy.film.seconds,
                    progress=self.job.progress,
                )  # fmt: skip
        except MediaError as error:  # what is wrong with the film is told when all of it is read
            logger.info("the film is encoded as a whole: %s", error.reason)
            return None
        with clock.step("read back"):
            outcomes = self._read_back(video.look(film, limits=self.job.limits), caption, None)
        return Marked(film, outcomes, list(written.notes))

    def _caption(self, coding: VideoCoding) -> Caption | None:
        if not self.policy.overlay.enabled:
            return None
        if self.fmt in (VideoFormat.AVI, VideoFormat.FLV):
            # They cannot say that players are to turn the film, so nobody will.
            coding = replace(coding, rotation=0.0)
        return Caption(coding, self.policy.overlay, self.policy.film)

    def _transcoded(
        self,
        given: OpenVideo,
        caption: Caption | None,
        marking: watermark.Marking | None,
        voice: Path | None,
        begins: float | None,
    ) -> tuple[Path, list[str]]:
        film = self.folder / "film"

        def change(frame: Frame) -> None:
            if caption:
                caption.burn(frame)
            if marking:
                marking.mark(frame)

        lead = caption.lead if caption else None
        target = replace(self.job.film or VideoTarget(), container=self.fmt)
        written = video.transcode(
            given, film, change, target=target, lead=lead, audio=voice, audio_begins=begins,
            overwrite=True, progress=self.job.progress,
        )  # fmt: skip
        return film, list(written.notes)

    def _read_back(
        self, made: OpenVideo, caption: Caption | None, marking: watermark.Marking | None
    ) -> list[Outcome]:
        """Look at what was made; a mark that the encoder destroyed is not called written."""
        reader = watermark.Reader(self.job.payload, key=self.job.key)
        length = made.coding.seconds or 0.0
        card = caption.lead.seconds if caption and caption.lead else 0.0
        # Seconds until which the label is looked at, and from which on the mark is.
        labelled = card + _LABEL_S if caption else 0.0
        marked = card + (marking.begins or 0.0) if marking else math.inf
        skipped = 0.0 if caption or not marking else min(marked, max(length - _MARK_S, 0.0))
        # Frames that no other needs are copied from those, and take half the time of decoding.
        frames = partial(video.frames, made, which="references")

        def beginning() -> Generator[Frame, None, None]:
            with closing(frames(start=made.coding.begins + skipped)) as some:
                first = None
                for frame in some:
                    first = frame.time - skipped if first is None else first
                    time = frame.time - first
                    if time >= marked - ROUNDED:
                        reader.see(frame)
                    yield frame
                    done = reader.sure or not marking or time >= marked + _MARK_S
                    if done and time >= labelled:
                        return

        outcomes = []
        with closing(beginning()) as look:
            if caption:
                put = caption.outcome()
                if put.written and not overlay.holds_film(caption, look, made.coding):
                    detail = f"{put.detail}; lost in encoding"
                    put = replace(put, written=False, detail=detail)
                outcomes.append(put)
            if marking:
                for _ in look:
                    pass
        if marking:
            with closing(frames(apart=length / _MOST_SAMPLES)) as all_over:
                while not reader.sure and (frame := next(all_over, None)):
                    reader.see(frame)
            outcomes.append(marking.outcome(reader.found()))
        return outcomes


@dataclass
class _Track:
    """The first sound track of a film, on its way."""

    job: SoundJob
    file: Path
    coding: Coding
    begins: float
    folder: Path
    marks: SoundMarks | None = None
    strength: str | None = None
    refused: Sequence[Outcome] = ()

    @classmethod
    def of(cls, film: _Film, given: OpenVideo, clock: Clock) -> _Track | None:
        """Take the sound out of a film; None where nothing is to be done to it."""
        policy = film.policy
        speaks = policy.film.speak
        marks = policy.watermark.enabled and policy.film.sound
        if not (speaks or marks) or not any(one.kind == "audio" for one in given.coding.tracks):
            return None
        # Inserted words would move the sound against the pictures: they are laid over it.
        asked = policy.changed(
            audible={"enabled": speaks, "insert": False}, watermark={"enabled": marks}
        )
        job = film.job
        taken = SoundJob(
            policy=asked, key=job.key, signer=None, limits=job.limits, label=None,
            payload=job.payload,
        )  # fmt: skip
        file = film.folder / "sound.wav"
        with clock.step("sound"):
            try:
                begins = video.extract_sound(given, file)
            except CorruptMedia as error:
                error.reason = f"the sound of the film cannot be decoded: {error.reason}"
                error.remedy = "Have it copied as it is: film.sound = false in the policy"
                raise
            coding = sound.probe(file, limits=job.limits)
            return cls(taken, file, coding, begins, film.folder)

    def marked(self, strength: str) -> Path | None:
        """Mark the sound, from a strength on with the least that holds, kept in `strength`.

        None where it gets neither mark: then it stays as it is coded.
        """
        source, path = SoundSource(self.coding, file=self.file), self.folder / "marked.wav"
        for one in self._strengths(strength):
            self.strength = one
            self.marks = self.job.write(source, path, self.coding, one)
            outcomes = self.job.read_back(path, self.marks)
            if not too_little(outcomes):
                break
        if not any(one.written for one in outcomes):
            self.refused = outcomes
            return None
        return path

    def holding(self, strength: str, given: OpenVideo, fmt: VideoFormat) -> str:
        """The least strength above one with which the mark outlives coding; the same if none does.

        Sounds are coded in a fraction of the time that their film takes.
        """
        path, coded = self.folder / "marked.wav", self.folder / "finished.wav"
        source = SoundSource(self.coding, file=self.file)
        for one in self._strengths(strength)[1:]:
            marks = self.job.write(source, path, self.coding, one)
            video_sound.after_coding(given, path, fmt, coded, start=self.begins)
            if one and not too_little(self.job.read_back(coded, marks)):
                return one
        return strength

    def _strengths(self, strength: str) -> list[str | None]:
        known = self.job.strengths(self.coding)
        return known[known.index(strength) :] if strength in known else known

    def read_back(self, made: OpenVideo) -> Sequence[Outcome]:
        """Listen to the sound of the finished film."""
        if self.refused:
            return self.refused
        assert self.marks is not None
        path = self.folder / "finished.wav"
        video.extract_sound(made, path)
        heard = self.job.read_back(path, self.marks)
        path.unlink()
        return heard


def _stronger(strength: str, strengths: Iterable[str]) -> str:
    """Return the next strength, the same if it is the last."""
    return at_least(strength, strengths)[:2][-1]


def _joined(seen: Sequence[Outcome], heard: Sequence[Outcome]) -> list[Outcome]:
    """Tell of the watermark once, that of the sound among the facts of that of the pictures."""
    outcomes = [one for one in heard if one.mark != MARK]
    sounds = next((one for one in heard if one.mark == MARK), None)
    for one in seen:
        if one.mark == MARK and sounds:
            told = {"written": sounds.written, "detail": sounds.detail, **sounds.facts}
            one = replace(one, facts={**one.facts, "sound": told})
        outcomes.append(one)
    return outcomes
