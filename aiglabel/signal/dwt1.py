"""Reader of the first picture watermark, wire format ``aiglabel.dwt.1``: read, never written.

The luma is resized to canonical squares, whatever the picture's size, and split by a wavelet
transform; the whitened detail coefficients are folded into soft code bits by the key and decoded.
Everything here is fixed by docs/wire-format.md. Planes hold grey levels, 0 to 255.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final

import cv2
import numpy as np
import pywt
from numpy.typing import NDArray

from aiglabel.key import Key
from aiglabel.signal import code, statistics

WIRE_FORMAT: Final = "aiglabel.dwt.1"
LADDER: Final = (64, 96, 128, 192, 256)
LEVELS: Final = (1, 2)
WAVELET: Final = "sym4"
# Of a pose: the steps down and across the frame that lay it so, and the pose of its transpose.
_TURNS: Final = {
    "upright": (1, 1, "transposed"),
    "mirrored": (1, -1, "quarter turn left"),
    "flipped": (-1, 1, "quarter turn right"),
    "half turn": (-1, -1, "transversed"),
}
POSES: Final = (*_TURNS, *(turn[2] for turn in _TURNS.values()))
"""The eight ways to lay a square."""
# Frames of pictures that were larger (shrunk since) or smaller (enlarged) when marked.
_SHRUNK, _ENLARGED = 0.4, 16.0
# Activity added before dividing, so that flat places do not shout; and the clip of the quotient.
_FLOOR, _CLIP = 0.25, 2.5
_STRIP = 64

Float = NDArray[np.float32]


@dataclass(frozen=True)
class Reading:
    """What one key finds in one picture.

    Attributes
    ----------
    payload : bytes or None
        The 8 payload bytes; None when there is no mark or too little of it is left to read.
    statistic, threshold : float
        Normalised correlation with the nearest codeword, and the value that unmarked pictures
        exceed with probability at most 1e-9 over all hypotheses.
    p_value : float
        Upper bound, over all hypotheses.
    frame : int
        Side of the canonical frame of the statistic; 0 where the picture is too small for any.
    pose : str
        How the picture had to be turned to be as it was marked; see `POSES`.
    """

    payload: bytes | None
    statistic: float
    threshold: float
    p_value: float
    frame: int
    pose: str


@dataclass(frozen=True, eq=False)
class _View:
    """A frame in a pose, as whitened bands; see `whiten`."""

    frame: int
    pose: str
    bands: list[Float]

    def transposed(self) -> _View:
        """Transpose the picture: its split is the transposed split, so two poses cost one."""
        bands = [band[[1, 0, 2]].transpose(0, 2, 1) for band in self.bands]
        return _View(self.frame, _TURNS[self.pose][2], bands)

    def soft_bits(self, key: Key) -> Float:
        """Fold into code bits (352,); their product with a codeword is the statistic."""
        order, chips = carrier(key, self.frame)
        used = np.concatenate([band.ravel() for band in self.bands])[order]
        norm = max(math.sqrt(float(np.vdot(used, used))), 1e-6)
        bits: Float = np.einsum("bc,bc->b", used, chips) / np.float32(norm)
        return bits


def read(
    luma: NDArray[Any], keys: Sequence[Key], *, log_hypotheses_extra: float = 0.0
) -> list[Reading]:
    """Look for the marks of `keys`: transforms are shared, a key costs its decoding.

    The picture is looked at as it is; then, for the keys that gave no payload, mirrored and turned
    by quarters too.

    Parameters
    ----------
    luma : uint8 or float32, shape (H, W)
        BT.601 luma in grey levels, transparent parts as seen on white paper.
    keys : sequence of Key
    log_hypotheses_extra : float
        Natural logarithm of the factor by which the caller multiplies the hypotheses of this call:
        other pictures (frames) or wire formats that are looked at for the same answer.

    Returns
    -------
    list of Reading
        One a key, in the order of `keys`.
    """
    sides = sides_to_try(luma.shape)
    hypotheses = max(len(sides) * len(POSES) * len(keys), 1)
    log = code.INFO_BITS * math.log(2) + math.log(hypotheses) + log_hypotheses_extra
    found = [Reading(None, 0.0, statistics.threshold(log), 1.0, 0, "upright") for _ in keys]
    if not sides or not keys:
        return found
    plane = _reduced(luma)
    for views in _rounds([to_frame(plane, side) for side in sides]):
        for index, key in enumerate(keys):
            if found[index].payload is None:
                better = _decode(views, key, log)
                found[index] = max(found[index], better, key=lambda one: one.statistic)
        if all(one.payload is not None for one in found):
            break
    return found


def sides_to_try(shape: tuple[int, ...]) -> list[int]:
    """Return the sides of the frames that a picture of `shape` (H, W) may have been marked in."""
    shortest = min(shape)
    return [
        side
        for side in LADDER
        if side * _SHRUNK <= shortest and (side == LADDER[-1] or shortest <= side * _ENLARGED)
    ]


def to_frame(plane: NDArray[Any], side: int) -> Float:
    """Resize an (H, W) plane to (side, side) float32, low-passed where it shrinks."""
    method = cv2.INTER_AREA if min(plane.shape) >= side else cv2.INTER_CUBIC
    frame: Float = cv2.resize(np.asarray(plane, np.float32), (side, side), interpolation=method)
    return frame


def whiten(frame: Float) -> list[Float]:
    """Split a frame and divide by local activity: one (3, n, n) array a level, bands H, V, D."""
    split = pywt.wavedec2(frame, WAVELET, mode="periodization", level=LEVELS[-1])
    white = []
    for level in LEVELS:
        bands = np.stack(split[-level])
        size = 5 if bands.shape[1] >= 32 else 3
        magnitude = np.abs(bands).mean(axis=0)
        mean: Any = cv2.blur(magnitude, (size, size), borderType=cv2.BORDER_REFLECT)
        # Box filters leave tiny negative values in float32.
        activity = np.maximum(mean, 0) + np.float32(_FLOOR * 2**level)
        white.append(np.clip(bands / activity, -_CLIP, _CLIP))
    return white


@lru_cache(maxsize=128)
def carrier(key: Key, side: int) -> tuple[NDArray[np.intp], Float]:
    """Return the coefficients of each code bit and their signs, both (code bits, E)."""
    count = 3 * sum((side >> level) ** 2 for level in LEVELS)
    digest = hashlib.shake_256(key.derive(f"image-1/carrier/{side}")).digest(8 * count)
    words = np.frombuffer(digest, "<u8")
    each = count // code.CODE_BITS
    order = np.argsort(words, kind="stable")[: each * code.CODE_BITS].reshape(-1, each)
    chips = 1 - 2 * (words[order] & 1).astype(np.float32)
    for array in (order, chips):
        array.setflags(write=False)  # shared by all callers through the cache
    return order, chips


def _reduced(luma: NDArray[Any]) -> Float:
    """Bring a large plane to twice the largest frame, so that several frames cost one look at it.

    Area filters nest: the frames come out nearly as from the plane itself. Strips that stay in the
    cache are reduced across before all are reduced down, so no copy of the picture is made.
    """
    side = 2 * LADDER[-1]
    if min(luma.shape) <= side:
        return np.asarray(luma, np.float32)
    tops = range(0, len(luma), _STRIP)
    strips = (np.asarray(luma[top : top + _STRIP], np.float32) for top in tops)
    narrow = [cv2.resize(one, (side, len(one)), interpolation=cv2.INTER_AREA) for one in strips]
    return to_frame(np.concatenate(narrow), side)


def _rounds(frames: list[Float]) -> Iterator[list[_View]]:
    """Give the frames as they are; then, only if asked on, in the seven other poses."""
    upright = _views(frames, "upright")
    yield upright
    flipped = [view for pose in list(_TURNS)[1:] for view in _views(frames, pose)]
    yield flipped + [view.transposed() for view in upright + flipped]


def _views(frames: list[Float], pose: str) -> list[_View]:
    down, across, _ = _TURNS[pose]
    laid = (np.ascontiguousarray(frame[::down, ::across]) for frame in frames)
    return [_View(len(frame), pose, whiten(frame)) for frame in laid]


def _decode(views: list[_View], key: Key, log: float) -> Reading:
    """Decode every view with one key; the one with the largest statistic is the answer."""
    soft = np.stack([view.soft_bits(key) for view in views])
    tags = [key.derive("image-1/tag")] * len(views)
    words, payloads = code.DWT_1.decode(soft, tags, effort=code.ONE)
    scores = (soft * words).sum(axis=1)
    best = int(scores.argmax())
    score, view, limit = float(scores[best]), views[best], statistics.threshold(log)
    payload = payloads[best] if score >= limit else None
    return Reading(payload, score, limit, statistics.p_value(score, log), view.frame, view.pose)
