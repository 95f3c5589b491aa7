"""`embed` and `watermark` of films: every container, source, destination and mark, and failures."""

from __future__ import annotations

import errno
import io
import os
from pathlib import Path

import numpy as np
import pytest
from film_files import NOISE, ffmpeg, moving
from pictures import label

import aiglabel as agl
from aiglabel import containers
from aiglabel.containers.sniff import VideoFormat
from aiglabel.containers.timed import coded_digest
from aiglabel.media import ffmpeg as program
from aiglabel.media import video, video_writing
from aiglabel.media.video_coding import VideoTarget
from aiglabel.pipeline import films

KEY = agl.Key(bytes(range(32)))
SHARED = Path(__file__).resolve().parents[2] / "shared" / "media"
# Name of the maker, suffix.
ALL = [("mp4", "mp4"), ("fragments", "mp4"), ("mov", "mov"), ("mp4", "m4v"), ("mkv", "mkv"),
       ("webm", "webm"), ("avi", "avi"), ("flv", "flv")]  # fmt: skip
METADATA = agl.Policy.preset("metadata-only")
CN = agl.Policy.preset("cn")
SEEN = CN.changed(watermark={"enabled": False})
HIDDEN = CN.changed(overlay={"enabled": False})
QUICK = CN.changed(watermark={"effort": "quick"})


@pytest.fixture(scope="module")
def signer(tmp_path_factory):
    return agl.Signer.dev(tmp_path_factory.mktemp("dev"))


def put(folder, data, name="in.mp4"):
    path = folder / name
    path.write_bytes(data)
    return path


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def coded_track(path, track):
    kind = {"mkv": "matroska", "webm": "matroska"}.get(path.suffix[1:], path.suffix[1:])
    kind = "mov" if kind in ("mp4", "m4v") else kind
    return ffmpeg("-f", kind, "-i", str(path), "-map", track, "-c", "copy", "-f", "md5", "-")


def times(path):
    return [frame.time for frame in video.frames(path)]


def shown(path):
    """Times after the first frame: FLV knows none before 0, where coded sound begins."""
    first, *_ = all_ = times(path)
    return [time - first for time in all_]


def seen(report, *marks):
    return [report.mark(one).status.value for one in marks]


# ---- every container, source and destination -----------------------------------------------------


@pytest.mark.parametrize(("kind", "suffix"), ALL)
def test_every_mark_is_found_again_in_every_container(kind, suffix, tmp_path, signer):
    src, dst = put(tmp_path, moving(kind), f"in.{suffix}"), tmp_path / f"out.{suffix}"
    before = src.read_bytes()
    result = agl.embed(src, dst, label=label(), key=KEY, signer=signer)
    assert result.complete, result.marks
    assert [one.mark for one in result.marks] == ["overlay", "watermark", "aigc", "credentials"]
    assert src.read_bytes() == before
    assert dst.read_bytes() == result.data
    assert result.path == str(dst)
    assert result.format is VideoFormat("mp4" if suffix == "m4v" else suffix)
    assert result.payload == label().payload
    assert result.quality.psnr_db > 40
    assert result.sizes == {"source": len(before), "result": len(result.data)}
    assert set(result.timings) == {"sound", "mark and encode", "read back", "metadata", "sign"}
    assert result.notes == ()
    assert result.mark("watermark").facts["sound"]["written"] is (suffix != "webm")  # Opus, 1 s
    embedded = suffix not in ("mkv", "webm", "flv")
    assert (result.sidecar is None) is embedded
    assert names(tmp_path) == sorted(
        [src.name, dst.name, *([] if embedded else [f"{dst.name}.c2pa"])]
    )
    report = agl.verify(dst, keys=[KEY])
    assert report.verdict is agl.Verdict.GENERATED
    assert report.compliance is agl.Compliance.COMPLIANT, str(report)
    assert report.found == ["aigc", "credentials", "overlay", "watermark"]
    assert report.problems == ()
    assert report.mark("watermark").payload == label().payload.hex()
    assert ("sound" in report.mark("watermark").facts) is (suffix != "webm")
    was, now = video.probe(src), video.probe(dst)
    for name in ("codec", "width", "height", "pixel_format", "time_base", "colour"):
        assert getattr(was, name) == getattr(now, name), name
    assert [one.codec for one in was.tracks] == [one.codec for one in now.tracks]
    assert shown(dst) == pytest.approx(shown(src), abs=1e-6)
    assert now.seconds == pytest.approx(was.seconds, abs=0.06)


