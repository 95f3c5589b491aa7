"""Security data of the AIGC label (TC260-PG-202511A): a signature over the label itself.

It travels as JSON text in ``ReservedCode1``. The signed message is the one of the guide's Annex
A.1, ASCII without braces or spaces: ``"Label":"1","ContentProducer":"…","ProduceID":"…"``. A key
that travels with the label proves integrity, not who signed; and vendors sign other messages than
A.1, so a signature that does not fit is *failed*, never called forged. SM2 is not verified.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa

from aiglabel.errors import LabelError, SigningError
from aiglabel.label import Label

RSA_SHA256 = "1.2.840.113549.1.1.11"
ECDSA_SHA256 = "1.2.840.10045.4.3.2"

_RSA_KEY = "1.2.840.113549.1.1.1"
_EC_KEY = "1.2.840.10045.2.1"
_MAX_ENTRIES = 8  # each signature is tried with each key, so both are bounded
_MAX_HEX = 4096
_MAX_RSA_BITS = 8192
_DS_NAMES = {"Md", "LabelMataData"}  # the second is how MiniMax spells it
_PUBLIC_NAMES = ("PubSD", "PubSd")  # the second is how Honor spells it

_SIGNED = ("Label", "ContentProducer", "ProduceID")

PublicKey = rsa.RSAPublicKey | ec.EllipticCurvePublicKey


class Security(StrEnum):
    """What the security data of a label shows."""

    VERIFIED = "verified"
    FAILED = "failed"
    UNSUPPORTED = "unsupported"
    ABSENT = "absent"


@dataclass(frozen=True)
class SecurityResult:
    """`result` and one plain English sentence."""

    result: Security
    detail: str


def message(label: str, producer: str, content_id: str) -> bytes:
    """Return the signed bytes of Annex A.1."""
    text = f'"Label":"{label}","ContentProducer":"{producer}","ProduceID":"{content_id}"'
    return text.encode("utf-8", "surrogatepass")


def security_data(label: Label, signing_key_pem: bytes) -> str:
    """Sign a label; the result is meant for `Label.reserved1`.

    Parameters
    ----------
    label : Label
    signing_key_pem : bytes
        Unencrypted PEM: an RSA key (PKCS #1 v1.5, SHA-256) or a P-256 key (ECDSA, SHA-256).

    Raises
    ------
    SigningError
        When the key is unreadable, encrypted or of another kind.
    LabelError
        When a signed value holds a quote, which would make the message ambiguous.
    """
    if '"' in label.producer + label.content_id:
        raise LabelError(
            "a label with a quote in producer or content_id cannot be signed",
            remedy="Leave the quote out",
        )
    signed = message(label.kind.aigc_code, label.producer, label.content_id)
    try:
        key = serialization.load_pem_private_key(signing_key_pem, password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise SigningError(
            "cannot read the label signing key", remedy="Give an unencrypted PEM private key"
        ) from error
    if isinstance(key, rsa.RSAPrivateKey):
        algorithm, key_algorithm = RSA_SHA256, _RSA_KEY
        signature = key.sign(signed, padding.PKCS1v15(), hashes.SHA256())
    elif isinstance(key, ec.EllipticCurvePrivateKey) and isinstance(key.curve, ec.SECP256R1):
        algorithm, key_algorithm = ECDSA_SHA256, _EC_KEY
        signature = key.sign(signed, ec.ECDSA(hashes.SHA256()))
    else:
        raise SigningError("labels are signed with RSA or P-256 keys only")
    public = key.public_key().public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    entries = [
        {
            "Type": "DS",
            "AlgID": algorithm,
            "TBSData": {"Type": "Md"},
            "Signature": signature.hex(),
        },
        {"Type": "PubKey", "AlgID": key_algorithm, "KeyValue": public.hex()},
    ]
    data = {"SecurityData": {"Type": "TC260PG", "Version": 1, "PubSD": entries}}
    return json.dumps(data, separators=(",", ":"))


def verify(fields: Mapping[str, str]) -> SecurityResult:
    """Check ``ReservedCode1`` of a label's seven values against the label; never raises."""
    text = fields.get("ReservedCode1", "")
    if not text:
        return SecurityResult(Security.ABSENT, "The label carries no security data.")
    entries = _public_entries(text)
    if entries is None:
        return _unsupported("ReservedCode1 holds the producer's own code, not TC260 security data")
    keys = [key for entry in entries if (key := _public_key(entry)) is not None]
    signatures = [entry for entry in entries if _signs_label(entry)]
    if not signatures:
        return _unsupported("the security data holds no signature over the label")
    if any(sign in fields.get(name, "") for name in _SIGNED for sign in '"\\'):
        return _unsupported("a quoted value makes the signed message ambiguous")
    pairs = [(entry, key) for entry in signatures for key in keys if _belong(entry, key)]
    if not pairs:
        return _unsupported("the signature's algorithm or key is not one this toolkit verifies")
    signed = message(*(fields.get(name, "") for name in _SIGNED))
    if any(_fits(entry, key, signed) for entry, key in pairs):
        return SecurityResult(
            Security.VERIFIED,
            "The label is unchanged since it was signed, by the key that travels with it.",
        )
    return SecurityResult(
        Security.FAILED, "The signature does not fit the label: changed since, or signed otherwise."
    )


def _unsupported(reason: str) -> SecurityResult:
    return SecurityResult(Security.UNSUPPORTED, f"Not verified: {reason}.")


def _public_entries(text: str) -> list[dict[str, Any]] | None:
    try:
        data = json.loads(text)
    except (ValueError, RecursionError):
        return None
    data = data.get("SecurityData") if isinstance(data, dict) else None
    if not isinstance(data, dict):
        return None
    for name in _PUBLIC_NAMES:
        entries = data.get(name)
        if isinstance(entries, list):
            return [entry for entry in entries if isinstance(entry, dict)][:_MAX_ENTRIES]
    return []


def _signs_label(entry: Mapping[str, Any]) -> bool:
    signed = entry.get("TBSData")
    kind = signed.get("Type") if isinstance(signed, dict) else None
    return entry.get("Type") == "DS" and isinstance(kind, str) and kind in _DS_NAMES


def _public_key(entry: Mapping[str, Any]) -> PublicKey | None:
    der = _unhex(entry.get("KeyValue")) if entry.get("Type") == "PubKey" else None
    if der is None:
        return None
    try:
        key = serialization.load_der_public_key(der)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        return None
    if isinstance(key, rsa.RSAPublicKey) and key.key_size <= _MAX_RSA_BITS:
        return key
    if isinstance(key, ec.EllipticCurvePublicKey):
        return key
    return None


def _belong(entry: Mapping[str, Any], key: PublicKey) -> bool:
    return entry.get("AlgID") == (RSA_SHA256 if isinstance(key, rsa.RSAPublicKey) else ECDSA_SHA256)


def _fits(entry: Mapping[str, Any], key: PublicKey, signed: bytes) -> bool:
    signature = _unhex(entry.get("Signature"))
    if signature is None:
        return False
    try:
        if isinstance(key, rsa.RSAPublicKey):
            key.verify(signature, signed, padding.PKCS1v15(), hashes.SHA256())
        else:
            key.verify(signature, signed, ec.ECDSA(hashes.SHA256()))
    except (InvalidSignature, ValueError, UnsupportedAlgorithm):
        return False
    return True


def _unhex(text: object) -> bytes | None:
    if not isinstance(text, str) or len(text) > _MAX_HEX:
        return None
    try:
        return bytes.fromhex(text)
    except ValueError:
        return None
