"""Blind DWT watermark of pictures: 64 payload bits, keyed. Wire format ``aiglabel.dwt.2``.

Embedding adds to the luma a tile of wavelet detail coefficients (`tile`) that repeats over the
canonical frame (`frame`), as strong as the place hides (`mask`) and as it has to be (`informed`).
Detection whitens (`whitening`), finds the tile again in what was cropped, turned or bent
(`lattice`, `sync`, `detector`), folds all repetitions into soft code bits, decodes them (`code`),
and states a p-value that holds for any picture (`statistics`). Marks of the first format,
``aiglabel.dwt.1``, are still read (`dwt1`).
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray

from aiglabel.errors import PayloadError
from aiglabel.key import Key
from aiglabel.signal import (
    code,
    detection,
    detector,
    dwt1,
    frame,
    informed,
    pixels,
    presence,
    quality,
    sync,
    tile,
    whitening,
)
from aiglabel.signal.budget import DEFAULT_EFFORT, EFFORTS
from aiglabel.signal.detector import Finding
from aiglabel.signal.informed import STRENGTHS, Marking, Strength
from aiglabel.signal.pixels import Pixels
from aiglabel.signal.sync import Peak
from aiglabel.signal.view import AS_IT_IS

WIRE_FORMAT: Final = "aiglabel.dwt.2"
# Times the threshold at which decoding has never failed in trials; and the share of right code
# bits: 80 % at that statistic, below 75 % beside an equally strong older mark.
_SAFE = 1.3
_AGREEING = 0.75
# Share of the wanted margin at which no coarser frame is tried.
_ENOUGH = 0.85
# Times the largest frame that a picture is reduced to before it is brought to its frame.
_REDUCED = 2.5
# Side of the thumbnail that chooses where the tile begins.
_THUMBNAIL = 8

DEFAULT_STRENGTH: Final = "balanced"
LEAST_SIDE: Final = 40
"""Pixels on the shortest side under which 64 bits do not fit."""

Float = NDArray[np.float32]


@dataclass(frozen=True)
class Geometry:
    """Where the mark was found.

    Attributes
    ----------
    step : str
        "as it is", or how hard it was to find: "searched", "polished", "registered".
    tile : float
        Side of the tile in pixels of the picture.
    angle : float
        By how much the tile is turned, degrees in [0, 90): its own pose is anybody's.
    stretch : float
        Its width over its height, 1 where the picture kept its proportions.
    """

    step: str
    tile: float
    angle: float
    stretch: float


@dataclass(frozen=True, eq=False, kw_only=True)
class Detection(detection.Detection):
    """Result of looking for the mark in a picture; see also `detection.Detection`.

    Attributes
    ----------
    geometry : Geometry or None
        Where the statistic was found.
    presence : float32 (rows, columns) or None
        Where the mark is, with ``locate=True``; see `presence.presence`.
    """

    wire_format: str = WIRE_FORMAT
    geometry: Geometry | None
    presence: Float | None = None


@dataclass(frozen=True, eq=False)
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
    side : int
        Root of the area of the canonical frame, in samples.
    lay : Peak
        Pose and offset of the tile.
    frames : pair of float32 (h, w)
        Canonical frame before and after.
    """

    pixels: Pixels
    statistic: float
    threshold: float
    side: int
    lay: Peak
    frames: tuple[Float, Float]

    @cached_property
    def ssim(self) -> float:
        """Structural similarity of the two frames; see `quality.ssim`."""
        return quality.ssim(*self.frames)


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
    pixels.check(rgb)
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
    rgb: Pixels,
    payload: bytes,
    *,
    key: Key,
    strength: str | Strength | None = None,
    like: Marked | None = None,
) -> Marked:
    """Mark one picture, (H, W), (H, W, 1), (H, W, 3) or (H, W, 4), and tell how well it holds.

    Where it follows `like` in an animation, its tile lies as it does there: it does not flicker.

    Raises
    ------
    PayloadError
        When `payload` is not 8 bytes, or a side of the picture is below `LEAST_SIDE`.
    """
    wanted = (
        STRENGTHS[strength or DEFAULT_STRENGTH] if not isinstance(strength, Strength) else strength
    )
    word = code.DWT_2.encode(payload, key.derive("image-2/tag"))
    if min(rgb.shape[:2]) < LEAST_SIDE:
        raise PayloadError(
            f"a picture of {rgb.shape[1]} by {rgb.shape[0]} pixels is too small for the watermark",
            remedy=f"It takes {LEAST_SIDE} pixels on the shortest side",
        )
    plane, opacity = pixels.cover(rgb)
    shares = pixels.shares(rgb)
    root = math.sqrt(plane.size)
    plane = frame.reduced(plane, most=_REDUCED)
    opacity = None if opacity is None else frame.reduced(opacity, most=_REDUCED)
    limit, _ = detector.TRIED.limits(1)
    best: tuple[Marking, int, Float, Peak] | None = None
    for side in [like.side] if like else frame.sides_to_mark(plane.shape):
        host = frame.to_frame(plane, side)
        lay = like.lay if like else choose_lay(host, payload, key)
        marking = informed.marking(
            host, None if opacity is None else frame.to_frame(opacity, side), word,
            tile.carrier(key), lay, wanted, coarseness=root / side,
            spent=float(shares @ shares) / len(shares),
        )  # fmt: skip
        if best is None or marking.kept > best[0].kept:
            best = marking, side, host, lay
        # A smooth picture holds a coarser mark better, which compression leaves alone.
        if not marking.fragile or marking.kept >= _ENOUGH:
            break
    assert best is not None
    marking, side, host, lay = best
    residual = marking.residual
    marked = pixels.add(rgb, residual, shares)
    return Marked(marked, marking.statistic, limit, side, lay, (host, host + residual))


