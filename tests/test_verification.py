"""`verify`: verdict and compliance are pure functions; hostile bytes end in a report."""

from __future__ import annotations

import io
import json
import random
import time
from importlib import resources
from pathlib import Path

import jsonschema
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pictures import coded, label, pixels

import aiglabel as agl
from aiglabel.marks.watermark import pictures as watermark
from aiglabel.media import Picture
from aiglabel.report import comply, coverage, decide
from aiglabel.rules import Finding, Severity
from aiglabel.signal.image import Detection

KEY = agl.Key(bytes(range(32)))
SCHEMA = json.loads(
    resources.files("aiglabel.assets").joinpath("schemas/report-1.json").read_text(encoding="utf-8")
)
SHARED = Path(__file__).resolve().parents[2] / "shared"


DECLARED = [{"where": "active", "strength": "strong", "source_type": "…trainedAlgorithmicMedia"}]
COMPUTED = [{"where": "active", "strength": "weak", "source_type": "…algorithmicMedia"}]


def evidence(mark, status="present", **facts):
    return agl.Evidence(mark=mark, status=agl.Status(status), facts=facts)


def valid(report: agl.Report) -> dict:
    """Check a report against its schema."""
    text = report.to_json()
    jsonschema.validate(json.loads(text), SCHEMA)
    return json.loads(text)


# --- the verdict, Labeling Measures Art. 6 ------------------------------------------------------


@pytest.mark.parametrize(
    ("marks", "declared", "verdict"),
    [
        ([], False, "none"),
        ([], True, "possible"),
        ([evidence("aigc", fields={"Label": "1"})], False, "generated"),
        ([evidence("aigc", fields={"Label": "2"})], False, "possible"),
        ([evidence("aigc", fields={"Label": "3"})], True, "suspected"),
        ([evidence("aigc", "invalid", fields=None)], False, "suspected"),
        ([evidence("watermark")], False, "suspected"),
        ([evidence("watermark")], True, "possible"),
        ([evidence("overlay")], False, "suspected"),
        ([evidence("iptc")], False, "suspected"),
        ([evidence("credentials", ai_declared=DECLARED)], False, "suspected"),
        ([evidence("credentials", "invalid", ai_declared=DECLARED)], False, "suspected"),
        ([evidence("credentials", ai_declared=[])], False, "none"),
        ([evidence("watermark", "undetermined")], False, "none"),
    ],
)  # fmt: skip
def test_verdicts(marks, declared, verdict):
    assert decide({one.mark: one for one in marks}, declared=declared) == verdict


@pytest.mark.parametrize(
    ("answers", "expected"),
    [
        ([], "undetermined"), ([("error", True)], "compliant"),
        ([("error", True), ("error", None)], "undetermined"),
        ([("error", None), ("error", False)], "non_compliant"),
        ([("error", True), ("warning", False), ("warning", None)], "compliant"),
    ],
)  # fmt: skip
def test_compliance(answers, expected):
    findings = [
        Finding(rule="X", severity=Severity(s), ok=ok, message_en="", message_zh="", clause="")
        for s, ok in answers
    ]
    assert comply(findings) == expected


# --- what verify says of files ------------------------------------------------------------------


def test_an_unlabelled_picture():
    report = agl.verify(coded())
    assert report.verdict is agl.Verdict.NONE
    assert report.compliance is agl.Compliance.NON_COMPLIANT
    assert report.found == []
    assert "proves nothing" in str(report)
    assert "不能证明" in str(report)
    assert valid(report)["verdict"] == "none"
    assert agl.verify(coded(), declared=True, effort="quick").verdict is agl.Verdict.POSSIBLE


def test_a_labelled_picture(tmp_path):
    path = tmp_path / "out.jpg"
    agl.embed(coded(), path, label=label(), key=KEY)
    report = agl.verify(path, keys=[KEY])
    data = valid(report)
    assert data["file"] == str(path)
    assert data["media"] == {
        "kind": "image",
        "format": "jpeg",
        "width": 384,
        "height": 288,
        "frames": 1,
    }
    assert report.mark("watermark").p_value < 1e-9
    assert report.found == ["aigc", "iptc", "overlay", "watermark"]
    # With another key the watermark is not found, and the rest still is.
    other = agl.verify(path, keys=[agl.Key.generate()])
    assert other.mark("watermark").status is agl.Status.ABSENT
    assert other.verdict is agl.Verdict.GENERATED


