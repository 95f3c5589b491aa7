"""Only the beginning of a film encoded anew: what follows is the source's, byte for byte."""

from __future__ import annotations

import random

import numpy as np
import pytest
from film_files import NOISE, ffmpeg, moving
from pictures import label
from test_film_embedding import CN, QUICK, killing, names, put

import aiglabel as agl
from aiglabel.containers import avc, mp4_head
from aiglabel.errors import UnsupportedFormat
from aiglabel.media import video, video_partial
from aiglabel.media.video_coding import VideoTarget

BRIEF = CN.changed(watermark={"enabled": False}, film={"seconds": 2.0})
PICTURE = "mandelbrot=size=192x144:rate=10"
OPTIONS = "-preset ultrafast -crf 18 -g 8"
# The maker's suffix and options; each has a key picture every 0.8 s.
SEAMS = {
    "mp4": ("mp4", {}),
    "mp4 fast start": (
        "mp4", {"more": "-movflags +faststart", "coder": f"libx264 {OPTIONS} -bf 2"},
    ),
    "mov": ("mov", {}),
    "B frames": ("mp4", {"coder": f"libx264 {OPTIONS} -bf 3 -b_strategy 0"}),
    "High": ("mp4", {"coder": "libx264 -preset fast -crf 18 -g 8"}),
    "10 bit": ("mp4", {"more": "-pix_fmt yuv420p10le"}),
    "4:4:4": ("mov", {"more": "-pix_fmt yuv444p"}),
    "variable rate": (
        "mp4",
        {"more": "-vf settb=1/1000,setpts=N*100+mod(N\\,3)*13 -fps_mode passthrough "
                 "-enc_time_base 1:1000 -video_track_timescale 1000"},
    ),
    "late start": ("mp4", {"more": "-output_ts_offset 3"}),
    "two sounds": ("mp4", {"sounds": (NOISE, "sine=440")}),
    "another number": ("mp4", {"more": "-x264-params sps-id=1"}),
    "colours": ("mp4", {"more": "-colorspace bt709 -color_primaries bt709 -color_trc bt709 "
                                "-color_range tv -vf setsar=4/3"}),
}  # fmt: skip


def film(folder, seam):
    kind, made = SEAMS[seam]
    made = {"coder": f"libx264 {OPTIONS} -bf 0", "sounds": (NOISE,), **made}
    data = moving(kind, seconds=5, picture=PICTURE, **made)
    return put(folder, data, f"in.{kind}")


def packets(path):
    """Every packet of every track: track, decoding time, time, duration, size, hash."""
    told = ffmpeg("-copyts", "-f", "mov", "-i", str(path), "-map", "0:v", "-map", "0:a?", "-c",
                  "copy", "-f", "framemd5", "-").decode()  # fmt: skip
    rows = [line.split(",") for line in told.splitlines() if not line.startswith("#")]
    return [tuple(part.strip() for part in row) for row in rows]


def complaints(path):
    return ffmpeg("-v", "warning", "-f", "mov", "-i", str(path), "-f", "null", "-")


@pytest.mark.parametrize("seam", SEAMS)
def test_behind_the_label_nothing_changes(seam, tmp_path):
    src = film(tmp_path, seam)
    dst = tmp_path / f"out{src.suffix}"
    result = agl.embed(src, dst, label=label(), policy=BRIEF)
    assert result.complete, result.marks
    (note,) = result.notes
    assert "only the first 2.4 s" in note or seam == "variable rate", note
    assert "sound" not in result.timings
    count = result.mark("overlay").facts["frames"]
    old, new = list(video.frames(src)), list(video.frames(dst))
    assert [one.time for one in old] == [one.time for one in new]
    same = [all(map(np.array_equal, a.planes, b.planes)) for a, b in zip(old, new, strict=True)]
    joined = same.index(True)
    assert not any(same[:count])
    assert joined - count < 8
    assert all(same[joined:])
    a, b = packets(src), packets(dst)
    assert [row[:2] for row in a] == [row[:2] for row in b]
    pictures = [row[0] == "0" for row in a]
    assert [x for x, p in zip(a, pictures, strict=True) if not p] == [
        x for x, p in zip(b, pictures, strict=True) if not p
    ]
    shown = [(x, y) for x, y, p in zip(a, b, pictures, strict=True) if p]
    assert all(x == y for x, y in shown[joined:])
    was, now = video.probe(src), video.probe(dst)
    for name in ("profile", "pixel_format", "colour", "sample_aspect", "rate", "seconds",
                 "chapters", "rotation"):  # fmt: skip
        assert getattr(was, name) == getattr(now, name), name
    assert complaints(dst) == b""
    report = agl.verify(dst, policy=QUICK)
    assert report.compliance is agl.Compliance.COMPLIANT, str(report)
    assert report.mark("overlay").facts["shown_s"] == pytest.approx(2.0, abs=0.05)


