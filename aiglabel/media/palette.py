"""True colour to at most 256 colours a frame, for GIF."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from PIL import Image

_CLEAR = 255  # palette entry that means transparent
_KMEANS = 1


def to_palette(images: Iterable[Image.Image]) -> list[Image.Image]:
    """Return palette images of L, RGB, LA or RGBA ones, each with its own best palette.

    A frame of few enough colours keeps them exactly. Otherwise the palette is a median cut refined
    by k-means, without dither: the source has mostly been dithered once already, and doing it
    twice adds noise. Transparency becomes all or nothing at half.
    """
    images = list(images)
    transparent = any(im.mode.endswith("A") for im in images)
    # One entry stays free: for transparency, or for Pillow to mark pixels that do not change.
    colours = 255 if transparent or len(images) > 1 else 256
    return [_one(im, colours) for im in images]


def _one(im: Image.Image, colours: int) -> Image.Image:
    clear = None
    if im.mode.endswith("A"):
        clear = np.asarray(im.getchannel("A")) < 128
        rgb = np.array(im.convert("RGB"))
        rgb[clear] = rgb[~clear][0] if not clear.all() else 0  # costs no palette entry
        im = Image.fromarray(rgb)
    im = im.convert("RGB")
    counted = im.getcolors(colours)
    if counted is None:
        paletted = im.quantize(colours, Image.Quantize.MEDIANCUT, kmeans=_KMEANS)
    else:
        chart = Image.new("P", (1, 1))
        chart.putpalette([sample for _, colour in counted for sample in colour])  # type: ignore[union-attr]
        paletted = im.quantize(palette=chart, dither=Image.Dither.NONE)
    if clear is not None and clear.any():
        palette = paletted.getpalette() or []
        indices = np.array(paletted)
        indices[clear] = _CLEAR
        paletted = Image.fromarray(indices, "L")
        paletted.putpalette(palette + [0] * (768 - len(palette)))
        paletted.info["transparency"] = _CLEAR
    return paletted
