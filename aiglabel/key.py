"""The watermark key: 32 secret bytes from which every pseudo-random choice of the mark is drawn.

File form: one ASCII line ``aiglabel-key-1:`` + base64url of the secret, mode 0600. Sub-keys come
from keyed BLAKE2b with a named stream, so no two uses ever share random numbers.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import os
import secrets
from dataclasses import dataclass, field
from pathlib import Path

from aiglabel.errors import KeyMaterialError

SECRET_BYTES = 32
_PREFIX = "aiglabel-key-1:"
_MAX_FILE_BYTES = 4096
# scrypt at 64 MiB: about 0.2 s once, which is what slows down guessing a passphrase.
_SCRYPT_N, _SCRYPT_R, _SCRYPT_P = 2**16, 8, 1


@dataclass(frozen=True)
class Key:
    """A watermark key. Its secret never shows in `repr`, logs or reports; `id` is safe to show."""

    secret: bytes = field(repr=False)
    name: str = ""

    def __post_init__(self) -> None:
        if len(self.secret) != SECRET_BYTES:
            raise KeyMaterialError(f"a key has {SECRET_BYTES} bytes, this one {len(self.secret)}")

    @classmethod
    def generate(cls, *, name: str = "") -> Key:
        """Return a new random key."""
        return cls(secrets.token_bytes(SECRET_BYTES), name)

    @classmethod
    def public(cls) -> Key:
        """Return the open key: documented, the same for everybody, so anyone may detect the mark.

        It is BLAKE2b-256 of ``aiglabel public key 1``. Anyone can also write with it: use it for
        labels that should be found by all, not as proof of who made them.
        """
        return cls(hashlib.blake2b(b"aiglabel public key 1", digest_size=32).digest(), "public")

    @classmethod
    def from_passphrase(cls, passphrase: str, *, name: str = "") -> Key:
        """Derive a key with scrypt (N=2**16, r=8, p=1); the same words always give the same key.

        Raises
        ------
        KeyMaterialError
            For fewer than 12 characters: such a passphrase is guessed offline.
        """
        if len(passphrase) < 12:
            raise KeyMaterialError(
                "a passphrase needs at least 12 characters", remedy="Or use Key.generate()"
            )
        secret = hashlib.scrypt(
            passphrase.encode(errors="surrogateescape"), salt=b"aiglabel passphrase key 1",
            n=_SCRYPT_N, r=_SCRYPT_R, p=_SCRYPT_P, maxmem=128 * 2**20, dklen=SECRET_BYTES,
        )  # fmt: skip
        return cls(secret, name)

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Key:
        """Read a key file.

        Raises
        ------
        KeyMaterialError
            When there is no such file or it is not a key file.
        """
        file = Path(path)
        try:
            with file.open("rb") as stream:
                text = stream.read(_MAX_FILE_BYTES).decode("ascii").strip()
        except (OSError, ValueError) as error:  # ValueError: not ASCII, or a NUL in the name
            raise KeyMaterialError(
                "cannot read the key", path=path, remedy="Make one with: aiglabel keygen"
            ) from error
        try:
            if not text.startswith(_PREFIX):
                raise ValueError
            secret = base64.b64decode(text[len(_PREFIX) :], altchars=b"-_", validate=True)
            return cls(secret, file.stem)
        except (ValueError, binascii.Error, KeyMaterialError) as error:
            raise KeyMaterialError(
                "not an aiglabel key file", path=path, remedy="Make one with: aiglabel keygen"
            ) from error

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the key file with mode 0600; an existing file is never overwritten.

        Raises
        ------
        KeyMaterialError
            When the file exists or cannot be written.
        """
        line = _PREFIX + base64.urlsafe_b64encode(self.secret).decode("ascii") + "\n"
        try:
            handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(handle, "w", encoding="ascii") as stream:
                stream.write(line)
                stream.flush()
                os.fsync(stream.fileno())
        except FileExistsError as error:
            raise KeyMaterialError(
                "a file of this name exists; a key is never overwritten",
                path=path,
                remedy="Choose another name: marks made with a lost key cannot be read again",
            ) from error
        except (OSError, ValueError) as error:  # ValueError: a NUL in the name
            raise KeyMaterialError(f"cannot write the key: {error}", path=path) from error

    @property
    def id(self) -> str:
        """Eight hex digits that name this key in reports without telling anything about it."""
        return self.derive("id")[:4].hex()

    def derive(self, stream: str) -> bytes:
        """Return the 32-byte sub-key of a named stream (keyed BLAKE2b)."""
        return hashlib.blake2b(stream.encode(), key=self.secret, digest_size=32).digest()
