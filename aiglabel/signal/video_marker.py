"""Marking the frames of a film; see `signal.video`."""

from __future__ import annotations

import math
from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray

from aiglabel.errors import PayloadError
from aiglabel.key import Key
from aiglabel.signal import code, frame, image, informed, tile, whitening
from aiglabel.signal.informed import Marking, Strength
from aiglabel.signal.sync import Peak

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
# Share of the wanted margin at which no finer frame is tried.
_ENOUGH = 0.75
# Frames from one look at the pictures to the next; that fading then takes; and a step of it.
_REFRESH, _FADE, _STEP = 24, 12, 4
# Side of the thumbnails that show a cut, and mean difference, in grey levels, from which it is one.
_THUMBNAIL = (64, 36)
_CUT = 14.0
# Grey levels of 8 bits that luma of limited range has between black and white.
_LIMITED = 219.0
# Parts of a level in which a change is resized; a power of two.
_PARTS = 4


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
        self._size = shape[::-1]
        self._root = math.sqrt(shape[0] * shape[1])
        self._sides = [side for side in _SIDES if side <= self._root] or [
            frame.sides_to_mark(shape)[0]
        ]
        self._bits = bits
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
        self._more: NDArray[Any] | None = None
        self._less: NDArray[Any] | None = None
        self._thumbnail: NDArray[Any] | None = None
        self._cut, self._age = True, _REFRESH
        # Details of the scene as it began, while its marks are finer than usual.
        self._scene: Float | None = None
        self.ratios: list[float] = []
        """Peak signal-to-noise ratios of luma, dB, of the frames that were looked at."""
        self.largest = 0.0
        """Largest change of a sample in those, grey levels of the film."""

    def mark(self, y: Luma) -> None:
        """Mark the next frame in place: luma (height, width), uint8 or uint16."""
        self._cut |= self._differs(y)
        # Where everything changes with every frame, nothing would be gained by keeping up.
        looks = self._age >= (_STEP if self._cut else _REFRESH)
        if looks:
            self._look(y)
        elif self._age == _STEP and self._scene is not None:
            self._follow(frame.reduced(y, most=1))
        if self._left and self._age % _STEP == 0:
            self._fade()
        self._age += 1
        if self._more is None or self._less is None:
            return
        before = y.copy() if looks else None
        cv2.add(y, self._more, dst=y)
        cv2.subtract(y, self._less, dst=y)
        if self._bits not in (8, 16):
            cv2.min(y, self._white, dst=y)
        if before is not None:
            self.ratios.append(float(cv2.PSNR(before, y, R=self._white)))
            self.largest = max(self.largest, float(cv2.norm(before, y, cv2.NORM_INF)))

    def _differs(self, y: Luma) -> bool:
        """Whether a frame shows something else than the one before."""
        small = cv2.resize(y, _THUMBNAIL, interpolation=cv2.INTER_NEAREST)
        last, self._thumbnail = self._thumbnail, small
        if last is None:
            return True
        return bool(cv2.norm(small, last, cv2.NORM_L1) >= _CUT * small.size * self._level)

    def _look(self, y: Luma) -> None:
        """Compute what is to be added to frames like this one."""
        plane = frame.reduced(y, most=1)
        if self._cut and self._side is not None and self._age <= _STEP:
            self._settle(plane)  # cut after cut is movement
        elif self._cut or self._side is None:
            self._to, self._side = self._best(plane)
            self._shown, self._left = self._to, 1
            fine = self._side not in (None, self._sides[0])
            self._scene = self._details(plane) if fine else None
        elif not self._follow(plane):
            self._to = self._marking(plane, self._side).residual
            self._left = _FADE // _STEP
        self._cut, self._age = False, 0

    def _details(self, plane: Luma) -> Float:
        details: Float = whitening.details(self._host(plane, self._sides[0]))[0]
        details /= max(float(np.linalg.norm(details)), 1e-9)
        return details

    def _follow(self, plane: Luma) -> bool:
        """Mark a scene coarsely that was marked finely, as if it were still, and is not."""
        if self._scene is None or float(np.vdot(self._details(plane), self._scene)) >= _STILL:
            return False
        self._settle(plane)
        return True

    def _settle(self, plane: Luma) -> None:
        """Mark coarsely from now on."""
        self._side, self._scene = self._sides[0], None
        self._to = self._marking(plane, self._side).residual
        self._shown, self._left = self._to, 1

    def _best(self, plane: Luma) -> tuple[Float, int | None]:
        """Try the sides, coarse ones first; none where there is nothing to mark."""
        tried: list[tuple[Marking, int]] = []
        for side in self._sides:
            tried.append((self._marking(plane, side), side))
            if tried[-1][0].kept >= _ENOUGH or not tried[-1][0].residual.any():
                break
        marking, side = max(tried, key=lambda one: one[0].kept)
        return marking.residual, side if marking.residual.any() else None

    def _host(self, plane: Luma, side: int) -> Float:
        """The canonical frame, in grey levels of 255."""
        host = frame.to_frame(plane, side)
        host -= np.float32(self._black)
        host *= np.float32(1 / (self._unit * self._level))
        np.clip(host, 0, 255, out=host)
        return host

    def _marking(self, plane: Luma, side: int) -> Marking:
        host = self._host(plane, side)
        if self._lay is None:
            self._lay = image.choose_lay(host, self._payload, self._key)
        return informed.marking(
            host, None, self._word, tile.carrier(self._key), self._lay, self._strength,
            coarseness=self._root / side,
        )  # fmt: skip

    def _fade(self) -> None:
        """Go a step towards what is to be added, and make that ready in full size."""
        assert self._shown is not None
        assert self._to is not None
        self._shown = self._shown + (self._to - self._shown) * np.float32(1 / self._left)
        self._left -= 1
        if not self._shown.any():
            self._more = self._less = None
            return
        # In parts of a level around the middle of the type; then whole levels, up and down apart:
        # sums that are rounded with every frame would differ from frame to frame.
        kind, middle = (np.uint8, 128) if self._bits == 8 else (np.uint16, 1 << 15)
        coded = np.rint(self._shown * np.float32(self._unit * self._level * _PARTS))
        coded += np.float32(middle)
        np.clip(coded, 0, np.iinfo(kind).max, out=coded)
        full: Any = cv2.resize(coded.astype(kind), self._size, interpolation=cv2.INTER_CUBIC)
        half = _PARTS // 2
        more: Any = cv2.subtract(full, float(middle - half))
        less: Any = cv2.subtract(float(middle + half), full)
        shift = _PARTS.bit_length() - 1
        self._more = np.right_shift(more, shift, out=more)
        self._less = np.right_shift(less, shift, out=less)
