"""Informed embedding, in closed loop, on the canonical frame.

Informed: the host's own projection on each coefficient is known, and each gets the gain that brings
it nearer to a common margin (water-filling; Malvar and Florencio 2003 for the idea). Closed loop:
the marked frame is attacked by a JPEG in memory, whole and cut into quarters, and the strength
follows what is left of the mark, within limits of visibility; and so does the share of each band.

None of this is part of the wire format: a detector does not know how strong a mark was made.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray

from aiglabel.signal import mask, sync, tile, whitening
from aiglabel.signal.sync import Peak
from aiglabel.signal.tile import Carrier

Float = NDArray[np.float32]

# Gains are mild: what the host lends is gone after the first crop.
_MIN_GAIN, _MAX_GAIN = 0.7, 1.5
_STEPS = 4
# How far the shares of the bands follow what is left of each, from 0 to all the way, and within
# which bounds: other attacks leave others.
_FOLLOWED, _LEAST_SHARE, _MOST_SHARE = 0.7, 0.6, 1.6
# A quarter has about half the ratio of the whole; it is weighed a little less than its share, so
# that a weak quarter makes the whole stronger.
_QUARTER = 1.5
# Root of the area, in pixels, up to which the bounds of visibility hold as they are; every doubling
# adds 3 dB to them, up to so many.
_SMALL, _FINEST = 600.0, 2.0
# So much of the margin is added for each of them: of a large picture smaller parts should hold. And
# for every doubling of the longer side over twice the shorter: what a long picture is cut to, once
# turned, is a small part of it.
_LARGER, _LONGER = 0.1, 0.1
# The statistic grows about linearly with the amplitude: steps within these need no second look.
_NEAR = (0.75, 1.35)


@dataclass(frozen=True)
class Strength:
    """How strongly to mark.

    Attributes
    ----------
    margin : float
        Signal-to-noise ratio that the message shall keep after the simulated attack: its
        correlation with the codeword in standard deviations of the noise; 17 is just readable.
    clearest, coarsest : float
        Bounds of the peak signal-to-noise ratio, dB, of a picture of a third of a megapixel; no
        marked picture is coarser. A larger one has more room for the message, so its bounds are
        higher.
    flat : float
        Most that flat areas may change, root mean square in grey levels of 255.
    extremes : float
        Share of the change that pure black and white get. With 0 they stay as they are, and a
        picture of nothing else, such as line art, cannot be marked.
    masking : float
        How much more busy places are changed than calm ones; see `mask.visible`.
    """

    margin: float
    clearest: float
    coarsest: float
    flat: float
    extremes: float = 0.0
    masking: float = 0.5


STRENGTHS: Final = {
    "invisible": Strength(17.5, 48.0, 42.0, 0.6),
    "balanced": Strength(23.5, 48.0, 38.1, 0.85),
    "robust": Strength(28.0, 44.0, 36.0, 1.5, 0.6),
}


@dataclass(frozen=True, eq=False)
class Marking:
    """What to add to a frame, and what of it is expected to hold.

    Attributes
    ----------
    tile : float32, shape (SIDE, SIDE)
        What repeats over the frame, as strong as it is to be.
    visible : float32, shape (h, w)
        Share of it that each place gets.
    statistic : float
        Of the message after the simulated attack; see `statistics`.
    kept : float
        Share of the wanted margin that is kept, 1 where the limits of visibility allowed it.
    fragile : bool
        Whether compression is what takes the rest, as in a smooth picture; in a rough one it is
        the picture's own detail.
    """

    tile: Float
    visible: Float
    statistic: float
    kept: float
    fragile: bool

    @property
    def residual(self) -> Float:
        """What is to be added, shape (h, w)."""
        return self.reaching(0)

    def reaching(self, rim: int) -> Float:
        """The same, so many samples further on every side than the frame: (h + 2 rim, w + 2 rim).

        What lies there is marked as the edge of the frame is.
        """
        around: Any = cv2.copyMakeBorder(self.visible, *(rim,) * 4, cv2.BORDER_REPLICATE)
        plane = tile.spread(np.roll(self.tile, (rim, rim), (0, 1)), around.shape)
        plane *= around
        return plane


def marking(
    host: Float, opacity: Float | None, word: NDArray[np.int8], carrier: Carrier, lay: Peak,
    strength: Strength, *, coarseness: float, spent: float = 1.0,
) -> Marking:  # fmt: skip
    """Return what to add to a frame so that it carries a codeword.

    Parameters
    ----------
    host : float32, shape (h, w)
        Canonical frame, grey levels.
    opacity : float32 of the same shape, or None
        In [0, 1]; where the picture is transparent nothing is added.
    word : int8, shape (code bits,)
        Codeword, ±1.
    carrier : Carrier
    lay : Peak
        Pose and offset of the tile, free to choose.
    strength : Strength
    coarseness : float
        Pixels of the picture that a sample of the frame stands for.
    spent : float
        Mean square change of the picture's samples for that of its luma; see `pixels.shares`.
    """
    signs = carrier.signs(word)
    detail, variance = whitening.details(host)
    visible = mask.visible(variance, host, extremes=strength.extremes, masking=strength.masking)
    if opacity is not None:
        visible *= opacity
    nominal = tile.gains() * signs
    unit = tile.spread(_laid(nominal, lay), host.shape) * visible
    root = math.sqrt(host.size) * coarseness
    long = math.log2(max(max(host.shape) / (2 * min(host.shape)), 1))
    margin = strength.margin * (1 + _LARGER * _room(root) + _LONGER * long)
    softest, loudest = _amplitudes(unit, strength, root, spent)
    if loudest == 0:  # nowhere to put a mark
        nothing = np.zeros((tile.SIDE, tile.SIDE), np.float32)
        return Marking(nothing, visible, 0.0, 0.0, fragile=False)
    own, reach = _projections(detail, variance, unit, signs, lay)
    gains = _water_fill(own, reach * np.float32(math.sqrt(softest * loudest)))
    quality = _jpeg_quality(coarseness)
    attacked = _after_jpeg(host + np.float32(math.sqrt(softest * loudest)) * unit, quality)
    spectrum = whitening.flattened(tile.fold(whitening.whitened(attacked)))
    gains *= _shares(sync.values(spectrum, lay) * signs)
    one = _laid(nominal * gains, lay)
    unit = tile.spread(one, host.shape) * visible
    softest, loudest = _amplitudes(unit, strength, root, spent)
    amplitude, left, weak = math.sqrt(softest * loudest), 0.0, 0.0
    for step in range(_STEPS):
        attacked = _after_jpeg(host + np.float32(amplitude) * unit, quality)
        white = whitening.whitened(attacked)
        left = float(_statistics(tile.fold(white)[None], signs, carrier, lay)[0])
        ratio = _ratio(left, carrier)
        if step == 0:  # which part of the picture is weak changes little with the strength
            weak = min(_QUARTER * _weakest_quarter(white, signs, carrier, lay) / max(ratio, 1.0), 1)
        better = amplitude * margin / max(weak * ratio, 1.0)
        better = min(max(better, softest), loudest)
        change, amplitude = better / amplitude, better
        if _NEAR[0] < change < _NEAR[1]:
            break
    kept = change * weak * ratio / margin
    return Marking(np.float32(amplitude) * one, visible, left, kept, fragile=weak >= 1)


def _laid(values: Float, lay: Peak) -> Float:
    """The tile with these coefficients, as it lies in the corner of a frame."""
    one = tile.posed(tile.synthesise(values), lay.pose)
    down, right = int(lay.down), int(lay.right)
    if (down, right) == (lay.down, lay.right):
        return np.roll(one, (down, right), (0, 1))
    return whitening.shifted_tile(np.fft.rfft2(one).astype(np.complex64), -lay.down, -lay.right)


def _amplitudes(unit: Float, strength: Strength, root: float, spent: float) -> tuple[float, float]:
    """Bounds of the amplitude that follow from the limits of visibility.

    `root` is the root of the picture's area in pixels.
    """
    power = float(np.mean(unit * unit)) * spent
    if power < 1e-6:
        return 0.0, 0.0
    softest, loudest = (
        255 / math.sqrt(power) * 10 ** (-(ratio + _room(root)) / 20)
        for ratio in (strength.clearest, strength.coarsest)
    )
    loudest = min(loudest, strength.flat)
    return min(softest, loudest), loudest


def _room(root: float) -> float:
    """Decibels by which a picture with that root of its area, in pixels, is marked more finely."""
    return min(max(10 * math.log10(root / _SMALL), 0.0), _FINEST)


def _projections(
    detail: Float, variance: Float, unit: Float, signs: Float, lay: Peak
) -> tuple[Float, Float]:
    """The host's own projection on every signed coefficient, and that of the mark at amplitude 1.

    Both through the same flattening; of the mark the mean of each band, which varies little.
    """
    marked = whitening.less_mean(unit)
    marked /= variance
    spectra = np.fft.rfft2([tile.fold(detail / variance), tile.fold(marked)])
    spectra *= whitening.flattening(spectra[0])
    own, reach = sync.values(spectra.astype(np.complex64), lay) * signs
    return own, np.maximum(tile.band_means(reach), np.float32(1e-9))


def _water_fill(own: Float, reach: Float) -> Float:
    """Gains of the coefficients, mean square 1, that lift the weakest first."""
    low, high = float(own.min()), float((own + _MAX_GAIN * reach).max())
    gains = np.ones_like(reach)
    for _ in range(16):
        level = (low + high) / 2
        gains = np.clip((level - own) / reach, _MIN_GAIN, _MAX_GAIN)
        if float(gains @ gains) > len(gains):
            high = level
        else:
            low = level
    return gains


def _shares(found: Float) -> Float:
    """Gains of the bands, for every coefficient, by what is left of the mark in each.

    The sum of all signed coefficients over their deviation is largest, at the same change of the
    pixels, where each is as strong as its own ratio of the two over the change it costs.
    """
    mean = tile.band_means(found)
    spread = np.sqrt(np.maximum(tile.band_means(found * found) - mean * mean, 1e-12))
    nominal = tile.gains()
    shares = np.maximum(mean, 0) / (spread * nominal * nominal)
    for power in (_FOLLOWED, 1.0):
        norm = np.linalg.norm(nominal * shares) / np.linalg.norm(nominal)
        shares = np.clip((shares / max(norm, 1e-12)) ** power, _LEAST_SHARE, _MOST_SHARE)
    return np.asarray(shares, np.float32)


def _weakest_quarter(white: Float, signs: Float, carrier: Carrier, lay: Peak) -> float:
    """Signal-to-noise ratio of the message in the quarter of a frame that has least of it."""
    tall, wide = (max(length // 2, tile.SIDE) for length in white.shape)
    corners = [
        (top, left)
        for top in {0, max(white.shape[0] - tall, 0)}
        for left in {0, max(white.shape[1] - wide, 0)}
    ]
    # Each is folded as if it began where the frame does, so that the tile lies as in the frame.
    quarters = [
        tile.fold(white[top : top + tall, left : left + wide], top, left) for top, left in corners
    ]
    return _ratio(float(_statistics(np.stack(quarters), signs, carrier, lay).min()), carrier)


def _statistics(folded: Float, signs: Float, carrier: Carrier, lay: Peak) -> Float:
    """Of the message in folded tiles (n, SIDE, SIDE)."""
    found = sync.values(whitening.flattened(folded), lay)[..., carrier.message]
    norms = np.maximum(np.linalg.norm(found, axis=-1), np.float32(1e-9))
    statistics: Float = found @ signs[carrier.message] / norms
    return statistics


def _ratio(statistic: float, carrier: Carrier) -> float:
    """Signal-to-noise ratio behind a normalised correlation."""
    rest = 1 - statistic * abs(statistic) / len(carrier.message)
    return statistic / math.sqrt(max(rest, 0.02))


def _jpeg_quality(coarseness: float) -> int:
    """Quality for the frame that stands for a harsh JPEG of the picture.

    Resizing to the frame averages much of a large picture's errors away.
    """
    return round(min(max(30 * coarseness, 40), 90))


def _after_jpeg(plane: Float, quality: int) -> Float:
    pixels: Any = cv2.convertScaleAbs(plane)
    _, data = cv2.imencode(".jpg", pixels, [cv2.IMWRITE_JPEG_QUALITY, quality])
    attacked: Any = cv2.imdecode(data, cv2.IMREAD_GRAYSCALE)
    return np.asarray(attacked, np.float32)
