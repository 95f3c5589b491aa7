"""What a visible label must say, and the wordings this toolkit knows.

Sources: GB 45438-2025, 5.2 (both an AI element and a generation element; rule CN-X-01) and the
Code of Practice on Transparency of AI-Generated Content, section 2 (EU-10: "AI GENERATED" or
"AI MODIFIED", the capital letters AI the main element).
"""

from __future__ import annotations

import re

TEXTS = (
    "AI生成", "AI合成", "人工智能生成", "人工智能合成", "疑似AI生成", "AI GENERATED",
    "AI MODIFIED", "AI生成 AI GENERATED", "AI合成 AI MODIFIED",
)  # fmt: skip

_AI = re.compile(r"人工智能|(?<![A-Za-z])AI(?![A-Za-z])")
_GENERATION = re.compile("生成|合成")
_EU = re.compile(r"(?<![A-Za-z])AI[ -]?(?i:generated|modified)(?![A-Za-z])")


def elements(text: str) -> dict[str, bool]:
    """Tell which of the two Chinese elements `text` holds: ``ai`` and ``generation``."""
    return {"ai": bool(_AI.search(text)), "generation": bool(_GENERATION.search(text))}


def validate_text(text: str) -> frozenset[str]:
    """Return the regimes whose wording `text` satisfies: ``cn``, ``eu``, both or none.

    A bare "AI" satisfies none, nor does "AI" as part of a longer word.
    """
    regimes = {"cn"} if all(elements(text).values()) else set()
    if _EU.search(text):
        regimes.add("eu")
    return frozenset(regimes)