@pytest.fixture
def coded(monkeypatch):
    """Films that were coded, by the sound that they got."""
    transcode, sounds = video.transcode, []

    def counted(*args, audio=None, **options):
        sounds.append(audio and Path(audio).read_bytes())
        return transcode(*args, audio=audio, **options)

    monkeypatch.setattr(video, "transcode", counted)
    return sounds


def test_a_sound_that_holds_no_mark_costs_no_second_film(coded, tmp_path):
    src = put(tmp_path, moving("webm"), "in.webm")  # Opus, 1 s
    result = agl.embed(src, tmp_path / "out.webm", label=label(), key=KEY, policy=HIDDEN)
    assert not result.mark("watermark").facts["sound"]["written"]
    assert len(coded) == 1


def test_a_louder_sound_that_holds_goes_into_a_second_film(coded, monkeypatch, tmp_path):
    # Marked, heard in the film, tried alone; and in the second film.
    answers = iter([False, True, False, False, False])
    monkeypatch.setattr(films, "too_little", lambda outcomes: next(answers))
    src = put(tmp_path, moving("mp4"))
    result = agl.embed(src, tmp_path / "out.mp4", label=label(), key=KEY, policy=HIDDEN)
    assert result.complete
    assert len(coded) == 2
    assert coded[0] != coded[1]
    assert next(answers, None) is None
    assert names(tmp_path) == ["in.mp4", "out.mp4"]


@pytest.mark.parametrize("kind", ["path", "str", "bytes", "bytearray", "file"])
def test_every_source(kind, tmp_path):
    data = moving("mp4", sounds=())
    path = put(tmp_path, data)
    with path.open("rb") as file:
        source = {
            "path": path, "str": str(path), "bytes": data, "bytearray": bytearray(data),
            "file": file,
        }[kind]  # fmt: skip
        result = agl.embed(source, label=label(), policy=SEEN)
    assert result.complete
    assert result.path is None
    assert agl.verify(result.data, policy=QUICK).mark("overlay").facts["first_frame"]
    assert names(tmp_path) == ["in.mp4"]


def test_destinations(tmp_path, signer):
    data, stream = moving("mp4", sounds=()), io.BytesIO()
    result = agl.embed(data, stream, label=label(), policy=SEEN)
    assert stream.getvalue() == result.data
    path = tmp_path / "out.mkv"
    made = agl.embed(data, path, label=label(), policy=SEEN, signer=signer)
    assert (made.path, made.format) == (str(path), VideoFormat.MKV)
    assert (tmp_path / "out.mkv.c2pa").read_bytes() == made.sidecar
    assert made.image.shape == (144, 192, 3)
    with pytest.raises(agl.errors.UnsupportedFormat, match="no sound"):
        _ = made.sound
    with pytest.raises(agl.OutputError, match="takes no bytes"):
        agl.embed(data, io.StringIO(), label=label(), policy=METADATA)
    for wrong in ("out.png", "out.wav", "out.xyz", "out"):
        with pytest.raises(agl.errors.UnsupportedFormat, match="no video format"):
            agl.embed(data, tmp_path / wrong, label=label(), policy=METADATA)
    assert names(tmp_path) == ["out.mkv", "out.mkv.c2pa"]


def test_what_exists_is_not_replaced_where_that_is_not_wanted(tmp_path, signer):
    data = moving("mkv", sounds=())
    path, told = put(tmp_path, b"old", "out.mkv"), []
    asked = {"label": label(), "policy": SEEN, "progress": lambda *_: told.append(1)}
    with pytest.raises(agl.OutputError, match="exists"):
        agl.embed(data, path, overwrite=False, **asked)
    assert (path.read_bytes(), told) == (b"old", [])  # no work was done
    # The manifest beside it is no more replaced than the film, and without it there is none.
    path.unlink()
    beside = put(tmp_path, b"old", "out.mkv.c2pa")
    with pytest.raises(agl.OutputError, match="exists"):
        agl.embed(data, path, overwrite=False, signer=signer, **asked)
    assert beside.read_bytes() == b"old"
    assert names(tmp_path) == ["out.mkv.c2pa"]
    agl.embed(data, path, signer=signer, **asked)
    assert beside.read_bytes() != b"old"


