"""Who signs: profiles that hold paths, and the SDK objects made from them where they are used.

A `Signer` is a plain value: it can be pickled into worker processes and compared. Keys are read,
checked in plain words and handed to the SDK once per process, then shared between its threads.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from aiglabel.errors import SigningError
from aiglabel.marks.credentials.certificates import lint_chain
from aiglabel.marks.credentials.devcert import ensure_dev_chain
from aiglabel.marks.credentials.pem import load_chain, load_key, signing_algorithm
from aiglabel.marks.credentials.problems import explained, is_timestamp_failure

if TYPE_CHECKING:
    import c2pa

ALGORITHMS = ("es256", "es384", "es512", "ps256", "ps384", "ps512", "ed25519")
Sign = Callable[[bytes], bytes]


class Timestamp(StrEnum):
    """What to do about the time-stamping authority (TSA).

    Without a timestamp a file turns invalid on the day the signing certificate expires.
    """

    OFF = "off"
    BEST_EFFORT = "best-effort"  # an unreachable authority leaves the file without a timestamp
    REQUIRED = "required"  # an unreachable authority is an error


@dataclass(frozen=True, kw_only=True)
class Signer:
    """A signing profile. Build it with `dev`, `pem` or `callback`; None stands for no credentials.

    Attributes
    ----------
    profile : {"dev", "pem", "callback"}
        Shown in every report: ``dev`` files prove nothing to others.
    chain_path, key_path : str or None
        PEM files, the signing certificate first; reread when they change.
    password_env : str or None
        Environment variable with the key's password, so that it appears in no pickle and no log.
    sign : callable or None
        For `callback`: takes the bytes to be signed (about 1 KB, hash them yourself), returns the
        signature, ECDSA as r‖s or DER.
    algorithm : str or None
        For `callback`: one of `ALGORITHMS`.
    chain_pem : bytes or None
        For `callback`: the certificates.
    tsa_url : str or None
        RFC 3161 time-stamping authority, http or https.
    timestamp : Timestamp
    """

    profile: Literal["dev", "pem", "callback"]
    chain_path: str | None = None
    key_path: str | None = None
    password_env: str | None = None
    sign: Sign | None = field(default=None, repr=False)
    algorithm: str | None = None
    chain_pem: bytes | None = field(default=None, repr=False)
    tsa_url: str | None = None
    timestamp: Timestamp = Timestamp.OFF

    def __post_init__(self) -> None:
        if self.tsa_url is None:
            object.__setattr__(self, "timestamp", Timestamp.OFF)
        elif not self.tsa_url.startswith(("http://", "https://")):
            raise SigningError(
                f"not the address of a time-stamping authority: {self.tsa_url}",
                remedy="It begins with http:// or https://",
            )

    @classmethod
    def dev(cls, directory: str | os.PathLike[str] | None = None) -> Signer:
        """Sign with the development certificate of this machine, made on first use.

        Parameters
        ----------
        directory : path, optional
            Where it lives; by default ``aiglabel/dev-signer`` below the user's configuration.

        Raises
        ------
        SigningError
            When it cannot be made.
        """
        home = ensure_dev_chain(directory)
        return cls(
            profile="dev", chain_path=str(home / "chain.pem"), key_path=str(home / "key.pem")
        )

    @classmethod
    def pem(
        cls,
        chain_path: str | os.PathLike[str],
        key_path: str | os.PathLike[str],
        *,
        password_env: str | None = None,
        tsa_url: str | None = None,
        timestamp: Timestamp = Timestamp.REQUIRED,
    ) -> Signer:
        """Sign with a certificate chain and a private key in PEM files."""
        return cls(
            profile="pem", chain_path=os.fspath(chain_path), key_path=os.fspath(key_path),
            password_env=password_env, tsa_url=tsa_url, timestamp=timestamp,
        )  # fmt: skip

    @classmethod
    def callback(
        cls,
        sign: Sign,
        algorithm: str,
        chain_pem: bytes,
        *,
        tsa_url: str | None = None,
        timestamp: Timestamp = Timestamp.REQUIRED,
    ) -> Signer:
        """Sign with a key that stays elsewhere: a KMS, an HSM.

        `sign` may run in several threads at once. To be sent to worker processes it must be
        picklable, so a function of a module. Such signatures take 12 KB in a file instead of 3.
        """
        if algorithm not in ALGORITHMS:
            raise SigningError(
                f"unknown signing algorithm {algorithm!r}", remedy=f"Use {', '.join(ALGORITHMS)}"
            )
        return cls(
            profile="callback", sign=sign, algorithm=algorithm, chain_pem=chain_pem,
            tsa_url=tsa_url, timestamp=timestamp,
        )  # fmt: skip

    def run(self, sign_with: Callable[[c2pa.Signer], bytes]) -> tuple[bytes, bool]:
        """Call `sign_with` with the SDK's signer, following the timestamp policy.

        Returns
        -------
        result : bytes
            What `sign_with` returned.
        timestamped : bool
            Whether a time-stamping authority took part.

        Raises
        ------
        SigningError
            In plain words; what the callback raised is its cause.
        """
        for stamped in _attempts(self.timestamp):
            prepared = _prepared(os.getpid(), self, self._state_of_files(), stamped)
            try:
                return prepared.use(sign_with), stamped
            except SigningError as error:
                best_effort = self.timestamp is Timestamp.BEST_EFFORT
                if not (stamped and best_effort and is_timestamp_failure(error)):
                    raise
        raise AssertionError("the last attempt returns or raises")

    def _state_of_files(self) -> tuple[int, ...]:
        # Part of the cache key, so that a renewed certificate is used without a restart.
        paths = (self.chain_path, self.key_path)
        return tuple(_stat(path).st_mtime_ns for path in paths if path is not None)


def _attempts(policy: Timestamp) -> Iterator[bool]:
    if policy is not Timestamp.OFF:
        yield True
    if policy is not Timestamp.REQUIRED:
        yield False


class _Prepared:
    """The SDK's signer and, for callbacks, the exception that it swallows."""

    def __init__(self, signer: Signer, *, stamped: bool) -> None:
        import c2pa

        self._raised = threading.local()
        tsa_url = signer.tsa_url if stamped else None
        chain, key = _material(signer)
        try:
            if key is None:
                algorithm = c2pa.C2paSigningAlg[str(signer.algorithm).upper()]
                self._sdk = c2pa.Signer.from_callback(
                    self._guarded(signer.sign), algorithm, chain.decode(), tsa_url
                )
            else:
                algorithm = signing_algorithm(load_chain(chain)[0].public_key())
                info = c2pa.C2paSignerInfo(algorithm, chain, key, tsa_url)
                self._sdk = c2pa.Signer.from_info(info)
        except c2pa.C2paError as error:
            raise explained(error) from error

    def use(self, sign_with: Callable[[Any], bytes]) -> bytes:
        import c2pa

        self._raised.error = None
        try:
            return sign_with(self._sdk)
        except c2pa.C2paError as error:
            # The SDK runs the callback in the calling thread, so this is this call's exception.
            if self._raised.error is not None:
                raise SigningError(
                    f"the signing callback failed: {self._raised.error}",
                    remedy="See the original exception",
                ) from self._raised.error
            raise explained(error) from error

    def _guarded(self, sign: Sign | None) -> Sign:
        assert sign is not None

        def guarded(data: bytes) -> bytes:
            try:
                return sign(data)
            except Exception as error:
                self._raised.error = error
                raise

        return guarded


