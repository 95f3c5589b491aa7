"""Pixels of every shape and type: their luma, and how a change of it goes back into them.

Green counts most in the luma and blue least. So a change of the luma that leans towards green moves
the pixels less, all channels together, than one of all channels alike: by 1 dB here, at the cost of
a fraction of a grey level in hue. What is grey stays grey.
"""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from aiglabel.signal import frame

Float = NDArray[np.float32]
Pixels = NDArray[Any]

# What red, green and blue count in the luma, BT.601; and how far their changes lean that way: from
# alike, 0, to where the least of all moves the luma, 1.
_LUMA = np.array([0.299, 0.587, 0.114])
_LEANING = 0.6
_SHARES = (1 - _LEANING) + _LEANING * _LUMA / (_LUMA @ _LUMA)
# Rows that are looked at to tell a grey picture.
_ROWS = 16
# Parts of a grey level in which a change is resized.
_PARTS = 4
_STRIP = 64


def check(rgb: Pixels) -> None:
    """Refuse what is no picture, with a `ValueError`."""
    if rgb.ndim < 2 or (rgb.ndim > 2 and rgb.shape[-1] not in (1, 3, 4)) or 0 in rgb.shape:
        raise ValueError("a picture is (H, W) or (..., H, W, C) with 1, 3 or 4 channels")
    if rgb.dtype not in (np.uint8, np.uint16, np.float32, np.float64):
        raise ValueError("pixels are uint8, uint16, or float in [0, 1]")


def _unit(rgb: Pixels) -> float:
    """One grey level of 255 in the picture's own scale."""
    return {"uint8": 1.0, "uint16": 257.0}.get(rgb.dtype.name, 1 / 255)


def cover(rgb: Pixels) -> tuple[NDArray[Any], NDArray[Any] | None]:
    """Luma (H, W) in grey levels 0..255 as seen on white paper, and opacity in [0, 1] or None."""
    pixels = rgb
    if rgb.dtype != np.uint8:
        pixels = np.multiply(rgb, 1 / _unit(rgb), dtype=np.float32)
    if rgb.ndim == 2 or rgb.shape[2] < 4:
        return frame.luma(pixels), None
    plane = frame.luma(np.ascontiguousarray(pixels[..., :3]))
    opacity = pixels[..., 3].astype(np.float32) / 255
    if opacity.min() == 1:
        return plane, None
    return plane * opacity + 255 * (1 - opacity), opacity


def shares(rgb: Pixels) -> Float:
    """How much each colour channel changes when the luma does by one; (channels,), luma 1.

    A picture in which no row that is looked at has a colour stays without.
    """
    if rgb.ndim == 2 or rgb.shape[2] == 1:
        return np.ones(1, np.float32)
    some = rgb[:: max(1, len(rgb) // _ROWS), :, :3]
    grey = np.array_equal(some[..., :2], some[..., 1:])
    return np.ones(3, np.float32) if grey else _SHARES.astype(np.float32)


def add(rgb: Pixels, residual: Float, shares: Float) -> Pixels:
    """Add the residual, resized, to the colour channels, to each its share; alpha stays."""
    if rgb.dtype == np.uint8:
        return _add_bytes(rgb, residual, shares)
    height, width = rgb.shape[:2]
    full: Any = cv2.resize(residual, (width, height), interpolation=cv2.INTER_CUBIC)
    if rgb.ndim == 3 and rgb.shape[2] == 4:
        full[rgb[..., 3] == 0] = 0
    out = np.array(rgb, order="C")
    colour = out.reshape(height, width, -1)[..., : len(shares)]
    change = full[..., None] * (shares * np.float32(_unit(rgb)))
    if rgb.dtype == np.uint16:
        colour[:] = np.clip(np.rint(colour + change), 0, 65535)
    else:
        colour[:] = np.clip(colour + change, 0, 1)
    return out


def _add_bytes(rgb: Pixels, residual: Float, shares: Float) -> Pixels:
    """Add to uint8 pixels with saturation, in strips that stay in the cache.

    The change goes in bytes of its own, in quarters of a grey level around 128: OpenCV resizes and
    blends bytes several times faster than other types.
    """
    height, width = rgb.shape[:2]
    pixels = rgb.reshape(height, width, -1)
    scales = [_PARTS * float(share) for share in shares] + [0.0] * (pixels.shape[2] - len(shares))
    quarters = cv2.merge(
        [cv2.addWeighted(residual, one, residual, 0, 128, dtype=cv2.CV_8U) for one in scales]
    )
    full: Any = cv2.resize(quarters, (width, height), interpolation=cv2.INTER_CUBIC)
    full = full.reshape(pixels.shape)
    if pixels.shape[2] == 4:
        full[rgb[..., 3] == 0] = 128
    out = np.empty(rgb.shape, np.uint8)  # in C order, whatever the order of `rgb`
    target = out.reshape(pixels.shape)
    for top in range(0, height, _STRIP):
        strip = np.s_[top : top + _STRIP]
        cv2.addWeighted(pixels[strip], 1, full[strip], 1 / _PARTS, -128 / _PARTS, dst=target[strip])
    return out
