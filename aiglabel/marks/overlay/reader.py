"""Recognising the toolkit's own rendering of the visible label.

Layout and letter shapes follow from the picture's size, so the reader knows what each wording would
look like at each position, and compares. Two steps:

1. every wording × position × size on the picture reduced to 8 px letters: normalised correlation
   over the letters and a thin ring around them (white on dark, whatever lies further out);
2. the best few at up to 20 px, letter by letter. The statistic is the correlation of the *worst*
   letter, so that a similar text is not taken for the label.

Labels drawn by other tools are not recognised: that takes OCR, which would stand beside
`_candidates` and `_read`.
"""

from __future__ import annotations

import math
from collections import defaultdict
from dataclasses import replace
from typing import NamedTuple

import cv2
import numpy as np

from aiglabel.errors import LabelError
from aiglabel.evidence import Evidence, Status
from aiglabel.marks.overlay.guesses import Guess, all_guesses, laid_out
from aiglabel.marks.overlay.layout import (
    Box,
    OverlayStyle,
    Pixels,
    Position,
    Space,
    contrast,
    grow,
    outline_width,
    plan,
)
from aiglabel.marks.overlay.template import (
    REFERENCE_EM,
    Gray,
    Template,
    correlate,
    gray_levels,
    levels,
    normalised,
    render,
)
from aiglabel.marks.overlay.typeset import Mask
from aiglabel.marks.overlay.wording import TEXTS, elements

# Unlabelled pictures reach 0.26 (see tests), other words in the same font and place 0.65.
THRESHOLD = 0.66
LIKENESS = 0.5  # from here on a person should look
_COARSE_INK = 8.0  # px, height of the letters in the first step …
_FINE_INK = 20.0  # … and at most in the second
_COARSE_FLOOR = 0.33  # correlation in the first step below which nothing goes on to the second
_FINE_STEP = 1.007  # in size, in the second step, …
_FINE_REACH = 3  # … this often up and down
_AS_GOOD = 0.1  # difference of scores that does not count against the planned place
_KEPT = 5  # candidates that go on, …
_NEAR = 0.6  # … if their correlation is at least this share of the best one
_EDGE_BAND = 0.1  # a label this close to an edge, as a share of the shortest side, is on it


class _Fit(NamedTuple):
    """A template laid over a close-up: its correlation, size, and top left."""

    peak: float
    em: float
    template: Template
    row: int
    column: int


class Found(NamedTuple):
    """Where the letters of a label are: their box in px, their mask in it, their height."""

    box: Box
    ink: Mask
    ink_height: int


def find(
    frame: Pixels,
    *,
    alpha: Pixels | None = None,
    space: Space = "rgb",
    also: OverlayStyle | None = None,
) -> Evidence:
    """Look for a visible label drawn by this toolkit.

    Parameters
    ----------
    frame : uint8 or uint16 (H, W) or (H, W, C)
    alpha : (H, W) of the same dtype, optional
        A label under transparent pixels is not visible and is not found.
    space : {"rgb", "gray", "cmyk"}
    also : OverlayStyle, optional
        A house style to look for besides the built-in wordings at 5 %: its text, height, margin
        and font, at any position.

    Returns
    -------
    Evidence
        ``statistic`` is the correlation of the worst letter, PRESENT from ``threshold`` on and
        UNDETERMINED from `LIKENESS` on; then ``facts`` hold text, box (of the letters, in px),
        ink_height, required_height, height_ratio, on_edge, contrast and elements.

    Raises
    ------
    LabelError
        When the text of `also` cannot be drawn with its font.
    """
    return locate(frame, alpha=alpha, space=space, also=also)[0]


def locate(
    frame: Pixels,
    *,
    alpha: Pixels | None = None,
    space: Space = "rgb",
    also: OverlayStyle | None = None,
) -> tuple[Evidence, Found | None]:
    """Do what `find` does, and tell where the letters are; None if ABSENT."""
    frame = np.ascontiguousarray(frame)
    styles = tuple(OverlayStyle(text=text) for text in TEXTS)
    if also is not None:
        styles = (*styles, also)
    readings = [
        _read(frame, alpha, space, guess) for guess in _candidates(frame, alpha, space, styles)
    ]
    # Of the wordings that fit in every letter, one that contains another says more.
    best = max(
        readings,
        key=lambda r: (r.score >= THRESHOLD, r.score >= THRESHOLD and len(r.style.text), r.score),
        default=None,
    )
    if best is None or best.score < LIKENESS:
        nothing = Evidence(
            mark="overlay",
            status=Status.ABSENT,
            statistic=round(best.score, 3) if best else 0.0,
            threshold=THRESHOLD,
            detail="No label drawn by this toolkit; labels of other tools are not recognised.",
        )
        return nothing, None
    return _evidence(frame, alpha, space, best)


