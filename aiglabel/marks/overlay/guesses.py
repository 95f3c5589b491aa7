"""Where a label of the toolkit may stand in a picture, and how large its letters are there.

Resizing a whole picture keeps the proportions the layout follows; what rounding to whole pixels
did to the height in a small original is guessed too.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import lru_cache

from aiglabel.errors import LabelError
from aiglabel.marks.overlay.layout import LEGIBLE_INK, Layout, OverlayStyle, Position, plan
from aiglabel.marks.overlay.template import REFERENCE_EM
from aiglabel.marks.overlay.typeset import check, em_for, typeset, wrap

_ROUNDING = (1.008, 1.028)  # what rounding up to whole px may have added in the original, ± 1 %
_LEAST_INK = 4  # px: smaller letters are not told apart


@dataclass(frozen=True)
class Guess:
    """These lines, this large, with the top left of their ink here. Unit: the shortest side."""

    style: OverlayStyle
    lines: tuple[str, ...]
    em: float
    x: float
    y: float
    score: float = 0.0

    @property
    def ink(self) -> float:
        """Height of the letters."""
        return self.em / em_for(self.style.text, 1, self.style.font)


@lru_cache(maxsize=16)
def all_guesses(width: int, height: int, styles: tuple[OverlayStyle, ...]) -> tuple[Guess, ...]:
    """All places and sizes at which a label may stand in a picture of this size."""
    short = min(width, height)
    guesses: list[Guess] = []
    for style in styles:
        check(style.text, style.font)
        native = math.ceil(style.height_ratio * short - 1e-9) / short / style.height_ratio
        factors = [*_ROUNDING, native] if native > max(_ROUNDING) + 0.01 else list(_ROUNDING)
        unit = style.height_ratio
        if style.height_rule == "strict":
            unit *= em_for(style.text, 1, style.font)
        # Legibility, not the ratio, decides in small pictures: lay those out exactly, also as the
        # half or the double of an original.
        sizes = [
            (width * f // 2, height * f // 2)
            for f in (1, 2, 4)
            if style.height_ratio * short * f / 2 < LEGIBLE_INK
        ]
        for position in Position:
            placed = replace(style, position=position)
            guesses += [
                guess
                for factor in factors
                if (guess := _proportional(placed, unit * factor, width / short, height / short))
            ]
            for size in sizes:
                for look in ("outline", "pill"):
                    try:
                        layout = plan(*size, replace(placed, style=look))
                    except LabelError:
                        continue
                    guesses.append(laid_out(layout))
    return tuple(dict.fromkeys(g for g in guesses if g.ink * short >= _LEAST_INK))


def laid_out(layout: Layout) -> Guess:
    """Return where a layout has its label, whatever is drawn around the letters."""
    short = min(layout.width, layout.height)
    x, y, *_ = layout.text_box
    return Guess(
        replace(layout.style, style="outline"), layout.text_lines,
        layout.block.em / short, x / short, y / short,
    )  # fmt: skip


def _proportional(style: OverlayStyle, em: float, width: float, height: float) -> Guess | None:
    """What `plan` does, without rounding to pixels. Unit: the shortest side."""
    room = (width - 2 * style.margin_ratio, height - 2 * style.margin_ratio)
    lines = wrap(style.text, room[0] / em, style.font)
    if lines is None:
        return None
    fraction_x, fraction_y = style.position.anchor
    ink = typeset(lines, REFERENCE_EM, style.font, fraction_x).ink
    high, wide = (side * em / REFERENCE_EM for side in ink.shape)
    x = style.margin_ratio + (room[0] - wide) * fraction_x
    y = style.margin_ratio + (room[1] - high) * fraction_y
    return Guess(style, lines, em, x, y) if y >= 0 else None
