"""Another sampling rate for a short clip, by its spectrum (exact for what both rates can hold)."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from aiglabel.errors import LabelError
from aiglabel.marks.audible.rhythm import check_rate

Float = NDArray[np.float32]

LONGEST = 60.0  # s
_ROOM = 0.05  # s of silence on either side, into which edges may ring
_TAPER = 0.05  # of the band, at its top, over which it fades


def resample(clip: Float, rate: int, to: int) -> Float:
    """Bring a clip to another rate.

    Parameters
    ----------
    clip : float32 (channels, n)
        At most 60 s.
    rate, to : int
        Samples a second, 8000 to 192000.

    Returns
    -------
    float32 (channels, round(n * to / rate))

    Raises
    ------
    LabelError
        When the clip is longer, or a rate outside.
    """
    check_rate(rate)
    check_rate(to)
    count = clip.shape[1]
    if count > LONGEST * rate:
        raise LabelError(
            f"a label's clip lasts at most {LONGEST:g} s, this one {count / rate:.1f} s",
            remedy="Cut it to the words of the label",
        )
    if rate == to or not count:
        return clip.astype(np.float32)
    # Lengths that last equally long at both rates.
    unit = rate // math.gcd(rate, to)
    before = math.ceil(_ROOM * rate / unit) * unit
    size = math.ceil((count + 2 * before) / unit) * unit
    padded = np.zeros((len(clip), size))
    padded[:, before : before + count] = clip
    spectrum = np.fft.rfft(padded, axis=1)
    new_size = size * to // rate
    bins = min(size, new_size) // 2 + 1
    fade = max(1, round(_TAPER * bins))
    kept = np.zeros((len(clip), new_size // 2 + 1), np.complex128)
    kept[:, :bins] = spectrum[:, :bins]
    kept[:, bins - fade : bins] *= 0.5 + 0.5 * np.cos(np.pi * (np.arange(fade) + 1) / fade)
    wave = np.fft.irfft(kept, new_size, axis=1) * (to / rate)
    first = before * to // rate
    return wave[:, first : first + round(count * to / rate)].astype(np.float32)
