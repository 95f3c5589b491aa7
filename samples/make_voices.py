"""Make the spoken labels of ``aiglabel/assets/voices/`` anew, with espeak-ng from Debian.

``apt-get install espeak-ng`` (1.51 was used), then ``python samples/make_voices.py``. The program
is under the GPL; what it says is not, and nothing of it is shipped.

The Chinese texts are given as pinyin, to the voice ``cmn-latn-pinyin``: in Debian's build, ``cmn``
takes the dictionary's pinyin of whole words for English and says "ren-two gong-one" for 人工, and
both read the letters AI as the syllable ai.
"""

from __future__ import annotations

import io
import subprocess
import sys
import wave
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from aiglabel.marks.audible.resample import resample

FOLDER = Path(__file__).resolve().parents[1] / "aiglabel" / "assets" / "voices"
RATE = 16000
PEAK = 0.7
_EDGE = 0.004  # s kept on either side of what is heard, and faded
_HEARD = 0.01  # of the peak
# File, espeak-ng's voice and words, and how long the clip is to last: six Chinese characters at
# 140 a minute take 2.57 s, four 1.71 s (GB 45438-2025, 5.3, note 4: 120 to 160 is normal speed).
CLIPS = (
    (
        "zh-rengongzhineng-shengcheng",
        "cmn-latn-pinyin",
        "ren2 gong1 zhi4 neng2 sheng1 cheng2",
        2.57,
    ),
    ("zh-rengongzhineng-hecheng", "cmn-latn-pinyin", "ren2 gong1 zhi4 neng2 he2 cheng2", 2.57),
    ("zh-ai-shengcheng", "cmn-latn-pinyin", "ei1 ai1 sheng1 cheng2", 1.71),
    ("zh-ai-hecheng", "cmn-latn-pinyin", "ei1 ai1 he2 cheng2", 1.71),
    ("en-ai-generated", "en-us", "AI-generated", 1.3),
    ("en-ai-modified", "en-us", "AI-modified", 1.3),
)


def say(voice: str, words: str, speed: int) -> tuple[NDArray[np.float32], int]:
    """Let espeak-ng speak: trimmed samples (1, n) and their rate."""
    command = ["espeak-ng", "-v", voice, "-s", str(speed), "--stdout", words]
    spoken = subprocess.run(command, capture_output=True, check=True).stdout
    with wave.open(io.BytesIO(spoken)) as stream:
        rate = stream.getframerate()
        samples = np.frombuffer(stream.readframes(60 * rate), "<i2") / np.float32(32768)
    heard = np.flatnonzero(np.abs(samples) > _HEARD * np.abs(samples).max())
    edge = round(_EDGE * rate)
    samples = samples[max(heard[0] - edge, 0) : heard[-1] + edge].astype(np.float32)
    fade = np.linspace(0, 1, edge, dtype=np.float32)
    samples[:edge] *= fade
    samples[-edge:] *= fade[::-1]
    return samples[None], rate


def make(name: str, voice: str, words: str, seconds: float) -> None:
    """Speak at the speed that comes nearest to `seconds`, and write the clip."""
    tried = [(speed, *say(voice, words, speed)) for speed in range(80, 181, 2)]
    speed, samples, rate = min(tried, key=lambda one: abs(one[1].shape[1] / one[2] - seconds))
    clip = resample(samples, rate, RATE)[0]
    clip *= PEAK / np.abs(clip).max()
    with wave.open(str(FOLDER / f"{name}.wav"), "wb") as stream:
        stream.setnchannels(1)
        stream.setsampwidth(2)
        stream.setframerate(RATE)
        stream.writeframes(np.rint(clip * 32767).astype("<i2").tobytes())
    print(f"{name}.wav  espeak-ng -v {voice} -s {speed} '{words}'  {len(clip) / RATE:.3f} s")


def main() -> int:
    """Make every clip."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    for clip in CLIPS:
        make(*clip)
    return 0


if __name__ == "__main__":
    sys.exit(main())
