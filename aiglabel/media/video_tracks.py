"""The other tracks of a film on their way into a new file: sound, subtitles, data, attachments.

They are copied as they are. What a new container does not hold is converted where that is usual,
and else left out and said. Whether it holds a track is found out by writing the first of it.
"""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from pathlib import Path

from aiglabel.containers.sniff import VideoFormat
from aiglabel.media import ffmpeg_video
from aiglabel.media.video_coding import Track, VideoCoding
from aiglabel.media.video_whole import ISOBMFF

_TRIAL_S = 60.0
_MUXERS = {VideoFormat.MKV: "matroska"}
_SOUND = {VideoFormat.WEBM: "libopus", VideoFormat.AVI: "libmp3lame", VideoFormat.FLV: "aac"}
_TEXT = {VideoFormat.MP4: "mov_text", VideoFormat.MOV: "mov_text", VideoFormat.WEBM: "webvtt",
         VideoFormat.MKV: "srt"}  # fmt: skip


@dataclass(frozen=True)
class Kept:
    """Tracks that go into the new file, each with its codec or "copy", and what is left out."""

    codecs: dict[int, str]
    notes: tuple[str, ...]


def muxer(container: VideoFormat) -> str:
    """Return the name of ffmpeg's muxer."""
    return _MUXERS.get(container, container.value)


def kept(path: str, coding: VideoCoding, container: VideoFormat, exe: str, folder: Path) -> Kept:
    """Return which tracks beside the film go into a new file of `container`, and how.

    Parameters
    ----------
    path : str
    coding : VideoCoding
        Of `path`.
    container : VideoFormat
    exe : str
        The ffmpeg that will write.
    folder : Path
        For the trials.
    """
    others = [t for t in coding.tracks if t.index != coding.stream and not _made_anew(t, coding)]
    # The description of what ffmpeg does not know is lost in a copy, and with it the sense.
    strange = [t for t in others if t.kind == "data" and t.codec in ("none", "unknown")]
    others = [t for t in others if t not in strange]
    lost = tuple(f"{_named(t)} cannot be copied" for t in strange)
    copied = dict.fromkeys((t.index for t in others), "copy")

    def holds(codecs: dict[int, str]) -> bool:
        return _holds(path, coding, container, exe, codecs, folder / "trial")

    if not copied or holds(copied):
        return Kept(copied, lost)
    codecs: dict[int, str] = {}
    notes = [*lost]
    for track in others:
        choices = ("copy", _SOUND.get(container, "aac")) if track.kind == "audio" else ("copy",)
        if track.kind == "subtitle" and container in _TEXT:
            choices = ("copy", _TEXT[container])
        for codec in choices:
            if holds({track.index: codec}) and holds(codecs | {track.index: codec}):
                codecs[track.index] = codec
                if codec != "copy":
                    notes.append(f"{_named(track)} is written as {codec.removeprefix('lib')}")
                break
        else:
            notes.append(f"{_named(track)} has no place in {container.value.upper()}")
    return Kept(codecs, tuple(notes))


def _made_anew(track: Track, coding: VideoCoding) -> bool:
    """Whether the writer of MP4 makes the track itself: text of chapters, and time code."""
    chapters = track.kind == "data" and track.tag == "text" and coding.chapters > 0
    return coding.container in ISOBMFF and (track.tag == "tmcd" or chapters)


def _named(track: Track) -> str:
    what = track.codec if track.codec not in ("none", "unknown") else track.tag or "unknown"
    return f"track {track.index} ({track.kind}, {what[:20]})"


def _holds(
    path: str, coding: VideoCoding, container: VideoFormat, exe: str, codecs: dict[int, str],
    trial: Path,
) -> bool:  # fmt: skip
    command = [exe, "-hide_banner", "-loglevel", "quiet", "-nostdin", "-y"]
    command += input_options(coding.container)
    command += ["-i", f"file:{path}"]
    for number, (index, codec) in enumerate(codecs.items()):
        command += ["-map", f"0:{index}", f"-c:{number}", codec]
    command += ["-t", "0.5", "-strict", "-2", "-f", muxer(container), f"file:{trial}"]
    try:
        done = subprocess.run(
            command, stdin=subprocess.DEVNULL, capture_output=True, timeout=_TRIAL_S
        )
    except subprocess.TimeoutExpired:
        return True  # a refusal comes at once; what takes long is a late first packet
    except OSError:
        return False
    finally:
        trial.unlink(missing_ok=True)
    return done.returncode == 0


def input_options(container: VideoFormat) -> list[str]:
    """Return the options that stand before ``-i`` of a source."""
    return ffmpeg_video.in_words(ffmpeg_video.source_options(container))
