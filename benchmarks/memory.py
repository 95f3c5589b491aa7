"""Peak memory of one call, in a process of its own: ``python -m benchmarks.memory FILE ACTION``.

FILE is a picture as ``.npy``, ACTION `embed` or `detect`. Prints the bytes by which the peak of
the process grew, the picture included; libraries were loaded before.
"""

from __future__ import annotations

import os
import re
import resource
import subprocess
import sys
import tempfile
from pathlib import Path

import cv2
import numpy as np

from aiglabel.key import Key
from aiglabel.signal import image
from benchmarks.pictures import Rgb

PAYLOAD = b"\x01\x23\x45\x67\x89\xab\xcd\xef"
_ROOT = Path(__file__).resolve().parents[1]


def peak(rgb: Rgb, action: str) -> int:
    """Measure one action on one picture, bytes."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "picture.npy"
        np.save(path, rgb)
        done = subprocess.run(
            [sys.executable, "-m", "benchmarks.memory", str(path), action],
            cwd=_ROOT, env=os.environ | {"PYTHONPATH": str(_ROOT)},
            capture_output=True, check=True, text=True,
        )  # fmt: skip
    return int(done.stdout)


def _main(path: str, action: str) -> None:
    cv2.setNumThreads(1)
    key = Key.public()
    before = _peak()
    rgb = np.load(path)
    if action == "embed":
        image.embed(rgb, PAYLOAD, key=key)
    else:
        image.detect(rgb, key=key)
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
