"""Movement of the camera: how the picture of a film goes on, and grows, from frame to frame.

Corners (Shi and Tomasi 1994) are followed from frame to frame by their surroundings (Lucas and
Kanade 1981, coarse to fine as of Bouguet 2000), and the frame has moved as most of them have. It
has grown, or shrunk, where that explains more than chance would. Where frames are compared with one
of some time ago, errors do not add up.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from aiglabel.signal import frame

Float = NDArray[np.float32]
Small = NDArray[np.uint8]
Shift = NDArray[np.float64]  # (right, down), samples

_NONE: Shift = np.zeros(2)

# Root of the area, in samples, below which frames are halved.
_SIDE = 480
# Samples on the shorter side of those, at least: in a strip nothing can be told.
_LEAST = 16
# Corners that are followed at most, at least; how good the worst is, of the best; and how far apart
# they are, of what they would be in a grid.
_CORNERS, _FEWEST, _GOOD, _APART = 100, 8, 1e-3, 0.7
# Samples on a side of a corner's surroundings, and how many times they are halved at first: with
# both, how far off a guess may be.
_AROUND, _HALVED = 15, 3
_UNTIL = (cv2.TERM_CRITERIA_COUNT | cv2.TERM_CRITERIA_EPS, 10, 0.03)
_FLAT = 1e-4
# Samples by which a corner that counts half has moved otherwise than most; rounds of weighing.
_OFF, _ROUNDS = 1.0, 5
# Mean weight of the corners from which on the frame has moved; after a cut it reaches 0.1.
_SURE = 0.35
# Deviations of its estimate from which the picture grows, and how far corners must lie apart to
# tell, in sides of the frame; otherwise it only moves. And how much it may have grown.
_GROWS, _SPREAD, _MOST_GROWTH = 5.0, 0.1, 2.0
# Share of the frame that may have gone out of sight before another is compared with.
_FAR = 0.2
# Mean difference of two frames, grey levels of 8 bits, under which nothing moves.
_NOTHING = 0.1
# The same from which it is a cut, where no shift explains it.
_CUT = 14.0
# A frame stays as it is where less than so much of it changes: blocks of so many samples a side, by
# so many grey levels beside what becomes brighter or darker. How much a new frame tells of that.
_MOST, _BLOCK, _VISIBLY, _NEW = 0.6, 15, 0.5, 0.15


class Camera:
    """Tells, frame by frame, how far the picture has moved since its shot began.

    Parameters
    ----------
    level : float
        A grey level of 8 bits in the levels of the frames.
    staying : bool
        Whether the place is kept while most of the picture stays as it is, though some of it moves.
        Codecs leave a mark there where it was: what is smooth they take from the frame before, and
        all that differs at low rates is lost.
    """

    def __init__(self, level: float = 1.0, *, staying: bool = False) -> None:
        self._level, self._staying = level, staying
        self._scale = 1
        self._last: Small | None = None
        # The frame that is compared with, its corners, and where the picture was then.
        self._anchor: Small | None = None
        self._corners, self._from, self._size = np.zeros((0, 2), np.float32), _NONE, 1.0
        # Where the picture is, how large, and how far it moved and grew in the last frame.
        self._at, self._zoom, self._speed, self._growth = _NONE, 1.0, _NONE, 1.0
        # Share of the picture that changes; None: it is not known yet.
        self._changing: float | None = None
        self.cut = True
        """Whether a shot begins with the last frame."""

    @property
    def place(self) -> tuple[float, float]:
        """How far the picture has moved since the shot began, (right, down), pixels.

        What cannot be told, as all of a frame moves as no camera does, is left out.
        """
        right, down = self._at * self._scale
        return float(right), float(down)

    @property
    def zoom(self) -> float:
        """How many times larger the picture is than when the shot began, around the middle.

        What was seen at p, from the middle of the frame, is now at ``zoom * p + place``.
        """
        return self._zoom

    def restart(self) -> None:
        """Tell of places and sizes from here on."""
        self._anchor, self._at, self._zoom = None, _NONE, 1.0

    def see(self, y: NDArray[Any]) -> None:
        """Take the next frame's luma (H, W)."""
        small, last = self._reduced(y), self._last
        self.cut = last is None or last.shape != small.shape
        if last is None or self.cut:
            self._begin(small)
            return
        difference = float(cv2.norm(small, last, cv2.NORM_L1)) / small.size
        if difference <= _NOTHING or min(small.shape) < _LEAST:
            return
        self._last = small
        if self._staying and self._stays(last, small) and difference < _CUT:
            self._anchor, self._speed, self._growth = None, _NONE, 1.0
        else:
            self._follow(last, small, difference)

    def _begin(self, small: Small) -> None:
        self._last, self._anchor = small, None
        self._at = self._speed = _NONE
        self._zoom = self._growth = 1.0
        self._changing = None

    def _stays(self, last: Small, small: Small) -> bool:
        change = small.astype(np.float32)
        change -= last
        change -= cv2.blur(change, (_BLOCK, _BLOCK))
        size = [max(1, length // _BLOCK) for length in small.shape]
        blocks = cv2.resize(np.abs(change, out=change), size[::-1], interpolation=cv2.INTER_AREA)
        share = float((blocks > _VISIBLY).mean())
        known = share if self._changing is None else self._changing
        self._changing = known + _NEW * (share - known)
        return self._changing < _MOST

    def _follow(self, last: Small, small: Small, difference: float) -> None:
        if self._anchor is None:
            self._compare_with(last)
        shift, zoom, sure = self._shift(small)
        if sure < _SURE and self._anchor is not last:
            self._compare_with(last)
            shift, zoom, sure = self._shift(small)
        before, size = self._at, self._zoom
        self._speed, self._growth = _NONE, 1.0
        if sure >= _SURE:
            self._at, self._zoom = zoom * self._from + shift, zoom * self._size
            self._speed, self._growth = self._at - before, self._zoom / size
            near = (np.abs(shift) <= np.multiply(_FAR, small.shape[::-1])).all()
            if near and abs(zoom - 1) <= _FAR:
                return
        elif difference >= _CUT:
            self.cut = True
            self._begin(small)
        self._anchor = None

    def _compare_with(self, small: Small) -> None:
        """Compare frames with this one, which was seen last."""
        self._anchor, self._from, self._size = small, self._at, self._zoom
        apart = _APART * math.sqrt(small.size / _CORNERS)
        found: Any = cv2.goodFeaturesToTrack(small, _CORNERS, _GOOD, apart)
        self._corners = np.zeros((0, 2), np.float32) if found is None else found[:, 0]

    def _reduced(self, y: NDArray[Any]) -> Small:
        small = frame.reduced(y, most=_SIDE / frame.LADDER[-1])
        self._scale = round(max(y.shape) / max(small.shape))
        return np.asarray(cv2.convertScaleAbs(small, alpha=1 / self._level), np.uint8)

    def _shift(self, small: Small) -> tuple[Shift, float, float]:
        """How far the frame has moved and grown since the one that is compared with; how surely."""
        assert self._anchor is not None
        middle = (np.multiply(0.5, small.shape[::-1]) - 0.5).astype(np.float32)
        growth = self._zoom * self._growth / self._size
        expected = self._at + self._speed - growth * self._from
        there = middle + np.float32(growth) * (self._corners - middle)
        there += expected.astype(np.float32)
        inside = (there >= _AROUND / 2) & (there < np.subtract(small.shape[::-1], _AROUND / 2))
        corners, there = (one[inside.all(axis=1)] for one in (self._corners, there))
        if len(corners) < _FEWEST:
            return _NONE, 1.0, 0.0
        guess = there.copy()  # which is overwritten
        found, told, _ = cv2.calcOpticalFlowPyrLK(
            self._anchor, small, corners, guess, winSize=(_AROUND, _AROUND), maxLevel=_HALVED,
            criteria=_UNTIL, flags=cv2.OPTFLOW_USE_INITIAL_FLOW, minEigThreshold=_FLAT,
        )  # fmt: skip
        good = told.ravel() == 1
        if good.sum() < _FEWEST:
            return _NONE, 1.0, 0.0
        # From where they were expected; then what they moved in all.
        least = float(np.square(np.multiply(_SPREAD, small.shape)).sum())
        corners, moved = corners[good] - middle, found[good] - there[good]
        more, zoom, sure = _fitted(corners, moved, growth, least)
        plausible = 1 / _MOST_GROWTH < zoom < _MOST_GROWTH
        return expected + more, zoom, sure if plausible else 0.0


def _fitted(
    corners: Float, moved: Float, growth: float, least: float
) -> tuple[Shift, float, float]:
    """Return by what shift and zoom most corners have moved, and the mean of their weights.

    `moved` counts from where they were expected, with that `growth`, and so does the shift. The
    zoom is 1 where the corners' variance is under `least`.
    """
    shift, zoom = np.median(moved, axis=0).astype(np.float64), 0.0
    weights = np.ones(len(moved))
    for _ in range(_ROUNDS):
        rest = np.square(moved - shift - zoom * corners).sum(axis=1)
        weights = 1 / (1 + rest / _OFF**2)
        weights /= weights.sum()
        centre, mean = weights @ corners, weights @ moved
        around = corners - centre
        far = np.square(around).sum(axis=1)
        spread = float(weights @ far)
        zoom = float(weights @ (around * (moved - mean)).sum(axis=1)) / max(spread, 1e-9)
        # Where the corners do not show that it grows, it does not.
        off = np.square(moved - mean - zoom * around).sum(axis=1)
        error = math.sqrt(float(np.square(weights) @ (off * far)) / 2)
        if spread < least or abs(growth + zoom - 1) * spread < _GROWS * error:
            zoom = 1 - growth
        shift = mean - zoom * centre
    rest = np.square(moved - shift - zoom * corners).sum(axis=1)
    return shift, growth + zoom, float((1 / (1 + rest / _OFF**2)).mean())


def lapped(before: Float, now: Float, right: int, down: int) -> tuple[Float, Float]:
    """Return views of what two planes of one shape both show, the second moved by so much."""
    height, width = before.shape
    tall, wide = max(height - abs(down), 0), max(width - abs(right), 0)
    top, left = max(down, 0), max(right, 0)
    other = np.s_[max(-down, 0) : max(-down, 0) + tall, max(-right, 0) : max(-right, 0) + wide]
    return before[other], now[top : top + tall, left : left + wide]


def laid(plane: Float, place: Sequence[float], zoom: float) -> Float:
    """Lay a plane, in which all is `zoom` times larger and at `place`, over the one before.

    As ``zoom * p + place`` from the middle; what it does not show is 0.
    """
    matrix = growing(zoom, place, plane.shape, plane.shape)
    over: Any = cv2.warpAffine(
        plane, matrix, plane.shape[::-1], flags=cv2.INTER_CUBIC | cv2.WARP_INVERSE_MAP
    )
    return np.asarray(over, np.float32)


def growing(
    zoom: float, place: Sequence[float], before: tuple[int, ...], after: tuple[int, ...]
) -> Float:
    """Return what `cv2.warpAffine` takes to go from p to ``zoom * p + place``.

    Both from the middles, (right, down), of planes of these shapes.
    """
    old, new = (np.multiply(0.5, shape[::-1]) - 0.5 for shape in (before, after))
    return np.column_stack([zoom * np.eye(2), new - zoom * old + place]).astype(np.float32)
