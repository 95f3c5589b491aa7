"""Blind DWT watermark of films: that of pictures, ``aiglabel.dwt.2``, in every frame alike.

Marking adds the tile of `signal.image` to the luma, at one place of the scene and as large as that,
also where the camera moves most of the picture or comes closer (`camera`): codecs carry it from
frame to frame along with the picture, and all frames say the same when they are added up (Kalker,
Depovere, Haitsma and Maes 1999). Its strength follows the pictures, a few times a second; in
between it fades, so that nothing flickers and no window of it stays behind. What is computed is
small: the canonical frame; a full frame costs one addition.

Detection whitens frames, follows the camera, adds them up, and looks at the sum as at one picture:
the mark stays while what moves in the scene becomes noise. A single frame is a picture with the
mark in it.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from aiglabel.key import Key
from aiglabel.signal import detector, frame, image, whitening
from aiglabel.signal.budget import EFFORTS
from aiglabel.signal.camera import Camera, laid, lapped
from aiglabel.signal.detector import Finding
from aiglabel.signal.video_marker import (
    DEFAULT_STRENGTH,
    LEAST_SIDE,
    STRENGTHS,
    Luma,
    Marker,
)

__all__ = [
    "DEFAULT_STRENGTH", "LEAST_SIDE", "STRENGTHS", "WIRE_FORMAT", "Detection", "Marker", "Viewer",
]  # fmt: skip

Float = NDArray[np.float32]

WIRE_FORMAT: Final = image.WIRE_FORMAT

# Root of the area, in samples, to which frames are reduced before they are added up.
_POOLED = 512
# Pieces of time that are kept apart; and how long one is at first, seconds.
_PIECES = 32
# Sums that are looked at: three of all frames, and two of each piece.
_LOOKS = 3 + 2 * _PIECES
_PIECE_S = 0.5
# Standard deviations from the mean in which the sum of whitened frames is turned into grey levels.
_GREY = 24.0
# Correlation with a message that was read elsewhere from which a piece of time carries it, standard
# deviations of chance.
_CARRIES = 4.0
# The same at any other place, of which there are thousands.
_CARRIES_MOVED = 6.5
# Share of the frame that may have gone out of sight before frames are added up anew.
_FAR = 0.3


@dataclass(frozen=True, eq=False, kw_only=True)
class Detection(image.Detection):
    """Result of looking for the mark in a film; see also `image.Detection`.

    Attributes
    ----------
    spans : tuple of (float, float), or None
        From when to when frames carry the message, seconds on the film's clock; to within the
        pieces of time that were looked at. None where no message was read.
    """

    spans: tuple[tuple[float, float], ...] | None = None


@dataclass(eq=False)
class _Piece:
    """Frames of one piece of time, added up; it ends where the next one begins.

    Twice: as they are, and moved to where the picture was when the shot began. The second is None
    while it is the same. `stretch` numbers those that were moved to the same place.
    """

    begin: float
    latest: float
    end: float
    stretch: int
    white: Float
    followed: Float | None = None
    frames: int = 0

    def add(self, white: Float, followed: Float, moved: tuple[int, int]) -> None:
        """Add a frame, and the same as it was before it grew.

        Its picture has then moved by so many samples, (right, down).
        """
        if (any(moved) or followed is not white) and self.followed is None:
            self.followed = self.white.copy()
        self.white += white
        if self.followed is not None:
            before, now = lapped(self.followed, followed, *moved)
            before += now
        self.frames += 1

    def join(self, later: _Piece) -> None:
        self.latest, self.end = later.latest, later.end
        if self.stretch != later.stretch:
            if later.frames > self.frames:
                self.stretch, self.followed = later.stretch, later.still
            else:
                self.followed = self.still.copy()
        elif self.followed is not None or later.followed is not None:
            self.followed = self.still + later.still
        self.white += later.white
        self.frames += later.frames

    @property
    def still(self) -> Float:
        """The sum of frames moved to where the picture was."""
        return self.white if self.followed is None else self.followed


class Viewer:
    """Takes frames of a film in turn, in bounded memory, and looks for marks in their sum.

    Frames may be left out; what was not seen is not in the answer.
    """

    def __init__(self) -> None:
        self._pieces: list[_Piece] = []
        self._length = _PIECE_S
        # Sum of the frames of the first stretch, moved to where the picture was; and of how many.
        self._plain: Float | None = None
        self._covered = self._all = np.zeros((0, 0), np.float32)
        self._scale = 1.0
        self._camera = Camera()
        # Where the picture was, samples, and its zoom, in the stretch that is being added up; and
        # the number of that.
        self._home, self._size = (0.0, 0.0), 1.0
        self._stretch = self._stretches = 0

    @property
    def frames(self) -> int:
        """How many were seen."""
        return sum(piece.frames for piece in self._pieces)

    def see(self, y: Luma, time: float) -> None:
        """Take a frame's luma (height, width), uint8 or uint16, shown at `time`, seconds."""
        small = _reduced(y)
        self._scale = small.shape[1] / y.shape[1]
        plain = small.copy()
        detail, variance = whitening.details(small)
        detail /= variance
        if self._plain is None:
            self._plain = np.zeros_like(plain)
            self._covered, self._all = np.zeros_like(plain), np.ones_like(plain)
        elif self._plain.shape != plain.shape:
            return  # of another size: it cannot be added, and no film of ours has any
        moved, back = self._followed(plain)
        if self._stretch == 0:
            for known, new in ((self._plain, plain), (self._covered, self._all)):
                before, now = lapped(known, back(new), *moved)
                before += now
        last = self._pieces[-1] if self._pieces else None
        gap = time - last.latest if last else 0.0
        if last:
            last.end = time
        if last and last.stretch == self._stretch and time - last.begin < self._length:
            last.latest, last.end = time, time + gap
        else:
            last = _Piece(time, time, time + gap, self._stretch, np.zeros_like(detail))
            self._pieces.append(last)
        last.add(detail, back(detail), moved)
        while len(self._pieces) > _PIECES:
            for early, late in zip(self._pieces[::2], self._pieces[1::2], strict=False):
                early.join(late)
            self._pieces = self._pieces[::2]
            self._length *= 2

    def _followed(self, plain: Float) -> tuple[tuple[int, int], Callable[[Float], Float]]:
        """Tell where the picture was when the shot began.

        Returns
        -------
        (int, int)
            How far it has moved, whole samples to the right and down.
        callable
            Brings a plane of it to the size that it had; what it does not show is then 0.
        """
        camera = self._camera
        camera.see(plain)
        if camera.cut:
            self._home, self._size, self._stretch = (0.0, 0.0), 1.0, 0
        zoom = camera.zoom / self._size
        place = [now - zoom * then for now, then in zip(camera.place, self._home, strict=True)]
        right, down = (round(one) for one in place)
        if max(abs(right) / plain.shape[1], abs(down) / plain.shape[0], abs(zoom - 1)) > _FAR:
            # Too little is left of what was seen; what follows is added up by itself.
            self._stretches += 1
            self._home, self._size, self._stretch = camera.place, camera.zoom, self._stretches
            return (0, 0), _as_it_is
        if abs(zoom - 1) * max(plain.shape) < 1:
            return (right, down), _as_it_is
        return (0, 0), partial(laid, place=place, zoom=zoom)

    def found(self, keys: Sequence[Key], *, effort: str) -> list[Detection]:
        """Look for the marks of `keys` in all that was seen; one answer a key.

        First in the sums of all frames, moved to where the picture was and as they are, then in the
        mean of the first: where nothing else moves, it is what the mark was fitted to. Where none
        shows one, in every piece of time by itself.
        """
        if not self._pieces or self._plain is None:
            raise ValueError("no frame was seen")
        quick, budget = EFFORTS["quick"], EFFORTS[effort]
        wholes, pieces = self._wholes(), self._pieces if len(self._pieces) > 1 else []
        tries = [(plane, quick) for plane in wholes]
        if budget.octaves:
            tries += [(plane, budget) for plane in wholes]
        tries += [(piece.still, quick) for piece in pieces]
        tries += [(piece.white, quick) for piece in pieces if piece.followed is not None]
        found = [Finding(key, 0.0) for key in keys]
        for plane, how in tries:
            open_ = [at for at, one in enumerate(found) if one.payload is None]
            if not open_:
                break
            answers = detector.search(_grey(plane), [keys[at] for at in open_], how, looks=_LOOKS)
            for at, answer in zip(open_, answers, strict=True):
                if answer.payload is not None or answer.pilots > found[at].pilots:
                    found[at] = answer
        return [self._stated(one, len(keys) * _LOOKS) for one in found]

    def _wholes(self) -> list[Float]:
        """The sum of the frames of the longest stretch, that of all frames, and a mean picture."""
        assert self._plain is not None
        whole = np.sum([piece.white for piece in self._pieces], axis=0)
        wholes = [whole, self._plain / np.maximum(self._covered, 1)]
        if any(piece.followed is not None for piece in self._pieces):
            lengths = Counter[int]()
            for piece in self._pieces:
                lengths[piece.stretch] += piece.frames
            [(longest, _)] = lengths.most_common(1)
            those = [piece.still for piece in self._pieces if piece.stretch == longest]
            wholes.insert(0, np.sum(those, axis=0))
        return wholes

    def _stated(self, found: Finding, tries: int) -> Detection:
        assert self._plain is not None
        stated = image.stated(found, tries, self._plain.shape, self._scale)
        spans = None if found.payload is None else self._spans(found)
        return Detection(**vars(stated), spans=spans)

    def _spans(self, found: Finding) -> tuple[tuple[float, float], ...]:
        """Pieces of time that carry the message, joined where they follow each other."""
        spans: list[tuple[float, float]] = []
        joins = False
        for piece in self._pieces:
            there = _carries(piece, found)
            if there and joins:
                spans[-1] = spans[-1][0], piece.end
            elif there:
                spans.append((piece.begin, piece.end))
            joins = there
        return tuple((round(begin, 3), round(end, 3)) for begin, end in spans)


