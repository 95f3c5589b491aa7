"""The AIGC label in files: one canonical carrier written, all carriers read, one label a file."""

from __future__ import annotations

import contextlib
import io
import json
import shutil
import subprocess
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, PngImagePlugin

from aiglabel import containers
from aiglabel.containers import xmp
from aiglabel.containers.sniff import Format, sniff
from aiglabel.errors import LabelError, MediaError, OutputError
from aiglabel.evidence import Evidence, Status
from aiglabel.label import Label
from aiglabel.marks import aigc, iptc
from aiglabel.marks.aigc_json import KEYS, to_fields

SHARED = Path(__file__).resolve().parents[2] / "shared"
NOW = datetime(2026, 11, 22, tzinfo=UTC)
DOUBAO = "001191110102MACQD9K64010000"
HONOR = "001191440300MA5G49LC9K1YO01"
PLATFORM = "001191310104MACE0YX63928020"
OURS = Label.generated(producer=HONOR, content_id="h-1", model="M", time=NOW)
THEIRS = Label.generated(producer=DOUBAO, content_id="d-1", time=NOW)
SPREAD = Label.suspected(propagator=PLATFORM, propagate_id="s-1", time=NOW)
RDF = (
    '<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF '
    'xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">{}</rdf:RDF></x:xmpmeta>'
)
DESCRIPTION = '<rdf:Description rdf:about="" xmlns:TC260="{}"{}>{}</rdf:Description>'
CREATOR = (
    '<rdf:Description rdf:about="" xmlns:xmp="http://ns.adobe.com/xap/1.0/" '
    'xmp:CreatorTool="A tool"/>'
)
FORMATS = [Format.JPEG, Format.PNG, Format.WEBP, Format.GIF, Format.TIFF, Format.AVIF]


def picture(fmt=Format.PNG, **options):
    pixels = np.linspace(0, 255, 48 * 32 * 3).reshape(32, 48, 3).astype(np.uint8)
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, fmt.value, **options)
    return stream.getvalue()


def packet(content="", attributes="", namespace=aigc.NAMESPACE):
    return RDF.format(CREATOR + DESCRIPTION.format(namespace, attributes, content)).encode()


def with_xmp(content="", attributes="", namespace=aigc.NAMESPACE, data=None):
    data = data or picture()
    return containers.write_xmp(data, sniff(data), packet(content, attributes, namespace))


def with_text(text, key="AIGC"):
    info = PngImagePlugin.PngInfo()
    info.add_text(key, text)
    return picture(pnginfo=info)


def with_comment(text):
    exif = Image.Exif()
    exif.get_ifd(0x8769)[0x9286] = b"ASCII\0\0\0" + text.encode()
    return picture(Format.JPEG, exif=exif)


def escaped(text):
    return text.replace("&", "&amp;").replace('"', "&quot;").replace("<", "&lt;")


def read(data):
    return aigc.read(data, sniff(data))


def fields(data):
    evidence = read(data)
    assert evidence.facts["count"] == 1
    return evidence.facts["fields"]


def element(label):
    return f"<TC260:AIGC>{escaped(aigc.to_json(label))}</TC260:AIGC>"


@pytest.mark.parametrize("fmt", FORMATS)
def test_written_label_reads_back_and_pixels_stay(fmt):
    data = picture(fmt)
    marked, outcome = aigc.write(data, fmt, OURS, also=iptc.properties(OURS))
    assert outcome.written
    evidence = aigc.read(marked, fmt)
    assert evidence.status is Status.PRESENT
    assert (evidence.payload, evidence.where) == (aigc.to_json(OURS), aigc.CARRIER)
    assert evidence.facts["fields"] == to_fields(OURS)
    assert evidence.facts["producer_code"]["uscc_valid"]
    assert iptc.read(marked, fmt).facts["ai"]
    pixels = [np.asarray(Image.open(io.BytesIO(each))) for each in (data, marked)]
    np.testing.assert_array_equal(*pixels)
    json.dumps(dict(evidence.facts))


@pytest.mark.parametrize("fmt", FORMATS)
def test_writing_twice_changes_nothing(fmt):
    once, _ = aigc.write(picture(fmt), fmt, OURS)
    twice, outcome = aigc.write(once, fmt, OURS)
    assert twice == once
    assert outcome.written


def test_other_properties_survive():
    data = with_xmp()
    marked, _ = aigc.write(data, Format.PNG, OURS)
    (written,) = containers.read_xmp(marked, Format.PNG)
    assert xmp.get(written, "http://ns.adobe.com/xap/1.0/", "CreatorTool") == ["A tool"]


