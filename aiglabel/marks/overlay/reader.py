"""Recognising the toolkit's own rendering of the visible label.

Layout and letter shapes follow from the picture's size, so the reader knows what each wording would
look like at each position, and compares. Two steps:

1. every wording × position × size on the picture reduced to 8 px letters: normalised correlation
   over the letters and a thin ring around them (white on dark, whatever lies further out);
2. the best few at up to 20 px, letter by letter. The statistic is the correlation of the *worst*
   letter, so that a similar text is not taken for the label.

Resizing a whole picture keeps the proportions the layout follows; what rounding to whole pixels
did to the height in a small original is searched. Labels drawn by other tools are not recognised:
that takes OCR, which would stand beside `_candidates` and `_read`.
"""

from __future__ import annotations

import math
from collections import defaultdict
from dataclasses import dataclass, replace
from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray

from aiglabel.errors import LabelError
from aiglabel.evidence import Evidence, Status
from aiglabel.marks.overlay.layout import (
    LEGIBLE_INK,
    Box,
    Layout,
    OverlayStyle,
    Pixels,
    Position,
    Space,
    contrast,
    grow,
    outline_width,
    plan,
)
from aiglabel.marks.overlay.typeset import Mask, em_for, typeset, wrap
from aiglabel.marks.overlay.wording import TEXTS, elements

Gray = NDArray[np.float32]

THRESHOLD = 0.65
_COARSE_INK = 8.0  # px, height of the letters in the first step …
_FINE_INK = 20.0  # … and at most in the second
_COARSE_FLOOR = 0.0  # correlation in the first step below which nothing goes on to the second
_FINE_STEPS = (0.986, 0.993, 1.0, 1.007, 1.014)
_KEPT = 5  # candidates that go on
_ROUNDING = (1.008, 1.028)  # what rounding up to whole px may have added in the original, ± 1 %
_LEAST_INK = 4  # px: smaller letters are not told apart
_REFERENCE_EM = 64.0  # templates are reduced from letters of this size, in px
_EDGE_BAND = 0.1  # a label this close to an edge, as a share of the shortest side, is on it


@dataclass(frozen=True)
class _Guess:
    """These lines, this large, with the top left of their ink here. Unit: the shortest side."""

    style: OverlayStyle
    lines: tuple[str, ...]
    em: float
    x: float
    y: float
    score: float = 0.0

    @property
    def ink(self) -> float:
        return self.em / em_for(self.style.text, 1, self.style.font)


