"""Spoken labels of any wording, by a text-to-speech program of this machine: a process of its own.

Nothing is linked and nothing is shipped: programs under the GPL may be used too. Text goes in on
standard input, never into a shell. A Chinese text is spoken at the rate GB 45438-2025, 5.3, note 4
asks for, as near as the program gets.
"""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np

from aiglabel.errors import LabelError
from aiglabel.marks.audible.voices import SPEAKING_RATE, Voice, speaking_rate
from aiglabel.media import sound

_SECONDS = 60.0
_MOST_TEXT = 200  # characters
_RATE = sum(SPEAKING_RATE) / 2  # characters a minute
_HEARD = 0.01  # of the peak


@dataclass(frozen=True)
class Engine:
    """A program, and what it is called with: file to write, language, words a minute."""

    program: str
    arguments: Callable[[str, str, int], list[str]]
    usual: int


ENGINES = {
    "espeak-ng": Engine(
        "espeak-ng",
        lambda path, language, speed: [
            "--stdin", "-w", path, "-s", str(speed), "-v", "cmn" if language == "zh" else "en-us",
        ],
        150,
    ),
    "say": Engine(
        "say",
        lambda path, language, speed: [
            "-f", "-", "-o", path, "--data-format=LEI16@22050", "-r", str(speed),
            "-v", "Tingting" if language == "zh" else "Samantha",
        ],
        170,
    ),
}  # fmt: skip
"""Text-to-speech programs by name: espeak-ng (Linux and others), say (macOS)."""


@lru_cache(maxsize=8)
def speak(text: str, engine: str) -> Voice:
    """Let a program speak a text; what it said is kept for the next time.

    Raises
    ------
    LabelError
        When there is no such engine, the program is missing or fails, or the text is too long.
    """
    if engine not in ENGINES:
        raise LabelError(
            f"no text-to-speech engine is called {engine!r}",
            remedy=f"Use {' or '.join(ENGINES)}, or a recording of your own",
        )
    if not 0 < len(text) <= _MOST_TEXT:
        raise LabelError(f"a spoken label has 1 to {_MOST_TEXT} characters")
    chosen = ENGINES[engine]
    program = shutil.which(chosen.program)
    if program is None:
        raise LabelError(
            f"the text-to-speech program {chosen.program} is not on this machine",
            remedy=f"Install {chosen.program}, or name a recording of your own",
        )
    spoken = _said(program, chosen, text, chosen.usual)
    rate = speaking_rate(text, spoken.duration)
    if rate is not None and not SPEAKING_RATE[0] <= rate <= SPEAKING_RATE[1]:
        spoken = _said(program, chosen, text, max(round(chosen.usual * _RATE / rate), 80))
    return spoken


def _said(program: str, engine: Engine, text: str, speed: int) -> Voice:
    language = "zh" if speaking_rate(text, 1.0) is not None else "en"
    with tempfile.TemporaryDirectory(prefix="aiglabel-") as folder:
        path = Path(folder) / "spoken.wav"
        try:
            subprocess.run(
                [program, *engine.arguments(str(path), language, speed)], input=text.encode(),
                capture_output=True, check=True, timeout=_SECONDS,
            )  # fmt: skip
            decoded = sound.decode(path)
        except (OSError, subprocess.SubprocessError) as error:
            raise LabelError(f"{engine.program} could not speak the label: {error}") from error
    mono = decoded.y.mean(axis=0)
    heard = np.flatnonzero(np.abs(mono) > _HEARD * np.abs(mono).max(initial=0))
    if not len(heard):
        raise LabelError(f"{engine.program} spoke nothing")
    clip = mono[None, heard[0] : heard[-1] + 1]
    clip.flags.writeable = False
    return Voice(text, clip, decoded.rate)
