"""What is added to the frames of a film, in their own size and levels.

It is drawn a few times a second; a frame then costs one addition. Where the camera moves, it is
shifted along with the picture.
"""

from __future__ import annotations

from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray

from aiglabel.signal.tile import SIDE

Float = NDArray[np.float32]
Luma = NDArray[np.uint8] | NDArray[np.uint16]

RIM: Final = SIDE // 2
"""Samples of the canonical frame by which what is drawn reaches over its edges: as the tile repeats
after twice as many, it can then be laid anywhere."""

# Pixels by which the mark may lag behind the picture: a small part of its own detail.
_LITTLE = 1
# Parts of a level in which a change is resized; a power of two.
_PARTS = 4


class Sheet:
    """What is added to luma of `shape` (height, width).

    Parameters
    ----------
    shape : (height, width)
    bits : int
        Bits a sample: 8 of uint8, or up to 16 in the low bits of uint16.
    unit : float
        A grey level of 255, in levels of 8 bits.
    """

    def __init__(self, shape: tuple[int, int], *, bits: int, unit: float) -> None:
        self._shape, self._bits = shape, bits
        self._scale = np.float32(unit * (1 << (bits - 8)) * _PARTS)
        self._white = float((1 << bits) - 1)
        self._plane: Float | None = None
        # Whether the picture had moved across, and down, in the last frame; and by how many pixels
        # what is drawn reaches over those edges.
        self._moves, self._over = (False, False), (0, 0)
        # Whether there is anything to add; None: it is not ready in full size yet.
        self._drawn: bool | None = False
        # All that is drawn; and then what goes up and what goes down. They are used again: memory
        # that was never used costs more than what is computed in it.
        self._buffers: list[NDArray[Any]] = []

    def draw(self, plane: Float) -> None:
        """Take what is to be added: the canonical frame and `RIM` samples around it, grey levels.

        Shape (h + 2 RIM, w + 2 RIM), levels of 255.
        """
        self._plane, self._drawn = plane, None

    def is_beyond(self, moved: tuple[int, int]) -> bool:
        """Whether what was drawn does not reach so far, (right, down) pixels."""
        return any(abs(one) > over for one, over in zip(moved, self._rim(), strict=True))

    def add(self, y: Luma, moved: tuple[int, int]) -> bool:
        """Add it in place to a picture that has moved so far, (right, down) pixels.

        Returns whether there is anything to add.
        """
        if self._plane is None:
            return False
        moves = abs(moved[0]) > _LITTLE, abs(moved[1]) > _LITTLE
        if self._drawn is None or any(a and not b for a, b in zip(moves, self._over, strict=True)):
            # What moved before it was drawn goes on moving, as a rule.
            had = self._moves if self._drawn is None else self._over
            self._enlarge(*(bool(a or b) for a, b in zip(moves, had, strict=True)))
        self._moves = moves
        if not self._drawn:
            return False
        left, top = (over - _near(one, over) for one, over in zip(moved, self._over, strict=True))
        there = np.s_[top : top + y.shape[0], left : left + y.shape[1]]
        _, more, less = self._buffers
        cv2.add(y, more[there], dst=y)
        cv2.subtract(y, less[there], dst=y)
        if self._bits not in (8, 16):
            cv2.min(y, self._white, dst=y)
        return True

    def _rim(self) -> tuple[int, int]:
        """Pixels that `RIM` samples stand for, across and down."""
        if self._plane is None:
            return 0, 0
        tall, wide = (length - 2 * RIM for length in self._plane.shape)
        return round(RIM * self._shape[1] / wide), round(RIM * self._shape[0] / tall)

    def _enlarge(self, across: bool, down: bool) -> None:
        assert self._plane is not None
        rim = self._rim()
        self._over = rim[0] if across else 0, rim[1] if down else 0
        plane = self._plane
        plane = plane if across else plane[:, RIM:-RIM]
        plane = plane if down else plane[RIM:-RIM]
        self._drawn = bool(plane.any())
        if not self._drawn:
            return
        # In parts of a level around the middle of the type; then whole levels, up and down apart:
        # sums that are rounded with every frame would differ from frame to frame.
        kind, middle = (np.uint8, 128) if self._bits == 8 else (np.uint16, 1 << 15)
        coded = np.rint(plane * self._scale)
        coded += np.float32(middle)
        np.clip(coded, 0, np.iinfo(kind).max, out=coded)
        height, width = (
            length + 2 * over for length, over in zip(self._shape, self._over[::-1], strict=True)
        )
        if not self._buffers or self._buffers[0].shape != (height, width):
            self._buffers = [np.empty((height, width), kind) for _ in range(3)]
        full, more, less = self._buffers
        cv2.resize(coded.astype(kind), (width, height), dst=full, interpolation=cv2.INTER_CUBIC)
        half, shift = _PARTS // 2, _PARTS.bit_length() - 1
        cv2.subtract(full, float(middle - half), dst=more)
        cv2.subtract(float(middle + half), full, dst=less)
        for part in (more, less):
            np.right_shift(part, shift, out=part)


def _near(moved: int, over: int) -> int:
    """A way of at most `over` pixels after which the tile lies as after this one."""
    return moved - 2 * over * round(moved / (2 * over)) if over else 0


def shifted(plane: Float, right: float, down: float) -> Float:
    """Move what `Sheet.draw` takes by so many samples, or by fewer after which the tile lies alike.

    What comes in from outside is like the edge.
    """
    right, down = (moved - SIDE * round(moved / SIDE) for moved in (right, down))
    if not (right or down):
        return plane
    matrix = np.array([[1, 0, right], [0, 1, down]], np.float32)
    moved: Any = cv2.warpAffine(
        plane, matrix, plane.shape[::-1], flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE
    )
    return np.asarray(moved, np.float32)
