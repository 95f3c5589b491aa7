"""Peak memory of one call on a file, with all processes it starts, each page counted once.

``python -m benchmarks.video_memory PRESET SOURCE TARGET`` labels a film in a process of its own.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import aiglabel
from aiglabel.media.video_coding import VideoTarget
from benchmarks.memory import PAYLOAD

_ROOT = Path(__file__).resolve().parents[1]
_PAUSE_S = 0.1


def marking(source: Path, target: Path, preset: str) -> list[str]:
    """Return the command that watermarks a film."""
    return [sys.executable, "-m", "benchmarks.video_memory", preset, str(source), str(target)]


def peak(command: Sequence[str]) -> tuple[int, int]:
    """Return the peaks of a command's own process, and of it and all it starts together; bytes.

    Zeros where the system does not tell (`/proc/<process>/smaps_rollup` of Linux).
    """
    alone = together = 0
    environment = os.environ | {"PYTHONPATH": str(_ROOT)}
    with subprocess.Popen(command, cwd=_ROOT, env=environment, stdout=subprocess.DEVNULL) as one:
        while one.poll() is None:
            held = [_held(number) for number in _family(one.pid)]
            alone, together = max(alone, *held[:1]), max(together, sum(held))
            time.sleep(_PAUSE_S)
    if one.returncode:
        raise RuntimeError(f"{command[0]} failed")
    return alone, together


def _family(number: int) -> Iterator[int]:
    """Yield a process and all that it started."""
    yield number
    try:
        lists = [path.read_text() for path in Path(f"/proc/{number}/task").glob("*/children")]
    except OSError:  # it ended
        return
    for child in " ".join(lists).split():
        yield from _family(int(child))


def _held(number: int) -> int:
    """Return the proportional set size: shared pages count as shares."""
    try:
        lines = Path(f"/proc/{number}/smaps_rollup").read_text().splitlines()
    except OSError:
        return 0
    return next((1024 * int(line.split()[1]) for line in lines if line.startswith("Pss:")), 0)


def _main(preset: str, source: str, target: str) -> None:
    coded = VideoTarget(codec="h264", quality=23, preset=preset)
    aiglabel.watermark(source, target, payload=PAYLOAD, film=coded)


if __name__ == "__main__":
    _main(*sys.argv[1:])
