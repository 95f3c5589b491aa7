"""Certificates and private keys out of PEM text, and the C2PA algorithm a key signs with."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aiglabel.errors import SigningError

if TYPE_CHECKING:
    from cryptography import x509
    from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes, PublicKeyTypes

_MAX_PEM_BYTES = 1 << 20
_CURVES = {"secp256r1": "es256", "secp384r1": "es384", "secp521r1": "es512"}
_MIN_RSA_BITS = 2048


def load_chain(pem: bytes) -> list[x509.Certificate]:
    """Return the certificates of a PEM text in their order; empty when it has none.

    Raises
    ------
    SigningError
        When a block is broken or the text exceeds 1 MiB.
    """
    from cryptography import x509

    if len(pem) > _MAX_PEM_BYTES:
        raise SigningError("a certificate file of more than 1 MiB", remedy="Is it the right file?")
    if b"-----BEGIN CERTIFICATE-----" not in pem:
        return []
    try:
        return x509.load_pem_x509_certificates(pem)
    except ValueError as error:
        raise SigningError(
            "a certificate in the PEM text is broken", remedy="Export the chain again as PEM"
        ) from error


def load_key(pem: bytes, password: bytes | None = None) -> PrivateKeyTypes:
    """Return a private key; PKCS#8, PKCS#1 or SEC 1, encrypted or not.

    Raises
    ------
    SigningError
        Saying whether the password is missing, wrong or superfluous, or the text is no key.
    """
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    encrypted = b"ENCRYPTED" in pem
    if encrypted and password is None:
        raise SigningError(
            "the private key is encrypted and no password is given",
            remedy="Put the password into an environment variable and name it (password_env)",
        )
    try:
        return load_pem_private_key(pem, password if encrypted else None)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise SigningError(
            "the password does not open the private key"
            if encrypted
            else "the private key cannot be read",
            remedy="It must be PEM text of an EC, RSA or Ed25519 key",
        ) from error


def signing_algorithm(key: PublicKeyTypes) -> str | None:
    """Return the C2PA algorithm a public key signs with, None where C2PA has none for it."""
    from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

    match key:
        case ec.EllipticCurvePublicKey():
            return _CURVES.get(key.curve.name)
        case rsa.RSAPublicKey():
            return "ps256" if key.key_size >= _MIN_RSA_BITS else None
        case ed25519.Ed25519PublicKey():
            return "ed25519"
        case _:
            return None
