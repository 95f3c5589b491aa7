"""What in a film is neither picture nor sound: its label, its source type, its credentials."""

from __future__ import annotations

import json
import random
import sys
from contextlib import suppress
from pathlib import Path

import pytest
from film_files import BUILDERS, fmt_of, frames, made

import aiglabel.containers
from aiglabel.containers import xmp
from aiglabel.containers.isobmff import box
from aiglabel.containers.sniff import VideoFormat
from aiglabel.containers.timed import coded_digest, read_tags, write_label
from aiglabel.errors import CorruptMedia, LabelError, MediaError, OutputError, SigningError
from aiglabel.evidence import Outcome, Status
from aiglabel.label import Label
from aiglabel.marks import aigc, credentials, iptc
from aiglabel.marks.aigc_json import to_fields
from aiglabel.marks.credentials import Signer, TrustProfile
from aiglabel.marks.source_types import NEWSCODES

room = sys.modules["aiglabel.marks.credentials.write"]  # the package has a function of that name
NOBODY = TrustProfile.named("none")
TRAINED = NEWSCODES + "trainedAlgorithmicMedia"
OURS = Label.generated(producer="001191440300MA5G49LC9K1YO01", content_id="h-1", model="M")
THEIRS = Label.generated(producer="001191110102MACQD9K64010000", content_id="d-1")
SPREAD = Label.suspected(propagator="001191310104MACE0YX63928020", propagate_id="s-1")
XMP_UUID = bytes.fromhex("be7acfcb97a942e89c71999491e3afac")
STATED = xmp.set_properties(
    None, {**iptc.properties(OURS), (aigc.NAMESPACE, "TC260", "AIGC"): aigc.to_json(OURS)}
)
WITH_XMP = box(b"uuid", XMP_UUID + STATED)
EMBEDDED = [name for name in BUILDERS if name.startswith(("mp4", "mov", "avi"))]
ONE_EACH = ["mp4", "mov", "mkv", "webm", "avi", "flv"]


@pytest.fixture(scope="module")
def signer(tmp_path_factory):
    return Signer.dev(tmp_path_factory.mktemp("config") / "dev-signer")


def on_disk(folder: Path, data: bytes, name: str = "film") -> Path:
    path = folder / name
    path.write_bytes(data)
    return path


# ---- the label ---------------------------------------------------------------------------------


@pytest.mark.parametrize("name", BUILDERS)
def test_a_label_is_written_and_read_in_files_as_in_bytes(name, tmp_path):
    data, fmt = made(name), fmt_of(name)
    source, target = on_disk(tmp_path, data), tmp_path / "out"
    assert aigc.read(data, fmt).status is Status.ABSENT
    outcome = aigc.write_file(source, target, fmt, OURS)
    assert outcome.written
    assert (target.read_bytes(), outcome) == aigc.write(data, fmt, OURS)
    with target.open("rb") as film:
        evidence = aigc.read(film, fmt)
    assert evidence == aigc.read(target.read_bytes(), fmt)
    assert evidence.status is Status.PRESENT
    assert evidence.where == aigc.carrier(fmt)
    assert evidence.facts["fields"] == to_fields(OURS)
    # What is there already is copied as it is.
    again = tmp_path / "again"
    assert aigc.write_file(target, again, fmt, OURS).written
    assert again.read_bytes() == target.read_bytes()
    json.dumps(dict(evidence.facts))


