"""Signed manifests: written in every format, read under every trust, honest about what fails."""

from __future__ import annotations

import dataclasses
import hashlib
import http.server
import io
import json
import multiprocessing
import pickle
import random
import shutil
import subprocess
import sys
import threading
import tomllib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from credentials_kit import (
    FIXTURES,
    SHARED,
    Authority,
    picture,
    pixels,
    time_stamping_authority,
)
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec

import aiglabel.containers
from aiglabel.containers import xmp
from aiglabel.containers.sniff import Format
from aiglabel.errors import SigningError
from aiglabel.evidence import Outcome, Status
from aiglabel.label import Label
from aiglabel.marks.credentials import (
    Grade,
    Signer,
    Timestamp,
    TrustProfile,
    mime_of,
    read,
    write,
)
from aiglabel.marks.credentials.trust import SNAPSHOT, SOFT_BINDING_ALGORITHM, context, settings
from aiglabel.marks.source_types import NEWSCODES

NOBODY = TrustProfile.named("none")
PRODUCED = {"producer": "P", "content_id": "1", "model": "painter", "model_version": "3"}
GENERATED = Label.generated(**PRODUCED)
EDITED = Label.edited(**PRODUCED)
POSSIBLE = Label.possible(propagator="P", propagate_id="1")
MARKS = [Outcome(mark="overlay", written=True), Outcome(mark="watermark", written=True)]
TRAINED = NEWSCODES + "trainedAlgorithmicMedia"
JPEG = picture(Format.JPEG)


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    return tmp_path_factory.mktemp("config") / "dev-signer"


@pytest.fixture(scope="module")
def signer(home):
    return Signer.dev(home)


@pytest.fixture(scope="module")
def signed(signer):
    return write(JPEG, Format.JPEG, label=GENERATED, signer=signer, title="a.jpg").data


def heic() -> bytes:
    source = SHARED / "media" / "img24_photo.heic"
    if not source.exists():
        pytest.skip("no HEIC picture here")
    pytest.importorskip("pi_heif").register_heif_opener()
    return source.read_bytes()


def facts(data: bytes, trust: TrustProfile = NOBODY, **options):
    return read(data, None, trust=trust, **options).facts


def manifest(data: bytes):
    import c2pa

    with c2pa.Reader(None, io.BytesIO(data), context=context(NOBODY)) as reader:
        return reader.get_active_manifest()


def assertion(data: bytes, label: str):
    return next(a["data"] for a in manifest(data)["assertions"] if a["label"].startswith(label))


def actions(data: bytes):
    return assertion(data, "c2pa.actions")["actions"]


# --- Writing -------------------------------------------------------------------------------------


@pytest.mark.parametrize("fmt", list(Format))
def test_every_format_is_signed_and_keeps_its_pixels(fmt, signer, home):
    coded = picture(fmt) if fmt is not Format.HEIC else heic()
    done = write(coded, fmt, label=GENERATED, signer=signer, marks=MARKS)
    evidence = read(done.data, fmt.mime, trust=NOBODY.with_dev(home))
    assert done.embedded
    assert evidence.status is Status.PRESENT
    assert evidence.payload == TRAINED
    assert evidence.facts["state"] == "Trusted"
    assert evidence.facts["trust"] == "dev"
    assert pixels(done.data) == pixels(coded)
    assert len(done.data) - len(coded) < 5000


@pytest.mark.parametrize("fmt", [Format.GIF, Format.WEBP, Format.AVIF, Format.PNG, Format.TIFF])
def test_animations_and_pages_keep_their_frames(fmt, signer):
    coded = picture(fmt, frames=3)
    done = write(coded, fmt, label=GENERATED, signer=signer)
    assert pixels(done.data) == pixels(coded)
    # Embedding would give a TIFF of several pages one more that readers stumble over.
    assert done.embedded is (fmt is not Format.TIFF)
    assert read(done.data, None, trust=NOBODY, sidecar=done.sidecar).status is Status.PRESENT


def test_no_thumbnail_is_added(signer):
    coded = picture(Format.WEBP, side=512)
    done = write(coded, Format.WEBP, label=GENERATED, signer=signer)
    assert len(done.data) - len(coded) < 5000
    assert "thumbnail" not in manifest(done.data)


