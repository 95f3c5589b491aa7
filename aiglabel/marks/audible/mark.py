"""The audible label as a mark: written into a programme, and listened for."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from aiglabel.errors import LabelError
from aiglabel.evidence import Evidence, Outcome, Status
from aiglabel.marks.audible import rhythm
from aiglabel.marks.audible.clips import ClipFound, find_clips
from aiglabel.marks.audible.place import Placement, Spot
from aiglabel.marks.audible.reader import RhythmFound, find_rhythm
from aiglabel.marks.audible.rhythm import Rhythm
from aiglabel.marks.audible.speech import speak
from aiglabel.marks.audible.stream import place_blocks
from aiglabel.marks.audible.voices import Voice, shipped, voice
from aiglabel.marks.overlay.wording import elements
from aiglabel.media import sound

MARK = "audible"

Float = NDArray[np.float32]

# Seconds of the piece before that are heard again: the longest label fits in them.
_AGAIN = 12.0
# Of a sound longer than the first, only the second is listened to at either end.
_WHOLE, _ENDS = 600.0, 120.0
_THOROUGH = "thorough"
# Seconds from either end within which a label counts as standing there (rule CN-A-04).
_AT_END = 3.0


@dataclass(frozen=True, kw_only=True)
class AudibleStyle:
    """How the audible label sounds, and where it stands.

    Attributes
    ----------
    form : {"voice", "rhythm"}
        Spoken words, or short long, short short.
    text : str
        What is said; without `voice` and `engine` one of `TEXTS`.
    voice : str, optional
        Path of a recording of your own that says `text`.
    engine : str, optional
        Text-to-speech program of this machine that says `text`, see `speech.ENGINES`.
    start, end : bool
    every : float
        Seconds from one label to the next, 0 for none in between.
    insert : bool
        Let the programme wait for the label; else the label sounds over it, and it is lowered.
    duck : float
        How far the programme is lowered, dB.
    relative : float
        LU above or below the programme's loudness.
    unit, frequency : float
        Of the rhythm: seconds of its short mark, Hz of its tone.
    """

    form: Literal["voice", "rhythm"] = "voice"
    text: str = "AI生成"
    voice: str | None = None
    engine: str | None = None
    start: bool = True
    end: bool = False
    every: float = 0.0
    insert: bool = True
    duck: float = 12.0
    relative: float = 0.0
    unit: float = 0.12
    frequency: float = 880.0

    def __post_init__(self) -> None:
        if self.form not in ("voice", "rhythm"):
            raise LabelError(f"audible form is voice or rhythm, not {self.form!r}")
        self.placement()  # refuses what does not fit
        self._rhythm()

    def placement(self) -> Placement:
        """Where the label stands.

        Raises
        ------
        LabelError
            When a value lies outside, or no place is named.
        """
        return Placement(
            start=self.start, end=self.end, every=self.every or None, insert=self.insert,
            duck=self.duck, relative=self.relative,
        )  # fmt: skip

    def _rhythm(self) -> Rhythm:
        return Rhythm(unit=self.unit, frequency=self.frequency)

    def label(self, rate: int) -> Voice:
        """Return the sound of the label: that of the rhythm at `rate`, a voice as recorded.

        Raises
        ------
        LabelError
            When no shipped clip says `text`.
        MediaError
            When the recording cannot be read.
        """
        if self.form == "rhythm":
            return Voice("", rhythm.make(rate, self._rhythm()), rate)
        return self.known_voice()

    def known_voice(self) -> Voice:
        """Return the recording, what the program says, or the shipped clip that says `text`."""
        if self.voice is not None:
            recorded = sound.decode(self.voice)
            return Voice(self.text, recorded.y, recorded.rate)
        return voice(self.text) if self.engine is None else speak(self.text, self.engine)

    @property
    def own_voices(self) -> list[Voice]:
        """The voice to listen for besides the shipped ones, where there is one."""
        own = self.form == "voice" and (self.voice is not None or self.engine is not None)
        return [self.known_voice()] if own else []


class Labelling:
    """A programme being labelled: iterate over it once, then ask for the outcome.

    Parameters
    ----------
    blocks : iterable of float32 (channels, any)
    rate, channels, length : int
        `length` in samples.
    style : AudibleStyle

    Raises
    ------
    LabelError, MediaError
        See `AudibleStyle.label`; while iterating see `place.place`.
    """

    def __init__(
        self, blocks: Iterable[Float], *, rate: int, channels: int, length: int,
        style: AudibleStyle,
    ) -> None:  # fmt: skip
        self._style, self._spots = style, list[Spot]()
        label = style.label(rate)
        self._blocks = place_blocks(
            blocks, rate=rate, channels=channels, length=length, clip=label.clip,
            clip_rate=label.rate, placement=style.placement(), spots=self._spots,
        )  # fmt: skip

    def __iter__(self) -> Iterator[Float]:
        return self._blocks

    def outcome(self) -> Outcome:
        """Tell what was put where."""
        style, count = self._style, len(self._spots)
        what = "rhythm label" if style.form == "rhythm" else f"spoken label {style.text!r}"
        how = "before or between the sound" if style.insert else "over the sound"
        places = ", ".join(f"{spot.start:.1f} s" for spot in self._spots[:5])
        more = f" and {count - 5} more" if count > 5 else ""
        facts = {
            "form": style.form,
            "text": style.text if style.form == "voice" else None,
            "inserted": style.insert,
            "spots": [asdict(spot) for spot in self._spots[:100]],
        }
        detail = f"{what} {how}, at {places}{more}"
        return Outcome(mark=MARK, written=True, detail=detail, facts=_finite(facts))


class Listener:
    """Listens for audible labels in a sound that comes piece by piece.

    Parameters
    ----------
    rate : int
        Samples a second.
    seconds : float or None
        Length of the whole sound, where it is known.
    voices : sequence of Voice
        Recordings to listen for besides the shipped ones.
    effort : {"quick", "full", "thorough"}
        Only "thorough" listens to all of a sound of more than ten minutes, the others to two
        minutes at its start and its end.
    """

    def __init__(
        self, rate: int, *, seconds: float | None, voices: Sequence[Voice] = (),
        effort: str = "full",
    ) -> None:  # fmt: skip
        self._rate, self._seconds = rate, seconds
        self._voices = (*shipped(), *voices)
        self._everything = effort == _THOROUGH or seconds is None or seconds <= _WHOLE
        self._rhythms: list[RhythmFound] = []
        self._clips: list[ClipFound] = []
        self._at = 0
        self._before: Float | None = None
        self._able = rhythm.RATES[0] <= rate <= rhythm.RATES[1]
        self._skipped = False

    def hear(self, y: Float) -> None:
        """Take the next piece (channels, n), float32, best a minute of it."""
        begin, self._at = self._at, self._at + y.shape[1]
        if not self._wanted(begin, self._at):
            self._before, self._skipped = None, True
            return
        before = y[:, :0] if self._before is None else self._before
        piece = np.concatenate([before, y], axis=1)
        offset = (begin - before.shape[1]) / self._rate
        self._before = piece[:, -round(_AGAIN * self._rate) :]
        if not self._able or not y.shape[1]:
            return
        for one in find_rhythm(piece, self._rate):
            _add(self._rhythms, one, offset)
        for other in find_clips(piece, self._rate, voices=self._voices):
            _add(self._clips, other, offset)

    def _wanted(self, begin: int, stop: int) -> bool:
        if self._everything or self._seconds is None:
            return True
        first, last = begin / self._rate, stop / self._rate
        return first < _ENDS or last > self._seconds - _ENDS

    def evidence(self) -> Evidence:
        """Tell what was heard.

        Returns
        -------
        Evidence
            PRESENT or ABSENT; NOT_CHECKED for a sample rate the readers do not take. `facts`:
            ``rhythms`` (each ``start, duration, unit, frequency, level, score, marks``), ``voices``
            (``text, start, duration, speed, speaking_rate, score``), ``elements`` of the words,
            ``places`` (start, middle, end), ``listened`` (whole or ends).
        """
        if not self._able:
            detail = f"not listened for at {self._rate} samples a second"
            return Evidence(mark=MARK, status=Status.NOT_CHECKED, detail=detail)
        found: list[RhythmFound | ClipFound] = [*self._rhythms, *self._clips]
        found.sort(key=lambda one: one.start)
        texts = list(dict.fromkeys(one.text for one in self._clips if one.text))
        facts = _finite(
            {
                "rhythms": [asdict(one) for one in self._rhythms],
                "voices": [asdict(one) for one in self._clips],
                "text": texts[0] if texts else None,
                "elements": elements(texts[0]) if texts else None,
                "places": sorted({self._place(one) for one in found}),
                "listened": "ends" if self._skipped else "whole",
            }
        )
        if not found:
            part = " in its first and last minutes" if self._skipped else ""
            detail = f"No rhythm label and no known spoken label{part}; other voices are not known."
            return Evidence(mark=MARK, status=Status.ABSENT, detail=detail, facts=facts)
        first = found[0]
        what = (
            "A rhythm label" if isinstance(first, RhythmFound) else f"A spoken label {first.text!r}"
        )
        more = f", and {len(found) - 1} more" if len(found) > 1 else ""
        return Evidence(
            mark=MARK,
            status=Status.PRESENT,
            payload=facts["text"] or "AI",
            where=f"{first.start:.1f} to {first.start + first.duration:.1f} s",
            detail=f"{what} at {first.start:.1f} s{more}.",
            facts=facts,
        )

    def _place(self, one: RhythmFound | ClipFound) -> str:
        if one.start <= _AT_END:
            return "start"
        ending = self._at / self._rate - (one.start + one.duration)
        return "end" if ending <= _AT_END else "middle"


def _add(known: list[Any], one: RhythmFound | ClipFound, offset: float) -> None:
    """Note a label, unless it was heard at the end of the piece before already."""
    start = one.start + offset
    moved = type(one)(**{**vars(one), "start": start})
    if all(abs(start - other.start) > one.duration / 2 for other in known):
        known.append(moved)


def _finite(value: Any) -> Any:
    """The same for JSON: rounded, None for what is not finite."""
    if isinstance(value, dict):
        return {name: _finite(inner) for name, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [_finite(inner) for inner in value]
    if isinstance(value, (float, np.floating)):
        return round(float(value), 4) if math.isfinite(value) else None
    return value
