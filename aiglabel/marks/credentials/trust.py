"""Whose signatures count: trust lists, profiles made of them, and the SDK settings they turn into.

The C2PA SDK trusts nobody by default. The toolkit ships a pinned snapshot (`assets/trust`) of the
official C2PA claim-signing and time-stamping lists and of the frozen interim list, which the
pictures of 2022-2025 need. A profile may add lists of the user and the local development root.

Reading is offline: no remote manifest, no OCSP, no did:web look-up of identity assertions, so a
verdict depends on the bytes, the lists and the clock alone.
"""

from __future__ import annotations

import os
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from enum import StrEnum
from functools import lru_cache
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from aiglabel.errors import SigningError
from aiglabel.marks.credentials.devcert import dev_directory
from aiglabel.marks.credentials.pem import load_chain

if TYPE_CHECKING:
    import c2pa
    from cryptography import x509

SNAPSHOT = files("aiglabel") / "assets" / "trust"

# The SDK's built-in list lacks the C2PA purpose itself: certificates of the official programme
# that carry nothing else would be refused (facts 0.6).
ACCEPTED_PURPOSES = (
    "1.3.6.1.5.5.7.3.4",  # emailProtection
    "1.3.6.1.5.5.7.3.36",  # documentSigning
    "1.3.6.1.5.5.7.3.8",  # timeStamping
    "1.3.6.1.5.5.7.3.9",  # OCSPSigning
    "1.3.6.1.4.1.311.76.59.1.9",  # Microsoft C2PA signing
    "1.3.6.1.4.1.62558.2.1",  # c2pa-kp-claimSigning
)
SOFT_BINDING_ALGORITHM = "org.aiglabel.dwt.2"
_LEAF_KB = 16 << 10


class Grade(StrEnum):
    """How much a signer's chain is worth, best first."""

    OFFICIAL = "official"  # on the C2PA trust list
    INTERIM = "interim"  # on the frozen list of the Content Authenticity Initiative
    USER = "user"  # on a list the user added
    DEV = "dev"  # the development certificate made on this machine
    TEST = "test"  # a published test certificate: anybody can sign with it
    UNTRUSTED = "untrusted"


@dataclass(frozen=True, kw_only=True)
class TrustList:
    """Anchors of one origin.

    Attributes
    ----------
    uri : str
        Name under which the SDK reports a match; unique in a profile.
    grade : Grade
    kind : {"manifest", "tsa"}
        Whether its anchors vouch for claim signers or for time-stamping authorities.
    pem : str
        Certificates, concatenated.
    """

    uri: str
    grade: Grade
    kind: Literal["manifest", "tsa"]
    pem: str = field(repr=False)


@dataclass(frozen=True)
class TrustProfile:
    """The lists a reader goes by. Picklable, hashable, free of SDK objects."""

    name: str
    lists: tuple[TrustList, ...] = ()

    @classmethod
    def named(cls, name: str = "default") -> TrustProfile:
        """Return a built-in profile.

        ``default``: official C2PA lists and the interim list. ``official``: official lists only.
        ``none``: nobody is trusted; integrity is still checked.

        Raises
        ------
        SigningError
            For any other name.
        """
        grades = {
            "default": {Grade.OFFICIAL, Grade.INTERIM}, "official": {Grade.OFFICIAL}, "none": set(),
        }.get(name)  # fmt: skip
        if grades is None:
            raise SigningError(
                f"there is no trust profile named {name!r}", remedy="Use default, official or none"
            )
        return cls(name, tuple(entry for entry in _snapshot() if entry.grade in grades))

    def with_file(
        self,
        path: str | os.PathLike[str],
        *,
        kind: Literal["manifest", "tsa"] = "manifest",
        grade: Grade = Grade.USER,
    ) -> TrustProfile:
        """Return a profile that also trusts the certificates of a PEM file.

        Raises
        ------
        SigningError
            When the file cannot be read or holds no certificate.
        """
        try:
            pem = Path(path).read_bytes()
        except OSError as error:
            raise SigningError("the trust list cannot be read", path=path) from error
        if not load_chain(pem):
            raise SigningError(
                "the trust list holds no certificate", path=path,
                remedy="Give a file with '-----BEGIN CERTIFICATE-----' blocks",
            )  # fmt: skip
        # The kind is part of the name: one file added for both kinds must not turn its
        # time-stamping authorities into claim signers (see `granted`).
        uri = f"{grade}:{kind}:{Path(path).resolve()}"
        added = TrustList(
            uri=uri, grade=grade, kind=kind, pem=pem.decode("utf-8", errors="replace")
        )
        return self._with(added)

    def with_dev(self, directory: str | os.PathLike[str] | None = None) -> TrustProfile:
        """Return a profile that also knows the development root of this machine, if there is one.

        Files signed with it are graded ``dev``, never plainly trusted.
        """
        root = dev_directory(directory) / "root.pem"
        if not root.is_file():
            return self
        pem = root.read_text(encoding="ascii")
        return self._with(TrustList(uri="aiglabel:dev", grade=Grade.DEV, kind="manifest", pem=pem))

    def granted(self, uri: str | None) -> Grade:
        """Return the grade of the list the SDK says it matched.

        The SDK also accepts claim signers that chain to a time-stamping anchor only, so anything
        but a claim-signing list is untrusted here.
        """
        for entry in self.lists:
            if entry.uri == uri and entry.kind == "manifest":
                return entry.grade
        return Grade.UNTRUSTED

    def _with(self, added: TrustList) -> TrustProfile:
        kept = tuple(entry for entry in self.lists if entry.uri != added.uri)
        return replace(self, lists=(*kept, added))


