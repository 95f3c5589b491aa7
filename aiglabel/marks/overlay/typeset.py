"""From a line of text to a mask of ink, at a letter height that is measured and not assumed.

A font size is not a letter height: the capitals of Noto Sans CJK are 0.735 em high, its ideographs
about 0.91 em. So the size is solved for the smallest letter and read off the rendered mask.

Glyphs are drawn one by one, enlarged, and reduced by area averaging. Without hinting and kerning
the same text has the same shape at every size, which is what lets the reader recognise it.
"""

from __future__ import annotations

import io
import math
import re
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from aiglabel import assets
from aiglabel.errors import LabelError

Mask = NDArray[np.uint8]

FONT = "fonts/AIGLabelSans-Bold.otf"
MAX_FONT_BYTES = 64 * 2**20
MAX_TEXT = 64
LINE_PITCH = 1.2  # baseline to baseline, in em
_INK = 128  # coverage, of 255, from which a pixel counts as ink
_REFERENCE = 256  # font size, in px, at which proportions are measured
_FLAT = 1.2  # an ideograph this much wider than high (一 二) says nothing about the letter height
_STRETCHES = tuple(
    re.compile(pattern.replace("HAN", "\u2e80-\uffef"))
    for pattern in (
        r"\S+(?:(?<![HAN]) +(?![HAN])\S+)*",
        r"\S+",
        r"[^\sHAN]+|[HAN]+",
        r"[^\sHAN]+|[HAN]",
    )
)
_NOBODY = "\U0010ffff"  # a noncharacter: no font has it, so it draws the font's missing-glyph box


@dataclass(frozen=True, eq=False)
class Block:
    """Lines of text as ink.

    Attributes
    ----------
    ink : uint8 (h, w)
        Coverage of the letters, cropped to them.
    letters : tuple of (x0, y0, x1, y1)
        Box of every visible character inside `ink`, in reading order.
    ink_height : int
        Rows covered by the smallest letter, in px.
    em : float
        Font size, in px.
    """

    ink: Mask
    letters: tuple[tuple[int, int, int, int], ...]
    ink_height: int
    em: float


@lru_cache(maxsize=64)
def check(text: str, font: str | None) -> None:
    """Refuse a text that cannot be drawn with `font`, the built-in one when None.

    Raises
    ------
    LabelError
        When it is empty or longer than 64 characters, or a character has no glyph.
    """
    if not text.strip() or len(text) > MAX_TEXT:
        raise LabelError(
            f"a label's text has 1 to {MAX_TEXT} visible characters, this one {len(text.strip())}"
        )
    face = _face(font, 64)
    box = _shape(face, _NOBODY)
    missing = [
        char for char in dict.fromkeys(text) if char != " " and _shape(face, char) in (box, b"")
    ]
    if missing:
        raise LabelError(
            f"the label's font has no glyph for {' '.join(map(repr, missing))}",
            remedy="Name a font file that has them, e.g. NotoSansCJK-Bold.ttc",
        )


def wrap(text: str, limit: float, font: str | None) -> tuple[str, ...] | None:
    """Break `text` into the fewest lines of at most `limit` em each, evenly filled.

    Lines break where Chinese and Latin meet at a space; where that is not enough, at every space;
    then wherever Chinese and Latin meet; then around each Chinese character. A word is never
    split: None when one is longer than `limit`.
    """
    for pattern in _STRETCHES:
        best = _break(text, [match.span() for match in pattern.finditer(text)], limit, font)
        if best:
            return best
    return None


def _break(
    text: str, words: list[tuple[int, int]], limit: float, font: str | None
) -> tuple[str, ...] | None:
    """Fewest lines first, then the narrowest: shrink the limit while the count stays."""
    best: tuple[str, ...] | None = None
    while True:
        lines: list[str] = []
        start = words[0][0]
        for (_, end), (_, following) in zip(words, [*words[1:], (0, 0)], strict=True):
            if advance(text[start:end], font) > limit:
                return best
            if not following or advance(text[start:following], font) > limit:
                lines.append(text[start:end])
                start = next((s for s, _ in words if s >= end), end)
        if best and len(lines) > len(best):
            return best
        best = tuple(lines)
        if len(lines) == 1:
            return best
        limit = max(advance(line, font) for line in lines) - 1e-6


@lru_cache(maxsize=1024)
def advance(line: str, font: str | None) -> float:
    """Width of `line` in em."""
    return sum(_face(font, _REFERENCE).getlength(char) for char in line) / _REFERENCE


def typeset(lines: tuple[str, ...], em: float, font: str | None, align: float) -> Block:
    """Draw `lines` at `em` px; `align` is 0 for flush left, 0.5 centred, 1 flush right."""
    return _typeset(lines, em, font, align if len(lines) > 1 else 0.0)