@dataclass(frozen=True, eq=False)
class _Template:
    """Letters to compare with.

    `ink` and `mask` (the letters and the ring around them) are (h, w) with a border of `border` px
    around the ink; `shape` is the ink with zero mean and unit norm over the mask, zero outside.
    """

    ink: Mask
    mask: Gray
    shape: Gray
    border: int
    letters: tuple[Box, ...]


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
        ``statistic`` is the correlation of the worst letter, PRESENT from ``threshold`` on;
        ``facts`` hold text, box (of the letters, in px), ink_height, required_height,
        height_ratio, on_edge, contrast and elements.
    """
    styles = tuple(OverlayStyle(text=text) for text in TEXTS)
    if also is not None:
        styles = (*styles, also)
    readings = [
        _read(frame, alpha, space, guess) for guess in _candidates(frame, alpha, space, styles)
    ]
    statistic = max((reading.score for reading in readings), default=0.0)
    # Of the wordings that fit in every letter, one that contains another says more.
    fitting = [reading for reading in readings if reading.score >= THRESHOLD]
    best = max(fitting, key=lambda r: (len(r.style.text), r.score), default=None)
    if best is None:
        return Evidence(
            mark="overlay",
            status=Status.ABSENT,
            statistic=round(statistic, 3),
            threshold=THRESHOLD,
            detail="No label drawn by this toolkit; labels of other tools are not recognised.",
        )
    return _evidence(frame, space, best)


def _evidence(frame: Pixels, space: Space, found: _Guess) -> Evidence:
    height, width = frame.shape[:2]
    short = min(width, height)
    box, ink_height = _measure(width, height, found)
    gap = min(box[0], box[1], width - box[2], height - box[3])
    text, where = found.style.text, str(found.style.position)
    return Evidence(
        mark="overlay",
        status=Status.PRESENT,
        statistic=round(found.score, 3),
        threshold=THRESHOLD,
        payload=text,
        where=where,
        detail=f"Visible label {text!r}, {where}, letters {ink_height} px high.",
        facts={
            "text": text,
            "box": box,
            "ink_height": ink_height,
            "required_height": math.ceil(found.style.height_ratio * short - 1e-9),
            "height_ratio": round(ink_height / short, 4),
            "on_edge": gap <= _EDGE_BAND * short,
            "contrast": _contrast(frame, space, found, box),
            "elements": elements(text),
        },
    )


def _measure(width: int, height: int, found: _Guess) -> tuple[Box, int]:
    """Box of the letters and height of the smallest, in px.

    Exact where the label lies within the error of measurement where `plan` puts it.
    """
    short = min(width, height)
    error = max(1.5, found.ink * short / _FINE_INK) * 1.5
    for look in ("outline", "pill"):
        try:
            layout = plan(width, height, replace(found.style, style=look))
        except LabelError:
            continue
        exact = _laid_out(layout)
        shift = max(abs(exact.x - found.x), abs(exact.y - found.y)) * short
        if abs(exact.em / found.em - 1) < 0.01 and shift < error:
            return layout.text_box, layout.ink_height
    template = _template(found, found.em * short)
    x0, y0 = round(found.x * short), round(found.y * short)
    high, wide = (side - 2 * template.border for side in template.ink.shape)
    box = (max(x0, 0), max(y0, 0), min(x0 + wide, width), min(y0 + high, height))
    return box, math.floor(found.ink * short + 0.5)


@lru_cache(maxsize=16)
def _guesses(width: int, height: int, styles: tuple[OverlayStyle, ...]) -> tuple[_Guess, ...]:
    """All places and sizes at which a label may stand in a picture of this size."""
    short = min(width, height)
    guesses: list[_Guess] = []
    for style in styles:
        native = math.ceil(style.height_ratio * short - 1e-9) / short / style.height_ratio
        factors = [*_ROUNDING, native] if native > max(_ROUNDING) + 0.01 else list(_ROUNDING)
        unit = style.height_ratio
        if style.height_rule == "strict":
            unit = em_for(style.text, style.height_ratio, style.font)
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
                    guesses.append(_laid_out(layout))
    return tuple(dict.fromkeys(g for g in guesses if g.ink * short >= _LEAST_INK))


def _laid_out(layout: Layout) -> _Guess:
    short = min(layout.width, layout.height)
    x, y, *_ = layout.text_box
    return _Guess(
        replace(layout.style, style="outline"), layout.text_lines,
        layout.em / short, x / short, y / short,
    )  # fmt: skip


def _proportional(style: OverlayStyle, em: float, width: float, height: float) -> _Guess | None:
    """What `plan` does, without rounding to pixels. Unit: the shortest side."""
    room = (width - 2 * style.margin_ratio, height - 2 * style.margin_ratio)
    lines = wrap(style.text, room[0] / em, style.font)
    if lines is None:
        return None
    fraction_x, fraction_y = style.position.anchor
    ink = typeset(lines, _REFERENCE_EM, style.font, fraction_x).ink
    high, wide = (side * em / _REFERENCE_EM for side in ink.shape)
    x = style.margin_ratio + (room[0] - wide) * fraction_x
    y = style.margin_ratio + (room[1] - high) * fraction_y
    return _Guess(style, lines, em, x, y) if y >= 0 else None


def _candidates(
    frame: Pixels, alpha: Pixels | None, space: Space, styles: tuple[OverlayStyle, ...]
) -> list[_Guess]:
    """The first step: the most promising guess for each of a few wordings and positions."""
    height, width = frame.shape[:2]
    short = min(width, height)
    scale = min(1.0, _COARSE_INK / min(style.height_ratio for style in styles) / short)
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    reach = 2
    gray = cv2.copyMakeBorder(
        _gray(frame, alpha, space, size), *(2 * reach,) * 4, cv2.BORDER_REPLICATE
    )
    unit = short * scale
    alike: dict[tuple[object, ...], list[_Guess]] = defaultdict(list)
    for guess in _guesses(width, height, styles):
        align = guess.style.position.anchor[0] if len(guess.lines) > 1 else None
        alike[guess.lines, guess.style.font, guess.em, align].append(guess)
    best: dict[tuple[str, Position], _Guess] = {}
    for guesses in alike.values():
        template = _template(guesses[0], guesses[0].em * unit)
        scored = _score(gray, guesses, template, unit, reach)
        for guess in scored:
            key = guess.style.text, guess.style.position
            if guess.score > max(_COARSE_FLOOR, best[key].score if key in best else 0):
                best[key] = guess
    return sorted(best.values(), key=lambda guess: -guess.score)[:_KEPT]


def _score(
    gray: Gray, guesses: list[_Guess], template: _Template, unit: float, reach: int
) -> list[_Guess]:
    """Correlate one template around the place of each guess, all in one stacked image."""
    high, wide = (side + 2 * reach for side in template.ink.shape)
    strips: list[Gray] = []
    placed: list[_Guess] = []
    for guess in guesses:
        y, x = (round(c * unit) - template.border + reach for c in (guess.y, guess.x))
        strip = gray[max(y, 0) : y + high, max(x, 0) : x + wide]
        if strip.shape == (high, wide):
            strips.append(strip)
            placed.append(guess)
    if not strips:
        return []
    scores = _correlate(np.concatenate(strips), template.shape, template.mask)
    return [
        replace(guess, score=float(scores[i * high : i * high + 2 * reach + 1].max()))
        for i, guess in enumerate(placed)
    ]


def _read(frame: Pixels, alpha: Pixels | None, space: Space, guess: _Guess) -> _Guess:
    """The second step: place the guess exactly; its score becomes that of the worst letter."""
    gray, unit, x0, y0 = _closeup(frame, alpha, space, guess)
    best, template, at = guess, None, (0, 0)
    peak = -1.0
    for factor in _FINE_STEPS:
        trial = _template(guess, guess.em * factor * unit)
        if any(a > b for a, b in zip(trial.ink.shape, gray.shape, strict=True)):
            continue
        scores = _correlate(gray, trial.shape, trial.mask)
        row, column = np.unravel_index(int(scores.argmax()), scores.shape)
        if scores[row, column] > peak:
            peak, template, at = float(scores[row, column]), trial, (int(row), int(column))
            best = replace(
                guess, em=guess.em * factor, x=x0 + (column + trial.border) / unit,
                y=y0 + (row + trial.border) / unit,
            )  # fmt: skip
    if template is None:
        return replace(guess, score=0.0)
    padded = cv2.copyMakeBorder(gray, 1, 1, 1, 1, cv2.BORDER_REPLICATE)
    worst = min(_letter(padded, template, at, letter) for letter in template.letters)
    return replace(best, score=worst)


def _letter(
    padded: Gray, template: _Template, at: tuple[int, int], letter: Box
) -> float:
    """Correlation of one letter, which may sit a pixel off; `padded` has a border of 1 px."""
    x0, y0, x1, y1 = letter
    edge = template.border
    part = np.s_[y0 : y1 + 2 * edge, x0 : x1 + 2 * edge]
    mask = template.mask[part]
    shape = _normalised(template.ink[part], mask)
    row, column = at[0] + y0, at[1] + x0
    window = padded[row : row + mask.shape[0] + 2, column : column + mask.shape[1] + 2]
    return float(_correlate(window, shape, mask).max())


def _correlate(gray: Gray, shape: Gray, mask: Gray) -> Gray:
    """Pearson correlation over the mask, at every shift that lies inside `gray`."""
    product = cv2.matchTemplate(gray, shape, cv2.TM_CCORR)
    first = cv2.matchTemplate(gray, mask, cv2.TM_CCORR)
    second = cv2.matchTemplate(gray * gray, mask, cv2.TM_CCORR)
    count = float(mask.sum())
    # Flat ground, with less than 1 % of deviation, correlates with nothing.
    spread = np.maximum(second - first * first / count, 1e-4 * count)
    return np.asarray(product / np.sqrt(spread), np.float32)


def _template(guess: _Guess, em: float) -> _Template:
    align = guess.style.position.anchor[0] if len(guess.lines) > 1 else 0.0
    # Steps of a thousandth keep the cache small and lose nothing.
    return _render(guess.lines, guess.style.text, guess.style.font, align, float(f"{em:.3e}"))


@lru_cache(maxsize=1024)
def _render(
    lines: tuple[str, ...], text: str, font: str | None, align: float, em: float
) -> _Template:
    block = typeset(lines, _REFERENCE_EM, font, align)
    scale = em / _REFERENCE_EM
    size = (max(1, round(block.ink.shape[1] * scale)), max(1, round(block.ink.shape[0] * scale)))
    border = outline_width(em / em_for(text, 1, font))
    way = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    ink = np.pad(np.asarray(cv2.resize(block.ink, size, interpolation=way), np.uint8), border)
    mask = (grow(ink, border) >= 128).astype(np.float32)
    letters = tuple(
        (int(a * scale), int(b * scale), math.ceil(c * scale), math.ceil(d * scale))
        for a, b, c, d in block.letters
    )
    return _Template(ink, mask, _normalised(ink, mask), border, letters)


def _normalised(ink: Mask, mask: Gray) -> Gray:
    level = ink.astype(np.float32)
    level = (level - float((level * mask).sum() / max(mask.sum(), 1))) * mask
    return np.asarray(level / max(float(np.linalg.norm(level)), 1e-6), np.float32)


def _closeup(
    frame: Pixels, alpha: Pixels | None, space: Space, guess: _Guess
) -> tuple[Gray, float, float, float]:
    """The surroundings of a guess: gray, px per shortest side, and where its corner lies."""
    x0, y0, x1, y1 = _surroundings(frame, guess)
    short = min(frame.shape[:2])
    scale = min(1.0, _FINE_INK / (guess.ink * short))
    size = (max(1, round((x1 - x0) * scale)), max(1, round((y1 - y0) * scale)))
    window = np.s_[y0:y1, x0:x1]
    part = None if alpha is None else alpha[window]
    return _gray(frame[window], part, space, size), short * scale, x0 / short, y0 / short


def _surroundings(frame: Pixels, guess: _Guess) -> Box:
    height, width = frame.shape[:2]
    short = min(height, width)
    template = _template(guess, _REFERENCE_EM)
    high, wide = (side * guess.em / _REFERENCE_EM for side in template.ink.shape)
    slack = 0.4 * guess.ink + 2 / short
    x0, y0 = (max(0, math.floor((c - slack) * short)) for c in (guess.x, guess.y))
    x1 = min(width, math.ceil((guess.x + wide + slack) * short))
    y1 = min(height, math.ceil((guess.y + high + slack) * short))
    return x0, y0, x1, y1


def _gray(frame: Pixels, alpha: Pixels | None, space: Space, size: tuple[int, int]) -> Gray:
    """Gray levels in [0, 1] of a frame reduced to `size`; transparent ground is middle gray."""
    if space == "cmyk":
        gray = _levels(frame, size)
        gray = ((1 - gray[..., :3]) * (1 - gray[..., 3:])).mean(axis=2)
    else:
        three = frame.ndim == 3 and frame.shape[2] == 3
        gray = _levels(cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY) if three else frame, size)[..., 0]
    if alpha is not None:
        gray = 0.5 + (gray - 0.5) * _levels(alpha, size)[..., 0]
    return np.ascontiguousarray(gray, np.float32)


def _levels(pixels: Pixels, size: tuple[int, int]) -> Gray:
    """Area averages in [0, 1], (height, width, C)."""
    full = np.iinfo(pixels.dtype).max
    # Halving has a fast path; dropping an odd last row or column is below what is measured here.
    while min(pixels.shape[0] / size[1], pixels.shape[1] / size[0]) >= 8:
        even = pixels[: pixels.shape[0] // 2 * 2, : pixels.shape[1] // 2 * 2]
        pixels = cv2.resize(even, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)
    if size != (pixels.shape[1], pixels.shape[0]):
        pixels = cv2.resize(pixels, size, interpolation=cv2.INTER_AREA)
    return (pixels.reshape(size[1], size[0], -1) / np.float32(full)).astype(np.float32)


def _contrast(
    frame: Pixels, space: Space, found: _Guess, box: Box
) -> float:
    """WCAG contrast of the found label; with the median of its surround, for it may be coded."""
    short = min(frame.shape[:2])
    template = _template(found, found.em * min(short, _FINE_INK / found.ink))
    ink = template.ink[template.border : -template.border, template.border : -template.border]
    x0, y0, x1, y1 = box
    pixels = _levels(frame[y0:y1, x0:x1], (ink.shape[1], ink.shape[0]))
    return contrast(pixels, space, ink, grow(ink, template.border), quantile=0.5)