def test_stripped_metadata_leaves_suspicion():
    result = agl.embed(pixels(), label=label(), key=KEY)
    report = agl.verify(coded("JPEG", result.image, quality=75), keys=[KEY])
    assert report.verdict is agl.Verdict.SUSPECTED
    assert report.found == ["overlay", "watermark"]


def test_arrays_have_no_metadata():
    result = agl.embed(pixels(), label=label(), key=KEY)
    report = agl.verify(result.image, keys=[KEY])
    assert report.mark("aigc").status is agl.Status.NOT_CHECKED
    assert report.mark("watermark").payload == result.payload.hex()
    valid(report)


def test_the_secret_is_in_no_report():
    result = agl.embed(pixels(), label=label(), key=KEY)
    text = agl.verify(result.data, keys=[KEY]).to_json() + repr(result) + repr(KEY)
    assert KEY.secret.hex() not in text
    assert repr(KEY.secret)[2:-1] not in text


def test_a_sidecar_beside_the_file_is_read(tmp_path):
    from aiglabel.containers.sniff import Format
    from aiglabel.marks import credentials

    signer = agl.Signer.dev(tmp_path / "dev")
    data = coded()
    embedded = credentials.write(data, Format.JPEG, label=label(), signer=signer)
    path = tmp_path / "in.jpg"
    path.write_bytes(data)
    (tmp_path / "in.jpg.c2pa").write_bytes(b"not a manifest")
    assert agl.verify(path, effort="quick").mark("credentials").status is not agl.Status.PRESENT
    path.write_bytes(embedded.data)
    assert agl.verify(path, effort="quick").mark("credentials").status is agl.Status.PRESENT


# --- hostile bytes ------------------------------------------------------------------------------

HOSTILE = {
    "empty": b"",
    "one byte": b"\xff",
    "zeros": bytes(4096),
    "jpeg head": b"\xff\xd8\xff",
    "png head": b"\x89PNG\r\n\x1a\n",
    "playlist": b"#EXTM3U\nfile:" + b"///etc/passwd\n",
    "svg": b'<svg xmlns="http://www.w3.org/2000/svg"><image href="/etc/passwd"/></svg>',
    "html": b"<html><script>alert(1)</script></html>",
    "riff of riffs": b"RIFF\xff\xff\xff\xffWEBP" + b"RIFF\xff\xff\xff\xffWEBP" * 100,
    "tiff loop": b"II*\0\x08\0\0\0\x01\0\0\x01\x03\0\x01\0\0\0\x01\0\0\0\x08\0\0\0",
    "boxes": b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + b"\0\0\0\x08meta" * 200,
    "gif without frames": b"GIF89a\xff\xff\xff\xff\x00\x00\x00\x3b",
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_bytes_end_in_a_report(name):
    report = agl.verify(HOSTILE[name])
    assert report.verdict is agl.Verdict.NONE
    assert report.problems
    assert report.mark("watermark").status in (agl.Status.UNDETERMINED, agl.Status.NOT_CHECKED)
    valid(report)
    str(report)


def test_missing_and_unreadable_files_are_operational_errors(tmp_path):
    for path in (tmp_path / "absent.jpg", tmp_path):
        with pytest.raises(agl.MediaError):
            agl.verify(path)


@pytest.mark.parametrize("fmt", ["JPEG", "PNG", "WEBP", "GIF", "TIFF", "AVIF"])
def test_mutated_labelled_files_never_crash(fmt, tmp_path_factory):
    signer = agl.Signer.dev(tmp_path_factory.mktemp("dev"))
    picture = coded(fmt, pixels(64, 96))
    data = agl.embed(picture, label=label(), key=KEY, signer=signer).data
    rng = random.Random(fmt)
    for _ in range(12):
        broken = bytearray(data)
        for _ in range(rng.choice([1, 4, 40])):
            broken[rng.randrange(len(broken))] = rng.randrange(256)
        if rng.random() < 0.5:
            del broken[rng.randrange(len(broken)) :]
        valid(agl.verify(bytes(broken), keys=[KEY], effort="quick"))


@settings(max_examples=40, deadline=None)
@given(st.binary(max_size=300))
def test_any_bytes_end_in_a_report(data):
    valid(agl.verify(data))


@pytest.mark.skipif(not SHARED.is_dir(), reason="shared files are not here")
def test_the_signed_fixtures_go_through_verify():
    folder = SHARED / "c2pa-fixtures"
    listed = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))["files"]
    for entry in listed:
        expected = entry["expected"]["real_world"]
        report = agl.verify(folder / entry["file"], effort="quick")
        valid(report)
        facts = report.mark("credentials").facts
        assert facts.get("state") == expected.get("state"), entry["file"]
        if "rainedAlgorithmicMedia" in json.dumps(entry.get("ai_declarations")):
            assert report.verdict is not agl.Verdict.NONE, entry["file"]


