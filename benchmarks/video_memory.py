"""A film watermarked in a process of its own, whose memory is looked at.

``python -m benchmarks.video_memory PRESET SOURCE TARGET``
"""

from __future__ import annotations

import sys
from pathlib import Path

import aiglabel
from aiglabel.media.video_coding import VideoTarget
from benchmarks.memory import PAYLOAD


def marking(source: Path, target: Path, preset: str) -> list[str]:
    """Return the command that watermarks a film."""
    return [sys.executable, "-m", "benchmarks.video_memory", preset, str(source), str(target)]


def _main(preset: str, source: str, target: str) -> None:
    coded = VideoTarget(codec="h264", quality=23, preset=preset)
    aiglabel.watermark(source, target, payload=PAYLOAD, film=coded)


if __name__ == "__main__":
    _main(*sys.argv[1:])
