"""Sounds for the audible labels' benchmark: real speech and music, and what is like a label.

Everything is mono at `RATE`. Real sounds are the ``aud*`` files of the media folder, cut, sped up,
slowed down and mixed; the others are made here, so that hours of them cost nothing.
"""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from aiglabel.media.ffmpeg import ffmpeg_exe

RATE = 16000
Sound = NDArray[np.float32]
Random = np.random.Generator

_MORSE = {
    "A": ".-", "B": "-...", "C": "-.-.", "D": "-..", "E": ".", "F": "..-.", "G": "--.",
    "H": "....", "I": "..", "J": ".---", "K": "-.-", "L": ".-..", "M": "--", "N": "-.",
    "O": "---", "P": ".--.", "Q": "--.-", "R": ".-.", "S": "...", "T": "-", "U": "..-",
    "V": "...-", "W": ".--", "X": "-..-", "Y": "-.--", "Z": "--..", "1": ".----", "5": ".....",
}  # fmt: skip
_DTMF_LOW, _DTMF_HIGH = (697, 770, 852, 941), (1209, 1336, 1477, 1633)


@cache
def real(media: Path) -> tuple[tuple[str, Sound], ...]:
    """Name and samples of every sound file of the folder that is not silent."""
    out = []
    for path in sorted(media.glob("aud*")):
        command = [ffmpeg_exe(), "-v", "error", "-i", str(path), "-f", "f32le", "-ac", "1"]
        done = subprocess.run([*command, "-ar", str(RATE), "-"], capture_output=True, check=True)
        sound = np.frombuffer(done.stdout, np.float32)
        if np.sqrt(np.mean(sound**2)) > 1e-3:
            out.append((path.name.split("_", 1)[1], sound))
    return tuple(out)


def coded(y: Sound, rate: int, codec: str, *options: str) -> Sound:
    """Send mono samples through a lossy coder and back."""
    kind = {"libmp3lame": "mp3", "aac": "adts", "libopus": "ogg"}[codec]
    plain = ["-f", "f32le", "-ac", "1"]
    command = [ffmpeg_exe(), "-v", "error", *plain, "-ar", str(rate), "-i", "-", "-c:a", codec]
    packed = subprocess.run(
        [*command, *options, "-f", kind, "-"], input=y.tobytes(), capture_output=True, check=True
    )
    unpacked = subprocess.run(
        [ffmpeg_exe(), "-v", "error", "-i", "-", *plain, "-ar", str(rate), "-"],
        input=packed.stdout, capture_output=True, check=True,
    )  # fmt: skip
    return np.frombuffer(unpacked.stdout, np.float32)


def sped(y: Sound, factor: float) -> Sound:
    """Play faster, and higher, by linear interpolation."""
    place = np.arange(0, len(y) - 1, factor)
    return np.interp(place, np.arange(len(y)), y).astype(np.float32)


