"""True colour to at most 256 colours a frame, for GIF: Pillow's octree and Floyd–Steinberg dither.

The dither is what carries the watermark: it keeps local means, which rounding to a palette alone
would swallow. Pillow's median cut and k-means cost 5 to 100 times as long for 1 to 2 dB.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from PIL import Image

_CLEAR = 255  # palette entry that means transparent


def to_palette(images: Iterable[Image.Image]) -> list[Image.Image]:
    """Return palette images of L, RGB, LA or RGBA ones, each with its own best palette.

    A frame of few enough colours keeps them exactly. Transparency becomes all or nothing at half.
    """
    images = list(images)
    transparent = any(im.mode.endswith("A") for im in images)
    # One entry stays free: for transparency, or for Pillow to mark pixels that do not change.
    colours = 255 if transparent or len(images) > 1 else 256
    return [im if im.mode == "L" else _paletted(im, colours) for im in images]


def _paletted(im: Image.Image, colours: int) -> Image.Image:
    rgb = np.array(im.convert("RGB"))
    clear = np.zeros(rgb.shape[:2], bool)
    if im.mode.endswith("A"):
        clear = np.asarray(im.getchannel("A")) < 128
        rgb[clear] = rgb[~clear][0] if not clear.all() else 0  # costs no palette entry
    flat = Image.fromarray(rgb)
    if flat.getcolors(colours):
        paletted = flat.quantize(colours, Image.Quantize.MEDIANCUT)  # exact for so few
    else:
        octree = flat.quantize(colours, Image.Quantize.FASTOCTREE)
        paletted = flat.quantize(palette=octree, dither=Image.Dither.FLOYDSTEINBERG)
    indices, palette = np.array(paletted), paletted.getpalette() or []
    indices[clear] = _CLEAR
    result = Image.fromarray(indices)
    result.putpalette(palette + [0] * (768 - len(palette)) if clear.any() else palette)
    if clear.any():
        result.info["transparency"] = _CLEAR
    return result