@pytest.mark.skipif(not SHARED.is_dir(), reason="shared files are not here")
@pytest.mark.parametrize(
    ("name", "verdict"),
    [
        ("ai01_chatgpt_coast.png", "suspected"), ("ai02_firefly_duck.png", "suspected"),
        ("ai04_doubao_gray_tc260.png", "generated"), ("ai06_chatgpt_poster_text.png", "suspected"),
        ("ai03_stable_diffusion_city.png", "none"), ("img12_lineart.png", "none"),
        ("img27_c2pa_signed_camera.jpg", "none"), ("img19_animated.webp", "none"),
    ],
)  # fmt: skip
def test_pictures_labelled_by_others(name, verdict):
    report = agl.verify(SHARED / "media" / name, effort="quick")
    assert report.verdict == verdict, report
    assert report.mark("watermark").status is agl.Status.ABSENT


def test_detect_watermark_takes_streams_and_animations():
    result = agl.watermark(coded("PNG"), payload=b"8 bytes.")
    found = agl.detect_watermark(io.BytesIO(result.data))
    assert found.payload == b"8 bytes."
    assert found.geometry is not None
    gray = np.full((200, 200), 90, np.uint8)
    assert agl.detect_watermark(gray).payload is None


# --- how hard the watermark is looked for, and where it is --------------------------------------


@pytest.fixture(scope="module")
def marked() -> np.ndarray:
    """Textured everywhere: the mark shows everywhere."""
    left = pixels(480, 1280, seed=5)[:, :640]
    return agl.watermark(left, payload=b"8 bytes.", key=KEY).image


def test_a_crop_is_searched_for_unless_asked_otherwise(marked):
    crop = marked[31:450, 45:603]
    facts = agl.verify(crop, keys=[KEY]).mark("watermark").facts
    assert facts["found"] in ("searched", "polished", "registered")
    assert facts["effort"] == "full"
    assert facts["wire_format"] == "aiglabel.dwt.2"
    assert facts["stretch"] == pytest.approx(1, abs=0.02)
    assert facts["tile_pixels"] > 20
    hasty = agl.Policy.preset("cn").changed(watermark={"effort": "quick"})
    for quick in (
        agl.verify(crop, keys=[KEY], effort="quick"),
        agl.verify(crop, keys=[KEY], policy=hasty),
    ):
        absent = quick.mark("watermark")
        assert absent.status is agl.Status.ABSENT
        assert "as it is" in absent.detail
        assert absent.facts["effort"] == "quick"
    assert agl.verify(crop, keys=[KEY], policy=hasty, effort="full").mark("watermark").payload
    assert agl.detect_watermark(crop, keys=KEY).payload == b"8 bytes."
    assert agl.detect_watermark(crop, keys=KEY, effort="quick").payload is None


def test_a_whole_picture_is_found_as_it_is(marked):
    found = agl.verify(marked, keys=[KEY], effort="quick").mark("watermark")
    assert (found.facts["found"], found.facts["angle"]) == ("as it is", 0)
    assert found.facts["key"] == KEY.id


@pytest.mark.parametrize("use", [agl.verify, agl.detect_watermark])
def test_an_effort_that_is_none_is_refused(use):
    with pytest.raises(agl.PolicyError, match=r"watermark\.effort 'fulll'"):
        use(pixels(), effort="fulll")


def test_where_the_mark_is(marked):
    half = pixels(480, 1280, seed=5)[:, :640]
    half[:, :320] = marked[:, :320]
    report = agl.verify(half, keys=[KEY])
    (one,) = [one for one in valid(report)["evidence"] if one["mark"] == "watermark"]
    fields = np.array(one["presence"])
    assert fields.shape == (24, 32)
    assert np.array_equal(fields, fields.round(1))
    assert np.median(fields[:, :12]) > 3
    assert (np.abs(fields[:, 20:]) < 3).mean() > 0.95
    assert 0.3 < one["facts"]["covered"] < 0.7
    assert "% of the picture" in str(report)
    assert "的画面检出水印" in str(report)
    assert agl.detect_watermark(half, keys=KEY).presence is None
    assert agl.detect_watermark(half, keys=KEY, locate=True).presence.shape == (24, 32)
    for unread in (agl.verify(pixels(), effort="quick").mark("watermark"), report.mark("iptc")):
        assert unread.presence is None


