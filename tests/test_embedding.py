"""`embed`: every source, destination and mark; nothing lost, nothing silent."""

from __future__ import annotations

import io
import shutil
import subprocess
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from pictures import coded, label, pixels
from PIL import Image, ImageCms

import aiglabel as agl
from aiglabel import containers, media
from aiglabel.containers.sniff import Format
from aiglabel.signal import quality

KEY = agl.Key(bytes(range(32)))
FORMATS = {
    "JPEG": ".jpg",
    "PNG": ".png",
    "WEBP": ".webp",
    "TIFF": ".tif",
    "GIF": ".gif",
    "AVIF": ".avif",
}
METADATA = agl.Policy.preset("metadata-only")


@pytest.fixture(scope="module")
def signer(tmp_path_factory):
    return agl.Signer.dev(tmp_path_factory.mktemp("dev"))


def statuses(report):
    return {one.mark: one.status.value for one in report.evidence}


@pytest.mark.parametrize("fmt", FORMATS)
def test_every_mark_is_found_again_in_every_format(fmt, tmp_path, signer):
    src, dst = tmp_path / f"in{FORMATS[fmt]}", tmp_path / f"out{FORMATS[fmt]}"
    src.write_bytes(coded(fmt))
    before = src.read_bytes()
    result = agl.embed(src, dst, label=label(), key=KEY, signer=signer)
    assert result.complete, result.marks
    assert [one.mark for one in result.marks] == [
        "overlay", "watermark", "aigc", "iptc", "credentials",
    ]  # fmt: skip
    assert dst.read_bytes() == result.data
    assert result.sizes == {"source": len(before), "result": len(result.data)}
    report = agl.verify(dst, keys=[KEY])
    assert set(statuses(report).values()) == {"present"}, report
    assert report.mark("watermark").payload == result.payload.hex() == label().payload.hex()
    assert report.verdict is agl.Verdict.GENERATED
    assert report.compliance is agl.Compliance.COMPLIANT
    assert src.read_bytes() == before
    assert sorted(one.name for one in tmp_path.iterdir()) == sorted([src.name, dst.name])


def sources(tmp_path):
    array = pixels()
    file = tmp_path / "in.png"
    file.write_bytes(coded("PNG"))

    class Tensor:
        def detach(self):
            return self

        def cpu(self):
            return self

        def numpy(self):
            return array.astype(np.float32) / 255

    return {
        "path": str(file), "Path": file, "bytes": file.read_bytes(),
        "bytearray": bytearray(file.read_bytes()), "file": io.BytesIO(file.read_bytes()),
        "PIL": Image.open(io.BytesIO(file.read_bytes())),
        "uint8": array, "uint16": array.astype(np.uint16) * 257,
        "float": array / 255, "grey": array[..., 0], "tensor": Tensor(),
        "rgba": np.dstack([array, np.full(array.shape[:2], 255, np.uint8)]),
    }  # fmt: skip


@pytest.mark.parametrize(
    "kind",
    ["path", "Path", "bytes", "bytearray", "file", "PIL", "uint8", "uint16", "float", "grey",
     "tensor", "rgba"],
)  # fmt: skip
def test_every_source(kind, tmp_path):
    src = sources(tmp_path)[kind]
    result = agl.embed(src, label=label(), key=KEY)
    assert result.format is Format.PNG
    assert result.path is None
    assert agl.detect_watermark(result.data, keys=[KEY]).payload == result.payload
    assert agl.detect_watermark(result.image, keys=[KEY]).payload == result.payload
    if isinstance(src, np.ndarray):
        assert result.image.shape == src.shape
        assert result.image.dtype == (np.float32 if src.dtype.kind == "f" else src.dtype)


def test_a_batch_of_arrays():
    batch = np.stack([pixels(seed=1), pixels(seed=2)]).astype(np.float32) / 255
    before = batch.copy()
    result = agl.embed(batch, label=label(), key=KEY)
    np.testing.assert_array_equal(batch, before)
    assert result.image.shape == batch.shape
    assert result.image.dtype == np.float32
    for data in result.data:
        assert agl.verify(data, keys=[KEY]).compliance is agl.Compliance.COMPLIANT
    with pytest.raises(agl.OutputError, match="no single destination"):
        agl.embed(batch, "out.png", label=label())


