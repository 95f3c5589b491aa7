"""Marking a sound as it comes: every line of every 20 ms gets a little louder or softer.

The change is multiplicative and the same in all channels, so it keeps to where the sound is and
survives a mix of the channels. Lines that lie below those around them are masked and change more.
What a frame changes is heard all over the frame, also before a sound that sets in within it, where
little masks it: there it changes less, both where all is quiet and where only that part of the
spectrum is.
"""

from __future__ import annotations

import hashlib
import math
from dataclasses import dataclass
from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray

from aiglabel.key import Key
from aiglabel.signal import samples, score, spectrogram

Float = NDArray[np.float32]

RATES: Final = (8_000, 192_000)
"""Sample rates that are marked and read, Hz."""
CHANNELS: Final = 8

# Largest change, dB; and the width in Hz of what masks a line.
_MOST, _AROUND = 6.0, 400.0
# Decibels more for each decibel that a line lies below those around it, for each that is changed.
_MASKED = 0.16
# The change grows with this power of the frequency: low bands, where speech has most of its power,
# are heard best.
_TILT = 0.1
# Times the power of the frame before that lines may have and still change as much as others.
_RISING = 4.0
# Seconds over which loudness is told: before an onset, within its frame, the change would be heard,
# for little masks what comes before it. And the least power that counts.
_NOW, _QUIET = 0.004, 1e-12


@dataclass(frozen=True)
class Strength:
    """How strongly to mark.

    Attributes
    ----------
    change : float
        Root mean square of the change, dB, of a line as loud as those around it.
    softest, loudest : float
        Bounds of what a sound that is marked as a whole changes that by: no softer, however much
        is left of the mark beside noise; no louder, however little.
    margin : float
        Statistic that such a sound shall keep beside noise.
    """

    change: float
    softest: float = 1.0
    loudest: float = 1.0
    margin: float = 0.0


STRENGTHS: Final = {
    "invisible": Strength(0.91, 0.8, 1.1, 19.0),
    "balanced": Strength(1.36, 0.8, 1.1, 26.0),
    "robust": Strength(1.8, 0.8, 1.1, 32.0),
}
DEFAULT_STRENGTH: Final = "balanced"


def strength_of(strength: str | Strength | None) -> Strength:
    """Look up a strength by name; the default for None."""
    return strength if isinstance(strength, Strength) else STRENGTHS[strength or DEFAULT_STRENGTH]


def check(rate: float, channels: int) -> None:
    """Raise ValueError for a sample rate or a number of channels that is not marked."""
    low, high = RATES
    if not low <= rate <= high:
        raise ValueError(f"the sample rate is {rate:g} Hz, not between {low} and {high}")
    if not 1 <= channels <= CHANNELS:
        raise ValueError(f"there are {channels} channels, not 1 to {CHANNELS}")


def check_finite(y: NDArray[Any]) -> None:
    """Raise ValueError for samples that are infinite or no numbers."""
    # The ends of their range show both, without another array of their size.
    if y.size and not (math.isfinite(y.min()) and math.isfinite(y.max())):
        raise ValueError("a sound has finite samples: these have infinite ones, or NaN")


