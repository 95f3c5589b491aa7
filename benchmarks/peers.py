"""Other blind watermarks on the same footing: same pictures, same payload, same attacks.

None is a dependency: they ask for opencv-python, which would replace the headless build, and
`invisible-watermark` for torch, which these two methods of its never use.
``pip install --no-deps blind-watermark==0.4.4 invisible-watermark==0.2.0`` adds them.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, partial
from importlib.util import find_spec
from typing import Any
from unittest import mock

import numpy as np
from numpy.typing import NDArray

from benchmarks.pictures import Rgb

MISSING = (
    "no peer is installed: pip install --no-deps blind-watermark==0.4.4 invisible-watermark==0.2.0"
)


@dataclass(frozen=True)
class Peer:
    """One method of another tool, with its defaults.

    Attributes
    ----------
    name, module : str
    embed : callable
        Picture and payload to marked picture, rounded to bytes as a file would be.
    extract : callable
        Picture and number of bytes to payload: a peer must be told how many, and has no way to
        say "none". None where it fails for lack of room in the picture.
    """

    name: str
    module: str
    embed: Callable[[Rgb, bytes], Rgb]
    extract: Callable[[Rgb, int], bytes | None]


def available() -> list[Peer]:
    """Return the peers that are installed."""
    return [peer for peer in PEERS if find_spec(peer.module)]


# ---------------------------------------------------------------------- blind-watermark


def _blind_embed(rgb: Rgb, payload: bytes) -> Rgb:
    peer = _blind_watermark().WaterMark(password_img=1, password_wm=1)
    peer.read_img(img=_swapped(rgb))
    peer.read_wm(_bits(payload) == 1, mode="bit")
    return _swapped(peer.embed())


def _blind_extract(rgb: Rgb, length: int) -> bytes | None:
    peer = _blind_watermark().WaterMark(password_img=1, password_wm=1)
    try:
        bits = peer.extract(embed_img=_swapped(rgb), wm_shape=8 * length, mode="bit")
    except AssertionError:
        return None
    return np.packbits(np.asarray(bits) > 0.5).tobytes()


@cache
def _blind_watermark() -> Any:
    # Importing it sets multiprocessing's start method, which a worker process refuses.
    with mock.patch("multiprocessing.set_start_method"):
        import blind_watermark
    blind_watermark.bw_notes.close()
    return blind_watermark


# ---------------------------------------------------------------------- invisible-watermark


def _invisible_embed(rgb: Rgb, payload: bytes, *, method: str) -> Rgb:
    encoder = _imwatermark().WatermarkEncoder()
    encoder.set_watermark("bits", _bits(payload))
    return _swapped(encoder.encode(_swapped(rgb), method))


def _invisible_extract(rgb: Rgb, length: int, *, method: str) -> bytes | None:
    decoder = _imwatermark().WatermarkDecoder("bits", 8 * length)
    try:
        return np.packbits(decoder.decode(_swapped(rgb), method)).tobytes()
    except RuntimeError:  # below 256 × 256
        return None


@cache
def _imwatermark() -> Any:
    # Only its neural method needs these, yet all of them import them.
    absent = {name: mock.MagicMock() for name in ("torch", "onnxruntime") if not find_spec(name)}
    with mock.patch.dict(sys.modules, absent):
        import imwatermark
    return imwatermark


def _bits(payload: bytes) -> NDArray[np.uint8]:
    return np.unpackbits(np.frombuffer(payload, np.uint8))


def _swapped(pixels: NDArray[Any]) -> Rgb:
    """RGB to BGR or back, as bytes."""
    return np.ascontiguousarray(np.clip(np.rint(pixels[..., ::-1]), 0, 255), np.uint8)


PEERS = (
    Peer("blind-watermark", "blind_watermark", _blind_embed, _blind_extract),
    *(
        Peer(
            f"invisible-watermark {method}", "imwatermark",
            partial(_invisible_embed, method=method), partial(_invisible_extract, method=method),
        )
        for method in ("dwtDct", "dwtDctSvd")
    ),
)  # fmt: skip
