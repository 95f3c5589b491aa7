"""The sounds that are measured: a folder of one's own, the shipped voices, and some made by code.

Recordings are cut into windows of 10 to 22 s where they are long enough. Shorter ones, of 5 s and
more, are repeated until they last 10 s: what is promised is promised of that. Everything is
``float32 (channels, n)`` with the rate it came with; nothing is resampled.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from aiglabel.marks.audible import shipped
from aiglabel.media import sound
from benchmarks import audible_sounds
from benchmarks.pictures import random_for

Samples = NDArray[np.float32]
Sounding = tuple[Samples, int]
"""Samples (channels, n), and how many there are in a second."""
Random = np.random.Generator

SPEECH, MUSIC, MADE = "speech", "music", "made by code"
BARE = "near silence, short effects, pure tones"
PROMISED: Final = (SPEECH, MUSIC, MADE)
"""Kinds that something is promised of; of the bare ones, nothing is."""

_WINDOW, _LEAST = 15.0, 10.0  # s, about and at least
_SHORT, _SILENT = 1.0, 1e-3  # s; root mean square
_PAUSE = 0.4  # s between two spoken labels
MADE_SECONDS = 12.0


@dataclass(frozen=True)
class Clip:
    """One window of a recording, or a made sound.

    Attributes
    ----------
    name, kind : str
    path : Path or None
        None where it is made.
    window, windows : int
        Which one, of how many equal ones.
    """

    name: str
    kind: str
    path: Path | None
    window: int = 0
    windows: int = 1

    def load(self) -> Sounding:
        """Return its samples, float32 (channels, n), and its rate."""
        if self.path is None:
            return _BY_NAME[self.name](random_for("sound", self.name))
        y, rate = _decoded(self.path)
        first, last = (
            at * y.shape[1] // self.windows for at in (self.window, self.window + 1)
        )  # fmt: skip
        part = y[:, first:last]
        if self.kind != BARE:
            part = np.tile(part, (1, math.ceil(_LEAST * rate / part.shape[1])))
        return np.ascontiguousarray(part), rate


def clips(media: Path | None) -> list[Clip]:
    """Return every clip: those of the folder's ``aud*`` files, then those made here."""
    files = sorted(media.glob("aud*")) if media is not None else []
    found = [one for path in files for one in _of(path)]
    made = [
        Clip(name, kind, None)
        for kind, makers in ((SPEECH, _SPOKEN), (MADE, _MAKERS), (BARE, _BARE_MAKERS))
        for name in makers
    ]
    return found + made


def _of(path: Path) -> list[Clip]:
    y, rate = _decoded(path)
    seconds, power = y.shape[1] / rate, float(np.mean(np.square(y)))
    kind = SPEECH if "speech" in path.name else MUSIC
    if seconds < _SHORT or power < _SILENT**2:
        kind = BARE
    count = max(1, round(seconds / _WINDOW))
    names = [path.name if count == 1 else f"{path.name}, {at + 1}" for at in range(count)]
    return [Clip(name, kind, path, at, count) for at, name in enumerate(names)]


@lru_cache(4)
def _decoded(path: Path) -> Sounding:
    decoded = sound.decode(path)
    return decoded.y, decoded.rate


def made(rng: Random) -> tuple[str, Sounding]:
    """Make a fresh sound of a kind drawn from all of them, with its name."""
    name = sorted(_BY_NAME)[rng.integers(len(_BY_NAME))]
    return name, _BY_NAME[name](rng)


def cut(y: Samples, rate: int, seconds: tuple[float, float], rng: Random) -> Samples:
    """Cut a window out, its length drawn evenly; a shorter sound is returned whole."""
    count = min(round(rng.uniform(*seconds) * rate), y.shape[1])
    first = int(rng.integers(0, y.shape[1] - count + 1))
    return np.ascontiguousarray(y[:, first : first + count])


# ---------------------------------------------------------------------- made by code


def voices(rng: Random) -> Sounding:
    """All spoken labels that are shipped, in a drawn order, with digital silence between them."""
    spoken = shipped()
    rate = spoken[0].rate
    silence = np.zeros((1, round(_PAUSE * rate)), np.float32)
    parts = [part for at in rng.permutation(len(spoken)) for part in (spoken[at].clip, silence)]
    return np.concatenate(parts, axis=1), rate


def speech_like(rng: Random, rate: int, seconds: float = MADE_SECONDS) -> Sounding:
    """Syllables of voiced harmonics under moving formants, and hisses; phrases with pauses."""
    out = np.zeros(round(seconds * rate))
    at, pitch = 0.2, rng.uniform(100, 220)
    while at < seconds - 0.5:
        for _ in range(int(rng.integers(4, 12))):
            length = float(rng.uniform(0.09, 0.28))
            voiced = _vowel(rng, rate, length, pitch * rng.uniform(0.85, 1.2))
            _lay(out, voiced, round(at * rate))
            if rng.random() < 0.4:
                _lay(out, _hiss(rng, rate, 0.07), round((at + length) * rate))
                at += 0.06
            at += length
        at += float(rng.uniform(0.15, 0.7))
    return _level(out[None]), rate


