"""The visible label: white text on an edge of the picture, drawn and found again.

Source: GB 45438-2025, 5.2 and 5.4 (rules CN-X-01, CN-I-01 … 04); EU Code of Practice, section 2.
"""

from __future__ import annotations

from aiglabel.marks.overlay.films import Caption, holds_film
from aiglabel.marks.overlay.layout import Drawn, Layout, OverlayStyle, Pixels, Position, Space, plan
from aiglabel.marks.overlay.mark import MARK, holds, read, write
from aiglabel.marks.overlay.reader import THRESHOLD, find
from aiglabel.marks.overlay.typeset import check
from aiglabel.marks.overlay.watcher import Watcher
from aiglabel.marks.overlay.when import LEAST_SECONDS, When
from aiglabel.marks.overlay.wording import TEXTS, elements, validate_text

__all__ = [
    "LEAST_SECONDS",
    "MARK",
    "TEXTS",
    "THRESHOLD",
    "Caption",
    "Drawn",
    "Layout",
    "OverlayStyle",
    "Position",
    "Watcher",
    "When",
    "check",
    "draw",
    "elements",
    "find",
    "holds",
    "holds_film",
    "plan",
    "read",
    "validate_text",
    "write",
]


def draw(
    frame: Pixels, alpha: Pixels | None, style: OverlayStyle, *, space: Space = "rgb"
) -> Drawn:
    """Lay the label out for one frame and paint it; see `Layout.paint`.

    Raises
    ------
    LabelError
        When the text cannot be drawn, or does not fit legibly at the required height.
    """
    return plan(frame.shape[1], frame.shape[0], style).paint(frame, alpha, space=space)