@lru_cache(maxsize=128)
def _typeset(lines: tuple[str, ...], em: float, font: str | None, align: float) -> Block:
    zoom = max(1, min(4, math.ceil(96 / em)))
    face = _face(font, em * zoom)
    counted = _heights("".join(lines), font)
    widest = max(advance(line, font) for line in lines)
    pad = math.ceil(em)  # no glyph reaches further out of its advance and line
    ink = np.zeros(
        (math.ceil(em * LINE_PITCH * len(lines)) + 2 * pad, math.ceil(widest * em) + 3 * pad),
        np.uint8,
    )
    boxes: list[tuple[int, int, int, int]] = []
    heights: list[int] = []
    for number, line in enumerate(lines):
        top = round(em * LINE_PITCH * number)
        pen = pad + align * (widest - advance(line, font)) * em
        for char in line:
            left = int(pen) - pad
            glyph = _glyph(face, char, pen - left, pad + round(0.9 * em), zoom, em)
            pen += advance(char, font) * em
            if not glyph.any():
                continue
            window = ink[top : top + glyph.shape[0], left : left + glyph.shape[1]]
            np.maximum(window, glyph[: window.shape[0], : window.shape[1]], out=window)
            x0, y0, wide, high = cv2.boundingRect(glyph)
            boxes.append((left + x0, top + y0, left + x0 + wide, top + y0 + high))
            if char in counted:
                heights.append(cv2.boundingRect((glyph >= _INK).astype(np.uint8))[3])
    x0, y0 = (min(box[i] for box in boxes) for i in (0, 1))
    x1, y1 = (max(box[i] for box in boxes) for i in (2, 3))
    letters = tuple((a - x0, b - y0, c - x0, d - y0) for a, b, c, d in boxes)
    ink = np.ascontiguousarray(ink[y0:y1, x0:x1])
    ink.flags.writeable = False
    return Block(ink, letters, min(heights), em)


def _glyph(face: ImageFont.FreeTypeFont, char: str, x: float, y: int, zoom: int, em: float) -> Mask:
    """Draw one character with its pen at (x, y) px, `zoom` times enlarged and averaged down."""
    width = math.ceil(x + face.getlength(char) / zoom + em)
    height = y + math.ceil(em)
    canvas = Image.new("L", (width * zoom, height * zoom))
    ImageDraw.Draw(canvas).text((x * zoom, y * zoom), char, fill=255, font=face, anchor="ls")
    small = cv2.resize(np.asarray(canvas), (width, height), interpolation=cv2.INTER_AREA)
    return np.asarray(small, np.uint8)


def em_for(text: str, ink_height: int, font: str | None) -> float:
    """Font size, in px, at which the smallest letter of `text` is `ink_height` px high."""
    return ink_height / min(_heights(text, font).values())


@lru_cache(maxsize=64)
def _heights(text: str, font: str | None) -> dict[str, float]:
    """Ink height, in em, of the characters of `text` that count as letters.

    Letters are letters, digits and ideographs; hyphens and dots are not, nor are flat ideographs.
    A text of nothing else is measured by its tallest character.
    """
    face = _face(font, _REFERENCE)
    every: dict[str, float] = {}
    counted: dict[str, float] = {}
    for char in dict.fromkeys(text.replace(" ", "")):
        left, top, right, bottom = face.getmask(char).getbbox()
        every[char] = (bottom - top) / _REFERENCE
        flat = char >= "\u2e80" and right - left > _FLAT * (bottom - top)
        if char.isalnum() and not flat:
            counted[char] = every[char]
    tallest = max(every, key=every.__getitem__)
    return counted or {tallest: every[tallest]}


def _shape(face: ImageFont.FreeTypeFont, char: str) -> bytes:
    mask = face.getmask(char)
    return bytes(mask) if mask.getbbox() else b""


def _face(font: str | None, size: float) -> ImageFont.FreeTypeFont:
    """Open the font anew: FreeType faces are not shared between threads."""
    try:
        return ImageFont.truetype(
            io.BytesIO(_font_bytes(font)), size, layout_engine=ImageFont.Layout.BASIC
        )
    except OSError as error:
        raise LabelError("not a font file that FreeType reads", path=font) from error


@lru_cache(maxsize=4)
def _font_bytes(font: str | None) -> bytes:
    if font is None:
        return assets.load(FONT)
    try:
        with Path(font).open("rb") as stream:
            data = stream.read(MAX_FONT_BYTES + 1)
    except OSError as error:
        raise LabelError(f"cannot read the font ({error.strerror})", path=font) from error
    if len(data) > MAX_FONT_BYTES:
        raise LabelError("the font file is larger than 64 MiB", path=font)
    return data
