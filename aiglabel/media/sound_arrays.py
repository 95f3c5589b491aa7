"""NumPy arrays and tensors as sounds, and back."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from aiglabel.containers.sniff import SoundFormat
from aiglabel.errors import UnsupportedFormat
from aiglabel.media.arrays import as_numpy
from aiglabel.media.limits import Limits
from aiglabel.media.sound_coding import Coding, Sound, usual_layout
from aiglabel.signal.samples import floats, typed

_BITS = {"int16": 16, "int32": 32, "float32": 32, "float64": 32}
# More rows than this are samples, not channels.
_MOST_CHANNELS = 32


@dataclass(frozen=True)
class Like:
    """Type and number of axes of the array a sound was given as."""

    dtype: np.dtype[Any]
    ndim: int


def from_samples(samples: Any, rate: float, *, limits: Limits | None = None) -> tuple[Sound, Like]:
    """Return the sound an array holds. Never modifies it.

    Parameters
    ----------
    samples : array_like
        int16, int32, or floating point in [-1, 1], shaped (channels, n) or (n,). Tensors on any
        device are taken. What floats hold beyond full scale is kept.
    rate : int
        Samples a second.

    Returns
    -------
    Sound
        To be written as WAV of the same width; floats of 32 bits.
    Like

    Raises
    ------
    UnsupportedFormat
        Another shape or type, or what is no number.
    ResourceLimit
        Over `limits`.
    """
    limits = limits or Limits()
    values = as_numpy(samples)
    if values.ndim not in (1, 2) or values.dtype.name not in _BITS:
        raise UnsupportedFormat(
            f"an array of {values.dtype} and shape {values.shape} is not a sound",
            remedy="Give (channels, n) or (n,) of int16, int32, or floats from -1 to 1",
        )
    rows = values[None] if values.ndim == 1 else values
    if rows.shape[0] > _MOST_CHANNELS >= rows.shape[1]:
        raise UnsupportedFormat(
            f"an array of shape {values.shape} would have {rows.shape[0]} channels",
            remedy="Channels come first, (channels, n): transpose it",
        )
    if rate != int(rate):
        raise UnsupportedFormat(f"a rate of {rate} samples a second is not a whole number")
    limits.check_sound(rows.shape[0], int(rate), rows.shape[1])
    limits.check_held(*rows.shape)
    floating = values.dtype.kind == "f"
    if floating and not np.isfinite(rows).all():
        raise UnsupportedFormat("the samples are not all finite numbers")
    y = floats(rows)
    coding = Coding(
        SoundFormat.WAV, "pcm", int(rate), len(y), layout=usual_layout(len(y)),
        bits=_BITS[values.dtype.name], floating=floating, samples=y.shape[1],
    )  # fmt: skip
    return Sound(y, coding), Like(values.dtype, values.ndim)


def to_samples(y: NDArray[np.float32], like: Like | None) -> NDArray[Any]:
    """Return samples (channels, n) as the array they came from; as they are without `like`."""
    if like is None:
        return y
    return typed(y[0] if like.ndim == 1 else y, like.dtype)