@lru_cache(maxsize=32)
def _prepared(_pid: int, signer: Signer, _files: tuple[int, ...], stamped: bool) -> _Prepared:
    # SDK objects do not survive a fork: the process id in the key makes a child build its own.
    return _Prepared(signer, stamped=stamped)


def _material(signer: Signer) -> tuple[bytes, bytes | None]:
    """Return the chain and the key as unencrypted PKCS#8, the only form the SDK reads."""
    from cryptography.hazmat.primitives import serialization

    if signer.key_path is None:
        chain = signer.chain_pem or b""
        _refuse_errors(chain, None, None, signer.chain_path)
        return chain, None
    chain, key = _read(signer.chain_path), _read(signer.key_path)
    password = _password(signer.password_env)
    _refuse_errors(chain, key, password, signer.chain_path)
    plain = load_key(key, password).private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    return chain, plain


def _refuse_errors(
    chain: bytes, key: bytes | None, password: bytes | None, path: str | None
) -> None:
    errors = [
        entry for entry in lint_chain(chain, key, password=password) if entry.severity == "error"
    ]
    if errors:
        raise SigningError(
            "; ".join(entry.message for entry in errors), path=path, remedy=errors[0].remedy
        )


def _password(variable: str | None) -> bytes | None:
    if variable is None:
        return None
    value = os.environ.get(variable)
    if value is None:
        raise SigningError(
            f"the environment variable {variable} with the key's password is not set",
            remedy=f"Set {variable}",
        )
    return value.encode()


def _read(path: str | None) -> bytes:
    assert path is not None
    try:
        return Path(path).read_bytes()
    except OSError as error:
        raise SigningError(f"cannot be read ({error.strerror})", path=path) from error


def _stat(path: str) -> os.stat_result:
    try:
        return Path(path).stat()
    except OSError as error:
        raise SigningError(f"cannot be read ({error.strerror})", path=path) from error
