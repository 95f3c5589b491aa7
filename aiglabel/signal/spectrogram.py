"""Short-time levels of a sound, at any sample rate: how it is marked, and how it is listened to.

Frames last 40 ms and follow each other in seconds, not samples, so the map of a sound is the same
at 8 and at 192 kHz. Levels are logarithms, so gain does not matter and silence stays silent. That
of a band is the logarithm of the mean fourth root of the power of its lines: deep gaps between
lines, which hold little but noise, count less than in a mean of logarithms, peaks less than in one
of powers.
"""

from __future__ import annotations

import math
from functools import cached_property
from itertools import pairwise
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from aiglabel.signal import score
from aiglabel.signal.score import BANDS, OVERSAMPLED, PERIOD, Spectrum

Float = NDArray[np.float32]

# Power of what counts as silence, of a full-scale sine.
SILENCE = 1e-9
# Of powers, the root that levels are means of: two square roots, which take less than a power.
_ROOT = 0.25
# The predictor looks at the cells around one: so many rows of the tile and bands on each side.
_ROWS_AROUND, _BANDS_AROUND = 2, 6
_RIDGE = 1e-3
# Bands and rows around a cell that tell how much there surprises, in standard deviations of its
# band; how many of its own, and then of its surroundings', a surprise is cut off at; and what is
# added to the squares of the latter.
_NEIGHBOURS, _SURPRISE, _QUIET = (5, 5), (5.0, 3.0), 0.1
_PADDED = 2
# So many tempos are folded one by one; for more, their harmonics are looked up.
_FOLDED = 3
# Rows that are transformed at once: they stay in the cache.
_AT_ONCE = 128
_LEAST_BANDS = 8
# Harmonics of the tile that are listened to; the others hold next to nothing.
HARMONICS = np.s_[1:100]
HIGHEST_PITCH = HIGHEST_TEMPO = 1.15
"""Changes up to these are listened to."""
# The floor of a line is the power, averaged over so many rows and lines, that this share of them do
# not reach; every so many rows are looked at. Frequency in Hz from which on bands weigh less there.
_NEAR, _FLOOR, _FEW, _LOW = (9, 5), 0.3, 4, 2000.0


def frame_size(rate: float) -> int:
    """Samples of a frame of two hops, an even number."""
    return 2 * round(score.HOP * rate)


def window(size: int) -> Float:
    """Sine window (size,): its square, repeated every half of it, sums to 1 (Princen, Bradley)."""
    sine: Float = np.sin(np.pi * (np.arange(size) + 0.5) / size).astype(np.float32)
    return sine


def lines(frames: Float, most: int | None = None) -> Spectrum:
    """Spectra of real rows (n, size), size even: lines 1 to size / 2 - 1, or the first `most`.

    OpenCV's transform of many rows is several times faster than NumPy's.
    """
    packed: Any = cv2.dft(np.ascontiguousarray(frames), flags=cv2.DFT_ROWS)
    last = packed.shape[1] - 1 if most is None else min(2 * most + 1, packed.shape[1] - 1)
    found: Spectrum = packed[:, 1:last].view(np.complex64)
    return found


def frames(spectra: Spectrum) -> Float:
    """Rows (n, size) with these lines, of `lines`, and neither mean nor highest frequency."""
    packed = np.empty((len(spectra), 2 * spectra.shape[1] + 2), np.float32)
    packed[:, 0] = packed[:, -1] = 0
    packed[:, 1:-1] = spectra.view(np.float32)
    flags = cv2.DFT_ROWS | cv2.DFT_INVERSE | cv2.DFT_REAL_OUTPUT | cv2.DFT_SCALE
    rows: Any = cv2.dft(packed, packed, flags=flags)
    return np.asarray(rows, np.float32)


def powers(spectra: Spectrum) -> Float:
    """Squares of the magnitudes of lines."""
    power: Float = np.square(spectra.real) + np.square(spectra.imag)
    return power


