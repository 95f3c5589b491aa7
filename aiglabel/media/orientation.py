"""EXIF orientation: what a block says, applying it, and undoing it (CIPA DC-008, tag 274)."""

from __future__ import annotations

import cv2
import numpy as np

from aiglabel.containers.exif import PREFIX, first_directory, without_thumbnail
from aiglabel.errors import CorruptMedia
from aiglabel.media.picture import Array

_ORIENTATION = 274


def tidy_exif(exif: bytes | None) -> bytes | None:
    """Return `exif` without prefix and without thumbnail, which would show the unmarked picture.

    None where it is not an EXIF block at all.
    """
    block = (exif or b"").removeprefix(PREFIX)
    return without_thumbnail(block) if block[:4] in (b"II*\0", b"MM\0*") else None


def exif_orientation(exif: bytes | None) -> int:
    """Return the orientation 1 to 8 that an EXIF block states; 1 where it is absent or broken."""
    block = (exif or b"").removeprefix(PREFIX)
    try:
        ifd, order = first_directory(block)
        entry = ifd.find(_ORIENTATION)
        value = entry.numbers(block, order)[0] if entry else 1
    except (CorruptMedia, IndexError):
        return 1
    return value if 1 <= value <= 8 else 1


def upright(array: Array, orientation: int) -> Array:
    """Return a stored `array` (H, W[, C]) as it is displayed under EXIF `orientation`."""
    match orientation:
        case 2:
            turned = cv2.flip(array, 1)
        case 3:
            turned = cv2.rotate(array, cv2.ROTATE_180)
        case 4:
            turned = cv2.flip(array, 0)
        case 5:
            turned = cv2.transpose(array)
        case 6:
            turned = cv2.rotate(array, cv2.ROTATE_90_CLOCKWISE)
        case 7:
            turned = cv2.rotate(cv2.transpose(array), cv2.ROTATE_180)
        case 8:
            turned = cv2.rotate(array, cv2.ROTATE_90_COUNTERCLOCKWISE)
        case _:
            return array
    # cv2 drops a channel axis of one.
    return np.asarray(turned).reshape(*turned.shape[:2], *array.shape[2:])


def stored(array: Array, orientation: int) -> Array:
    """Undo `upright`. Every orientation is its own inverse but the two quarter turns."""
    return upright(array, {6: 8, 8: 6}.get(orientation, orientation))
