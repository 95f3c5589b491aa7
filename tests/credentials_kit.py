"""Small pictures, certificates and a time-stamping authority for the tests of the credentials."""

from __future__ import annotations

import io
import subprocess
import threading
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from PIL import Image

from aiglabel.containers.sniff import Format

SHARED = Path(__file__).resolve().parents[2] / "shared"
FIXTURES = SHARED / "c2pa-fixtures"
CLAIM_SIGNING = x509.ObjectIdentifier("1.3.6.1.4.1.62558.2.1")
EMAIL = ExtendedKeyUsageOID.EMAIL_PROTECTION
PEM = serialization.Encoding.PEM
USAGES = (
    "digital_signature", "content_commitment", "key_encipherment", "data_encipherment",
    "key_agreement", "key_cert_sign", "crl_sign", "encipher_only", "decipher_only",
)  # fmt: skip


def picture(fmt: Format, *, side: int = 64, frames: int = 1) -> bytes:
    noise = np.random.default_rng(7)
    images = [
        Image.fromarray(noise.integers(0, 256, (side, side, 3), dtype=np.uint8))
        for _ in range(frames)
    ]
    coded = io.BytesIO()
    more = {"save_all": True, "append_images": images[1:]} if frames > 1 else {}
    images[0].save(coded, fmt.value.upper(), **more)
    return coded.getvalue()


def pixels(data: bytes) -> bytes:
    with Image.open(io.BytesIO(data)) as image:
        frames = []
        for index in range(getattr(image, "n_frames", 1)):
            image.seek(index)
            frames.append(image.convert("RGBA").tobytes())
    return b"".join(frames)


class Authority:
    """A root that issues leaves with any flaw one asks for."""

    def __init__(self) -> None:
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.name = _name("test root")
        self.ski = x509.SubjectKeyIdentifier.from_public_key(self.key.public_key())
        self.certificate = (
            self._draft(self.name, self.key.public_key(), timedelta(days=-1), timedelta(days=900))
            .add_extension(x509.BasicConstraints(True, None), critical=True)
            .add_extension(usage("key_cert_sign", "crl_sign"), critical=True)
            .add_extension(self.ski, critical=False)
            .sign(self.key, hashes.SHA256())
        )
        self.pem = self.certificate.public_bytes(PEM)

    def issue(
        self,
        key=None,
        *,
        purposes=(EMAIL, CLAIM_SIGNING),
        usages=("digital_signature", "content_commitment"),
        ca=False,
        aki=True,
        start=timedelta(days=-1),
        end=timedelta(days=300),
        organization="Test Org",
        critical_purposes=False,
    ) -> tuple[bytes, bytes]:
        """Return chain and key PEM."""
        key = key or ec.generate_private_key(ec.SECP256R1())
        draft = self._draft(_name("leaf", organization), key.public_key(), start, end)
        draft = draft.add_extension(x509.BasicConstraints(ca, None), critical=True)
        if usages is not None:
            draft = draft.add_extension(usage(*usages), critical=True)
        if purposes is not None:
            draft = draft.add_extension(x509.ExtendedKeyUsage(purposes), critical_purposes)
        if aki:
            issuer = x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(self.ski)
            draft = draft.add_extension(issuer, critical=False)
        leaf = draft.sign(self.key, hashes.SHA256())
        return leaf.public_bytes(PEM), key_pem(key)

    def _draft(self, subject, public, start, end):
        now = datetime.now(UTC)
        return (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self.name)
            .public_key(public)
            .serial_number(x509.random_serial_number())
            .not_valid_before(now + start)
            .not_valid_after(now + end)
        )


def key_pem(key, *, form="PKCS8", password: bytes | None = None) -> bytes:
    form = getattr(serialization.PrivateFormat, form)
    if password is None:
        return key.private_bytes(PEM, form, serialization.NoEncryption())
    return key.private_bytes(PEM, form, serialization.BestAvailableEncryption(password))


def usage(*granted: str) -> x509.KeyUsage:
    return x509.KeyUsage(**{name: name in granted for name in USAGES})


def _name(common: str, organization: str | None = "Test Org") -> x509.Name:
    parts = [x509.NameAttribute(NameOID.COMMON_NAME, common)]
    if organization:
        parts.append(x509.NameAttribute(NameOID.ORGANIZATION_NAME, organization))
    return x509.Name(parts)


def ed25519_key() -> ed25519.Ed25519PrivateKey:
    return ed25519.Ed25519PrivateKey.generate()


@contextmanager
def time_stamping_authority(home: Path):
    """Run an RFC 3161 authority on this machine; yields its address and its certificate."""
    ca = Authority()
    chain, key = ca.issue(
        purposes=(ExtendedKeyUsageOID.TIME_STAMPING,), critical_purposes=True,
        usages=("digital_signature",), organization="Test TSA",
    )  # fmt: skip
    (home / "tsa.pem").write_bytes(chain)
    (home / "tsa.key").write_bytes(key)
    (home / "root.pem").write_bytes(ca.pem)
    (home / "serial").write_text("01")
    (home / "tsa.cnf").write_text(
        f"[tsa]\ndefault_tsa = t\n[t]\ndir = {home}\nserial = {home}/serial\n"
        f"crypto_device = builtin\nsigner_cert = {home}/tsa.pem\ncerts = {home}/root.pem\n"
        f"signer_key = {home}/tsa.key\nsigner_digest = sha256\ndefault_policy = 1.2.3.4\n"
        "digests = sha256, sha384, sha512\naccuracy = secs:1\ness_cert_id_chain = no\n"
        "ess_cert_id_alg = sha256\n"
    )

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            (home / "query").write_bytes(self.rfile.read(int(self.headers["Content-Length"])))
            answer = subprocess.run(
                ["openssl", "ts", "-reply", "-config", str(home / "tsa.cnf"), "-section", "t",
                 "-queryfile", str(home / "query")],
                capture_output=True, check=True,
            ).stdout  # fmt: skip
            self.send_response(200)
            self.send_header("Content-Type", "application/timestamp-reply")
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, *args):
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/", home / "root.pem"
        finally:
            server.shutdown()
            thread.join()
