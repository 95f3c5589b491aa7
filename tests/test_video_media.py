"""Films in, luma planes out, and back; and what strangers may send."""

from __future__ import annotations

import os
import re
import struct
import subprocess
import time
from contextlib import suppress
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aiglabel.errors import CorruptMedia, MediaError, OutputError, ResourceLimit, UnsupportedFormat
from aiglabel.media import ffmpeg, ffmpeg_video, sound, video, video_nut
from aiglabel.media.limits import Limits
from aiglabel.media.video_coding import Frame, PixelFormat, VideoTarget, worked_in
from aiglabel.media.video_encoders import Quality
from aiglabel.media.video_sniffing import VideoFormat

MEDIA = Path(__file__).resolve().parents[2] / "shared" / "media"
SIZE = "64x48"
COUNT = 12
FAST = VideoTarget(preset="ultrafast")

# Everything that is written: suffix, codec, encoder's options.
ALL = [
    ("mp4", "h264", "libx264 -preset ultrafast -crf 16 -bf 2"),
    ("mp4", "hevc", "libx265 -preset ultrafast -crf 20 -x265-params log-level=none"),
    ("mp4", "av1", "libsvtav1 -preset 12 -crf 25 -svtav1-params tile-columns=0"),
    ("mp4", "vp9", "libvpx-vp9 -deadline realtime -cpu-used 8 -crf 20 -b:v 0"),
    ("mp4", "mpeg4", "mpeg4 -q:v 2"),
    ("mov", "h264", "libx264 -preset ultrafast -crf 16"),
    ("mov", "prores", "prores_ks -profile:v 2 -pix_fmt yuv422p10le"),
    ("mov", "mjpeg", "mjpeg -q:v 2 -pix_fmt yuvj422p"),
    ("mkv", "h264", "libx264 -preset ultrafast -crf 16 -pix_fmt yuv444p"),
    ("mkv", "hevc", "libx265 -preset ultrafast -crf 20 -pix_fmt yuv420p10le "
     "-x265-params log-level=none"),
    ("mkv", "vp8", "libvpx -deadline realtime -cpu-used 8 -b:v 1M"),
    ("mkv", "ffv1", "ffv1 -pix_fmt yuv422p10le"),
    ("mkv", "mpeg2video", "mpeg2video -q:v 2"),
    ("webm", "vp9", "libvpx-vp9 -deadline realtime -cpu-used 8 -crf 20 -b:v 0"),
    ("webm", "av1", "libsvtav1 -preset 12 -crf 25"),
    ("avi", "h264", "libx264 -preset ultrafast -crf 16 -bf 0"),
    ("avi", "mpeg4", "mpeg4 -q:v 2"),
    ("avi", "mjpeg", "mjpeg -q:v 2 -pix_fmt yuvj420p"),
    ("flv", "h264", "libx264 -preset ultrafast -crf 16"),
    ("flv", "flv1", "flv -q:v 2"),
]  # fmt: skip
IDS = [f"{suffix}-{codec}" for suffix, codec, _ in ALL]
SOUND = {"webm": "libopus", "avi": "libmp3lame"}


def program(*arguments: object) -> bytes:
    command = [ffmpeg.ffmpeg_exe(), "-hide_banner", "-loglevel", "error", "-nostdin", "-y"]
    done = subprocess.run([*command, *map(str, arguments)], capture_output=True, check=False)
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout


def clip(path: Path, coder: str, *more: str, rate: str = "30000/1001", size: str = SIZE,
         count: int = COUNT, voice: bool = True) -> Path:  # fmt: skip
    """A moving test picture with a tone."""
    tone = ["-f", "lavfi", "-i", f"sine=440:duration={count / 25:.3f}"] if voice else []
    coded = ["-c:a", SOUND.get(path.suffix[1:], "aac")] if voice else []
    program(
        "-f", "lavfi", "-i", f"testsrc2=size={size}:rate={rate}", *tone, "-frames:v", count,
        "-pix_fmt", "yuv420p", "-c:v", *coder.split(), *coded, *more, path,
    )  # fmt: skip
    return path


def packets(path: Path, track: str = "0:v:0") -> list[float]:
    """Times of all packets of a track in the order of display, by ffmpeg's own reckoning."""
    kind = ffmpeg_video.demuxer(video.probe(path).container)
    said = program(
        "-copyts", "-f", kind, "-i", path, "-map", track, "-c", "copy", "-f", "framecrc", "-"
    ).decode()
    base = Fraction(re.search(r"#tb 0: (\d+/\d+)", said)[1])
    lines = [line.split(",") for line in said.splitlines() if not line.startswith("#")]
    return sorted(float(int(line[2]) * base) for line in lines)


def coded_track(path: Path, track: str) -> bytes:
    kind = ffmpeg_video.demuxer(video.probe(path).container)
    return program("-f", kind, "-i", path, "-map", track, "-c", "copy", "-f", "data", "-")


def psnr(a: np.ndarray, b: np.ndarray, bits: int) -> float:
    error = np.mean((a.astype(float) - b.astype(float)) ** 2)
    return float(10 * np.log10((2**bits - 1) ** 2 / max(error, 1e-9)))


def nothing(frame: Frame) -> None:
    """Change nothing."""


# ---------------------------------------------------------------------- there and back


@pytest.mark.parametrize(("suffix", "codec", "coder"), ALL, ids=IDS)
def test_every_container_and_codec(tmp_path: Path, suffix: str, codec: str, coder: str) -> None:
    src = clip(tmp_path / f"a.{suffix}", coder)
    before = video.probe(src)
    assert (before.container, before.codec) == (VideoFormat(suffix), codec)
    assert (before.width, before.height) == (64, 48)
    first = list(video.frames(src))
    assert len(first) == COUNT
    seen = []
    dst = tmp_path / f"b.{suffix}"
    written = video.transcode(src, dst, lambda f: seen.append(f.time))
    assert (written.frames, written.notes) == (COUNT, ())
    after = video.probe(dst)
    for name in ("container", "codec", "width", "height", "pixel_format", "rotation", "rate",
                 "sample_aspect", "time_base", "colour"):  # fmt: skip
        assert getattr(after, name) == getattr(before, name), name
    assert [(t.kind, t.codec) for t in after.tracks] == [(t.kind, t.codec) for t in before.tracks]
    again = list(video.frames(dst))
    assert [f.time for f in again] == [f.time for f in first] == seen
    assert packets(dst) == packets(src)
    assert coded_track(dst, "0:a") == coded_track(src, "0:a")
    assert packets(dst, "0:a") == packets(src, "0:a")
    for a, b in zip(first, again, strict=True):
        assert [p.shape for p in a.planes] == [p.shape for p in b.planes]
        assert psnr(a.y, b.y, before.bits) > 30


def test_only_what_is_changed_changes(tmp_path: Path) -> None:
    src = clip(tmp_path / "a.mkv", "ffv1 -pix_fmt yuv420p10le")

    def brighter(frame: Frame) -> None:
        frame.y[:] = np.minimum(frame.y + 40, 1023)
        if frame.number == 3:
            frame.chroma[0][:] = 7

    video.transcode(src, tmp_path / "b.mkv", brighter)
    pairs = zip(video.frames(src), video.frames(tmp_path / "b.mkv"), strict=True)
    for number, (a, b) in enumerate(pairs):
        assert a.y.dtype == np.uint16
        assert np.array_equal(np.minimum(a.y + 40, 1023), b.y)
        assert np.array_equal(a.chroma[1], b.chroma[1])
        assert np.array_equal(a.chroma[0], b.chroma[0]) == (number != 3)
