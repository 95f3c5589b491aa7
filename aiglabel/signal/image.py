"""Blind DWT watermark of pictures: 64 payload bits, keyed. Wire format ``aiglabel.dwt.1``.

Embedding adds to the luma a signal made of wavelet detail coefficients of the canonical frame
(`frame`), each code bit spread over many of them by the key (`carrier`), as strong as the local
activity hides (`mask`) and as it has to be (`informed`). Detection whitens the same coefficients,
folds them into soft code bits, decodes (`code`), and states a p-value that holds for any picture
(`statistics`).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray

from aiglabel.errors import PayloadError
from aiglabel.key import Key
from aiglabel.signal import code, frame, informed, mask, quality, statistics
from aiglabel.signal.carrier import Carrier, carrier
from aiglabel.signal.informed import STRENGTHS, Strength

WIRE_FORMAT: Final = "aiglabel.dwt.1"
# Times the threshold at which decoding has never failed in trials.
_SAFE = 1.25
# Share of right code bits: 80 % at that statistic, below 75 % beside an equally strong older mark.
_AGREEING = 0.75
_STRIP = 64

DEFAULT_STRENGTH: Final = "balanced"
LEAST_SIDE: Final = 40
"""Pixels on the shortest side under which 64 bits do not fit."""

Float = NDArray[np.float32]
Pixels = NDArray[Any]


@dataclass(frozen=True)
class Geometry:
    """How the picture was looked at.

    Attributes
    ----------
    frame : int
        Side of the canonical frame.
    pose : str
        How the picture had to be turned to be as it was marked; see `frame.POSES`.
    """

    frame: int
    pose: str = "upright"


@dataclass(frozen=True)
class Detection:
    """Result of looking for the mark.

    Attributes
    ----------
    payload : bytes or None
        The 8 payload bytes; None when there is no mark or too little of it is left to read.
    statistic, threshold : float
        Normalised correlation with the nearest codeword, and the value that unmarked pictures
        exceed with probability at most 1e-9 over all hypotheses.
    p_value : float
        Upper bound, over all codewords and frames tried.
    geometry : Geometry or None
        Where the statistic was found.
    """

    payload: bytes | None
    statistic: float
    threshold: float
    p_value: float
    geometry: Geometry | None

    @property
    def present(self) -> bool:
        """Whether a mark of this key is there, readable or not."""
        return self.statistic >= self.threshold


@dataclass(frozen=True)
class Marked:
    """A marked picture and what is known of the mark; see `mark`.

    Attributes
    ----------
    pixels : ndarray
        Same shape and dtype as the cover.
    statistic : float
        Statistic the mark still has after a simulated JPEG of the canonical frame.
    threshold : float
        What it needs to be told from chance.
    geometry : Geometry
    ssim : float
        Of the canonical frames before and after; see `quality.ssim`.
    """

    pixels: Pixels
    statistic: float
    threshold: float
    geometry: Geometry
    ssim: float


def embed(
    rgb: Pixels,
    payload: bytes,
    *,
    key: Key,
    strength: str | Strength | None = None,
    out: Pixels | None = None,
) -> Pixels:
    """Return `rgb` with the watermark added; the input is not changed.

    Parameters
    ----------
    rgb : uint8, uint16, or float in [0, 1], shape (..., H, W, 3)
        Also (H, W) grey and (..., H, W, 4) RGBA, whose transparent pixels stay as they are.
        Leading axes are marked picture by picture with the same payload.
    payload : bytes
        Exactly 8 bytes.
    key : Key
    strength : {"invisible", "balanced", "robust"} or Strength, optional
    out : ndarray, optional
        Where to write; same shape and dtype as `rgb`, may not overlap it.

    Raises
    ------
    PayloadError
        When `payload` is not 8 bytes, or a side of the picture is below `LEAST_SIDE`.
    ValueError
        For another shape or dtype.
    """
    _check(rgb)
    if out is None and rgb.ndim <= 3:
        return mark(rgb, payload, key=key, strength=strength).pixels
    if out is None:
        out = np.empty_like(rgb)
    elif out.shape != rgb.shape or out.dtype != rgb.dtype:
        raise ValueError("out must have the shape and dtype of rgb")
    for index in np.ndindex(rgb.shape[:-3]):
        out[index] = mark(rgb[index], payload, key=key, strength=strength).pixels
    return out


def mark(
    rgb: Pixels, payload: bytes, *, key: Key, strength: str | Strength | None = None
) -> Marked:
    """Mark one picture, (H, W), (H, W, 1), (H, W, 3) or (H, W, 4), and tell how well it holds.

    Raises
    ------
    PayloadError
        When `payload` is not 8 bytes, or a side of the picture is below `LEAST_SIDE`.
    """
    wanted = (
        STRENGTHS[strength or DEFAULT_STRENGTH] if not isinstance(strength, Strength) else strength
    )
    word = code.encode(payload, key.derive("image-1/tag"))
    if min(rgb.shape[:2]) < LEAST_SIDE:
        raise PayloadError(
            f"a picture of {rgb.shape[1]} by {rgb.shape[0]} pixels is too small for the watermark",
            remedy=f"It takes {LEAST_SIDE} pixels on the shortest side",
        )
    plane, opacity = _cover(rgb)
    side = frame.side_for(plane.shape)
    host = frame.to_frame(plane, side)
    residual, left = informed.residual(
        host, None if opacity is None else frame.to_frame(opacity, side), word,
        _carrier(key, side), wanted, shortest=min(plane.shape),
    )  # fmt: skip
    limit = statistics.threshold(_hypotheses(1))
    likeness = quality.ssim(host, host + residual)
    return Marked(_add(rgb, residual), left, limit, Geometry(side), likeness)


def detect(rgb: Pixels, *, key: Key) -> Detection:
    """Look for the mark of `key` in one picture of any size, without knowing the original.

    Parameters
    ----------
    rgb : uint8, uint16, or float in [0, 1], shape (H, W), (H, W, 1), (H, W, 3) or (H, W, 4)
    key : Key
    """
    return detect_any(rgb, keys=[key])[0]


def detect_any(rgb: Pixels, *, keys: Sequence[Key], looks: int = 1) -> list[Detection]:
    """Look for the marks of several keys: transforms are shared, a key costs its decoding.

    The picture is looked at as it is; then, for the keys that gave no payload, mirrored and turned
    by quarters too. `looks` is how many pictures (frames) are looked at for one answer: the
    false-positive rate holds for all of them together.
    """
    _check(rgb)
    plane, _ = _cover(rgb)
    sides = frame.sides_to_try(plane.shape)
    log = _hypotheses(max(len(sides) * len(keys) * len(frame.POSES) * looks, 1))
    found = [Detection(None, 0.0, statistics.threshold(log), 1.0, None) for _ in keys]
    if not sides:
        return found
    plane = frame.reduced(plane)
    frames = [frame.to_frame(plane, side) for side in sides]
    for poses in (frame.POSES[:1], frame.POSES[1:]):
        open_ = [index for index, one in enumerate(found) if one.payload is None]
        if not open_:
            break
        views = [
            (Geometry(side, pose), mask.view(frame.posed(one, pose)).white())
            for side, one in zip(sides, frames, strict=True)
            for pose in poses
        ]
        better = _decide(views, [keys[index] for index in open_], log)
        for index, one in zip(open_, better, strict=True):
            if one.statistic > found[index].statistic:
                found[index] = one
    return found


def holds(rgb: Pixels, payload: bytes, *, key: Key) -> bool:
    """Whether a known payload would be read from a picture that kept its proportions.

    Cheap: one frame, one pose, no decoding. For reading a write back, not for judging files. It
    wants some margin, and most code bits right: otherwise an older mark drowns the new one.
    """
    plane, _ = _cover(rgb)
    side = frame.side_for(plane.shape)
    soft = _soft_bits(side, mask.view(frame.to_frame(plane, side)).white(), key)
    agreeing = soft * code.encode(payload, key.derive("image-1/tag"))
    enough = _SAFE * statistics.threshold(_hypotheses(1))
    return float(agreeing.sum()) >= enough and float((agreeing > 0).mean()) >= _AGREEING


def _decide(
    views: list[tuple[Geometry, Float]], keys: Sequence[Key], log: float
) -> list[Detection]:
    """Decode every view with every key, all in one go; the best view of a key is its answer."""
    soft = np.stack([_soft_bits(view.frame, white, key) for key in keys for view, white in views])
    tag_keys = [key.derive("image-1/tag") for key in keys for _ in views]
    words, payloads = code.decode(soft, tag_keys)
    scores = (soft * words).sum(axis=1).reshape(len(keys), len(views))
    limit = statistics.threshold(log)
    found = []
    for index, row in enumerate(scores):
        best = int(row.argmax())
        score = float(row[best])
        payload = payloads[index * len(views) + best] if score >= limit else None
        p_value = statistics.p_value(score, log)
        found.append(Detection(payload, score, limit, p_value, views[best][0]))
    return found


def _soft_bits(side: int, white: Float, key: Key) -> Float:
    """Fold into code bits (352,), scaled so that their product with a codeword is the statistic."""
    used = _carrier(key, side)
    return used.fold(white) / np.float32(used.norm(white))


def _hypotheses(views: int) -> float:
    """Log of the sign patterns tried: every information word in every frame under every key."""
    return code.INFO_BITS * math.log(2) + math.log(views)


def _carrier(key: Key, side: int) -> Carrier:
    count = sum(math.prod(shape) for shape in frame.band_shapes(side))
    return carrier(key, f"image-1/carrier/{side}", count, code.CODE_BITS)


def _check(rgb: Pixels) -> None:
    if rgb.ndim < 2 or (rgb.ndim > 2 and rgb.shape[-1] not in (1, 3, 4)) or 0 in rgb.shape:
        raise ValueError("a picture is (H, W) or (..., H, W, C) with 1, 3 or 4 channels")
    if rgb.dtype not in (np.uint8, np.uint16, np.float32, np.float64):
        raise ValueError("pixels are uint8, uint16, or float in [0, 1]")


def _unit(rgb: Pixels) -> float:
    """One grey level of 255 in the picture's own scale."""
    return {"uint8": 1.0, "uint16": 257.0}.get(rgb.dtype.name, 1 / 255)