def _evidence(
    frame: Pixels, alpha: Pixels | None, space: Space, found: Guess
) -> tuple[Evidence, Found]:
    height, width = frame.shape[:2]
    short = min(width, height)
    box, ink, ink_height = _measure(frame, alpha, space, found)
    gap = min(box[0], box[1], width - box[2], height - box[3])
    text, where = found.style.text, str(found.style.position)
    present = found.score >= THRESHOLD
    what = "Visible label" if present else "Something much like the visible label"
    evidence = Evidence(
        mark="overlay",
        status=Status.PRESENT if present else Status.UNDETERMINED,
        statistic=round(found.score, 3),
        threshold=THRESHOLD,
        payload=text if present else None,
        where=where,
        detail=f"{what} {text!r}, {where}, letters {ink_height} px high.",
        facts={
            "text": text,
            "box": box,
            "ink_height": ink_height,
            "required_height": math.ceil(found.style.height_ratio * short - 1e-9),
            "height_ratio": round(ink_height / short, 4),
            "on_edge": gap <= _EDGE_BAND * short,
            "contrast": _contrast(frame, space, box, ink, ink_height),
            "elements": elements(text),
        },
    )
    return evidence, Found(box, ink, ink_height)


def _measure(
    frame: Pixels, alpha: Pixels | None, space: Space, found: Guess
) -> tuple[Box, Mask, int]:
    """Box of the letters in px, their mask in it, and the height of the smallest.

    Exact where the label `plan` makes for this size fits as well as the best fit.
    """
    height, width = frame.shape[:2]
    short = min(width, height)
    error = 1.5 * max(1.0, found.ink * short / _FINE_INK)
    for look in ("outline", "pill"):
        try:
            layout = plan(width, height, replace(found.style, style=look))
        except LabelError:
            continue
        exact = laid_out(layout)
        fitted = _read(frame, alpha, space, exact, reach=0)
        shift = max(abs(exact.x - fitted.x), abs(exact.y - fitted.y)) * short
        if fitted.score >= found.score - _AS_GOOD and shift <= error:
            return layout.text_box, layout.block.ink, layout.block.ink_height
    template = _template(found, found.em * short)
    edge = template.border
    ink = template.ink[edge:-edge, edge:-edge]
    x0, y0 = max(round(found.x * short), 0), max(round(found.y * short), 0)
    ink = ink[: height - y0, : width - x0]
    box = (x0, y0, x0 + ink.shape[1], y0 + ink.shape[0])
    return box, ink, math.floor(found.ink * short + 0.5)


def _contrast(frame: Pixels, space: Space, box: Box, ink: Mask, ink_height: int) -> float:
    """WCAG contrast of a found label, with the median of its surround: it may have been coded.

    Measured on large letters after reduction, which forgives a place that is a pixel off.
    """
    scale = min(1.0, _FINE_INK / ink_height)
    size = (max(1, round(ink.shape[1] * scale)), max(1, round(ink.shape[0] * scale)))
    x0, y0, x1, y1 = box
    pixels = levels(frame[y0:y1, x0:x1], size)
    ink = np.asarray(cv2.resize(ink, size, interpolation=cv2.INTER_AREA), np.uint8)
    dark = grow(ink, outline_width(ink_height * scale))
    return contrast(pixels, space, ink, dark, quantile=0.5)


def _candidates(
    frame: Pixels, alpha: Pixels | None, space: Space, styles: tuple[OverlayStyle, ...]
) -> list[Guess]:
    """The first step: the most promising guess for each of a few wordings and positions."""
    height, width = frame.shape[:2]
    short = min(width, height)
    scale = min(1.0, _COARSE_INK / min(style.height_ratio for style in styles) / short)
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    reach = 2
    gray = cv2.copyMakeBorder(
        gray_levels(frame, alpha, space, size), *(2 * reach,) * 4, cv2.BORDER_REPLICATE
    )
    unit = short * scale
    alike: dict[tuple[object, ...], list[Guess]] = defaultdict(list)
    for guess in all_guesses(width, height, styles):
        align = guess.style.position.anchor[0] if len(guess.lines) > 1 else None
        alike[guess.lines, guess.style.font, guess.em, align].append(guess)
    best: dict[tuple[str, Position], Guess] = {}
    for guesses in alike.values():
        template = _template(guesses[0], guesses[0].em * unit)
        scored = _score(gray, guesses, template, unit, reach)
        for guess in scored:
            key = guess.style.text, guess.style.position
            if guess.score > max(_COARSE_FLOOR, best[key].score if key in best else 0):
                best[key] = guess
    leading = sorted(best.values(), key=lambda guess: -guess.score)[:_KEPT]
    return [guess for guess in leading if guess.score >= _NEAR * leading[0].score]