class Marker:
    """Marks a sound block by block, as it comes: constant memory, 60 ms of delay.

    Parameters
    ----------
    payload : bytes
        8 bytes; 16 for sounds of 15 s and more.
    rate : float
        Samples a second, in `RATES`.
    channels : int
        1 to `CHANNELS`.
    key : Key
    strength : {"invisible", "balanced", "robust"} or Strength, optional
        Only its `change` counts: what is still to come cannot be listened to.
    row : int, optional
        Row of the tile that the sound begins in; drawn from the payload if left out.

    Raises
    ------
    PayloadError
        When `payload` is neither 8 nor 16 bytes.
    ValueError
        For another rate or number of channels.
    """

    def __init__(
        self, payload: bytes, *, rate: float, channels: int, key: Key,
        strength: str | Strength | None = None, row: int | None = None,
    ) -> None:  # fmt: skip
        check(rate, channels)
        self._row = _drawn(payload, key) if row is None else row
        self._hop = score.HOP * rate
        self._size = spectrogram.frame_size(rate)
        self._window = spectrogram.window(self._size)
        lines = np.arange(1, self._size // 2) * (rate / self._size)
        edges = score.edges()
        # The lines that are changed.
        self._used = slice(*np.searchsorted(lines, (edges[0], min(edges[-1], rate / 2))))
        bands = np.searchsorted(edges, lines[self._used], side="right") - 1
        weights = edges[:-1] ** _TILT
        weights /= np.sqrt(np.mean(np.square(weights)))
        weights *= np.float32(math.log(10) / 20)
        # What a decibel of change is at every line of every row, nepers.
        self._tile = (score.synthesise(score.message(payload, key)) * weights)[:, bands]
        self._loudness = strength_of(strength).change
        self._around = round(_AROUND * self._size / rate) | 1
        # The sound begins half a frame late, so that its first sample too lies in two frames.
        lead = self._size // 2
        # Samples on either side that loudness is told from, and those before the ones that wait.
        self._near, self._ahead = max(1, round(_NOW * rate / 2)), self._size - 2
        self._past = np.zeros((channels, self._near), np.float32)
        self._waiting = np.zeros((channels, lead), np.float32)
        self._change = np.zeros((channels, lead), np.float32)
        self._earlier: Float | None = None
        self._begin, self._frame = 0, 0
        self._taken, self._given = 0, -lead

    def process(self, block: Float) -> Float:
        """Take the next samples (channels, n), float32; return those that are finished.

        Raises ValueError for infinite samples and NaN.
        """
        check_finite(block)
        self._taken += block.shape[1]
        return self._process(block)

    def flush(self) -> Float:
        """Return the rest: as many samples come out as went in."""
        missing = self._taken - max(self._given, 0)
        rest = self._process(np.zeros((len(self._waiting), 3 * self._size), np.float32))
        return rest[:, :missing]

    def _process(self, block: Float) -> Float:
        self._waiting = np.concatenate([self._waiting, block], axis=1)
        self._change = np.concatenate([self._change, np.zeros_like(block)], axis=1)
        last = self._begin + self._waiting.shape[1] - self._size
        count = max(0, math.floor((last + 0.5) / self._hop) + 1 - self._frame)
        frames = self._frame + np.arange(count)
        starts = np.rint(frames * self._hop).astype(np.intp) - self._begin
        if count:
            changes = self._changes(starts, frames)
            for start, change in zip(starts, changes, strict=True):
                self._change[:, start : start + self._size] += change
        self._frame += count
        # So late that the length of a frame ahead is known.
        done = max(0, round((self._frame - 1) * self._hop) - self._begin)
        marked = self._change[:, :done]
        marked *= self._before_onsets(done)
        marked += self._waiting[:, :done]
        self._waiting, self._change = self._waiting[:, done:], self._change[:, done:]
        self._begin += done
        skipped = min(max(-self._given, 0), done)
        self._given += done
        return marked[:, skipped:]

    def _before_onsets(self, count: int) -> Float:
        """Share of the change that samples take: less where what follows is louder; (count,)."""
        near = self._near
        heard = np.concatenate([self._past, self._waiting[:, : count + self._ahead]], axis=1)
        self._past = heard[:, count : count + near]
        power = np.einsum("cn,cn->n", heard, heard)
        # Of sums from the start on any stretch is a difference. They have float64.
        sums: Any = cv2.integral(power[None])[1]
        around = sums[2 * near : 2 * near + count] - sums[:count]
        ahead = sums[near + self._ahead : near + self._ahead + count] - sums[near : near + count]
        around /= 2 * near
        ahead /= self._ahead
        around /= np.maximum(ahead, _QUIET, out=ahead)
        share: Float = np.clip(around, 0, 1, out=around).astype(np.float32)
        return np.sqrt(share, out=share)

    def _rising(self, around: Float) -> Float:
        """Share of the change that lines take: less where the frame before has less; (frames, n).

        `around` is the power around each line.
        """
        earlier = around[:1] if self._earlier is None else self._earlier
        share: Float = np.concatenate([earlier, around[:-1]])
        self._earlier = around[-1:].copy()
        share *= np.float32(_RISING)
        share /= around
        np.clip(share, 0, 1, out=share)
        np.sqrt(share, out=share)
        return share

    def _changes(self, starts: NDArray[np.intp], frames: NDArray[np.intp]) -> Float:
        """What is added at each frame: (frames, channels, size)."""
        views = np.lib.stride_tricks.sliding_window_view(self._waiting, self._size, axis=1)
        framed = (views[:, starts] * self._window).reshape(-1, self._size)
        spectra = spectrogram.lines(framed)
        # Of every channel; a view, so that what is done to it is done to the spectra.
        used = spectra.reshape(len(views), len(starts), -1)[..., self._used]
        power = samples.mean_of(spectrogram.powers(used))
        power += np.float32(spectrogram.SILENCE * self._size)
        around: Any = cv2.blur(power, (self._around, 1))
        share = self._rising(around)
        decibels = np.log10(np.divide(around, power, out=around), out=around)
        decibels *= np.float32(10 * _MASKED * self._loudness)
        decibels += np.float32(self._loudness)
        np.clip(decibels, 0, _MOST, out=decibels)
        decibels *= share
        decibels *= self._tile[(frames + self._row) % score.ROWS]
        gain = np.expm1(decibels, out=decibels)
        # Both parts of a complex number, as floats: several times faster.
        parts, both = used.view(np.float32), cv2.merge([gain, gain])
        parts *= np.reshape(both, (len(gain), -1))
        spectra[:, : self._used.start] = 0
        spectra[:, self._used.stop :] = 0
        changes = spectrogram.frames(spectra).reshape(len(views), len(starts), -1)
        changes *= self._window
        return changes.swapaxes(0, 1)


def _drawn(payload: bytes, key: Key) -> int:
    """Choose where the tile begins by what is said: a detector finds any choice.

    That it differs from sound to sound keeps an average of many from showing the tile.
    """
    drawn = hashlib.blake2b(payload, key=key.derive("audio-1/lay"), digest_size=2).digest()
    return int.from_bytes(drawn, "little") % score.ROWS
