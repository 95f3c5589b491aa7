"""`embed` and `verify` of sounds: every format, source and mark; nothing lost, nothing silent."""

from __future__ import annotations

import io
import json
import shutil
import subprocess
import sys
import tempfile
import wave
from pathlib import Path

import jsonschema
import numpy as np
import pytest
from pictures import coded as picture
from pictures import label
from sounds import RATE, coded, voice
from test_verification import SCHEMA

import aiglabel as agl
from aiglabel import containers
from aiglabel.marks import audible
from aiglabel.media import ffmpeg_exe, sound

KEY = agl.Key(bytes(range(32)))
SUFFIXES = (".wav", ".flac", ".mp3", ".m4a", ".ogg", ".opus")
METADATA = agl.Policy.preset("metadata-only")
PLAIN = agl.Policy.preset("cn").changed(audible={"enabled": False})
SHARED = Path(__file__).resolve().parents[2] / "shared" / "media"


@pytest.fixture(scope="module")
def signer(tmp_path_factory):
    return agl.Signer.dev(tmp_path_factory.mktemp("dev"))


def rhythm(**settings):
    return agl.Policy.preset("cn").changed(audible={"form": "rhythm", **settings})


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_every_mark_is_found_again_in_every_format(suffix, tmp_path, signer):
    src, dst = tmp_path / f"in{suffix}", tmp_path / f"out{suffix}"
    src.write_bytes(coded(suffix))
    before = src.read_bytes()
    result = agl.embed(src, dst, label=label(), key=KEY, signer=signer)
    assert result.complete, result.marks
    assert [one.mark for one in result.marks] == ["audible", "watermark", "aigc", "credentials"]
    assert src.read_bytes() == before
    assert dst.read_bytes() == result.data
    embedded = suffix not in (".ogg", ".opus")
    assert (result.sidecar is None) is embedded
    assert (tmp_path / f"out{suffix}.c2pa").exists() is not embedded
    report = agl.verify(dst, keys=[KEY])
    assert report.verdict is agl.Verdict.GENERATED
    assert report.compliance is agl.Compliance.COMPLIANT, str(report)
    assert report.found == ["aigc", "credentials", "audible", "watermark"]
    assert report.media["kind"] == "audio"
    assert report.mark("watermark").payload == label().payload.hex()
    jsonschema.validate(report.to_dict(), SCHEMA)
    was, now = sound.probe(src), sound.probe(dst)
    assert (was.codec, was.rate, was.channels, was.bits) == (
        now.codec, now.rate, now.channels, now.bits,
    )  # fmt: skip


def independent(path):
    """The label as another program reads it; of WAV, which none reads, by walking the chunks."""
    if path.suffix == ".wav":
        data, at = path.read_bytes(), 12
        while data[at : at + 4] != b"AIGC":
            at += 8 + (int.from_bytes(data[at + 4 : at + 8], "little") + 1) // 2 * 2
        size = int.from_bytes(data[at + 4 : at + 8], "little")
        return data[at + 8 : at + 8 + size].decode().rstrip("\0")
    if path.suffix == ".m4a":  # where mutagen looks, ffmpeg does not write, nor do we
        command = [ffmpeg_exe(), "-v", "error", "-i", path, "-f", "ffmetadata", "-"]
        text = subprocess.run(command, capture_output=True, check=True).stdout.decode()
        line = next(line for line in text.splitlines() if line.startswith("AIGC="))
        return line.removeprefix("AIGC=").replace("\\", "")
    tags = pytest.importorskip("mutagen").File(path).tags
    if path.suffix == ".mp3":
        return tags["TXXX:AIGC"].text[0]
    return tags["AIGC"][0]


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_others_read_the_label(suffix, tmp_path, signer):
    path = tmp_path / f"out{suffix}"
    agl.embed(coded(suffix), path, label=label(), key=KEY, signer=signer)
    assert json.loads(independent(path)) == agl.verify(path).mark("aigc").facts["fields"]


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_metadata_alone_leaves_coded_sound_as_it_is(suffix):
    data = coded(suffix)
    result = agl.embed(data, label=label(), key=KEY, policy=METADATA)
    assert result.complete
    assert [one.mark for one in result.marks] == ["aigc"]
    assert containers.coded_digest(data, result.format) == containers.coded_digest(
        result.data, result.format
    )
    assert "mark and encode" not in result.timings
    report = agl.verify(result.data, policy=METADATA)
    assert report.compliance is agl.Compliance.COMPLIANT
    assert report.findings


