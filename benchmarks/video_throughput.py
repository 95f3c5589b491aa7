"""Labelling a film next to a plain transcode of it: speed, where the time goes, and memory."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

import aiglabel as agl
from aiglabel import watching
from aiglabel.key import Key
from aiglabel.marks.watermark.films import Marking
from aiglabel.media import ffmpeg, video
from aiglabel.media.ffmpeg_video import in_words
from aiglabel.media.video_coding import Frame, VideoTarget
from aiglabel.media.video_encoders import planned
from benchmarks import films, memory, video_memory
from benchmarks.estimates import Times, interleaved, with_children
from benchmarks.films import PROMISED, Clip, coder, program
from benchmarks.memory import PAYLOAD, PRODUCER
from benchmarks.report import Findings, Floor, Row, Table

PLAIN, CARRIED, MARKED, LABELLED, DECODED, READ, VERIFIED = (
    "plain ffmpeg", "through Python, unchanged", "watermark", "embed, all marks",
    "ffmpeg, decoding alone", "all frames", "frames, for verifying",
)  # fmt: skip
_CRF = 23.0
_USUAL_RATE = 30
# Share of the plain transcode's frame rate, by preset.
_FLOORS = {"veryfast": 0.90, "medium": 0.97}
_MARKING, _MEMORY, _DECODING = 2.5, 400.0, 8.0  # CPU ms a frame, MB, times real time
_QUICK_SECONDS, _FULL_SECONDS = 6.0, 20.0
_WARM_SECONDS = 0.2
_FULL_ROUNDS = 5
_LENGTHS = (30.0, 600.0)  # s, of the films whose memory is compared
_VERIFIED = (10.0, 3600.0)  # s
_MB = 1e6


@dataclass(frozen=True)
class Source:
    """A film that is timed: how long it is, how many frames it has, and their size."""

    path: Path
    seconds: float
    frames: int
    size: tuple[int, int]

    @property
    def head(self) -> str:
        """Its size and length."""
        return f"{self.size[0]} × {self.size[1]}, {self.seconds:.1f} s, {self.frames} frames"


def run(*, full: bool, media: Path | None) -> Findings:
    """Time whole calls and their parts, in turn with a plain transcode."""
    presets = tuple(_FLOORS) if full else tuple(_FLOORS)[:1]
    rounds = _FULL_ROUNDS if full else 1
    with TemporaryDirectory() as name:
        folder = Path(name)
        source = _source(films.clips(media), folder, _FULL_SECONDS if full else _QUICK_SECONDS)
        whole, steps = {}, list[Row]()
        for preset in presets:
            whole[preset], some = _whole(source, preset, folder, rounds=rounds)
            steps += some
        parts = interleaved(_parts(source), rounds + 1, warm_up=False, clock=with_children)
        marking = _marking(source)
        peaks = _memory(source, folder) if full else []
        verified = _verified(source, folder, _VERIFIED if full else ())
    calls = [row for preset, times in whole.items() for row in _rows(preset, times, source)]
    tables = [
        Table(
            f"Whole calls, {source.head}, x264 CRF {_CRF:g}",
            calls,
            f"{_NOTE} {films.version()}.",
        ),
        Table("Steps of a call", steps, "Wall ms a frame, median. rest: metadata, credentials."),
        Table("Parts", _part_rows(parts, whole, marking, source), _PARTS_NOTE),
    ]
    tables += [Table("Peak memory", peaks, _MEMORY_NOTE)] if peaks else []
    tables += [Table("Verifying", verified, _VERIFIED_NOTE)] if verified else []
    return Findings(tables, _floors(whole, parts, marking, peaks, source))


_NOTE = (
    "Median ± interquartile range of calls in turn. frame rate ÷ plain: wall time of the plain "
    "transcode, one ffmpeg with the same settings, ÷ that of the call, round by round. Whole "
    "calls read the marks back too. CPU: with all processes."
)
_PARTS_NOTE = (
    "CPU ms a frame. Decoding and frames: measured alone; for verifying: all of the first seconds, "
    "samples of the rest; marking: in memory; encoding: plain "
    "transcode less decoding; carrying: through Python, unchanged, less the plain transcode."
)
_MEMORY_NOTE = (
    "Watermark alone, preset veryfast. Proportional set size, sampled ten times a second: Python "
    "alone, and with the ffmpegs that decode and encode; plain: one ffmpeg, the same settings."
)
_VERIFIED_NOTE = "One call of verify on a marked film, repeated by copying its packets."


# ---------------------------------------------------------------------- the film


def _source(found: list[Clip], folder: Path, seconds: float) -> Source:
    """Return a film as it comes out of a generator: H.264, of 1080 lines where there is one."""
    chosen = next((one for one in found if one.path and _lines(one.path) >= 1080), None)
    chosen = chosen or next(one for one in found if one.kind == PROMISED and one.path is None)
    cover = Clip(chosen.name, chosen.kind, chosen.path, 0.0, min(seconds, 5.0)).cover(folder)
    graph = "scale=1920:1080:flags=bicubic" if chosen.path is None else "null"
    program("-i", cover, "-vf", graph, *coder(18), folder / "short.mp4")
    return _repeated(folder / "short.mp4", folder / "source.mp4", seconds)


def _lines(path: Path) -> int:
    coding = video.probe(path)
    return min(coding.width, coding.height)


def _repeated(film: Path, made: Path, seconds: float) -> Source:
    """Repeat a film until it lasts so long, without coding it anew."""
    program("-stream_loop", "-1", "-i", film, "-t", f"{seconds:.3f}", "-c", "copy", made)
    coding = video.probe(made)
    frames = coding.frames or 1
    return Source(made, coding.seconds or seconds, frames, (coding.width, coding.height))


# ---------------------------------------------------------------------- time


def _whole(
    source: Source, preset: str, folder: Path, *, rounds: int
) -> tuple[dict[str, Times], list[Row]]:
    """Return the times of whole calls, and where those of the marking ones went."""
    target = VideoTarget(codec="h264", quality=_CRF, preset=preset)
    label = agl.Label.generated(producer=PRODUCER, content_id="film")
    signer, made = agl.Signer.dev(folder / "signer"), folder / "made.mp4"
    results: dict[str, list[dict[str, float]]] = {MARKED: [], LABELLED: []}

    def kept(call: str, action: Callable[[], object]) -> Callable[[], None]:
        def run() -> None:
            result = action()
            assert isinstance(result, agl.EmbedResult)
            results[call].append(result.timings)

        return run

    actions: dict[str, Callable[[], object]] = {
        PLAIN: partial(program, *plain(source.path, folder / "plain.mp4", target)),
        CARRIED: partial(
            video.transcode, source.path, made, _unchanged, target=target, overwrite=True
        ),
        MARKED: kept(
            MARKED, partial(agl.watermark, source.path, made, payload=PAYLOAD, film=target)
        ),
        LABELLED: kept(
            LABELLED,
            partial(agl.embed, source.path, made, label=label, signer=signer, film=target),
        ),
    }
    # What is imported and computed once belongs to no call.
    brief = _repeated(source.path, folder / "brief.mp4", _WARM_SECONDS).path
    agl.embed(brief, made, label=label, signer=signer, film=target)
    times = interleaved(actions, rounds, warm_up=False, clock=with_children)
    return times, [_step_row(call, preset, some, source) for call, some in results.items()]


def _step_row(call: str, preset: str, timings: list[dict[str, float]], source: Source) -> Row:
    row: Row = {"call": call, "preset": preset}
    for step in _STEPS:
        taken = [sum(s for name, s in one.items() if name == step) for one in timings]
        row[step] = 1e3 * float(np.median(taken)) / source.frames
    rest = [sum(s for name, s in one.items() if name not in _STEPS) for one in timings]
    return row | {"rest": 1e3 * float(np.median(rest)) / source.frames}


_STEPS = ("sound", "mark and encode", "read back")


def _unchanged(frame: Frame) -> None:
    """Change nothing."""


def plain(source: Path, made: Path, target: VideoTarget) -> list[str]:
    """Return the arguments of one ffmpeg with the options that ours gives its encoder."""
    coding = video.probe(source)
    options = planned(coding, target).options
    base = coding.time_base
    return [
        "-i", str(source), "-map", "0", "-c", "copy",
        *in_words(options),
        "-fps_mode", "passthrough", "-enc_time_base:v:0", f"{base.numerator}:{base.denominator}",
        "-movflags", "+faststart", str(made),
    ]  # fmt: skip


def _parts(source: Source) -> dict[str, Callable[[], object]]:
    return {
        DECODED: partial(program, "-i", source.path, "-map", "0:v:0", "-f", "null", "-"),
        READ: lambda: sum(1 for _ in video.frames(source.path)),
        VERIFIED: lambda: sum(1 for _ in watching.looked_at(video.look(source.path))),
    }


def _marking(source: Source) -> list[float]:
    """Return the CPU seconds of marking each frame of the film's beginning."""
    marking = Marking(video.probe(source.path), PAYLOAD, key=Key.public())
    taken = []
    # Read first: a decoder that runs beside it would take its caches.
    for frame in list(video.frames(source.path, seconds=3.0)):
        begin = time.process_time()
        marking.mark(frame)
        taken.append(time.process_time() - begin)
    return taken