def test_destinations(tmp_path):
    stream = io.BytesIO()
    result = agl.embed(coded(), stream, label=label())
    assert stream.getvalue() == result.data
    converted = agl.embed(coded(), tmp_path / "out.webp", label=label())
    assert converted.format is Format.WEBP
    assert any("converted to WEBP" in note for note in converted.notes)
    with pytest.raises(agl.UnsupportedFormat, match=r"suffix '\.bmp'"):
        agl.embed(coded(), tmp_path / "out.bmp", label=label())
    (tmp_path / "old.jpg").write_bytes(b"old")
    with pytest.raises(agl.OutputError, match="exists"):
        agl.embed(coded(), tmp_path / "old.jpg", label=label(), overwrite=False)
    assert (tmp_path / "old.jpg").read_bytes() == b"old"


def test_a_source_is_never_its_own_destination(tmp_path):
    src = tmp_path / "in.jpg"
    src.write_bytes(coded())
    link = tmp_path / "link.jpg"
    link.symlink_to(src)
    for dst in (src, link, tmp_path / "." / "in.jpg"):
        with pytest.raises(agl.OutputError, match="same file"):
            agl.embed(src, dst, label=label())
    assert src.read_bytes() == coded()


def test_failures_leave_nothing_behind(tmp_path):
    bad = tmp_path / "bad.jpg"
    bad.write_bytes(coded()[:500])
    with pytest.raises(agl.MediaError) as error:
        agl.embed(bad, tmp_path / "out.jpg", label=label())
    assert error.value.path == str(bad)
    with pytest.raises(agl.MediaError):
        agl.embed(tmp_path / "absent.jpg", tmp_path / "out.jpg", label=label())
    with pytest.raises(agl.OutputError):
        agl.embed(coded(), tmp_path / "no" / "such" / "folder.jpg", label=label())
    assert [one.name for one in tmp_path.iterdir()] == ["bad.jpg"]


@pytest.mark.parametrize("fmt", FORMATS)
def test_metadata_alone_leaves_coded_pixels_byte_identical(fmt):
    data = coded(fmt)
    result = agl.embed(data, label=label(), policy=METADATA)
    assert containers.coded_digest(result.data, result.format) == containers.coded_digest(
        data, result.format
    )
    assert "decode" not in result.timings
    assert [one.written for one in result.marks] == [True, True]
    again = agl.embed(result.data, label=label(content_id="p-2"), policy=METADATA)
    evidence = agl.verify(again.data).mark("aigc")
    assert evidence.facts["count"] == 1
    assert evidence.facts["fields"]["ProduceID"] == "p-2"


def test_relabelling_is_idempotent():
    first = agl.embed(coded("PNG"), label=label(), key=KEY)
    second = agl.embed(first.data, label=label(content_id="p-2"), key=KEY)
    report = agl.verify(second.data, keys=[KEY])
    assert report.mark("aigc").facts["count"] == 1
    assert report.mark("watermark").payload == label(content_id="p-2").payload.hex()


def test_another_producers_label_is_kept_by_default():
    theirs = label(producer="some-maker")
    first = agl.embed(coded("PNG"), label=theirs, policy=METADATA)
    kept = agl.embed(first.data, label=label(), policy=METADATA)
    assert not kept.mark("aigc").written
    assert kept.complete  # the file is labelled, if by somebody else
    assert any("kept" in note for note in kept.notes)
    # The watermark names the record that the metadata names.
    painted = agl.embed(first.data, label=label(), key=KEY)
    assert painted.payload == theirs.payload
    assert agl.verify(painted.data, keys=[KEY]).mark("watermark").payload == theirs.payload.hex()
    assert agl.verify(kept.data).mark("aigc").facts["fields"]["ContentProducer"] == "some-maker"
    replaced = agl.embed(
        first.data, label=label(), policy=METADATA.changed(aigc={"existing": "replace"})
    )
    assert replaced.complete