def test_what_is_inserted_waits_and_what_sounds_over_it_does_not():
    y = voice()
    inserted = agl.embed(y, label=label(), key=KEY, rate=RATE, policy=rhythm(start=False, end=True))
    spot = inserted.mark("audible").facts["spots"][0]
    assert spot["start"] > 8
    assert len(inserted.sound) > len(y) + RATE
    over = agl.embed(y, label=label(), key=KEY, rate=RATE, policy=rhythm(insert=False))
    assert over.sound.shape == y.shape
    assert over.mark("audible").written
    found = agl.verify(over.data, keys=[KEY]).mark("audible")
    assert found.facts["rhythms"]
    assert found.facts["places"] == ["start"]


def test_a_label_every_few_seconds_is_placed_as_in_one_piece():
    y = np.stack([voice(40.0), voice(40.0, seed=1)])
    style = audible.AudibleStyle(form="rhythm", every=15.0, end=True, insert=True)
    clip = style.label(RATE)
    whole = audible.place(y, RATE, clip.clip, clip.rate, style.placement())
    for size in (7_000, 100_000, 640_000):
        pieces = (y[:, at : at + size] for at in range(0, y.shape[1], size))
        labelling = audible.Labelling(pieces, rate=RATE, channels=2, length=y.shape[1], style=style)
        np.testing.assert_allclose(np.concatenate([*labelling], axis=1), whole.y, atol=1e-6)
        assert labelling.outcome().facts["spots"][2]["start"] == pytest.approx(
            whole.spots[2].start, abs=1e-3
        )


@pytest.mark.parametrize("dtype", [np.int16, np.int32, np.float32, np.float64])
@pytest.mark.parametrize("channels", [None, 1, 2])
def test_arrays_come_back_as_they_were_given(dtype, channels):
    y = voice()
    if np.dtype(dtype).kind == "i":
        y = np.round(y * np.iinfo(dtype).max * 0.99)
    y = y.astype(dtype)
    y = y if channels is None else np.stack([y] * channels)
    before = y.copy()
    result = agl.embed(y, label=label(), key=KEY, rate=RATE, policy=PLAIN)
    np.testing.assert_array_equal(y, before)
    assert result.complete, result.marks
    assert result.sound.shape == y.shape
    assert result.sound.dtype == dtype
    assert agl.detect_watermark(result.sound, keys=[KEY], rate=RATE).payload == label().payload
    report = agl.verify(result.sound, keys=[KEY], rate=RATE)
    assert report.mark("aigc").status is agl.Status.NOT_CHECKED
    assert report.mark("watermark").status is agl.Status.PRESENT
    assert report.media["kind"] == "audio"


def test_the_watermark_alone(tmp_path):
    marked = agl.watermark(coded(), tmp_path / "out.wav", payload=b"8 bytes!", key=KEY)
    assert [one.mark for one in marked.marks] == ["watermark"]
    assert marked.quality.snr_db > 20
    assert marked.quality.psnr_db is None
    found = agl.detect_watermark(tmp_path / "out.wav", keys=[KEY])
    assert found.payload == b"8 bytes!"
    assert found.p_value < 1e-9
    with io.BytesIO((tmp_path / "out.wav").read_bytes()) as file:
        assert agl.detect_watermark(file, keys=[KEY]).payload == b"8 bytes!"