def test_a_source_is_never_its_own_destination(tmp_path):
    path = put(tmp_path, moving("mp4"))
    link = tmp_path / "link.mp4"
    link.symlink_to(path)
    for src, dst in ((path, path), (path, link), (link, path), (str(path), path)):
        with pytest.raises(agl.OutputError, match="same file"):
            agl.embed(src, dst, label=label())
    assert path.read_bytes() == moving("mp4")


def test_containers_are_converted_by_name(tmp_path):
    src = put(tmp_path, moving("mp4"))
    for suffix in ("mkv", "mov", "webm", "avi", "flv"):
        dst = tmp_path / f"out.{suffix}"
        result = agl.embed(src, dst, label=label(), policy=SEEN)
        assert result.complete, result.marks
        assert result.format is VideoFormat(suffix)
        report = agl.verify(dst, policy=QUICK)
        assert seen(report, "aigc", "overlay") == ["present", "present"]
        assert report.compliance is agl.Compliance.COMPLIANT, str(report)
        assert shown(dst) == pytest.approx(shown(src), abs=2e-3)
    changed = agl.embed(src, tmp_path / "meta.mov", label=label(), policy=METADATA)
    assert "mark and encode" in changed.timings
    assert changed.complete


# ---- policies --------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["mp4", "fragments", "mov", "mkv", "webm", "avi", "flv"])
def test_metadata_alone_leaves_coded_frames_as_they_are(kind):
    data = moving(kind)
    result = agl.embed(data, label=label(), policy=METADATA)
    assert result.complete
    assert [one.mark for one in result.marks] == ["aigc"]
    assert (result.payload, set(result.timings)) == (None, {"metadata"})
    assert coded_digest(data, result.format) == coded_digest(result.data, result.format)
    report = agl.verify(result.data, policy=METADATA.changed(watermark={"effort": "quick"}))
    assert report.compliance is agl.Compliance.COMPLIANT
    assert report.verdict is agl.Verdict.GENERATED


def test_marks_that_are_not_asked_for_are_not_written(tmp_path, signer):
    data = moving("mp4")
    for policy, marks in ((SEEN, ["overlay", "aigc"]), (HIDDEN, ["watermark", "aigc"])):
        path = tmp_path / "out.mp4"
        result = agl.embed(data, path, label=label(), policy=policy)
        assert [one.mark for one in result.marks] == marks
        report = agl.verify(path, policy=QUICK)
        assert set(report.found) == set(marks)
    only = {"overlay": {"enabled": False}, "watermark": {"enabled": False}}
    eu = agl.Policy.preset("eu").changed(
        aigc={"enabled": False}, credentials={"required": False}, **only
    )
    signed = agl.embed(data, label=label(), policy=eu, signer=signer)
    assert [one.mark for one in signed.marks] == ["credentials"]
    nothing = agl.embed(data, label=label(), policy=eu)
    assert (nothing.marks, nothing.data) == ((), data)


def test_sound_is_copied_where_nothing_is_written_into_it(tmp_path):
    src, dst = put(tmp_path, moving("mp4")), tmp_path / "out.mp4"
    agl.embed(src, dst, label=label(), policy=CN.changed(film={"sound": False}))
    assert coded_track(dst, "0:a") == coded_track(src, "0:a")
    result = agl.watermark(src, dst, payload=b"8 bytes!")
    assert coded_track(dst, "0:a") != coded_track(src, "0:a")
    assert [one.mark for one in result.marks] == ["watermark"]
    assert result.payload == b"8 bytes!"
    assert agl.detect_watermark(dst).payload == b"8 bytes!"
    with pytest.raises(agl.PayloadError):
        agl.watermark(src, dst, payload=b"short")


