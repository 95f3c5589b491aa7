"""Marking the frames of a film; see `signal.video`."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from aiglabel.errors import PayloadError
from aiglabel.key import Key
from aiglabel.signal import code, frame, image, informed, tile, whitening
from aiglabel.signal.camera import Camera, lapped
from aiglabel.signal.informed import Marking, Strength
from aiglabel.signal.sync import Peak
from aiglabel.signal.video_sheet import RIM, Sheet, carried

Float = NDArray[np.float32]
Luma = NDArray[np.uint8] | NDArray[np.uint16]

STRENGTHS: Final = {
    "invisible": Strength(12.0, 53.0, 48.5, 0.85, masking=0.25),
    "balanced": Strength(16.0, 50.0, 44.0, 2.2, masking=0.25),
    "robust": Strength(22.0, 46.0, 43.0, 3.0, masking=0.25),
}
"""As of pictures; finer, as many frames carry one message. Busy places carry little more than calm
ones: what moves there would have to be coded again and again."""
DEFAULT_STRENGTH: Final = "balanced"
LEAST_SIDE: Final = image.LEAST_SIDE

# Frame sides for marking, the usual one first: coarse marks survive what codecs do to moving
# pictures; in a still scene, whose own texture drowns them, finer ones are surer.
_SIDES = (256, 384, 512)
# Correlation of a scene's details with those it began with, below which it is not still.
_STILL = 0.6
# Share of the frame that is still in sight, below which details of a later frame are compared.
_LAPPED = 0.7
# Share of the wanted margin at which no finer frame is tried.
_ENOUGH = 0.75
# Frames from one look at the pictures to the next, and to an early one, where it does not suit.
_REFRESH, _SOON = 24, 4
# Pixels by which the mark may lag behind the picture: no less is worth coding it again.
_LAG = 0.75
# The same at the edges of a picture that grows: there it is drawn anew, which takes longer.
_ZOOM_LAG = 1.5
# Times its first size beyond which a picture that grows, or shrinks, is marked as a new one.
_MOST_ZOOM = 1.25
# Steps in which the mark fades from one to the next, and frames that one of them takes.
_STEPS, _STEP = 2, 6
# Grey levels of 8 bits that luma of limited range has between black and white.
_LIMITED = 219.0


class Marker:
    """Marks the frames of one film, one after the other.

    Parameters
    ----------
    shape : (height, width)
        Of frames as they are stored, pixels.
    payload : bytes
        Exactly 8 bytes.
    key : Key
    strength : {"invisible", "balanced", "robust"} or Strength, optional
    bits : int
        Bits a sample: 8 of uint8, or up to 16 in the low bits of uint16.
    full : bool
        Whether luma has full range; else black is 16 and white 235 of 8 bits.

    Raises
    ------
    PayloadError
        When `payload` is not 8 bytes, or a side is below `LEAST_SIDE`.
    """

    def __init__(
        self, shape: tuple[int, int], payload: bytes, *, key: Key,
        strength: str | Strength | None = None, bits: int = 8, full: bool = False,
    ) -> None:  # fmt: skip
        if min(shape) < LEAST_SIDE:
            raise PayloadError(
                f"frames of {shape[1]} by {shape[0]} pixels are too small for the watermark",
                remedy=f"It takes {LEAST_SIDE} pixels on the shortest side",
            )
        self._word = code.DWT_2.encode(payload, key.derive("image-2/tag"))
        self._payload, self._key = payload, key
        self._strength = (
            strength if isinstance(strength, Strength) else STRENGTHS[strength or DEFAULT_STRENGTH]
        )
        self._shape = shape
        self._root = math.sqrt(shape[0] * shape[1])
        self._sides = [side for side in _SIDES if side <= self._root] or [
            frame.sides_to_mark(shape)[0]
        ]
        # A grey level of 8 bits, and black, in the film's own scale.
        self._level = float(1 << (bits - 8))
        self._unit, self._black = (1.0, 0.0) if full else (_LIMITED / 255, 16 * self._level)
        self._white = float((1 << bits) - 1)
        self._side: int | None = None
        self._lay: Peak | None = None
        # What is added now and what it becomes, on the canonical frame; steps left until then.
        self._shown: Float | None = None
        self._to: Float | None = None
        self._left = 0
        self._sheet = Sheet(shape, bits=bits, unit=self._unit)
        self._camera = Camera(self._level, staying=True)
        # Where the picture was when it was looked at, (right, down), pixels, and its zoom.
        self._looked, self._size = (0.0, 0.0), 1.0
        # How far what is added has been moved since then, whole pixels, and its zoom.
        self._moved, self._zoom = (0, 0), 1.0
        self._cut, self._age = True, _REFRESH
        # Details of the scene as it began, while its marks are finer than usual; and where it was.
        self._scene: Float | None = None
        self._began = (0.0, 0.0)
        self.ratios: list[float] = []
        """Peak signal-to-noise ratios of luma, dB, of the frames that were looked at."""
        self.largest = 0.0
        """Largest change of a sample in those, grey levels of the film."""

    def mark(self, y: Luma) -> None:
        """Mark the next frame in place: luma (height, width), uint8 or uint16."""
        self._camera.see(y)
        if not 1 / _MOST_ZOOM < self._camera.zoom < _MOST_ZOOM:
            self._camera.restart()
            self._cut = True
        self._go_along()
        self._cut |= self._camera.cut
        looks = self._age >= self._wait
        if looks:
            self._look(y)
        elif (
            self._age == _SOON
            and self._scene is not None
            and self._follow(frame.reduced(y, most=1))
        ):
            self._fade()
        if self._left and self._age % _STEP == 0:
            self._fade()
        self._age += 1
        before = y.copy() if looks else None
        if self._sheet.add(y, self._moved, self._zoom) and before is not None:
            self.ratios.append(float(cv2.PSNR(before, y, R=self._white)))
            self.largest = max(self.largest, float(cv2.norm(before, y, cv2.NORM_INF)))

    @property
    def _wait(self) -> int:
        """How many frames the next look comes after the last."""
        if self._side is None:  # there was nothing to be marked
            return 0 if self._cut else _SOON
        # Where everything changes with every frame, nothing would be gained by keeping up.
        return _SOON if self._cut or self._sheet.is_beyond(self._moved, self._zoom) else _REFRESH

    def _go_along(self) -> None:
        """Move what is added with the picture."""
        zoom = self._camera.zoom / self._size
        if abs(zoom - self._zoom) * max(self._shape) / 2 > _ZOOM_LAG:
            self._zoom = zoom
        right, down = (
            round(now - self._zoom * then) if abs(now - self._zoom * then - lies) > _LAG else lies
            for now, then, lies in zip(self._camera.place, self._looked, self._moved, strict=True)
        )
        self._moved = right, down

    def _begin_here(self) -> None:
        """What is added next fits the picture where it is now."""
        self._looked, self._size = self._camera.place, self._camera.zoom
        self._moved, self._zoom = (0, 0), 1.0

    def _look(self, y: Luma) -> None:
        """Compute what is to be added to frames like this one."""
        plane = frame.reduced(y, most=1)
        if self._cut and self._side is not None and self._age <= _SOON:
            self._settle(plane)  # cut after cut is movement
        elif self._cut or self._side is None:
            self._begin_here()
            self._to, self._side = self._best(plane)
            self._shown, self._left = self._to, 1
            fine = self._side not in (None, self._sides[0])
            self._scene, self._began = self._details(plane) if fine else None, self._looked
        elif not self._follow(plane):
            assert self._shown is not None
            moved, size, zoom = self._moved, self._size, self._zoom
            self._begin_here()
            self._to = self._marking(plane, self._side).reaching(RIM)
            right, down = np.divide(moved, self._pixels(self._side))
            zoom *= size / self._size
            self._shown = carried(self._shown, self._to.shape, zoom, right, down)
            self._left = _STEPS
        self._cut, self._age = False, 0

    def _details(self, plane: Luma) -> Float:
        details: Float = whitening.details(self._host(plane, self._sides[0]))[0]
        return details

    def _follow(self, plane: Luma) -> bool:
        """Mark a scene coarsely that was marked finely, as if it were still, and is not."""
        if self._scene is None or self._still(self._details(plane)):
            return False
        self._settle(plane)
        return True

    def _still(self, details: Float) -> bool:
        """Whether the scene is what it was, seen from where the camera is now."""
        assert self._scene is not None
        place, scale = self._camera.place, self._sides[0] / self._root
        right, down = (
            round((now - then) * scale) for now, then in zip(place, self._began, strict=True)
        )
        before, now = lapped(self._scene, details, right, down)
        norms = float(np.linalg.norm(before) * np.linalg.norm(now))
        still = float((before * now).sum()) >= _STILL * norms
        if now.size < _LAPPED * details.size:  # soon nothing would be left to be compared
            self._scene, self._began = details, place
        return still

    def _settle(self, plane: Luma) -> None:
        """Mark coarsely from now on."""
        self._side, self._scene = self._sides[0], None
        self._begin_here()
        self._to = self._marking(plane, self._side).reaching(RIM)
        self._shown, self._left = self._to, 1

    def _best(self, plane: Luma) -> tuple[Float, int | None]:
        """Try the sides, coarse ones first; none where there is nothing to mark."""
        tried: list[tuple[Marking, int]] = []
        for side in self._sides:
            tried.append((self._marking(plane, side), side))
            if tried[-1][0].kept >= _ENOUGH or not tried[-1][0].tile.any():
                break
        marking, side = max(tried, key=lambda one: one[0].kept)
        return marking.reaching(RIM), side if marking.tile.any() else None

    def _host(self, plane: Luma, side: int, size: float = 1.0) -> Float:
        """The canonical frame of a picture that has grown, in grey levels of 255."""
        host = frame.to_frame(plane, side, size)
        host -= np.float32(self._black)
        host *= np.float32(1 / (self._unit * self._level))
        np.clip(host, 0, 255, out=host)
        return host

    def _pixels(self, side: int) -> tuple[float, float]:
        """Pixels across and down that a sample stands for."""
        height, width = frame.shape_of(self._shape, side)
        return self._size * self._shape[1] / width, self._size * self._shape[0] / height

    def _marking(self, plane: Luma, side: int) -> Marking:
        # The mark goes with the picture, as if it were painted there.
        host = self._host(plane, side, self._size)
        if self._lay is None:
            self._lay = image.choose_lay(host, self._payload, self._key)
        middle = np.multiply(0.5, self._shape[::-1])
        corner = self._looked + (1 - self._size) * middle
        right, down = corner / self._pixels(side)
        lay = replace(self._lay, down=self._lay.down + down, right=self._lay.right + right)
        return informed.marking(
            host, None, self._word, tile.carrier(self._key), lay, self._strength,
            coarseness=self._root * self._size / side,
        )  # fmt: skip

    def _fade(self) -> None:
        """Go a step towards what is to be added, and make that ready in full size."""
        assert self._shown is not None
        assert self._to is not None
        self._shown = self._shown + (self._to - self._shown) * np.float32(1 / self._left)
        self._left -= 1
        self._sheet.draw(self._shown, self._pixels(self._side) if self._side else None)