def test_formats_are_converted_by_name(tmp_path):
    (tmp_path / "in.wav").write_bytes(coded(rate=44100, channels=2))
    result = agl.embed(tmp_path / "in.wav", tmp_path / "out.mp3", label=label(), key=KEY,
                       bitrate=64_000)  # fmt: skip
    assert result.complete, result.marks
    assert result.notes == ("converted to mp3",)
    assert sound.probe(tmp_path / "out.mp3").bitrate == 64_000


def test_pictures_and_sounds_do_not_become_one_another(tmp_path):
    (tmp_path / "in.wav").write_bytes(coded())
    (tmp_path / "in.jpg").write_bytes(picture())
    with pytest.raises(agl.UnsupportedFormat, match="no sound format has the suffix"):
        agl.embed(tmp_path / "in.wav", tmp_path / "out.png", label=label())
    with pytest.raises(agl.UnsupportedFormat, match="no picture format has the suffix"):
        agl.embed(tmp_path / "in.jpg", tmp_path / "out.wav", label=label())
    assert not [*tmp_path.glob("out*")]
    result = agl.embed(coded(), label=label(), policy=METADATA)
    with pytest.raises(agl.UnsupportedFormat, match="is a sound"):
        _ = result.image
    with pytest.raises(agl.UnsupportedFormat, match="is no sound"):
        _ = agl.embed(picture(), label=label(), policy=METADATA).sound


@pytest.mark.parametrize("y", [np.zeros(5 * RATE, np.float32), voice(0.5)], ids=["silent", "short"])
def test_what_cannot_carry_the_mark_is_said_to_be_incomplete(y):
    result = agl.embed(y, label=label(), key=KEY, rate=RATE, policy=PLAIN)
    assert not result.complete
    assert result.payload is None
    outcome = result.mark("watermark")
    assert not outcome.written
    assert "cannot carry the watermark" in outcome.detail
    assert result.mark("aigc").written


def test_rates_the_watermark_does_not_take_are_told():
    y = np.round(voice(4.0, 8000) * 30000).astype(np.int16)
    result = agl.embed(y, label=label(), key=KEY, rate=6000, policy=PLAIN)
    assert "8000 to 192000" in result.mark("watermark").detail
    report = agl.verify(result.data, keys=[KEY])
    assert report.mark("watermark").status is agl.Status.NOT_CHECKED
    assert report.mark("audible").status is agl.Status.NOT_CHECKED
    with pytest.raises(agl.MediaError, match="8000 to 192000"):
        agl.detect_watermark(result.data, keys=[KEY])


@pytest.mark.parametrize(
    ("samples", "rate", "message"),
    [
        (np.zeros((44100, 2), np.float32), 44100, "transpose"),
        (np.zeros((2, 2, 9), np.float32), 44100, "is not a sound"),
        (np.zeros(9, np.uint8), 44100, "is not a sound"),
        (np.array([0.1, np.nan], np.float32), 44100, "finite"),
        (np.zeros(9, np.float32), 44100.5, "whole number"),
        (np.zeros(9, np.float32), 0, "0 Hz"),
    ],
)  # fmt: skip
def test_arrays_that_are_no_sound_are_refused(samples, rate, message):
    with pytest.raises(agl.MediaError, match=message) as caught:
        agl.embed(samples, label=label(), rate=rate)
    assert "transpose" not in message or caught.value.remedy


def test_a_voice_of_ones_own(tmp_path):
    own = tmp_path / "own.wav"
    own.write_bytes(coded(seconds=2.0))
    policy = agl.Policy.preset("cn").changed(audible={"voice": str(own), "text": "本内容由AI生成"})
    result = agl.embed(coded(seconds=9.0, channels=2), label=label(), key=KEY, policy=policy)
    assert result.complete, result.marks
    heard = agl.verify(result.data, keys=[KEY], policy=policy).mark("audible")
    assert heard.facts["text"] == "本内容由AI生成"
    assert agl.verify(result.data, keys=[KEY]).mark("audible").status is agl.Status.ABSENT
    missing = agl.Policy.preset("cn").changed(audible={"voice": str(tmp_path / "none.wav")})
    with pytest.raises(agl.MediaError, match="cannot be read"):
        agl.Labeler(policy=missing)