def _cover(rgb: Pixels) -> tuple[NDArray[Any], NDArray[Any] | None]:
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


def _add(rgb: Pixels, residual: Float) -> Pixels:
    """Add the residual, resized, to all colour channels alike: luma moves, chroma does not."""
    height, width = rgb.shape[:2]
    full: Any = cv2.resize(residual, (width, height), interpolation=cv2.INTER_CUBIC)
    if rgb.ndim == 3 and rgb.shape[2] == 4:
        full[rgb[..., 3] == 0] = 0
    if rgb.dtype == np.uint8:
        return _add_bytes(rgb, full)
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


def _add_bytes(rgb: Pixels, full: Float) -> Pixels:
    """Add to uint8 pixels with saturation, in strips that stay in the cache.

    The change goes as a byte of its own, 128 standing for none: OpenCV blends bytes several times
    faster than it mixes types.
    """
    out = np.empty(rgb.shape, np.uint8)  # in C order, whatever the order of `rgb`
    channels = 1 if rgb.ndim == 2 else rgb.shape[2]
    for top in range(0, len(rgb), _STRIP):
        strip = np.s_[top : top + _STRIP]
        change = cv2.convertScaleAbs(full[strip], alpha=1, beta=128)
        if channels > 1:
            opacity = [np.full_like(change, 128)] * (channels - 3)
            change = cv2.merge([change] * 3 + opacity)
        target = out[strip].reshape(change.shape)
        cv2.addWeighted(rgb[strip].reshape(change.shape), 1, change, 1, -128, dst=target)
    return out
