"""Floating-point samples to integers.

A sample that already lies on the grid of the target, as every sample of an unmarked source of the
same width does, is written as it is: silence stays silent, and lossless stays lossless. Samples
between two steps are rounded; for 8 and 16 bits triangular dither of one step (Lipshitz,
Wannamaker & Vanderkooy, J. Audio Eng. Soc. 40, 1992) is added first, so that the rounding error
is a steady noise that does not follow the sound. From 24 bits on the error is more than 140 dB
below full scale and dither would be of no use. The dither is the same in every run.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from aiglabel.errors import MediaError
from aiglabel.media.sound_coding import Samples

_DITHERED_UP_TO = 16
_SEED = 0xA161


class Quantiser:
    """Rounds one sound piece by piece; how it is cut into pieces does not change the result.

    Parameters
    ----------
    bits : int
        8, 16, 24 or 32.
    """

    def __init__(self, bits: int) -> None:
        self.bits = bits
        self.clipped = 0
        self._random = np.random.default_rng(_SEED) if bits <= _DITHERED_UP_TO else None

    def __call__(self, y: Samples) -> NDArray[np.int32]:
        """Return ``int32 (n, channels)`` for ``float32 (channels, n)``; full scale is clipped.

        Raises
        ------
        MediaError
            A sample is not a finite number.
        """
        check_finite(y)
        # 32-bit steps are finer than float32 near full scale, so the bounds need float64.
        exact = np.dtype(np.float64 if self.bits > 24 else np.float32)
        scaled: NDArray[Any] = y.T.astype(exact, order="C")
        scaled *= 2.0 ** (self.bits - 1)
        steps = np.rint(scaled)
        if self._random is not None:
            # Drawn for every sample, needed or not: the pieces must not matter.
            draws = self._random.integers(0, 1 << 32, scaled.shape, np.uint32)
            if (steps != scaled).any():
                # The difference of two evenly spread numbers, 16 bits each, is triangular.
                dither = (draws >> 16).astype(np.float32) - (draws & 0xFFFF).astype(np.float32)
                dither *= 2.0**-16
                dither[steps == scaled] = 0
                steps = np.rint(scaled + dither)
        low, high = -(2.0 ** (self.bits - 1)), 2.0 ** (self.bits - 1) - 1
        # Full scale itself, +1.0, is one step too high in every width and is not worth a word.
        if steps.size and (steps.min() < low or steps.max() > high):
            self.clipped += int(np.count_nonzero((steps < low) | (steps > high + 1)))
            np.clip(steps, low, high, out=steps)
        whole: NDArray[np.int32] = steps.astype(np.int32)
        return whole


def check_finite(y: Samples) -> None:
    """Refuse samples that are not finite numbers.

    Raises
    ------
    MediaError
    """
    if not np.isfinite(y).all():
        raise MediaError("a sample is not a finite number", remedy="Replace NaN and infinity")
