"""C2PA Content Credentials: signed manifests, written and read.

The only room that knows the `c2pa` SDK, which it loads on first use.
"""

from aiglabel.marks.credentials.certificates import CertFinding, lint_chain
from aiglabel.marks.credentials.devcert import DevChain, make_dev_chain
from aiglabel.marks.credentials.read import MARK, mime_of, read
from aiglabel.marks.credentials.signer import ALGORITHMS, Signer, Timestamp
from aiglabel.marks.credentials.trust import Grade, TrustList, TrustProfile
from aiglabel.marks.credentials.write import (
    SIDECAR_SUFFIX,
    Signed,
    SignedFile,
    takes_none,
    write,
    write_file,
)

__all__ = [
    "ALGORITHMS",
    "MARK",
    "SIDECAR_SUFFIX",
    "CertFinding",
    "DevChain",
    "Grade",
    "Signed",
    "SignedFile",
    "Signer",
    "Timestamp",
    "TrustList",
    "TrustProfile",
    "lint_chain",
    "make_dev_chain",
    "mime_of",
    "read",
    "takes_none",
    "write",
    "write_file",
]