def test_other_metadata_comes_along(tmp_path):
    exif = Image.Exif()
    exif[0x010F] = "Maker"
    exif[0x0112] = 6
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    data = coded("JPEG", exif=exif.tobytes(), icc_profile=profile, quality=83, subsampling=0)
    result = agl.embed(data, label=label())
    before, after = Image.open(io.BytesIO(data)), Image.open(io.BytesIO(result.data))
    assert after.info["icc_profile"] == profile
    assert after.getexif()[0x010F] == "Maker"
    assert after.getexif()[0x0112] == 6
    assert after.size == before.size
    assert after.quantization == before.quantization
    # The label stands upright where the picture is shown, not where it is stored.
    assert media.decode(result.data).size == before.size[::-1]
    assert agl.verify(result.data).mark("overlay").status is agl.Status.PRESENT


def test_a_picture_too_small_for_the_label_is_reported_not_cropped():
    tiny = agl.embed(pixels(12, 12), label=label(), key=KEY)
    overlay = tiny.mark("overlay")
    assert not overlay.written
    assert overlay.detail
    assert not tiny.complete


def test_signed_sources(signer):
    signed = agl.embed(coded(), label=label(), policy=METADATA, signer=signer).data
    with pytest.raises(agl.SigningError, match="would invalidate"):
        agl.embed(signed, label=label(), policy=METADATA)
    unsigned = agl.embed(signed, label=label())
    assert any("C2PA" in note for note in unsigned.notes)
    resigned = agl.embed(signed, label=label(), signer=signer)
    facts = agl.verify(resigned.data).mark("credentials").facts
    assert [one["relationship"] for one in facts["ingredients"]] == ["parentOf"]
    broken = bytearray(signed)
    broken[-40] ^= 1
    with pytest.raises(agl.SigningError):
        agl.embed(bytes(broken), label=label(), signer=signer)


def test_policies_that_require_credentials_want_a_signer():
    with pytest.raises(agl.PolicyError, match="signer"):
        agl.Labeler(policy=agl.Policy.preset("eu"))


def test_a_labeler_serves_threads(signer):
    labeler = agl.Labeler(key=KEY, signer=signer)
    start = threading.Barrier(4)

    def work(number: int) -> bytes:
        start.wait()
        return labeler.embed(pixels(seed=number), label=label(content_id=f"p-{number}")).data

    with ThreadPoolExecutor(4) as pool:
        for number, data in enumerate(pool.map(work, range(4))):
            report = agl.verify(data, keys=[KEY])
            assert report.mark("watermark").payload == label(content_id=f"p-{number}").payload.hex()
            assert report.mark("credentials").status is agl.Status.PRESENT


def test_watermark_alone(tmp_path):
    src = tmp_path / "in.jpg"
    src.write_bytes(coded())
    result = agl.watermark(src, tmp_path / "out.jpg", payload=b"8 bytes.", key=KEY)
    assert [one.mark for one in result.marks] == ["watermark"]
    assert agl.detect_watermark(tmp_path / "out.jpg", keys=[KEY]).payload == b"8 bytes."
    assert agl.detect_watermark(src, keys=[KEY]).payload is None
    assert containers.read_xmp(result.data, Format.JPEG) == []
    with pytest.raises(agl.PayloadError):
        agl.watermark(src, payload=b"short", key=KEY)


