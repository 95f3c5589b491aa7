"""Films in, luma planes out, and back; and what strangers may send."""

from __future__ import annotations

import io
import re
import subprocess
import time
from contextlib import suppress
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aiglabel.containers.sniff import VideoFormat
from aiglabel.errors import CorruptMedia, MediaError, OutputError, ResourceLimit, UnsupportedFormat
from aiglabel.media import (
    ffmpeg,
    ffmpeg_video,
    sound,
    video,
    video_nut,
    video_pipe,
    video_tracks,
)
from aiglabel.media.limits import Limits
from aiglabel.media.video_coding import Frame, Lead, PixelFormat, VideoTarget, worked_in
from aiglabel.media.video_encoders import Quality

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


@pytest.mark.parametrize("lent", [True, False])
def test_large_frames_arrive_as_they_were_given(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, lent: bool
) -> None:
    if not lent:
        monkeypatch.setattr(video_pipe, "_vmsplice", lambda: None)
    src = clip(tmp_path / "a.mkv", "ffv1", size="1280x720", count=15, voice=False)

    def different(frame: Frame) -> None:
        for plane in frame.planes:
            plane += np.uint8(16 * frame.number)

    video.transcode(src, tmp_path / "b.mkv", different)
    pairs = zip(video.frames(src), video.frames(tmp_path / "b.mkv"), strict=True)
    for a, b in pairs:
        different(a)
        assert all(np.array_equal(x, y) for x, y in zip(a.planes, b.planes, strict=True))


@pytest.mark.parametrize("count", [1, 2])
@pytest.mark.parametrize("suffix", ["mp4", "mov", "mkv", "avi", "flv"])
def test_the_last_frame_has_its_time(tmp_path: Path, suffix: str, count: int) -> None:
    src = clip(tmp_path / f"a.{suffix}", "libx264 -preset ultrafast", rate="5", count=count,
               voice=False)  # fmt: skip
    dst = tmp_path / f"b.{suffix}"
    assert video.transcode(src, dst, nothing, target=FAST).frames == count
    assert [f.time for f in video.frames(dst)] == [f.time for f in video.frames(src)]
    assert video.probe(dst).seconds == pytest.approx(count / 5, abs=0.01)


# ---------------------------------------------------------------------- tracks, tags, times