def _vowel(rng: Random, rate: int, length: float, pitch: float) -> NDArray[np.float64]:
    """One syllable: harmonics of a falling pitch, weighted by four formants that glide."""
    time = np.arange(round(length * rate)) / rate
    phase = 2 * np.pi * np.cumsum(pitch * (1 + 0.1 * np.cos(np.pi * time / length))) / rate
    formants = np.array([[280, 800], [800, 2300], [2300, 3000], [3300, 4200]])
    begin, end = (rng.uniform(*formants.T) for _ in range(2))
    glide = begin[:, None] + (end - begin)[:, None] * time / length
    widths = np.array([80, 120, 180, 260])[:, None]
    out = np.zeros(len(time))
    for number in range(1, int(min(rate / 2.2, 7000) / (1.1 * pitch))):
        far = (number * pitch - glide) / widths
        out += np.sum(1 / (1 + far**2), axis=0) / number**0.5 * np.sin(number * phase)
    return np.sin(np.pi * time / length) ** 0.7 * out


def _hiss(rng: Random, rate: int, length: float) -> NDArray[np.float64]:
    noise = rng.standard_normal(round(length * rate))
    return np.hanning(len(noise)) * np.diff(noise, prepend=0.0)


def music_like(rng: Random, rate: int, seconds: float = MADE_SECONDS) -> Sounding:
    """A plucked chord a beat with six harmonics each, bass and drums, panned over two channels."""
    out = np.zeros((2, round(seconds * rate)))
    beat, base = float(rng.uniform(0.3, 0.6)), float(rng.uniform(110, 220))
    for number, start in enumerate(np.arange(0.05, seconds, beat)):
        root = base * 2 ** (rng.choice([0, 3, 5, 7]) / 12)
        notes = [root / 2, *(root * 2 ** (step / 12) for step in (0, 4, 7, 12))]
        for note in notes:
            pan = rng.uniform(0.2, 0.8)
            tone = _plucked(rng, rate, 1.5 * beat, note)
            for channel, share in zip(out, (pan, 1 - pan), strict=True):
                _lay(channel, share * tone, round(start * rate))
        drum = rng.standard_normal(round(0.12 * rate)) * (1.5 if number % 2 else 0.6)
        drum *= np.exp(-np.arange(len(drum)) / (0.025 * rate))
        for channel in out:
            _lay(channel, drum, round(start * rate))
    return _level(out), rate


def _plucked(rng: Random, rate: int, length: float, note: float) -> NDArray[np.float64]:
    time = np.arange(round(length * rate)) / rate
    out = np.zeros(len(time))
    for number in range(1, 7):
        if number * note < rate / 2.1:
            fall = np.exp(-(3 + number) * time)
            phase = 2 * np.pi * (number * note * time + rng.random())
            out += fall * np.sin(phase) / number
    return out * np.minimum(time / 0.004, 1)


def _lay(out: NDArray[np.float64], part: NDArray[np.float64], first: int) -> None:
    """Add a part, as far as there is room."""
    room = out[first : first + len(part)]
    room += part[: len(room)]


def _level(y: NDArray[np.float64]) -> Samples:
    return np.asarray(0.5 * y / np.abs(y).max(), np.float32)


def _as_made(kind: str, seconds: float = MADE_SECONDS) -> Callable[[Random], Sounding]:
    """One of the sounds of the audible labels' benchmark."""

    def make(rng: Random) -> Sounding:
        return audible_sounds.MADE[kind](seconds, rng)[None], audible_sounds.RATE

    return make


def _effect(rng: Random) -> Sounding:
    """A knock of 0.4 s."""
    rate = 44_100
    noise = rng.standard_normal(round(0.4 * rate))
    return _level((noise * np.exp(-np.arange(len(noise)) / (0.05 * rate)))[None]), rate


def _hush(rng: Random) -> Sounding:
    """Room noise at -80 dBFS."""
    rate = 48_000
    noise = rng.standard_normal((1, round(MADE_SECONDS * rate)), np.float32)
    return np.asarray(1e-4 * noise, np.float32), rate


_Makers = dict[str, Callable[[Random], Sounding]]
_SPOKEN: _Makers = {"shipped voices": voices}
_MAKERS: _Makers = {
    "speech-like, 16 kHz": lambda rng: speech_like(rng, 16_000),
    "speech-like, 24 kHz": lambda rng: speech_like(rng, 24_000),
    "music-like, 44.1 kHz": lambda rng: music_like(rng, 44_100),
    "music-like, 48 kHz": lambda rng: music_like(rng, 48_000),
    "ambience": _as_made("noise"),
}
_BARE_MAKERS: _Makers = {
    "effect of 0.4 s": _effect,
    "room noise at -80 dB": _hush,
    "melody of pure tones": _as_made("melodies"),
    "beeps": _as_made("beeps, rings, metronomes"),
}
_BY_NAME: Final = _SPOKEN | _MAKERS | _BARE_MAKERS