def _score(
    gray: Gray, guesses: list[Guess], template: Template, unit: float, reach: int
) -> list[Guess]:
    """Correlate one template around the place of each guess, all in one stacked image."""
    high, wide = (side + 2 * reach for side in template.ink.shape)
    strips: list[Gray] = []
    placed: list[Guess] = []
    for guess in guesses:
        y, x = (round(c * unit) - template.border + reach for c in (guess.y, guess.x))
        strip = gray[max(y, 0) : y + high, max(x, 0) : x + wide]
        if strip.shape == (high, wide):
            strips.append(strip)
            placed.append(guess)
    if not strips:
        return []
    scores = correlate(np.concatenate(strips), template.shape, template.mask)
    return [
        replace(guess, score=float(scores[i * high : i * high + 2 * reach + 1].max()))
        for i, guess in enumerate(placed)
    ]


def _read(
    frame: Pixels, alpha: Pixels | None, space: Space, guess: Guess, *, reach: int = _FINE_REACH
) -> Guess:
    """The second step: fit size and place; the score becomes that of the worst letter."""
    gray, unit, x0, y0 = _closeup(frame, alpha, space, guess)

    def fit(step: int) -> _Fit:
        em = guess.em * _FINE_STEP**step
        template = _template(guess, em * unit)
        if any(a > b for a, b in zip(template.ink.shape, gray.shape, strict=True)):
            return _Fit(-1.0, em, template, 0, 0)
        scores = correlate(gray, template.shape, template.mask)
        row, column = divmod(int(scores.argmax()), scores.shape[1])
        return _Fit(float(scores[row, column]), em, template, row, column)

    best = max((fit(step) for step in range(-reach, reach + 1)), key=lambda one: one.peak)
    if best.peak < 0:
        return replace(guess, score=0.0)
    padded = cv2.copyMakeBorder(gray, 1, 1, 1, 1, cv2.BORDER_REPLICATE)
    worst = min(_letter(padded, best, letter) for letter in best.template.letters)
    x = x0 + (best.column + best.template.border) / unit
    y = y0 + (best.row + best.template.border) / unit
    return replace(guess, em=best.em, x=x, y=y, score=worst)


def _letter(padded: Gray, fit: _Fit, letter: Box) -> float:
    """Correlation of one letter, which may sit a pixel off; `padded` has a border of 1 px."""
    x0, y0, x1, y1 = letter
    template, edge = fit.template, fit.template.border
    part = np.s_[y0 : y1 + 2 * edge, x0 : x1 + 2 * edge]
    mask = template.mask[part]
    shape = normalised(template.ink[part], mask)
    row, column = fit.row + y0, fit.column + x0
    window = padded[row : row + mask.shape[0] + 2, column : column + mask.shape[1] + 2]
    return float(correlate(window, shape, mask).max())


def _template(guess: Guess, em: float) -> Template:
    align = guess.style.position.anchor[0] if len(guess.lines) > 1 else 0.0
    # Steps of a thousandth keep the cache small and lose nothing.
    return render(guess.lines, guess.style.text, guess.style.font, align, float(f"{em:.3e}"))


def _closeup(
    frame: Pixels, alpha: Pixels | None, space: Space, guess: Guess
) -> tuple[Gray, float, float, float]:
    """The surroundings of a guess: gray, px per shortest side, and where its corner lies."""
    x0, y0, x1, y1 = _surroundings(frame, guess)
    short = min(frame.shape[:2])
    scale = min(1.0, _FINE_INK / (guess.ink * short))
    size = (max(1, round((x1 - x0) * scale)), max(1, round((y1 - y0) * scale)))
    window = np.s_[y0:y1, x0:x1]
    part = None if alpha is None else alpha[window]
    return gray_levels(frame[window], part, space, size), short * scale, x0 / short, y0 / short


def _surroundings(frame: Pixels, guess: Guess) -> Box:
    height, width = frame.shape[:2]
    short = min(height, width)
    template = _template(guess, REFERENCE_EM)
    high, wide = (side * guess.em / REFERENCE_EM for side in template.ink.shape)
    slack = 0.4 * guess.ink + 2 / short
    x0, y0 = (max(0, math.floor((c - slack) * short)) for c in (guess.x, guess.y))
    x1 = min(width, math.ceil((guess.x + wide + slack) * short))
    y1 = min(height, math.ceil((guess.y + high + slack) * short))
    return x0, y0, x1, y1
