"""The development certificate: made on this machine, trusted by nobody else.

A root of ten years issues one leaf of five years and its key is thrown away, so nothing more can
be signed in its name. Five years because files signed without a timestamp turn invalid on the day
the leaf expires.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from aiglabel.errors import SigningError

if TYPE_CHECKING:
    from cryptography import x509
    from cryptography.hazmat.primitives.asymmetric import ec

CLAIM_SIGNING = "1.3.6.1.4.1.62558.2.1"  # c2pa-kp-claimSigning
_FILES = ("chain.pem", "key.pem", "root.pem")


class DevChain(NamedTuple):
    """PEM texts of a development signer; `chain` holds the leaf only."""

    chain: bytes
    key: bytes
    root: bytes


def dev_directory(directory: str | os.PathLike[str] | None = None) -> Path:
    """Return where the development signer lives, by default below the user's configuration."""
    if directory is not None:
        return Path(directory)
    base = os.environ.get("APPDATA") if os.name == "nt" else os.environ.get("XDG_CONFIG_HOME")
    return (Path(base) if base else Path.home() / ".config") / "aiglabel" / "dev-signer"


def ensure_dev_chain(directory: str | os.PathLike[str] | None = None) -> Path:
    """Return the directory of the development signer, making it if there is none.

    It appears by one rename, so of several processes that start at once exactly one wins and
    nobody ever sees half of it. Directory mode 0700, key mode 0600.

    Raises
    ------
    SigningError
        When the directory cannot be written or is something else.
    """
    home = dev_directory(directory)
    if not _complete(home):
        try:
            _publish(home, make_dev_chain())
        except OSError as error:
            raise SigningError(
                f"the development certificate cannot be written ({error.strerror})", path=home,
                remedy="Name a writable directory, or remove what is left of an older one",
            ) from error  # fmt: skip
    return home


def make_dev_chain(now: datetime | None = None) -> DevChain:
    """Make a fresh ES256 root and leaf; the root's key is not kept.

    Parameters
    ----------
    now : datetime, optional
        Start of validity less five minutes, for clocks that are slightly behind.
    """
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    start = (now or datetime.now(UTC)) - timedelta(minutes=5)
    root_key, leaf_key = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
    root_name, leaf_name = _name("root"), _name("signer")
    root_id = x509.SubjectKeyIdentifier.from_public_key(root_key.public_key())

    root = (
        _certificate(root_name, root_name, root_key.public_key(), start, years=10)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_usage("key_cert_sign", "crl_sign"), critical=True)
        .add_extension(root_id, critical=False)
        .sign(root_key, hashes.SHA256())
    )
    purposes = [x509.oid.ExtendedKeyUsageOID.EMAIL_PROTECTION, x509.ObjectIdentifier(CLAIM_SIGNING)]
    leaf_id = x509.SubjectKeyIdentifier.from_public_key(leaf_key.public_key())
    issuer_id = x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(root_id)
    leaf = (
        _certificate(leaf_name, root_name, leaf_key.public_key(), start, years=5)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage("digital_signature", "content_commitment"), critical=True)
        .add_extension(x509.ExtendedKeyUsage(purposes), critical=False)
        .add_extension(leaf_id, critical=False)
        .add_extension(issuer_id, critical=False)
        .sign(root_key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    key = leaf_key.private_bytes(
        pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return DevChain(chain=leaf.public_bytes(pem), key=key, root=root.public_bytes(pem))


def _complete(home: Path) -> bool:
    return all((home / name).is_file() for name in _FILES)


def _publish(home: Path, made: DevChain) -> None:
    home.parent.mkdir(parents=True, exist_ok=True)
    draft = Path(tempfile.mkdtemp(prefix=".dev-signer-", dir=home.parent))  # mkdtemp makes it 0700
    try:
        for name, pem in zip(_FILES, made, strict=True):
            handle = os.open(draft / name, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(handle, "wb") as file:
                file.write(pem)
                file.flush()
                os.fsync(file.fileno())
        try:
            draft.rename(home)
        except OSError:
            if not _complete(home):  # else another process was first, and its signer serves
                raise
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def _certificate(
    subject: x509.Name,
    issuer: x509.Name,
    key: ec.EllipticCurvePublicKey,
    start: datetime,
    *,
    years: int,
) -> x509.CertificateBuilder:
    from cryptography import x509

    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(start)
        .not_valid_after(start + timedelta(days=round(365.25 * years)))
    )


def _name(role: str) -> x509.Name:
    from cryptography import x509

    return x509.Name([
        x509.NameAttribute(x509.NameOID.ORGANIZATION_NAME, "aiglabel dev (not trusted)"),
        x509.NameAttribute(x509.NameOID.COMMON_NAME, f"aiglabel development {role}"),
    ])  # fmt: skip


def _usage(*granted: str) -> x509.KeyUsage:
    from cryptography import x509

    every = (
        "digital_signature", "content_commitment", "key_encipherment", "data_encipherment",
        "key_agreement", "key_cert_sign", "crl_sign", "encipher_only", "decipher_only",
    )  # fmt: skip
    return x509.KeyUsage(**{name: name in granted for name in every})
