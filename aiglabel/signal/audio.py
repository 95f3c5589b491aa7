"""Blind DWT watermark of sound: 64 payload bits, or 128, keyed. Wire format ``aiglabel.audio.1``.

The mark is multiplicative: every 20 ms each band of the short-time spectrum gets a little louder or
softer, by a tile of wavelet details over time and pitch that repeats every 2.56 s (`score`). So it
keeps to where the sound is, at any sample rate, and silence stays silent. Detection listens to
levels, takes away what the levels around tell (`spectrogram`), finds the tile at any beginning,
tempo and pitch (`audio_detector`), folds all repetitions into soft code bits, decodes them (`code`)
and states a p-value that holds for any sound (`statistics`).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from aiglabel.key import Key
from aiglabel.signal import audio_detector, audio_trial, detection, samples, score, spectrogram
from aiglabel.signal.audio_detector import Finding
from aiglabel.signal.audio_marker import (
    CHANNELS,
    DEFAULT_STRENGTH,
    RATES,
    STRENGTHS,
    Marker,
    Strength,
    check,
    check_finite,
    strength_of,
)

__all__ = [
    "CHANNELS", "DEFAULT_STRENGTH", "EFFORTS", "LISTENED", "RATES", "SEARCHED", "STRENGTHS",
    "WIRE_FORMAT", "Detection", "Marked", "Marker", "Strength", "detect", "detect_any", "embed",
    "holds", "mark", "tuned",
]  # fmt: skip

Float = NDArray[np.float32]
Samples = NDArray[Any]

WIRE_FORMAT: Final = "aiglabel.audio.1"
EFFORTS: Final = ("quick", "full")

LISTENED: Final = 60.0
"""Seconds that are listened to at once: memory does not grow with the length."""
SEARCHED: Final = 3
"""Pieces of a long sound in which everything is searched."""

# Seconds that are marked at once.
_AT_ONCE = 1.0
# Statistic from which a message, without its pilots, is told from chance in any step.
_TOLD = audio_detector.TRIED[audio_detector.SEARCHED].limits(1)[0]
# Times the threshold from which decoding has not failed in trials, and the share of right code
# bits: otherwise an older mark drowns the new one.
_SAFE, _AGREEING = 1.3, 0.75


@dataclass(frozen=True, eq=False, kw_only=True)
class Detection(detection.Detection):
    """Result of looking for the mark in a sound; see also `detection.Detection`.

    Attributes
    ----------
    tempo, pitch : float
        Of what was heard over what was marked, 1 where nothing was changed.
    step : str
        "as it is", or how hard it was to find: "searched", "parts".
    seconds : float
        Where in the sound the piece begins that it was found in.
    """

    wire_format: str = WIRE_FORMAT
    tempo: float
    pitch: float
    step: str
    seconds: float


@dataclass(frozen=True, eq=False)
class Marked:
    """A marked sound and what is known of the mark; see `mark`.

    Attributes
    ----------
    samples : ndarray
        Same shape and dtype as the cover.
    statistic : float
        Statistic that the message still has beside simulated noise, of the best minute.
    threshold : float
        What it needs to be told from chance.
    snr_db : float
        Power of the cover over that of what was added, dB; infinite where nothing was.
    """

    samples: Samples
    statistic: float
    threshold: float
    snr_db: float

    @property
    def holds(self) -> bool:
        """Whether the sound can carry the mark: a moment, or silence, cannot."""
        return self.statistic >= self.threshold


def embed(
    y: Samples, payload: bytes, *, rate: float, key: Key, strength: str | Strength | None = None
) -> Samples:
    """Return `y` with the watermark added; the input is not changed.

    How loud, and where the tile begins, a trial of up to 15 s decides: see `audio_trial`.

    Parameters
    ----------
    y : float in [-1, 1], or int16 or int32, shape (channels, n) or (n,)
        8-bit and 24-bit samples come as int16 and int32 or floats.
    payload : bytes
        8 bytes; 16 for sounds of 15 s and more: two halves then share the strength.
    rate : float
        Samples a second, in `RATES`.
    key : Key
    strength : {"invisible", "balanced", "robust"} or Strength, optional

    Raises
    ------
    PayloadError
        When `payload` is neither 8 nor 16 bytes.
    ValueError
        For another shape, dtype, rate or number of channels.
    """
    marker = tuned(y, payload, rate=rate, key=key, strength=strength)
    channels = y[None] if y.ndim == 1 else y
    out = np.empty_like(channels)
    written = 0
    step = max(1, round(_AT_ONCE * rate))
    begins = range(0, channels.shape[1], step)
    for begin in (*begins, None):
        block = (
            marker.flush() if begin is None
            else marker.process(samples.floats(channels[:, begin : begin + step]))
        )  # fmt: skip
        out[:, written : written + block.shape[1]] = samples.typed(block, channels.dtype)
        written += block.shape[1]
    return out.reshape(y.shape)


def tuned(
    y: Samples, payload: bytes, *, rate: float, key: Key, strength: str | Strength | None = None
) -> Marker:
    """Return the marker that `embed` uses for a sound (channels, n), or one that begins so.

    Raises
    ------
    PayloadError, ValueError
        As `embed`.
    """
    channels = _channels(y)
    check(rate, len(channels))
    first, tried = audio_trial.stretch(channels.shape[1], rate)
    heard, wanted = samples.mono(channels[:, tried]), strength_of(strength)
    row, wanted = audio_trial.trial(heard, payload, rate=rate, key=key, strength=wanted)
    return Marker(
        payload, rate=rate, channels=len(channels), key=key, strength=wanted, row=row - first
    )


def mark(
    y: Samples, payload: bytes, *, rate: float, key: Key, strength: str | Strength | None = None
) -> Marked:
    """Mark a sound as `embed` does, and tell how well it holds.

    Raises
    ------
    PayloadError
        When `payload` is neither 8 nor 16 bytes.
    ValueError
        For another shape, dtype, rate or number of channels.
    """
    marked = embed(y, payload, rate=rate, key=key, strength=strength)
    statistic, cover, added = 0.0, 0.0, 0.0
    before, after = _channels(y), _channels(marked)
    for begin, end in _pieces(before.shape[1], rate):
        sound = samples.floats(after[:, begin:end])
        cover += float(np.square(sound).sum())
        added += float(np.square(sound - samples.floats(before[:, begin:end])).sum())
        left = audio_trial.kept(samples.mono(after[:, begin:end]), payload, rate=rate, key=key)
        statistic = max(statistic, left)
    ratio = 10 * math.log10(cover / added) if added else math.inf
    return Marked(marked, statistic, _TOLD, ratio)


def holds(y: Samples, payload: bytes, *, rate: float, key: Key) -> bool:
    """Whether a known payload would be read from a minute of a sound that kept tempo and pitch.

    Cheap: no search, no decoding. For reading a write back, not for judging files.
    """
    channels = _channels(y)
    wanted = _SAFE * _TOLD
    unheard = score.words(payload, key)
    for begin, end in _pieces(channels.shape[1], rate):
        heard = spectrogram.Spectrogram(samples.mono(channels[:, begin:end]), rate)
        for one, word in list(unheard):
            agreeing = audio_detector.soft_bits(heard, one) * word
            if agreeing.sum() >= wanted and (agreeing > 0).mean() >= _AGREEING:
                unheard.remove((one, word))
        if not unheard:
            return True
    return False


def detect(y: Samples, *, rate: float, key: Key, effort: str = "full", bits: int = 64) -> Detection:
    """Look for the mark of `key` in a sound of any length, without knowing the original.

    Parameters
    ----------
    y : float in [-1, 1], or int16 or int32, shape (channels, n) or (n,)
    rate : float
        Samples a second, in `RATES`.
    key : Key
    effort : {"quick", "full"}
        "quick" listens to the sound as it is only, "full" also at other tempos and pitches, and
        where pieces were cut out or put in.
    bits : {64, 128}
        Length of the payload. Of 128, both halves must be read; what else is told is that of the
        half that was found less surely.
    """
    if bits not in (64, 128):
        raise ValueError("a payload has 64 or 128 bits")
    keys = [key] if bits == 64 else [key, score.companion(key)]
    found = detect_any(y, rate=rate, keys=keys, effort=effort)
    halves = [one.payload for one in found if one.payload is not None]
    whole = b"".join(halves) if len(halves) == len(found) else None
    weaker = min(found, key=lambda one: one.statistic / one.threshold)
    return replace(weaker, payload=whole)


def detect_any(
    y: Samples, *, rate: float, keys: Sequence[Key], looks: int = 1, effort: str = "full"
) -> list[Detection]:
    """Look for the marks of several keys: spectra are shared.

    A long sound is listened to minute by minute, each as it is; three of them are searched.
    `looks` is how many sounds (pieces) are listened to for one answer: the false-positive rate
    holds for all of them together.
    """
    channels = _channels(y)
    check(rate, len(channels))
    if effort not in EFFORTS:
        raise ValueError(f"effort is one of {', '.join(EFFORTS)}")
    pieces = _pieces(channels.shape[1], rate)
    searched = {at * (len(pieces) - 1) // max(SEARCHED - 1, 1) for at in range(SEARCHED)}
    looks *= len(pieces) * len(keys)
    best: list[tuple[Finding, int] | None] = [None] * len(keys)
    for full in (False, True):
        for number, (begin, end) in enumerate(pieces):
            unread = [at for at, one in enumerate(best) if one is None or one[0].payload is None]
            if not unread or (full and (effort == "quick" or number not in searched)):
                continue
            heard = spectrogram.Spectrogram(samples.mono(channels[:, begin:end]), rate)
            findings = audio_detector.search(
                heard, [keys[at] for at in unread], full=full, looks=looks
            )
            for at, found in zip(unread, findings, strict=True):
                known = best[at]
                if known is None or found.payload or found.margin > known[0].margin:
                    best[at] = found, begin
    return [_detection(*one, rate=rate) for one in best if one is not None]


def _detection(found: Finding, begin: int, *, rate: float) -> Detection:
    tempo, pitch = (found.place.tempo, found.place.pitch) if found.place else (1.0, 1.0)
    return Detection(
        payload=found.payload, statistic=found.statistic, threshold=found.threshold,
        p_value=found.p_value, tempo=tempo, pitch=pitch, step=found.step, seconds=begin / rate,
    )  # fmt: skip


# ---------------------------------------------------------------------- samples


def _pieces(count: int, rate: float) -> list[tuple[int, int]]:
    """Bounds of the minutes of a sound; a last one that is short belongs to the one before."""
    step = round(LISTENED * rate)
    begins = range(0, max(count - step // 2, 1), step)
    return list(zip(begins, (*begins[1:], count), strict=True))


def _channels(y: Samples) -> Samples:
    """View of (channels, n)."""
    if y.ndim not in (1, 2) or y.dtype not in (np.int16, np.int32, np.float32, np.float64):
        raise ValueError("a sound is (channels, n) or (n,) of int16, int32, or float in [-1, 1]")
    if y.dtype.kind == "f":
        check_finite(y)
    return y[None] if y.ndim == 1 else y