@pytest.mark.parametrize("fmt", FORMATS)
def test_nothing_found_is_a_result(fmt):
    evidence = aigc.read(picture(fmt), fmt)
    assert evidence.status is Status.ABSENT
    assert evidence.facts["security"]["result"] == "absent"


LABELLED = {fmt: aigc.write(picture(fmt), fmt, THEIRS)[0] for fmt in FORMATS}


# --- who may change whose label -----------------------------------------------------------------


def labelled(*labels):
    data = picture()
    for label in labels:
        data, _ = aigc.write(data, Format.PNG, label, existing="replace")
    return data


def test_a_producers_own_label_is_replaced_and_the_propagator_stays():
    spread, _ = aigc.write(labelled(OURS), Format.PNG, SPREAD)
    newer = Label.edited(producer=HONOR, content_id="h-2", time=NOW)
    again, outcome = aigc.write(spread, Format.PNG, newer)
    assert outcome.written
    assert fields(again)["ProduceID"] == "h-2"
    assert fields(again)["ContentPropagator"] == PLATFORM


@pytest.mark.parametrize(
    "label",
    [SPREAD, Label.possible(propagator=PLATFORM, propagate_id="s-1", time=NOW),
     Label.generated(producer=HONOR, content_id="h-1", propagator=PLATFORM, propagate_id="s-1",
                     time=NOW)],
)  # fmt: skip
def test_a_propagator_adds_itself_and_touches_nothing_of_the_producer(label):
    marked, outcome = aigc.write(labelled(THEIRS), Format.PNG, label)
    assert outcome.written
    expected = {**to_fields(THEIRS), "ContentPropagator": PLATFORM, "PropagateID": "s-1"}
    assert fields(marked) == expected


def test_another_producers_label_is_kept():
    data = labelled(THEIRS)
    marked, outcome = aigc.write(data, Format.PNG, OURS)
    assert not outcome.written
    assert DOUBAO in outcome.detail
    assert marked == data


def test_another_producers_label_is_refused_or_replaced_when_asked():
    data = labelled(THEIRS)
    with pytest.raises(LabelError, match="already labelled by " + DOUBAO):
        aigc.write(data, Format.PNG, OURS, existing="refuse")
    replaced, outcome = aigc.write(data, Format.PNG, OURS, existing="replace")
    assert outcome.written
    assert fields(replaced) == to_fields(OURS)


def test_a_producer_completes_a_platforms_suspicion():
    marked, _ = aigc.write(labelled(SPREAD), Format.PNG, OURS)
    assert fields(marked)["Label"] == "1"
    assert fields(marked)["PropagateID"] == "s-1"


def test_a_label_nobody_can_read_is_kept_unless_told_otherwise():
    data = with_xmp("<TC260:AIGC>{broken</TC260:AIGC>")
    kept, outcome = aigc.write(data, Format.PNG, OURS)
    assert (kept, outcome.written) == (data, False)
    with pytest.raises(LabelError, match="nobody can read"):
        aigc.write(data, Format.PNG, OURS, existing="refuse")
    replaced, _ = aigc.write(data, Format.PNG, OURS, existing="replace")
    assert fields(replaced) == to_fields(OURS)


def test_a_kept_label_travels_into_a_picture_encoded_anew():
    source = read(with_text(aigc.to_json(THEIRS)))
    marked, outcome = aigc.write(picture(Format.JPEG), Format.JPEG, OURS, source=source)
    assert not outcome.written
    assert fields(marked) == to_fields(THEIRS)


@given(st.sampled_from([OURS, THEIRS, SPREAD]), st.sampled_from([OURS, THEIRS, SPREAD]),
       st.sampled_from(["keep", "replace"]))  # fmt: skip
def test_whatever_the_order_a_file_holds_one_label(first, second, existing):
    data, _ = aigc.write(picture(), Format.PNG, first)
    data, _ = aigc.write(data, Format.PNG, second, existing=existing)
    evidence = read(data)
    assert (evidence.status, evidence.facts["count"]) == (Status.PRESENT, 1)


# --- labels in other carriers -------------------------------------------------------------------


@pytest.mark.parametrize(
    ("data", "carrier"),
    [
        (with_text(aigc.to_json(THEIRS)), "PNG tEXt AIGC"),
        (with_text('{"AIGC":' + aigc.to_json(THEIRS) + "}"), "PNG tEXt AIGC"),
        (with_comment('{"AIGC":' + aigc.to_json(THEIRS) + "}"), "EXIF UserComment"),
    ],
)
def test_a_label_elsewhere_is_found_and_never_doubled(data, carrier):
    evidence = read(data)
    assert evidence.status is Status.PRESENT
    assert evidence.where == carrier
    assert not evidence.facts["labels"][0]["canonical"]
    for label in (OURS, THEIRS):
        marked, outcome = aigc.write(data, sniff(data), label)
        assert not outcome.written
        assert marked == data
    with pytest.raises(LabelError, match="would stay beside"):
        aigc.write(data, sniff(data), OURS, existing="replace")


