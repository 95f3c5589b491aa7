"""The blind DWT watermark on a decoded picture: every frame carries it; see `signal.image`."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from aiglabel.evidence import Evidence, Outcome, Status
from aiglabel.key import Key
from aiglabel.marks.watermark import COMFORT, MARK, QUICK, THOROUGH, certainty, evidence
from aiglabel.media.picture import Picture
from aiglabel.signal import image, quality
from aiglabel.signal.budget import DEFAULT_EFFORT
from aiglabel.signal.image import Detection

SHOWS: Final = 3.0
"""Standard deviations of local correlation from which a place counts as marked."""
# Frames of an animation that are looked at; a mark is in all of them or was cut out.
_FRAMES_READ = 3
# Blocks of 8 by 8 pixels that PSNR-HVS-M is taken of, about.
_BLOCKS = 1024


def write(picture: Picture, payload: bytes, *, key: Key, strength: str | None = None) -> Outcome:
    """Mark every frame of `picture`, replacing its arrays (the old ones are not changed).

    A picture too small to carry the mark stays as it is, and the outcome says so. Of several
    frames its figures tell the worst. PSNR-HVS-M is that of a grid of blocks, `_BLOCKS` of them:
    for a whole picture it would cost more than the mark; this is within 1 dB.

    Raises
    ------
    PayloadError
        When `payload` is not 8 bytes.
    """
    if min(min(frame.shape[:2]) for frame in picture.frames) < image.LEAST_SIDE:
        least = f"it takes {image.LEAST_SIDE} pixels on the shortest side"
        return Outcome(mark=MARK, written=False, detail=f"the picture is too small: {least}")
    margins, ratios, visible, likeness, largest = [], [], [], [], []
    first: image.Marked | None = None
    for index, (colour, alpha) in enumerate(zip(picture.frames, picture.alpha, strict=True)):
        cover = _pixels(colour, alpha)
        like = first if first and first.pixels.shape == cover.shape else None
        marked = image.mark(cover, payload, key=key, strength=strength, like=like)
        first = first or marked
        picture.frames[index] = _colour_of(colour, cover, marked.pixels)
        margins.append(marked.statistic / marked.threshold)
        likeness.append(marked.ssim)
        visible.append(_psnr_hvs_m(cover, marked.pixels))
        ratios.append(quality.psnr(colour, picture.frames[index]))
        largest.append(quality.largest_change(colour, picture.frames[index]))
    worst = min(margins)
    held = "is expected to hold" if worst >= COMFORT else "is weak: the picture is small or flat"
    return Outcome(
        mark=MARK,
        written=True,
        detail=f"64-bit watermark with key {key.id}; after a simulated JPEG it {held}",
        facts={
            "payload": payload.hex(),
            "key": key.id,
            "wire_format": image.WIRE_FORMAT,
            "strength": strength or image.DEFAULT_STRENGTH,
            "margin": round(worst, 3),
            "psnr_db": _rounded(min(ratios)),
            "psnr_hvs_m_db": _rounded(min(visible)),
            "ssim": _rounded(min(likeness)),
            "largest_change": round(max(largest)),
        },
    )


def holds(picture: Picture, payload: bytes, *, key: Key) -> bool:
    """Whether the first frame, decoded from what was written, still carries `payload`."""
    return image.holds(first_frame(picture), payload, key=key)


def read(picture: Picture, keys: Sequence[Key], *, effort: str = DEFAULT_EFFORT) -> Evidence:
    """Look for the marks of `keys`; the strongest answer counts.

    Parameters
    ----------
    picture : Picture
        A few frames are looked at as they are; then the first alone is searched, unless a mark was
        found: a second mark of another key that only a search would find needs "thorough".
    keys : sequence of Key
    effort : {"quick", "full", "thorough"}
        See `image.detect`.
    """
    if not keys:
        return Evidence(
            mark=MARK, status=Status.NOT_CHECKED, detail="no key was given to look with"
        )
    looks = _looks(len(picture.frames), effort)
    frames = len({index for index, _ in looks})
    seen: list[tuple[Detection, Key, int]] = []
    for index, how in looks:
        pixels = _pixels(picture.frames[index], picture.alpha[index])
        answers = image.detect_any(pixels, keys=keys, looks=frames, effort=how, locate=True)
        seen += zip(answers, keys, itertools.repeat(index))
        if effort != THOROUGH and any(one.payload is not None for one in answers):
            break
    found, key, index = max(seen, key=lambda one: certainty(one[0]))
    return evidence(
        found, key, tried=keys, effort=effort,
        where=f"frame {index + 1} of {len(picture.frames)}" if frames > 1 else None,
        facts=particulars(found),
        presence=None if found.presence is None else _tenths(found.presence),
    )  # fmt: skip


def _looks(frames: int, effort: str) -> list[tuple[int, str]]:
    """Frames to look at in turn, and how hard: of several, searching each would take too long."""
    chosen = {round(i * (frames - 1) / (_FRAMES_READ - 1)) for i in range(_FRAMES_READ)}
    quick = [(index, QUICK) for index in sorted(chosen)]
    return quick if effort == QUICK else [*quick, (0, effort)]


def particulars(found: Detection) -> dict[str, Any]:
    """Which mark was found, and how it lies in the picture; None where there is nothing to say."""
    place = found.geometry if found.present else None
    return {
        "found": place.step if place else None,
        # Marks of the first format have no tile.
        "tile_pixels": round(place.tile, 1) if place and place.tile else None,
        "angle": round(place.angle, 1) % 90 if place else None,
        "stretch": round(place.stretch, 3) if place else None,
        "covered": (
            round(float((found.presence >= SHOWS).mean()), 3)
            if found.presence is not None
            else None
        ),
    }


def _tenths(presence: NDArray[np.float32]) -> tuple[tuple[float, ...], ...]:
    rows = np.round(presence.astype(np.float64), 1) + 0.0  # no -0.0
    return tuple(map(tuple, rows.tolist()))


def first_frame(picture: Picture) -> NDArray[Any]:
    """The first frame as the signal room takes it."""
    return _pixels(picture.frames[0], picture.alpha[0])


def _pixels(colour: NDArray[Any], alpha: NDArray[Any] | None) -> NDArray[Any]:
    """What the signal room takes: grey or RGB(A). Of CMYK, the luma of the plain conversion."""
    if colour.shape[2] == 4:
        # 255 − ink of C, M, Y under the black: R = (255 − C)(255 − K) / 255 and so on.
        light = 255.0 - colour.astype(np.float32)
        luma = light[..., :3] @ np.array([0.299, 0.587, 0.114], np.float32)
        return np.rint(luma * light[..., 3] / 255).astype(np.uint8)[..., None]
    if alpha is None:
        return colour
    rgb = np.broadcast_to(colour, (*colour.shape[:2], 3))
    return np.concatenate([rgb, alpha[..., None]], axis=2)


def _colour_of(colour: NDArray[Any], cover: NDArray[Any], marked: NDArray[Any]) -> NDArray[Any]:
    """Bring the change of `cover` back into the colours of the picture."""
    if colour.shape[2] == 4:
        change = marked.astype(np.float32) - cover
        # Less ink of all three colours is more light, dimmed by the black over it.
        ink = colour[..., :3] - change * (255 / np.maximum(255.0 - colour[..., 3:], 32))
        out = colour.copy()
        out[..., :3] = np.clip(np.rint(ink), 0, 255)
        return out
    return np.ascontiguousarray(marked[..., : colour.shape[2]])


def _psnr_hvs_m(cover: NDArray[Any], marked: NDArray[Any]) -> float:
    """`quality.psnr_hvs_m` of blocks evenly spread over (H, W, C) pictures."""
    rows, columns = (length // 8 for length in cover.shape[:2])
    step = max(1, math.ceil(math.sqrt(rows * columns / _BLOCKS)))
    grey = 257 if cover.dtype == np.uint16 else 1

    def chosen(picture: NDArray[Any]) -> NDArray[np.float32]:
        whole = picture[: rows * 8, : columns * 8, :3]
        blocks = whole.reshape(rows, 8, columns, 8, -1)[::step, :, ::step]
        shape = (blocks.shape[0] * 8, blocks.shape[2] * 8, blocks.shape[4])
        return np.asarray(blocks.reshape(shape) / np.float32(grey), np.float32)

    return quality.psnr_hvs_m(chosen(cover), chosen(marked))


def _rounded(value: float) -> float | None:
    return round(value, 4) if math.isfinite(value) else None
