"""Write the film of the demo: a walk past hills in the evening, with music, made by code.

It stands in for a generated clip: 720p, 4.8 seconds, everything moves, and the hills nearer by move
faster. Nobody is filmed and nothing is downloaded. The same versions of the libraries write the
same bytes every time.

    python samples/make_films.py samples/input
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import cv2
import numpy as np
import numpy.typing as npt
from make_samples import RgbArray, plasma
from make_sounds import music, street, write

from aiglabel.media.ffmpeg import with_encoder

WIDTH, HEIGHT, RATE, SECONDS = 1280, 720, 25, 4.8
_LAYERS = 3
_TRAVEL = 300  # pixels by which the nearest hills move


def scenery() -> tuple[RgbArray, list[tuple[RgbArray, npt.NDArray[np.uint8]]]]:
    """Return the sky, (H, W, 3), and layers of hills, far ones first: colours, and where they are.

    All are wider than a frame by `_TRAVEL` pixels.
    """
    wide = WIDTH + _TRAVEL
    down, across = np.mgrid[0:HEIGHT, 0:wide].astype(np.float32)
    clouds = cv2.resize(plasma(HEIGHT // 2, wide // 2, seed=11), (wide, HEIGHT))
    glow = np.clip(1.2 - np.hypot(down - 330, across - 900) / 600, 0, 1)[..., None]
    sky = 0.35 + 0.3 * clouds + glow * np.array([0.35, 0.2, 0.0], np.float32)
    ground = cv2.resize(plasma(HEIGHT // 2, wide // 2, seed=12), (wide, HEIGHT))
    layers = []
    for layer in range(_LAYERS):
        crest = 330 + 110 * layer + 50 * np.sin(across[0] / (210 - 50 * layer) + 2 * layer)
        shade = np.array([0.5, 0.55, 0.6], np.float32) * (1 - 0.25 * layer)
        lit = shade * (0.5 + ground[:, :: -1 if layer % 2 else 1])
        layers.append((_bytes(lit), (down > crest).astype(np.uint8)))
    return _bytes(sky), layers


def frames() -> Iterator[RgbArray]:
    """Yield the frames, uint8 (H, W, 3), RGB."""
    sky, layers = scenery()
    count = round(SECONDS * RATE)
    for number in range(count):
        gone = number / count * _TRAVEL
        frame = sky[:, round(gone / 8) :][:, :WIDTH].copy()
        for nearness, (colours, there) in enumerate(layers, start=1):
            left = round(gone * nearness / _LAYERS)
            cv2.copyTo(colours[:, left : left + WIDTH], there[:, left : left + WIDTH], frame)
        yield frame


def write_film(path: Path) -> None:
    """Write the film as H.264 with AAC, in the container of the suffix."""
    with TemporaryDirectory() as folder:
        sound = Path(folder) / "sound.wav"
        noise = 0.3 * street(SECONDS, 48_000, seed=10)
        write(sound, music(SECONDS, 48_000, seed=11) + noise, 48_000)
        exact = ["-fflags", "+bitexact", "-flags:v", "+bitexact", "-flags:a", "+bitexact"]
        coded = ["-c:v", "libx264", "-preset", "veryfast", "-crf", "20", "-threads", "2"]
        command = [
            with_encoder("libx264"), "-hide_banner", "-loglevel", "error", "-y", "-f", "rawvideo",
            "-pix_fmt", "rgb24", "-s", f"{WIDTH}x{HEIGHT}", "-r", str(RATE), "-i", "pipe:0", "-i",
            str(sound), *coded, "-pix_fmt", "yuv420p", "-c:a", "aac", "-b:a", "128k", *exact,
            str(path),
        ]  # fmt: skip
        with subprocess.Popen(command, stdin=subprocess.PIPE) as encoder:
            assert encoder.stdin is not None
            for frame in frames():
                encoder.stdin.write(frame.tobytes())
        if encoder.returncode:
            raise SystemExit(f"ffmpeg could not write {path}")


def _bytes(unit: npt.NDArray[np.float32]) -> RgbArray:
    return np.rint(np.clip(unit, 0, 1) * 255).astype(np.uint8)


WRITERS: dict[str, Callable[[Path], None]] = {"films/evening.mp4": write_film}


def make_films(folder: Path) -> list[Path]:
    """Write every film below `folder` and return their paths."""
    paths = [folder / name for name in WRITERS]
    for path, writer in zip(paths, WRITERS.values(), strict=True):
        path.parent.mkdir(parents=True, exist_ok=True)
        writer(path)
    return paths


if __name__ == "__main__":
    target = Path(sys.argv[1] if len(sys.argv) > 1 else "samples/input")
    print(f"{len(make_films(target))} film in {target}")
