"""NumPy arrays, tensors and Pillow images as sources, and arrays as results."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from aiglabel.containers.sniff import Format
from aiglabel.errors import UnsupportedFormat
from aiglabel.media.limits import Limits
from aiglabel.media.orientation import exif_orientation, upright
from aiglabel.media.picture import Array, Picture, Settings, Space
from aiglabel.media.pillow import guarded, to_arrays

_SLACK = 1e-3  # how far a float may leave [0, 1] by rounding


def from_array(array: Any, *, limits: Limits | None = None) -> Picture | list[Picture]:
    """Return the picture an array holds, or a list of pictures for a batch. Never modifies it.

    Parameters
    ----------
    array : array_like or PIL.Image.Image
        ``uint8``, ``uint16`` or floating point in [0, 1], shaped (H, W), (H, W, 1) grey,
        (H, W, 3) RGB, (H, W, 4) RGBA with straight alpha, or a batch of these (N, H, W, C).
        Tensors on any device are taken (`detach`, `cpu`, `numpy` or `__array__`). A Pillow image
        of any mode is turned upright. Floats are held at 16 bits and coded at 8. The picture may
        share memory with the array.

    Raises
    ------
    UnsupportedFormat
        Another shape or type, values outside [0, 1], NaN, or an animated Pillow image.
    ResourceLimit
        Over `limits`.
    """
    limits = limits or Limits()
    if isinstance(array, Image.Image):
        return _from_image(array, limits)
    values = as_numpy(array)
    if 0 in values.shape:
        raise UnsupportedFormat(f"an array of shape {values.shape} holds no picture")
    if values.ndim == 4:
        limits.check_frames(len(values), values.shape[0] * values.shape[1] * values.shape[2])
        return [_from_values(one, limits) for one in values]
    return _from_values(values, limits)


def to_array(picture: Picture | Sequence[Picture]) -> NDArray[Any]:
    """Return the array of a picture, shaped and typed as `from_array` was given it.

    Floats come back as ``float32`` in [0, 1]. A picture from a file or a Pillow image gives
    (H, W, C) in its own type, alpha as the last channel. A sequence is stacked to (N, H, W, C).
    Only the first frame is returned.
    """
    if not isinstance(picture, Picture):
        return np.stack([to_array(one) for one in picture])
    colour, alpha = picture.frames[0], picture.alpha[0]
    values: NDArray[Any] = colour if alpha is None else np.dstack([colour, alpha])
    kind, axes = picture.settings.array or (values.dtype.kind, values.ndim)
    if kind == "f":
        values = values.astype(np.float32) / np.float32(np.iinfo(values.dtype).max)
    return values[..., 0] if axes == 2 else values


def as_numpy(array: Any) -> NDArray[Any]:
    """Return what a tensor on any device, or another holder of an array, holds."""
    for step in ("detach", "cpu", "numpy"):
        if hasattr(array, step):
            array = getattr(array, step)()
    if not hasattr(array, "__array__"):
        raise UnsupportedFormat(
            f"{type(array).__name__} is neither an array nor media",
            remedy="Pass a path, bytes, a NumPy array, a tensor or a Pillow image",
        )
    return np.asarray(array)


def _from_values(values: NDArray[Any], limits: Limits) -> Picture:
    kind, axes = values.dtype.kind, values.ndim
    if values.ndim == 2:
        values = values[..., None]
    if values.ndim != 3 or values.shape[2] not in (1, 3, 4):
        raise UnsupportedFormat(
            f"an array of shape {values.shape} is not a picture",
            remedy="Use (H, W), (H, W, 1), (H, W, 3) or (H, W, 4), channels last",
        )
    limits.check_size(values.shape[1], values.shape[0])
    samples = _as_samples(values)
    alpha: Array | None = None
    if samples.shape[2] == 4:
        samples, alpha = samples[..., :3], np.ascontiguousarray(samples[..., 3])
    space: Space = "gray" if samples.shape[2] == 1 else "rgb"
    settings = Settings(bits=8 if kind == "f" else samples.itemsize * 8, array=(kind, axes))
    return Picture([np.ascontiguousarray(samples)], [alpha], space, settings=settings)


def _as_samples(values: NDArray[Any]) -> Array:
    if values.dtype.kind == "u" and values.itemsize <= 2:
        return values.astype(values.dtype.newbyteorder("="), copy=False)
    if values.dtype.kind != "f":
        raise UnsupportedFormat(
            f"an array of {values.dtype} is not a picture",
            remedy="Use uint8, uint16, or floats from 0 to 1",
        )
    low, high = float(values.min()), float(values.max())
    if not (low >= -_SLACK and high <= 1 + _SLACK):  # false for NaN too
        raise UnsupportedFormat(
            f"float samples run from {low:g} to {high:g}, not from 0 to 1",
            remedy="Scale the array to [0, 1], without NaN",
        )
    scaled = np.clip(values.astype(np.float32), 0, 1) * np.float32(65535)
    samples: Array = np.rint(scaled).astype(np.uint16)
    return samples


def _from_image(im: Image.Image, limits: Limits) -> Picture:
    if getattr(im, "n_frames", 1) > 1:
        raise UnsupportedFormat(
            "a Pillow image with several frames", remedy="Pass the file's path or bytes instead"
        )
    limits.check_size(*im.size)
    with guarded(Format.PNG):
        colour, alpha, space = to_arrays(im)
    turn = exif_orientation(im.getexif().tobytes())
    settings = Settings(
        icc=im.info.get("icc_profile") or None, bits=16 if colour.dtype == np.uint16 else 8
    )
    alpha = None if alpha is None else upright(alpha, turn)
    return Picture([upright(colour, turn)], [alpha], space, settings=settings)