def programme(media: Path, seconds: float, rng: Random) -> tuple[str, Sound]:
    """A stretch of one real sound, repeated where it is too short."""
    name, sound = real(media)[rng.integers(len(real(media)))]
    count = round(seconds * RATE)
    start = int(rng.integers(len(sound)))
    return name, np.tile(sound, -(-(count + start) // len(sound)))[start : start + count].copy()


# ---------------------------------------------------------------------- what is not a label


def _changed(media: Path, seconds: float, rng: Random) -> Sound:
    """One real sound, cut at random and each piece sped up or slowed down by up to a third."""
    parts, length = [], 0
    while length < seconds * RATE:
        _, part = programme(media, float(rng.uniform(3, 15)), rng)
        parts.append(sped(part, float(np.exp(rng.uniform(-0.35, 0.35)))))
        length += len(parts[-1])
    return np.concatenate(parts)[: round(seconds * RATE)]


def _mixed(media: Path, seconds: float, rng: Random) -> Sound:
    return np.asarray(
        _changed(media, seconds, rng) + _changed(media, seconds, rng) * rng.uniform(0.2, 1),
        np.float32,
    )


def _keyed(seconds: float, notes: list[tuple[float, float, float]], decay: float = 0) -> Sound:
    """Tones (start, length, Hz) with soft edges, and a decay (1/s) where they are plucked."""
    out = np.zeros(round(seconds * RATE), np.float32)
    for start, length, frequency in notes:
        first, count = round(start * RATE), round(length * RATE)
        time = np.arange(min(count, len(out) - first)) / RATE
        if not len(time):
            continue
        level = np.minimum(np.minimum(time, length - time) / 0.005, 1).clip(0)
        tone = level * np.exp(-decay * time) * np.sin(2 * np.pi * frequency * time)
        out[first : first + len(time)] += (0.2 * tone).astype(np.float32)
    return out


def _morse(seconds: float, rng: Random) -> Sound:
    """Random letters in random words; never the word AI."""
    unit, frequency = float(np.exp(rng.uniform(np.log(0.06), np.log(0.4)))), _frequency(rng)
    at, notes = 0.5, []
    letters = list(_MORSE)
    while at < seconds:
        size = int(rng.integers(1, 7))
        word = "".join(rng.choice(letters, size))
        if word == "AI":
            continue
        for letter in word:
            for sign in _MORSE[letter]:
                length = unit * (3 if sign == "-" else 1)
                notes.append((at, length, frequency))
                at += length + unit
            at += 2 * unit
        at += 4 * unit
    return _keyed(seconds, notes)


def _dtmf(seconds: float, rng: Random) -> Sound:
    at, notes = 0.5, []
    length, gap = rng.uniform(0.06, 0.3, 2)
    while at < seconds:
        for _ in range(int(rng.integers(3, 12))):
            notes.append((at, length, float(rng.choice(_DTMF_LOW))))
            notes.append((at, length, float(rng.choice(_DTMF_HIGH))))
            at += length + gap
        at += float(rng.uniform(0.5, 4))
    return _keyed(seconds, notes)


def _melody(seconds: float, rng: Random) -> Sound:
    """Notes of a pentatonic scale in random rhythm, steady or plucked."""
    beat, base = float(rng.uniform(0.08, 0.4)), float(rng.uniform(200, 800))
    scale = base * 2 ** (np.array([0, 2, 4, 7, 9, 12, 14, 16]) / 12)
    at, notes = 0.2, []
    while at < seconds:
        length = beat * int(rng.choice([1, 1, 1, 2, 3, 4]))
        if rng.random() > 0.2:
            notes.append((at, length * 0.95, float(rng.choice(scale))))
        at += length
    return _keyed(seconds, notes, decay=float(rng.choice([0, 0, 3, 8])))


def _arpeggio(seconds: float, rng: Random) -> Sound:
    beat, base = float(rng.uniform(0.06, 0.4)), float(rng.uniform(200, 900))
    chord = base * 2 ** (np.array([0, 4, 7, 12, 7, 4]) / 12)
    count = int(rng.integers(3, 7))
    starts = np.arange(0.2, seconds, beat)
    notes = [(float(at), beat, float(chord[i % count])) for i, at in enumerate(starts)]
    return _keyed(seconds, notes, decay=float(rng.choice([0, 5])))


def _beeps(seconds: float, rng: Random) -> Sound:
    """Metronomes, alarms, busy and ring tones: groups of equal beeps in equal distances."""
    length, gap = float(rng.uniform(0.02, 0.6)), float(rng.uniform(0.05, 0.6))
    group, pause = int(rng.integers(1, 6)), float(rng.uniform(0.1, 3))
    frequency = _frequency(rng)
    at, notes = 0.3, []
    while at < seconds:
        for _ in range(group):
            notes.append((at, length, frequency))
            at += length + gap
        at += pause
    return _keyed(seconds, notes)


def _one_note(seconds: float, rng: Random) -> Sound:
    """One pitch in random rhythm on a grid: the likest to the label that chance makes."""
    unit, frequency = float(rng.uniform(0.06, 0.4)), _frequency(rng)
    at, notes = 0.3, []
    while at < seconds:
        length = unit * int(rng.integers(1, 5))
        notes.append((at, length, frequency))
        at += length + unit * int(rng.integers(1, 5))
    return _keyed(seconds, notes)


def _noise(seconds: float, rng: Random) -> Sound:
    """Noise that comes and goes, of any slope, as of wind, traffic or applause."""
    count = round(seconds * RATE)
    spectrum = np.fft.rfft(rng.standard_normal(count))
    spectrum /= np.maximum(np.arange(len(spectrum)), 1) ** rng.uniform(0, 1)
    sound = np.fft.irfft(spectrum, count)
    knots = np.arange(0, count + 4000, 4000)
    swell = np.interp(np.arange(count), knots, rng.gamma(1, 1, len(knots)))
    return np.asarray(0.1 * swell * sound / sound.std(), np.float32)


def _frequency(rng: Random) -> float:
    return float(np.exp(rng.uniform(np.log(300), np.log(3000))))


MADE: dict[str, Callable[[float, Random], Sound]] = {
    "Morse of other words": _morse,
    "DTMF": _dtmf,
    "melodies": _melody,
    "arpeggios": _arpeggio,
    "beeps, rings, metronomes": _beeps,
    "one note, random rhythm": _one_note,
    "noise": _noise,
}
REAL: dict[str, Callable[[Path, float, Random], Sound]] = {
    "speech and music, cut and sped": _changed,
    "two of them mixed": _mixed,
}
