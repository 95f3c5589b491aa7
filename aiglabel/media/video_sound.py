"""A labelled sound in the place of a film's first sound track."""

from __future__ import annotations

import re
import subprocess
from contextlib import suppress
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from aiglabel.containers.sniff import VideoFormat
from aiglabel.errors import CorruptMedia, MediaError
from aiglabel.media import ffmpeg, ffmpeg_audio, sound
from aiglabel.media.sound_coding import Coding
from aiglabel.media.video_coding import VideoCoding
from aiglabel.media.video_reading import OpenVideo
from aiglabel.media.video_tracks import input_options

_LOOK_S, _EXTRACT_S = 60.0, 24 * 3600.0
_MOST_SAID = 1 << 16
_ENCODERS = {
    "aac": "aac", "mp3": "libmp3lame", "opus": "libopus", "vorbis": "libvorbis", "flac": "flac",
    "alac": "alac", "ac3": "ac3", "eac3": "eac3", "mp2": "mp2",
}  # fmt: skip
_HELD = {
    VideoFormat.MP4: ("aac", "mp3", "alac", "ac3", "eac3", "opus", "flac"),
    VideoFormat.MOV: ("aac", "mp3", "alac", "ac3"),
    VideoFormat.MKV: tuple(_ENCODERS),
    VideoFormat.WEBM: ("opus", "vorbis"),
    VideoFormat.AVI: ("mp3", "aac", "ac3", "mp2"),
    VideoFormat.FLV: ("aac", "mp3"),
}


@dataclass(frozen=True)
class NewSound:
    """A sound file, its coding, where it begins in the film (s), and the track it replaces."""

    path: str
    coding: Coding
    start: float
    index: int
    bitrate: int | None

    def arguments(self) -> list[str]:
        """Return it as an input of ffmpeg."""
        options = ["-itsoffset", f"{self.start:.6f}", "-copyts"]
        for key, value in ffmpeg_audio.source_options(self.coding.container).items():
            options += [f"-{key}", str(value)]
        return [*options, "-i", f"file:{self.path}"]

    def instead(
        self, codecs: dict[int, str], coding: VideoCoding, container: VideoFormat
    ) -> dict[int, str]:
        """Return `codecs` with the way this sound is written."""
        old = next(t.codec for t in coding.tracks if t.index == self.index)
        held = _HELD[container]
        # A codec that was lossless at the sound's side may become the source's lossy one.
        wanted = old if old in held else held[0]
        codec = "copy" if self.coding.codec == wanted else _ENCODERS[wanted]
        if old.startswith("pcm_") and container in (
            VideoFormat.MOV, VideoFormat.MKV, VideoFormat.AVI,
        ):  # fmt: skip
            codec = "copy" if self.coding.codec == "pcm" else old
        return codecs | {self.index: codec}


def new_sound(path: str, given: OpenVideo, start: float | None = None) -> NewSound:
    """Return the sound file `path` as what replaces the first sound of a film.

    `start` is when that is first heard, as `extract` told; if None it is looked up.

    Raises
    ------
    MediaError
        The film has no sound, or the file is none.
    """
    first = next((t for t in given.coding.tracks if t.kind == "audio"), None)
    if first is None:
        raise MediaError(
            "the film has no sound that could be replaced",
            path=given.path,
            remedy="Leave it silent",
        )
    coding = sound.probe(path)
    if start is None:
        start = 0.0
        with suppress(CorruptMedia):  # it is replaced, whatever it was
            start = _begins(_run(_first_sample(given, first.index), _LOOK_S))
    return NewSound(path, coding, start, first.index, first.bitrate)


def _first_sample(given: OpenVideo, index: int) -> list[str]:
    """Return the arguments with which ffmpeg says when a sound track begins."""
    arguments = ["-copyts", *input_options(given.coding.container), "-i", f"file:{given.path}"]
    return [*arguments, "-map", f"0:{index}", "-frames:a", "1", "-f", "framecrc", "pipe:1"]


def _begins(said: str) -> float:
    base = re.search(r"^#tb 0: (\d{1,9})/(\d{1,9})$", said, re.MULTILINE)
    first = re.search(r"^0, *-?\d+, *(-?\d{1,18}),", said, re.MULTILINE)
    if not base or not first or not int(base[2]):
        return 0.0
    return float(int(first[1]) * Fraction(int(base[1]), int(base[2])))


def extract(given: OpenVideo, dst: Path) -> float:
    """Write the first sound track to `dst` as WAV (RF64 where it is long).

    Returns
    -------
    float
        When its first sample is heard, seconds on the film's clock.

    Raises
    ------
    MediaError
        There is none, or it cannot be decoded.
    """
    first = next((t for t in given.coding.tracks if t.kind == "audio"), None)
    if first is None:
        raise MediaError("the film has no sound", path=given.path, remedy="Leave its sound alone")
    codec = "pcm_s16le" if first.codec in ("pcm_s16le", "pcm_u8") else "pcm_f32le"
    arguments = [*_first_sample(given, first.index), "-map", f"0:{first.index}", "-c:a", codec]
    arguments += ["-rf64", "auto", "-map_metadata", "-1", "-f", "wav", f"file:{dst}"]
    return _begins(_run(arguments))


def after_coding(
    given: OpenVideo, path: Path, container: VideoFormat, dst: Path, *, start: float
) -> None:
    """Write to `dst`, as WAV, what becomes of the sound file `path` in a new film.

    As `video_writing.produce` codes it in place of the film's first sound, without the film.

    Raises
    ------
    MediaError
        The film has no sound, or this one cannot be coded.
    """
    new = new_sound(str(path), given, start)
    codec = new.instead({}, given.coding, container)[new.index]
    bitrate = ["-b:a", str(new.bitrate)] if codec != "copy" and new.bitrate else []
    coded = dst.with_suffix(".mkv")  # which holds every codec
    ways = [
        [*new.arguments(), "-map", "0:a:0", "-c:a", codec, *bitrate, "-strict", "-2",
         "-f", "matroska", f"file:{coded}"],
        ["-f", "matroska", "-i", f"file:{coded}", "-c:a", "pcm_f32le", "-rf64", "auto",
         "-f", "wav", f"file:{dst}"],
    ]  # fmt: skip
    try:
        for way in ways:
            _run(way)
    finally:
        coded.unlink(missing_ok=True)


def _run(arguments: list[str], seconds: float = _EXTRACT_S) -> str:
    """Run ffmpeg to its end, and return the few lines that it prints."""
    with ffmpeg.running(
        ["-nostdin", "-y", *arguments], stdin=subprocess.DEVNULL, stall=seconds
    ) as job:
        assert job.process.stdout is not None
        with job.deadline():
            said = job.process.stdout.read(_MOST_SAID)
        job.finish()
    return said.decode(errors="replace")
