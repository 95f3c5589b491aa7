"""Pixels of every shape and type: their luma, and how a change of it goes back into them."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from aiglabel.signal import frame

Float = NDArray[np.float32]
Pixels = NDArray[Any]

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


def add(rgb: Pixels, residual: Float) -> Pixels:
    """Add the residual, resized, to all colour channels alike: luma moves, chroma does not."""
    if rgb.dtype == np.uint8:
        return _add_bytes(rgb, residual)
    height, width = rgb.shape[:2]
    full: Any = cv2.resize(residual, (width, height), interpolation=cv2.INTER_CUBIC)
    if rgb.ndim == 3 and rgb.shape[2] == 4:
        full[rgb[..., 3] == 0] = 0
    out = np.array(rgb, order="C")
    colour = out if rgb.ndim == 2 else out[..., :3]
    change = full * np.float32(_unit(rgb))
    if rgb.ndim == 3:
        change = change[..., None]
    if rgb.dtype == np.uint16:
        colour[:] = np.clip(np.rint(colour + change), 0, 65535)
    else:
        colour[:] = np.clip(colour + change, 0, 1)
    return out


def _add_bytes(rgb: Pixels, residual: Float) -> Pixels:
    """Add to uint8 pixels with saturation, in strips that stay in the cache.

    The change goes in bytes of its own, in quarters of a grey level around 128: OpenCV resizes and
    blends bytes several times faster than other types.
    """
    height, width = rgb.shape[:2]
    quarters = np.clip(np.rint(residual * _PARTS) + 128, 0, 255).astype(np.uint8)
    full: Any = cv2.resize(quarters, (width, height), interpolation=cv2.INTER_CUBIC)
    out = np.empty(rgb.shape, np.uint8)  # in C order, whatever the order of `rgb`
    channels = 1 if rgb.ndim == 2 else rgb.shape[2]
    if channels == 4:
        full[rgb[..., 3] == 0] = 128
    for top in range(0, height, _STRIP):
        strip = np.s_[top : top + _STRIP]
        change = full[strip]
        if channels > 1:
            opacity = [np.full_like(change, 128)] * (channels - 3)
            change = cv2.merge([change] * min(channels, 3) + opacity)
        target = out[strip].reshape(change.shape)
        pixels = rgb[strip].reshape(change.shape)
        cv2.addWeighted(pixels, 1, change, 1 / _PARTS, -128 / _PARTS, dst=target)
    return out
