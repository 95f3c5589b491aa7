"""Finding the rhythm label: four marks of one steady tone, and silence of that tone between them.

Two steps, both on the sound reduced to about 8000 samples a second:

1. Short-time spectra whose window follows the unit looked for, one octave of units at a time. Each
   frequency's amplitude is opened (Serra 1982) so that only what lasts about half a unit remains,
   and correlated with the pattern at every start and for units 8 % apart. The pattern is constant
   over each mark and gap, so a running sum turns each correlation into a dozen differences.
2. The best few are demodulated at their exact frequency. Start and unit are refined, and the
   amplitude, relative to the marks' own, is correlated with the pattern as the window shows it.
   The marks must be equally loud and steady, every gap must be quiet, and for five units before
   and after the tone must be silent: that tells the label from melodies and from longer Morse.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from aiglabel.marks.audible.pattern import (
    COUNT,
    FINE,
    QUIET,
    REACH,
    SILENT,
    SMOOTH,
    SPAN,
    inner,
    pattern,
)
from aiglabel.marks.audible.reduction import blocks
from aiglabel.marks.audible.rhythm import LENGTH, MARKS, TONES, UNITS, check_rate

Float = NDArray[np.float32]

# Of the score. Six hours of speech, music and likenesses without labels reached 0.80; labels 10 dB
# above the programme, coded or not, stayed above this in 397 of 400 cases. `benchmarks/audible.py`
# measures both sides anew.
THRESHOLD = 0.815
_SLACK = 1.06  # sound may have been sped up or slowed down by this much
_STEPS = 9  # units an octave
_WINDOW = 0.6  # of the octave's shortest unit
_HOPS = 4  # in the octave's shortest unit
_CANDIDATE = 0.68  # correlation in the first step from which a place goes on to the second
_MOST = 40  # places of one block and octave that go on
_LEAST_LEVEL = 1e-3  # amplitude of the tone: -60 dBFS. What is softer is not heard
_BINS_AT_ONCE = 16  # what a processor's cache holds


@dataclass(frozen=True, kw_only=True)
class RhythmFound:
    """One rhythm label.

    Attributes
    ----------
    start, duration : float
        Of the pattern from its first to its last mark, in s.
    unit : float
        Length of the short mark, in s.
    frequency : float
        Of the tone, in Hz.
    level : float
        RMS of the tone while it sounds, in dBFS.
    score : float
        Correlation of the tone's amplitude with the pattern, less what uneven marks and a
        wandering pitch cost; `THRESHOLD` to 1.
    marks : tuple of float
        Amplitudes of the four marks, relative to their median.
    """

    start: float
    duration: float
    unit: float
    frequency: float
    level: float
    score: float
    marks: tuple[float, ...]


@dataclass(frozen=True)
class _Place:
    """A start (s), unit (s) and frequency (Hz, ± `around`) that the first step proposes."""

    start: float
    unit: float
    frequency: float
    around: float


def find_rhythm(y: Float, rate: int, *, threshold: float = THRESHOLD) -> list[RhythmFound]:
    """Look for rhythm labels of any tone of 300 to 3000 Hz and any unit of 60 to 400 ms.

    Parameters
    ----------
    y : float32 (channels, n) in [-1, 1]
    rate : int
        Samples a second, 8000 to 192000.
    threshold : float
        Least score.

    Returns
    -------
    list of RhythmFound
        In order of time; of those that overlap in time, the best.

    Raises
    ------
    LabelError
        When the rate is outside.
    """
    check_rate(rate)
    found: list[RhythmFound] = []
    # A pattern that starts in one block ends in it, together with its silence.
    before = (QUIET + 1) * UNITS[1] * _SLACK
    after = (LENGTH + QUIET + 1) * UNITS[1] * _SLACK
    for start, sound, low_rate in blocks(y, rate, before=before, after=after):
        places = [place for base in _octaves() for place in _propose(sound, low_rate, base)]
        for place in places:
            one = _confirm(sound, low_rate, place, start)
            if one is not None and one.score >= threshold:
                found.append(one)
    return _apart(found)


def _apart(found: list[RhythmFound]) -> list[RhythmFound]:
    """Keep the best of those that overlap in time."""
    kept: list[RhythmFound] = []
    for one in sorted(found, key=lambda one: -one.score):
        if all(
            one.start + one.duration <= other.start or other.start + other.duration <= one.start
            for other in kept
        ):
            kept.append(one)
    return sorted(kept, key=lambda one: one.start)


# ---------------------------------------------------------------------- first step


def _octaves() -> list[float]:
    """Shortest unit, in s, of each octave."""
    return [UNITS[0] / _SLACK * 2**octave for octave in range(3)]


def _units(base: float) -> list[float]:
    units = [base * 2 ** (step / _STEPS) for step in range(_STEPS)]
    return [unit for unit in units if unit <= UNITS[1] * _SLACK * 2 ** (1 / _STEPS)]


def _propose(sound: Float, rate: float, base: float) -> list[_Place]:
    """Return the places of a block where the pattern fits, the best few."""
    hop = base / _HOPS
    window = int(cv2.getOptimalDFTSize(round(_WINDOW * base * rate)))
    amplitude, low = _amplitudes(sound, rate, window, hop)
    spans = [[round(edge * unit / hop) for edge in _EDGES] for unit in _units(base)]
    frames = amplitude.shape[1] - max(span[-1] for span in spans)
    if frames < 1:
        return []
    best = np.empty((len(amplitude), frames), np.float32)
    for first in range(0, len(amplitude), _BINS_AT_ONCE):
        some = np.s_[first : first + _BINS_AT_ONCE]
        _correlate(amplitude[some], spans, best[some])
    places = []
    for row, column in _peaks(best, round(2 * _HOPS)):
        one = amplitude[row : row + 1, column : column + max(span[-1] for span in spans)]
        unit = _units(base)[_best_unit(one, spans)]
        # Frames are centred on their window, and the pattern starts after its silence.
        start = (column - 0.5) * hop + window / rate / 2 + QUIET * unit
        places.append(_Place(start, unit, (low + row) * rate / window, rate / window))
    return places


def _amplitudes(sound: Float, rate: float, window: int, hop: float) -> tuple[Float, int]:
    """Opened amplitudes (bins, frames) of 300 to 3000 Hz, and the number of the first bin."""
    low = math.floor(TONES[0] / _SLACK * window / rate)
    high = min(math.ceil(TONES[1] * _SLACK * window / rate) + 1, window // 2)
    starts = np.round(np.arange(0, (len(sound) - window) / rate, hop) * rate).astype(np.int64)
    taper = np.hanning(window + 1)[1:].astype(np.float32)
    views = np.lib.stride_tricks.sliding_window_view(sound, window)
    out = np.empty((high - low, len(starts)), np.float32)
    for first in range(0, len(starts), 256):
        some = np.s_[first : first + 256]
        spectra = np.fft.rfft(views[starts[some]] * taper, axis=1)[:, low:high]
        out[:, some] = np.abs(spectra).T
    brief = np.ones((1, 3), np.uint8)
    return np.asarray(cv2.morphologyEx(out, cv2.MORPH_OPEN, brief), np.float32), low


# Edges of the constant stretches of the pattern with its silences, in units.
_EDGES = (0, *(QUIET + edge for first, units in MARKS for edge in (first, first + units)), SPAN)


def _correlate(amplitude: Float, spans: list[list[int]], best: Float) -> None:
    """Write the highest correlation over all units at every start."""
    sums = np.zeros((amplitude.shape[0], amplitude.shape[1] + 1), np.float32)
    squares = np.zeros_like(sums)
    np.cumsum(amplitude, axis=1, out=sums[:, 1:])
    np.cumsum(amplitude * amplitude, axis=1, out=squares[:, 1:])
    best.fill(-1)
    frames = best.shape[1]
    # Written over for every unit: fresh memory would cost more than the sums.
    on, whole, spread = np.empty((3, *best.shape), np.float32)
    for span in spans:
        length = span[-1]
        share = sum(b - a for a, b in zip(span[1:-1:2], span[2:-1:2], strict=True)) / length
        np.subtract(sums[:, span[2] : span[2] + frames], sums[:, span[1] : span[1] + frames], on)
        for left, right in zip(span[3:-1:2], span[4:-1:2], strict=True):
            on += sums[:, right : right + frames]
            on -= sums[:, left : left + frames]
        # Pearson's correlation with a pattern of ones and zeros.
        np.subtract(sums[:, length : length + frames], sums[:, :frames], whole)
        np.subtract(squares[:, length : length + frames], squares[:, :frames], spread)
        whole *= np.float32(share)
        on -= whole
        whole *= whole
        whole *= np.float32((1 - share) / share)
        spread *= np.float32(length * share * (1 - share))
        spread -= whole
        np.maximum(spread, np.float32(1e-12), out=spread)
        np.sqrt(spread, out=spread)
        on /= spread
        np.maximum(best, on, out=best)


def _best_unit(amplitude: Float, spans: list[list[int]]) -> int:
    """Number of the unit that fits best at the first frame."""
    best = np.empty((1, 1), np.float32)
    scores = []
    for span in spans:
        _correlate(amplitude, [span], best)
        scores.append(float(best[0, 0]))
    return int(np.argmax(scores))


def _peaks(best: Float, reach: int) -> list[tuple[int, int]]:
    """Bin and frame of the highest correlations, no two within a bin and `reach` frames."""
    near = np.ones((3, 2 * reach + 1), np.uint8)
    top = (best >= _CANDIDATE) & (best >= cv2.dilate(best, near))
    rows, columns = np.nonzero(top)
    order = np.argsort(-best[rows, columns], kind="stable")[:_MOST]
    return [(int(rows[index]), int(columns[index])) for index in order]


# ---------------------------------------------------------------------- second step

_LIMIT = 1.1  # of the amplitude, relative to the marks: louder programme counts no more than them
_STEADY = (0.6, 1.6)  # amplitude of a mark relative to the median mark
_LEVELS, _PITCHES = 0.5, 0.5  # what uneven marks and a wandering tone cost
_GAPS = (0.95, 0.7)  # most amplitude in the loudest unit of silence and in the second loudest


def _confirm(sound: Float, rate: float, place: _Place, offset: float) -> RhythmFound | None:
    """Look closely at a place; None where there are no four marks with silence between."""
    best: RhythmFound | None = None
    for frequency in _frequencies(sound, rate, place):
        one = _fit(sound, rate, place, frequency, offset)
        if one is not None and (best is None or one.score > best.score):
            best = one
    return best


def _fit(
    sound: Float, rate: float, place: _Place, frequency: float, offset: float
) -> RhythmFound | None:
    unit = place.unit
    tone = _demodulated(sound, rate, place.start, unit, frequency)
    amplitude = np.abs(tone)
    known = pattern()
    level = float(np.median(amplitude[known.on]))
    if level < _LEAST_LEVEL:
        return None
    amplitude /= np.float32(level)
    limited = np.minimum(amplitude, np.float32(_LIMIT))
    index = int(known.correlate(limited).argmax())
    scale, shift = known.places[index]
    marks, gaps = _elements(amplitude, scale, shift)
    middle = max(float(np.median(marks)), 1e-6)
    masked = SILENT[int(gaps.argmax())]
    marks, gaps = marks / middle, np.sort(gaps / middle)
    if not _STEADY[0] <= marks.min() <= marks.max() <= _STEADY[1]:
        return None
    if gaps[-1] > _GAPS[0] or gaps[-2] > _GAPS[1]:
        return None
    score = known.correlate_but(index, limited, inner(masked, 1, scale, shift))
    uneven = float(np.log(marks).std())
    wander = _wander(tone, scale, shift)
    return RhythmFound(
        start=round(offset + place.start + shift * unit, 4),
        duration=round(LENGTH * unit * scale, 4),
        unit=round(unit * scale, 5),
        frequency=round(frequency, 2),
        level=round(20 * math.log10(level * middle / math.sqrt(2)), 2),
        score=score - _LEVELS * uneven - _PITCHES * wander,
        marks=tuple(round(float(mark), 3) for mark in marks),
    )


def _frequencies(sound: Float, rate: float, place: _Place) -> list[float]:
    """Where the spectrum peaks near the place: in the long mark, and in all marks together."""
    spectra = []
    size = 1 << math.ceil(math.log2(12 * place.unit * rate))
    for first, units in MARKS:
        begin = max(round((place.start + (first + 0.1) * place.unit) * rate), 0)
        part = sound[begin : begin + round((units - 0.2) * place.unit * rate)]
        if len(part) < 16:
            return []
        taper = np.hanning(len(part)).astype(np.float32)
        spectra.append(np.abs(np.fft.rfft(part * taper, size)) ** 2 + 1e-12)
    reach = math.ceil(1.5 * place.around * size / rate)
    centre = round(place.frequency * size / rate)
    low, high = max(centre - reach, 1), min(centre + reach + 1, size // 2 - 1)
    # The product of the spectra peaks where every mark has the tone.
    every = np.sum([np.log(one) for one in spectra], axis=0)
    found = [_vertex(one, low, high) * rate / size for one in (np.log(spectra[1]), every)]
    if abs(found[1] - found[0]) < 0.05 / place.unit:
        del found[1]
    return [one for one in found if TONES[0] / _SLACK <= one <= TONES[1] * _SLACK]


def _vertex(values: NDArray[np.floating], low: int, high: int) -> float:
    """Where a parabola through the highest of `values` from `low` to `high` has its vertex."""
    peak = low + int(values[low:high].argmax())
    before, top, after = (float(value) for value in values[peak - 1 : peak + 2])
    bend = before - 2 * top + after
    return peak + (0.5 * (before - after) / bend if bend < 0 else 0.0)


def _demodulated(
    sound: Float, rate: float, start: float, unit: float, frequency: float
) -> NDArray[np.complex64]:
    """Amplitude and phase of the tone, `FINE` a unit, from before the silence until after it."""
    # Sums over half a sample each; the window is laid over the sums.
    half = np.hanning(round(2 * FINE * SMOOTH) + 2)[1:-1]
    lead = len(half) // 2
    step = unit * rate / (2 * FINE)
    begin = (start - (QUIET + REACH) * unit) * rate - (lead - 0.5) * step
    edges = np.round(begin + np.arange(2 * COUNT + len(half)) * step).astype(np.int64)
    first, last = int(edges[0]), int(edges[-1])
    part = np.zeros(last - first, np.float32)
    inside = sound[max(first, 0) : max(last, 0)]
    part[max(-first, 0) :][: len(inside)] = inside
    # Turns are reduced before they lose their last digits to single precision.
    turns = (np.arange(len(part)) * (frequency / rate) % 1.0 * (2 * np.pi)).astype(np.float32)
    turned = np.empty(len(part), np.complex64)
    turned.real = part * np.cos(turns)
    turned.imag = part * -np.sin(turns)
    sums = np.add.reduceat(turned, edges[:-1] - first)
    shown = np.convolve(sums, half, mode="valid")[: 2 * COUNT : 2]
    return np.asarray(shown * (2 / (half.sum() * step)), np.complex64)


def _elements(values: Float, scale: float, shift: float) -> tuple[Float, Float]:
    """Mean of each mark, and of each unit of gap and silence, in their inner halves."""
    marks = [values[inner(first, units, scale, shift)].mean() for first, units in MARKS]
    gaps = [values[inner(first, 1, scale, shift)].mean() for first in SILENT]
    return np.array(marks, np.float32), np.array(gaps, np.float32)


def _wander(tone: NDArray[np.complex64], scale: float, shift: float) -> float:
    """How far the marks' frequencies lie apart: standard deviation, in cycles a unit."""
    turns = []
    for first, units in MARKS:
        part = tone[inner(first, units, scale, shift)]
        turns.append(np.angle(np.vdot(part[:-1], part[1:])))
    return float(np.std(turns)) * FINE / (2 * np.pi)
