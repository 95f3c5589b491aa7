"""The films that are measured: cuts of a folder of one's own, and photographs panned over by code.

Each becomes a lossless cover without sound, so that what is compared differs by the mark alone.
"""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final

from PIL import Image

from aiglabel.errors import MediaError
from aiglabel.media import ffmpeg, video
from benchmarks import pictures

PROMISED: Final = "720 lines and more"
SMALLER: Final = "fewer than 720 lines"

LOSSLESS: Final = ("-c:v", "ffv1")
_SUFFIXES = {".mp4", ".mov", ".mkv", ".webm", ".avi", ".flv"}
_LINES = 720
_STEP, _LENGTH = 2.5, 3.0  # s from one cut to the next about, and of a cut
_PANNED = {"photographs, panned": "mosaic of photographs", "textures, panned": "mosaic of textures"}


@dataclass(frozen=True)
class Clip:
    """A cut of a film, or a made one.

    Attributes
    ----------
    name, kind : str
    path : Path or None
        None where it is made.
    start, seconds : float
        What is cut; shorter films are repeated.
    """

    name: str
    kind: str
    path: Path | None
    start: float = 0.0
    seconds: float = _LENGTH

    def cover(self, folder: Path) -> Path:
        """Write it, lossless and without sound, and return where."""
        made = folder / "cover.mkv"
        if self.path is None:
            source, graph = _panned(self.name, folder)
        else:
            source = ["-stream_loop", "-1", "-ss", f"{self.start:.3f}", "-i", str(self.path)]
            graph = "null"
        program(
            *source, "-t", f"{self.seconds:.3f}", "-map", "0:v:0", "-vf", graph, "-pix_fmt",
            "yuv420p", "-fps_mode", "passthrough", *LOSSLESS, made,
        )  # fmt: skip
        return made


def clips(media: Path | None) -> list[Clip]:
    """Return every clip: cuts of the folder's films, then those made here."""
    files = sorted(media.iterdir()) if media is not None else []
    found = [one for path in files if path.suffix.lower() in _SUFFIXES for one in _of(path)]
    return found + [Clip(name, PROMISED, None) for name in _PANNED]


def _of(path: Path) -> list[Clip]:
    try:
        coding = video.probe(path)
    except MediaError:  # a sound in MP4
        return []
    kind = PROMISED if min(coding.width, coding.height) >= _LINES else SMALLER
    whole = coding.seconds or _LENGTH
    count = max(1, round(whole / _STEP)) if whole > _LENGTH else 1
    step = (whole - _LENGTH) / (count - 1) if count > 1 else 0.0
    return [
        Clip(path.stem if count == 1 else f"{path.stem}, {at + 1}", kind, path, at * step)
        for at in range(count)
    ]


def _panned(name: str, folder: Path) -> tuple[list[str], str]:
    """Return the input and the filter of a slow way over a mosaic of photographs."""
    still = folder / "still.ppm"
    Image.fromarray(pictures.mosaic(_PANNED[name])).save(still)
    return (
        ["-framerate", "25", "-i", str(still)],
        # Repeated by the filter, it is decoded once.
        "loop=loop=-1:size=1,crop=1280:720:x='2*n':y='40+30*sin(n/9)'",
    )


def program(*arguments: object) -> str:
    """Run ffmpeg, and return what it said.

    Raises
    ------
    MediaError
        It failed.
    """
    command = [ffmpeg.ffmpeg_exe(), "-hide_banner", "-nostdin", "-y", *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, check=False)
    said = done.stderr.decode(errors="replace")
    if done.returncode != 0:
        raise MediaError(f"ffmpeg failed: {said.strip().splitlines()[-1:]}")
    return said


@cache
def version() -> str:
    """Return what the ffmpeg that is used calls itself, as in "ffmpeg 7.1"."""
    done = subprocess.run([ffmpeg.ffmpeg_exe(), "-version"], capture_output=True, check=False)
    return " ".join(done.stdout.decode(errors="replace").replace("version ", "").split()[:2])


def coder(crf: float, preset: str = "veryfast") -> Sequence[str]:
    """Return the options of x264."""
    return ("-c:v", "libx264", "-preset", preset, "-crf", f"{crf:g}", "-pix_fmt", "yuv420p")
