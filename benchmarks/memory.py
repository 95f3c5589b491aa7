"""Peak memory of one call, in a process of its own: ``python -m benchmarks.memory FILE ACTION``.

FILE is a picture as ``.npy``, ACTION `embed` or `detect`; a sound's rate follows as a third
argument. Prints the bytes by which the peak of the process grew, the picture or sound included;
libraries were loaded before.
"""

from __future__ import annotations

import os
import re
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from aiglabel.key import Key
from aiglabel.signal import audio, image

PRODUCER = "001191110102MACQD9K64010000"
PAYLOAD = b"\x01\x23\x45\x67\x89\xab\xcd\xef"
_ROOT = Path(__file__).resolve().parents[1]
_PAUSE_S = 0.1


def peak(media: NDArray[Any], action: str, rate: int | None = None) -> int:
    """Measure one action on one picture, or on one sound of that rate; bytes."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "media.npy"
        np.save(path, media)
        rest = [] if rate is None else [str(rate)]
        done = subprocess.run(
            [sys.executable, "-m", "benchmarks.memory", str(path), action, *rest],
            cwd=_ROOT, env=os.environ | {"PYTHONPATH": str(_ROOT)},
            capture_output=True, check=True, text=True,
        )  # fmt: skip
    return int(done.stdout)


def of_command(command: Sequence[str]) -> tuple[int, int]:
    """Return the peaks of a command's own process, and of it and all it starts together; bytes.

    Each page counts once. Zeros where the system does not tell, as Linux does in
    ``/proc/<process>/smaps_rollup``.
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


def _main(path: str, action: str, rate: str | None = None) -> None:
    cv2.setNumThreads(1)
    signal: Any = image if rate is None else audio
    options: dict[str, Any] = {"key": Key.public()} | ({"rate": int(rate)} if rate else {})
    before = _peak()
    media = np.load(path)
    if action == "embed":
        signal.embed(media, PAYLOAD, **options)
    else:
        signal.detect(media, **options)
    print(_peak() - before)


def _peak() -> int:
    """Bytes; Linux counts the parent's peak into `ru_maxrss`, so its own figure goes first."""
    try:
        found = re.search(r"VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text())
    except OSError:
        found = None
    if found:
        return int(found[1]) * 1024
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


if __name__ == "__main__":
    _main(*sys.argv[1:])
