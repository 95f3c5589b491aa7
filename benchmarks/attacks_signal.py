"""Attacks that change values and leave pixels in place. uint8 (H, W, 3) RGB in and out."""

from __future__ import annotations

from io import BytesIO
from typing import Any

import cv2
import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray
from PIL import Image, ImageFilter, ImageOps

from benchmarks.attacks_geometry import at_most
from benchmarks.pictures import Rgb

# ---------------------------------------------------------------------- codecs


def coded(rgb: Rgb, fmt: str, *qualities: int) -> Rgb:
    """Encode and decode with Pillow, once a quality; JPEG keeps its usual 4:2:0."""
    options: dict[str, Any] = {"speed": 8} if fmt == "AVIF" else {}
    for quality in qualities:
        data = BytesIO()
        Image.fromarray(rgb).save(data, fmt, quality=quality, **options)
        with Image.open(data) as image:
            rgb = np.array(image.convert("RGB"), np.uint8)
    return rgb


def posted(rgb: Rgb, side: int, quality: int) -> Rgb:
    """Reduce to a longest side where it is larger, and save as JPEG."""
    return coded(at_most(rgb, side), "JPEG", quality)


# ---------------------------------------------------------------------- filters and noise


def blurred(rgb: Rgb, sigma: float) -> Rgb:
    """Gaussian blur; `sigma` in pixels."""
    return np.asarray(cv2.GaussianBlur(rgb, (0, 0), sigma), np.uint8)


def median(rgb: Rgb, side: int) -> Rgb:
    """Median of a square window."""
    return np.asarray(cv2.medianBlur(rgb, side), np.uint8)


def sharpened(rgb: Rgb) -> Rgb:
    """Unsharp mask with Pillow's defaults: radius 2, 150 %, threshold 3."""
    return np.array(Image.fromarray(rgb).filter(ImageFilter.UnsharpMask()))


def noisy(rgb: Rgb, rng: Generator, deviation: float) -> Rgb:
    """Gaussian noise in every channel, in grey levels."""
    noise = rng.standard_normal(rgb.shape, np.float32) * np.float32(deviation)
    return _bytes(rgb + noise)


def peppered(rgb: Rgb, rng: Generator, share: float) -> Rgb:
    """Make a share of the pixels black or white."""
    draw = rng.random(rgb.shape[:2], np.float32)[..., None]
    return np.where(draw < share / 2, 0, np.where(draw < share, 255, rgb)).astype(np.uint8)


def lowest_bits_drawn(rgb: Rgb, rng: Generator) -> Rgb:
    """Replace the lowest bit of every sample by chance, as removal tools do."""
    return np.asarray((rgb & 0xFE) | rng.integers(0, 2, rgb.shape, np.uint8), np.uint8)


# ---------------------------------------------------------------------- tone and colour


def brightened(rgb: Rgb, factor: float) -> Rgb:
    """Multiply."""
    return _toned(rgb, np.arange(256) * factor)


def contrasted(rgb: Rgb, factor: float) -> Rgb:
    """Multiply the distance from middle grey."""
    return _toned(rgb, (np.arange(256) - 128) * factor + 128)


def gamma(rgb: Rgb, exponent: float) -> Rgb:
    """Raise to a power, on a scale to 1."""
    return _toned(rgb, 255 * (np.arange(256) / 255) ** exponent)


def equalised(rgb: Rgb) -> Rgb:
    """Equalise the histogram of the luma."""
    planes = cv2.cvtColor(rgb, cv2.COLOR_RGB2YCrCb)
    planes[..., 0] = cv2.equalizeHist(planes[..., 0])
    return np.asarray(cv2.cvtColor(planes, cv2.COLOR_YCrCb2RGB), np.uint8)


def jittered(rgb: Rgb, rng: Generator) -> Rgb:
    """Change brightness, contrast and saturation by up to 30 %, hue by up to 18°."""
    bright, contrast, saturation = rng.uniform(0.7, 1.3, 3)
    hue = rng.uniform(-9, 9)  # OpenCV has half degrees
    planes = cv2.cvtColor(contrasted(brightened(rgb, bright), contrast), cv2.COLOR_RGB2HSV)
    planes[..., 0] = ((planes[..., 0] + hue) % 180).astype(np.uint8)
    planes[..., 1] = np.clip(planes[..., 1] * saturation, 0, 255).astype(np.uint8)
    return np.asarray(cv2.cvtColor(planes, cv2.COLOR_HSV2RGB), np.uint8)


def grey(rgb: Rgb) -> Rgb:
    """Take the colour out."""
    return np.asarray(cv2.cvtColor(cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY), cv2.COLOR_GRAY2RGB))


def paletted(rgb: Rgb) -> Rgb:
    """256 colours, as a GIF has them."""
    return np.array(Image.fromarray(rgb).quantize(256).convert("RGB"))


def posterised(rgb: Rgb, bits: int) -> Rgb:
    """Keep the upper bits of every sample."""
    return np.array(ImageOps.posterize(Image.fromarray(rgb), bits))


# ---------------------------------------------------------------------- denoisers


def non_local_means(rgb: Rgb, strength: float) -> Rgb:
    """Non-local means of the luma (Buades, Coll and Morel 2005), OpenCV's windows."""
    planes = cv2.cvtColor(rgb, cv2.COLOR_RGB2YCrCb)
    planes[..., 0] = cv2.fastNlMeansDenoising(
        np.ascontiguousarray(planes[..., 0]), None, strength, 7, 21
    )
    return np.asarray(cv2.cvtColor(planes, cv2.COLOR_YCrCb2RGB), np.uint8)


def wavelet_shrunk(rgb: Rgb) -> Rgb:
    """BayesShrink (Chang, Yu and Vetterli 2000) with scikit-image, noise estimated."""
    from skimage.restoration import denoise_wavelet

    return _bytes(255 * denoise_wavelet(rgb, channel_axis=-1, convert2ycbcr=True))


def bilateral(rgb: Rgb) -> Rgb:
    """Smooth within edges: 7 pixels wide, 30 grey levels, 3 pixels."""
    return np.asarray(cv2.bilateralFilter(rgb, 7, 30, 3), np.uint8)


def _toned(rgb: Rgb, curve: NDArray[Any]) -> Rgb:
    return np.asarray(cv2.LUT(rgb, _bytes(curve)), np.uint8)


def _bytes(values: NDArray[Any]) -> Rgb:
    return np.asarray(np.clip(np.rint(values), 0, 255), np.uint8)
