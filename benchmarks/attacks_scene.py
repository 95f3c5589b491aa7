"""Attacks that put a picture and other things together, and journeys of several steps.

uint8 (H, W, 3) RGB in and out; what is drawn at random comes from the generator passed in.
"""

from __future__ import annotations

import math
from functools import cache

import cv2
import numpy as np
from numpy.random import Generator
from PIL import Image, ImageDraw, ImageFont

from benchmarks import pictures
from benchmarks.attacks_geometry import (
    WHITE,
    cropped,
    fitted,
    in_perspective,
    resized,
    rotated_inside,
)
from benchmarks.attacks_signal import blurred, coded, gamma, noisy, posted, sharpened
from benchmarks.pictures import Rgb

_WORDS = (
    "harbour", "morning", "light", "travel", "stories", "weather", "market", "people", "garden",
    "river", "window", "evening", "bread", "machine", "letter", "mountain", "paper", "quiet",
    "number", "coast", "signal", "autumn", "village", "music", "bridge",
)  # fmt: skip
_OTHERS = ("astronaut.png", "coffee.png", "chelsea.png", "rocket.jpg", "motorcycle_left.png")

# ---------------------------------------------------------------------- something on the picture


def with_text(rgb: Rgb) -> Rgb:
    """Write large outlined letters across the middle."""
    image = Image.fromarray(rgb)
    font = ImageFont.load_default(max(8, image.width // 8))
    ImageDraw.Draw(image).text(
        (image.width / 2, image.height / 2), "SAMPLE TEXT", WHITE, font, anchor="mm",
        stroke_width=max(1, image.width // 250), stroke_fill=(0, 0, 0),
    )  # fmt: skip
    return np.asarray(image)


def with_logo(rgb: Rgb) -> Rgb:
    """Put a logo into the lower right corner, a quarter as wide as the picture."""
    logo = fitted(_bundled("logo.png"), *2 * (max(1, min(rgb.shape[:2]) // 4),))
    covered = rgb.copy()
    covered[-logo.shape[0] :, -logo.shape[1] :] = logo
    return covered


def block_erased(rgb: Rgb, rng: Generator, area: float) -> Rgb:
    """Black out one block of the picture's proportions, anywhere."""
    height, width = (round(length * math.sqrt(area)) for length in rgb.shape[:2])
    top = int(rng.integers(rgb.shape[0] - height + 1))
    left = int(rng.integers(rgb.shape[1] - width + 1))
    covered = rgb.copy()
    covered[top : top + height, left : left + width] = 0
    return covered


def blocks_erased(rgb: Rgb, rng: Generator, area: float) -> Rgb:
    """Black out a share of the fields of an 8 × 8 board."""
    lost = rng.permutation(64).reshape(8, 8) < round(64 * area)
    size = (rgb.shape[1], rgb.shape[0])
    board = cv2.resize(lost.astype(np.uint8), size, interpolation=cv2.INTER_NEAREST)
    return np.where(board[..., None] > 0, 0, rgb).astype(np.uint8)


# ---------------------------------------------------------------------- the picture on something


def in_collage(rgb: Rgb, rng: Generator, scale: float) -> Rgb:
    """Scale, and lay anywhere on another picture of four times the area."""
    part = resized(rgb, scale)
    height, width = part.shape[:2]
    page = fitted(_bundled(_OTHERS[rng.integers(len(_OTHERS))]), 2 * width, 2 * height)
    top, left = int(rng.integers(height + 1)), int(rng.integers(width + 1))
    page[top : top + height, left : left + width] = part
    return page


def on_a_page(rgb: Rgb, rng: Generator, scale: float) -> Rgb:
    """Show in a white page between a headline, lines of text and a sidebar."""
    part = resized(rgb, scale)
    height, width = part.shape[:2]
    margin, line = max(12, width // 12), max(10, width // 36)
    page = Image.new("RGB", (round(1.4 * width) + 3 * margin, height + 12 * line), WHITE)
    draw = ImageDraw.Draw(page)
    font = ImageFont.load_default(0.8 * line)
    sidebar = width + 2 * margin
    draw.rectangle((0, 0, page.width, 2 * line), (36, 64, 110))
    draw.rectangle((sidebar, 3 * line, page.width - margin, page.height - line), (238, 240, 243))
    draw.text((margin, 2.4 * line), _sentence(rng, 5), "black", ImageFont.load_default(1.6 * line))
    for top in range(height + 6 * line, page.height - line, line):
        draw.text((margin, top), _sentence(rng, 9), (40, 40, 40), font)
    for top in range(4 * line, page.height - 2 * line, 2 * line):
        draw.text((sidebar + line, top), _sentence(rng, 2), (20, 60, 160), font)
    shown = np.array(page)
    shown[5 * line : 5 * line + height, margin : margin + width] = part
    return shown


def _sentence(rng: Generator, words: int) -> str:
    return " ".join(_WORDS[index] for index in rng.integers(len(_WORDS), size=words)).capitalize()


@cache
def _bundled(name: str) -> Rgb:
    return pictures.load(pictures.bundled()[0].with_name(name))


# ---------------------------------------------------------------------- journeys


def page_screenshot(rgb: Rgb, rng: Generator) -> Rgb:
    """A web page with the picture at 0.6 ×, saved as JPEG 80."""
    return coded(on_a_page(rgb, rng, 0.6), "JPEG", 80)


def screenshot(rgb: Rgb, rng: Generator) -> Rgb:
    """0.7 ×, 90 % of the area, sharpened, JPEG 70."""
    return coded(sharpened(cropped(resized(rgb, 0.7), rng, 0.9)), "JPEG", 70)


def messenger(rgb: Rgb) -> Rgb:
    """At most 1600 px and JPEG 70; then 0.8 × and JPEG 60."""
    return coded(resized(posted(rgb, 1600, 70), 0.8), "JPEG", 60)


def cropped_and_coded(rgb: Rgb, rng: Generator, area: float, quality: int) -> Rgb:
    """Keep a share of the area and save as JPEG."""
    return coded(cropped(rgb, rng, area), "JPEG", quality)


def rotated_and_coded(rgb: Rgb, degrees: float, quality: int) -> Rgb:
    """Rotate, crop to what is no corner, and save as JPEG."""
    return coded(rotated_inside(rgb, degrees), "JPEG", quality)


def resized_and_coded(rgb: Rgb, scale: float, quality: int) -> Rgb:
    """Scale and save as JPEG."""
    return coded(resized(rgb, scale), "JPEG", quality)


def printed_and_photographed(rgb: Rgb, rng: Generator) -> Rgb:
    """Perspective, lens blur, light from one side, gamma, sensor noise, JPEG 80."""
    seen = blurred(in_perspective(rgb, rng, 0.03), 1)
    y, x = np.mgrid[-1 : 1 : seen.shape[0] * 1j, -1 : 1 : seen.shape[1] * 1j]
    angle = rng.uniform(0, 2 * math.pi)
    light = 0.9 + 0.1 * (x * math.cos(angle) + y * math.sin(angle))
    lit = (gamma(seen, 0.9) * light[..., None]).astype(np.uint8)
    return coded(noisy(lit, rng, 5), "JPEG", 80)


def photographed(rgb: Rgb, rng: Generator, share: float) -> Rgb:
    """Part of a photograph: 0.8 ×, turned by up to 4° on another picture, its corners moved.

    By up to a share of the sides, in or out; then blur, noise, JPEG 80.
    """
    height, width = rgb.shape[:2]
    around = _bundled(_OTHERS[rng.integers(len(_OTHERS))])
    page = fitted(around, round(1.2 * width), round(1.2 * height))
    corners = np.array([(0, 0), (width, 0), (width, height), (0, height)], np.float32)
    moved = corners + rng.uniform(-share, share, (4, 2)) * (width, height) - (width / 2, height / 2)
    angle = math.radians(rng.uniform(-4, 4))
    turn = 0.8 * np.array([(math.cos(angle), math.sin(angle)), (-math.sin(angle), math.cos(angle))])
    centre = (0.5 + rng.uniform(-0.05, 0.05, 2)) * (page.shape[1], page.shape[0])
    matrix = cv2.getPerspectiveTransform(corners, (moved @ turn + centre).astype(np.float32))
    size = (page.shape[1], page.shape[0])
    shown = cv2.warpPerspective(rgb, matrix, size, flags=cv2.INTER_CUBIC)
    inside = cv2.warpPerspective(np.full((height, width), 255, np.uint8), matrix, size)
    scene = np.where(inside[..., None] > 127, shown, page).astype(np.uint8)
    return coded(noisy(blurred(scene, 0.7), rng, 3), "JPEG", 80)


def halftoned(rgb: Rgb) -> Rgb:
    """Print with round dots, a screen at another angle for each ink, and scan at the same size."""
    fine = fitted(rgb, 4 * rgb.shape[1], 4 * rgb.shape[0])
    y, x = np.mgrid[: fine.shape[0], : fine.shape[1]].astype(np.float32)
    dots = np.empty_like(fine)
    for channel, degrees in enumerate((15, 75, 45)):
        angle = math.radians(degrees)
        along = np.cos((x * math.cos(angle) + y * math.sin(angle)) * (math.pi / 4))
        across = np.cos((y * math.cos(angle) - x * math.sin(angle)) * (math.pi / 4))
        screen = 127.5 + 63.75 * (along + across)
        dots[..., channel] = np.where(fine[..., channel] > screen, 255, 0)
    return fitted(blurred(dots, 3), rgb.shape[1], rgb.shape[0])