ATTRIBUTE = f' TC260:AIGC="{escaped(aigc.to_json(THEIRS))}"'
WRAPPED = escaped('{"AIGC":' + aigc.to_json(THEIRS) + "}")
NODES = "".join(f"<TC260:{key}>{value}</TC260:{key}>" for key, value in to_fields(THEIRS).items())


@pytest.mark.parametrize(
    ("data", "form", "rewritable"),
    [
        (with_xmp(element(THEIRS)), "bare", True),
        (with_xmp(attributes=ATTRIBUTE), "bare", True),
        (with_xmp(f"<TC260:AIGC>{WRAPPED}</TC260:AIGC>"), "wrapped", True),
        (with_xmp(f"<TC260:AIGC>{escaped(json.dumps(aigc.to_json(THEIRS)))}</TC260:AIGC>"),
         "string", True),
        (with_xmp(f"<TC260:AIGC>{escaped(escaped(aigc.to_json(THEIRS)))}</TC260:AIGC>"),
         "html", True),
        (with_xmp(f'<TC260:AIGC rdf:parseType="Resource">{NODES}</TC260:AIGC>'),
         "properties", True),
        (with_xmp(NODES), "properties", False),
        (with_xmp(element(THEIRS).replace("TC260:AIGC", "TC260:aigc")), "bare", False),
        (with_xmp(element(THEIRS), namespace=aigc.NAMESPACE.lower()), "bare", False),
    ],
)  # fmt: skip
def test_forms_inside_xmp(data, form, rewritable):
    evidence = read(data)
    assert evidence.status is Status.PRESENT
    assert evidence.facts["fields"] == to_fields(THEIRS)
    assert evidence.facts["labels"][0]["form"] == form
    if rewritable:
        marked, _ = aigc.write(data, Format.PNG, OURS, existing="replace")
        assert fields(marked) == to_fields(OURS)
    else:
        with pytest.raises(LabelError, match="would stay beside"):
            aigc.write(data, Format.PNG, OURS, existing="replace")


def test_a_kept_label_is_put_into_canonical_form():
    data = with_xmp(f"<TC260:AIGC>{WRAPPED}</TC260:AIGC>")
    marked, outcome = aigc.write(data, Format.PNG, OURS)
    assert not outcome.written
    assert fields(marked) == to_fields(THEIRS)
    assert read(marked).facts["labels"][0]["canonical"]


def test_two_labels_are_counted_and_contradictions_are_invalid():
    same = with_xmp(element(THEIRS), data=with_text(aigc.to_json(THEIRS)))
    assert read(same).status is Status.PRESENT
    assert read(same).facts["count"] == 2
    contrary = with_xmp(element(OURS), data=with_text(aigc.to_json(THEIRS)))
    assert read(contrary).status is Status.INVALID
    assert "contradict" in read(contrary).detail


@pytest.mark.parametrize(
    "content",
    ["<TC260:AIGC>{broken</TC260:AIGC>", "<TC260:AIGC>1</TC260:AIGC>",
     element(THEIRS).replace("d-1", ""), element(THEIRS).replace("&quot;1", "&quot;AIGC", 1)],
)  # fmt: skip
def test_a_broken_label_is_invalid_and_never_absent(content):
    evidence = read(with_xmp(content))
    assert evidence.status is Status.INVALID
    assert "broken" in evidence.detail


def test_a_label_in_broken_xml_is_invalid(monkeypatch):
    monkeypatch.setattr(containers, "read_xmp", lambda data, fmt: [b"<x><TC260:AIGC>{"])
    assert read(picture()).status is Status.INVALID
    monkeypatch.setattr(containers, "read_xmp", lambda data, fmt: [b"<x><other>{"])
    assert read(picture()).status is Status.ABSENT


def test_a_file_stuffed_with_labels_is_bounded():
    many = with_xmp(
        "<TC260:AIGC><rdf:Bag>" + "<rdf:li>{}</rdf:li>" * 5000 + "</rdf:Bag></TC260:AIGC>"
    )
    evidence = read(many)
    assert evidence.status is Status.INVALID
    assert len(evidence.facts["labels"]) <= 16