def test_the_manifest_is_the_one_the_conformance_rubric_passed(signer):
    done = write(JPEG, Format.JPEG, label=GENERATED, signer=signer, marks=MARKS, soft_binding=True)
    told = manifest(done.data)
    assert told["claim_generator_info"][0]["name"] == "aiglabel"
    assert told["claim_generator_info"][0]["specVersion"] == "2.4"
    assert told["claim_version"] == 2
    assert assertion(done.data, "c2pa.actions")["allActionsIncluded"] is True
    created, watermarked, text = actions(done.data)
    assert created["action"] == "c2pa.created"
    assert created["digitalSourceType"] == TRAINED
    assert created["softwareAgent"] == {"name": "painter", "version": "3"}
    assert created["when"] == GENERATED.time.strftime("%Y-%m-%dT%H:%M:%SZ")
    assert watermarked["action"] == "c2pa.watermarked.bound"
    assert text["action"] == "c2pa.addedText"
    binding = assertion(done.data, "c2pa.soft-binding")
    assert binding["alg"] == SOFT_BINDING_ALGORITHM
    assert binding["blocks"][0]["value"] == GENERATED.payload.hex()
    assert len(assertion(done.data, "cawg.training-mining")["entries"]) == 4
    metadata = assertion(done.data, "cawg.metadata")
    assert metadata["Iptc4xmpExt:DigitalSourceType"] == TRAINED
    assert metadata["Iptc4xmpExt:AISystemUsed"] == "painter"


def test_only_marks_that_were_written_are_told(signer):
    failed = [Outcome(mark="overlay", written=False), Outcome(mark="watermark", written=True)]
    data = write(JPEG, Format.JPEG, label=GENERATED, signer=signer, marks=failed).data
    assert [a["action"] for a in actions(data)] == ["c2pa.created", "c2pa.watermarked.unbound"]
    labels = {a["label"] for a in manifest(data)["assertions"]}
    assert "c2pa.soft-binding" not in labels
    assert not any("aigc" in label for label in labels)


def test_a_source_type_outside_the_vocabulary_is_refused(monkeypatch, signer):
    """The SDK would write it without a word."""
    from aiglabel.marks.credentials import manifest as room

    monkeypatch.setattr(room, "OF_KIND", {GENERATED.kind: NEWSCODES + "trainedAlgoritmicMedia"})
    with pytest.raises(SigningError, match="not a digital source type"):
        write(JPEG, Format.JPEG, label=GENERATED, signer=signer)


def test_a_model_without_name_is_no_software_agent(signer):
    label = Label.generated(producer="P", content_id="1")
    data = write(JPEG, Format.JPEG, label=label, signer=signer).data
    assert "softwareAgent" not in actions(data)[0]
    assert facts(data)["ai_declared"][0]["software_agent"] is None


# --- Relabelling (facts 2.2) ---------------------------------------------------------------------


def test_edited_with_a_source_opens_it_and_without_one_admits_an_unknown_past(signer):
    data = write(JPEG, Format.JPEG, label=EDITED, signer=signer).data
    assert [a["action"] for a in actions(data)] == ["c2pa.created"]
    assert assertion(data, "c2pa.actions")["allActionsIncluded"] is False
    data = write(JPEG, Format.JPEG, label=EDITED, signer=signer, parent=picture(Format.PNG)).data
    opened, edited = actions(data)
    assert (opened["action"], edited["action"]) == ("c2pa.opened", "c2pa.edited")
    assert "digitalSourceType" not in opened
    assert edited["softwareAgent"]["name"] == "painter"
    assert facts(data)["parents_ok"] is True


def test_generated_from_an_unsigned_file_is_created_here(signer):
    data = write(JPEG, Format.JPEG, label=GENERATED, signer=signer, parent=JPEG).data
    assert actions(data)[0]["action"] == "c2pa.created"
    assert facts(data)["ingredients"] == []


def test_a_suspicion_never_claims_creation(signer):
    with pytest.raises(SigningError, match="cannot claim"):
        write(JPEG, Format.JPEG, label=POSSIBLE, signer=signer)
    data = write(JPEG, Format.JPEG, label=POSSIBLE, signer=signer, parent=JPEG).data
    assert [a["action"] for a in actions(data)] == ["c2pa.opened", "c2pa.edited.metadata"]
    assert read(data, None, trust=NOBODY).payload is None
    assert [entry["strength"] for entry in facts(data)["ai_declared"]] == ["weak"]


