"""What the C2PA SDK says, in plain words: its error texts and its validation codes."""

from __future__ import annotations

import re

from aiglabel.errors import SigningError

_TIMESTAMP = r"http resolver|error sending request|time.?stamp"

# (pattern in the SDK's text, plain words, remedy); the first match counts.
_TEXTS: tuple[tuple[str, str, str], ...] = (
    (
        _TIMESTAMP, "the time-stamping authority could not be reached or gave no valid answer",
        "Check its address, or set the timestamp policy to best-effort",
    ),
    (
        r"COSE signature invalid|signature does not match",
        "the signature made does not fit the certificate",
        "Check that key, algorithm and certificate belong together",
    ),
    (
        r"certificate was self-signed", "the signing certificate is a self-signed authority",
        "Sign with an end-entity certificate (CA:FALSE) that the authority issued",
    ),
    (
        r"certificate was not valid at time of signing|certificate.*expired",
        "the signing certificate has expired or is not valid yet", "Renew it, or check the clock",
    ),
    (
        r"certificate is invalid|InvalidCertificate", "the certificate breaks a rule of C2PA",
        "Run 'aiglabel cert check' on it, which names the rule",
    ),
    (
        r"invalid .* private key|PKCS#8|PEM error", "the private key cannot be used",
        "Give an unencrypted key in PKCS#8 form: openssl pkcs8 -topk8 -nocrypt",
    ),
    (
        r"invalid signing credentials", "the certificate or key cannot be used",
        "Run 'aiglabel cert check' on them",
    ),
    (
        r"signingCredential\.untrusted|signingCredential\.invalid",
        "the certificate's purposes are not among those accepted for signing claims",
        "Ask for extended key usage c2pa-kp-claimSigning and emailProtection",
    ),
    (
        r"softBindingMissing|algorithm\.unsupported",
        "the soft binding of the watermark is missing or of an unknown algorithm",
        "Sign without a soft binding",
    ),
    (r"must have a digitalSourceType", "the manifest gives no digital source type", ""),
    (
        r"first action must be created or opened",
        "the manifest's first action is neither c2pa.created nor c2pa.opened", "",
    ),
    (r"failed validation with", "the manifest that was written does not validate", ""),
    (
        r"type is unsupported|NotSupported", "this kind of file cannot carry a C2PA manifest",
        "Store the manifest beside the file",
    ),
    (
        r"could not be parsed|invalid header|Invalid RIFF|Truncated|unexpected end",
        "the file's structure is broken, or it is of another kind than stated",
        "Open and save it again with an image editor",
    ),
    (r"unknown algorithm", "the manifest names a hash algorithm C2PA does not know", ""),
    (
        r"^Remote:|remote manifest",
        "the manifest lies on a server and is not fetched while working offline",
        "Fetch it and give it as a sidecar file",
    ),
    (
        r"JumbfParseError|JUMBF|jumbf|CBOR|cbor|ClaimDecoding|^Decoding|^Encoding|^Json",
        "the manifest store is broken", "",
    ),
    (
        r"^ResourceNotFound|^AssertionNotFound|AssertionMissing",
        "a part of the manifest is missing", "",
    ),
    (r"too (large|big|deep|many)|limit|OutOfMemory", "the manifest exceeds the SDK's limits", ""),
    (r"^Io|No space|Permission", "reading or writing failed", "Check disk space and permissions"),
    (r"Context is not valid|UntrackedPointer|WrongPointer", "the SDK's state is unusable", ""),
)  # fmt: skip

_CODES = {
    "assertion.dataHash.mismatch": "the file was changed after signing",
    "assertion.bmffHash.mismatch": "the file was changed after signing",
    "assertion.boxesHash.mismatch": "the file was changed after signing",
    "assertion.hashedURI.mismatch": "a statement in the manifest was changed after signing",
    "assertion.missing": "a statement was taken out of the manifest",
    "claimSignature.mismatch": "the signature does not fit the claim",
    "claimSignature.missing": "the signature is missing",
    "claimSignature.outsideValidity": "it was signed outside the certificate's validity",
    "claim.missing": "the claim is missing",
    "ingredient.hashedURI.mismatch": "the manifest of an earlier version was changed",
    "ingredient.manifest.missing": "the manifest of an earlier version is missing",
    "ingredient.manifest.mismatch": "the manifest of an earlier version was changed",
    "manifest.inaccessible": "the manifest of an earlier version was not fetched",
    "signingCredential.expired": "the certificate has expired and no trusted timestamp shows that "
    "it was valid when signing",
    "signingCredential.invalid": "the certificate breaks a rule of C2PA",
    "signingCredential.revoked": "the certificate was revoked",
    "signingCredential.untrusted": "the signer is on no trust list in use",
    "timeStamp.mismatch": "the timestamp belongs to something else",
}


def plain_code(code: str) -> str:
    """Return a validation status code (C2PA 2.4 §15.2) in plain words, the code where unknown."""
    return _CODES.get(code, code)


def plain(error: Exception) -> tuple[str, str | None]:
    """Return an SDK exception in plain words, and its remedy where there is one."""
    text = str(error)
    for pattern, words, remedy in _TEXTS:
        if re.search(pattern, text):
            return words, remedy or None
    return f"the C2PA SDK reports: {text[:200]}", None


def explained(error: Exception) -> SigningError:
    """Return the `SigningError` to raise from an SDK exception met while signing."""
    words, remedy = plain(error)
    return SigningError(words, remedy=remedy)


def is_timestamp_failure(error: SigningError) -> bool:
    """Whether signing failed at the time-stamping authority."""
    return re.search(_TIMESTAMP, str(error.__cause__)) is not None
