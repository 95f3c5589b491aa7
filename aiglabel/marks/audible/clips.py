"""Finding known clips: the spoken labels that travel with the package, and given ones.

Energies of twenty bands, in dB, every 16 ms, are correlated with those of each clip at every start
and at seven speeds. In each band the mean over the clip's length is taken out first, so neither
level nor equalisation matters. Words spoken by anyone else are not recognised.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from aiglabel.errors import LabelError
from aiglabel.marks.audible.reduction import blocks
from aiglabel.marks.audible.resample import LONGEST
from aiglabel.marks.audible.rhythm import check_rate
from aiglabel.marks.audible.voices import Voice, shipped, speaking_rate

Float = NDArray[np.float32]

# Of the correlation. While this was made, 45 minutes without labels reached 0.51, and labels put in
# by `place`, coded at 24 kbit/s, stayed above 0.79 in 60 of 60 cases. See `benchmarks/audible.py`.
THRESHOLD = 0.7
MOST_CLIPS = 64
_SHORTEST = 0.5  # s: what is shorter is like too much else
_HOP = 0.016  # s
_WINDOW = 0.04  # s
_BANDS = 20
_RANGE = (150.0, 3400.0)  # Hz
_FLOOR = 35.0  # dB below the loudest band nearby: nothing softer is looked at
_NEARBY = 1.5  # s
_SPEEDS = (0.94, 0.96, 0.98, 1.0, 1.02, 1.04, 1.06)
_MOST = 64  # finds of one block and clip
_LEAST_SPREAD = 1.0  # dB: bands that move less than this are background noise


@dataclass(frozen=True, kw_only=True)
class ClipFound:
    """One known clip.

    Attributes
    ----------
    text : str
        What it says.
    start, duration : float
        In s.
    speed : float
        1 as recorded, above 1 faster.
    speaking_rate : float or None
        Characters a minute, where the text is Chinese.
    score : float
        Correlation, `THRESHOLD` to 1.
    """

    text: str
    start: float
    duration: float
    speed: float
    speaking_rate: float | None
    score: float


def find_clips(
    y: Float, rate: int, *, voices: Sequence[Voice] | None = None, threshold: float = THRESHOLD
) -> list[ClipFound]:
    """Look for known clips, played up to 7 % faster or slower.

    Parameters
    ----------
    y : float32 (channels, n) in [-1, 1]
    rate : int
        Samples a second, 8000 to 192000.
    voices : sequence of Voice, optional
        At most 64, of 0.5 to 60 s each; the shipped ones when None.
    threshold : float
        Least score.

    Returns
    -------
    list of ClipFound
        In order of time; of those that overlap by half the shorter one, the best.

    Raises
    ------
    LabelError
        When the rate or a clip is outside.
    """
    check_rate(rate)
    voices = shipped() if voices is None else voices
    if len(voices) > MOST_CLIPS:
        raise LabelError(f"at most {MOST_CLIPS} clips are looked for at once, not {len(voices)}")
    found: list[ClipFound] = []
    templates = [_templates(voice) for voice in voices]
    longest = max((one.duration for one in voices), default=0.0) / _SPEEDS[0] + 2 * _WINDOW
    for start, sound, low_rate in blocks(y, rate, before=_NEARBY, after=longest):
        seen = _Seen.of(_features(sound, low_rate))
        for voice, at_speeds in zip(voices, templates, strict=True):
            found += _matches(seen, voice, at_speeds, start, threshold)
    return _apart(found)


def _apart(found: list[ClipFound]) -> list[ClipFound]:
    kept: list[ClipFound] = []
    for one in sorted(found, key=lambda one: -one.score):
        if all(_overlap(one, other) < 0.5 for other in kept):
            kept.append(one)
    return sorted(kept, key=lambda one: one.start)


def _overlap(one: ClipFound, other: ClipFound) -> float:
    """Share of the shorter clip that both cover."""
    begin = max(one.start, other.start)
    end = min(one.start + one.duration, other.start + other.duration)
    return (end - begin) / min(one.duration, other.duration)


def _templates(voice: Voice) -> list[Float]:
    """Features of the clip at each speed, (bands, frames) of zero mean in each band, unit norm."""
    if not _SHORTEST <= voice.duration <= LONGEST:
        raise LabelError(
            f"a clip to look for lasts {_SHORTEST:g} to {LONGEST:g} s, {voice.text!r}"
            f" {voice.duration:.2f} s"
        )
    check_rate(voice.rate)
    _, sound, low_rate = next(blocks(voice.clip, voice.rate, before=0, after=0))
    out = []
    for speed in _SPEEDS:
        place = np.arange(0, len(sound) - 1, speed)
        faster = np.interp(place, np.arange(len(sound)), sound).astype(np.float32)
        one = _features(faster, low_rate)
        one -= one.mean(axis=1, keepdims=True)
        norm = float(np.linalg.norm(one))
        if norm < 1e-3:
            raise LabelError(f"the clip {voice.text!r} is silent", remedy="Record it anew")
        out.append(one / np.float32(norm))
    return out


def _features(sound: Float, rate: float) -> Float:
    """Energies of the bands in dB, float32 (bands, frames); softer ones raised to the floor."""
    window = int(cv2.getOptimalDFTSize(round(_WINDOW * rate)))
    if len(sound) < window:
        return np.zeros((_BANDS, 0), np.float32)
    starts = np.round(np.arange(0, (len(sound) - window) / rate, _HOP) * rate).astype(np.int64)
    views = np.lib.stride_tricks.sliding_window_view(sound, window)
    taper = np.hanning(window + 2)[1:-1].astype(np.float32)
    bank = _bank(window, rate)
    out = np.empty((_BANDS, len(starts)), np.float32)
    for first in range(0, len(starts), 512):
        some = np.s_[first : first + 512]
        spectra = np.fft.rfft(views[starts[some]] * taper, axis=1)
        out[:, some] = bank @ (np.square(spectra.real) + np.square(spectra.imag)).T
    np.log10(np.maximum(out, np.float32(1e-9), out=out), out=out)
    out *= 10
    reach = np.ones((1, 2 * round(_NEARBY / _HOP) + 1), np.uint8)
    loudest = cv2.dilate(out.max(axis=0, keepdims=True), reach)
    return np.asarray(np.maximum(out, loudest - np.float32(_FLOOR)), np.float32)


def _bank(window: int, rate: float) -> Float:
    """Triangular bands, equally wide on the mel scale (O'Shaughnessy 1987): (bands, bins)."""
    low, high = (2595 * math.log10(1 + edge / 700) for edge in _RANGE)
    edges = 700 * (10 ** (np.linspace(low, high, _BANDS + 2) / 2595) - 1)
    bins = np.arange(window // 2 + 1) * rate / window
    rise = (bins - edges[:-2, None]) / (edges[1:-1] - edges[:-2])[:, None]
    fall = (edges[2:, None] - bins) / (edges[2:] - edges[1:-1])[:, None]
    return np.maximum(np.minimum(rise, fall), 0).astype(np.float32)


def _matches(
    seen: _Seen, voice: Voice, templates: list[Float], start: float, threshold: float
) -> list[ClipFound]:
    """Places of one block where a clip fits."""
    longest = max(one.shape[1] for one in templates)
    frames = seen.frames - longest + 1
    if frames < 1:
        return []
    scores = np.stack([_correlation(seen, one, frames) for one in templates])
    best = scores.max(axis=0)
    # One find within half a clip.
    near = np.ones((1, longest // 2 * 2 + 1), np.uint8)
    top = (best >= threshold) & (best >= cv2.dilate(best[None], near)[0])
    columns = np.flatnonzero(top)
    columns = columns[np.argsort(-best[columns], kind="stable")[:_MOST]]
    return [_found(scores, int(column), voice, start) for column in columns]


def _found(scores: Float, column: int, voice: Voice, start: float) -> ClipFound:
    which = int(scores[:, column].argmax())
    step = _SPEEDS[1] - _SPEEDS[0]
    speed = _SPEEDS[0] + step * (which + _vertex(scores[:, column], which))
    at = (column + _vertex(scores[which], column)) * _HOP
    duration = voice.duration / speed
    spoken = speaking_rate(voice.text, duration)
    return ClipFound(
        text=voice.text,
        start=round(start + at, 3),
        duration=round(duration, 3),
        speed=round(speed, 4),
        speaking_rate=None if spoken is None else round(spoken, 1),
        score=float(scores[which, column]),
    )


def _vertex(values: Float, at: int) -> float:
    """Offset of the vertex of a parabola through the value at `at` and its neighbours."""
    if not 0 < at < len(values) - 1:
        return 0.0
    before, top, after = (float(value) for value in values[at - 1 : at + 2])
    bend = before - 2 * top + after
    return min(max(0.5 * (before - after) / bend, -0.5), 0.5) if bend < 0 else 0.0


@dataclass(frozen=True, eq=False)
class _Seen:
    """Features of a block, and what every correlation with them needs.

    Attributes
    ----------
    frames : int
    size : int
        Of the transforms.
    spectrum : complex (bands, bins)
        Of each band over time.
    sums, squares : float64 (bands, frames + 1) and (frames + 1,)
        Running sums of the bands, and of their squares over all bands.
    """

    frames: int
    size: int
    spectrum: NDArray[np.complexfloating]
    sums: NDArray[np.float64]
    squares: NDArray[np.float64]

    @classmethod
    def of(cls, features: Float) -> _Seen:
        size = int(cv2.getOptimalDFTSize(max(features.shape[1], 1)))
        return cls(
            features.shape[1],
            size,
            np.fft.rfft(features, size, axis=1),
            np.cumsum(np.pad(features, ((0, 0), (1, 0))), axis=1, dtype=np.float64),
            np.cumsum(np.pad(np.square(features).sum(axis=0), (1, 0)), dtype=np.float64),
        )


def _correlation(seen: _Seen, template: Float, frames: int) -> Float:
    """Pearson's correlation over all bands, each with its own mean, at the first starts."""
    length = template.shape[1]
    product = np.einsum("bf,bf->f", seen.spectrum, np.fft.rfft(template, seen.size, axis=1).conj())
    fit = np.fft.irfft(product, seen.size)[:frames]
    means = seen.sums[:, length : length + frames] - seen.sums[:, :frames]
    spread = seen.squares[length : length + frames] - seen.squares[:frames]
    spread -= np.einsum("bf,bf->f", means, means) / length
    least = _LEAST_SPREAD**2 * length * _BANDS
    return np.asarray(fit / np.sqrt(np.maximum(spread, least)), np.float32)