@pytest.mark.parametrize("name", ONE_EACH)
def test_the_rules_for_labels_of_others_are_those_of_every_file(name, tmp_path):
    data, fmt = made(name), fmt_of(name)
    theirs, _ = aigc.write(data, fmt, THEIRS)
    source, target = on_disk(tmp_path, theirs), tmp_path / "out"
    outcome = aigc.write_file(source, target, fmt, OURS)
    assert not outcome.written
    assert outcome.facts["kept"]
    assert target.read_bytes() == theirs
    target.unlink()
    with pytest.raises(LabelError, match="already labelled"):
        aigc.write_file(source, target, fmt, OURS, existing="refuse")
    assert not target.exists()
    aigc.write_file(source, target, fmt, OURS, existing="replace")
    assert aigc.read(target.read_bytes(), fmt).facts["fields"] == to_fields(OURS)
    assert aigc.write_file(source, target, fmt, SPREAD).written
    fields = aigc.read(target.read_bytes(), fmt).facts["fields"]
    assert fields["ContentProducer"] == THEIRS.producer
    assert fields["ContentPropagator"] == SPREAD.propagator
    # A label that got lost while the film was encoded anew is put back.
    kept = aigc.write_file(
        on_disk(tmp_path, data), target, fmt, OURS, source=aigc.read(theirs, fmt)
    )
    assert not kept.written
    assert aigc.read(target.read_bytes(), fmt).facts["fields"] == to_fields(THEIRS)


def test_a_label_in_xmp_is_found_and_never_doubled(tmp_path):
    data = made("mp4") + WITH_XMP
    source, target = on_disk(tmp_path, data), tmp_path / "out"
    with source.open("rb") as film:
        evidence = aigc.read(film, VideoFormat.MP4)
    assert (evidence.status, evidence.where) == (Status.PRESENT, aigc.CARRIER)
    assert not evidence.facts["labels"][0]["canonical"]
    outcome = aigc.write_file(source, target, VideoFormat.MP4, OURS)
    assert not outcome.written
    assert "second label" in outcome.detail
    assert target.read_bytes() == data
    with pytest.raises(LabelError, match="would stay beside"):
        aigc.write_file(source, target, VideoFormat.MP4, THEIRS, existing="replace")


def test_films_that_cannot_be_labelled_leave_nothing(tmp_path, monkeypatch):
    source = on_disk(tmp_path, made("mp4")[:-50])
    with pytest.raises(CorruptMedia):
        aigc.write_file(source, tmp_path / "out", VideoFormat.MP4, OURS)
    source.write_bytes(made("mp4"))
    with pytest.raises(MediaError, match="onto itself"):
        aigc.write_file(source, source, VideoFormat.MP4, OURS)
    assert source.read_bytes() == made("mp4")
    with pytest.raises(FileNotFoundError):
        aigc.write_file(tmp_path / "none", tmp_path / "out", VideoFormat.MP4, OURS)
    monkeypatch.setattr(aigc.timed, "copy_labelled", lambda film, copy, *_: copy.write(made("avi")))
    source.write_bytes(made("avi"))
    with pytest.raises(OutputError, match="did not read back"):
        aigc.write_file(source, tmp_path / "out", VideoFormat.AVI, OURS)
    assert not (tmp_path / "out").exists()


# ---- the source type ---------------------------------------------------------------------------


def test_the_source_type_is_read_in_the_xmp_of_a_film(tmp_path):
    path = on_disk(tmp_path, made("mp4") + WITH_XMP)
    with path.open("rb") as film:
        evidence = iptc.read(film, VideoFormat.MP4)
    assert (evidence.status, evidence.payload) == (Status.PRESENT, TRAINED)
    for name in ONE_EACH:
        assert iptc.read(made(name), fmt_of(name)).status is Status.ABSENT


# ---- credentials -------------------------------------------------------------------------------