def detect(
    rgb: Pixels, *, key: Key, effort: str = DEFAULT_EFFORT, locate: bool = False
) -> Detection:
    """Look for the mark of `key` in one picture of any size, without knowing the original.

    Parameters
    ----------
    rgb : uint8, uint16, or float in [0, 1], shape (H, W), (H, W, 1), (H, W, 3) or (H, W, 4)
    key : Key
    effort : {"quick", "full", "thorough"}
        "quick" looks at the picture as it is only, "full" also searches what was cropped, turned or
        bent, which takes up to a second where there is nothing; "thorough" searches several
        seconds, and for marks of the first format too.
    locate : bool
        Also return where in the picture a mark is that was read.
    """
    return detect_any(rgb, keys=[key], effort=effort, locate=locate)[0]


def detect_any(
    rgb: Pixels, *, keys: Sequence[Key], looks: int = 1, effort: str = DEFAULT_EFFORT,
    locate: bool = False,
) -> list[Detection]:  # fmt: skip
    """Look for the marks of several keys: transforms are shared, a key costs its correlations.

    `looks` is how many pictures (frames) are looked at for one answer: the false-positive rate
    holds for all of them together.
    """
    pixels.check(rgb)
    plane = frame.reduced(pixels.cover(rgb)[0])
    budget, tries, scale = EFFORTS[effort], len(keys) * looks, plane.shape[1] / rgb.shape[1]
    found = [
        stated(one, tries, plane.shape, scale, locate=locate)
        for one in detector.search(plane, keys, budget, looks=looks)
    ]
    unread = [index for index, one in enumerate(found) if one.payload is None]
    if budget.older and unread:
        older = _older(plane, [keys[index] for index in unread], tries)
        for index, one in zip(unread, older, strict=True):
            if one.payload is not None or (one.present and not found[index].present):
                found[index] = one
    return found


def holds(rgb: Pixels, payload: bytes, *, key: Key) -> bool:
    """Whether a known payload would be read from a picture that kept its geometry.

    Cheap: a few frames, no decoding. For reading a write back, not for judging files. It wants some
    margin, and most code bits right: otherwise an older mark drowns the new one.
    """
    plane = frame.reduced(pixels.cover(rgb)[0])
    carrier = tile.carrier(key)
    word = code.DWT_2.encode(payload, key.derive("image-2/tag"))
    limit, _ = detector.TRIED.limits(1)
    for side in frame.sides_to_try(plane.shape):
        white = whitening.whitened(frame.to_frame(plane, side))
        spectrum = whitening.flattened(tile.fold(white))
        agreeing = carrier.soft(sync.values(spectrum, sync.find(spectrum, carrier))) * word
        if agreeing.sum() >= _SAFE * limit and (agreeing > 0).mean() >= _AGREEING:
            return True
    return False


def choose_lay(host: Float, payload: bytes, key: Key) -> Peak:
    """Choose where the tile begins and how it lies, by what the picture shows and says.

    A detector finds any choice. That it differs from picture to picture keeps the average of many
    marked pictures from showing the tile.
    """
    small = cv2.resize(host, (_THUMBNAIL, _THUMBNAIL), interpolation=cv2.INTER_AREA)
    seen = np.clip(np.rint(small), 0, 255).astype(np.uint8).tobytes()
    drawn = hashlib.blake2b(payload + seen, key=key.derive("image-2/lay"), digest_size=3).digest()
    return Peak(0.0, drawn[0] % tile.POSES, drawn[1] % tile.SIDE, drawn[2] % tile.SIDE)


def stated(
    found: Finding, looks: int, shape: tuple[int, ...], scale: float, *, locate: bool = False
) -> Detection:
    """State what was found: the message where one was read, else the pilots.

    `shape` is that of the plane that was searched, `scale` its samples a pixel of the picture.
    """
    read = found.payload is not None
    statistic = found.message if read else found.pilots
    return Detection(
        payload=found.payload,
        statistic=statistic,
        threshold=detector.TRIED.limits(looks)[0 if read else 1],
        p_value=detector.TRIED.p_value(statistic, looks, message=read),
        geometry=_geometry(found, scale),
        presence=presence.presence(found, shape) if read and locate else None,
    )


def _older(plane: NDArray[Any], keys: Sequence[Key], looks: int) -> list[Detection]:
    """Look for marks of the first format, in the whole picture in every pose."""
    extra = math.log(detector.TRIED.tests * looks / len(keys))
    where = Geometry(AS_IT_IS, 0.0, 0.0, 1.0)
    return [
        Detection(
            payload=one.payload, statistic=one.statistic, threshold=one.threshold,
            p_value=one.p_value, geometry=where, wire_format=dwt1.WIRE_FORMAT,
        )
        for one in dwt1.read(plane, keys, log_hypotheses_extra=extra)
    ]  # fmt: skip


def _geometry(found: Finding, scale: float) -> Geometry | None:
    if found.sighting is None:
        return None
    view = found.sighting.view
    (a, b), (c, d) = view.laid.matrix / (view.scale * scale)
    width, height = math.hypot(a, c), math.hypot(b, d)
    angle = math.degrees(math.atan2(c, a)) % 90
    return Geometry(view.step, tile.SIDE * math.sqrt(width * height), angle, width / height)
