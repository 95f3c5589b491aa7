"""What is added to the frames of a film, in their own size and levels.

It is drawn a few times a second; a frame then costs one addition. Where the camera moves, it is
shifted along with the picture; where the picture grows, it is drawn anew in that size.
"""

from __future__ import annotations

import math
from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray

from aiglabel.signal.camera import growing
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
        self._size, self._bits = shape[::-1], bits
        self._scale = np.float32(unit * (1 << (bits - 8)) * _PARTS)
        self._white = float((1 << bits) - 1)
        self._plane: Float | None = None
        # Pixels across and down that a sample of it stands for.
        self._pixels = (1.0, 1.0)
        # Whether the picture had moved across, and down, in the last frame; whether what is drawn
        # reaches over those edges; and how many times larger it is than the plane says.
        self._moves = self._over = np.zeros(2, np.bool_)
        self._zoom = 1.0
        # Whether there is anything to add; None: it is not ready in full size yet.
        self._drawn: bool | None = False
        # Memory for all that is drawn; and for what goes up and what goes down. It is used again:
        # memory that was never used costs more than what is computed in it.
        self._memory: list[NDArray[Any]] = []
        self._more: Luma = np.zeros((0, 0), np.uint8)
        self._less: Luma = self._more

    def draw(self, plane: Float, pixels: tuple[float, float] | None = None) -> None:
        """Take what is to be added: the canonical frame and `RIM` samples around it, grey levels.

        Shape (h + 2 RIM, w + 2 RIM), levels of 255. `pixels` are those that a sample stands for,
        across and down; by default h and w samples are the whole frame.
        """
        self._plane, self._drawn = plane, None
        self._pixels = pixels or (self._fitting(0), self._fitting(1))

    def is_beyond(self, moved: tuple[int, int], zoom: float = 1.0) -> bool:
        """Whether what was drawn does not reach so far, (right, down) pixels, at that zoom."""
        if self._plane is None:
            return any(moved)
        return any(abs(moved[at]) > self._reach(at, zoom) for at in (0, 1))

    def add(self, y: Luma, moved: tuple[int, int], zoom: float = 1.0) -> bool:
        """Add it in place to a picture that has moved so far, (right, down) pixels, and grown.

        Returns whether there is anything to add.
        """
        if self._plane is None:
            return False
        zoom = max(zoom, *(self._size[at] / self._whole(at, 1.0) for at in (0, 1)))
        moves = np.abs(moved) > _LITTLE
        moves |= [zoom != 1 or self._pixels[at] != self._fitting(at) for at in (0, 1)]
        if self._drawn is None or zoom != self._zoom or (moves & ~self._over).any():
            # What moved before it was drawn goes on moving, as a rule.
            self._enlarge(moves | (self._moves if self._drawn is None else self._over), zoom)
        self._moves = moves
        if not self._drawn:
            return False
        left, top = (self._begin(at, moved[at]) for at in (0, 1))
        there = np.s_[top : top + y.shape[0], left : left + y.shape[1]]
        cv2.add(y, self._more[there], dst=y)
        cv2.subtract(y, self._less[there], dst=y)
        if self._bits not in (8, 16):
            cv2.min(y, self._white, dst=y)
        return True

    def _fitting(self, at: int) -> float:
        """Pixels that a sample stands for where the frame is as wide, or high, as the plane."""
        assert self._plane is not None
        samples: int = self._plane.shape[1 - at] - 2 * RIM
        return self._size[at] / samples

    def _rim(self, at: int) -> float:
        """Pixels that `RIM` samples stand for, across or down."""
        return RIM * self._pixels[at]

    def _whole(self, at: int, zoom: float) -> int:
        """Pixels that all samples stand for, across or down."""
        assert self._plane is not None
        samples: int = self._plane.shape[1 - at]
        return round(zoom * samples * self._pixels[at])

    def _reach(self, at: int, zoom: float) -> float:
        """Pixels by which the picture may move before what is drawn ends, across or down."""
        return zoom * self._rim(at) + (zoom - 1) * self._size[at] / 2

    def _begin(self, at: int, moved: int) -> int:
        """Where in what is drawn a frame begins that has moved so far, across or down."""
        if not self._over[at]:
            return 0
        length, period = self._size[at], 2 * self._zoom * self._rim(at)
        near = moved - period * round(moved / period)  # there the tile lies alike
        begin = round(self._reach(at, self._zoom) - near)
        return min(max(begin, 0), self._whole(at, self._zoom) - length)

    def _enlarge(self, over: NDArray[np.bool_], zoom: float) -> None:
        assert self._plane is not None
        self._over, self._zoom = over, zoom
        plane = self._plane
        plane = plane if over[0] else plane[:, RIM:-RIM]
        plane = plane if over[1] else plane[RIM:-RIM]
        self._drawn = bool(plane.any())
        if not self._drawn:
            return
        # In parts of a level around the middle of the type; then whole levels, up and down apart:
        # sums that are rounded with every frame would differ from frame to frame.
        kind, middle = (np.uint8, 128) if self._bits == 8 else (np.uint16, 1 << 15)
        coded = np.rint(plane * self._scale)
        coded += np.float32(middle)
        np.clip(coded, 0, np.iinfo(kind).max, out=coded)
        width, height = (
            self._whole(at, zoom) if self._over[at] else self._size[at] for at in (0, 1)
        )
        full, self._more, self._less = self._planes((height, width), kind)
        cv2.resize(coded.astype(kind), (width, height), dst=full, interpolation=cv2.INTER_CUBIC)
        half, shift = _PARTS // 2, _PARTS.bit_length() - 1
        cv2.subtract(full, float(middle - half), dst=self._more)
        cv2.subtract(float(middle + half), full, dst=self._less)
        for part in (self._more, self._less):
            np.right_shift(part, shift, out=part)

    def _planes(self, shape: tuple[int, int], kind: type[np.uint8 | np.uint16]) -> list[Luma]:
        size = math.prod(shape)
        if not self._memory or self._memory[0].size < size:
            self._memory = [np.empty(size, kind) for _ in range(3)]
        return [one[:size].reshape(shape) for one in self._memory]


def carried(plane: Float, shape: tuple[int, int], zoom: float, right: float, down: float) -> Float:
    """Bring what `Sheet.draw` takes to where the picture is now, as a plane of another shape.

    Parameters
    ----------
    plane : float32
        As it was drawn.
    shape : (rows, columns)
        Of what is returned.
    zoom : float
        By how much the picture has grown, in samples of the two planes.
    right, down : float
        By how much it has moved, samples of the new plane; or by fewer after which the tile lies
        alike. What comes in from outside is like the edge.
    """
    period = SIDE * zoom
    right, down = (moved - period * round(moved / period) for moved in (right, down))
    if shape == plane.shape and zoom == 1 and not (right or down):
        return plane
    matrix = growing(zoom, (right, down), plane.shape, shape)
    moved: Any = cv2.warpAffine(
        plane, matrix, shape[::-1], flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE
    )
    return np.asarray(moved, np.float32)
