"""Write the sounds of the demo: speech-like, music and street, made by code, in six formats.

Nobody is recorded and nothing is downloaded: syllables of gliding harmonics, chords with drums,
noise. They stand in for generated sound and cover what an operator meets: telephone and studio
rates, pauses, near silence, five channels and a tagged file. The same versions of the libraries
write the same samples every time.

    python samples/make_sounds.py samples/input
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt

from aiglabel.containers.sniff import SOUND_SUFFIXES
from aiglabel.media import sound
from aiglabel.media.sound_arrays import from_samples

Samples = npt.NDArray[np.float64]


def speech(seconds: float, rate: int, *, seed: int, pauses: float = 0.25) -> Samples:
    """Return something like speech, (n,): words of syllables, hisses, and pauses between them."""
    rng = np.random.default_rng(seed)
    time = np.arange(round(seconds * rate)) / rate

    def wandering(every: float, low: float, high: float) -> Samples:
        knots = np.arange(0, seconds + 2 * every, every)
        return np.interp(time, knots, rng.uniform(low, high, len(knots)))

    pitch = wandering(0.3, 95, 210)
    phase = 2 * np.pi * np.cumsum(pitch) / rate
    formants = [wandering(0.15, *around) for around in ((300, 900), (900, 2400), (2300, 3500))]
    y = np.zeros(len(time))
    for harmonic in range(1, min(40, int(0.45 * rate / 210))):
        frequency = harmonic * pitch
        level = sum(1 / (1 + ((frequency - formant) / 150) ** 2) for formant in formants)
        y += level / harmonic**0.5 * np.sin(harmonic * phase)
    hiss = rng.standard_normal(len(time)) * (wandering(0.2, -1, 1) > 0.4)
    words = wandering(0.7, 0, 1) > pauses
    spoken = wandering(0.12, 0, 1) ** 2 * y + 0.1 * hiss
    return np.convolve(words, np.ones(rate // 50) / (rate // 50), "same") * spoken


def music(seconds: float, rate: int, *, seed: int) -> Samples:
    """Return plucked chords over a drum, (2, n)."""
    rng = np.random.default_rng(seed)
    time = np.arange(round(seconds * rate)) / rate
    y = np.zeros((2, len(time)))
    chords = ((57, 60, 64, 69), (53, 57, 60, 65), (48, 52, 55, 64), (55, 59, 62, 67))
    for beat in range(int(seconds / 0.25)):
        since = np.maximum(time - beat * 0.25, 0)
        sounding = (since > 0) & (since < 2)
        note = chords[beat // 8 % 4][beat % 4]
        frequency, side = 440 * 2 ** ((note - 69) / 12), 0.5 + 0.4 * np.sin(beat)
        tone = sum(
            np.sin(2 * np.pi * partial * frequency * since[sounding]) * 0.6**partial
            for partial in range(1, 8)
        )
        pluck = tone * np.exp(-2.5 * since[sounding])
        y[:, sounding] += np.array([[side], [1 - side]]) * pluck
        if beat % 2 == 0:
            drum = rng.standard_normal(sounding.sum()) * np.exp(-30 * since[sounding])
            y[:, sounding] += 0.4 * drum
    return y


def street(seconds: float, rate: int, *, seed: int) -> Samples:
    """Return traffic, (n,): noise that is louder at low frequencies and swells."""
    rng = np.random.default_rng(seed)
    lines = np.fft.rfft(rng.standard_normal(round(seconds * rate)))
    lines /= np.sqrt(np.maximum(np.arange(len(lines)), 20))
    y = np.fft.irfft(lines, n=round(seconds * rate))
    return y * (1.2 + np.sin(np.arange(len(y)) * (2 * np.pi / rate / 4)))


def surround(seconds: float, rate: int) -> Samples:
    """Return a film's sound, (6, n): music left and right, speech in the centre, street behind."""
    left, right = 0.5 * music(seconds, rate, seed=6)
    centre = 2 * speech(seconds, rate, seed=7)
    behind = 3 * street(seconds, rate, seed=8)
    return np.stack([left, right, centre, 0.2 * behind, 0.1 * behind, -0.1 * behind])


def write(path: Path, y: Samples, rate: int, *, peak: float = 0.5) -> None:
    """Write samples (n,) or (channels, n), scaled to a peak, in the format of the suffix."""
    scaled = np.round(y * (peak * 32767 / np.abs(y).max())).astype(np.int16)
    given, _ = from_samples(scaled, rate)
    target = given.coding.into(SOUND_SUFFIXES[path.suffix])
    path.write_bytes(sound.encode(given, target=target))


WRITERS: dict[str, Callable[[Path], None]] = {
    "sounds/assistant.wav": lambda path: write(path, speech(12, 24_000, seed=1), 24_000),
    "sounds/news.mp3": lambda path: write(path, speech(15, 44_100, seed=2, pauses=0.1), 44_100),
    "sounds/song.flac": lambda path: write(path, music(12, 44_100, seed=3), 44_100),
    "sounds/advert.m4a": lambda path: write(
        path, music(10, 48_000, seed=4) + speech(10, 48_000, seed=4), 48_000
    ),
    "sounds/街.ogg": lambda path: write(path, street(10, 44_100, seed=5), 44_100, peak=0.1),
    "sounds/call.opus": lambda path: write(path, speech(10, 16_000, seed=9), 16_000),
    "sounds/film.wav": lambda path: write(path, surround(8, 48_000), 48_000),
}


def make_sounds(folder: Path) -> list[Path]:
    """Write every sound below `folder` and return their paths."""
    paths = [folder / name for name in WRITERS]
    for path, writer in zip(paths, WRITERS.values(), strict=True):
        path.parent.mkdir(parents=True, exist_ok=True)
        writer(path)
    return paths


if __name__ == "__main__":
    target = Path(sys.argv[1] if len(sys.argv) > 1 else "samples/input")
    print(f"{len(make_sounds(target))} sounds in {target}")
