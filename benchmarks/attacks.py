"""The attack suite: every attack by name, with its family and what the project promises for it.

What the lists of WAVES (An et al. 2024) and StirMark (Petitcolas 2000) ask for, and the ways
pictures really go: sites, messengers, screenshots, prints. ``ATTACKS["JPEG 50"](rgb, "a.png")``.
"""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

from benchmarks import attacks_geometry as geometry
from benchmarks import attacks_scene as scene
from benchmarks import attacks_signal as signal
from benchmarks.pictures import Rgb, random_for


@dataclass(frozen=True)
class Attack:
    """One attack.

    Attributes
    ----------
    name, family : str
    function : callable
        Takes the picture, a generator where it has a parameter `rng`, and `values`.
    values : tuple
    small, large : float or None
        Percentage of payloads promised to be read exactly, from photographs and AI pictures of
        0.25 to 0.5 MP and of 1 MP and more; None where nothing is promised.
    most : float
        Largest picture it is meant for, MP.
    """

    name: str
    family: str
    function: Callable[..., Rgb]
    values: tuple[Any, ...]
    small: float | None
    large: float | None
    most: float

    def __call__(self, rgb: Rgb, picture: str = "") -> Rgb:
        """Attack uint8 (H, W, 3): the same every time for a picture's name and size."""
        if "rng" in inspect.signature(self.function).parameters:
            rng = random_for(self.name, picture, rgb.shape)
            return self.function(rgb, rng, *self.values)
        return self.function(rgb, *self.values)


def _attack(
    family: str,
    name: str,
    promised: tuple[float | None, float | None],
    function: Callable[..., Rgb],
    *values: Any,
    most: float = math.inf,
) -> Attack:
    return Attack(name, family, function, values, *promised, most)


def _untouched(rgb: Rgb) -> Rgb:
    return rgb


_ALL: Final = (100.0, 100.0)
_NEARLY: Final = (99.0, 100.0)
_TURNED: Final = (96.0, 99.0)
_OPEN: Final = (None, None)

_none = partial(_attack, "none")
_flip = partial(_attack, "flips and quarter turns")
_size = partial(_attack, "resizing")
_codec = partial(_attack, "compression")
_crop = partial(_attack, "cropping")
_turn = partial(_attack, "rotation")
_warp = partial(_attack, "warping")
_frame = partial(_attack, "padding")
_filter = partial(_attack, "filters and noise")
_tone = partial(_attack, "tone and colour")
_cover = partial(_attack, "overlays and erasing")
_page = partial(_attack, "part of a page")
_way = partial(_attack, "journeys")
_clean = partial(_attack, "denoising and removal tools")

