"""Movement of the camera: by how much the picture of a film goes on from frame to frame.

Phase correlation of reduced frames (Kuglin and Hines 1975): one shift for the whole frame, to
fractions of a sample. Frames are compared with one of some time ago, so that errors do not add up.
"""

from __future__ import annotations

import math
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from aiglabel.signal.sync import vertex

Float = NDArray[np.float32]
Spectrum = NDArray[np.complex64]
Shift = tuple[float, float]

# Root of the area, in samples, of the frames that are compared.
_SIDE = 120
# Samples on the shorter side of those, at least: in a strip nothing can be told.
_LEAST = 8
# Rows and columns of a large frame that make one of a reduced one.
_SAMPLES = 4
# Spread of the frequencies that are compared, cycles a sample: finer ones are what coding changes.
_BAND = 0.16
# Share of them that has to agree on a shift; chance reaches 0.1.
_SURE = 0.35
# Share of the frame that may have gone out of sight before another is compared with.
_FAR = 0.2
# Mean difference of two frames, grey levels of 8 bits, under which nothing moves.
_NOTHING = 0.1
# The same from which it is a cut, where no shift explains it.
_CUT = 14.0
# Pixels by which a picture that stands still may seem to move from look to look; frames that then
# need no look, at most; and size of what shows a cut meanwhile.
_STILL, _MOST_PASSED = 0.1, 3
_FEW = (64, 36)


