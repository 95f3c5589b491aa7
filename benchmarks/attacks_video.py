"""The attacks on films: every one by name, with its family and what the project promises for it.

The ways films really go: coders at low rates, other sizes, cuts, other frame rates, players and
screens that are filmed. Each is one run of ffmpeg or several, the one that `aiglabel.media` finds;
``ATTACKS["H.264 28"](film, folder)`` gives the attacked file. What does not name its coder is
coded with x264 at CRF 23.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from math import sqrt
from pathlib import Path
from typing import Final

from aiglabel.errors import MediaError
from aiglabel.media import ffmpeg
from benchmarks.films import coder, program

_PLAIN = 23.0


@dataclass(frozen=True)
class Step:
    """One run of ffmpeg: a graph of filters, and the options of the output."""

    graph: str = "null"
    output: Sequence[str] = coder(_PLAIN)
    suffix: str = ".mp4"


@dataclass(frozen=True)
class VideoAttack:
    """One attack.

    Attributes
    ----------
    name, family : str
    steps : tuple of Step
        One after the other.
    exact : float or None
        Percentage of payloads promised to be read exactly; None where nothing is promised.
    lines : int
        A film must have more for this to be an attack.
    encoder : str
        What ffmpeg must have.
    """

    name: str
    family: str
    steps: tuple[Step, ...]
    exact: float | None
    lines: int = 0
    encoder: str = "libx264"

    def __call__(self, film: Path, folder: Path) -> Path:
        """Attack a film, the same every time; the result is in `folder`."""
        for number, step in enumerate(self.steps):
            made = folder / f"attacked{number % 2}{step.suffix}"
            program(
                "-i", film, "-map", "0:v:0", "-vf", step.graph, "-fps_mode", "passthrough",
                *step.output, made,
            )  # fmt: skip
            film = made
        return film


@cache
def unavailable(name: str) -> str:
    """Say why an attack cannot be made with this ffmpeg; empty if it can."""
    try:
        exe = ffmpeg.with_encoder(ATTACKS[name].encoder)
    except MediaError as exc:
        return exc.reason
    return "" if exe == ffmpeg.ffmpeg_exe() else f"another ffmpeg has {ATTACKS[name].encoder}"


# ---------------------------------------------------------------------- what they are made of


def _coded(crf: float) -> tuple[Step, ...]:
    return (Step(output=coder(crf)),)


def _hevc(crf: float) -> tuple[Step, ...]:
    quiet = ("-x265-params", "log-level=error")
    return (Step(output=("-c:v", "libx265", "-preset", "veryfast", "-crf", f"{crf:g}", *quiet)),)


def _av1(crf: float) -> tuple[Step, ...]:
    return (Step(output=("-c:v", "libsvtav1", "-preset", "10", "-crf", f"{crf:g}")),)


def _vp9(crf: float) -> tuple[Step, ...]:
    fast = ("-deadline", "good", "-cpu-used", "5", "-row-mt", "1")
    return (Step("null", ("-c:v", "libvpx-vp9", "-crf", f"{crf:g}", "-b:v", "0", *fast), ".webm"),)


def _filtered(graph: str, crf: float = _PLAIN) -> tuple[Step, ...]:
    return (Step(graph, coder(crf)),)


def _scaled(lines: int) -> str:
    """Return the filter that brings the shorter side to so many pixels."""
    return f"scale=w='if(gt(iw,ih),-2,{lines})':h='if(gt(iw,ih),{lines},-2)'"


def _cropped(share: float, across: float = 0.5, down: float = 0.5) -> str:
    """Return the filter that keeps a share of the area, with even sides."""
    side = f"{sqrt(share):.5f}"
    return (
        f"crop=w='2*floor(iw*{side}/2)':h='2*floor(ih*{side}/2)'"
        f":x='(iw-ow)*{across}':y='(ih-oh)*{down}'"
    )


def _rotated(degrees: float) -> str:
    return f"rotate={degrees}*PI/180"


_RECORDED = (
    "scale=w='2*floor(0.83*iw/2)':h='2*floor(0.83*ih/2)'," + _cropped(0.92, 0.6, 0.3)
    + ",eq=gamma=1.1,fps=25,gblur=sigma=0.5"
)  # fmt: skip
_CAMCORDED = (
    "perspective=x0=0.02*W:y0=0.03*H:x1=0.99*W:y1=0.01*H:x2=0.01*W:y2=0.98*H:x3=0.98*W:y3=0.96*H,"
    "gblur=sigma=1,eq=gamma=1.15,noise=alls=8:allf=t:all_seed=7," + _rotated(0.5)
)

CODERS, SIZE, TIME, GEOMETRY, JOURNEYS, SIGNAL = (
    "coders", "size and cropping", "time", "geometry", "journeys", "picture",
)  # fmt: skip

_ALL = [
    VideoAttack("none", CODERS, (), 100),
    *(
        VideoAttack(f"H.264 {crf}", CODERS, _coded(crf), exact)
        for crf, exact in ((23, 100), (28, 100), (35, 95), (40, 60))
    ),
    VideoAttack("H.265 28", CODERS, _hevc(28), 100, encoder="libx265"),
    VideoAttack("H.265 35", CODERS, _hevc(35), 90, encoder="libx265"),
    VideoAttack("AV1 35", CODERS, _av1(35), 100, encoder="libsvtav1"),
    VideoAttack("AV1 50", CODERS, _av1(50), 95, encoder="libsvtav1"),
    VideoAttack("VP9 36", CODERS, _vp9(36), 100, encoder="libvpx-vp9"),
    VideoAttack("coded thrice, 24, 27, 30", CODERS, _coded(24) + _coded(27) + _coded(30), 100),
    *(
        VideoAttack(f"to {lines} lines", SIZE, _filtered(_scaled(lines)), exact, lines)
        for lines, exact in ((720, 100), (480, 100), (360, 95))
    ),
    *(
        VideoAttack(f"crop to {share} %{where}", SIZE, _filtered(_cropped(share / 100, *at)), exact)
        for share, exact in ((90, 100), (75, 100), (50, 95))
        for where, at in (("", (0.5, 0.5)), (", off centre", (0.9, 0.15)))
    ),
    VideoAttack("15 frames a second", TIME, _filtered("fps=15"), 100),
    VideoAttack("half the frames", TIME, _filtered("select='not(mod(n,2))'"), 100),
    VideoAttack("first second", TIME, (Step("null", ("-t", "1", *coder(_PLAIN))),), 100),
    VideoAttack(
        "one frame", TIME, (Step("select='gte(t,1)'", ("-frames:v", "1"), ".png"),), 95
    ),
    VideoAttack("mirrored", GEOMETRY, _filtered("hflip"), 100),
    *(VideoAttack(f"rotated by {d}°", GEOMETRY, _filtered(_rotated(d)), 95) for d in (1, 2, 3)),
    VideoAttack("aspect 4 : 3", GEOMETRY, _filtered("scale=w='2*floor(ih*2/3)':h=ih,setsar=1"), 95),
    VideoAttack(
        "letterbox", GEOMETRY, _filtered("pad=w=iw:h='2*ceil(ih*0.65)':x=0:y='(oh-ih)/2'"), 98
    ),
    VideoAttack("screen recording", JOURNEYS, _filtered(_RECORDED, 28), 95),
    VideoAttack(
        "messenger, twice", JOURNEYS, _filtered(_scaled(540), 30) + _coded(30), 95, lines=540
    ),
    VideoAttack("filmed from a screen", JOURNEYS, _filtered(_CAMCORDED, 28), 40),
    VideoAttack(
        "brighter, contrast, gamma", SIGNAL,
        _filtered("eq=brightness=0.05:contrast=1.15:gamma=1.1"), None,
    ),
    VideoAttack("noise", SIGNAL, _filtered("noise=alls=12:allf=t:all_seed=7"), None),
    VideoAttack(
        "logo", SIGNAL,
        _filtered("drawbox=x=0.75*iw:y=0.06*ih:w=0.2*iw:h=0.14*ih:color=white:t=fill"), None,
    ),
]  # fmt: skip
ATTACKS: Final = {attack.name: attack for attack in _ALL}

QUICK: Final = (
    "none", "H.264 28", "to 480 lines", "half the frames", "mirrored", "messenger, twice", "logo",
)  # fmt: skip
"""Those of the quick run: one of every family."""