@pytest.mark.parametrize("label", [GENERATED, EDITED, POSSIBLE])
@pytest.mark.parametrize("given", ["fresh file, parent given", "signed file, no parent given"])
def test_provenance_is_never_erased(signed, signer, label, given):
    if given.startswith("fresh"):
        done = write(picture(Format.PNG), Format.PNG, label=label, signer=signer, parent=signed)
    else:
        done = write(signed, Format.JPEG, label=label, signer=signer)
    told = facts(done.data)
    assert told["actions"][0] == "c2pa.opened"
    assert done.outcome.facts["origin"] == "opened"
    assert [entry["manifest"] for entry in told["ingredients"]] == [facts(signed)["manifest_label"]]
    assert told["ingredients"][0]["relationship"] == "parentOf"
    assert told["parents_ok"] is True
    where = {entry["where"] for entry in told["ai_declared"] if entry["strength"] == "strong"}
    assert facts(signed)["manifest_label"] in where


def tampered(data: bytes) -> bytes:
    changed = bytearray(data)
    changed[-5] ^= 1
    return bytes(changed)


def test_a_broken_parent_is_refused_and_never_laundered(signed, signer, home):
    broken = tampered(signed)
    with pytest.raises(SigningError, match=r"assertion\.dataHash\.mismatch"):
        write(JPEG, Format.JPEG, label=GENERATED, signer=signer, parent=broken)
    done = write(
        JPEG, Format.JPEG, label=GENERATED, signer=signer, parent=broken, allow_broken_parent=True
    )
    assert done.outcome.facts["parent_codes"] == ["assertion.dataHash.mismatch"]
    evidence = read(done.data, None, trust=NOBODY.with_dev(home))
    assert evidence.facts["state"] == "Trusted"  # so much for the SDK's state alone
    assert evidence.facts["parents_ok"] is False
    assert "earlier version" in evidence.detail
    assert "changed after signing" in manifest(done.data)["ingredients"][0]["description"]
    # Nor does a second round wash it clean.
    again = write(JPEG, Format.JPEG, label=GENERATED, signer=signer, parent=done.data)
    assert facts(again.data)["parents_ok"] is False


needs_fixtures = pytest.mark.skipif(not FIXTURES.is_dir(), reason="no C2PA fixtures here")


@needs_fixtures
@pytest.mark.parametrize(
    ("name", "refused", "allowed"),
    [
        ("c2pa-org__adobe-20220124-E-sig-CA.jpg", r"claimSignature\.mismatch", True),
        ("contentauth__CIE-sig-CA.jpg", r"claimSignature\.mismatch", True),
        ("microsoft__cards_expired_without_timestamp.jpg", None, True),
        ("contentauth__no_alg.jpg", "cannot be carried over", False),
        ("microsoft__DALL-E_cloud_surfing_puppy.webp", None, True),
        ("contentauth__libpng-test_with_url.png", None, True),
    ],
)
def test_parents_from_the_wild(name, refused, allowed, signer):
    parent = (FIXTURES / name).read_bytes()
    options = {"label": GENERATED, "signer": signer, "parent": parent}
    if refused:
        with pytest.raises(SigningError, match=refused):
            write(JPEG, Format.JPEG, **options)
    if allowed:
        done = write(JPEG, Format.JPEG, **options, allow_broken_parent=True)
        assert facts(done.data)["actions"][0] == "c2pa.opened"
    else:
        with pytest.raises(SigningError, match=refused):
            write(JPEG, Format.JPEG, **options, allow_broken_parent=True)


# --- What is checked after signing ---------------------------------------------------------------


