"""What C2PA asks of a signing certificate, checked in plain words before the SDK sees it.

The SDK says no more than "the certificate is invalid". The rules below are those of C2PA 2.4
§14.5 as c2pa-rs 0.91 enforces them; findings of severity ``info`` are what the C2PA conformance
programme (certificate profile 0.2) wants on top.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Literal

from aiglabel.errors import SigningError
from aiglabel.marks.credentials.devcert import CLAIM_SIGNING
from aiglabel.marks.credentials.pem import load_chain, load_key, signing_algorithm

if TYPE_CHECKING:
    from cryptography import x509
    from cryptography.hazmat.primitives.asymmetric.types import PublicKeyTypes

EMAIL_PROTECTION = "1.3.6.1.5.5.7.3.4"
DOCUMENT_SIGNING = "1.3.6.1.5.5.7.3.36"
_TIME_STAMPING = "1.3.6.1.5.5.7.3.8"
_OCSP_SIGNING = "1.3.6.1.5.5.7.3.9"
_MICROSOFT_SIGNING = "1.3.6.1.4.1.311.76.59.1.9"
_ANY_PURPOSE = "2.5.29.37.0"
_SIGNING_PURPOSES = {EMAIL_PROTECTION, DOCUMENT_SIGNING, _MICROSOFT_SIGNING, CLAIM_SIGNING}
_PROGRAMME_POLICY = "1.3.6.1.4.1.62558.1.1"

Severity = Literal["error", "warning", "info"]


@dataclass(frozen=True)
class CertFinding:
    """One thing to know about a certificate.

    Attributes
    ----------
    severity : {"error", "warning", "info"}
        error: signing fails; warning: it signs, but readers will have doubts; info: missing for
        the C2PA conformance programme only.
    code : str
        Stable name, e.g. ``leaf.key-usage``.
    message, remedy : str
        What is wrong, and what to ask the certificate authority for.
    """

    severity: Severity
    code: str
    message: str
    remedy: str = ""


_error = partial(CertFinding, "error")
_warning = partial(CertFinding, "warning")
_info = partial(CertFinding, "info")


def lint_chain(
    cert_pem: bytes,
    key_pem: bytes | None = None,
    *,
    password: bytes | None = None,
    now: datetime | None = None,
) -> list[CertFinding]:
    """Explain what stands between a certificate chain and a good C2PA signature.

    Parameters
    ----------
    cert_pem : bytes
        The signing certificate first, then its intermediates.
    key_pem : bytes, optional
        Its private key; PKCS#8, PKCS#1 or SEC 1, encrypted or not.
    password : bytes, optional
        Password of the key.
    now : datetime, optional
        Aware; defaults to the clock.

    Returns
    -------
    list of CertFinding
        Errors first. Empty when nothing is to be said.
    """
    try:
        chain = load_chain(cert_pem)
    except SigningError as error:
        return [_error("chain.unreadable", error.reason, error.remedy or "")]
    if not chain:
        return [
            _error(
                "chain.empty",
                "the file holds no certificate",
                "Give PEM text: '-----BEGIN CERTIFICATE-----', the signing certificate first",
            )
        ]
    leaf = chain[0]
    findings = [
        *_check_order(chain),
        *_check_validity(leaf, now or datetime.now(UTC)),
        *_check_algorithms(leaf),
        *_check_extensions(leaf),
        *(_check_key(leaf, key_pem, password) if key_pem is not None else ()),
    ]
    rank = {"error": 0, "warning": 1, "info": 2}
    return sorted(findings, key=lambda finding: rank[finding.severity])


def _check_order(chain: list[x509.Certificate]) -> Iterator[CertFinding]:
    leaf = chain[0]
    if any(_issued(leaf, other) for other in chain[1:]):
        yield _error(
            "chain.order",
            "the first certificate issued another one of the chain, so it is not the signing one",
            "Order the file: signing certificate first, then each certificate's issuer",
        )
        return
    for child, parent in pairwise(chain):
        if not _issued(parent, child):
            yield _error(
                "chain.broken",
                f"{_called(parent)} did not issue {_called(child)}, which stands before it",
                "Order the file leaf first, and put in every intermediate certificate",
            )
            return
    if len(chain) == 1 and leaf.issuer != leaf.subject:
        yield _warning(
            "chain.short",
            "no intermediate certificate is given, so readers must know the issuer, "
            f"{leaf.issuer.rfc4514_string()}",
            "Append the intermediate certificates unless a root issued this one directly",
        )


def _issued(parent: x509.Certificate, child: x509.Certificate) -> bool:
    from cryptography.exceptions import InvalidSignature

    if parent.subject != child.issuer:
        return False
    try:
        child.verify_directly_issued_by(parent)
    except (ValueError, TypeError, InvalidSignature):
        return False
    return True


def _check_validity(leaf: x509.Certificate, now: datetime) -> Iterator[CertFinding]:
    start, end = leaf.not_valid_before_utc, leaf.not_valid_after_utc
    if now < start:
        yield _error(
            "leaf.not-yet-valid",
            f"the certificate is valid from {start:%Y-%m-%d %H:%M} UTC only",
            "Wait, or check this machine's clock",
        )
    elif now > end:
        yield _error("leaf.expired", f"the certificate expired on {end:%Y-%m-%d}", "Renew it")
    elif end - now < timedelta(days=30):
        yield _warning(
            "leaf.expires-soon",
            f"the certificate expires on {end:%Y-%m-%d}; files signed without a timestamp turn "
            "invalid on that day",
            "Renew it, and sign with a time-stamping authority",
        )
    if end - start > timedelta(days=366):
        yield _info(
            "programme.validity",
            "the certificate is valid for more than 366 days",
            "The C2PA programme issues them for a year at most",
        )


def _check_algorithms(leaf: x509.Certificate) -> Iterator[CertFinding]:
    from cryptography import x509

    if leaf.version is not x509.Version.v3:
        yield _error(
            "leaf.version",
            "the certificate is not of X.509 version 3",
            "Ask for version 3",
        )
    if signing_algorithm(leaf.public_key()) is None:
        yield _error(
            "leaf.key-kind",
            "C2PA cannot sign with this kind or size of key",
            "Use EC P-256 (best supported), P-384, P-521, Ed25519, or RSA of 2048 bits or more",
        )
    digest = _digest_name(leaf)
    if digest is not None and digest not in {"sha256", "sha384", "sha512"}:
        yield _error(
            "leaf.digest",
            f"the certificate itself is signed with {digest}",
            "Ask for one signed with SHA-256, SHA-384 or SHA-512",
        )


def _digest_name(leaf: x509.Certificate) -> str | None:
    from cryptography.exceptions import UnsupportedAlgorithm

    try:
        digest = leaf.signature_hash_algorithm
    except UnsupportedAlgorithm:
        return "an unknown algorithm"
    return digest.name if digest is not None else None  # None: Ed25519 hashes for itself


def _check_extensions(leaf: x509.Certificate) -> Iterator[CertFinding]:
    try:
        extensions = {extension.oid.dotted_string: extension for extension in leaf.extensions}
    except ValueError:
        yield _error(
            "leaf.extensions",
            "the certificate's extensions cannot be read",
            "Have it reissued",
        )
        return
    yield from _check_basic_constraints(leaf, _value(extensions, "2.5.29.19"))
    yield from _check_key_usage(extensions.get("2.5.29.15"))
    yield from _check_purposes(_value(extensions, "2.5.29.37"))
    if "2.5.29.35" not in extensions:
        yield _error(
            "leaf.authority-key-id",
            "the authority key identifier is missing",
            "C2PA needs this extension even in a self-signed certificate",
        )
    if not leaf.subject.get_attributes_for_oid(_organization_oid()):
        yield _warning(
            "leaf.organization",
            "the certificate names no organization, so readers see a signature by nobody",
            "Ask for the subject field O (organization)",
        )
    yield from _check_programme(extensions)


def _check_basic_constraints(
    leaf: x509.Certificate, constraints: Any | None
) -> Iterator[CertFinding]:
    if constraints is not None and constraints.ca:
        yield _error(
            "leaf.is-authority",
            f"the first certificate, {_called(leaf)}, is a certificate authority (CA:TRUE)",
            "Sign with an end-entity certificate (CA:FALSE) that the authority issued",
        )


def _check_key_usage(usage: x509.Extension[Any] | None) -> Iterator[CertFinding]:
    if usage is None:
        yield _error(
            "leaf.key-usage",
            "the certificate has no key usage",
            "Ask for key usage digitalSignature",
        )
        return
    if not usage.value.digital_signature:
        yield _error(
            "leaf.key-usage",
            "the key usage does not include digitalSignature",
            "Ask for key usage digitalSignature",
        )
    if usage.value.key_cert_sign:
        yield _error(
            "leaf.key-usage",
            "the key usage allows signing certificates (keyCertSign)",
            "Ask for a certificate without keyCertSign",
        )
    if not (usage.critical and usage.value.content_commitment):
        yield _info(
            "programme.key-usage",
            "the key usage is not critical with nonRepudiation",
            "The C2PA programme wants digitalSignature and nonRepudiation, critical",
        )


def _check_purposes(extended: Any | None) -> Iterator[CertFinding]:
    purposes = {oid.dotted_string for oid in extended} if extended is not None else set()
    remedy = "Ask for extended key usage c2pa-kp-claimSigning and emailProtection"
    if not purposes:
        yield _error(
            "leaf.purpose", "the certificate names no purpose (extended key usage)", remedy
        )
    elif _ANY_PURPOSE in purposes:
        yield _error("leaf.purpose", "the purpose anyExtendedKeyUsage is not allowed", remedy)
    elif purposes & {_TIME_STAMPING, _OCSP_SIGNING}:
        yield _error(
            "leaf.purpose",
            "a certificate for time-stamping or OCSP must not sign claims",
            remedy,
        )
    elif not purposes & _SIGNING_PURPOSES:
        yield _error(
            "leaf.purpose",
            "the certificate is for other purposes than signing documents "
            "or claims, such as a web server",
            remedy,
        )
    elif EMAIL_PROTECTION not in purposes:
        yield _warning(
            "leaf.purpose-rare",
            "the purposes lack emailProtection: readers built on the C2PA SDK as it comes call "
            "such a file invalid",
            remedy,
        )


def _check_programme(extensions: dict[str, x509.Extension[Any]]) -> Iterator[CertFinding]:
    extended, policies = _value(extensions, "2.5.29.37"), _value(extensions, "2.5.29.32")
    if extended is not None and CLAIM_SIGNING not in {oid.dotted_string for oid in extended}:
        yield _info(
            "programme.purpose",
            f"purpose c2pa-kp-claimSigning ({CLAIM_SIGNING}) is missing",
            "Certificates of the C2PA programme have it",
        )
    named = {policy.policy_identifier.dotted_string for policy in policies or ()}
    if not any(name.startswith(_PROGRAMME_POLICY) for name in named):
        yield _info(
            "programme.policy",
            "it was not issued under the C2PA certificate policy",
            "Verifiers list it as trusted only if its issuer is on the C2PA trust list",
        )


def _check_key(
    leaf: x509.Certificate, key_pem: bytes, password: bytes | None
) -> Iterator[CertFinding]:
    try:
        key = load_key(key_pem, password)
    except SigningError as error:
        yield _error("key.unreadable", error.reason, error.remedy or "")
        return
    if _spki(key.public_key()) != _spki(leaf.public_key()):
        yield _error(
            "key.mismatch",
            "the private key does not belong to the first certificate",
            "Give the key the certificate was requested with",
        )


def _spki(key: PublicKeyTypes) -> bytes:
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    return key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def _value(extensions: dict[str, x509.Extension[Any]], oid: str) -> Any | None:
    extension = extensions.get(oid)
    return extension.value if extension is not None else None


def _organization_oid() -> x509.ObjectIdentifier:
    from cryptography.x509 import NameOID

    return NameOID.ORGANIZATION_NAME


def _called(certificate: x509.Certificate) -> str:
    return f"'{certificate.subject.rfc4514_string() or 'without a name'}'"