def settings(profile: TrustProfile, *, in_leaves: bool = False) -> dict[str, Any]:
    """Return the SDK settings both for reading and for signing.

    The SDK ignores misspelt keys silently, so the tests check the effect of each.

    Parameters
    ----------
    profile : TrustProfile
    in_leaves : bool
        Sign the media data of an MP4 as the leaves of a hash tree (C2PA 2.4, 18.7.3), each of
        16 MiB: 0.4 KB more a leaf, but 60 MB of memory at any length, where one hash over all
        takes two buffers of up to 256 MiB.
    """
    return {
        "verify": {"remote_manifest_fetch": False, "ocsp_fetch": False},
        "core": {
            "decode_identity_assertions": False,
            "allowed_network_hosts": [],
            "backing_store_memory_threshold_in_mb": 64,
            **({"merkle_tree_chunk_size_in_kb": _LEAF_KB} if in_leaves else {}),
        },
        # A thumbnail would add 100 KB to an 80 KB picture, and show it without its marks.
        "builder": {"thumbnail": {"enabled": False}},
        "soft_binding": {"soft_binding_algorithms": [SOFT_BINDING_ALGORITHM]},
        "trust": {
            "trust_config": "\n".join(ACCEPTED_PURPOSES),
            "anchors": [
                {"trust_anchors": pem, "trust_uri": entry.uri, "trust_kind": entry.kind}
                for entry, pem in _distinct(profile.lists)
            ],
        },
    }


def _distinct(lists: tuple[TrustList, ...]) -> Iterator[tuple[TrustList, str]]:
    """Give each anchor to one list only: claim-signing lists first, the best grade first.

    Of several lists with the same anchor the SDK reports any, by chance; 16 roots are on both
    official lists, so half of all reads would call their signers untrusted (see `granted`). A
    claim-signing anchor vouches for time-stamping authorities as well.
    """
    from cryptography.hazmat.primitives.serialization import Encoding

    ranks = list(Grade)
    taken: set[x509.Certificate] = set()
    for entry in sorted(lists, key=lambda each: (each.kind != "manifest", ranks.index(each.grade))):
        fresh = dict.fromkeys(load_chain(entry.pem.encode())).keys() - taken
        taken |= fresh
        if fresh:
            yield entry, "".join(each.public_bytes(Encoding.PEM).decode() for each in fresh)


def context(profile: TrustProfile, *, in_leaves: bool = False) -> c2pa.Context:
    """Return the SDK context of `settings`, made once per process and shared between threads."""
    return _context(os.getpid(), profile, in_leaves)


@lru_cache(maxsize=16)
def _context(_pid: int, profile: TrustProfile, in_leaves: bool) -> c2pa.Context:
    # SDK objects do not survive a fork: the process id in the key makes a child build its own.
    import c2pa

    return c2pa.Context.from_dict(settings(profile, in_leaves=in_leaves))


@lru_cache(maxsize=1)
def _snapshot() -> tuple[TrustList, ...]:
    entries = tomllib.loads((SNAPSHOT / "SNAPSHOT.toml").read_text(encoding="utf-8"))["lists"]
    return tuple(
        TrustList(
            uri=entry["uri"],
            grade=Grade(entry["grade"]),
            kind=entry["kind"],
            pem=(SNAPSHOT / entry["file"]).read_text(encoding="utf-8"),
        )
        for entry in entries
    )