# ---------------------------------------------------------------------- tables


def _rows(preset: str, times: dict[str, Times], source: Source) -> list[Row]:
    return [
        {
            "call": call,
            "preset": preset,
            "frames/s": source.frames / (taken.milliseconds().median / 1e3),
            "frame rate ÷ plain": times[PLAIN].ratio(taken),
            "CPU ÷ plain": taken.ratio(times[PLAIN], cpu=True),
            "CPU ms a frame": taken.milliseconds(cpu=True).median / source.frames,
        }
        for call, taken in times.items()
    ]


def _part_rows(
    parts: dict[str, Times],
    whole: dict[str, dict[str, Times]],
    marking: list[float],
    source: Source,
) -> list[Row]:
    def each(times: Times) -> float:
        return times.milliseconds(cpu=True).median / source.frames

    rows: list[Row] = [
        *(
            {"part": part, "CPU ms": each(parts[part]), "× real time": _times(parts[part], source)}
            for part in (DECODED, READ, VERIFIED)
        ),
        {"part": "marking, median", "CPU ms": 1e3 * float(np.median(marking)), "× real time": None},
        {"part": "marking, mean", "CPU ms": 1e3 * float(np.mean(marking)), "× real time": None},
    ]
    for preset, times in whole.items():
        encoding = each(times[PLAIN]) - each(parts[DECODED])
        carrying = each(times[CARRIED]) - each(times[PLAIN])
        rows.append({"part": f"encoding, {preset}", "CPU ms": encoding, "× real time": None})
        rows.append({"part": f"carrying, {preset}", "CPU ms": carrying, "× real time": None})
    return rows