class Banded:
    """Levels of the bands, all of their frequencies times `pitch`, whitened.

    Attributes
    ----------
    white : float32, shape (BANDS, rows)
        How much louder a cell is than the cells around it let expect; 0 where the sound has no
        such band.
    """

    def __init__(self, white: Float) -> None:
        self.white = white

    @cached_property
    def lines(self) -> Spectrum:
        """Spectra along time, of `lines`, as far as harmonics of the tile go; (BANDS, n)."""
        highest = HARMONICS.stop * HIGHEST_TEMPO * self._length / PERIOD
        padded = np.zeros((BANDS, self._length), np.float32)
        padded[:, : self.white.shape[1]] = self.white
        return lines(padded, math.ceil(highest))

    @cached_property
    def _length(self) -> int:
        return 2 * cv2.getOptimalDFTSize(_PADDED * self.white.shape[1] // 2 + 1)

    def fits(self, tempos: NDArray[np.float64], carrier: score.Carrier) -> Float:
        """Correlation with the pilots at every offset, for every tempo; (tempos, PERIOD).

        In standard deviations of sounds without a mark.
        """
        template = carrier.template[:, HARMONICS]
        product = np.zeros((len(tempos), PERIOD // 2 + 1), np.complex64)
        if len(tempos) <= _FOLDED:
            for tempo, out in zip(tempos, product[:, HARMONICS], strict=True):
                spectra = lines(self.folded(tempo, 0.0).T, out.size)
                np.sum(spectra * template, axis=0, out=out)
        else:
            self._sampled(tempos, template, product[:, HARMONICS])
        energy = 2 * float(np.square(self.white).mean(dtype=np.float64)) * self.white.shape[1]
        energy *= float(np.square(np.abs(template)).sum())
        correlation = np.fft.irfft(product, n=PERIOD) * PERIOD
        fits: Float = (correlation / max(math.sqrt(energy), 1e-12)).astype(np.float32)
        return fits

    def _sampled(self, tempos: NDArray[np.float64], template: Spectrum, out: Spectrum) -> None:
        """Products of spectra and template: folding by a tempo is sampling at its harmonics."""
        harmonics = np.arange(PERIOD // 2 + 1)[HARMONICS]
        places = np.rint(np.outer(tempos * (self._length / PERIOD), harmonics)).astype(np.intp) - 1
        outside = places >= self.lines.shape[1]
        places[outside] = 0
        for line, known in zip(self.lines, template, strict=True):
            sampled = line.take(places)
            sampled *= known
            out += sampled
        out[outside] = 0

    def folded(self, tempo: float, offset: float, rows: slice = np.s_[:]) -> Float:
        """Sum all tiles of some rows into one (PERIOD, BANDS) that begins at the offset."""
        white = self.white[:, rows]
        first = rows.start or 0
        begin = first * tempo - offset
        length = math.ceil(white.shape[1] * tempo) + 1
        # Row t of the sound is row t * tempo - offset of the tile.
        start = math.floor(begin)
        affine = np.array([[1 / tempo, 0, (start - begin) / tempo], [0, 1, 0]])
        laid: Any = cv2.warpAffine(
            white, affine, (length, BANDS), flags=cv2.WARP_INVERSE_MAP | cv2.INTER_LINEAR
        )
        total = np.zeros((BANDS, -(-length // PERIOD) * PERIOD), np.float32)
        total[:, :length] = laid
        folded: Float = total.reshape(BANDS, -1, PERIOD).sum(axis=1).T
        return np.roll(folded, start % PERIOD, axis=0)


class Spectrogram:
    """The levels of a sound, row by row, 10 ms each.

    Parameters
    ----------
    mono : float32, shape (n,)
    rate : float
        Samples a second.
    """

    def __init__(self, mono: Float, rate: float) -> None:
        size = frame_size(rate)
        hop = score.HOP * rate / OVERSAMPLED
        count = max(0, math.floor((len(mono) - size) / hop) + 1)
        starts = np.rint(np.arange(count) * hop).astype(np.intp)
        self.rows = count
        self._nyquist = rate / 2
        self._lines_a_hertz = size / rate
        # No band is looked for above.
        used = math.ceil(score.edges()[-1] * HIGHEST_PITCH * self._lines_a_hertz) + 1
        # A row a line: that is how bands are summed up.
        self._silence = SILENCE * size
        self._power = np.full((min(used, size // 2 - 1), count), self._silence, np.float32)
        if count:
            views = np.lib.stride_tricks.sliding_window_view(mono, size)
            shape = window(size)
            for begin in range(0, count, _AT_ONCE):
                some = np.s_[begin : begin + _AT_ONCE]
                self._power[:, some] += powers(lines(views[starts[some]] * shape, used)).T
        self._predictors: dict[bool, Float] = {}
        self._banded: dict[tuple[float, bool], Banded] = {}

    def banded(self, pitch: float = 1.0, *, above_noise: bool = False) -> Banded:
        """Levels of bands that were moved by a change of pitch.

        With `above_noise` what lies below the floor of its line is flattened, rows that are mostly
        that are not raised to the others, and low bands weigh more: noise and the codecs of
        telephones leave most of them.
        """
        which = pitch, above_noise
        if which not in self._banded:
            self._banded[which] = Banded(self._whitened(*which))
        return self._banded[which]

    @cached_property
    def _sums(self) -> Float:
        return _summed(self._power)

    @cached_property
    def _sums_above_noise(self) -> Float:
        near: Any = cv2.blur(self._power, _NEAR) if self._power.size else self._power
        few = near[:, ::_FEW]
        # Silence between words is no noise.
        sounding = few.mean(axis=0) > 10 * self._silence
        if sounding.any():
            few = few[:, sounding]
        rank = min(int(_FLOOR * few.shape[1]), few.shape[1] - 1)
        floor = np.partition(few, rank, axis=1)[:, rank, None]
        return _summed(self._power + floor)

    def _whitened(self, pitch: float, above_noise: bool) -> Float:
        """What a least-squares predictor from the cells around each does not tell.

        It is that of the sound as it is: the kind of sound does not change with its pitch.
        """
        edges = score.edges() * np.float32(pitch)
        there = edges[1:] < self._nyquist
        white = np.zeros((BANDS, self.rows), np.float32)
        if there.sum() < _LEAST_BANDS or not self.rows:
            return white
        places = edges[: there.sum() + 1] * np.float32(self._lines_a_hertz)
        whole = places.astype(np.intp)
        share = (places - whole).astype(np.float32)[:, None]
        whole -= 1  # the first line is line 1
        sums = self._sums_above_noise if above_noise else self._sums
        at = sums[whole] * (1 - share) + sums[whole + 1] * share
        bands = (np.diff(at, axis=0) / np.diff(places)[:, None]).astype(np.float32, copy=False)
        np.log(np.maximum(bands, self._silence**_ROOT, out=bands), out=bands)
        bands -= bands.mean(axis=1, keepdims=True)
        if above_noise not in self._predictors:
            self._predictors[above_noise] = _predictor(bands)
        surprise: Any = cv2.filter2D(
            bands, -1, self._predictors[above_noise], borderType=cv2.BORDER_REPLICATE
        )
        surprise /= surprise.std(axis=1, keepdims=True) + np.float32(1e-6)
        first, then = _SURPRISE
        if above_noise:
            np.clip(surprise, -then, then, out=surprise)
            surprise /= np.sqrt(1 + np.square(edges[: len(surprise), None] / np.float32(_LOW)))
        else:
            np.clip(surprise, -first, first, out=surprise)
            usual: Any = cv2.blur(np.square(surprise), _NEIGHBOURS)
            surprise /= np.sqrt(usual + np.float32(_QUIET))
            np.clip(surprise, -then, then, out=surprise)
        white[: len(surprise)] = surprise
        return white


def _summed(power: Float) -> Float:
    """Roots of powers (lines + 1, n) summed up from the lowest line on.

    The sum over any band is a difference.
    """
    sums = np.zeros((power.shape[0] + 1, power.shape[1]), np.float32)
    np.sqrt(np.sqrt(power, out=sums[1:]), out=sums[1:])
    # Row by row: adding up along the other axis is slow.
    for above, here in pairwise(sums):
        here += above
    return sums


def _predictor(bands: Float) -> Float:
    """Kernel that subtracts from every cell of (bands, rows) what the cells around it predict.

    Least squares, from the autocorrelation; the neighbours are whole rows of the tile apart.
    """
    reach = (_BANDS_AROUND, _ROWS_AROUND * OVERSAMPLED)
    correlation = _autocorrelation(bands, 2 * _BANDS_AROUND, 2 * _ROWS_AROUND)
    around = np.array(
        [
            (band, row)
            for band in range(-_BANDS_AROUND, _BANDS_AROUND + 1)
            for row in range(-_ROWS_AROUND, _ROWS_AROUND + 1)
            if band or row
        ]
    )
    between = around[:, None] - around
    normal = correlation[between[..., 0], between[..., 1]]
    normal += np.eye(len(around)) * (_RIDGE * correlation[0, 0] + 1e-12)
    weights = np.linalg.solve(normal, correlation[around[:, 0], around[:, 1]])
    kernel = np.zeros([2 * far + 1 for far in reach], np.float32)
    kernel[around[:, 0] + reach[0], around[:, 1] * OVERSAMPLED + reach[1]] = -weights
    kernel[reach] = 1
    return kernel


def _autocorrelation(bands: Float, across: int, along: int) -> NDArray[np.float64]:
    """Sums of products of cells so many bands and rows of the tile apart; negative lags wrap.

    Of so few lags this takes less than a transform does.
    """
    high, wide = bands.shape
    found = np.empty((2 * across + 1, 2 * along + 1))
    for band in range(-across, across + 1):
        up, down = max(-band, 0), max(band, 0)
        for row in range(along + 1):
            lag = min(row * OVERSAMPLED, wide)
            total = np.einsum(
                "br,br->", bands[up : high - down, : wide - lag], bands[down : high - up, lag:]
            )
            found[band, row] = found[-band, -row] = total
    return found
