"""Informed embedding of sound, in closed loop: a trial chooses where the tile begins, and how loud.

Informed: the sound by itself agrees a little with the message, by chance, and differently for every
row that the tile may begin in. The row it agrees best with is worth two standard deviations of the
statistic, and costs nothing. Closed loop: a stretch is marked, noise is added, and the strength
follows what is left of the mark, within bounds: speech with gaps needs more than dense music.

None of this is part of the wire format: a detector does not know how a sound was marked.
"""

from __future__ import annotations

import math
from dataclasses import replace
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from aiglabel.key import Key
from aiglabel.signal import audio_detector, samples, score
from aiglabel.signal.audio_marker import Marker, Strength
from aiglabel.signal.score import OVERSAMPLED, PERIOD
from aiglabel.signal.spectrogram import Spectrogram

Float = NDArray[np.float32]

SECONDS = 15.0
"""What is tried at most, from the middle of the sound."""
# Decibels that the noise lies below the sound, and samples a second that are enough to hear it.
_NOISE, _ENOUGH = 20.0, 16_000
_PIECES = 8


def kept(mono: Float, payload: bytes, *, rate: float, key: Key) -> float:
    """Statistic of a known payload, its weaker half, that is left in a sound (n,) beside noise."""
    mono, rate = _coarser(mono, rate)
    heard = Spectrogram(mono + _noise(mono), rate)
    return min(
        float((audio_detector.soft_bits(heard, one, above_noise=True) * word).sum())
        for one, word in score.words(payload, key)
    )


def stretch(count: int, rate: float) -> tuple[int, slice]:
    """What is tried of a sound of so many samples: the row it begins with, and its samples."""
    row = max(0, math.floor((count / rate - SECONDS) / 2 / score.HOP))
    begin = round(row * score.HOP * rate)
    return row, slice(begin, begin + round(SECONDS * rate))


def trial(
    mono: Float, payload: bytes, *, rate: float, key: Key, strength: Strength
) -> tuple[int, Strength]:
    """Row of the tile that a sound (n,) shall begin in, and the strength it shall be marked with.

    With a strength whose bounds are equal only the row is chosen.
    """
    mono, rate = _coarser(mono, rate)
    row = _agreeing_row(mono, payload, rate=rate, key=key)
    if strength.softest < strength.loudest:
        marker = Marker(payload, rate=rate, channels=1, key=key, strength=strength, row=row)
        # Piece by piece: they stay in the cache.
        pieces = map(marker.process, np.array_split(mono[None], _PIECES, axis=1))
        marked = np.concatenate([*pieces, marker.flush()], axis=1)
        left = max(kept(marked[0], payload, rate=rate, key=key), 1e-9)
        louder = min(max(strength.margin / left, strength.softest), strength.loudest)
        strength = replace(strength, change=strength.change * louder)
    return row, strength


def _agreeing_row(mono: Float, payload: bytes, *, rate: float, key: Key) -> int:
    """The row that the sound, as it is and beside noise, agrees best with."""
    template = score.heard(score.message(payload, key))
    agreement = np.zeros(PERIOD)
    for sound, above_noise in ((mono, False), (mono + _noise(mono), True)):
        listened = Spectrogram(sound, rate)
        if not listened.rows:
            return 0
        folded = listened.banded(above_noise=above_noise).folded(1.0, 0.0)
        product = (np.fft.rfft(folded.T) * template).sum(axis=0)
        fits = np.fft.irfft(product, n=PERIOD)
        agreement += fits / max(float(np.linalg.norm(fits)), 1e-9)
    # The first sample lies in the middle of the first frame that is marked; the second row that is
    # listened to of each row of the tile is centred on it.
    offsets = -(OVERSAMPLED * (np.arange(score.ROWS) + 1) + 1) % PERIOD
    return int(agreement[offsets].argmax())


def _coarser(mono: Float, rate: float) -> tuple[Float, float]:
    """The sound at a rate that is just enough for a trial: each sample the mean of several."""
    step = max(1, int(rate / _ENOUGH))
    used = mono[: len(mono) // step * step]
    return samples.mean_of(used.reshape(-1, step).T), rate / step


def _noise(mono: Float) -> Float:
    """White noise 20 dB below the sound; always the same."""
    level = math.sqrt(float(mono @ mono) / max(len(mono), 1)) * 10 ** (-_NOISE / 20)
    noise: Float = _drawn(len(mono)) * np.float32(level)
    return noise


@lru_cache(maxsize=1)
def _drawn(count: int) -> Float:
    return np.random.default_rng(0).standard_normal(count, np.float32)
