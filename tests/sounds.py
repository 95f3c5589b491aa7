"""Sounds that tests make, and files of them."""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.typing import NDArray

from aiglabel.containers.sniff import SOUND_SUFFIXES
from aiglabel.media import sound
from aiglabel.media.sound_arrays import from_samples

RATE = 16000


@cache
def voice(seconds: float = 10.0, rate: int = RATE, seed: int = 0) -> NDArray[np.float32]:
    """Something like speech: syllables of gliding harmonics through resonances, and hisses."""
    rng = np.random.default_rng(seed)
    time = np.arange(round(seconds * rate)) / rate

    def wandering(every: float, low: float, high: float) -> NDArray[np.float64]:
        knots = np.arange(0, seconds + 2 * every, every)
        return np.interp(time, knots, rng.uniform(low, high, len(knots)))

    pitch = wandering(0.3, 90, 160)
    phase = 2 * np.pi * np.cumsum(pitch) / rate
    formants = [wandering(0.15, *around) for around in ((300, 900), (900, 2400), (2300, 3500))]
    y = np.zeros(len(time))
    for harmonic in range(1, 30):
        frequency = harmonic * pitch
        level = sum(1 / (1 + ((frequency - formant) / 150) ** 2) for formant in formants)
        level[frequency > 0.45 * rate] = 0
        y += level / harmonic**0.5 * np.sin(harmonic * phase)
    hiss = rng.standard_normal(len(time)) * (wandering(0.2, -1, 1) > 0.4)
    y = wandering(0.12, 0, 1) ** 2 * y + 0.1 * hiss + 0.002 * rng.standard_normal(len(time))
    return (0.3 * y / np.abs(y).max()).astype(np.float32)


def coded(
    suffix: str = ".wav", *, seconds: float = 8.0, rate: int = RATE, channels: int = 1
) -> bytes:
    """A file of it, in the format a suffix names."""
    y = np.stack([voice(seconds, rate, seed) for seed in range(channels)])
    given, _ = from_samples(np.round(y * 32767).astype(np.int16), rate)
    return sound.encode(given, target=given.coding.into(SOUND_SUFFIXES[suffix]))
