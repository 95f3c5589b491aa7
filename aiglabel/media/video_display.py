"""Frames as a player shows them: pixels made square, turned upright, in RGB.

Sources: ITU-R BT.601, BT.709 and BT.2020 (matrices), ITU-T H.273 (which one, and the ranges of
samples), BT.2100 (PQ and HLG), BT.2408 (reference white of 203 cd/m²), BT.2087 (BT.2020 colours
seen as BT.709).
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from aiglabel.media.orientation import upright
from aiglabel.media.picture import Array
from aiglabel.media.video_coding import Frame, Plane, VideoCoding

REFERENCE_WHITE = {"smpte2084": 0.58, "arib-std-b67": 0.75}
"""Where in the range of the signal white paper lies (BT.2408, table 1); elsewhere at its top."""

_LIGHT = 203.0  # cd/m² of that white
_PEAK = 1000.0  # cd/m²: the display HLG is brought to
_KNEE = 0.7  # of reference white: from here on what is brighter is compressed, not cut off
_MOST_STRETCH = 4  # a pixel wider or narrower than this is a damaged tag, not a pixel
_SD = (1279, 576)  # width and lines up to which film without a tag is taken for BT.601
_TURNED = {0: 1, 1: 6, 2: 3, 3: 8}  # EXIF orientation of so many quarter turns clockwise
# Weights of red and blue in luma.
_WEIGHTS = {
    "bt709": (0.2126, 0.0722), "smpte170m": (0.299, 0.114), "bt470bg": (0.299, 0.114),
    "fcc": (0.30, 0.11), "smpte240m": (0.212, 0.087), "bt2020nc": (0.2627, 0.0593),
    "bt2020c": (0.2627, 0.0593), "gbr": (0.299, 0.114),  # RGB handed out as YUV 4:4:4
}  # fmt: skip
_TO_BT709 = np.array(
    [[1.6605, -0.5876, -0.0728], [-0.1246, 1.1329, -0.0083], [-0.0182, -0.1006, 1.1187]],
    np.float32,
)


def quarter_turns(coding: VideoCoding) -> int:
    """Return by how many quarter turns, 0 to 3, a player turns the frames clockwise."""
    return round(coding.rotation / 90) % 4


def upright_size(coding: VideoCoding) -> tuple[int, int]:
    """Return (width, height) with square pixels, before turning.

    Only the width is stretched, as players do.
    """
    aspect = coding.sample_aspect or 1
    if not 1 <= aspect * _MOST_STRETCH <= _MOST_STRETCH**2:
        aspect = 1
    return max(1, round(coding.width * aspect)), coding.height


def display_size(coding: VideoCoding) -> tuple[int, int]:
    """Return the (width, height) in px at which a player shows the film."""
    width, height = upright_size(coding)
    return (height, width) if quarter_turns(coding) % 2 else (width, height)


def luma_range(coding: VideoCoding) -> tuple[int, int]:
    """Return the values of Y for black and for the top of the range."""
    if coding.colour.range == "pc":
        return 0, 2**coding.bits - 1
    return 16 << coding.bits - 8, 235 << coding.bits - 8


def displayed(frame: Frame, coding: VideoCoding) -> NDArray[np.uint8]:
    """Return a frame as a player shows it: RGB, uint8 (H, W, 3), of `display_size`.

    PQ and HLG are brought to what a usual screen shows, with reference white near its white.
    """
    planes = [_eight(plane, coding) for plane in frame.planes]
    size = (coding.width, coding.height)
    if len(planes) == 3:
        u, v = (cv2.resize(plane, size, interpolation=cv2.INTER_LINEAR) for plane in planes[1:])
        yuv = cv2.merge([planes[0], u, v])
    else:
        grey = np.full_like(planes[0], 128)
        yuv = cv2.merge([planes[0], grey, grey])
    rgb = cv2.transform(yuv, _matrix(coding))
    if coding.colour.hdr:
        rgb = _viewable(np.asarray(rgb, np.uint8), str(coding.colour.transfer))
    return np.asarray(_shown(np.asarray(rgb), coding, upright_size(coding)), np.uint8)


def displayed_luma(frame: Frame, coding: VideoCoding, least: int) -> NDArray[np.float32]:
    """Return Y as a player shows it, halved as long as `least` px are left on the shortest side.

    Returns
    -------
    float32 (h, w)
        0 is black and 1 the top of the range.
    """
    y = frame.y
    # Halving has a fast path; dropping an odd last row or column moves nothing.
    while min(y.shape) >= 2 * least:
        even = y[: y.shape[0] // 2 * 2, : y.shape[1] // 2 * 2]
        y = np.asarray(cv2.resize(even, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA))
    stretched = round(y.shape[1] * upright_size(coding)[0] / coding.width)
    shown = _shown(y, coding, (max(1, stretched), y.shape[0])).astype(np.float32)
    low, high = luma_range(coding)
    return np.asarray((shown - low) / np.float32(high - low), np.float32)


def tone(signal: NDArray[np.floating[Any]], transfer: str) -> NDArray[np.float32]:
    """Return light, 1 being a usual screen's white, of PQ or HLG `signal` in [0, 1].

    What is brighter than `_KNEE` approaches white without reaching it.
    """
    if transfer == "smpte2084":
        root = np.clip(signal, 0, 1) ** (1 / 78.84375)
        ratio = np.maximum(root - 0.8359375, 0) / (18.8515625 - 18.6875 * root)
        light = 10_000 * ratio ** (1 / 0.1593017578125)
    else:
        a, b, c = 0.17883277, 0.28466892, 0.55991073
        dark = signal**2 / 3
        scene = np.where(signal <= 0.5, dark, (np.exp((signal - c) / a) + b) / 12)
        light = _PEAK * scene**1.2
    light = light / _LIGHT
    above = 1 - np.exp(-np.maximum(light - _KNEE, 0) / (1 - _KNEE))
    shown = np.where(light <= _KNEE, light, _KNEE + (1 - _KNEE) * above)
    return np.asarray(shown, np.float32)


def srgb(light: NDArray[np.floating[Any]]) -> NDArray[np.float32]:
    """Return the sRGB signal of `light` in [0, 1] (IEC 61966-2-1)."""
    light = np.clip(light, 0, 1)
    curved = 1.055 * light ** np.float32(1 / 2.4) - 0.055
    return np.asarray(np.where(light <= 0.0031308, 12.92 * light, curved), np.float32)


def _eight(plane: Plane, coding: VideoCoding) -> NDArray[np.uint8]:
    """Bring samples to 8 bits."""
    if coding.bits == 8:
        return np.asarray(plane, np.uint8)
    full = coding.colour.range == "pc"
    scale = 255 / (2**coding.bits - 1) if full else 0.5 ** (coding.bits - 8)
    return np.asarray(cv2.convertScaleAbs(plane, alpha=scale), np.uint8)


def _matrix(coding: VideoCoding) -> NDArray[np.float32]:
    """Return the 3 × 4 matrix from (Y, U, V, 1) of 8 bits to (R, G, B)."""
    colour = coding.colour
    small = coding.width <= _SD[0] and coding.height <= _SD[1]
    usual = "smpte170m" if small else "bt709"
    name = colour.space or ("bt2020nc" if colour.hdr else usual)
    red, blue = _WEIGHTS.get(name, _WEIGHTS[usual])
    green = 1 - red - blue
    low, span_y, span_c = (0, 255, 255) if colour.range == "pc" else (16, 219, 224)
    y, u, v = 255 / span_y, 510 * (1 - blue) / span_c, 510 * (1 - red) / span_c
    matrix = np.array([[y, 0, v], [y, -u * blue / green, -v * red / green], [y, u, 0]])
    offset = matrix @ np.array([low, 128, 128])
    return np.column_stack([matrix, -offset]).astype(np.float32)


def _viewable(rgb: NDArray[np.uint8], transfer: str) -> NDArray[np.uint8]:
    """Bring PQ or HLG to sRGB, and colours of BT.2020 to BT.709."""
    light, curve = _curves(transfer)
    linear = cv2.transform(cv2.LUT(rgb, light), _TO_BT709)
    steps = np.clip(linear, 0, 1) * np.float32(len(curve) - 1)
    return np.asarray(curve[steps.astype(np.uint16)])


@lru_cache(maxsize=2)
def _curves(transfer: str) -> tuple[NDArray[np.float32], NDArray[np.uint8]]:
    """Return light for every 8-bit signal, and sRGB in 8 bits for 4096 steps of light."""
    light = tone(np.arange(256, dtype=np.float32) / 255, transfer)
    curve = 255 * srgb(np.arange(4096, dtype=np.float32) / 4095)
    return light, np.rint(curve).astype(np.uint8)


def _shown(array: Array, coding: VideoCoding, size: tuple[int, int]) -> Array:
    """Resize a stored picture to `size` (width, height) and turn it upright."""
    if size != (array.shape[1], array.shape[0]):
        smaller = size[0] < array.shape[1] or size[1] < array.shape[0]
        way = cv2.INTER_AREA if smaller else cv2.INTER_LINEAR
        array = np.asarray(cv2.resize(array, size, interpolation=way))
    return upright(array, _TURNED[quarter_turns(coding)])
