"""`verify` and `detect_watermark` of films: what is judged, when it shows, what is broken."""

from __future__ import annotations

import jsonschema
import pytest
from film_files import NOISE, ffmpeg, moving
from pictures import label
from test_film_embedding import CN, HIDDEN, KEY, METADATA, QUICK, put
from test_verification import SCHEMA

import aiglabel as agl
from aiglabel.media import video

PICTURE = "mandelbrot=size=192x144:rate=15"
OPEN = (agl.Status.UNDETERMINED, agl.Status.NOT_CHECKED)


def rules(report):
    return {one.rule: one.ok for one in report.findings}


def drawn(folder, name, *, first, seconds):
    """A film that shows a label from its frame number `first` on, laid over by hand."""
    policy = CN.changed(watermark={"enabled": False}, film={"seconds": 2.0})
    data = moving("mp4", seconds=seconds, picture=PICTURE, sounds=())
    whole = folder / "whole.mp4"
    agl.embed(data, whole, label=label(), policy=policy.changed(film={"whole": True}))
    path = folder / name
    bare = put(folder, data, "bare.mp4")
    ffmpeg(
        "-i", str(bare), "-i", str(whole), "-filter_complex",
        f"[0][1]overlay=enable='gte(n,{first})'", "-c:v", "libx264", "-crf", "16",
        "-map_metadata", "1", "-movflags", "use_metadata_tags", str(path),
    )  # fmt: skip
    return path


def test_an_unlabelled_film_is_not_compliant():
    report = agl.verify(moving("mp4"))
    assert report.verdict is agl.Verdict.NONE
    assert report.compliance is agl.Compliance.NON_COMPLIANT
    assert report.found == []
    assert report.problems == ()
    for mark in ("aigc", "credentials", "overlay", "watermark", "audible"):
        assert report.mark(mark).status is agl.Status.ABSENT, mark
    assert report.media["kind"] == "video"
    assert report.media["sound"] is True
    assert rules(report)["CN-V-01"] is False
    jsonschema.validate(report.to_dict(), SCHEMA)
    assert not agl.detect_watermark(moving("mp4"), effort="quick").present


def test_a_label_on_a_later_frame_only_does_not_do(tmp_path):
    report = agl.verify(drawn(tmp_path, "late.mp4", first=4, seconds=2.4), policy=QUICK)
    facts = report.mark("overlay").facts
    assert report.mark("overlay").status is agl.Status.PRESENT
    assert (facts["first_frame"], facts["shown_s"]) == (False, 0.0)
    assert facts["spans"][0][0] == pytest.approx(4 / 15, abs=0.01)
    assert rules(report)["CN-V-01"] is False
    assert report.compliance is agl.Compliance.NON_COMPLIANT