@pytest.mark.parametrize(
    ("share", "words", "words_zh"),
    [
        (0.61, "about 60 % of", "约 60% 的"), (0.02, "less than 5 % of", "不足 5% 的"),
        (0.99, "nearly all", "几乎整幅"),
    ],
)  # fmt: skip
def test_coverage_in_a_sentence(share, words, words_zh):
    english, chinese = coverage(evidence("watermark", covered=share))
    assert words in english
    assert words_zh in chinese
    assert ("proves nothing" in english) == ("不能证明" in chinese) == (share < 0.9)
    assert coverage(evidence("watermark", "absent", covered=None)) is None
    assert coverage(evidence("iptc")) is None


def test_marks_of_the_first_format_have_no_tile():
    old = np.load(Path(__file__).parent / "golden/dwt-1.npz")["marked"]
    found = agl.verify(old, effort="thorough").mark("watermark")
    assert found.payload == "0123456789abcdef"
    assert found.facts["wire_format"] == "aiglabel.dwt.1"
    assert found.facts["tile_pixels"] is found.facts["covered"] is found.presence is None


def test_what_is_not_there_has_no_particulars():
    facts = agl.verify(pixels(), keys=[KEY], effort="quick").mark("watermark").facts
    names = ("key", "wire_format", "found", "tile_pixels", "angle", "stretch", "covered")
    assert [facts[name] for name in names] == [None] * len(names)
    assert facts["keys_tried"] == [KEY.id, agl.Key.public().id]


# --- animations ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("frames", "effort", "looks"),
    [
        (1, "full", [(0, "quick", 1), (0, "full", 1)]), (1, "quick", [(0, "quick", 1)]),
        (2, "full", [(0, "quick", 2), (1, "quick", 2), (0, "full", 2)]),
        (9, "quick", [(0, "quick", 3), (4, "quick", 3), (8, "quick", 3)]),
        (9, "thorough", [(0, "quick", 3), (4, "quick", 3), (8, "quick", 3), (0, "thorough", 3)]),
    ],
)  # fmt: skip
def test_frames_are_looked_at_quickly_and_the_first_is_searched(monkeypatch, frames, effort, looks):
    done = []

    def detect_any(rgb, *, keys, looks, effort, locate):
        done.append((int(rgb[0, 0, 0]), effort, looks))
        return [
            Detection(payload=None, statistic=4.0, threshold=9.0, p_value=1.0, geometry=None)
            for _ in keys
        ]

    monkeypatch.setattr(watermark.image, "detect_any", detect_any)
    stack = [np.full((64, 64, 3), number, np.uint8) for number in range(frames)]
    picture = Picture(stack, [None] * frames, "rgb", None)
    assert watermark.read(picture, [KEY], effort=effort).status is agl.Status.ABSENT
    assert done == looks


def test_a_mark_in_the_last_frame_is_found_without_a_search():
    marked = agl.watermark(pixels(), payload=b"8 bytes.", key=KEY).image
    stack = [pixels(seed=1), pixels(seed=2), marked]
    found = watermark.read(Picture(stack, [None] * 3, "rgb", None), [KEY], effort="quick")
    assert found.payload == b"8 bytes.".hex()
    assert found.where == "frame 3 of 3"


def test_nobody_looks_without_a_key():
    picture = Picture([pixels()], [None], "rgb", None)
    assert watermark.read(picture, []).status is agl.Status.NOT_CHECKED


# --- what costs and what breaks -----------------------------------------------------------------


def test_a_file_of_a_hundred_thousand_parts_costs_little():
    chunk = b"\0\0\0\x04tEXta\0bc" + bytes(4)
    png = coded("PNG")
    began = time.process_time()
    report = agl.verify(png[:33] + chunk * 100_000 + png[33:], effort="quick")
    assert any("more than 1024 text chunks" in problem for problem in report.problems)
    assert report.mark("credentials").status is agl.Status.UNDETERMINED
    assert time.process_time() - began < 3


def test_broken_credentials_are_never_compliant(tmp_path):
    signer = agl.Signer.dev(tmp_path)
    data = agl.embed(coded(), label=label(), key=KEY, signer=signer).data
    assert agl.verify(data, keys=[KEY]).compliance is agl.Compliance.COMPLIANT
    report = agl.verify(data[:-30] + bytes([data[-30] ^ 8]) + data[-29:], keys=[KEY])
    assert report.mark("credentials").status is agl.Status.INVALID
    assert report.compliance is agl.Compliance.NON_COMPLIANT
