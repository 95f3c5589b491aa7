"""Short-time levels of a sound, at any sample rate: how it is marked, and how it is listened to.

Frames last 40 ms and follow each other in seconds, not samples, so the map of a sound is the same
at 8 and at 192 kHz. Levels are logarithms, so gain does not matter and silence stays silent.
"""

from __future__ import annotations

import math
from functools import cached_property
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from aiglabel.signal import score
from aiglabel.signal.score import BANDS, OVERSAMPLED, PERIOD, Spectrum

Float = NDArray[np.float32]

# Power of what counts as silence, of a full-scale sine.
SILENCE = 1e-9
# About the mean level in dB, so that sums of levels stay small.
_MIDDLE = -20.0
# The predictor looks at the cells around one: so many rows of the tile and bands on each side.
_ROWS_AROUND, _BANDS_AROUND = 2, 2
_RIDGE = 1e-3
# Standard deviations at which a surprise is cut off.
_SURPRISE = 2.5
_QUIET = 0.1
_PADDED = 2
_LEAST_BANDS = 8
# Harmonics of the tile that are listened to; the others hold next to nothing.
HARMONICS = np.s_[1:100]


def frame_size(rate: float) -> int:
    """Samples of a frame of two hops, an even number."""
    return 2 * round(score.HOP * rate)


def window(size: int) -> Float:
    """Sine window (size,): its square, repeated every half of it, sums to 1 (Princen, Bradley)."""
    sine: Float = np.sin(np.pi * (np.arange(size) + 0.5) / size).astype(np.float32)
    return sine


def lines(frames: Float) -> Spectrum:
    """Spectra of real rows (n, size), size even: lines 1 to size / 2 - 1, (n, size / 2 - 1).

    OpenCV's transform of many rows is several times faster than NumPy's.
    """
    packed: Any = cv2.dft(np.ascontiguousarray(frames), flags=cv2.DFT_ROWS)
    return np.ascontiguousarray(packed[:, 1:-1]).view(np.complex64)


def frames(spectra: Spectrum) -> Float:
    """Rows (n, size) with these lines, of `lines`, and neither mean nor highest frequency."""
    packed = np.zeros((len(spectra), 2 * spectra.shape[1] + 2), np.float32)
    packed[:, 1:-1] = spectra.view(np.float32)
    flags = cv2.DFT_ROWS | cv2.DFT_INVERSE | cv2.DFT_REAL_OUTPUT | cv2.DFT_SCALE
    rows: Any = cv2.dft(packed, flags=flags)
    return np.asarray(rows, np.float32)


def levels(spectra: Spectrum, size: int) -> Float:
    """Levels in dB of the lines of frames of that size."""
    power = np.square(spectra.real) + np.square(spectra.imag)
    power += np.float32(SILENCE * size)
    decibels: Float = 10 * np.log10(power, out=power)
    return decibels


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
        """Spectra along time, of `lines`; (BANDS, n)."""
        length = 2 * cv2.getOptimalDFTSize(_PADDED * self.white.shape[1] // 2 + 1)
        return lines(np.pad(self.white, ((0, 0), (0, length - self.white.shape[1]))))

    @cached_property
    def _power(self) -> float:
        return float(np.mean(np.square(np.abs(self.lines[:, : self.lines.shape[1] // 2]))))

    def fits(self, tempos: NDArray[np.float64], carrier: score.Carrier) -> Float:
        """Correlation with the pilots at every offset, for every tempo; (tempos, PERIOD).

        In standard deviations of sounds without a mark. Folding by a tempo is sampling the spectra
        at its harmonics.
        """
        length = 2 * self.lines.shape[1] + 2
        harmonics = np.arange(PERIOD // 2 + 1)[HARMONICS]
        places = np.rint(np.outer(tempos * (length / PERIOD), harmonics)).astype(np.intp) - 1
        outside = places >= self.lines.shape[1]
        places[outside] = 0
        template = carrier.template[:, HARMONICS]
        product = np.zeros((len(tempos), PERIOD // 2 + 1), np.complex64)
        for line, known in zip(self.lines, template, strict=True):
            product[:, HARMONICS] += line[places] * known
        product[:, HARMONICS][outside] = 0
        energy = 2 * self._power * float(np.square(np.abs(template)).sum())
        correlation = np.fft.irfft(product, n=PERIOD) * PERIOD
        fits: Float = (correlation / max(math.sqrt(energy), 1e-12)).astype(np.float32)
        return fits

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
        # A sound shorter than a frame has no rows; its one frame of silence keeps shapes simple.
        padded = np.pad(mono, (0, max(0, size - len(mono))))
        views = np.lib.stride_tricks.sliding_window_view(padded, size)
        heard = levels(lines(views[starts if count else [0]] * window(size)), size)[:count]
        self._nyquist = rate / 2
        self._lines_a_hertz = size / rate
        # Summed up from the lowest line on, so that any band is a difference; a row a line.
        self._sums = np.zeros((heard.shape[1] + 1, count), np.float32)
        np.cumsum((heard - np.float32(_MIDDLE)).T, axis=0, out=self._sums[1:])
        self._predictor: Float | None = None
        self._banded: dict[float, Banded] = {}

    def banded(self, pitch: float) -> Banded:
        """Levels of bands that were moved by a change of pitch."""
        if pitch not in self._banded:
            self._banded[pitch] = Banded(self._whitened(pitch))
        return self._banded[pitch]

    def _whitened(self, pitch: float) -> Float:
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
        share = (places - whole)[:, None]
        whole -= 1  # the first line is line 1
        at = self._sums[whole] * (1 - share) + self._sums[whole + 1] * share
        bands = np.diff(at, axis=0) / np.diff(places)[:, None]
        bands -= bands.mean(axis=1, keepdims=True)
        if self._predictor is None:
            self._predictor = _predictor(bands)
        surprise: Any = cv2.filter2D(bands, -1, self._predictor, borderType=cv2.BORDER_REPLICATE)
        surprise /= surprise.std(axis=1, keepdims=True) + np.float32(1e-6)
        np.clip(surprise, -_SURPRISE, _SURPRISE, out=surprise)
        surprise /= np.sqrt(np.mean(np.square(surprise), axis=0)) + np.float32(_QUIET)
        white[: len(surprise)] = surprise
        return white


def _predictor(bands: Float) -> Float:
    """Kernel that subtracts from every cell of (bands, rows) what the cells around it predict.

    Least squares, from the autocorrelation; the neighbours are whole rows of the tile apart.
    """
    reach = (_BANDS_AROUND, _ROWS_AROUND * OVERSAMPLED)
    size = [
        cv2.getOptimalDFTSize(side + 2 * far) for side, far in zip(bands.shape, reach, strict=True)
    ]
    spectrum = np.fft.rfft2(bands, s=size)
    correlation = np.fft.irfft2(np.square(np.abs(spectrum)), s=size)
    around = np.array(
        [
            (band, row * OVERSAMPLED)
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
    kernel[around[:, 0] + reach[0], around[:, 1] + reach[1]] = -weights
    kernel[reach] = 1
    return kernel
