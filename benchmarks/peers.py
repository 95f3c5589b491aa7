"""Other blind watermarks on the same footing: same pictures, same payload, same attacks.

`blind-watermark` (MIT; DWT, DCT and SVD of 4 × 4 blocks) is no dependency: it wants opencv-python,
which would replace the headless one. ``pip install --no-deps blind-watermark==0.4.4`` adds it.
`invisible-watermark` is left out because it needs torch.
"""

from __future__ import annotations

from functools import cache
from importlib.util import find_spec
from typing import Any
from unittest import mock

import numpy as np

from benchmarks.pictures import Rgb

MISSING = "blind-watermark is not installed: pip install --no-deps blind-watermark==0.4.4"


def available() -> bool:
    """Whether the peer is installed."""
    return find_spec("blind_watermark") is not None


def embed(rgb: Rgb, payload: bytes) -> Rgb:
    """Mark with blind-watermark's defaults; the picture is rounded to bytes as a file would."""
    peer = _peer()
    peer.read_img(img=np.ascontiguousarray(rgb[..., ::-1]))
    peer.read_wm(np.unpackbits(np.frombuffer(payload, np.uint8)) == 1, mode="bit")
    marked = np.clip(np.rint(peer.embed()), 0, 255).astype(np.uint8)
    return np.ascontiguousarray(marked[..., ::-1])


def extract(rgb: Rgb, length: int) -> bytes | None:
    """Read `length` bytes: the peer must be told how many, and has no way to say "none".

    None where it fails for lack of room in the picture.
    """
    try:
        bits = _peer().extract(
            embed_img=np.ascontiguousarray(rgb[..., ::-1]), wm_shape=8 * length, mode="bit"
        )
    except AssertionError:
        return None
    return np.packbits(np.asarray(bits) > 0.5).tobytes()


def _peer() -> Any:
    return _module().WaterMark(password_img=1, password_wm=1)


@cache
def _module() -> Any:
    # Importing it sets multiprocessing's start method, which a worker process refuses.
    with mock.patch("multiprocessing.set_start_method"):
        import blind_watermark
    blind_watermark.bw_notes.close()
    return blind_watermark