def test_a_lost_label_is_noticed(monkeypatch):
    monkeypatch.setattr(aigc, "write_properties", lambda data, fmt, properties: data)
    with pytest.raises(OutputError, match="did not read back"):
        aigc.write(picture(), Format.PNG, OURS)


@given(
    fmt=st.sampled_from(FORMATS),
    place=st.floats(0, 1, exclude_max=True),
    cut=st.integers(0, 12),
    junk=st.binary(max_size=12),
)
def test_damaged_files_raise_nothing_but_media_errors(fmt, place, cut, junk):
    data = LABELLED[fmt]
    at = int(place * len(data))
    damaged = data[:at] + junk + data[at + cut :]
    with contextlib.suppress(MediaError):
        json.dumps(dict(aigc.read(damaged, fmt).facts), ensure_ascii=False).encode()
    with contextlib.suppress(MediaError):
        json.dumps(dict(iptc.read(damaged, fmt).facts), ensure_ascii=False).encode()
    with contextlib.suppress(MediaError, OutputError):
        written, outcome = aigc.write(damaged, fmt, SPREAD)
        assert not outcome.written or aigc.read(written, fmt).facts["count"] == 1


def test_a_blank_packet_is_no_packet():
    data = containers.write_xmp(picture(Format.WEBP), Format.WEBP, b"\0 \n")
    marked, _ = aigc.write(data, Format.WEBP, OURS)
    assert fields(marked) == to_fields(OURS)


# --- provider codes -----------------------------------------------------------------------------


@pytest.mark.parametrize("code", [DOUBAO[:-1], DOUBAO.lower(), DOUBAO.replace("K640", "K641")])
def test_malformed_codes_are_refused(code):
    label = Label.generated(producer=code, content_id="1", time=NOW)
    with pytest.raises(LabelError, match="no valid provider code"):
        aigc.write(picture(), Format.PNG, label)


def test_legal_but_poor_providers_are_warned_of():
    plain = Label.generated(producer="Example", content_id="1", time=NOW)
    _, outcome = aigc.write(picture(), Format.PNG, plain)
    assert "plain name" in outcome.facts["warnings"][0]
    odd = Label.generated(producer=PLATFORM, content_id="1", time=NOW)
    assert "position 23" in aigc.plan(read(picture()), odd).outcome.facts["warnings"][0]


def test_plan_is_pure():
    none = Evidence(mark="aigc", status=Status.ABSENT)
    assert aigc.plan(none, OURS) == aigc.plan(none, OURS)
    assert list(aigc.plan(none, OURS).fields) == list(KEYS)


# --- files and tools of others ------------------------------------------------------------------


@pytest.mark.skipif(not SHARED.exists(), reason="shared pictures are not here")
def test_a_real_picture_of_doubao():
    data = (SHARED / "media" / "ai04_doubao_gray_tc260.png").read_bytes()
    evidence = read(data)
    assert evidence.status is Status.PRESENT
    assert evidence.facts["labels"][0]["problems"] == []
    assert evidence.facts["producer_code"]["uscc"] == "91110102MACQD9K640"
    kept, outcome = aigc.write(data, Format.PNG, OURS)
    assert (kept, outcome.written) == (data, False)
    spread, _ = aigc.write(data, Format.PNG, SPREAD)
    assert fields(spread)["ContentProducer"] == DOUBAO
    assert fields(spread)["ContentPropagator"] == PLATFORM


@pytest.mark.skipif(not SHARED.exists(), reason="shared pictures are not here")
def test_heic_is_labelled_too():
    data = (SHARED / "media" / "img24_photo.heic").read_bytes()
    marked, outcome = aigc.write(data, Format.HEIC, OURS)
    assert outcome.written
    assert fields(marked) == to_fields(OURS)


@pytest.mark.skipif(shutil.which("exiftool") is None, reason="no exiftool")
def test_exiftool_reads_the_same_label(tmp_path):
    for fmt in FORMATS:
        marked, _ = aigc.write(picture(fmt), fmt, OURS, also=iptc.properties(OURS))
        (tmp_path / f"picture{fmt.suffix}").write_bytes(marked)
    run = subprocess.run(
        ["exiftool", "-j", "-XMP:all", str(tmp_path)], capture_output=True, check=True
    )
    told = json.loads(run.stdout)
    assert len(told) == len(FORMATS)
    for one in told:
        aigc_text = one["Aigc"]
        assert (json.loads(aigc_text) if isinstance(aigc_text, str) else aigc_text) == to_fields(
            OURS
        )
        assert one["DigitalSourceType"].endswith("/trainedAlgorithmicMedia")