def test_what_lies_beside_is_read(tmp_path):
    signer = agl.Signer.dev(tmp_path / "signer")
    for suffix in ("mkv", "flv"):
        path = tmp_path / f"out.{suffix}"
        agl.embed(moving(suffix), path, label=label(), policy=METADATA, signer=signer)
        quick = METADATA.changed(watermark={"effort": "quick"})
        assert agl.verify(path, policy=quick).mark("credentials").status is agl.Status.PRESENT
        beside = tmp_path / f"out.{suffix}.c2pa"
        away = agl.verify(path.read_bytes(), policy=quick).mark("credentials")
        assert away.status is agl.Status.ABSENT
        data = bytearray(path.read_bytes())
        data[len(data) // 2] ^= 1
        path.write_bytes(data)
        assert agl.verify(path, policy=quick).mark("credentials").status is agl.Status.INVALID
        beside.unlink()


def test_a_film_with_a_key_is_found_with_that_key():
    result = agl.embed(moving("mp4", sounds=()), label=label(), key=KEY)
    assert agl.verify(result.data, keys=KEY).mark("watermark").facts["key"] == KEY.id
    assert agl.verify(result.data, policy=QUICK).mark("watermark").status is agl.Status.ABSENT
    found = agl.detect_watermark(result.data, keys=[KEY])
    assert found.payload == label().payload


def test_spans_tell_which_half_of_a_spliced_film_is_marked(tmp_path):
    half = moving("mp4", seconds=2, picture=PICTURE, sounds=())
    agl.embed(half, tmp_path / "a.mp4", label=label(), policy=HIDDEN)
    put(tmp_path, moving("mp4", seconds=2, picture="testsrc2=size=192x144:rate=15", sounds=()),
        "b.mp4")  # fmt: skip
    for order, expected in (("ab", (0, 2)), ("ba", (2, 4))):
        one, other = (str(tmp_path / f"{name}.mp4") for name in order)
        path = tmp_path / f"{order}.mp4"
        ffmpeg("-i", one, "-i", other, "-filter_complex", "concat", "-c:v", "libx264", "-crf",
               "18", str(path))  # fmt: skip
        evidence = agl.verify(path, policy=QUICK).mark("watermark")
        assert evidence.payload == label().payload.hex()
        (span,) = evidence.facts["spans"]
        assert span == pytest.approx(expected, abs=0.6)
        assert agl.detect_watermark(path).spans == (span,)


def test_a_film_whose_sound_alone_is_marked(tmp_path):
    tune = (NOISE,)
    marked = tmp_path / "marked.mp4"
    agl.watermark(moving("mp4", seconds=3, sounds=tune), marked, payload=b"8 bytes!")
    bare = put(tmp_path, moving("mp4", seconds=3, sounds=tune), "bare.mp4")
    mixed = tmp_path / "mixed.mp4"
    ffmpeg("-i", str(bare), "-i", str(marked), "-map", "0:v", "-map", "1:a", "-c", "copy",
           str(mixed))  # fmt: skip
    evidence = agl.verify(mixed, policy=QUICK).mark("watermark")
    assert (evidence.status, evidence.payload) == (agl.Status.PRESENT, b"8 bytes!".hex())
    assert evidence.where.startswith("sound track")
    assert not agl.detect_watermark(mixed, effort="quick").present


@pytest.mark.parametrize("kind", ["mp4", "mkv", "webm", "avi", "flv"])
def test_broken_films_are_left_open(kind, tmp_path):
    more = "-movflags +faststart" if kind == "mp4" else ""
    data = moving(kind, more=more)
    for part in (0.9, 0.4):
        path = put(tmp_path, data[: int(part * len(data))], f"cut.{kind}")
        report = agl.verify(path, policy=QUICK)
        assert report.problems, part
        assert report.mark("overlay").status in OPEN
        assert report.mark("watermark").status in OPEN
        assert report.compliance is not agl.Compliance.COMPLIANT
        jsonschema.validate(report.to_dict(), SCHEMA)
        with pytest.raises(agl.MediaError):
            agl.detect_watermark(path)


@pytest.mark.parametrize("kind", ["mp4", "mkv", "avi"])
def test_spoilt_films_never_crash(kind):
    whole = agl.embed(moving(kind), label=label(), policy=METADATA).data
    for at in range(5):
        data = bytearray(whole)
        start = len(data) * at // 5
        data[start : start + 40] = bytes(40)
        report = agl.verify(bytes(data), policy=QUICK)
        jsonschema.validate(report.to_dict(), SCHEMA)


def test_sound_nobody_can_decode_leaves_the_pictures_as_they_are(tmp_path):
    src = agl.embed(moving("mkv"), label=label()).data
    report = agl.verify(src.replace(b"A_AAC", b"A_ZZZ"), policy=QUICK)
    assert report.mark("overlay").status is agl.Status.PRESENT
    assert report.mark("watermark").payload == label().payload.hex()
    assert report.mark("audible").status is agl.Status.UNDETERMINED
    assert any("sound" in problem or "ffmpeg" in problem for problem in report.problems)
    strange = moving("mkv").replace(b"A_AAC", b"A_ZZZ")
    with pytest.raises(agl.MediaError, match=r"the sound .* film.sound = false"):
        agl.embed(strange, label=label())
    assert agl.embed(strange, label=label(), policy=CN.changed(film={"sound": False})).notes


def test_a_long_film_is_sampled(tmp_path):
    """Key frames behind the beginning: the mark is found, and not all frames are decoded."""
    picture = "mandelbrot=size=160x120:rate=4"
    short = tmp_path / "short.mp4"
    agl.embed(moving("mp4", seconds=4, picture=picture, sounds=(), more="-g 4"), short,
              label=label())  # fmt: skip
    path = tmp_path / "long.mp4"
    ffmpeg("-stream_loop", "19", "-i", str(short), "-map_metadata", "0", "-movflags",
           "use_metadata_tags", "-c", "copy", str(path))  # fmt: skip
    assert video.probe(path).seconds > 60
    evidence = agl.verify(path, policy=QUICK).mark("watermark")
    assert evidence.payload == label().payload.hex()
    assert evidence.facts["frames"] < 80
    (span,) = evidence.facts["spans"]
    assert span == pytest.approx((0, 80), abs=5)