_SUITE = [
    _none("none", _ALL, _untouched),
    _flip("mirrored", _ALL, geometry.mirrored),
    _flip("upside down", _ALL, geometry.flipped),
    *(_flip(f"turned by {90 * n}°", _ALL, geometry.turned, n) for n in (1, 2, 3)),
    # Sizes
    _size("resize × 0.25", (60, 97), geometry.resized, 0.25),
    *(_size(f"resize × {x:g}", _ALL, geometry.resized, x) for x in (0.5, 0.75, 1.5)),
    _size("resize × 2", _OPEN, geometry.resized, 2),
    _size("resize × 4", _OPEN, geometry.resized, 4, most=0.5),
    _size("aspect 0.8 : 1", (98, 100), geometry.resized, 0.8, 1.0),
    _size("aspect 1 : 0.7", _OPEN, geometry.resized, 1.0, 0.7),
    # Codecs
    *(_codec(f"JPEG {q}", _ALL, signal.coded, "JPEG", q) for q in (95, 90, 80, 70, 50)),
    _codec("JPEG 30", (98, 100), signal.coded, "JPEG", 30),
    _codec("JPEG 20", (85, 98), signal.coded, "JPEG", 20),
    _codec("JPEG 10 (WAVES)", _OPEN, signal.coded, "JPEG", 10),
    _codec("JPEG 85, 75, 70", _ALL, signal.coded, "JPEG", 85, 75, 70),
    _codec("site: 1080 px, JPEG 75", _ALL, signal.posted, 1080, 75),
    _codec("WebP 80", _OPEN, signal.coded, "WEBP", 80),
    _codec("WebP 50", (97, 100), signal.coded, "WEBP", 50),
    _codec("WebP 30", _OPEN, signal.coded, "WEBP", 30),
    _codec("AVIF 50", _ALL, signal.coded, "AVIF", 50),
    _codec("AVIF 30", _OPEN, signal.coded, "AVIF", 30),
    # Parts
    _crop("first row and column lost", _OPEN, geometry.first_lines_lost),
    _crop("crop to 90 %", _OPEN, geometry.cropped, 0.9),
    _crop("crop to 75 %", _ALL, geometry.cropped, 0.75),
    _crop("crop to 50 %", (98, 100), geometry.cropped, 0.5),
    _crop("crop to 25 %", (95, 99), geometry.cropped, 0.25),
    _crop("crop to 10 %", (40, 85), geometry.cropped, 0.1),
    _crop("crop to 50 %, enlarged (WAVES)", _OPEN, geometry.cropped_and_enlarged, 0.5),
    # Angles
    *(
        _turn(f"rotated by {degrees:g}°, {form}", _TURNED, function, degrees)
        for degrees in (0.5, 2, 5, 10, 30, 45)
        for form, function in (
            ("inside", geometry.rotated_inside),
            ("black corners", geometry.rotated),
        )
    ),
    # Warps and frames
    _warp("perspective 3 %", (70, 90), geometry.in_perspective, 0.03),
    *(_warp(f"bent by {n} px", (80, 95), geometry.bent, n) for n in (1, 2, 3)),
    _warp("sheared by 2 %", _OPEN, geometry.sheared, 0.02),
    _warp("1 line in 50 lost", _OPEN, geometry.lines_lost, 50),
    _frame("letterbox 15 %", _OPEN, geometry.framed, 0.15, 0.0),
    _frame("white frame 10 %", _OPEN, geometry.framed, 0.1, 0.1, geometry.WHITE),
    # Filters and noise
    _filter("blur σ 1", _ALL, signal.blurred, 1),
    _filter("blur σ 2", (90, 100), signal.blurred, 2),
    _filter("blur σ 20 (WAVES)", _OPEN, signal.blurred, 20),
    _filter("median 3", _ALL, signal.median, 3),
    _filter("median 5", (95, 100), signal.median, 5),
    _filter("median 7", _OPEN, signal.median, 7),
    _filter("sharpened", _NEARLY, signal.sharpened),
    _filter("noise σ 5", _OPEN, signal.noisy, 5),
    _filter("noise σ 10", _ALL, signal.noisy, 10),
    _filter("noise σ 20", (90, 100), signal.noisy, 20),
    _filter("noise σ 25.5 (WAVES)", _OPEN, signal.noisy, 25.5),
    _filter("salt and pepper 1 %", _OPEN, signal.peppered, 0.01),
    # Tone
    _tone("brightness + 30 %", _NEARLY, signal.brightened, 1.3),
    _tone("brightness − 30 %", _NEARLY, signal.brightened, 0.7),
    _tone("brightness × 2 (WAVES)", _OPEN, signal.brightened, 2),
    _tone("contrast + 30 %", _NEARLY, signal.contrasted, 1.3),
    _tone("contrast − 30 %", _NEARLY, signal.contrasted, 0.7),
    _tone("contrast × 2 (WAVES)", _OPEN, signal.contrasted, 2),
    _tone("gamma 0.7", _NEARLY, signal.gamma, 0.7),
    _tone("gamma 1.5", _NEARLY, signal.gamma, 1.5),
    _tone("equalised", _NEARLY, signal.equalised),
    _tone("colour jitter", _NEARLY, signal.jittered),
    _tone("grey", _ALL, signal.grey),
    _tone("palette of 256", _NEARLY, signal.paletted),
    _tone("4 bits a sample", _OPEN, signal.posterised, 4),
    # Things on it, and it on things
    _cover("text across", _ALL, scene.with_text),
    _cover("logo", _OPEN, scene.with_logo),
    _cover("25 % erased, one block", (98, 100), scene.block_erased, 0.25),
    _cover("25 % erased, 16 blocks", (98, 100), scene.blocks_erased, 0.25),
    _page("collage, 25 % of it", (98, 100), scene.in_collage, 1.0),
    _page("collage, 25 % of it, × 0.7", _OPEN, scene.in_collage, 0.7),
    _page("page screenshot: 0.6 ×, JPEG 80", (90, 100), scene.page_screenshot),
    # Journeys
    _way("screenshot: 0.7 ×, 90 %, sharpened, JPEG 70", (95, 100), scene.screenshot),
    _way("messenger: 1600 px, JPEG 70, 0.8 ×, JPEG 60", (95, 100), scene.messenger),
    _way("crop to 50 %, JPEG 50", (95, 99), scene.cropped_and_coded, 0.5, 50),
    _way("rotated by 10°, JPEG 70", (95, 99), scene.rotated_and_coded, 10, 70),
    _way("resize × 0.5, JPEG 50", _OPEN, scene.resized_and_coded, 0.5, 50),
    _way("print and camera", (40, 70), scene.printed_and_photographed),
    *(
        _way(f"photographed: corners moved by {100 * x:g} %", _OPEN, scene.photographed, x)
        for x in (0.0, 0.01, 0.02, 0.03)
    ),
    _way("halftone and scan", _OPEN, scene.halftoned, most=0.5),
    # What is meant to remove it
    _clean("non-local means", _OPEN, signal.non_local_means, 5),
    _clean("wavelet shrinkage", _OPEN, signal.wavelet_shrunk),
    _clean("bilateral filter", _OPEN, signal.bilateral),
    _clean("0.985 × and back", _OPEN, geometry.there_and_back, 0.985),
    _clean("0.94 × and back", _OPEN, geometry.there_and_back, 0.94),
    _clean("lowest bits drawn", _OPEN, signal.lowest_bits_drawn),
]  # fmt: skip

ATTACKS: Final[dict[str, Attack]] = {attack.name: attack for attack in _SUITE}

# What `make bench` has time for: each family, and what has failed first so far.
QUICK: Final = (
    "none", "mirrored", "turned by 90°",
    "resize × 0.25", "resize × 0.5", "resize × 1.5", "aspect 0.8 : 1",
    "JPEG 50", "JPEG 20", "WebP 50", "AVIF 50",
    "crop to 75 %", "crop to 50 %", "crop to 25 %", "crop to 10 %",
    "rotated by 2°, inside", "rotated by 10°, black corners", "rotated by 45°, inside",
    "perspective 3 %", "bent by 2 px", "white frame 10 %",
    "blur σ 2", "median 5", "sharpened", "noise σ 20", "salt and pepper 1 %",
    "brightness + 30 %", "equalised", "colour jitter", "palette of 256",
    "text across", "25 % erased, one block", "collage, 25 % of it",
    "page screenshot: 0.6 ×, JPEG 80", "screenshot: 0.7 ×, 90 %, sharpened, JPEG 70",
    "messenger: 1600 px, JPEG 70, 0.8 ×, JPEG 60", "crop to 50 %, JPEG 50",
    "rotated by 10°, JPEG 70", "print and camera", "photographed: corners moved by 2 %",
    "bilateral filter", "0.94 × and back",
)  # fmt: skip
