"""Mark AI-generated media and find the marks again.

>>> import aiglabel as agl
>>> label = agl.Label.generated(producer="001191110102MACQD9K64010000", content_id="p-1")
>>> result = agl.embed("in.jpg", "out.jpg", label=label)     # doctest: +SKIP
>>> print(agl.verify("out.jpg"))                             # doctest: +SKIP

Names are loaded on first use, so that importing the package costs next to nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from aiglabel.embedding import Labeler, embed, watermark
    from aiglabel.errors import (
        AigLabelError,
        CorruptMedia,
        KeyMaterialError,
        LabelError,
        MediaError,
        OutputError,
        PayloadError,
        PolicyError,
        ResourceLimit,
        SigningError,
        UnsupportedFormat,
    )
    from aiglabel.evidence import Evidence, Outcome, Status
    from aiglabel.key import Key
    from aiglabel.label import Kind, Label
    from aiglabel.marks.credentials import Signer, TrustProfile
    from aiglabel.media.limits import Limits
    from aiglabel.policy import Policy
    from aiglabel.report import Compliance, Report, Verdict
    from aiglabel.result import BatchResult, EmbedResult, Quality
    from aiglabel.rules import Finding
    from aiglabel.signal.image import Detection
    from aiglabel.verification import detect_watermark, verify

_HOMES = {
    "embedding": ("Labeler", "embed", "watermark"),
    "errors": (
        "AigLabelError", "CorruptMedia", "KeyMaterialError", "LabelError", "MediaError",
        "OutputError", "PayloadError", "PolicyError", "ResourceLimit", "SigningError",
        "UnsupportedFormat",
    ),
    "evidence": ("Evidence", "Outcome", "Status"),
    "key": ("Key",),
    "label": ("Kind", "Label"),
    "marks.credentials": ("Signer", "TrustProfile"),
    "media.limits": ("Limits",),
    "policy": ("Policy",),
    "report": ("Compliance", "Report", "Verdict"),
    "result": ("BatchResult", "EmbedResult", "Quality"),
    "rules": ("Finding",),
    "signal.image": ("Detection",),
    "verification": ("detect_watermark", "verify"),
}  # fmt: skip
_HOME_OF = {name: module for module, names in _HOMES.items() for name in names}

__all__ = [
    "AigLabelError", "BatchResult", "Compliance", "CorruptMedia", "Detection", "EmbedResult",
    "Evidence", "Finding", "Key", "KeyMaterialError", "Kind", "Label", "LabelError", "Labeler",
    "Limits", "MediaError", "Outcome", "OutputError", "PayloadError", "Policy", "PolicyError",
    "Quality", "Report", "ResourceLimit", "Signer", "SigningError", "Status", "TrustProfile",
    "UnsupportedFormat", "Verdict", "detect_watermark", "embed", "verify", "watermark",
]  # fmt: skip


def __getattr__(name: str) -> Any:
    if name not in _HOME_OF:
        raise AttributeError(f"module 'aiglabel' has no attribute {name!r}")
    value = getattr(import_module(f"aiglabel.{_HOME_OF[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
