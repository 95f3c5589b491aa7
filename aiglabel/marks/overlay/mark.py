"""The visible label on a decoded picture: every frame shows it, at the same place."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from aiglabel.errors import LabelError
from aiglabel.evidence import Evidence, Outcome
from aiglabel.marks.overlay.layout import OverlayStyle, Pixels, plan
from aiglabel.marks.overlay.reader import find
from aiglabel.media.picture import Picture

MARK = "overlay"
# Correlation of a painted label with what an encoder made of it; below, it is not the same label.
_LIKENESS = 0.7


def write(picture: Picture, style: OverlayStyle) -> Outcome:
    """Paint the label on every frame, replacing the arrays (the old ones are not changed).

    A picture on which the label cannot be legible at the required height stays as it is, and the
    outcome says so.
    """
    try:
        # Pages may differ in size.
        layouts = [plan(one.shape[1], one.shape[0], style) for one in picture.frames]
        painted = [
            layout.paint(colour, alpha, space=picture.space)
            for layout, colour, alpha in zip(layouts, picture.frames, picture.alpha, strict=True)
        ]
    except LabelError as error:
        return Outcome(mark=MARK, written=False, detail=f"not drawn: {error}")
    picture.frames[:] = [one.frame for one in painted]
    picture.alpha[:] = [one.alpha for one in painted]
    return Outcome(
        mark=MARK,
        written=True,
        detail=layouts[0].detail,
        facts=layouts[0].facts(min(one.contrast for one in painted)),
    )


def holds(painted: Picture, decoded: Picture, outcome: Outcome) -> bool:
    """Whether the first frame, decoded from what was written, still shows the painted label.

    `decoded` may be grey and reduced in size.
    """
    x0, y0, x1, y1 = outcome.facts["box"]
    scale = decoded.size[0] / painted.size[0]
    left, top, right, bottom = (round(edge * scale) for edge in (x0, y0, x1, y1))
    wanted = _brightness(painted.frames[0][y0:y1, x0:x1])
    found = _brightness(decoded.frames[0][top:bottom, left:right])
    if not found.size:
        return False
    # Both are brought to a few samples a letter: coding noise averages out, a lost label does not.
    # Correlation rather than difference, as reduced pictures are off by a fraction of a pixel.
    size = (max(1, (right - left) // 2), max(1, (bottom - top) // 2))
    one, two = (cv2.resize(part, size, interpolation=cv2.INTER_AREA) for part in (wanted, found))
    return float(np.corrcoef(one.ravel(), two.ravel())[0, 1]) >= _LIKENESS


def _brightness(frame: Pixels) -> NDArray[np.float32]:
    """Mean of the channels, 0 to 1; of CMYK, of the ink: good enough to compare like with like."""
    scaled: NDArray[np.float32] = frame.mean(axis=2, dtype=np.float32) / np.iinfo(frame.dtype).max
    return scaled


def read(picture: Picture, style: OverlayStyle | None = None) -> Evidence:
    """Look for the label in the first frame; `style` is one to look for besides the usual ones."""
    return find(picture.frames[0], alpha=picture.alpha[0], space=picture.space, also=style)