@pytest.mark.parametrize("name", BUILDERS)
def test_every_film_is_signed_and_plays_as_before(name, signer, tmp_path):
    fmt = fmt_of(name)
    data, _ = aigc.write(made(name), fmt, OURS)
    source, target = on_disk(tmp_path, data), tmp_path / "out"
    marks = [Outcome(mark=mark, written=True) for mark in ("overlay", "audible", "watermark")]
    done = credentials.write_file(
        source, target, fmt, label=OURS, signer=signer, marks=marks, soft_binding=True
    )
    signed = target.read_bytes()
    assert done.embedded is (name in EMBEDDED)
    assert done.outcome.facts["embedded"] is done.embedded
    assert credentials.takes_none(data, fmt) is not done.embedded
    assert aiglabel.containers.has_c2pa(signed, fmt) is done.embedded
    assert (signed == data) is not done.embedded
    assert coded_digest(signed, fmt) == coded_digest(data, fmt)
    assert read_tags(signed, fmt).texts == read_tags(data, fmt).texts
    assert frames(signed, fmt.suffix) == frames(data, fmt.suffix)
    with target.open("rb") as film:
        evidence = credentials.read(film, fmt.mime, trust=NOBODY, sidecar=done.sidecar)
        assert credentials.mime_of(film) == fmt.mime
    assert evidence == credentials.read(signed, None, trust=NOBODY, sidecar=done.sidecar)
    assert (evidence.status, evidence.payload) == (Status.PRESENT, TRAINED)
    assert evidence.facts["actions"] == [
        "c2pa.created", "c2pa.watermarked.bound", "c2pa.addedText", "c2pa.edited",
    ]  # fmt: skip
    in_memory = credentials.write(data, fmt, label=OURS, signer=signer, marks=marks)
    assert in_memory.embedded is done.embedded


@pytest.mark.parametrize("name", ["mp4", "mp4 fast start", "mp4 fragments"])
def test_xmp_behind_the_media_data_harms_no_film(name, signer, tmp_path):
    source, target = on_disk(tmp_path, made(name) + WITH_XMP), tmp_path / "out"
    done = credentials.write_file(source, target, VideoFormat.MP4, label=OURS, signer=signer)
    assert done.embedded
    signed = target.read_bytes()
    assert frames(signed, ".mp4") == frames(made(name), ".mp4")
    assert read_tags(signed, VideoFormat.MP4).packets == [STATED]


@pytest.mark.parametrize("name", [*EMBEDDED, "mkv"])
def test_the_film_a_film_was_made_from_is_its_parent(name, signer, tmp_path):
    fmt = fmt_of(name)
    parent = tmp_path / "parent"
    first = credentials.write_file(
        on_disk(tmp_path, made(name)), parent, fmt, label=OURS, signer=signer
    )
    edited = Label.edited(producer="P", content_id="2")
    source = on_disk(tmp_path, write_label(made(name), fmt, "{}"))
    done = credentials.write_file(
        source, tmp_path / "out", fmt, label=edited, signer=signer, parent=parent
    )
    assert done.outcome.facts["origin"] == "opened"
    with (tmp_path / "out").open("rb") as film:
        evidence = credentials.read(film, fmt.mime, trust=NOBODY, sidecar=done.sidecar)
    assert evidence.status is Status.PRESENT
    (ingredient,) = evidence.facts["ingredients"]
    assert ingredient["manifest"] == (
        first.outcome.facts["manifest_label"] if first.embedded else None
    )
    # Without a parent that is named, what is in the file itself is kept.
    if first.embedded:
        alone = credentials.write_file(parent, tmp_path / "alone", fmt, label=OURS, signer=signer)
        assert alone.outcome.facts["origin"] == "opened"
        assert frames((tmp_path / "alone").read_bytes(), fmt.suffix) == frames(
            made(name), fmt.suffix
        )


def test_a_broken_parent_is_refused_and_nothing_is_left(signer, tmp_path):
    signed = credentials.write(made("mp4"), VideoFormat.MP4, label=OURS, signer=signer).data
    at = signed.index(b"mdat") + 40
    parent = on_disk(tmp_path, signed[:at] + bytes([signed[at] ^ 1]) + signed[at + 1 :], "parent")
    source = on_disk(tmp_path, made("mp4"))
    asked = {"label": OURS, "signer": signer, "parent": parent}
    with pytest.raises(SigningError, match="changed after signing"):
        credentials.write_file(source, tmp_path / "out", VideoFormat.MP4, **asked)
    assert not (tmp_path / "out").exists()
    done = credentials.write_file(
        source, tmp_path / "out", VideoFormat.MP4, **asked, allow_broken_parent=True
    )
    assert done.outcome.facts["parent_codes"] == ["assertion.bmffHash.mismatch"]
    with pytest.raises(MediaError, match="onto itself"):
        credentials.write_file(source, source, VideoFormat.MP4, label=OURS, signer=signer)