@pytest.mark.parametrize(
    ("kind", "made"),
    [
        ("mp4", {"coder": "libx264 -preset ultrafast -g 500"}),
        ("mp4", {"coder": "mpeg4 -q:v 3 -g 8"}),
        ("mp4", {"coder": "libx264 -preset ultrafast -g 8 -flags +ildct+ilme"}),
        ("mp4", {"coder": "libx264 -preset ultrafast -g 8 -x264-params open-gop=1:bframes=2"}),
        ("fragments", {}),
        ("mkv", {"coder": f"libx264 {OPTIONS}"}),
    ],
)
def test_without_a_safe_seam_all_is_encoded(kind, made, tmp_path):
    data = moving(kind, seconds=5, picture=PICTURE, sounds=(), **made)
    result = agl.embed(data, label=label(), policy=BRIEF)
    assert result.complete
    assert not any("only the first" in note for note in result.notes)
    assert agl.verify(result.data, policy=QUICK).compliance is agl.Compliance.COMPLIANT


@pytest.mark.parametrize(
    ("changes", "film_target"),
    [
        ({"film": {"seconds": 2.0, "whole": True}}, None),
        ({"film": {"seconds": 2.0, "end": True}}, None),
        ({"film": {"seconds": 2.0, "at": ((3, 4),)}}, None),
        ({}, VideoTarget(quality=20)),
    ],
)
def test_where_more_is_asked_all_is_encoded(changes, film_target, tmp_path):
    data = film(tmp_path, "mp4").read_bytes()
    policy = BRIEF.changed(**changes)
    result = agl.embed(data, label=label(), policy=policy, film=film_target)
    assert result.complete
    assert result.notes == ()


def test_credentials_and_failures(tmp_path, monkeypatch):
    signer = agl.Signer.dev(tmp_path / "signer")
    src, dst = film(tmp_path, "mp4 fast start"), tmp_path / "out.mp4"
    result = agl.embed(src, dst, label=label(), policy=BRIEF, signer=signer)
    assert "only the first" in result.notes[0]
    report = agl.verify(dst, policy=QUICK)
    assert report.found == ["aigc", "credentials", "overlay"]
    # What is signed already is not patched: its old credentials would fail.
    again = agl.embed(dst, label=label(), policy=BRIEF, signer=signer)
    assert again.notes == ()
    # A join that does not hold is not delivered.
    with monkeypatch.context() as patched:
        patched.setattr(np, "array_equal", lambda *_: False)
        whole = agl.embed(src, label=label(), policy=BRIEF)
    assert whole.notes == ()
    assert whole.complete

    def stop(now, _):
        if now > 0.5:
            raise KeyboardInterrupt

    for done in (dst, src.with_name("new.mp4")):
        with pytest.raises(KeyboardInterrupt):
            agl.embed(src, done, label=label(), policy=BRIEF, progress=stop)
    die = killing(monkeypatch, writer=True)
    with pytest.raises(agl.MediaError, match="ffmpeg"):
        agl.embed(src, dst, label=label(), policy=BRIEF, progress=die)
    assert names(tmp_path) == ["in.mp4", "out.mp4", "signer"]


def test_spoilt_tables_are_refused_or_read(tmp_path):
    """Only media errors escape, and no film is lost by them."""
    whole, rng = film(tmp_path, "mp4 fast start").read_bytes(), random.Random(5)
    size = whole.index(b"mdat")
    for _ in range(150):
        data = bytearray(whole)
        for _ in range(rng.randrange(1, 4)):
            data[rng.randrange(size)] = rng.randrange(256)
        path = put(tmp_path, bytes(data), "spoilt.mp4")
        with path.open("rb") as file:
            try:
                start = mp4_head.start_of(file, 0, 2.0)
                new = avc.Coded(b"\x67\x42\x00\x0a\x4f", b"\x68\x4f", [b"x"] * start.count, [0])
                mp4_head.exchanged(file, start, new)
            except agl.MediaError:
                continue


def test_tables_that_promise_billions_of_samples_are_refused(tmp_path):
    whole = film(tmp_path, "mp4 fast start").read_bytes()
    for kind, at in ((b"stsz", 12), (b"stts", 8), (b"ctts", 8), (b"stss", 8), (b"stsc", 8)):
        place = whole.find(kind) + at
        data = whole[:place] + b"\xff\xff\xff\xf0" + whole[place + 4 :]
        path = put(tmp_path, data, "spoilt.mp4")
        with path.open("rb") as file, pytest.raises(agl.MediaError):
            mp4_head.start_of(file, 0, 2.0)


def test_parameter_sets_have_numbers():
    sequence, picture = b"\x67\x42\xc0\x0b\xd9", b"\x68\xce"  # both number 0
    one = avc.Configuration(0x42, 0xC0, 11, 4, (sequence,), (picture,))
    assert avc.Configuration.parsed(one.packed()) == one
    assert one.free_id == 1
    with pytest.raises(UnsupportedFormat, match="taken"):
        one.joined(sequence, picture)
    joined = one.joined(b"\x67\x42\xc0\x0b\x59", b"\x68\x4e")
    assert avc.Configuration.parsed(joined.packed()) == joined
    assert joined.free_id == 2
    with pytest.raises(UnsupportedFormat, match="harder"):
        one.joined(b"\x67\x64\x00\x0b\x59", b"\x68\x4e")
    with pytest.raises(agl.MediaError):
        avc.Configuration.parsed(one.packed()[:9])


def test_a_film_that_cannot_be_joined_leaves_nothing(tmp_path):
    src = put(tmp_path, moving("mkv", sounds=()), "in.mkv")
    with pytest.raises(UnsupportedFormat):
        video_partial.begin(src, tmp_path / "out.mkv", lambda _: None, seconds=0.5)
    assert names(tmp_path) == ["in.mkv"]
