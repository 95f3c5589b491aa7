"""Where the visible label goes, how big it is, and painting it.

GB 45438-2025, 5.2: text on an edge or corner, clearly legible, its height at least 5 % of the
picture's shortest side. The standard does not say which height; the strict reading, the ink of the
smallest letter, satisfies every other.

A layout depends on nothing but the picture's size and the style. It is solved once, painted on
every frame, and computed again by the reader.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property, lru_cache
from typing import Any, Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from aiglabel.errors import LabelError
from aiglabel.marks.overlay.typeset import Block, Mask, check, em_for, typeset, wrap
from aiglabel.marks.overlay.wording import elements

Pixels = NDArray[Any]  # uint8 or uint16
Box = tuple[int, int, int, int]
Space = Literal["rgb", "gray", "cmyk"]

LEGIBLE_INK = 8  # px: Chinese is comfortably read from here on, so small pictures get this …
LEAST_INK = 6  # … or, where there is no room, this; anything smaller is not a legible typeface
LEAST_OPACITY = 0.8  # of black over white: contrast 12:1
_SOLID = 192  # coverage, of 255, from which a pixel shows the pure colour of letter or ground
_OUTLINE = 0.14  # width of the dark outline, in ink heights
_PILL = (0.6, 0.45)  # space left and right, above and below the text in a pill, in ink heights


class Position(StrEnum):
    """Corners and middles of edges. CN-I-02 names no corner; the EU code suggests the top right."""

    TOP_LEFT = "top-left"
    TOP = "top"
    TOP_RIGHT = "top-right"
    LEFT = "left"
    RIGHT = "right"
    BOTTOM_LEFT = "bottom-left"
    BOTTOM = "bottom"
    BOTTOM_RIGHT = "bottom-right"

    @property
    def anchor(self) -> tuple[float, float]:
        """Fraction of the free width and of the free height before the label."""
        x = 0.0 if "left" in self else 1.0 if "right" in self else 0.5
        y = 0.0 if "top" in self else 1.0 if "bottom" in self else 0.5
        return x, y


@dataclass(frozen=True, kw_only=True)
class OverlayStyle:
    """How the label looks. All lengths follow the picture's shortest side.

    Attributes
    ----------
    text : str
        What it says; `validate_text` tells which regimes accept it.
    position : Position
    style : {"outline", "pill"}
        White text with a dark outline, or on a dark rounded plate.
    height_ratio : float
        Height of the text, as a share of the shortest side, 0.01 to 0.5.
    height_rule : {"strict", "em"}
        What "height of the text" means: the ink of its smallest letter, or the font size.
    margin_ratio : float
        Distance from the text to the picture's edges, as a share of the shortest side.
    opacity : float
        Opacity of the dark outline or plate, 0.8 to 1. The letters are always opaque.
    font : str, optional
        Path of a font file to use instead of the built-in one.
    """

    text: str = "AI生成"
    position: Position = Position.BOTTOM_RIGHT
    style: Literal["outline", "pill"] = "outline"
    height_ratio: float = 0.05
    height_rule: Literal["strict", "em"] = "strict"
    margin_ratio: float = 0.04
    opacity: float = 0.85
    font: str | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "position", _choose("position", self.position, Position))
        _choose("style", self.style, ("outline", "pill"))
        _choose("height_rule", self.height_rule, ("strict", "em"))
        for name, low, high in (
            ("height_ratio", 0.01, 0.5), ("margin_ratio", 0.0, 0.4), ("opacity", LEAST_OPACITY, 1),
        ):  # fmt: skip
            if not low <= getattr(self, name) <= high:
                raise LabelError(f"overlay {name} lies between {low} and {high}")


def _choose(name: str, value: str, allowed: Any) -> Any:
    if value not in list(allowed):
        raise LabelError(f"overlay {name} is one of {', '.join(allowed)}, not {value!r}")
    return Position(value) if allowed is Position else value


@dataclass(frozen=True)
class Drawn:
    """A labelled frame and what was measured on it.

    Attributes
    ----------
    frame : uint8 or uint16, shape of the input
    alpha : (H, W) of the same dtype, or None
    box : (x0, y0, x1, y1)
        The label with its outline or plate; nothing outside has changed.
    ink_height : int
        Height of the smallest letter, in px.
    text_lines : tuple of str
    contrast : float
        WCAG contrast ratio between the letters and what surrounds them, 1 to 21.
    """

    frame: Pixels
    alpha: Pixels | None
    box: Box
    ink_height: int
    text_lines: tuple[str, ...]
    contrast: float


@dataclass(frozen=True, eq=False)
class Layout:
    """A label laid out for pictures of one size.

    Attributes
    ----------
    width, height : int
        Of the picture, in px.
    style : OverlayStyle
    text_lines : tuple of str
    box : (x0, y0, x1, y1)
        The label with its outline or plate, inside the picture.
    text_box : (x0, y0, x1, y1)
        The letters alone.
    block : Block
        The letters of `text_box`; `block.ink_height` is their height as rendered.
    required_height : int
        The height asked for, in px.
    """

    width: int
    height: int
    style: OverlayStyle
    text_lines: tuple[str, ...]
    box: Box
    text_box: Box
    block: Block
    required_height: int

    @cached_property
    def ink(self) -> Mask:
        """Coverage of the white letters: uint8, of the size of `box`."""
        pad_x, pad_y = self.text_box[0] - self.box[0], self.text_box[1] - self.box[1]
        return np.pad(self.block.ink, ((pad_y, pad_y), (pad_x, pad_x)))

    @cached_property
    def shade(self) -> Mask:
        """Coverage of the dark shape that holds the letters: uint8, of the size of `box`."""
        if self.style.style == "outline":
            return grow(self.ink, outline_width(self.block.ink_height))
        pad_y = self.text_box[1] - self.box[1]
        return _rounded(self.ink.shape, radius=self.block.ink_height / 2 + pad_y)

    @property
    def detail(self) -> str:
        """Say what was drawn, for reports."""
        height = f"letters {self.block.ink_height} px high"
        return f"'{self.style.text}' at {self.style.position}, {height}"

    def facts(self, ratio: float) -> dict[str, Any]:
        """Tell what was drawn with which contrast, for reports."""
        return {
            "text": self.style.text,
            "lines": list(self.text_lines),
            "box": list(self.box),
            "ink_height": self.block.ink_height,
            "height_ratio": round(self.block.ink_height / min(self.width, self.height), 4),
            "contrast": round(ratio, 2),
            "elements": elements(self.style.text),
        }

    def paint(self, frame: Pixels, alpha: Pixels | None = None, *, space: Space = "rgb") -> Drawn:
        """Return a copy of `frame` with the label on it.

        Parameters
        ----------
        frame : uint8 or uint16 (H, W) or (H, W, C)
            C = 1 for gray, 3 for rgb, 4 for cmyk (0 is no ink).
        alpha : (H, W) of the same dtype, optional
            Becomes opaque under the label, so the label shows on transparent ground.
        space : {"rgb", "gray", "cmyk"}

        Raises
        ------
        LabelError
            When the frame is not of the size the layout was made for.
        """
        if frame.shape[:2] != (self.height, self.width):
            raise LabelError(
                f"the label was laid out for {self.width}×{self.height} px,"
                f" the frame has {frame.shape[1]}×{frame.shape[0]}"
            )
        full = float(np.iinfo(frame.dtype).max)
        x0, y0, x1, y1 = self.box
        window = np.s_[y0:y1, x0:x1]
        # One (h, w, C) view in [0, 1] for every kind of frame.
        under = frame[window].reshape(y1 - y0, x1 - x0, -1).astype(np.float32) / full
        black, white = _black_and_white(space, under.shape[2])
        cover = self.shade.astype(np.float32)[..., None] / 255
        letters = self.ink.astype(np.float32)[..., None] / 255 * cover
        keep = 1 - letters - (cover - letters) * np.float32(self.style.opacity)
        opaque = np.ones_like(cover)
        if alpha is not None:
            # Colours hidden under transparent pixels must not shine through: they count as black.
            seen = alpha[window].astype(np.float32)[..., None] / full
            opaque = cover + seen * (1 - cover)
            keep *= seen
        over = under * keep
        over += white * letters
        if black.any():
            over += black * (opaque - letters - keep)
        painted = frame.copy()
        if alpha is not None:
            over = np.where(cover > 0, over / np.maximum(opaque, 1e-6), under)
            alpha = alpha.copy()
            alpha[window] = np.rint(opaque[..., 0] * full).astype(alpha.dtype)
        painted[window] = np.rint(over * full).astype(frame.dtype).reshape(frame[window].shape)
        ratio = contrast(over.astype(np.float32), space, self.ink, self.shade)
        return Drawn(painted, alpha, self.box, self.block.ink_height, self.text_lines, ratio)


@lru_cache(maxsize=64)
def plan(width: int, height: int, style: OverlayStyle) -> Layout:
    """Lay the label out for pictures of `width` by `height` px.

    Lines are wrapped before the margin is given up, and the margin before legibility; the required
    height is never undercut and the label never leaves the picture.

    Raises
    ------
    LabelError
        When the text cannot be drawn, or does not fit legibly at the required height.
    """
    check(style.text, style.font)
    required = math.ceil(style.height_ratio * min(width, height) - 1e-9)
    least = required
    if style.height_rule == "em":
        least = math.ceil(required / em_for(style.text, 1, style.font))
    largest, smallest = max(least, LEGIBLE_INK), max(least, LEAST_INK)
    for ink_height in range(largest, smallest - 1, -1):
        pad = _padding(style, ink_height)
        for margin in (round(style.margin_ratio * min(width, height)), 0):
            inset = (max(margin, pad[0]), max(margin, pad[1]))
            room = (width - 2 * inset[0], height - 2 * inset[1])
            lines, block = _fit(style, ink_height, room)
            if block:
                assert block.ink_height >= least
                return _place(width, height, style, lines, block, pad, inset, required)
    raise LabelError(
        f"the label {style.text!r} does not fit a picture of {width}×{height} px"
        f" with letters {smallest} px high",
        remedy="Use a shorter text, or label the place where the picture is shown",
    )


def _fit(
    style: OverlayStyle, ink_height: int, room: tuple[int, int]
) -> tuple[tuple[str, ...], Block | None]:
    """Wrap and typeset the text within `room` px; the block is None when it does not fit."""
    em = em_for(style.text, ink_height, style.font)
    while True:
        lines = wrap(style.text, room[0] / em, style.font)
        if lines is None or len(lines) * ink_height > room[1]:
            return (), None
        block = typeset(lines, em, style.font, style.position.anchor[0])
        if block.ink_height >= ink_height:
            break
        em += 0.25  # rounding to whole rows took one: a little larger until it is there
    height, width = block.ink.shape
    return lines, block if width <= room[0] and height <= room[1] else None


def _place(
    width: int,
    height: int,
    style: OverlayStyle,
    lines: tuple[str, ...],
    block: Block,
    pad: tuple[int, int],
    inset: tuple[int, int],
    required: int,
) -> Layout:
    high, wide = block.ink.shape
    fraction_x, fraction_y = style.position.anchor
    x0 = inset[0] + round((width - 2 * inset[0] - wide) * fraction_x)
    y0 = inset[1] + round((height - 2 * inset[1] - high) * fraction_y)
    return Layout(
        width=width, height=height, style=style, text_lines=lines,
        box=(x0 - pad[0], y0 - pad[1], x0 + wide + pad[0], y0 + high + pad[1]),
        text_box=(x0, y0, x0 + wide, y0 + high), block=block, required_height=required,
    )  # fmt: skip


def _padding(style: OverlayStyle, ink_height: int) -> tuple[int, int]:
    if style.style == "outline":
        return (outline_width(ink_height),) * 2
    return max(3, round(_PILL[0] * ink_height)), max(2, round(_PILL[1] * ink_height))


def outline_width(ink_height: float) -> int:
    """Width of the outline in px."""
    return max(1, round(_OUTLINE * ink_height))


def grow(ink: Mask, radius: int) -> Mask:
    """Dilate a mask by `radius` px, keeping its soft edge."""
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * radius + 1, 2 * radius + 1))
    return np.asarray(cv2.dilate(ink, disc), np.uint8)


def _rounded(shape: tuple[int, ...], *, radius: float) -> Mask:
    """Coverage of a rounded rectangle that fills `shape`, from its signed distance."""
    height, width = shape
    radius = min(radius, height / 2, width / 2)
    y = np.abs(np.arange(height, dtype=np.float32) + 0.5 - height / 2) - (height / 2 - radius)
    x = np.abs(np.arange(width, dtype=np.float32) + 0.5 - width / 2) - (width / 2 - radius)
    distance = np.hypot(np.maximum(y, 0)[:, None], np.maximum(x, 0)[None]) - radius
    return np.asarray(np.rint(np.clip(0.5 - distance, 0, 1) * 255), np.uint8)


def _black_and_white(space: Space, channels: int) -> tuple[NDArray[np.float32], ...]:
    if space != "cmyk":
        return np.zeros(channels, np.float32), np.ones(channels, np.float32)
    # Black ink alone: four inks on top of each other would print as a smear.
    return np.eye(4, dtype=np.float32)[3], np.zeros(4, np.float32)


def luminance(pixels: NDArray[np.float32], space: Space) -> NDArray[np.float32]:
    """WCAG relative luminance (n,) of (n, C) pixels in [0, 1]."""
    if space == "cmyk":
        pixels = (1 - pixels[:, :3]) * (1 - pixels[:, 3:])
    linear = np.where(pixels <= 0.04045, pixels / 12.92, ((pixels + 0.055) / 1.055) ** 2.4)
    weights = [0.2126, 0.7152, 0.0722] if pixels.shape[1] == 3 else [1.0]
    return linear.astype(np.float32) @ np.array(weights, np.float32)


def contrast(
    pixels: NDArray[np.float32], space: Space, ink: Mask, shade: Mask, *, quantile: float = 0.9
) -> float:
    """WCAG 2 contrast ratio between the letters and their immediate surround.

    The letters count with their mean luminance, the surround (two px around them) with that of its
    brightest tenth, or another `quantile`: an outline is only as good as its weakest stretch.

    Parameters
    ----------
    pixels : float32 (h, w, C) in [0, 1]
    ink, shade : uint8 (h, w)
        As in `Layout`.
    """
    letters = pixels[ink >= _SOLID]
    around = pixels[(grow(ink, 2) >= _SOLID) & (ink < 32) & (shade >= _SOLID)]
    if not len(letters) or not len(around):
        return 1.0
    light = float(luminance(letters, space).mean()) + 0.05
    dark = float(np.quantile(luminance(around, space), quantile)) + 0.05
    return round(max(light / dark, dark / light), 2)
