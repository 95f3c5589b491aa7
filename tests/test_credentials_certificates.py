"""The linter explains exactly what the SDK refuses, and the development chain is made once."""

from __future__ import annotations

import multiprocessing
import stat
from datetime import UTC, datetime, timedelta
from functools import partial

import pytest
from credentials_kit import (
    CLAIM_SIGNING,
    EMAIL,
    Authority,
    ed25519_key,
    key_pem,
    picture,
)
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID

from aiglabel.containers.sniff import Format
from aiglabel.errors import SigningError
from aiglabel.label import Label
from aiglabel.marks.credentials import (
    Signer,
    TrustProfile,
    lint_chain,
    make_dev_chain,
    write,
)
from aiglabel.marks.credentials.manifest import define
from aiglabel.marks.credentials.trust import context

LABEL = Label.generated(producer="P", content_id="1", model="m", model_version="1")
CA = Authority()
OTHER_CA = Authority()
DOCUMENT = x509.ObjectIdentifier("1.3.6.1.5.5.7.3.36")
rsa_key = partial(rsa.generate_private_key, 65537)


def errors(chain: bytes, key: bytes | None = None, **options) -> list[str]:
    return [f.code for f in lint_chain(chain, key, **options) if f.severity == "error"]


def sdk_signs(chain: bytes, key: bytes, algorithm: str = "es256") -> bool:
    """Whether the SDK itself signs with it and reads the result as valid."""
    import io
    import json

    import c2pa

    definition = define(
        LABEL, Format.JPEG, marks=(), title="", has_parent=False, soft_binding=False
    )
    settings = context(TrustProfile.named("none"))
    signed = io.BytesIO()
    try:
        signer = c2pa.Signer.from_info(c2pa.C2paSignerInfo(algorithm, chain, key, None))
        with c2pa.Builder(definition, settings) as builder:
            builder.sign(signer, "image/jpeg", io.BytesIO(picture(Format.JPEG)), signed)
        reader = c2pa.Reader("image/jpeg", signed, context=settings)
    except c2pa.C2paError:
        return False
    return json.loads(reader.json())["validation_state"] == "Valid"


GOOD = {
    "es256": (lambda: CA.issue(), "es256"),
    "es384": (lambda: CA.issue(ec.generate_private_key(ec.SECP384R1())), "es384"),
    "es512": (lambda: CA.issue(ec.generate_private_key(ec.SECP521R1())), "es512"),
    "ps256": (lambda: CA.issue(rsa_key(2048)), "ps256"),
    "ed25519": (lambda: CA.issue(ed25519_key()), "ed25519"),
    "email only": (lambda: CA.issue(purposes=(EMAIL,)), "es256"),
    "claim signing only": (lambda: CA.issue(purposes=(CLAIM_SIGNING,)), "es256"),
    "document signing only": (lambda: CA.issue(purposes=(DOCUMENT,)), "es256"),
    "no organization": (lambda: CA.issue(organization=None), "es256"),
    "purposes critical": (lambda: CA.issue(critical_purposes=True), "es256"),
}


@pytest.mark.parametrize("name", GOOD)
def test_the_linter_passes_what_the_sdk_accepts(name):
    make, algorithm = GOOD[name]
    chain, key = make()
    assert errors(chain, key) == []
    assert sdk_signs(chain, key, algorithm)


TIME_STAMPING = ExtendedKeyUsageOID.TIME_STAMPING
BAD = {
    "leaf.key-usage": [{"usages": None}, {"usages": ("key_encipherment",)},
                       {"usages": ("digital_signature", "key_cert_sign")}],
    "leaf.purpose": [{"purposes": None}, {"purposes": (ExtendedKeyUsageOID.SERVER_AUTH,)},
                     {"purposes": (ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE,)},
                     {"purposes": (EMAIL, TIME_STAMPING)},
                     {"purposes": (EMAIL, ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE)}],
    "leaf.authority-key-id": [{"aki": False}],
    "leaf.expired": [{"start": timedelta(days=-9), "end": timedelta(days=-2)}],
    "leaf.not-yet-valid": [{"start": timedelta(days=2)}],
    "leaf.key-kind": [{"key": rsa_key(1024)}, {"key": ec.generate_private_key(ec.SECP256K1())}],
}  # fmt: skip


@pytest.mark.parametrize(
    ("code", "flaw"), [(code, flaw) for code, flaws in BAD.items() for flaw in flaws]
)
def test_the_linter_names_what_the_sdk_only_calls_invalid(code, flaw):
    chain, key = CA.issue(**flaw)
    assert code in errors(chain, key)
    rsa_leaf = isinstance(flaw.get("key"), rsa.RSAPrivateKey)
    assert not sdk_signs(chain, key, "ps256" if rsa_leaf else "es256")


def test_a_time_stamping_certificate_is_no_signer_though_the_sdk_would_take_it():
    chain, key = CA.issue(purposes=(TIME_STAMPING,))
    assert errors(chain, key) == ["leaf.purpose"]


def test_a_certificate_authority_is_no_signer():
    key = key_pem(CA.key)
    assert "leaf.is-authority" in errors(CA.pem, key)
    assert not sdk_signs(CA.pem, key)


def test_sha1_certificates_are_refused():
    # cryptography no longer signs with SHA-1, so the digest is looked at through a stand-in.
    from aiglabel.marks.credentials.certificates import _check_algorithms

    chain, _ = CA.issue()
    leaf = x509.load_pem_x509_certificate(chain)

    class Old:
        version, signature_hash_algorithm = leaf.version, hashes.SHA1()

        def public_key(self):
            return leaf.public_key()

    assert [finding.code for finding in _check_algorithms(Old())] == ["leaf.digest"]