def test_a_film_speaks(tmp_path):
    tone = "sine=frequency=330:sample_rate=44100"
    data = moving("mp4", seconds=5, picture="mandelbrot=size=128x96:rate=5", sounds=(tone,))
    policy = SEEN.changed(film={"speak": True})
    result = agl.embed(data, tmp_path / "out.mp4", label=label(), policy=policy)
    assert [one.mark for one in result.marks] == ["audible", "overlay", "aigc"]
    assert result.complete, result.marks
    report = agl.verify(tmp_path / "out.mp4", policy=QUICK)
    assert report.mark("audible").status is agl.Status.PRESENT
    assert video.probe(tmp_path / "out.mp4").seconds == pytest.approx(5, abs=0.1)
    silent = moving("mp4", sounds=())
    told = agl.embed(silent, label=label(), policy=policy)
    assert told.mark("audible") is None or not told.mark("audible").written


# ---- labels that are there already -----------------------------------------------------------


def test_the_producers_label_is_kept_and_the_watermark_agrees(tmp_path):
    theirs = label(producer="001191440300MA5G49LC9K1YO01", content_id="t-9")
    first = agl.embed(moving("mp4", sounds=()), label=theirs, policy=METADATA)
    kept = agl.embed(first.data, tmp_path / "out.mp4", label=label())
    assert kept.payload == theirs.payload
    assert kept.complete
    assert kept.mark("aigc").facts["kept"]
    assert any("Already" in note for note in kept.notes), kept.notes
    assert agl.detect_watermark(tmp_path / "out.mp4").payload == theirs.payload
    fields = agl.verify(kept.data, policy=QUICK).mark("aigc").facts["fields"]
    assert fields["ContentProducer"] == theirs.producer
    replaced = agl.embed(first.data, label=label(), policy=CN.changed(aigc={"existing": "replace"}))
    assert replaced.payload == label().payload
    fields = agl.verify(replaced.data, policy=QUICK).mark("aigc").facts["fields"]
    assert fields["ContentProducer"] == label().producer
    with pytest.raises(agl.LabelError, match="already labelled"):
        agl.embed(first.data, label=label(), policy=SEEN.changed(aigc={"existing": "refuse"}))


@pytest.mark.parametrize("kind", ["mp4", "mkv"])
def test_a_labelled_film_is_labelled_again(kind, tmp_path, signer):
    first, second = tmp_path / f"a.{kind}", tmp_path / f"b.{kind}"
    one = agl.embed(moving(kind), first, label=label(), signer=signer)
    two = agl.embed(first, second, label=label(), signer=signer)
    assert two.complete
    assert two.payload == one.payload
    report = agl.verify(second)
    assert report.compliance is agl.Compliance.COMPLIANT, str(report)
    assert report.mark("watermark").payload == one.payload.hex()
    facts = report.mark("credentials").facts
    parents = [parent["manifest"] for parent in facts["ingredients"]]
    embedded = kind == "mp4"
    assert parents == ([one.mark("credentials").facts["manifest_label"]] if embedded else [])


def test_credentials_are_not_lost_in_silence(tmp_path, signer):
    signed = agl.embed(moving("mp4", sounds=()), label=label(), policy=METADATA, signer=signer)
    with pytest.raises(agl.SigningError, match="would invalidate"):
        agl.embed(signed.data, tmp_path / "out.mp4", label=label(), policy=METADATA)
    assert names(tmp_path) == []
    result = agl.embed(signed.data, label=label(), policy=SEEN)
    assert any("credentials" in note for note in result.notes)


# ---- all sorts of films ----------------------------------------------------------------------


