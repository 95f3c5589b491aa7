"""What happens to pictures on their way. Arrays in, arrays out: uint8 (H, W, 3) RGB."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from io import BytesIO
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from benchmarks.pictures import Rgb, random_for

Attack = Callable[[Rgb], Rgb]


def _coded(rgb: Rgb, fmt: str, **options: Any) -> Rgb:
    data = BytesIO()
    Image.fromarray(rgb).save(data, fmt, **options)
    with Image.open(data) as image:
        return np.array(image.convert("RGB"), np.uint8)


def _resized(rgb: Rgb, x: float, y: float) -> Rgb:
    size = (max(1, round(rgb.shape[1] * x)), max(1, round(rgb.shape[0] * y)))
    way = cv2.INTER_AREA if x * y < 1 else cv2.INTER_CUBIC
    return np.asarray(cv2.resize(rgb, size, interpolation=way), np.uint8)


def _noisy(rgb: Rgb, deviation: float) -> Rgb:
    noise = random_for("noise", rgb.shape, deviation).normal(0, deviation, rgb.shape)
    return _bytes(rgb + noise)


def _blurred(rgb: Rgb, sigma: float) -> Rgb:
    return np.asarray(cv2.GaussianBlur(rgb, (0, 0), sigma), np.uint8)


def _brighter(rgb: Rgb, factor: float) -> Rgb:
    return _bytes(rgb * factor)


def _contrasted(rgb: Rgb, factor: float) -> Rgb:
    return _bytes((rgb - 128.0) * factor + 128)


def _gamma(rgb: Rgb, exponent: float) -> Rgb:
    return _bytes(255 * (rgb / 255.0) ** exponent)


def _grey(rgb: Rgb) -> Rgb:
    return np.asarray(cv2.cvtColor(cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY), cv2.COLOR_GRAY2RGB))


def _palette(rgb: Rgb) -> Rgb:
    return np.array(Image.fromarray(rgb).quantize(256).convert("RGB"))


def _cropped(rgb: Rgb, share: float) -> Rgb:
    height, width = rgb.shape[:2]
    top, left = round(height * (1 - share) / 2), round(width * (1 - share) / 2)
    return np.ascontiguousarray(rgb[top : height - top, left : width - left])


def _rotated(rgb: Rgb, degrees: float) -> Rgb:
    height, width = rgb.shape[:2]
    turn = cv2.getRotationMatrix2D((width / 2, height / 2), degrees, 1)
    turned = cv2.warpAffine(
        rgb, turn, (width, height), flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REFLECT
    )
    return np.asarray(turned, np.uint8)


def _bytes(values: NDArray[Any]) -> Rgb:
    return np.asarray(np.clip(np.rint(values), 0, 255), np.uint8)


ATTACKS: dict[str, Attack] = {
    "none": lambda rgb: rgb,
    **{f"JPEG {q}": partial(_coded, fmt="JPEG", quality=q) for q in (95, 80, 70, 50, 30)},
    **{f"WebP {q}": partial(_coded, fmt="WEBP", quality=q) for q in (80, 50)},
    "AVIF 60": partial(_coded, fmt="AVIF", quality=60, speed=8),
    **{f"resize × {x:g}": partial(_resized, x=x, y=x) for x in (1.5, 0.75, 0.5, 0.25)},
    "aspect 0.8 : 1": partial(_resized, x=0.8, y=1.0),
    "noise σ 5": partial(_noisy, deviation=5),
    "noise σ 10": partial(_noisy, deviation=10),
    "blur σ 1": partial(_blurred, sigma=1),
    "blur σ 2": partial(_blurred, sigma=2),
    "brightness + 30 %": partial(_brighter, factor=1.3),
    "brightness − 30 %": partial(_brighter, factor=0.7),
    "contrast + 30 %": partial(_contrasted, factor=1.3),
    "contrast − 30 %": partial(_contrasted, factor=0.7),
    "gamma 0.7": partial(_gamma, exponent=0.7),
    "gamma 1.5": partial(_gamma, exponent=1.5),
    "grey": _grey,
    "palette of 256": _palette,
    "mirrored": lambda rgb: np.ascontiguousarray(rgb[:, ::-1]),
    "turned by 90°": lambda rgb: np.ascontiguousarray(np.rot90(rgb)),
    "middle 90 %": partial(_cropped, share=0.9),
    "rotated by 2°": partial(_rotated, degrees=2),
}
# The canonical frame follows a picture through any resize, but not through these: no search yet.
UNSUPPORTED = frozenset({"middle 90 %", "rotated by 2°"})