@pytest.mark.parametrize("name", EMBEDDED)
def test_long_films_are_signed_in_leaves_or_beside(name, signer, tmp_path, monkeypatch):
    monkeypatch.setattr(room, "_LARGE", 1000)
    monkeypatch.setattr(room, "_MOST_HELD", 1000)
    fmt = fmt_of(name)
    source, target = on_disk(tmp_path, made(name)), tmp_path / "out"
    done = credentials.write_file(source, target, fmt, label=OURS, signer=signer)
    assert done.embedded is (fmt is not VideoFormat.AVI)
    signed = target.read_bytes()
    assert (b"merkle" in signed) is (name.split(" ")[-1] in ("mp4", "mov", "start", "keys"))
    assert frames(signed, fmt.suffix) == frames(made(name), fmt.suffix)
    data = bytearray(signed)
    data[len(signed) * 2 // 3] ^= 1
    evidence = credentials.read(bytes(data), fmt.mime, trust=NOBODY, sidecar=done.sidecar)
    assert (evidence.status, evidence.facts["integrity"]) == (Status.INVALID, "mismatch")


def test_an_avi_that_would_fill_the_memory_is_not_looked_into(signer, tmp_path, monkeypatch):
    reader = sys.modules["aiglabel.marks.credentials.read"]
    monkeypatch.setattr(reader, "_MOST_RIFF", 1000)
    data = made("avi")
    assert credentials.read(data, None, trust=NOBODY).status is Status.ABSENT
    with pytest.raises(SigningError, match="over 1 GiB"):
        credentials.write(data, VideoFormat.AVI, label=OURS, signer=signer)


def test_a_film_that_embedding_would_damage_gets_a_sidecar(signer, tmp_path, monkeypatch):
    digests = iter((b"before", b"after"))
    monkeypatch.setattr(aiglabel.containers, "coded_digest", lambda *_: next(digests))
    source = on_disk(tmp_path, made("mp4"))
    done = credentials.write_file(
        source, tmp_path / "out", VideoFormat.MP4, label=OURS, signer=signer
    )
    assert not done.embedded
    assert (tmp_path / "out").read_bytes() == made("mp4")


@pytest.mark.parametrize("name", ONE_EACH)
def test_a_changed_film_is_noticed(name, signer):
    fmt = fmt_of(name)
    done = credentials.write(made(name), fmt, label=OURS, signer=signer)
    data = bytearray(done.data)
    data[len(made(name)) // 2] ^= 1
    evidence = credentials.read(bytes(data), fmt.mime, trust=NOBODY, sidecar=done.sidecar)
    assert (evidence.status, evidence.facts["integrity"]) == (Status.INVALID, "mismatch")


# ---- what strangers send -----------------------------------------------------------------------


@pytest.mark.parametrize("name", [*ONE_EACH, "mp4 fragments"])
def test_hostile_films_raise_only_media_errors(name, signer, tmp_path):
    fmt, rng = fmt_of(name), random.Random(7)
    whole = credentials.write(made(name), fmt, label=OURS, signer=signer).data
    for _ in range(60):
        data = bytearray(whole[: rng.randrange(len(whole))] if rng.random() < 0.3 else whole)
        for _ in range(rng.randrange(1, 6)):
            data[rng.randrange(len(data))] = rng.randrange(256)
        survived(on_disk(tmp_path, bytes(data)), tmp_path / "out", fmt, signer)


def survived(path: Path, target: Path, fmt: VideoFormat, signer: Signer) -> None:
    with path.open("rb") as film:
        for step in (
            lambda: aigc.read(film, fmt),
            lambda: iptc.read(film, fmt),
            lambda: credentials.read(film, fmt.mime, trust=NOBODY),
            lambda: aigc.write_file(path, target, fmt, OURS),
            lambda: credentials.write_file(path, target, fmt, label=OURS, signer=signer),
        ):
            with suppress(MediaError, OutputError, SigningError):
                step()