SORTS = {
    "no sound": {"sounds": ()},
    "silent sound": {"sounds": ("anullsrc=r=44100",)},
    "three sounds": {"sounds": (NOISE, "sine=440", "sine=880")},
    "10 bit": {"more": "-pix_fmt yuv420p10le"},
    "4:2:2": {"more": "-pix_fmt yuv422p"},
    "grey": {"more": "-pix_fmt gray", "sounds": ()},
    "full range": {"more": "-pix_fmt yuvj420p", "sounds": ()},
    "variable rate": {
        "kind": "mkv", "sounds": (),
        "more": "-vf settb=1/1000,setpts=N*60+mod(N\\,3)*11 -fps_mode passthrough "
        "-enc_time_base 1:1000",
    },
    "narrow pixels": {"more": "-vf setsar=4/3", "sounds": ()},
    "odd size": {
        "picture": "mandelbrot=size=193x145:rate=15", "more": "-pix_fmt yuv444p", "sounds": (),
    },
    "late start": {"kind": "mkv", "more": "-output_ts_offset 7"},
    "one frame": {"more": "-frames:v 1", "sounds": ()},
    "0.2 s": {"seconds": 0.2},
    "black": {"picture": "color=black:size=192x144:rate=15", "sounds": ()},
    "too small": {"picture": "mandelbrot=size=32x32:rate=15", "sounds": ()},
}  # fmt: skip
BARE = ("black", "too small")


@pytest.mark.parametrize("sort", SORTS)
def test_all_sorts_of_films(sort, tmp_path):
    made = dict(SORTS[sort])
    kind = made.pop("kind", "mp4")
    src, dst = put(tmp_path, moving(kind, **made), f"in.{kind}"), tmp_path / f"out.{kind}"
    steps = []
    result = agl.embed(src, dst, label=label(), progress=lambda now, _: steps.append(now))
    assert result.mark("overlay").written, result.marks
    assert (result.payload is None) is (sort in BARE), result.marks
    assert result.complete is (sort not in BARE)
    assert times(src) == times(dst)
    was, now = video.probe(src), video.probe(dst)
    for name in ("width", "height", "pixel_format", "rotation", "sample_aspect", "variable"):
        assert getattr(was, name) == getattr(now, name), name
    assert [(t.kind, t.codec) for t in was.tracks] == [(t.kind, t.codec) for t in now.tracks]
    for number in range(1, len(made.get("sounds", ()))):
        assert coded_track(src, f"0:a:{number}") == coded_track(dst, f"0:a:{number}")
    if sort in BARE:
        assert len(steps) <= 2 * len(times(src))  # what cannot be is not tried for ever
        assert "cannot carry" in result.mark("watermark").detail or "too small" in (
            result.mark("watermark").detail
        )
    report = agl.verify(dst, policy=QUICK)
    assert report.problems == ()
    assert report.compliance is agl.Compliance.COMPLIANT, str(report)
    if sort not in BARE:
        assert report.mark("watermark").payload == result.payload.hex()