@pytest.fixture(scope="module")
def rich(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two sounds, subtitles, chapters, an attachment, tags; variable rate; starts late."""
    folder = tmp_path_factory.mktemp("rich")
    (folder / "s.srt").write_text("1\n00:00:00,100 --> 00:00:00,300\nhallo 中文\n", "utf-8")
    (folder / "t.txt").write_text(
        ";FFMETADATA1\ntitle=a 中文\n[CHAPTER]\nTIMEBASE=1/1000\nSTART=0\nEND=200\ntitle=eins\n"
        "[CHAPTER]\nTIMEBASE=1/1000\nSTART=200\nEND=400\ntitle=zwei\n",
        "utf-8",
    )
    program(
        "-f", "lavfi", "-i", f"testsrc2=size={SIZE}:rate=25", "-f", "lavfi", "-i",
        "sine=440:duration=0.5", "-f", "lavfi", "-i", "sine=880:duration=0.5", "-i",
        folder / "s.srt", "-i", folder / "t.txt", "-map", "0", "-map", "1", "-map", "2",
        "-map", "3", "-map_metadata", "4", "-map_chapters", "4", "-frames:v", COUNT, "-attach",
        folder / "s.srt", "-metadata:s:t", "mimetype=text/plain", "-metadata:s:a:1", "language=deu",
        "-vf", "settb=1/1000,setpts='N*40+mod(N\\,3)*7+80'", "-fps_mode", "passthrough",
        "-enc_time_base", "1:1000", "-pix_fmt", "yuv420p", "-c:v", "libx264", "-preset",
        "ultrafast", "-bf", "2", "-c:a", "aac", "-disposition:a:1", "forced", folder / "a.mkv",
    )  # fmt: skip
    return folder / "a.mkv"


def test_all_tracks_chapters_and_tags_are_kept(rich: Path, tmp_path: Path) -> None:
    before = video.probe(rich)
    assert (before.chapters, len(before.tracks)) == (2, 5)
    written = video.transcode(rich, tmp_path / "b.mkv", nothing, target=FAST)
    assert written.notes == ()
    after = video.probe(tmp_path / "b.mkv")
    assert after.chapters == 2
    for a, b in zip(before.tracks, after.tracks, strict=True):
        assert (a.kind, a.codec, a.language, a.dispositions) == (
            b.kind, b.codec, b.language, b.dispositions,
        )  # fmt: skip
    assert packets(tmp_path / "b.mkv") == packets(rich)
    assert packets(rich)[:3] == [0.08, 0.127, 0.174]
    for track in ("0:a:0", "0:a:1", "0:s:0"):
        assert coded_track(tmp_path / "b.mkv", track) == coded_track(rich, track)
        assert packets(tmp_path / "b.mkv", track) == packets(rich, track)
    said = program("-f", "matroska", "-i", tmp_path / "b.mkv", "-f", "ffmetadata", "-").decode()
    assert "title=a 中文" in said
    assert "title=zwei" in said


def test_what_comes_before_the_film_moves_all_tracks(rich: Path, tmp_path: Path) -> None:
    def paint(frame: Frame) -> None:
        painted.append(frame)
        for plane in frame.planes:
            plane[:] = 70

    painted: list[Frame] = []
    lead = Lead(0.4, paint)
    written = video.transcode(rich, tmp_path / "b.mkv", nothing, target=FAST, lead=lead)
    assert written.frames == len(packets(rich))
    (first,) = painted
    assert first.time == pytest.approx(packets(rich)[0] - 0.4)
    late = [time + 0.4 for time in packets(rich)]
    new = len(packets(tmp_path / "b.mkv")) - len(late)
    assert new == 10
    assert packets(tmp_path / "b.mkv")[new:] == pytest.approx(late)
    assert packets(tmp_path / "b.mkv")[0] == pytest.approx(0.08)
    assert [frame.y.mean() for frame in video.frames(tmp_path / "b.mkv")][:new] == [70] * new
    for track in ("0:a:0", "0:a:1", "0:s:0"):
        expected = [time + 0.4 for time in packets(rich, track)]
        assert packets(tmp_path / "b.mkv", track) == pytest.approx(expected, abs=2e-3)

    def chapters(path: Path) -> list[float]:
        copied = program("-copyts", "-f", "matroska", "-i", path, "-f", "ffmetadata", "-")
        return [int(start) / 1e9 for start in re.findall(rb"START=(\d+)", copied)]

    assert chapters(tmp_path / "b.mkv") == pytest.approx([start + 0.4 for start in chapters(rich)])


def test_into_another_container(rich: Path, tmp_path: Path) -> None:
    mp4, webm = tmp_path / "b.mp4", tmp_path / "b.webm"
    written = video.transcode(
        rich, mp4, nothing, target=VideoTarget(container=VideoFormat.MP4, preset="ultrafast")
    )
    assert [t.codec for t in video.probe(mp4).tracks[:4]] == ["h264", "aac", "aac", "mov_text"]
    assert packets(mp4) == pytest.approx(packets(rich), abs=1e-6)
    assert any("attachment" in note for note in written.notes)
    assert any("mov_text" in note for note in written.notes)
    written = video.transcode(mp4, webm, nothing, target=VideoTarget(container=VideoFormat.WEBM))
    assert [t.codec for t in video.probe(webm).tracks[:3]] == ["vp9", "opus", "opus"]
    assert any("h264" in note for note in written.notes)
    assert packets(webm) == pytest.approx(packets(rich), abs=1e-3)


def test_tracks_that_take_long_to_try_are_kept(
    rich: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def slow(*arguments: object, **options: object) -> None:
        raise subprocess.TimeoutExpired("ffmpeg", 60)

    coding = video.probe(rich)
    monkeypatch.setattr(video_tracks.subprocess, "run", slow)
    kept = video_tracks.kept(str(rich), coding, VideoFormat.MKV, "ffmpeg", tmp_path)
    assert (list(kept.codecs.values()), kept.notes) == (["copy"] * 4, ())


@pytest.mark.parametrize("suffix", ["mp4", "mov", "mkv"])
def test_rotation_aspect_and_colour_are_kept(tmp_path: Path, suffix: str) -> None:
    program(
        "-f", "lavfi", "-i", f"testsrc2=size={SIZE}:rate=25", "-frames:v", COUNT, "-pix_fmt",
        "yuv420p10le", "-vf", "setsar=4/3,setparams=range=tv:color_primaries=bt2020:"
        "color_trc=smpte2084:colorspace=bt2020nc", "-c:v", "libx265", "-preset", "ultrafast",
        "-x265-params", "log-level=none:hdr10=1:max-cll=900,300:master-display="
        "G(13250,34500)B(7500,3000)R(34000,16000)WP(15635,16450)L(10000000,50)",
        "-tag:v", "hvc1" if suffix != "mkv" else "0", tmp_path / f"0.{suffix}",
    )  # fmt: skip
    src, dst = tmp_path / f"a.{suffix}", tmp_path / f"b.{suffix}"
    kind = "matroska" if suffix == "mkv" else "mov"
    program("-display_rotation:v:0", "90", "-f", kind, "-i", tmp_path / f"0.{suffix}",
            "-c", "copy", src)  # fmt: skip
    before = video.probe(src)
    assert (before.rotation, before.sample_aspect) == (270.0, Fraction(4, 3))
    assert (before.colour.transfer, before.colour.hdr) == ("smpte2084", True)
    assert next(video.frames(src)).y.shape == (48, 64)
    video.transcode(src, dst, nothing, target=FAST)
    after = video.probe(dst)
    assert (after.rotation, after.sample_aspect) == (before.rotation, before.sample_aspect)
    assert after.colour == before.colour


def test_full_range_stays_full(tmp_path: Path) -> None:
    src = clip(tmp_path / "a.mkv", "libx264 -preset ultrafast -crf 10 -pix_fmt yuvj420p")
    before = video.probe(src)
    assert (before.colour.range, before.pixel_format.name) == ("pc", "yuv420p")
    video.transcode(src, tmp_path / "b.mkv", nothing)
    assert video.probe(tmp_path / "b.mkv").colour.range == "pc"
    pairs = zip(video.frames(src), video.frames(tmp_path / "b.mkv"), strict=True)
    assert all(psnr(a.y, b.y, 8) > 30 for a, b in pairs)


def test_new_sound_takes_the_place_of_the_first(rich: Path, tmp_path: Path) -> None:
    for src in (rich, clip(tmp_path / "a.mp4", "libx264 -preset ultrafast")):
        wav = tmp_path / "a.wav"
        start = video.extract_sound(src, wav)
        heard = sound.decode(wav)
        quiet = tmp_path / "quiet.wav"
        sound.write(quiet, 0.25 * heard.y, heard.coding, overwrite=True)
        dst = tmp_path / f"b{src.suffix}"
        video.transcode(src, dst, nothing, target=FAST, audio=quiet)
        back = tmp_path / "back.wav"
        assert video.extract_sound(dst, back) == pytest.approx(start, abs=2e-3)
        y = sound.decode(back).y
        many = min(y.shape[1], heard.y.shape[1])
        assert many > 0.9 * heard.y.shape[1]
        assert np.corrcoef(y[0, :many], heard.y[0, :many])[0, 1] > 0.95
        assert np.std(y[0, :many]) == pytest.approx(0.25 * np.std(heard.y[0, :many]), rel=0.1)
        kinds = [(t.kind, t.codec) for t in video.probe(src).tracks]
        assert [(t.kind, t.codec) for t in video.probe(dst).tracks] == kinds


def test_parts_and_samples_of_a_film(tmp_path: Path) -> None:
    src = clip(tmp_path / "a.mp4", "libx264 -preset ultrafast -g 5 -bf 2", rate="25", count=30)
    times = [f.time for f in video.frames(src)]
    assert times == pytest.approx([n / 25 for n in range(30)])
    assert [f.time for f in video.frames(src, start=0.5, seconds=0.2)] == times[13:18]
    assert [f.time for f in video.frames(src, apart=0.28)] == times[::7]
    assert [f.time for f in video.frames(src, which="keys")] == times[::5]
    assert [f.time for f in video.frames(src, which="keys", apart=0.4)] == times[::10]
    found = [f.time for f in video.frames(src, which="references")]
    assert set(times[::5]) < set(found) < set(times)
    rare = list(video.frames(src, which="references", apart=0.3))
    assert np.diff([f.time for f in rare]).min() >= 0.3 - 1e-3
    same = {f.time: f for f in video.frames(src)}
    assert all(np.array_equal(f.y, same[f.time].y) for f in rare)
    late = clip(tmp_path / "a.mkv", "libx264 -g 5", "-output_ts_offset", "7", rate="25", count=30)
    times = [f.time for f in video.frames(late)]
    assert times[0] == video.probe(late).begins == pytest.approx(7)
    assert [f.time for f in video.frames(late, start=7.5, seconds=0.2)] == times[13:18]
    other = clip(tmp_path / "a.webm", "libvpx-vp9 -deadline realtime -cpu-used 8 -g 10", count=30)
    dropped = ffmpeg_video._drops(ffmpeg.ffmpeg_exe())
    assert len(list(video.frames(other, which="keys"))) == (3 if dropped else 30)
    held = list(video.frames(src))
    assert not np.array_equal(held[0].y, held[-1].y)  # every frame has memory of its own


# ---------------------------------------------------------------------- hostile and failing


def test_a_playlist_is_not_followed(tmp_path: Path) -> None:
    clip(tmp_path / "secret.mp4", "libx264 -preset ultrafast")
    for text in (
        "#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:9,\nsecret.mp4\n#EXT-X-ENDLIST\n",
        "ffconcat version 1.0\nfile secret.mp4\n",
    ):
        for name in ("a.mp4", "a.mkv", "a.avi", "a.flv", "a.mov"):
            (tmp_path / name).write_text(text)
            with pytest.raises(UnsupportedFormat, match="not a video"):
                video.probe(tmp_path / name)
            assert not video_works(tmp_path / name)
        hidden = b"\0\0\0\x10ftypisom\0\0\0\0" + text.encode()
        (tmp_path / "b.mp4").write_bytes(hidden)
        assert not video_works(tmp_path / "b.mp4")


def video_works(path: Path) -> bool:
    begun = time.monotonic()
    try:
        video.transcode(path, path.with_suffix(".out"), nothing, overwrite=True)
    except MediaError:
        assert time.monotonic() - begun < 60
        assert not path.with_suffix(".out").exists()
        return False
    return True


@pytest.mark.parametrize("suffix", ["mp4", "mov", "mkv", "avi", "flv"])
def test_a_truncated_film_is_told(tmp_path: Path, suffix: str) -> None:
    more = ["-movflags", "+faststart"] if suffix in ("mp4", "mov") else []
    src = clip(tmp_path / f"a.{suffix}", "libx264 -preset ultrafast", *more, count=40)
    data = src.read_bytes()
    for part in (0.9, 0.5, 0.02):
        cut = tmp_path / f"c.{suffix}"
        cut.write_bytes(data[: int(len(data) * part)])
        with pytest.raises(CorruptMedia):
            video.transcode(cut, tmp_path / "out", nothing)
    assert sorted(p.name for p in tmp_path.iterdir()) == [f"a.{suffix}", f"c.{suffix}"]


def test_films_without_film_and_odd_ones(tmp_path: Path) -> None:
    program("-f", "lavfi", "-i", "sine=440:duration=0.2", "-c:a", "aac", tmp_path / "sound.mp4")
    with pytest.raises(CorruptMedia, match="without a video track"):
        video.probe(tmp_path / "sound.mp4")
    program("-f", "lavfi", "-i", f"testsrc2=size={SIZE}", "-t", "0", "-c:v", "libx264",
            tmp_path / "none.mp4")  # fmt: skip
    assert not video_works(tmp_path / "none.mp4")
    for size in ("2x2", "20000x16"):
        src = clip(tmp_path / "odd.mkv", "ffv1", size=size, count=2, voice=False)
        assert next(video.frames(src)).y.shape == tuple(map(int, reversed(size.split("x"))))
        assert video_works(src)
    src = clip(
        tmp_path / "thin.mkv",
        "libx264 -pix_fmt yuv444p -vf format=yuv444p,crop=1:2",
        count=2,
        voice=False,
    )
    assert next(video.frames(src)).y.shape == (2, 1)
    assert video_works(src)
    for data in (b"", b"RIFF\0\0\0\0AVI ", b"FLV\x01\5\0\0\0\t\0\0\0\0", b"\x1a\x45\xdf\xa3" * 9,
                 b"\0\0\0\x18ftypisom" + bytes(99), b"\0\0\0\x08moov", b"text",
                 bytes(5000)):  # fmt: skip
        with pytest.raises((UnsupportedFormat, CorruptMedia)):
            video.probe(data)


def test_limits_hold(tmp_path: Path) -> None:
    src = clip(tmp_path / "a.mp4", "libx264 -preset ultrafast")
    for limits in (Limits(max_pixels=1000), Limits(max_side=50), Limits(max_seconds=0.01)):
        with pytest.raises(ResourceLimit, match="Limits"):
            video.probe(src, limits=limits)
    with pytest.raises(ResourceLimit):
        video.probe(src.read_bytes(), limits=Limits(max_bytes=100))
    assert video.probe(src, limits=Limits(max_bytes=100)).width == 64


@pytest.mark.parametrize("suffix", ["mp4", "mkv", "avi", "flv"])
def test_broken_films_raise_only_media_errors(tmp_path: Path, suffix: str) -> None:
    rng = np.random.default_rng(5)
    data = clip(tmp_path / f"a.{suffix}", "libx264 -preset ultrafast").read_bytes()
    at = max(0, data.find(b"moov"))
    for _ in range(5):
        broken = bytearray(data)
        for place in at + rng.integers(0, len(data) - at, 6):
            broken[place : place + 2] = rng.bytes(2)
        begun = time.monotonic()
        with suppress(MediaError):
            list(video.frames(bytes(broken[: len(data)])))
        assert time.monotonic() - begun < 60


def test_errors_and_interrupts_of_the_caller_leave_nothing(tmp_path: Path) -> None:
    src = clip(tmp_path / "a.mp4", "libx264 -preset ultrafast", count=60)
    before = src.read_bytes()

    def broken(frame: Frame) -> None:
        if frame.number == 20:
            raise KeyboardInterrupt

    for dst in (tmp_path / "b.mp4", src):
        with pytest.raises(KeyboardInterrupt):
            video.transcode(src, dst, broken, target=FAST, overwrite=True)
    with pytest.raises(OutputError, match="exists"):
        video.transcode(src, src, nothing)
    assert [p.name for p in tmp_path.iterdir()] == ["a.mp4"]
    assert src.read_bytes() == before
    told = []
    video.transcode(src, src, nothing, target=FAST, overwrite=True,
                    progress=lambda *now: told.append(now))  # fmt: skip
    assert len(told) == 60
    assert told[-1][0] == pytest.approx(told[-1][1], rel=0.1)


def test_the_end_of_the_program_and_of_the_disk_are_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    src = clip(tmp_path / "a.mp4", "libx264 -preset ultrafast", count=60)
    real = ffmpeg.ffmpeg_exe()
    fake = tmp_path / "fake"
    ends = {
        "ffmpeg failed: boom": "head -c 20000 >/dev/null; echo boom >&2; exit 3",
        "No space left": "head -c 20000 >/dev/null; echo No space left on device >&2; exit 1",
    }
    for words, end in ends.items():
        fake.write_text(f'#!/bin/sh\ncase "$*" in *pipe:0*) {end};; *) exec {real} "$@";; esac\n')
        fake.chmod(0o755)
        with monkeypatch.context() as patch:
            patch.setattr(ffmpeg, "with_encoder", lambda name: str(fake))
            with pytest.raises((MediaError, OutputError), match=words):
                video.transcode(src, tmp_path / "b.mp4", nothing)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a.mp4", "fake"]
    with pytest.raises(UnsupportedFormat, match="Use"):
        video.transcode(src, tmp_path / "b.mp4", nothing, target=VideoTarget(codec="theora"))


# ---------------------------------------------------------------------- parts


@given(st.integers(0, 2**40), st.integers(1, 2**30), st.binary(min_size=1, max_size=99))
@settings(max_examples=50, deadline=None)
def test_nut_comes_back(pts: int, ticks: int, picture: bytes) -> None:
    stream = video_nut.RawStream(3, 5, b"I420", Fraction(1001, ticks))
    data = video_nut.head(stream)
    for number in range(3):
        data += video_nut.frame_head(pts + number, len(picture)) + picture
    reader = video_nut.NutReader(io.BytesIO(data))
    assert reader.stream == stream
    for number in range(3):
        assert reader.next_frame() == (pts + number, len(picture))
        back = bytearray(len(picture))
        reader.read_into(memoryview(back))
        assert back == picture
    assert reader.next_frame() is None


@given(st.binary(max_size=200))
@settings(max_examples=100, deadline=None)
def test_broken_nut_is_told(data: bytes) -> None:
    head = video_nut.head(video_nut.RawStream(2, 2, b"I420", Fraction(1, 25)))
    for whole in (data, head[:40] + data, head + data):
        with suppress(CorruptMedia):
            reader = video_nut.NutReader(io.BytesIO(whole))
            while found := reader.next_frame():
                if found[1] < 1000:
                    reader.read_into(memoryview(bytearray(found[1])))


def test_pixel_formats() -> None:
    named = PixelFormat.named
    assert named("yuv420p").shapes(5, 3) == [(3, 5), (2, 3), (2, 3)]
    assert named("yuv422p10le").size(5, 3) == 2 * (15 + 9 + 9)
    assert named("gray").shapes(5, 3) == [(3, 5)]
    assert named("gray10le").bits == 10
    assert named("rgb24") is None
    for name, planar in (("yuvj420p", "yuv420p"), ("nv12", "yuv420p"), ("p010le", "yuv420p10le"),
                         ("yuv420p10be", "yuv420p10le")):  # fmt: skip
        assert worked_in(name) == (named(planar), "")
    assert worked_in("yuva420p")[1] == "transparency is not kept"
    assert worked_in("gbrp10le")[0].name == "yuv444p10le"
    assert worked_in("bgr0")[0].name == "yuv444p"


def test_quality_follows_bits_a_pixel() -> None:
    rule = Quality(23, 6, 0.05, 18, 25)
    assert (rule.of(0.05), rule.of(0.08), rule.of(9.0), rule.of(1e-4)) == (23, 18.9, 18, 25)
    assert rule.of(None) == 20


# ---------------------------------------------------------------------- real films


@pytest.mark.skipif(not MEDIA.exists(), reason="shared media are not here")
@pytest.mark.parametrize("name", ["vid04*", "vid05*", "vid07*"])
def test_real_films_keep_times_and_tracks(tmp_path: Path, name: str) -> None:
    src = next(MEDIA.glob(name))
    dst = tmp_path / f"b{src.suffix}"
    small = VideoTarget(preset="ultrafast", quality=28)
    written = video.transcode(src, dst, nothing, target=small)
    before, after = video.probe(src), video.probe(dst)
    assert packets(dst) == packets(src)
    assert coded_track(dst, "0:a:0") == coded_track(src, "0:a:0")
    assert (after.rotation, after.colour) == (before.rotation, before.colour)
    assert len(written.notes) == (2 if "04" in name else 0)  # two tracks of Apple's own