def _times(taken: Times, source: Source) -> float:
    """Times real time at 30 frames a second, wall."""
    return source.frames / _USUAL_RATE / (taken.milliseconds().median / 1e3)


# ---------------------------------------------------------------------- memory and verifying


def _memory(source: Source, folder: Path) -> list[Row]:
    target, made = VideoTarget(codec="h264", quality=_CRF, preset="veryfast"), folder / "made.mp4"
    rows: list[Row] = []
    for seconds in _LENGTHS:
        film = _repeated(source.path, folder / "long.mp4", seconds).path
        quiet = [ffmpeg.ffmpeg_exe(), "-nostdin", "-loglevel", "error", "-y"]
        _, base = memory.of_command([*quiet, *plain(film, made, target)])
        alone, together = memory.of_command(video_memory.marking(film, made, "veryfast"))
        rows.append(
            {
                "s": seconds, "Python MB": alone / _MB, "all MB": together / _MB,
                "plain MB": base / _MB,
            }
        )  # fmt: skip
    return rows


def _verified(source: Source, folder: Path, lengths: tuple[float, ...]) -> list[Row]:
    if not lengths:
        return []
    marked = folder / "marked.mp4"
    agl.watermark(source.path, marked, payload=PAYLOAD)
    rows: list[Row] = []
    for seconds in lengths:
        film = _repeated(marked, folder / "long.mp4", seconds).path
        if shutil.disk_usage(folder).free < film.stat().st_size:
            break
        read = agl.detect_watermark(film).payload == PAYLOAD
        actions = {"": partial(agl.verify, film)}
        times = interleaved(actions, 1, warm_up=False, clock=with_children)[""]
        row: Row = {"s": seconds, "wall s": times.wall[0], "CPU s": times.cpu[0]}
        rows.append(row | {"watermark read": "yes" if read else "NO"})
    return rows


def _floors(
    whole: dict[str, dict[str, Times]],
    parts: dict[str, Times],
    marking: list[float],
    peaks: list[Row],
    source: Source,
) -> list[Floor]:
    floors = [
        Floor(f"{call}, {preset}, frame rate ÷ plain", times[PLAIN].ratio(times[call]).median,
              ">=", _FLOORS[preset])
        for preset, times in whole.items()
        for call in (MARKED, LABELLED)
    ]  # fmt: skip
    floors.append(
        Floor(
            "frames, for verifying, × real time", _times(parts[VERIFIED], source), ">=", _DECODING
        )
    )
    if min(source.size) == 1080:
        mean = 1e3 * float(np.mean(marking))
        floors.append(Floor("marking a frame of 1080 lines, CPU ms", mean, "<=", _MARKING))
    for row in peaks:
        if isinstance(held := row["all MB"], float) and held:
            floors.append(Floor(f"memory, {row['s']} s, MB", held, "<=", _MEMORY))
    return floors
