"""How often the mark of films is found where none is: unmarked films, and marks of other keys.

The tables and the extrapolation are those of pictures (`detection`).
"""

from __future__ import annotations

import time
from concurrent.futures import Executor
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from aiglabel.key import Key
from aiglabel.media import video as media
from aiglabel.signal import video
from benchmarks import films, pictures
from benchmarks.detection import NOTE, Look, promises, rows_of
from benchmarks.films import Clip
from benchmarks.pictures import random_for
from benchmarks.report import Findings, Table

Luma = NDArray[np.uint8]

# As of sounds: the keys of a job look at all of its windows.
WINDOWS, KEYS = 4, (10, 40)  # keys in the quick and in the full run
JOBS = 130
_QUICK_SECONDS = 12.0  # and what a window that was begun still takes
_FRAMES, _APART = (5, 25), 1 / 12
_SHAPE = (360, 640)
_EFFORT = "full"
_TURNS, _SCALES = (-20.0, 20.0), (0.6, 1.4)


def run(
    *, full: bool, media: Path | None, workers: Executor, seconds: float = _QUICK_SECONDS
) -> Findings:
    """Look for marks that are not there; the quick run takes what its time allows."""
    clips = films.clips(media)
    until = np.inf if full else time.time() + seconds
    jobs = workers.map(partial(job, clips, keys=KEYS[full], until=until), range(JOBS))
    rows = rows_of([look for some in jobs for look in some])
    return Findings(
        [Table("False positives: watermark of films", rows, NOTE)], promises(rows[-1], full=full)
    )


def job(clips: list[Clip], number: int, *, keys: int, until: float = np.inf) -> list[Look]:
    """Look at some windows of every kind with fresh keys, while there is time."""
    rng = random_for("film detection", number)
    drawn = [Key(rng.bytes(32)) for _ in range(keys)]
    looks = []
    for index in range(WINDOWS):
        if time.time() > until:
            break
        kind, name, frames = _window(number + index, clips, rng)
        viewer = video.Viewer()
        for at, frame in enumerate(frames):
            viewer.see(frame, at * _APART)
        for found in viewer.found(drawn, effort=_EFFORT):
            margin = found.statistic / found.threshold
            looks.append(Look(kind, name, margin, found.present, found.payload is not None))
    return looks


def _window(index: int, clips: list[Clip], rng: np.random.Generator) -> tuple[str, str, list[Luma]]:
    """Take a piece of a film, mark it with another key or not, and turn and scale it or not."""
    count = int(rng.integers(*_FRAMES))
    if index % 4 == 0:
        kind, name, frames = "made by code", "made by code", _panned(count, rng)
    else:
        clip = clips[rng.integers(len(clips))]
        kind, name, frames = "films", clip.name, _piece(clip, count, rng)
    if index % 4 == 1:
        kind = "marked, other key"
        marker = video.Marker(frames[0].shape, rng.bytes(8), key=Key(rng.bytes(32)))
        for frame in frames:
            marker.mark(frame)
    if rng.random() < 0.5:
        return kind, name, frames
    turn, scale = float(rng.uniform(*_TURNS)), float(rng.uniform(*_SCALES))
    return kind, f"{name}, turned {turn:.0f}°, × {scale:.2f}", _turned(frames, turn, scale)


def _panned(count: int, rng: np.random.Generator) -> list[Luma]:
    """A way over a picture that shows nothing in particular."""
    still: Any = cv2.cvtColor(pictures.synthetic(rng), cv2.COLOR_RGB2GRAY)
    wide = cv2.resize(still, (_SHAPE[1] + 4 * _FRAMES[1], _SHAPE[0]))
    return [wide[:, 4 * at : 4 * at + _SHAPE[1]].copy() for at in range(count)]


def _piece(clip: Clip, count: int, rng: np.random.Generator) -> list[Luma]:
    with TemporaryDirectory() as folder:
        cover = clip.cover(Path(folder))
        start = float(rng.uniform(0, max(clip.seconds - 0.5, 0.0)))
        frames: list[Luma] = []
        for frame in media.frames(cover, start=start, apart=_APART):
            frames.append(_small(frame.y))
            if len(frames) == count:
                break
    return frames


def _small(y: NDArray[Any]) -> Luma:
    scale = min(1.0, _SHAPE[0] / min(y.shape))
    size = round(y.shape[1] * scale), round(y.shape[0] * scale)
    return np.asarray(cv2.resize(y, size, interpolation=cv2.INTER_AREA), np.uint8)


def _turned(frames: list[Luma], turn: float, scale: float) -> list[Luma]:
    height, width = frames[0].shape
    matrix = cv2.getRotationMatrix2D((width / 2, height / 2), turn, scale)
    return [np.asarray(cv2.warpAffine(one, matrix, (width, height)), np.uint8) for one in frames]