class Camera:
    """Tells, frame by frame, how far the picture has moved since its shot began.

    Parameters
    ----------
    level : float
        A grey level of 8 bits in the levels of the frames.
    sparing : bool
        Whether to look at some frames only while the picture stands still, of a film whose frames
        all are given. Cuts are seen at once. Where it moves, a mark that is off by a part of a
        pixel has to be coded again, and little is left of it at low rates.
    """

    def __init__(self, level: float = 1.0, *, sparing: bool = False) -> None:
        self._level, self._sparing = level, sparing
        # A few samples of the last frame; frames that will be left out, and that were, since the
        # one that was looked at.
        self._few: NDArray[Any] | None = None
        self._next = self._passed = 0
        self._scale = 1
        self._window = self._weight = np.zeros((0, 0), np.float32)
        self._last: Float | None = None
        # Spectra of the frame before and of the one that is compared with, and where that lay.
        self._before: Spectrum | None = None
        self._anchor: Spectrum | None = None
        self._from: Shift = (0.0, 0.0)
        # Where the picture was at the last look, samples.
        self._at: Shift = (0.0, 0.0)
        self.cut = True
        """Whether a shot begins with the last frame."""

    @property
    def place(self) -> Shift:
        """How far the picture has moved since the shot began, (right, down), pixels.

        What cannot be told, as all of a frame moves as no camera does, is left out.
        """
        return self._at[0] * self._scale, self._at[1] * self._scale

    def see(self, y: NDArray[Any]) -> None:
        """Take the next frame's luma (H, W)."""
        if self._sparing and self._stays(y):
            self.cut = False
            self._passed += 1
            return
        before = self.place
        self._look(y)
        moved = max(abs(now - then) for now, then in zip(self.place, before, strict=True))
        still = not self.cut and moved <= _STILL
        self._next = min(self._passed + 1, _MOST_PASSED) if still else 0
        self._passed = 0

    def _stays(self, y: NDArray[Any]) -> bool:
        """Whether a frame needs no look: the picture stood still, and there is no cut."""
        few = cv2.resize(y, _FEW, interpolation=cv2.INTER_NEAREST)
        last, self._few = self._few, few
        if last is None or self._passed >= self._next:
            return False
        return bool(cv2.norm(few, last, cv2.NORM_L1) < _CUT * few.size * self._level)

    def _look(self, y: NDArray[Any]) -> None:
        small = self._reduced(y)
        if self._last is None or self._last.shape != small.shape:
            self._begin(small)
            return
        if min(small.shape) < _LEAST:
            self.cut = False
            return
        difference = float(cv2.norm(small, self._last, cv2.NORM_L1)) / small.size / self._level
        self.cut = False
        if difference <= _NOTHING:
            return
        self._last = small
        spectrum = self._spectrum(small)
        assert self._anchor is not None
        assert self._before is not None
        shift, share = self._shift(self._anchor, spectrum)
        if share < _SURE and self._anchor is not self._before:
            self._anchor, self._from = self._before, self._at
            shift, share = self._shift(self._anchor, spectrum)
        self._before = spectrum
        if share >= _SURE:
            self._at = self._from[0] + shift[0], self._from[1] + shift[1]
            far = max(abs(shift[0]) / small.shape[1], abs(shift[1]) / small.shape[0])
            if far <= _FAR:
                return
        elif difference >= _CUT:
            self.cut, self._at = True, (0.0, 0.0)
        self._anchor, self._from = spectrum, self._at

    def _begin(self, small: Float) -> None:
        self._last, (height, width) = small, small.shape
        if min(small.shape) < _LEAST:
            return
        self._window = np.asarray(cv2.createHanningWindow((width, height), cv2.CV_32F), np.float32)
        down, right = np.fft.fftfreq(height)[:, None], np.fft.fftfreq(width)[None]
        weight = np.exp(-(down**2 + right**2) / (2 * _BAND**2))
        weight[0, 0] = 0
        self._weight = (weight / weight.sum()).astype(np.float32)
        self._before = self._anchor = self._spectrum(small)

    def _reduced(self, y: NDArray[Any]) -> Float:
        scale = self._scale = max(1, round(math.sqrt(y.size) / _SIDE))
        height, width = (max(1, length // scale) for length in y.shape)
        y = y[: height * scale, : width * scale]
        if scale > _SAMPLES:
            # Reading all of a large frame would take longer than all the rest.
            some = width * _SAMPLES, height * _SAMPLES
            y = cv2.resize(y, some, interpolation=cv2.INTER_NEAREST)
        small = cv2.resize(y, (width, height), interpolation=cv2.INTER_AREA)
        return np.asarray(small, np.float32)

    def _spectrum(self, small: Float) -> Spectrum:
        windowed: Any = (small - np.float32(small.mean())) * self._window
        spectrum: Any = cv2.dft(windowed, flags=cv2.DFT_COMPLEX_OUTPUT)
        return np.ascontiguousarray(spectrum).view(np.complex64)[..., 0]

    def _shift(self, one: Spectrum, other: Spectrum) -> tuple[Shift, float]:
        cross = other * one.conj()
        cross /= np.abs(cross) + np.float32(1e-9)
        cross *= self._weight
        height, width = cross.shape
        surface: Any = cv2.dft(
            cross.view(np.float32).reshape(height, width, 2),
            flags=cv2.DFT_INVERSE | cv2.DFT_REAL_OUTPUT,
        )
        row, column = divmod(int(surface.argmax()), width)
        top = float(surface[row, column])
        down = row + _summit(surface[row - 1, column], top, surface[(row + 1) % height, column])
        right = column + _summit(surface[row, column - 1], top, surface[row, (column + 1) % width])
        down -= height * (down > height / 2)
        right -= width * (right > width / 2)
        return (right, down), top


def lapped(before: Float, now: Float, right: int, down: int) -> tuple[Float, Float]:
    """Return views of what two planes of one shape both show, the second moved by so much."""
    height, width = before.shape
    tall, wide = max(height - abs(down), 0), max(width - abs(right), 0)
    top, left = max(down, 0), max(right, 0)
    other = np.s_[max(-down, 0) : max(-down, 0) + tall, max(-right, 0) : max(-right, 0) + wide]
    return before[other], now[top : top + tall, left : left + wide]


def _summit(before: float, top: float, after: float) -> float:
    """Where a bell curve through three values is highest, from the middle one.

    A bell is what the weights make of the peak; its logarithm is a parabola.
    """
    least = max(1e-3 * top, 1e-12)
    return vertex(*(math.log(max(float(one), least)) for one in (before, top, after)))
