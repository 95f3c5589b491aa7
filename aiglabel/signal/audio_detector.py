"""Detection of the audio watermark: what is listened to, in which order, until something is found.

1. *As it is*: after compression, resampling, filters, noise, cutting.
2. *Pieces*: of a long sound; the rest may be another.
3. *Search*: at other tempos, pitches and speeds. Neither needs the sound to be resampled: a pitch
   moves the edges of the bands, a tempo the harmonics of the tile.
4. *Parts*: all of it, each part with a beginning of its own, where something was cut out or put in.

The first has few places where a tile may lie. So its threshold is lower (`TRIED`), and its
statistic is that of pilots and message together, which is larger by the tenth that pilots add.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np
from numpy.typing import NDArray

from aiglabel.key import Key
from aiglabel.signal import code, score, statistics
from aiglabel.signal.score import OVERSAMPLED, PERIOD
from aiglabel.signal.spectrogram import Banded, Spectrogram

Float = NDArray[np.float32]

AS_IT_IS, SEARCHED, PARTS = "as it is", "searched", "parts"
"""Steps in which something is found."""

# Changes of tempo, pitch and speed that are searched, and steps of pitch.
_RANGE, _PITCH_STEP = 0.135, 0.01
# Relative step of the tempo: what moves the ends of the sound by so many seconds; and its bounds.
_DRIFT, _TEMPO_STEPS = 0.012, (0.0004, 0.004)
# How far from the line of one pitch, or one speed, the tempo may lie: steps of pitch are coarse.
_NEAR = 0.006
_TEMPOS, _CANDIDATES = 4, 6
# Refinement: changes of pitch and, in steps, of tempo.
_PITCHES, _STEPS = (-0.0033, 0.0, 0.0033), (-0.5, 0.0, 0.5)
# Rows of a piece of a long sound.
_PIECE = 1500
# Rows a part has, and how far the next one begins.
_PART, _NEXT = 3 * PERIOD // 2, PERIOD // 2
_SHIFTS = (-1.0, -0.5, 0.0, 0.5, 1.0)
# Pilot statistic under which the message cannot be readable.
_LEAST_PILOTS = 3.5

# Messages and pilots, as it is and searched.
_TESTS = 4
# How many `_ways` there are to listen to the sound as it is, each at every offset, to half a row.
_WAYS = 3
_PLACES = _WAYS * 2 * PERIOD
_SEARCH = statistics.Tried(decodings=64, places=16384 * 4 * PERIOD, tests=_TESTS)
TRIED: Final = {
    AS_IT_IS: statistics.Tried(decodings=_PLACES, places=_PLACES, tests=_TESTS),
    SEARCHED: _SEARCH,
    PARTS: _SEARCH,
}
"""What the false-positive bound counts in each step. Places of the search are tempos and pitches,
each at every offset, to a quarter of a row, generously. Where the statistic of a message has that
of the pilots in it, every place counts for it."""


@dataclass(frozen=True)
class Place:
    """Where a tile may lie.

    Attributes
    ----------
    height : float
        Correlation with the pilots, standard deviations.
    pitch, tempo : float
        Of what is heard over what was marked.
    offset : float
        Row of the tile, of `PERIOD`, at which the sound begins, negative.
    """

    height: float
    pitch: float
    tempo: float
    offset: float


@dataclass(eq=False)
class Finding:
    """The best that was found for a key so far: a message that was read, or else the pilots.

    Attributes
    ----------
    looks : int
        Keys times pieces of a sound that one answer is given for.
    statistic : float
        Of what was found.
    """

    key: Key
    looks: int
    payload: bytes | None = None
    statistic: float = 0.0
    step: str = AS_IT_IS
    place: Place | None = None
    likely: list[Place] = field(default_factory=list)

    @property
    def threshold(self) -> float:
        """Threshold of what was found, in the step that found it."""
        return self._limit(self.step, self.payload)

    @property
    def margin(self) -> float:
        """Statistic over threshold."""
        return self.statistic / self.threshold

    @property
    def p_value(self) -> float:
        """Upper bound for what was found, over everything that was tried."""
        tried, read = TRIED[self.step], self.payload is not None
        return tried.p_value(self.statistic, self.looks, message=read)

    def note(self, statistic: float, place: Place, step: str, payload: bytes | None = None) -> None:
        """Keep what is surer than what was found: a message that reaches its threshold, or pilots.

        Of a key that a message was read with, no other pilots count.
        """
        margin = statistic / self._limit(step, payload)
        if payload:
            if margin < 1 or (self.payload and margin < self.margin):
                return
        elif self.payload or margin <= self.margin:
            return
        self.payload, self.statistic = payload, statistic
        self.step, self.place = step, place

    def _limit(self, step: str, payload: bytes | None) -> float:
        return TRIED[step].limits(self.looks)[0 if payload else 1]


def search(heard: Spectrogram, keys: Sequence[Key], *, full: bool, looks: int) -> list[Finding]:
    """Look for the marks of keys in a sound; with `full` at other tempos and pitches too.

    `looks` are the keys times the sounds, or pieces of one, that one answer is given for.
    """
    findings = [Finding(key, looks) for key in keys]
    for finding in findings:
        for step in (_as_it_is, _pieces, _searched, _parts)[: 4 if full else 2]:
            if finding.payload is None and heard.rows:
                step(heard, finding)
    return findings


def soft_bits(heard: Spectrogram, key: Key, *, above_noise: bool = False) -> Float:
    """Soft code bits of a sound as it is, at the place its pilots fit best; no search."""
    if not heard.rows:
        return np.zeros(code.CODE_BITS, np.float32)
    banded, carrier = heard.banded(above_noise=above_noise), score.carrier(key)
    place = _best(banded, 1.0, np.ones(1), key, 1)[0]
    return carrier.soft(_values_at(banded, place, carrier))


# ---------------------------------------------------------------------- the four steps


def _as_it_is(heard: Spectrogram, finding: Finding) -> None:
    """The whole, then above its noise, then both added up."""
    for one in _ways(heard):
        place = _best(one, 1.0, np.ones(1), finding.key, 1)[0]
        finding.likely.append(place)
        _decode(finding, [(one, place)], AS_IT_IS)
        if finding.payload is not None:
            return


def _ways(heard: Spectrogram) -> Iterator[Banded]:
    """Yield the whole, what lies above its noise, and the sum of both, of the same weight."""
    yield (whole := heard.banded())
    yield (above := heard.banded(above_noise=True))
    weight = float(np.linalg.norm(whole.white)) / max(float(np.linalg.norm(above.white)), 1e-9)
    yield Banded(whole.white + np.float32(weight) * above.white)


def _pieces(heard: Spectrogram, finding: Finding) -> None:
    """The likeliest of them."""
    if heard.rows < 2 * _PIECE:
        return
    banded = heard.banded()
    pieces = [
        Banded(banded.white[:, begin : begin + _PIECE])
        for begin in range(0, heard.rows - _PIECE // 2, _PIECE // 2)
    ]
    places = [_best(piece, 1.0, np.ones(1), finding.key, 1)[0] for piece in pieces]
    likeliest = max(range(len(pieces)), key=lambda one: places[one].height)
    _decode(finding, [(pieces[likeliest], places[likeliest])], PARTS)


def _searched(heard: Spectrogram, finding: Finding) -> None:
    """Three lines through the plane of tempo and pitch: tempo alone, pitch alone, speed."""
    low, high = _TEMPO_STEPS
    step = min(max(_DRIFT * 100 / heard.rows, low), high)
    near = np.arange(-_NEAR, _NEAR + step / 2, step)
    tempos = 1 + np.arange(-_RANGE, _RANGE, step)
    places = _best(heard.banded(1.0), 1.0, tempos, finding.key, _TEMPOS)
    for change in np.arange(-_RANGE, _RANGE + 1e-6, _PITCH_STEP).round(6):
        pitch = 1 + float(change)
        tempos = np.concatenate([1 + near, pitch * (1 + near)])
        places += _best(heard.banded(pitch), pitch, tempos, finding.key, 1)
    places.sort(key=lambda place: -place.height)
    refined = [_refined(heard, place, step, finding.key) for place in places[:_CANDIDATES]]
    refined.sort(key=lambda place: -place.height)
    finding.likely = refined + finding.likely
    _decode(finding, [(heard.banded(place.pitch), place) for place in refined], SEARCHED)


def _refined(heard: Spectrogram, place: Place, step: float, key: Key) -> Place:
    found = [place]
    for change in _PITCHES:
        pitch = place.pitch * (1 + change)
        tempos = place.tempo + step * np.array(_STEPS)
        found += _best(heard.banded(pitch), pitch, tempos, key, 1)
    return max(found, key=lambda one: one.height)


def _parts(heard: Spectrogram, finding: Finding) -> None:
    """Give every part the offset that it and its neighbours like best, and fold them together."""
    carrier = score.carrier(finding.key)
    for place in finding.likely[:2]:
        banded = heard.banded(place.pitch)
        begins = range(0, max(heard.rows - _PART, 0) + 1, _NEXT)
        if len(begins) < 3:
            return
        tempos = np.array([place.tempo])
        fits = np.concatenate(
            [
                np.roll(
                    Banded(banded.white[:, begin : begin + _PART]).fits(tempos, carrier),
                    -round(begin * place.tempo), axis=1,
                )
                for begin in begins
            ]
        )  # fmt: skip
        around = fits.copy()
        around[1:] += fits[:-1]
        around[:-1] += fits[1:]
        offsets = around.argmax(axis=1)
        folded = np.zeros((PERIOD, score.BANDS), np.float32)
        for begin, offset in zip(begins, offsets, strict=True):
            last = heard.rows if begin == begins[-1] else begin + _NEXT
            folded += banded.folded(place.tempo, float(offset), np.s_[begin:last])
        values = _values(folded)
        _note(finding, values, place, PARTS)
        _read(finding, [(values, place)], PARTS)


# ---------------------------------------------------------------------- places and messages


def _best(
    banded: Banded, pitch: float, tempos: NDArray[np.float64], key: Key, count: int
) -> list[Place]:
    """The likeliest offsets of the likeliest tempos."""
    fits = banded.fits(tempos, score.carrier(key))
    offsets, heights = fits.argmax(axis=1), fits.max(axis=1)
    return [
        Place(float(heights[one]), pitch, float(tempos[one]), float(offsets[one]))
        for one in np.argsort(-heights)[:count]
    ]


def _decode(finding: Finding, places: list[tuple[Banded, Place]], step: str) -> None:
    """Read the message at likely places, each at the offset, between rows too, that fits best."""
    carrier = score.carrier(finding.key)
    likely = []
    for banded, place in places:
        values = _values_at(banded, place, carrier)
        if _note(finding, values, place, step) >= _LEAST_PILOTS:
            likely.append((values, place))
    _read(finding, likely, step)


def _values_at(banded: Banded, place: Place, carrier: score.Carrier) -> Float:
    """Coefficients at the offset near a place, between rows too, that the pilots fit best."""
    folded = banded.folded(place.tempo, place.offset)
    tried = [_values(_shifted(folded, shift)) for shift in _SHIFTS]
    return max(tried, key=carrier.pilot_statistic)


def _shifted(folded: Float, rows: float) -> Float:
    whole = math.floor(rows)
    share = np.float32(rows - whole)
    moved = np.roll(folded, -whole, axis=0)
    return moved if share == 0 else moved * (1 - share) + np.roll(moved, -1, axis=0) * share


def _values(folded: Float) -> Float:
    """Coefficients of a tile that was listened to: a row of it sounds in two of those."""
    return score.analyse((folded + np.roll(folded, -1, axis=0))[::OVERSAMPLED])


def _note(finding: Finding, values: Float, place: Place, step: str) -> float:
    pilots = score.carrier(finding.key).pilot_statistic(values)
    if step != PARTS:  # parts were moved until the pilots fitted
        finding.note(pilots, place, step)
    return pilots


def _read(finding: Finding, likely: list[tuple[Float, Place]], step: str) -> None:
    if not likely:
        return
    carrier = score.carrier(finding.key)
    soft = np.stack([carrier.soft(values) for values, _ in likely])
    tags = [finding.key.derive("audio-1/tag")] * len(likely)
    words, payloads = code.DWT_2.decode(soft, tags, effort=code.THOROUGH)
    for bits, word, payload, (values, place) in zip(soft, words, payloads, likely, strict=True):
        if payload is None:
            continue
        if step == AS_IT_IS:
            statistic = float(carrier.signs(word) @ values) / float(np.linalg.norm(values))
        else:
            statistic = float(bits @ word)
        finding.note(statistic, place, step, payload)