def test_settings_that_make_no_label_are_refused():
    for wrong in ({"form": "song"}, {"start": False}, {"every": 2.0}, {"duck": 99.0}):
        with pytest.raises(agl.LabelError):
            agl.Policy.preset("cn").changed(audible=wrong)
    with pytest.raises(agl.LabelError, match="no spoken label says"):
        agl.Labeler(policy=agl.Policy.preset("cn").changed(audible={"text": "你好"}))


def test_the_producers_label_is_kept_and_the_watermark_agrees():
    first = agl.embed(coded(), label=label(), key=KEY, policy=PLAIN)
    platform = agl.Label.suspected(propagator="001191110102MACQD9K64020000", propagate_id="n-9")
    again = agl.embed(first.data, label=platform, key=KEY, policy=PLAIN)
    fields = again.mark("aigc").facts["fields"]
    assert (fields["Label"], fields["ProduceID"], fields["PropagateID"]) == (
        "1", label().content_id, "n-9",
    )  # fmt: skip
    assert again.payload == first.payload


def test_credentials_of_the_source_become_the_parent(signer):
    first = agl.embed(coded(), label=label(), key=KEY, signer=signer, policy=PLAIN)
    with pytest.raises(agl.SigningError, match="would invalidate"):
        agl.embed(first.data, label=label(), policy=METADATA)
    again = agl.embed(first.data, label=label(), key=KEY, signer=signer, policy=PLAIN)
    assert again.mark("credentials").facts["origin"] == "opened"
    stripped = agl.embed(first.data, label=label(), key=KEY, policy=PLAIN)
    assert any("credentials" in note for note in stripped.notes)


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_broken_sounds_are_reported_not_raised(suffix):
    data = agl.embed(coded(suffix), label=label(), key=KEY, policy=PLAIN).data
    for cut in (len(data) // 2, 200):
        report = agl.verify(data[:cut], keys=[KEY])
        heard = {report.mark(name).status for name in ("audible", "watermark")}
        assert report.problems or heard <= {agl.Status.PRESENT, agl.Status.ABSENT}
        assert report.mark("aigc").status is not agl.Status.NOT_CHECKED


def test_unmarked_sounds_are_not_called_marked():
    report = agl.verify(coded(), keys=[KEY])
    assert report.verdict is agl.Verdict.NONE
    assert report.compliance is agl.Compliance.NON_COMPLIANT
    assert report.found == []
    assert "proves nothing" in str(report)


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="memory is read as on Linux")
def test_a_long_sound_is_labelled_and_verified_in_flat_memory(tmp_path):
    source = tmp_path / "long.wav"
    piece = np.round(voice(60.0) * 30000).astype("<i2").tobytes()
    with wave.open(str(source), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(RATE)
        for _ in range(11):
            file.writeframesraw(piece)
    work = (
        "import sys, aiglabel as agl\n"
        "key = agl.Key(bytes(32))\n"
        "label = agl.Label.generated(producer='001191110102MACQD9K64010000', content_id='p')\n"
        "agl.embed(sys.argv[1], sys.argv[2], label=label, key=key)\n"
        "report = agl.verify(sys.argv[2], keys=[key])\n"
        "assert report.found == ['aigc', 'audible', 'watermark'], report\n"
        "print(open('/proc/self/status').read().split('VmHWM:')[1].split()[0])\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", work, str(source), str(tmp_path / "out.flac")],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    # Neither the coded bytes (21 MB here) nor the samples (42 MB) are held: mostly code is.
    assert int(done.stdout) / 1024 < 290


@pytest.mark.parametrize("suffix", [".wav", ".m4a", ".opus"])
def test_a_sound_at_a_path_may_be_larger_than_what_memory_may_hold(suffix, tmp_path, signer):
    src, dst = tmp_path / f"in{suffix}", tmp_path / f"out{suffix}"
    src.write_bytes(coded(suffix))
    small = agl.Limits(max_bytes=1000)
    labeler = agl.Labeler(key=KEY, signer=signer, limits=small)
    assert labeler.embed(src, dst, label=label()).complete
    assert agl.verify(dst, keys=[KEY], limits=small).found[0] == "aigc"
    assert agl.detect_watermark(dst, keys=[KEY], limits=small).payload == label().payload
    for source, target in ((src.read_bytes(), dst), (src, None)):
        with pytest.raises(agl.errors.ResourceLimit, match="max_bytes"):
            labeler.embed(source, target, label=label())
    with pytest.raises(agl.errors.ResourceLimit, match="max_bytes"):
        agl.verify(src.read_bytes(), limits=small)


@pytest.mark.parametrize("suffix", [".wav", ".flac", ".mp3", ".m4a"])
def test_long_sounds_are_signed_in_leaves_or_beside(suffix, tmp_path, signer, monkeypatch):
    room = sys.modules["aiglabel.marks.credentials.write"]
    monkeypatch.setattr(room, "_LARGE", 1000)
    monkeypatch.setattr(room, "_MOST_HELD", 1000)
    monkeypatch.setattr(sys.modules["aiglabel.marks.credentials.read"], "_MOST_RIFF", 1000)
    dst = tmp_path / f"out{suffix}"
    result = agl.embed(coded(suffix), dst, label=label(), key=KEY, signer=signer)
    assert (result.sidecar is None) is (suffix == ".m4a")
    assert (b"merkle" in dst.read_bytes()) is (suffix == ".m4a")
    found = agl.verify(dst, keys=[KEY]).mark("credentials")
    assert (found.status.value, found.facts["integrity"]) == ("present", "match")
    data = bytearray(dst.read_bytes())
    data[len(data) * 2 // 3] ^= 1
    dst.write_bytes(data)
    assert agl.verify(dst, keys=[KEY]).mark("credentials").facts["integrity"] == "mismatch"


def test_how_far_a_sound_is_labelled_is_told(tmp_path):
    told = []
    agl.embed(
        coded(".flac"), tmp_path / "out.flac", label=label(), key=KEY,
        progress=lambda time, length: told.append((time, length)),
    )  # fmt: skip
    assert told == sorted(told)
    assert told[-1][0] >= told[-1][1] > 0


def test_a_report_names_no_copy_of_what_came_without_a_name(tmp_path):
    broken = coded(".flac")[:3000]
    report = agl.verify(broken)
    assert report.problems
    assert not any(str(Path(tempfile.gettempdir())) in one for one in report.problems)


@pytest.mark.skipif(not SHARED.is_dir(), reason="the shared media are not here")
@pytest.mark.parametrize("path", sorted(SHARED.glob("aud*")), ids=lambda path: path.name)
def test_real_sounds(path, tmp_path):
    dst = tmp_path / path.name
    result = agl.embed(path, dst, label=label(), key=KEY)
    assert result.complete, result.marks
    report = agl.verify(dst, keys=[KEY])
    assert report.compliance is agl.Compliance.COMPLIANT, str(report)
    assert report.found == ["aigc", "audible", "watermark"]


@pytest.mark.skipif(shutil.which("espeak-ng") is None, reason="espeak-ng is not here")
def test_a_program_speaks_any_label():
    policy = agl.Policy.preset("eu").changed(
        audible={"engine": "espeak-ng", "text": "This voice was generated by AI"},
        credentials={"required": False},
    )
    result = agl.embed(coded(), label=label(), key=KEY, policy=policy)
    assert result.complete, result.marks
    heard = agl.verify(result.data, keys=[KEY], policy=policy).mark("audible")
    assert heard.facts["text"] == "This voice was generated by AI"


def test_engines_that_are_missing_are_told(monkeypatch):
    monkeypatch.setattr(shutil, "which", lambda _: None)
    for engine, message in (("espeak-ng", "not on this machine"), ("parrot", "espeak-ng or say")):
        policy = agl.Policy.preset("cn").changed(audible={"engine": engine, "text": "AI 生成"})
        with pytest.raises(agl.LabelError, match=message):
            agl.Labeler(policy=policy)
