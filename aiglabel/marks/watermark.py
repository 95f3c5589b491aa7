"""The blind DWT watermark on a decoded picture: every frame carries it; see `signal.image`."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from aiglabel.evidence import Evidence, Outcome, Status
from aiglabel.key import Key
from aiglabel.media.picture import Picture
from aiglabel.signal import image, quality
from aiglabel.signal.informed import STRENGTHS

MARK = "watermark"
# Frames of an animation that are looked at; a mark is in all of them or was cut out.
_FRAMES_READ = 3
# Smaller statistics after the simulated JPEG are worth a warning: little is left for an attack.
_COMFORT = 1.3


def write(picture: Picture, payload: bytes, *, key: Key, strength: str | None = None) -> Outcome:
    """Mark every frame of `picture`, replacing its arrays (the old ones are not changed).

    A picture too small to carry the mark stays as it is, and the outcome says so.

    Raises
    ------
    PayloadError
        When `payload` is not 8 bytes.
    """
    if min(min(frame.shape[:2]) for frame in picture.frames) < image.LEAST_SIDE:
        least = f"it takes {image.LEAST_SIDE} pixels on the shortest side"
        return Outcome(mark=MARK, written=False, detail=f"the picture is too small: {least}")
    margins, ratios, likeness, largest = [], [], [], []
    for index, (colour, alpha) in enumerate(zip(picture.frames, picture.alpha, strict=True)):
        cover = _pixels(colour, alpha)
        marked = image.mark(cover, payload, key=key, strength=strength)
        picture.frames[index] = _colour_of(colour, cover, marked.pixels)
        margins.append(marked.statistic / marked.threshold)
        likeness.append(marked.ssim)
        ratios.append(quality.psnr(colour, picture.frames[index]))
        largest.append(quality.largest_change(colour, picture.frames[index]))
    worst = min(margins)
    held = "is expected to hold" if worst >= _COMFORT else "is weak: the picture is small or flat"
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
            "ssim": _rounded(min(likeness)),
            "largest_change": round(max(largest)),
        },
    )


def stronger(strength: str) -> list[str]:
    """Return the strengths above `strength`, for when an encoder leaves too little of the mark."""
    names = list(STRENGTHS)
    return names[names.index(strength) + 1 :]


def holds(picture: Picture, payload: bytes, *, key: Key) -> bool:
    """Whether the first frame, decoded from what was written, still carries `payload`."""
    return image.holds(first_frame(picture), payload, key=key)


def read(picture: Picture, keys: Sequence[Key]) -> Evidence:
    """Look for the marks of `keys`; several frames are looked at, the strongest answer counts."""
    frames = len(picture.frames)
    chosen = sorted(
        {round(i * (frames - 1) / max(_FRAMES_READ - 1, 1)) for i in range(_FRAMES_READ)}
    )
    best, best_key, best_frame = None, None, 0
    for index in chosen:
        pixels = _pixels(picture.frames[index], picture.alpha[index])
        answers = image.detect_any(pixels, keys=keys, looks=len(chosen))
        for key, found in zip(keys, answers, strict=True):
            better = best is None or (found.payload is not None, found.statistic) > (
                best.payload is not None, best.statistic,
            )  # fmt: skip
            if better:
                best, best_key, best_frame = found, key, index
        if best is not None and best.payload is not None:
            break
    if best is None or best_key is None:
        return Evidence(
            mark=MARK, status=Status.NOT_CHECKED, detail="no key was given to look with"
        )
    payload = best.payload.hex() if best.payload else None
    if payload:
        status, detail = Status.PRESENT, f"payload {payload}, written with key {best_key.id}"
    elif best.present:
        status = Status.PRESENT
        detail = f"a mark of key {best_key.id} is there, too damaged to read its payload"
    else:
        status = Status.ABSENT
        detail = "no mark of the keys tried; that proves nothing about where the picture is from"
    return Evidence(
        mark=MARK,
        status=status,
        statistic=round(best.statistic, 3),
        threshold=round(best.threshold, 3),
        p_value=best.p_value,
        payload=payload,
        where=f"frame {best_frame + 1} of {frames}" if frames > 1 else None,
        detail=detail,
        facts={
            "wire_format": image.WIRE_FORMAT,
            "keys_tried": [key.id for key in keys],
            "key": best_key.id if best.present else None,
            "canonical_frame": best.geometry.frame if best.geometry else None,
            "pose": best.geometry.pose if best.geometry and best.present else None,
        },
    )


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


def _rounded(value: float) -> float | None:
    return round(value, 4) if math.isfinite(value) else None
