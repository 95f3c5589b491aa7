"""What an adversarial review tried and found right, or found wrong and saw mended."""

from __future__ import annotations

import io

import numpy as np
import pytest
from pictures import coded, label, pixels
from PIL import Image, ImageOps, PngImagePlugin

import aiglabel as agl
from aiglabel import media

FIELDS = (
    '"ContentProducer":"P","ProduceID":"x","ReservedCode1":"","ContentPropagator":"",'
    '"PropagateID":"","ReservedCode2":""'
)
PACKET = (
    '<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF '
    'xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"><rdf:Description rdf:about="" '
    'xmlns:TC260="http://www.tc260.org.cn/ns/AIGC/1.0/"><TC260:AIGC>{}</TC260:AIGC>'
    "</rdf:Description></rdf:RDF></x:xmpmeta>"
)


def with_xmp(packet: str) -> bytes:
    info = PngImagePlugin.PngInfo()
    info.add_itxt("XML:com.adobe.xmp", packet)
    return coded("PNG", pixels(64, 64), pnginfo=info)


# ---------------------------------------------------------------------- arrays


@pytest.mark.parametrize(
    "laid_out",
    [
        np.asfortranarray,
        lambda a: np.ascontiguousarray(a[::-1, ::-1])[::-1, ::-1],
        lambda a: np.repeat(a, 2, axis=1)[:, ::2],
        lambda a: np.ma.array(a, mask=a > 200),
    ],
    ids=["fortran", "negative strides", "every second column", "masked"],
)
def test_memory_layout_makes_no_difference(laid_out):
    source = laid_out(pixels(96, 128))
    source.flags.writeable = False
    result = agl.embed(source, label=label())
    assert np.array_equal(result.image, agl.embed(pixels(96, 128), label=label()).image)
    assert np.array_equal(source, pixels(96, 128))


def test_byte_order_makes_no_difference():
    deep = pixels(96, 128).astype(np.uint16) * 257
    swapped = agl.embed(deep.astype(">u2"), label=label())
    assert np.array_equal(swapped.image, agl.embed(deep, label=label()).image)


@pytest.mark.parametrize("use", [agl.verify, agl.detect_watermark])
def test_an_empty_batch_is_no_picture(use):
    with pytest.raises(agl.MediaError):
        use(np.zeros((0, 8, 8, 3), np.uint8))


# ---------------------------------------------------------------------- labelling again


def test_three_labels_are_one_claim(tmp_path):
    signer = agl.Signer.dev(tmp_path)
    data = agl.embed(coded("JPEG"), label=label(), signer=signer).data
    sizes = [len(data)]
    for number in "23":
        again = label(producer=f"P{number}", content_id=f"p-{number}")
        data = agl.embed(data, label=again, signer=signer).data
        sizes.append(len(data))
    report = agl.verify(data)
    assert report.mark("aigc").facts["count"] == 1
    assert report.mark("aigc").facts["fields"]["ProduceID"] == "p-1"
    assert report.mark("watermark").payload == label().payload.hex()
    assert report.mark("credentials").status is agl.Status.PRESENT
    assert sizes[2] - sizes[1] < 30_000  # one manifest more, not all of them again


def test_a_platform_leaves_the_producers_watermark():
    made = agl.embed(coded("JPEG"), label=label())
    spread = agl.embed(
        made.data, label=agl.Label.possible(propagator="PLATFORM", propagate_id="p-9")
    )
    report = agl.verify(spread.data)
    assert report.mark("watermark").payload == made.payload.hex() == spread.payload.hex()
    fields = report.mark("aigc").facts["fields"]
    assert (fields["ProduceID"], fields["PropagateID"]) == ("p-1", "p-9")
    assert report.verdict is agl.Verdict.GENERATED


# ---------------------------------------------------------------------- files


@pytest.mark.parametrize("suffix", [".png", ".webp", ".gif", ".tif", ".avif", ".heic"])
@pytest.mark.parametrize("orientation", [2, 6, 7])
def test_conversion_keeps_what_is_displayed(suffix, orientation, tmp_path):
    exif = Image.Exif()
    exif[0x0112] = orientation
    source = coded("JPEG", quality=95, exif=exif.tobytes())
    policy = agl.Policy.from_dict({"name": "w", "overlay": {"enabled": False}})
    result = agl.embed(source, tmp_path / f"out{suffix}", label=label(), policy=policy)
    shown = np.asarray(ImageOps.exif_transpose(Image.open(io.BytesIO(source))), np.float32)
    assert result.image.shape == shown.shape
    back = media.to_array(media.decode(result.data)).astype(np.float32)
    assert back.shape == shown.shape
    assert np.abs(back - shown).mean() < 6


def test_the_longest_file_name_is_verified(tmp_path):
    path = tmp_path / f"{'n' * 251}.jpg"
    path.write_bytes(coded("JPEG", pixels(64, 64)))
    assert agl.verify(path).verdict is agl.Verdict.NONE


def test_a_signed_deep_tiff_makes_no_noise(tmp_path, capfd):
    path = tmp_path / "deep.tif"
    signer = agl.Signer.dev(tmp_path)
    agl.embed(pixels(96, 128).astype(np.uint16) * 257, path, label=label(), signer=signer)
    report = agl.verify(path)
    assert report.mark("watermark").status is agl.Status.PRESENT
    assert capfd.readouterr().err == ""  # libtiff would name the tag of C2PA


# ---------------------------------------------------------------------- hostile labels


@pytest.mark.parametrize(
    "value",
    [
        "null", "[]", '"1"', "1", '{"Label":1}', '{"Label":"1"}', '{"Label":null,%s}',
        '{"Label":"0",%s}', '{"Label":"4",%s}', '{"Label":"01",%s}', '{"Label":" 1",%s}',
        '{"Label":"1","Label":"2",%s}', '{"Label":NaN,%s}', '{"Label":"\\ud800",%s}',
        "[" * 50_000 + "]" * 50_000, '{"a":' * 20_000 + "1" + "}" * 20_000,
        '{"Label":' + "9" * 20_000 + "}",
    ],
    ids=lambda value: value[:20],
)  # fmt: skip
def test_a_malformed_label_is_a_trace_and_no_proof(value):
    report = agl.verify(with_xmp(PACKET.format(value.replace("%s", FIELDS))))
    assert report.mark("aigc").status is agl.Status.INVALID
    assert report.verdict is agl.Verdict.SUSPECTED
    assert report.compliance is agl.Compliance.NON_COMPLIANT


@pytest.mark.parametrize(
    ("code", "verdict"),
    [("1", agl.Verdict.GENERATED), ("2", agl.Verdict.POSSIBLE), ("3", agl.Verdict.SUSPECTED)],
)
def test_the_three_codes_of_annex_e(code, verdict):
    value = f'{{"Label":"{code}",{FIELDS}}}'
    assert agl.verify(with_xmp(PACKET.format(value))).verdict is verdict


@pytest.mark.parametrize("entity", ['"lol"', 'SYSTEM "/etc/passwd"'])
def test_entities_are_never_expanded(entity):
    doctype = f"<!DOCTYPE x [<!ENTITY a {entity}>" + "".join(
        f'<!ENTITY {chr(98 + n)} "{f"&{chr(97 + n)};" * 10}">' for n in range(12)
    )
    packet = f'<?xml version="1.0"?>{doctype}]>{PACKET.format("&m;&a;")}'
    text = agl.verify(with_xmp(packet)).to_json()
    assert "root:" not in text
    assert len(text) < 20_000