def _as_it_is(plane: Float) -> Float:
    return plane


def _carries(piece: _Piece, found: Finding) -> bool:
    """Whether a piece of time carries a message that was read elsewhere.

    At the same place, moved, or by itself: scenes may be marked in frames of another size.
    """
    planes = [piece.still] if piece.followed is None else [piece.still, piece.white]
    seen = [detector.again(_grey(plane), found) for plane in planes]
    if any(here >= _CARRIES or moved >= _CARRIES_MOVED for here, moved in seen):
        return True
    [own] = detector.search(_grey(piece.still), [found.key], EFFORTS["quick"], looks=_LOOKS)
    return own.payload == found.payload


def _reduced(y: Luma) -> Float:
    """Bring a frame to about `_POOLED` squared samples, float32, grey levels of 8 bits or so."""
    plane = frame.reduced(y, most=2 * _POOLED / frame.LADDER[-1])
    scale = min(_POOLED / math.sqrt(plane.size), 1.0)
    size = [max(1, round(length * scale)) for length in plane.shape]
    small = np.asarray(cv2.resize(plane, size[::-1], interpolation=cv2.INTER_AREA), np.float32)
    if y.dtype == np.uint16:
        small *= np.float32(255 / max(float(small.max()), 255.0))
    return small


def _grey(plane: Float) -> NDArray[np.uint8]:
    """Turn a plane into grey levels; what the mark is to it stays as it is."""
    if plane.min() >= 0:  # it has grey levels
        return np.asarray(cv2.convertScaleAbs(plane), np.uint8)
    levels = plane * np.float32(_GREY / max(float(plane.std()), 1e-9))
    levels += np.float32(128)
    np.clip(np.rint(levels, out=levels), 0, 255, out=levels)
    return levels.astype(np.uint8)