def test_a_file_that_embedding_damages_gets_a_sidecar(signer, home, monkeypatch):
    digests = iter((b"before", b"after"))
    monkeypatch.setattr(aiglabel.containers, "coded_digest", lambda *_: next(digests))
    done = write(JPEG, Format.JPEG, label=GENERATED, signer=signer)
    assert done.data == JPEG
    assert not done.embedded
    assert not done.outcome.facts["embedded"]
    assert "sidecar" in done.outcome.detail
    trust = NOBODY.with_dev(home)
    assert read(JPEG, None, trust=trust).status is Status.ABSENT
    beside = read(JPEG, None, trust=trust, sidecar=done.sidecar)
    assert (beside.status, beside.facts["state"]) == (Status.PRESENT, "Trusted")
    assert not beside.facts["embedded"]
    other = read(picture(Format.PNG), None, trust=trust, sidecar=done.sidecar)
    assert other.status is Status.INVALID
    assert (other.facts["integrity"], other.facts["signature"]) == ("mismatch", "valid")


def test_a_stale_sidecar_does_not_hide_a_sound_embedded_manifest(signed, signer, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(aiglabel.containers, "coded_digest", lambda *_: object())
        stale = write(JPEG, Format.JPEG, label=GENERATED, signer=signer).sidecar
    evidence = read(signed, None, trust=NOBODY, sidecar=stale)
    assert evidence.status is Status.PRESENT
    assert evidence.facts["embedded"]


def test_lost_xmp_counts_as_damage(signer, monkeypatch):
    packets = iter(([b"<x/>"], []))
    monkeypatch.setattr(aiglabel.containers, "read_xmp", lambda *_: next(packets))
    assert not write(JPEG, Format.JPEG, label=GENERATED, signer=signer).embedded


@pytest.mark.parametrize("fmt", list(Format))
def test_xmp_written_before_is_read_after(fmt, signer):
    coded = picture(fmt) if fmt is not Format.HEIC else heic()
    packet = xmp.set_properties(None, {("http://example.org/", "ex", "made"): "by a model"})
    coded = aiglabel.containers.write_xmp(coded, fmt, packet)
    done = write(coded, fmt, label=GENERATED, signer=signer)
    (after,) = aiglabel.containers.read_xmp(done.data, fmt)
    assert xmp.get(after, "http://example.org/", "made") == ["by a model"]
    assert done.embedded


@pytest.mark.skipif(shutil.which("exiftool") is None, reason="needs ExifTool")
def test_the_xmp_of_a_heic_made_by_exiftool_is_not_lost(signer, tmp_path):
    """The SDK shifts such an item twice (facts 0.11) and calls the result trusted."""
    (tmp_path / "a.heic").write_bytes(heic())
    command = ["exiftool", "-q", "-overwrite_original", "-XMP-dc:Title=kept", "a.heic"]
    subprocess.run(command, cwd=tmp_path, check=True)
    coded = (tmp_path / "a.heic").read_bytes()
    done = write(coded, Format.HEIC, label=GENERATED, signer=signer)
    (packet,) = aiglabel.containers.read_xmp(done.data, Format.HEIC)
    assert b"kept" in packet
    assert read(done.data, None, trust=NOBODY, sidecar=done.sidecar).status is Status.PRESENT


# --- Reading: the table of facts 1.3 -------------------------------------------------------------


def test_absent(signed):
    for stripped in (JPEG, picture(Format.PNG)):
        assert read(stripped, None, trust=NOBODY).status is Status.ABSENT


def test_trust_depends_on_the_list_and_integrity_does_not(signed, home):
    plain = facts(signed)
    assert (plain["state"], plain["trust"], plain["codes"]) == (
        "Valid", "untrusted", ["signingCredential.untrusted"],
    )  # fmt: skip
    known = facts(signed, NOBODY.with_dev(home))
    assert (known["state"], known["trust"], known["codes"]) == ("Trusted", "dev", [])
    for told in (plain, known):
        assert (told["integrity"], told["signature"]) == ("match", "valid")
        assert (told["freshness"], told["timestamped"], told["time"]) == ("current", False, None)
        assert told["software_agent"] == {"name": "painter", "version": "3"}


def test_a_changed_claim_or_assertion_is_told_apart_from_changed_pixels(signed):
    media = read(tampered(signed), None, trust=NOBODY)
    assert media.status is Status.INVALID
    assert media.facts["integrity"], media.facts["signature"] == ("mismatch", "valid")
    assert media.facts["causes"] == ["assertion.dataHash.mismatch"]
    assert media.payload == TRAINED  # what it declared is still told
    statement = signed.replace(b"painter", b"poseter")
    assert facts(statement)["causes"] == ["assertion.hashedURI.mismatch"]
    claim = signed.replace(b"specVersionc2.4", b"specVersionc2.5")
    assert claim != signed
    assert facts(claim)["signature"] == "invalid"
    assert facts(claim)["causes"] == ["claimSignature.mismatch"]


def test_appended_bytes_and_a_pasted_manifest_are_mismatches(signed, signer):
    assert facts(signed + b"x")["integrity"] == "mismatch"
    other = picture(Format.JPEG, side=72)
    assert signed.endswith(JPEG[20:])
    pasted = signed[: -len(JPEG[20:])] + other[20:]
    assert read(pasted, None, trust=NOBODY).status is Status.INVALID
    assert facts(pasted)["integrity"] == "mismatch"


@pytest.mark.parametrize("fmt", [Format.JPEG, Format.PNG, Format.WEBP, Format.GIF, Format.TIFF])
def test_every_flipped_bit_of_the_media_is_noticed(fmt, signer):
    coded = picture(fmt)
    data = write(coded, fmt, label=GENERATED, signer=signer).data
    tail = next(n for n in range(1, len(coded)) if coded[-n:] != data[-n:]) - 1
    head = next((n for n in range(8, len(coded)) if coded[n] != data[n]), len(coded))
    places = range(len(data) - tail, len(data)) if tail > head else range(8, head)
    assert len(places) > len(coded) / 2
    chance = random.Random(1)
    for place in chance.sample(places, 60):
        changed = bytearray(data)
        changed[place] ^= 1 << chance.randrange(8)
        assert read(bytes(changed), fmt.mime, trust=NOBODY).status is not Status.PRESENT


@pytest.mark.parametrize("fmt", [Format.JPEG, Format.PNG, Format.WEBP, Format.TIFF, Format.AVIF])
def test_hostile_bytes_never_raise(fmt, signer, signed):
    data = write(picture(fmt), fmt, label=EDITED, signer=signer, parent=signed).data
    chance = random.Random(str(fmt))
    for _ in range(120):
        broken = bytearray(data)
        for _ in range(chance.choice((1, 3, 30))):
            broken[chance.randrange(len(broken))] = chance.randrange(256)
        if chance.random() < 0.3:
            del broken[chance.randrange(len(broken)) :]
        evidence = read(bytes(broken), chance.choice((None, fmt.mime)), trust=NOBODY)
        assert evidence.mark == "credentials"
        json.dumps(evidence.facts)


@pytest.mark.parametrize("junk", [b"", b"\0", b"\xff\xd8\xff", b"<svg", b"\xff\xd8\xff\xeb\0\0"])
def test_what_is_no_media_is_undetermined(junk):
    assert read(junk, None, trust=NOBODY).status in (Status.UNDETERMINED, Status.ABSENT)
    assert read(JPEG, None, trust=NOBODY, sidecar=junk or b"\0").status is not Status.PRESENT


def test_a_manifest_nested_too_deep_is_invalid(signed, monkeypatch):
    import c2pa

    monkeypatch.setattr(c2pa.Reader, "json", lambda self: "[" * 100_000)
    assert read(signed, None, trust=NOBODY).status is Status.INVALID


def test_a_wrong_media_type_does_not_hurt(signed):
    assert read(signed, "image/png", trust=NOBODY).status is Status.PRESENT
    assert mime_of(signed) == "image/jpeg"
    assert mime_of(b"<?xml?><svg>") == "image/svg+xml"
    assert mime_of(b"RIFF\0\0\0\0WAVE") == "audio/wav"
    assert mime_of(b"RIFF\0\0\0\0AVI ") == "video/x-msvideo"
    assert mime_of(b"RIFF\0\0\0\0RMID") is None


def test_a_manifest_on_a_server_is_not_fetched(signer):
    """The address is told, nothing leaves the machine, and nothing is said about the manifest."""
    import c2pa

    asked = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            asked.append(self.path)
            self.send_error(404)

    with http.server.HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        url = f"http://127.0.0.1:{server.server_port}/manifest.c2pa"
        remote = io.BytesIO()

        def build(sdk_signer):
            definition = {
                "assertions": [{
                    "label": "c2pa.actions.v2",
                    "data": {"actions": [
                        {"action": "c2pa.created", "digitalSourceType": TRAINED}
                    ]},
                }],
            }  # fmt: skip
            with c2pa.Builder(definition, context(NOBODY)) as builder:
                builder.set_no_embed()
                builder.set_remote_url(url)
                return builder.sign(sdk_signer, "image/jpeg", io.BytesIO(JPEG), remote)

        signer.run(build)
        evidence = read(remote.getvalue(), None, trust=NOBODY)
        server.shutdown()
        thread.join()
    assert asked == []
    assert evidence.status is Status.UNDETERMINED
    assert evidence.facts["remote_url"] == url


@pytest.mark.parametrize(
    ("action", "strength"),
    [
        ({"description": "AI Generated Image"}, "weak"),  # Bing Image Creator
        ({"digitalSourceType": NEWSCODES + "compositeSynthetic"}, "strong"),
        ({"digitalSourceType": NEWSCODES + "algorithmicMedia"}, "weak"),
        ({"digitalSourceType": NEWSCODES + "digitalCapture"}, None),
        ({"description": "maintained by hand"}, None),
    ],
)
def test_declarations_are_graded(action, strength):
    from aiglabel.marks.credentials.read import _declared

    made = {"label": "c2pa.actions.v2", "data": {"actions": [{"action": "c2pa.created", **action}]}}
    store = {"active_manifest": "m", "manifests": {"m": {"assertions": [made]}}}
    assert [entry["strength"] for entry in _declared(store)] == ([strength] if strength else [])


# --- Third-party files ---------------------------------------------------------------------------

TRUST_FILES = {
    "none": [],
    "official_only": None,
    "real_world": None,
    "test_roots": [("c2pa-rs-test-roots.pem", "manifest")],
    "ms_test": [("ms-validator-test-root.pem", "manifest"), ("ms-validator-tsa.pem", "tsa")],
}


def trust_of(profile: str) -> TrustProfile:
    if profile in ("official_only", "real_world"):
        return TrustProfile.named({"official_only": "official"}.get(profile, "default"))
    trust = NOBODY
    for name, kind in TRUST_FILES[profile]:
        trust = trust.with_file(FIXTURES / "trust" / name, kind=kind, grade=Grade.TEST)
    return trust


def wild():
    listing = FIXTURES / "manifest.json"
    return json.loads(listing.read_bytes())["files"] if listing.exists() else []


# What the SDK cannot open says different things about the manifest.
STATUS_OF_ERROR = {
    "contentauth__no_alg.jpg": Status.INVALID,
    "contentauth__sample3.invalid.wav": Status.UNDETERMINED,
    "contentauth__libpng-test_with_url.png": Status.UNDETERMINED,
}


@needs_fixtures
@pytest.mark.parametrize("profile", TRUST_FILES)
def test_third_party_files_give_the_expected_verdict(profile):
    trust = trust_of(profile)
    for entry in wild():
        expected = entry["expected"][profile]
        evidence = read((FIXTURES / entry["file"]).read_bytes(), None, trust=trust)
        told = evidence.facts
        if "error" in expected:
            absent = expected["error"] == "C2paManifestNotFound"
            wanted = Status.ABSENT if absent else STATUS_OF_ERROR[entry["file"]]
            assert evidence.status is wanted, entry["file"]
            continue
        below = {code for item in told["ingredients"] for code in item["codes"]}
        assert told["state"] == expected["state"], entry["file"]
        assert set(told["codes"]) <= set(expected["codes"]), entry["file"]
        assert set(expected["codes"]) <= {*told["codes"], *below}, entry["file"]
        assert told["issuer"] == entry["issuer"]
        assert told["actions"] == entry["active_actions"]
        assert evidence.status is (
            Status.INVALID if expected["state"] == "Invalid" else Status.PRESENT
        )
        declared = {(e["where"] == "active", e["source_type"]) for e in told["ai_declared"]}
        assert declared >= {
            (each["in_active"], NEWSCODES + each["dst"]) for each in entry["ai_declarations"]
        }


@needs_fixtures
def test_the_real_world_needs_the_interim_list_and_the_whole_graph():
    puppy = (FIXTURES / "microsoft__DALL-E_cloud_surfing_puppy.webp").read_bytes()
    evidence = read(puppy, None, trust=TrustProfile.named())
    assert evidence.facts["trust"] == "interim"
    assert evidence.facts["freshness"] == "timestamped"
    assert evidence.payload == TRAINED
    assert evidence.facts["software_agent"] == {"name": "DALL·E", "version": None}
    assert all(entry["where"] != "active" for entry in evidence.facts["ai_declared"])
    camera = (FIXTURES / "c2pa-org__adobe-20220124-C.jpg").read_bytes()
    assert facts(camera)["trust"] == "test"
    assert facts(camera)["trust_list"] is None


@needs_fixtures
def test_an_expired_certificate_leaves_integrity_alone():
    name = "microsoft__cards_expired_without_timestamp.jpg"
    evidence = read((FIXTURES / name).read_bytes(), None, trust=TrustProfile.named())
    assert evidence.status is Status.INVALID
    assert {k: evidence.facts[k] for k in ("integrity", "signature", "freshness")} == {
        "integrity": "match", "signature": "valid", "freshness": "expired",
    }  # fmt: skip
    assert "expired" in evidence.detail


# --- Trust ---------------------------------------------------------------------------------------


def test_the_snapshot_is_what_its_listing_says():
    listing = tomllib.loads((SNAPSHOT / "SNAPSHOT.toml").read_text())
    for entry in listing["lists"]:
        pem = (SNAPSHOT / entry["file"]).read_bytes()
        assert hashlib.sha256(pem).hexdigest() == entry["sha256"]
        assert pem.count(b"BEGIN CERTIFICATE") == entry["anchors"]
    assert len(listing["lists"]) == len(list(Path(str(SNAPSHOT)).glob("*.pem")))
    assert str(listing["date"]) == "2026-08-21"


def test_profiles():
    official, default = TrustProfile.named("official"), TrustProfile.named()
    assert {entry.grade for entry in official.lists} == {Grade.OFFICIAL}
    assert {entry.grade for entry in default.lists} == {Grade.OFFICIAL, Grade.INTERIM}
    assert pickle.loads(pickle.dumps(default)) == default
    with pytest.raises(SigningError, match="profile"):
        TrustProfile.named("everybody")


def test_user_lists(tmp_path, signed, home):
    trust = NOBODY.with_file(home / "root.pem")
    assert facts(signed, trust)["trust"] == "user"
    assert len(trust.with_file(home / "root.pem").lists) == 1
    (tmp_path / "empty.pem").write_text("no certificate")
    for name in ("empty.pem", "missing.pem"):
        with pytest.raises(SigningError) as caught:
            NOBODY.with_file(tmp_path / name)
        assert caught.value.path == str(tmp_path / name)
    assert NOBODY.with_dev(tmp_path) is NOBODY


def test_a_time_stamping_anchor_does_not_vouch_for_signers(signed, home):
    trust = NOBODY.with_file(home / "root.pem", kind="tsa")
    told = facts(signed, trust)
    assert (told["state"], told["trust"], told["trust_list"]) == ("Valid", "untrusted", None)
    assert told["codes"] == ["signingCredential.untrusted"]


def test_an_anchor_on_several_lists_counts_for_the_best(signed, home):
    """The SDK names any of them by chance; 16 roots are on both official lists."""
    root = home / "root.pem"
    trust = NOBODY.with_file(root, kind="tsa").with_file(root).with_file(root, grade=Grade.INTERIM)
    for _ in range(12):  # a fresh context each time, as chance is drawn when it is made
        trust = dataclasses.replace(trust, name=trust.name + "+")
        assert facts(signed, trust)["trust"] == "interim"
    names = [anchor["trust_uri"] for anchor in settings(TrustProfile.named())["trust"]["anchors"]]
    assert names == ["c2pa:trust-list", "cai:interim-anchors", "c2pa:tsa-trust-list"]


# --- Timestamps ----------------------------------------------------------------------------------


@pytest.fixture
def pem_signer(tmp_path):
    authority = Authority()
    chain, key = authority.issue()
    for name, pem in (("chain", chain), ("key", key), ("ca", authority.pem)):
        (tmp_path / f"{name}.pem").write_bytes(pem)
    return Signer.pem(tmp_path / "chain.pem", tmp_path / "key.pem")


@pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl plays the authority")
def test_a_timestamp_counts_if_its_authority_is_trusted(pem_signer, tmp_path):
    with time_stamping_authority(tmp_path) as (url, root):
        timely = dataclasses.replace(pem_signer, tsa_url=url, timestamp=Timestamp.REQUIRED)
        done = write(JPEG, Format.JPEG, label=GENERATED, signer=timely)
    assert done.outcome.facts["timestamped"]
    unknown = facts(done.data)
    assert (unknown["freshness"], unknown["timestamped"]) == ("current", False)
    assert unknown["time"] is not None
    known = facts(done.data, NOBODY.with_file(root, kind="tsa"))
    assert (known["freshness"], known["timestamped"]) == ("timestamped", True)


def test_an_unreachable_time_stamping_authority(pem_signer):
    nowhere = "http://127.0.0.1:9/"
    required = dataclasses.replace(pem_signer, tsa_url=nowhere, timestamp=Timestamp.REQUIRED)
    with pytest.raises(SigningError, match="time-stamping authority"):
        write(JPEG, Format.JPEG, label=GENERATED, signer=required)
    trying = dataclasses.replace(required, timestamp=Timestamp.BEST_EFFORT)
    done = write(JPEG, Format.JPEG, label=GENERATED, signer=trying)
    assert done.outcome.facts["timestamped"] is False
    with pytest.raises(SigningError, match="address"):
        dataclasses.replace(pem_signer, tsa_url="tsa.example")
    assert Signer.pem("a", "b").timestamp is Timestamp.OFF


# --- Callbacks, threads, processes ---------------------------------------------------------------


def test_a_key_that_stays_elsewhere():
    key = ec.generate_private_key(ec.SECP256R1())
    chain, _ = Authority().issue(key)
    asked = []

    def sign(data: bytes) -> bytes:
        asked.append(len(data))
        return key.sign(data, ec.ECDSA(hashes.SHA256()))

    remote = Signer.callback(sign, "es256", chain)
    done = write(JPEG, Format.JPEG, label=GENERATED, signer=remote)
    assert facts(done.data)["issuer"] == "Test Org"
    assert len(asked) == 1
    with pytest.raises(SigningError, match="rot13"):
        Signer.callback(sign, "rot13", chain)


def test_what_a_callback_raises_is_the_cause():
    class KmsDown(Exception):
        pass

    def sign(data: bytes) -> bytes:
        raise KmsDown("no route")

    remote = Signer.callback(sign, "es256", Authority().issue()[0])
    with pytest.raises(SigningError, match="no route") as caught:
        write(JPEG, Format.JPEG, label=GENERATED, signer=remote)
    assert isinstance(caught.value.__cause__, KmsDown)


def test_a_wrong_signature_is_no_success():
    remote = Signer.callback(lambda data: b"\1" * 64, "es256", Authority().issue()[0])
    with pytest.raises(SigningError, match="does not fit the certificate"):
        write(JPEG, Format.JPEG, label=GENERATED, signer=remote)


def sign_one(signer: Signer) -> str:
    done = write(JPEG, Format.JPEG, label=GENERATED, signer=signer)
    return read(done.data, None, trust=NOBODY).facts["state"]


def test_threads_share_a_signer(signer):
    with ThreadPoolExecutor(8) as pool:
        assert set(pool.map(sign_one, [signer] * 40)) == {"Valid"}


def test_a_forked_child_makes_its_own_sdk_objects(signer):
    assert sign_one(signer) == "Valid"  # so the parent holds some
    with multiprocessing.get_context("fork").Pool(2) as pool:
        assert pool.map(sign_one, [signer] * 4) == ["Valid"] * 4


def test_a_signer_travels_to_a_fresh_process_without_secrets(signer, home):
    frozen = pickle.dumps(signer)
    assert pickle.loads(frozen) == signer
    assert b"PRIVATE" not in frozen
    code = (
        "import pickle, sys; sys.path[:0] = sys.argv[2:]; import test_credentials as t;"
        "print(t.sign_one(pickle.loads(bytes.fromhex(sys.argv[1]))))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, frozen.hex(), *sys.path], capture_output=True, text=True
    )
    assert done.stdout.strip() == "Valid", done.stderr


def test_the_sdk_is_loaded_on_first_use_only():
    code = (
        "import sys, aiglabel.marks.credentials;"
        "print({'c2pa', 'cryptography', 'numpy'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"