def test_order_and_gaps_of_a_chain():
    chain, key = CA.issue()
    assert errors(chain + CA.pem, key) == []
    assert "chain.order" in errors(CA.pem + chain)
    assert errors(chain + OTHER_CA.pem) == ["chain.broken"]
    assert "chain.short" in {finding.code for finding in lint_chain(chain)}
    assert "chain.short" not in {finding.code for finding in lint_chain(chain + CA.pem)}


@pytest.mark.parametrize("junk", [b"", b"hello", b"\xff\0", b"-----BEGIN CERTIFICATE-----\nAA"])
def test_what_is_no_chain_is_a_finding(junk):
    assert errors(junk)[0] in ("chain.empty", "chain.unreadable")
    assert errors(CA.issue()[0], junk) == ["key.unreadable"]


def test_keys_of_every_form_and_their_passwords(tmp_path, monkeypatch):
    key = ec.generate_private_key(ec.SECP256R1())
    chain, _ = CA.issue(key)
    sealed = key_pem(key, password=b"secret")
    assert errors(chain, sealed) == ["key.unreadable"]
    assert errors(chain, sealed, password=b"wrong") == ["key.unreadable"]
    assert errors(chain, sealed, password=b"secret") == []
    assert errors(chain, key_pem(ec.generate_private_key(ec.SECP256R1()))) == ["key.mismatch"]

    (tmp_path / "chain.pem").write_bytes(chain)
    monkeypatch.setenv("TEST_KEY_PASSWORD", "secret")
    old = key_pem(key, form="TraditionalOpenSSL")
    for pem, variable in ((old, None), (sealed, "TEST_KEY_PASSWORD")):
        (tmp_path / "key.pem").write_bytes(pem)
        signer = Signer.pem(tmp_path / "chain.pem", tmp_path / "key.pem", password_env=variable)
        done = write(picture(Format.JPEG), Format.JPEG, label=LABEL, signer=signer)
        assert done.outcome.facts["issuer"] == "Test Org"
    monkeypatch.delenv("TEST_KEY_PASSWORD")
    (tmp_path / "key.pem").write_bytes(sealed + b"\n")
    with pytest.raises(SigningError, match="TEST_KEY_PASSWORD"):
        write(picture(Format.JPEG), Format.JPEG, label=LABEL, signer=signer)


def test_a_bad_certificate_is_explained_before_signing(tmp_path):
    chain, key = CA.issue(usages=None, aki=False)
    (tmp_path / "chain.pem").write_bytes(chain)
    (tmp_path / "key.pem").write_bytes(key)
    signer = Signer.pem(tmp_path / "chain.pem", tmp_path / "key.pem")
    with pytest.raises(SigningError, match=r"no key usage.*authority key identifier") as caught:
        write(picture(Format.JPEG), Format.JPEG, label=LABEL, signer=signer)
    assert caught.value.path == str(tmp_path / "chain.pem")
    with pytest.raises(SigningError, match="cannot be read"):
        write(
            picture(Format.JPEG), Format.JPEG, label=LABEL,
            signer=Signer.pem(tmp_path / "none.pem", tmp_path / "key.pem"),
        )  # fmt: skip


def test_a_renewed_certificate_is_used_without_a_restart(tmp_path):
    signer = Signer.pem(tmp_path / "chain.pem", tmp_path / "key.pem")
    for organization in ("First", "Second"):
        chain, key = CA.issue(organization=organization)
        (tmp_path / "chain.pem").write_bytes(chain)
        (tmp_path / "key.pem").write_bytes(key)
        done = write(picture(Format.JPEG), Format.JPEG, label=LABEL, signer=signer)
        assert done.outcome.facts["issuer"] == organization


def test_the_development_chain_is_sound_and_lasts_five_years():
    made = make_dev_chain()
    assert errors(made.chain, made.key) == []
    assert sdk_signs(made.chain, made.key)
    later = datetime.now(UTC) + timedelta(days=365 * 5 - 1)
    assert errors(made.chain, made.key, now=later) == []
    assert errors(made.chain, now=later + timedelta(days=5)) == ["leaf.expired"]


def _make(directory) -> bytes:
    return open(Signer.dev(directory).chain_path, "rb").read()


def test_of_processes_that_start_at_once_one_makes_the_development_signer(tmp_path):
    home = tmp_path / "config" / "dev-signer"
    with multiprocessing.get_context("fork").Pool(4) as pool:
        chains = set(pool.map(_make, [home] * 8))
    assert len(chains) == 1
    assert [path.name for path in home.parent.iterdir()] == ["dev-signer"]
    assert stat.S_IMODE(home.stat().st_mode) == 0o700
    assert stat.S_IMODE((home / "key.pem").stat().st_mode) == 0o600
    assert sorted(path.name for path in home.iterdir()) == ["chain.pem", "key.pem", "root.pem"]


def test_a_development_signer_that_cannot_be_made_is_an_error(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(SigningError, match="cannot be written"):
        Signer.dev(tmp_path / "file" / "dev")
    (tmp_path / "half").mkdir()
    (tmp_path / "half" / "key.pem").write_text("")
    with pytest.raises(SigningError, match="cannot be written"):
        Signer.dev(tmp_path / "half")