@pytest.mark.parametrize("kind", ["mp4", "mkv", "webm", "flv", "avi"])
def test_a_card_comes_before_the_film(kind, tmp_path):
    sounds = () if kind == "avi" else ("sine=440:duration=3",)
    data = moving(kind, seconds=3.0, sounds=sounds, more="-r 15")
    src, dst = put(tmp_path, data, f"in.{kind}"), tmp_path / f"out.{kind}"
    result = agl.embed(src, dst, label=label(), policy=CN.changed(film={"card": 1.5}))
    assert result.complete, result.marks
    assert result.mark("overlay").facts["spans"] == [[0.0, pytest.approx(4.5, abs=0.1)]]
    before, after = times(src), times(dst)
    many = len(after) - len(before)
    assert many == pytest.approx(1.5 * 15, abs=1)
    late = np.subtract(after[many:], before) - (after[0] - before[0])
    assert late == pytest.approx(1.5, abs=0.04)
    first, last, film = (list(video.frames(dst))[number].y for number in (0, many - 1, many))
    high, wide = (side // 3 for side in first.shape)
    middle = np.s_[high:-high, wide:-wide]
    assert np.median(first) < 20
    assert first[middle].max() > 200
    assert np.abs(first.astype(int) - last).mean() < 1
    assert np.abs(film.astype(int) - next(iter(video.frames(src))).y)[middle].mean() < 8
    if sounds:
        begin = video.extract_sound(src, tmp_path / "a.wav")
        late = video.extract_sound(dst, tmp_path / "b.wav") - begin
        assert late - (after[0] - before[0]) == pytest.approx(1.5, abs=0.06)
    report = agl.verify(dst, policy=QUICK)
    assert report.compliance is agl.Compliance.COMPLIANT, str(report)
    assert report.mark("overlay").facts["first_frame"]
    assert report.mark("watermark").payload == result.payload.hex()


def test_no_card_comes_without_a_legible_label(tmp_path):
    data = moving("mp4", picture="mandelbrot=size=16x16:rate=15", sounds=())
    src, dst = put(tmp_path, data), tmp_path / "out.mp4"
    result = agl.embed(src, dst, label=label(), policy=CN.changed(film={"card": 2}))
    assert not result.mark("overlay").written
    assert times(dst) == times(src)


def test_avi_with_sound_takes_no_card(tmp_path):
    src, dst = put(tmp_path, moving("avi"), "in.avi"), tmp_path / "out.avi"
    with pytest.raises(agl.UnsupportedFormat, match="AVI"):
        agl.embed(src, dst, label=label(), policy=CN.changed(film={"card": 2}))
    assert names(tmp_path) == ["in.avi"]
    with pytest.raises(agl.AigLabelError, match="card"):
        CN.changed(film={"card": 0.5})


def test_a_turned_film_is_labelled_as_it_is_shown(tmp_path):
    put(tmp_path, moving("mp4", sounds=()), "0.mp4")
    src, dst = tmp_path / "in.mp4", tmp_path / "out.mp4"
    turn = ["-display_rotation:v:0", "90"]
    ffmpeg(*turn, "-f", "mov", "-i", str(tmp_path / "0.mp4"), "-c", "copy", str(src))
    result = agl.embed(src, dst, label=label())
    assert result.complete, result.marks
    assert video.probe(dst).rotation == video.probe(src).rotation == 270
    report = agl.verify(dst)
    assert report.compliance is agl.Compliance.COMPLIANT, str(report)
    assert (report.media["width"], report.media["height"]) == (144, 192)
    assert result.image.shape == (192, 144, 3)
    flat = tmp_path / "out.avi"  # players of AVI do not turn
    told = agl.embed(src, flat, label=label(), policy=SEEN)
    assert any("turned" in note for note in told.notes)
    assert agl.verify(flat, policy=QUICK).compliance is agl.Compliance.COMPLIANT


def test_the_same_film_becomes_the_same_file():
    data, one = moving("mp4"), label()
    first, second = (agl.embed(data, label=one) for _ in range(2))
    assert first.data == second.data
    found = [agl.detect_watermark(result.data) for result in (first, second)]
    assert found[0].statistic == found[1].statistic
    assert found[0].payload == one.payload


def test_a_film_is_coded_as_asked(tmp_path):
    target = VideoTarget(codec="hevc", preset="ultrafast", quality=20)
    agl.embed(moving("mp4", sounds=()), tmp_path / "out.mp4", label=label(), film=target)
    assert video.probe(tmp_path / "out.mp4").codec == "hevc"
    assert agl.detect_watermark(tmp_path / "out.mp4").payload == label().payload


# ---- failures --------------------------------------------------------------------------------


def test_a_full_disk_is_told_and_nothing_is_left(tmp_path, monkeypatch):
    src = put(tmp_path, moving("mp4"))
    full = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    def refuse(*_args, **_options):
        raise full

    for room, name in ((video_writing, "carry"), (containers.timed, "copy_spliced")):
        with monkeypatch.context() as patched:
            patched.setattr(room, name, refuse)
            with pytest.raises(agl.OutputError, match="No space left") as told:
                agl.embed(src, tmp_path / "out.mp4", label=label())
        assert told.value.path == str(tmp_path / "out.mp4")
        assert names(tmp_path) == ["in.mp4"]
    finish = program.Job.finish

    def failing(job, *, writing=False):
        if writing and job.process.stdin is not None:
            raise agl.MediaError(f"ffmpeg failed: {program.DISK_FULL}")
        return finish(job, writing=writing)

    monkeypatch.setattr(program.Job, "finish", failing)
    with pytest.raises(agl.OutputError, match="No space left"):
        agl.embed(src, tmp_path / "out.mp4", label=label(), policy=SEEN)
    assert names(tmp_path) == ["in.mp4"]


def killing(monkeypatch, *, writer):
    """Let ffmpeg die as soon as a frame was changed."""
    jobs, init = [], program.Job.__init__

    def noted(job, process, stall):
        init(job, process, stall)
        jobs.append(job)

    def die(*_):
        for job in jobs:
            if (job.process.stdin is not None) is writer and job.process.poll() is None:
                job.process.kill()
                job.process.wait()

    monkeypatch.setattr(program.Job, "__init__", noted)
    return die


@pytest.mark.parametrize("writer", [True, False])
def test_the_death_of_ffmpeg_is_told_and_nothing_is_left(writer, tmp_path, monkeypatch):
    picture = "mandelbrot=size=640x480:rate=30"
    src = put(tmp_path, moving("mp4", picture=picture, sounds=()))
    die = killing(monkeypatch, writer=writer)
    with pytest.raises(agl.MediaError, match="ffmpeg") as told:
        agl.embed(src, tmp_path / "out.mp4", label=label(), policy=SEEN, progress=die)
    assert told.value.path == str(src)
    assert names(tmp_path) == ["in.mp4"]


def test_whoever_stops_it_leaves_nothing(tmp_path):
    src = put(tmp_path, moving("mp4"))

    def stop(now, _):
        if now > 0.3:
            raise KeyboardInterrupt

    for dst in (tmp_path / "out.mp4", None):
        with pytest.raises(KeyboardInterrupt):
            agl.embed(src, dst, label=label(), progress=stop)
    assert names(tmp_path) == ["in.mp4"]


@pytest.mark.parametrize("kind", ["mp4", "mkv", "avi", "flv"])
def test_broken_films_are_told_by_their_own_names(kind, tmp_path):
    data = moving(kind)
    src = put(tmp_path, data[: len(data) * 2 // 3], f"in.{kind}")
    with pytest.raises(agl.MediaError) as told:
        agl.embed(src, tmp_path / f"out.{kind}", label=label())
    assert told.value.path == str(src)
    with pytest.raises(agl.MediaError) as told:
        agl.embed(src.read_bytes(), label=label())
    assert told.value.path is None, told.value
    assert names(tmp_path) == [src.name]


# ---- real films ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name", ["vid04_phone_rot90_jitter.mov", "vid06_ai_ship_480p_noaudio.mp4",
             "vid07_film_360p_mp3audio.mp4"],
)  # fmt: skip
def test_real_films(name, tmp_path):
    src, dst = SHARED / name, tmp_path / name
    if not src.exists():
        pytest.skip("the shared media are not here")
    result = agl.embed(src, dst, label=label())
    assert result.complete, result.marks
    report = agl.verify(dst)
    assert report.compliance is agl.Compliance.COMPLIANT, str(report)
    assert report.mark("watermark").payload == label().payload.hex()
    was, now = video.probe(src), video.probe(dst)
    assert times(dst) == times(src)
    assert now.seconds == pytest.approx(was.seconds, abs=0.06)
    for field in ("codec", "width", "height", "rotation", "rate", "colour"):
        assert getattr(was, field) == getattr(now, field), field
    kept = [t for t in was.tracks if t.kind != "data"]
    assert [(t.kind, t.codec) for t in kept] == [(t.kind, t.codec) for t in now.tracks]
    assert len([one for one in result.notes if "track" in one]) == len(was.tracks) - len(kept)
    assert np.all(result.image.shape[:2] == (report.media["height"], report.media["width"]))


def test_a_film_that_begins_dark_is_encoded_once(tmp_path: Path) -> None:
    dark = "color=c=black:s=320x240:r=10:d=1.5[a]"
    then = "mandelbrot=size=320x240:rate=10,trim=duration=2[b];[a][b]concat"
    source = moving(seconds=3.5, picture=f"{dark};{then}", sounds=())
    calls: list[float] = []
    result = agl.watermark(
        source, tmp_path / "out.mp4", payload=bytes(8), progress=lambda time, _: calls.append(time)
    )
    outcome = result.mark("watermark")
    assert outcome.written
    assert outcome.facts["strength"] == "balanced"
    assert len(calls) == 35
