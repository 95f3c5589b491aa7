"""The visible label on a decoded picture: every frame shows it, at the same place."""

from __future__ import annotations

import numpy as np

from aiglabel.errors import LabelError
from aiglabel.evidence import Evidence, Outcome
from aiglabel.marks.overlay.layout import OverlayStyle, plan
from aiglabel.marks.overlay.reader import find
from aiglabel.marks.overlay.wording import elements
from aiglabel.media.picture import Picture

MARK = "overlay"
# Mean change of a label's pixels, as a share of full scale, that an encoder may make.
_TOLERANCE = 0.08


def write(picture: Picture, style: OverlayStyle) -> Outcome:
    """Paint the label on every frame, replacing the arrays (the old ones are not changed).

    A picture on which the label cannot be legible at the required height stays as it is, and the
    outcome says so.
    """
    painted = []
    try:
        for colour, alpha in zip(picture.frames, picture.alpha, strict=True):
            layout = plan(colour.shape[1], colour.shape[0], style)
            painted.append(layout.paint(colour, alpha, space=picture.space))
    except LabelError as error:
        return Outcome(mark=MARK, written=False, detail=f"not drawn: {error}")
    picture.frames[:] = [one.frame for one in painted]
    picture.alpha[:] = [one.alpha for one in painted]
    first = painted[0]
    height, width = picture.frames[0].shape[:2]
    return Outcome(
        mark=MARK,
        written=True,
        detail=f"'{style.text}' at {style.position}, letters {first.ink_height} px high",
        facts={
            "text": style.text,
            "lines": list(first.text_lines),
            "box": list(first.box),
            "ink_height": first.ink_height,
            "height_ratio": round(first.ink_height / min(width, height), 4),
            "contrast": round(min(one.contrast for one in painted), 2),
            "elements": elements(style.text),
        },
    )


def holds(painted: Picture, decoded: Picture, outcome: Outcome) -> bool:
    """Whether the first frame, decoded from what was written, still shows the painted label."""
    x0, y0, x1, y1 = outcome.facts["box"]
    wanted, found = painted.frames[0], decoded.frames[0]
    if wanted.shape[:2] != found.shape[:2]:
        return False
    one, two = (
        frame[y0:y1, x0:x1].mean(axis=2) / np.iinfo(frame.dtype).max for frame in (wanted, found)
    )
    return float(np.abs(one - two).mean()) <= _TOLERANCE


def read(picture: Picture, style: OverlayStyle | None = None) -> Evidence:
    """Look for the label in the first frame; `style` is one to look for besides the usual ones."""
    return find(picture.frames[0], alpha=picture.alpha[0], space=picture.space, also=style)
