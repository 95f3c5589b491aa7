"""Blind DWT watermark of sound: 64 payload bits, keyed. Wire format ``aiglabel.audio.1``.

The mark is multiplicative: every 20 ms each band of the short-time spectrum gets a little louder or
softer, by a tile of wavelet details over time and pitch that repeats every 2.56 s (`score`). So it
keeps to where the sound is, at any sample rate, and silence stays silent. Detection listens to
levels, takes away what the levels around tell (`spectrogram`), finds the tile at any beginning,
tempo and pitch (`audio_detector`), folds all repetitions into soft code bits, decodes them (`code`)
and states a p-value that holds for any sound (`statistics`).
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray

from aiglabel.key import Key
from aiglabel.signal import audio_detector, code, score, spectrogram
from aiglabel.signal.audio_detector import Finding

Float = NDArray[np.float32]
Samples = NDArray[Any]

WIRE_FORMAT: Final = "aiglabel.audio.1"
RATES: Final = (8_000, 192_000)
"""Sample rates that are marked and read, Hz."""
CHANNELS: Final = 8


@dataclass(frozen=True)
class Strength:
    """How strongly to mark.

    Attributes
    ----------
    change : float
        Root mean square of the change, dB, of a line as loud as those around it.
    masked : float
        dB more for each dB that a line lies below those around it, which mask it.
    """

    change: float
    masked: float


STRENGTHS: Final = {
    "invisible": Strength(0.8, 0.15),
    "balanced": Strength(1.15, 0.2),
    "robust": Strength(1.6, 0.25),
}
DEFAULT_STRENGTH: Final = "balanced"
EFFORTS: Final = ("quick", "full")

# Largest change, dB; and the width in Hz of what masks a line.
_MOST, _AROUND = 4.0, 400.0
# Seconds that are marked, or listened to, at once: memory does not grow with the length.
_AT_ONCE, _LISTENED = 10.0, 60.0
# Where everything is searched in a long sound: so many pieces.
_SEARCHED = 3
# Share of the power of all channels under which their sum is no fair picture of them.
_CANCELLED = 1 / 16
# Decibels that the simulated noise lies below the sound.
_NOISE = 20.0
# Times the threshold from which decoding has not failed in trials, and the share of right code
# bits: otherwise an older mark drowns the new one.
_SAFE, _AGREEING = 1.3, 0.75


@dataclass(frozen=True, eq=False)
class Detection:
    """Result of looking for the mark.

    Attributes
    ----------
    payload : bytes or None
        The 8 payload bytes; None when there is no mark or too little of it is left to read.
    statistic, threshold : float
        Normalised correlation with the message, or with the pilots where no message was read, and
        the value that unmarked sounds exceed with probability at most 1e-9 over all hypotheses.
    p_value : float
        Upper bound, over everything that was tried.
    tempo, pitch : float
        Of what was heard over what was marked, 1 where nothing was changed.
    step : str
        "as it is", or how hard it was to find: "searched", "parts".
    seconds : float
        Where in the sound the piece begins that it was found in.
    wire_format : str
    """

    payload: bytes | None
    statistic: float
    threshold: float
    p_value: float
    tempo: float
    pitch: float
    step: str
    seconds: float
    wire_format: str = WIRE_FORMAT

    @property
    def present(self) -> bool:
        """Whether a mark of this key is there, readable or not."""
        return self.statistic >= self.threshold


@dataclass(frozen=True, eq=False)
class Marked:
    """A marked sound and what is known of the mark; see `mark`.

    Attributes
    ----------
    samples : ndarray
        Same shape and dtype as the cover.
    statistic : float
        Statistic that the message still has beside simulated noise, of the best minute.
    threshold : float
        What it needs to be told from chance.
    snr_db : float
        Power of the cover over that of what was added, dB; infinite where nothing was.
    """

    samples: Samples
    statistic: float
    threshold: float
    snr_db: float

    @property
    def holds(self) -> bool:
        """Whether the sound can carry the mark: a moment, or silence, cannot."""
        return self.statistic >= self.threshold


class Marker:
    """Marks a sound block by block, as it comes: constant memory, 40 ms of delay.

    Parameters
    ----------
    payload : bytes
        Exactly 8 bytes.
    rate : float
        Samples a second, in `RATES`.
    channels : int
        1 to `CHANNELS`.
    key : Key
    strength : {"invisible", "balanced", "robust"} or Strength, optional

    Raises
    ------
    PayloadError
        When `payload` is not 8 bytes.
    ValueError
        For another rate or number of channels.
    """

    def __init__(
        self, payload: bytes, *, rate: float, channels: int, key: Key,
        strength: str | Strength | None = None,
    ) -> None:  # fmt: skip
        _check(rate, channels)
        wanted = (
            strength if isinstance(strength, Strength) else STRENGTHS[strength or DEFAULT_STRENGTH]
        )
        word = code.DWT_2.encode(payload, key.derive("audio-1/tag"))
        self._tile = score.synthesise(score.gains() * score.carrier(key).signs(word))
        # Where the tile begins is free; that it differs from sound to sound keeps an average of
        # many from showing it.
        drawn = hashlib.blake2b(payload, key=key.derive("audio-1/lay"), digest_size=2).digest()
        self._row = int.from_bytes(drawn, "little") % score.ROWS
        self._strength = wanted
        self._hop = score.HOP * rate
        self._size = spectrogram.frame_size(rate)
        self._window = spectrogram.window(self._size)
        lines = np.arange(1, self._size // 2) * (rate / self._size)
        edges = score.edges()
        # The lines that are changed, and the band of each.
        self._used = slice(*np.searchsorted(lines, (edges[0], min(edges[-1], rate / 2))))
        self._bands = np.searchsorted(edges, lines[self._used], side="right") - 1
        self._around = round(_AROUND * self._size / rate) | 1
        # The sound begins half a frame late, so that its first sample too lies in two frames.
        lead = self._size // 2
        self._waiting = np.zeros((channels, lead), np.float32)
        self._change = np.zeros((channels, lead), np.float32)
        self._begin, self._frame = 0, 0
        self._taken, self._given = 0, -lead

    def process(self, block: Float) -> Float:
        """Take the next samples (channels, n), float32; return those that are finished."""
        self._taken += block.shape[1]
        return self._process(block)

    def flush(self) -> Float:
        """Return the rest: as many samples come out as went in."""
        missing = self._taken - max(self._given, 0)
        rest = self._process(np.zeros((len(self._waiting), 2 * self._size), np.float32))
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
        done = max(0, round(self._frame * self._hop) - self._begin)
        marked = self._waiting[:, :done] + self._change[:, :done]
        self._waiting, self._change = self._waiting[:, done:], self._change[:, done:]
        self._begin += done
        skipped = min(max(-self._given, 0), done)
        self._given += done
        return marked[:, skipped:]

    def _changes(self, starts: NDArray[np.intp], frames: NDArray[np.intp]) -> Float:
        """What is added at each frame: (frames, channels, size)."""
        views = np.lib.stride_tricks.sliding_window_view(self._waiting, self._size, axis=1)
        framed = (views[:, starts] * self._window).reshape(-1, self._size)
        spectra = spectrogram.lines(framed).reshape(len(views), len(starts), -1)[..., self._used]
        power = np.mean(np.square(spectra.real) + np.square(spectra.imag), axis=0)
        power += np.float32(spectrogram.SILENCE * self._size)
        around: Any = cv2.blur(power, (self._around, 1))
        decibels = np.log10(np.divide(around, power, out=around), out=around)
        decibels *= np.float32(10 * self._strength.masked)
        decibels += np.float32(self._strength.change)
        np.clip(decibels, 0, _MOST, out=decibels)
        decibels *= self._tile[(frames + self._row) % score.ROWS][:, self._bands]
        gain = np.exp(decibels * np.float32(math.log(10) / 20)) - 1
        changed = np.zeros((*spectra.shape[:2], self._size // 2 - 1), np.complex64)
        np.multiply(spectra, gain, out=changed[..., self._used])
        changes = spectrogram.frames(changed.reshape(len(framed), -1)).reshape(
            *spectra.shape[:2], -1
        )
        changes *= self._window
        return changes.swapaxes(0, 1)


def embed(
    y: Samples, payload: bytes, *, rate: float, key: Key, strength: str | Strength | None = None
) -> Samples:
    """Return `y` with the watermark added; the input is not changed.

    Parameters
    ----------
    y : float in [-1, 1], or int16 or int32, shape (channels, n) or (n,)
        8-bit and 24-bit samples come as int16 and int32 or floats.
    payload : bytes
        Exactly 8 bytes.
    rate : float
        Samples a second, in `RATES`.
    key : Key
    strength : {"invisible", "balanced", "robust"} or Strength, optional

    Raises
    ------
    PayloadError
        When `payload` is not 8 bytes.
    ValueError
        For another shape, dtype, rate or number of channels.
    """
    channels = _channels(y)
    marker = Marker(payload, rate=rate, channels=len(channels), key=key, strength=strength)
    out = np.empty_like(channels)
    written = 0
    step = max(1, round(_AT_ONCE * rate))
    begins = range(0, channels.shape[1], step)
    for begin in (*begins, None):
        block = (
            marker.flush() if begin is None
            else marker.process(_floats(channels[:, begin : begin + step]))
        )  # fmt: skip
        out[:, written : written + block.shape[1]] = _like(block, channels.dtype)
        written += block.shape[1]
    return out.reshape(y.shape)


def mark(
    y: Samples, payload: bytes, *, rate: float, key: Key, strength: str | Strength | None = None
) -> Marked:
    """Mark a sound as `embed` does, and tell how well it holds.

    Raises
    ------
    PayloadError
        When `payload` is not 8 bytes.
    ValueError
        For another shape, dtype, rate or number of channels.
    """
    samples = embed(y, payload, rate=rate, key=key, strength=strength)
    word = code.DWT_2.encode(payload, key.derive("audio-1/tag"))
    statistic, cover, added = 0.0, 0.0, 0.0
    before, after = _channels(y), _channels(samples)
    noise = np.random.default_rng(0)
    for begin, end in _pieces(before.shape[1], rate):
        sound = _floats(after[:, begin:end])
        cover += float(np.square(sound).sum())
        added += float(np.square(sound - _floats(before[:, begin:end])).sum())
        mono = _mono(after[:, begin:end])
        level = math.sqrt(float(mono @ mono) / max(len(mono), 1)) * 10 ** (-_NOISE / 20)
        mono += noise.standard_normal(len(mono), np.float32) * np.float32(level)
        statistic = max(statistic, float(_agreeing(mono, rate, key, word).sum()))
    ratio = 10 * math.log10(cover / added) if added else math.inf
    return Marked(samples, statistic, audio_detector.TRIED.limits(1)[0], ratio)


def holds(y: Samples, payload: bytes, *, rate: float, key: Key) -> bool:
    """Whether a known payload would be read from a minute of a sound that kept tempo and pitch.

    Cheap: no search, no decoding. For reading a write back, not for judging files.
    """
    channels = _channels(y)
    word = code.DWT_2.encode(payload, key.derive("audio-1/tag"))
    wanted = _SAFE * audio_detector.TRIED.limits(1)[0]
    for begin, end in _pieces(channels.shape[1], rate):
        agreeing = _agreeing(_mono(channels[:, begin:end]), rate, key, word)
        if agreeing.sum() >= wanted and (agreeing > 0).mean() >= _AGREEING:
            return True
    return False


def _agreeing(mono: Float, rate: float, key: Key, word: NDArray[np.int8]) -> Float:
    """Soft code bits of a sound as it is, positive where they are those of a codeword."""
    heard = spectrogram.Spectrogram(mono, rate)
    return audio_detector.soft_bits(heard, key) * word


def detect(y: Samples, *, rate: float, key: Key, effort: str = "full") -> Detection:
    """Look for the mark of `key` in a sound of any length, without knowing the original.

    Parameters
    ----------
    y : float in [-1, 1], or int16 or int32, shape (channels, n) or (n,)
    rate : float
        Samples a second, in `RATES`.
    key : Key
    effort : {"quick", "full"}
        "quick" listens to the sound as it is only, "full" also at other tempos and pitches, and
        where pieces were cut out or put in.
    """
    return detect_any(y, rate=rate, keys=[key], effort=effort)[0]


def detect_any(
    y: Samples, *, rate: float, keys: Sequence[Key], effort: str = "full"
) -> list[Detection]:
    """Look for the marks of several keys: spectra are shared.

    A long sound is listened to minute by minute, each as it is; three of them are searched.
    """
    channels = _channels(y)
    _check(rate, len(channels))
    if effort not in EFFORTS:
        raise ValueError(f"effort is one of {', '.join(EFFORTS)}")
    pieces = _pieces(channels.shape[1], rate)
    searched = {at * (len(pieces) - 1) // max(_SEARCHED - 1, 1) for at in range(_SEARCHED)}
    looks = len(keys) * len(pieces)
    best: list[tuple[Finding, int] | None] = [None] * len(keys)
    for full in (False, True):
        for number, (begin, end) in enumerate(pieces):
            unread = [at for at, one in enumerate(best) if one is None or one[0].payload is None]
            if not unread or (full and (effort == "quick" or number not in searched)):
                continue
            heard = spectrogram.Spectrogram(_mono(channels[:, begin:end]), rate)
            findings = audio_detector.search(
                heard, [keys[at] for at in unread], full=full, looks=len(pieces)
            )
            for at, found in zip(unread, findings, strict=True):
                known = best[at]
                if known is None or found.payload or found.pilots > known[0].pilots:
                    best[at] = found, begin
    return [_detection(*one, looks=looks, rate=rate) for one in best if one is not None]


def _detection(found: Finding, begin: int, *, looks: int, rate: float) -> Detection:
    tried, read = audio_detector.TRIED, found.payload is not None
    statistic = found.message if read else found.pilots
    tempo, pitch = (found.place.tempo, found.place.pitch) if found.place else (1.0, 1.0)
    return Detection(
        found.payload, statistic, tried.limits(looks)[0 if read else 1],
        tried.p_value(statistic, looks, message=read), tempo, pitch, found.step, begin / rate,
    )  # fmt: skip


# ---------------------------------------------------------------------- samples


def _check(rate: float, channels: int) -> None:
    low, high = RATES
    if not low <= rate <= high:
        raise ValueError(f"the sample rate is {rate:g} Hz, not between {low} and {high}")
    if not 1 <= channels <= CHANNELS:
        raise ValueError(f"there are {channels} channels, not 1 to {CHANNELS}")


def _pieces(count: int, rate: float) -> list[tuple[int, int]]:
    """Bounds of the minutes of a sound; a last one that is short belongs to the one before."""
    step = round(_LISTENED * rate)
    begins = range(0, max(count - step // 2, 1), step)
    return list(zip(begins, (*begins[1:], count), strict=True))


def _channels(y: Samples) -> Samples:
    """View of (channels, n)."""
    if y.ndim not in (1, 2) or y.dtype not in (np.int16, np.int32, np.float32, np.float64):
        raise ValueError("a sound is (channels, n) or (n,) of int16, int32, or float in [-1, 1]")
    if y.dtype.kind == "f" and not np.isfinite(y).all():
        raise ValueError("a sound has finite samples: these have infinite ones, or NaN")
    return y[None] if y.ndim == 1 else y


def _floats(y: Samples) -> Float:
    if y.dtype.kind == "f":
        return y.astype(np.float32)
    return np.multiply(y, 1 / (np.iinfo(y.dtype).max + 1), dtype=np.float32)


def _like(y: Float, dtype: np.dtype[Any]) -> Samples:
    """Samples of another type: whole numbers are rounded, and none wraps around."""
    if dtype.kind == "f":
        return y.astype(dtype)
    limits = np.iinfo(dtype)
    scaled = y.astype(np.float64) * (limits.max + 1)
    return np.clip(np.rint(scaled), limits.min, limits.max).astype(dtype)


def _mono(channels: Samples) -> Float:
    """The mean of all channels; the loudest one where they cancel each other."""
    y = _floats(channels)
    mono: Float = y.mean(axis=0)
    powers = np.mean(np.square(y), axis=1) if y.shape[1] else np.zeros(len(y))
    if y.shape[1] and float(np.mean(np.square(mono))) < _CANCELLED * float(powers.max()):
        mono = y[int(powers.argmax())]
    return mono
