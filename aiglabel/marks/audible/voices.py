"""The spoken labels that travel with the package, and how fast a label is spoken.

GB 45438-2025, 5.3 b and e (rule CN-A-02): a voice label names AI and generation, at normal speed,
by note 4 about 120 to 160 characters a minute. ``assets/voices/README.md`` tells how the clips were
made.
"""

from __future__ import annotations

import io
import re
import wave
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from aiglabel import assets
from aiglabel.errors import LabelError

Float = NDArray[np.float32]

SPEAKING_RATE = (120.0, 160.0)  # characters a minute
_FILES = {
    "人工智能生成": "zh-rengongzhineng-shengcheng",
    "人工智能合成": "zh-rengongzhineng-hecheng",
    "AI生成": "zh-ai-shengcheng",
    "AI合成": "zh-ai-hecheng",
    "AI-generated": "en-ai-generated",
    "AI-modified": "en-ai-modified",
}
TEXTS = tuple(_FILES)
_CHINESE = re.compile("[\u4e00-\u9fff]")
_COUNTED = re.compile("[\u4e00-\u9fffA-Za-z0-9]")


@dataclass(frozen=True, eq=False)
class Voice:
    """A spoken label.

    Attributes
    ----------
    text : str
        What it says.
    clip : float32, shape (1, n), in [-1, 1]
    rate : int
        Samples a second.
    """

    text: str
    clip: Float
    rate: int

    @property
    def duration(self) -> float:
        """In s."""
        return float(self.clip.shape[1] / self.rate)


@lru_cache(maxsize=len(_FILES))
def voice(text: str) -> Voice:
    """Load a shipped clip; its array is shared and read-only.

    Raises
    ------
    LabelError
        When no clip says this.
    """
    if text not in _FILES:
        raise LabelError(
            f"no spoken label says {text!r}; there are {', '.join(TEXTS)}",
            remedy="Name one of them, or a recording of your own",
        )
    with wave.open(io.BytesIO(assets.load(f"voices/{_FILES[text]}.wav"))) as stream:
        rate = stream.getframerate()
        samples = np.frombuffer(stream.readframes(stream.getnframes()), "<i2")
    clip = (samples / np.float32(32768)).astype(np.float32)[None]
    clip.flags.writeable = False
    return Voice(text, clip, rate)


def shipped() -> tuple[Voice, ...]:
    """Return every shipped clip."""
    return tuple(voice(text) for text in TEXTS)


def characters(text: str) -> int | None:
    """Count what is spoken one by one in a Chinese text: 4 in AI生成. None without Chinese."""
    return len(_COUNTED.findall(text)) if _CHINESE.search(text) else None


def speaking_rate(text: str, seconds: float) -> float | None:
    """Characters a minute, None for a text without Chinese, where no rate is laid down."""
    count = characters(text)
    return None if count is None or seconds <= 0 else 60 * count / seconds