@pytest.mark.parametrize("deep", [False, True])
def test_the_outcome_tells_what_the_watermark_changed(deep):
    source = pixels(480, 640).astype(np.uint16) * 257 if deep else pixels(480, 640)
    result = agl.watermark(source, payload=b"8 bytes.", key=KEY)
    facts = result.mark("watermark").facts
    before, after = (
        (array // 257).astype(np.uint8) if deep else array for array in (source, result.image)
    )
    assert facts["psnr_hvs_m_db"] == pytest.approx(quality.psnr_hvs_m(before, after), abs=1)
    assert facts["psnr_db"] == pytest.approx(quality.psnr(source, result.image), abs=1e-3)
    assert facts["ssim"] > 0.95
    assert 0 < facts["largest_change"] < (8000 if deep else 32)
    assert facts["margin"] > 1
    assert facts["wire_format"] == "aiglabel.dwt.2"


@pytest.mark.parametrize("mode", ["L", "RGBA", "CMYK"])
def test_what_can_be_seen_is_told_of_every_kind_of_picture(mode):
    stream = io.BytesIO()
    Image.fromarray(pixels()).convert(mode).save(stream, "TIFF")
    facts = agl.watermark(stream.getvalue(), payload=b"8 bytes.", key=KEY).mark("watermark").facts
    assert 30 < facts["psnr_hvs_m_db"] < 70


def test_animations_are_marked_in_every_frame(tmp_path):
    frames = [Image.fromarray(pixels(seed=n)) for n in range(3)]
    stream = io.BytesIO()
    frames[0].save(
        stream, "GIF", save_all=True, append_images=frames[1:], duration=[50, 70, 90], loop=0
    )
    result = agl.embed(stream.getvalue(), label=label(), key=KEY)
    back = Image.open(io.BytesIO(result.data))
    assert back.n_frames == 3
    for index, duration in enumerate([50, 70, 90]):
        back.seek(index)
        assert back.info["duration"] == duration
        found = agl.detect_watermark(back.convert("RGB"), keys=[KEY])
        assert found.payload == result.payload


SHARED = Path(__file__).resolve().parents[2] / "shared" / "media"
REAL = sorted(one.name for pattern in ("img*", "ai0*") for one in SHARED.glob(pattern))


@pytest.mark.skipif(not REAL, reason="shared media are not here")
@pytest.mark.parametrize("name", REAL)
def test_real_pictures(name, tmp_path, signer):
    before = (SHARED / name).read_bytes()
    dst = tmp_path / name
    result = agl.embed(SHARED / name, dst, label=label(), key=KEY, signer=signer)
    assert result.complete, result.marks
    report = agl.verify(dst, keys=[KEY])
    assert set(statuses(report).values()) == {"present"}, report
    assert report.mark("watermark").payload == result.payload.hex()
    assert report.mark("credentials").facts["integrity"] == "match"
    assert report.compliance is agl.Compliance.COMPLIANT, report
    assert (SHARED / name).read_bytes() == before
    if shutil.which("exiftool"):
        shown = subprocess.run(
            ["exiftool", "-s3", "-XMP-TC260:Aigc", str(dst)], capture_output=True, check=True
        )
        assert shown.stdout.decode().strip() == report.mark("aigc").payload


@pytest.mark.parametrize("quality", [10, 30, 50])
def test_coarse_jpegs_keep_the_watermark_or_say_how(quality):
    data = coded("JPEG", pixels(300, 400), quality=quality)
    result = agl.embed(data, label=label(), key=KEY)
    assert result.mark("watermark").written
    assert agl.detect_watermark(result.data, keys=[KEY]).payload == result.payload
    same = (
        Image.open(io.BytesIO(result.data)).quantization
        == Image.open(io.BytesIO(data)).quantization
    )
    assert same or any("coded at quality" in note for note in result.notes)


@pytest.mark.parametrize("size", [(1, 1), (2, 3), (8, 8), (39, 80)])
def test_tiny_pictures_are_reported_not_marked(size):
    result = agl.embed(pixels(*size), label=label(), key=KEY)
    assert result.payload is None
    assert "too small" in result.mark("watermark").detail
    assert result.mark("aigc").written


def test_sources_and_destinations_that_are_none(tmp_path):
    closed = io.BytesIO(coded())
    closed.close()
    for bad in (closed, io.StringIO("text"), np.zeros((0, 5, 5, 3), np.uint8), object()):
        with pytest.raises(agl.AigLabelError):
            agl.embed(bad, label=label())
    for bad in (io.StringIO(), 5, closed):
        with pytest.raises(agl.OutputError):
            agl.embed(coded(), bad, label=label())
    name = tmp_path / ("n" * 251 + ".jpg")
    name.write_bytes(coded())
    assert agl.verify(name).verdict is agl.Verdict.NONE
