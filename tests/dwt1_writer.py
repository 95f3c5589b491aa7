"""Writer of the old wire format ``aiglabel.dwt.1``, for tests of its reader only.

Plain addition: every coefficient changes by the same number of grey levels, whatever is there.
"""

from __future__ import annotations

import cv2
import numpy as np
import pywt

from aiglabel.key import Key
from aiglabel.signal import code, dwt1


def mark(
    rgb: np.ndarray, payload: bytes, *, key: Key, amplitude: float = 1.0, side: int | None = None
) -> np.ndarray:
    """Mark a uint8 picture, (H, W) or (H, W, 3), in the frame its size asks for, or in `side`."""
    height, width = rgb.shape[:2]
    side = side or max(s for s in dwt1.LADDER if s == 64 or 1.5 * s <= min(height, width))
    word = code.DWT_1.encode(payload, key.derive("image-1/tag"))
    order, chips = dwt1.carrier(key, side)
    vector = np.zeros(sum(3 * (side >> level) ** 2 for level in dwt1.LEVELS), np.float32)
    vector[order] = chips * word[:, None]
    # A change of one grey level is a coefficient of 2**level: the transform is orthonormal.
    fine, coarse = np.split(vector, [3 * (side // 2) ** 2])
    fine = 2 * amplitude * fine.reshape(3, side // 2, side // 2)
    coarse = 4 * amplitude * coarse.reshape(3, side // 4, side // 4)
    split = [np.zeros_like(coarse[0]), tuple(coarse), tuple(fine)]
    signal = pywt.waverec2(split, dwt1.WAVELET, mode="periodization")
    signal = cv2.resize(signal, (width, height), interpolation=cv2.INTER_CUBIC)
    signal = signal if rgb.ndim == 2 else signal[..., None]
    return np.clip(np.rint(rgb + signal), 0, 255).astype(np.uint8)
