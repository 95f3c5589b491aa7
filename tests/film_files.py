"""Small films that tests make, in every container, and what ffmpeg sees in them."""

from __future__ import annotations

import subprocess
import tempfile
from functools import cache
from pathlib import Path

import sounds

from aiglabel.containers.sniff import VideoFormat
from aiglabel.media.ffmpeg import ffmpeg_exe

TITLE = "A title of 标题"
CHAPTERS = ";FFMETADATA1\n[CHAPTER]\nTIMEBASE=1/1000\nSTART=0\nEND=500\ntitle=one\n"
SUBTITLE = "1\n00:00:00,100 --> 00:00:00,600\nHello\n"

# Suffix, options of the muxer; name before the first space is the format.
BUILDERS: dict[str, tuple[str, ...]] = {
    "mp4": (),
    "mp4 fast start": ("-movflags", "+faststart"),
    "mp4 keys": ("-movflags", "+use_metadata_tags+faststart"),
    "mp4 fragments": ("-movflags", "+frag_keyframe+empty_moov"),
    "mp4 based fragments": ("-movflags", "+frag_keyframe+empty_moov+omit_tfhd_offset"),
    "mp4 dash": ("-movflags", "+frag_keyframe+empty_moov+default_base_moof+global_sidx"),
    "mov": (),
    "mov fast start": ("-movflags", "+faststart"),
    "mkv": (),
    "mkv cues in front": ("-cues_to_front", "1", "-cluster_time_limit", "100"),
    "mkv live": ("-live", "1"),
    "webm": ("-c:v", "libvpx", "-deadline", "realtime", "-c:a", "libopus"),
    "avi": (),
    "avi without padding": ("-metadata_header_padding", "0"),
    "flv": ("-c:v", "flv", "-c:a", "adpcm_swf"),
    "flv keyframes": ("-c:v", "flv", "-c:a", "adpcm_swf", "-flvflags", "add_keyframe_index"),
}  # fmt: skip
SUBTITLES = {"mp4": "mov_text", "mov": "mov_text", "mkv": "srt"}


def ffmpeg(*arguments: str) -> bytes:
    command = [ffmpeg_exe(), "-hide_banner", "-loglevel", "error", "-y", *arguments]
    return subprocess.run(command, capture_output=True, check=True, timeout=120).stdout


@cache
def made(name: str) -> bytes:
    """A second of a moving pattern and a sine, with a title, chapters and subtitles if it can."""
    kind, options = name.split()[0], BUILDERS[name]
    with tempfile.TemporaryDirectory() as folder:
        chapters, subtitle = Path(folder) / "chapters.txt", Path(folder) / "subtitle.srt"
        chapters.write_text(CHAPTERS)
        subtitle.write_text(SUBTITLE)
        target = Path(folder) / f"made.{kind}"
        inputs = ["-f", "lavfi", "-i", "testsrc=size=64x64:rate=20:duration=1"]
        inputs += ["-f", "lavfi", "-i", "sine=sample_rate=44100:duration=1"]
        inputs += ["-f", "ffmetadata", "-i", str(chapters)]
        maps = ["-map", "0:v", "-map", "1:a", "-map_metadata", "2"]
        coded = ["-c:v", "mpeg4", "-g", "5", "-c:a", "mp2" if kind == "avi" else "aac"]
        if kind in SUBTITLES and "fragments" not in name and "dash" not in name:
            inputs += ["-i", str(subtitle)]
            maps += ["-map", "3:s"]
            coded += ["-c:s", SUBTITLES[kind]]
        exact = ["-fflags", "+bitexact", "-flags", "+bitexact", "-threads", "1"]
        title = ["-metadata", f"title={TITLE}"]
        ffmpeg(*inputs, *maps, *coded, *options, *exact, *title, str(target))
        return target.read_bytes()


def fmt_of(name: str) -> VideoFormat:
    return VideoFormat(name.split()[0])


def told(data: bytes, suffix: str, *options: str) -> str:
    """What ffmpeg makes of a file."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"file{suffix}"
        path.write_bytes(data)
        return ffmpeg("-i", str(path), *options, "-").decode().replace("\\", "")


def frames(data: bytes, suffix: str) -> str:
    """Hashes and times of every decoded picture and sound, and of every coded subtitle."""
    maps = ("-map", "0:v", "-map", "0:a?", "-map", "0:s?")
    return told(data, suffix, *maps, "-c:s", "copy", "-f", "framemd5")


@cache
def sound_only(suffix: str) -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"x{suffix}"
        ffmpeg("-f", "lavfi", "-i", "sine=duration=0.2", "-c:a", "aac", str(path))
        return path.read_bytes()


# ---- films that can carry every mark ---------------------------------------------------------

CODERS = {
    "webm": ("libvpx-vp9 -deadline realtime -cpu-used 8 -crf 25 -b:v 0", "libopus"),
    "avi": ("libx264 -preset ultrafast -crf 18 -bf 0", "libmp3lame"),
    "fragments": ("libx264 -preset ultrafast -crf 18 -movflags +frag_keyframe+empty_moov", "aac"),
}  # fmt: skip
X264 = "libx264 -preset ultrafast -crf 18"
NOISE = "anoisesrc=c=pink:a=0.3:r=44100:seed=3"


@cache
def moving(
    kind: str = "mp4",
    *,
    seconds: float = 1.0,
    picture: str = "mandelbrot=size=192x144:rate=15",
    sounds: tuple[str, ...] = (NOISE,),
    coder: str | None = None,
    more: str = "",
    before: str = "",
) -> bytes:
    """A film with something to see, and if `sounds` are named, to hear.

    `kind` is a suffix, or "fragments" for a fragmented MP4; `before` are options of the pictures'
    input, `more` options of the output.
    """
    video, audio = CODERS.get(kind, (X264, "aac"))
    with tempfile.TemporaryDirectory() as folder:
        target = Path(folder) / f"made.{'mp4' if kind == 'fragments' else kind}"
        inputs = [*before.split(), "-f", "lavfi", "-i", picture]
        for one in sounds:
            inputs += ["-f", "lavfi", "-i", one]
        maps = [part for number in range(1 + len(sounds)) for part in ("-map", f"{number}")]
        coded = ["-pix_fmt", "yuv420p", "-c:v", *(coder or video).split(), "-c:a", audio]
        ffmpeg(*inputs, *maps, "-t", str(seconds), *coded, *more.split(), str(target))
        return target.read_bytes()


@cache
def scene(seconds: float = 3.0) -> bytes:
    """A fractal that grows, with something like speech, as MP4: what carries every mark."""
    with tempfile.TemporaryDirectory() as folder:
        path, voice = Path(folder) / "scene.mp4", Path(folder) / "voice.wav"
        voice.write_bytes(sounds.coded(seconds=seconds))
        picture = f"mandelbrot=size=320x240:rate=10,format=yuv420p,trim=duration={seconds}"
        inputs = ("-f", "lavfi", "-i", picture, "-i", str(voice))
        ffmpeg(*inputs, "-c:v", "libx264", "-preset", "veryfast", "-c:a", "aac", str(path))
        return path.read_bytes()
