"""The blind watermark in a sound that comes block by block; see `signal.audio`."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from aiglabel.errors import PayloadError
from aiglabel.evidence import Evidence, Outcome, Status
from aiglabel.key import Key
from aiglabel.label import PAYLOAD_BYTES
from aiglabel.marks.watermark import COMFORT, MARK, QUICK, THOROUGH, certainty, evidence, outcome
from aiglabel.signal import audio
from aiglabel.signal.audio import LISTENED, SEARCHED, Detection

Float = NDArray[np.float32]

# Where the length of a sound is not known, its pieces are counted as if it lasted a day.
_MOST_PIECES = 1440
# Seconds at the beginning of a sound that its marker is tuned to.
_TUNED = 20.0


def refusal(rate: float, channels: int) -> str | None:
    """Say why a sound cannot carry the mark, whatever it holds; None where it may."""
    low, high = audio.RATES
    if not low <= rate <= high:
        return f"the watermark takes {low} to {high} samples a second, not {rate:g}"
    if channels > audio.CHANNELS:
        return f"the watermark takes up to {audio.CHANNELS} channels, not {channels}"
    return None


class Marking:
    """A sound being marked: iterate over it once, then ask for the outcome.

    Parameters
    ----------
    blocks : iterable of float32 (channels, any)
    payload : bytes
        Exactly 8 bytes.
    rate, channels : int
    key : Key
    strength : {"invisible", "balanced", "robust"}, optional

    Raises
    ------
    PayloadError
        When `payload` is not 8 bytes.
    ValueError
        Where `refusal` says why.
    """

    def __init__(
        self, blocks: Iterable[Float], payload: bytes, *, rate: int, channels: int, key: Key,
        strength: str | None = None,
    ) -> None:  # fmt: skip
        if why := refusal(rate, channels):
            raise ValueError(why)
        if len(payload) != PAYLOAD_BYTES:
            raise PayloadError(f"the watermark payload is {PAYLOAD_BYTES} bytes")
        self._blocks, self._payload, self._rate, self._key = blocks, payload, rate, key
        self._strength = strength or audio.DEFAULT_STRENGTH
        self._cover = np.zeros((channels, 0), np.float32)
        self._power, self._change, self._largest = 0.0, 0.0, 0.0

    def __iter__(self) -> Iterator[Float]:
        blocks = iter(self._blocks)
        # What the marker is tuned to is heard before the first of it is marked.
        first, count = [self._cover], 0
        for block in blocks:
            first.append(block)
            count += block.shape[1]
            if count >= _TUNED * self._rate:
                break
        begins = np.concatenate(first, axis=1)
        marker = audio.tuned(
            begins, self._payload, rate=self._rate, key=self._key, strength=self._strength
        )
        step = round(self._rate)
        starts = range(0, begins.shape[1], step)
        for block in itertools.chain((begins[:, at : at + step] for at in starts), blocks):
            self._cover = np.concatenate([self._cover, block], axis=1)
            yield self._compared(marker.process(block))
        yield self._compared(marker.flush())

    def _compared(self, marked: Float) -> Float:
        count = marked.shape[1]
        cover, self._cover = self._cover[:, :count], self._cover[:, count:]
        change = marked - cover
        self._power += float(np.square(cover, dtype=np.float64).sum())
        self._change += float(np.square(change, dtype=np.float64).sum())
        self._largest = max(self._largest, float(np.abs(change).max(initial=0)))
        return marked

    def outcome(self, heard: Detection | None) -> Outcome:
        """Tell what was written, and how much of it the finished file still holds.

        Parameters
        ----------
        heard : Detection or None
            What `reread` found in the finished file.
        """
        ratio = 10 * math.log10(self._power / self._change) if self._change else None
        why = "it is too short, too quiet, or too simple" if self._change else "it is silent"
        return outcome(
            heard, self._payload, self._key, medium="sound", why=why,
            strength=self._strength, wire_format=audio.WIRE_FORMAT,
            facts={
                "snr_db": None if ratio is None else round(ratio, 2),
                "largest_change": round(self._largest, 5),
            },
        )  # fmt: skip


def reread(blocks: Iterable[Float], payload: bytes, *, rate: int, key: Key) -> Detection | None:
    """Listen to a finished sound, piece by piece, until it holds `payload` with some margin.

    Parameters
    ----------
    blocks : iterable of float32 (channels, n)
        Best of `LISTENED` seconds.

    Returns
    -------
    Detection or None
        The surest, None for a sound without samples.
    """
    best: Detection | None = None
    for block in blocks:
        found = audio.detect(block, rate=rate, key=key, effort=QUICK)
        if best is None or (found.payload == payload, found.statistic) > (
            best.payload == payload, best.statistic,
        ):  # fmt: skip
            best = found
        if best.payload == payload and best.statistic >= COMFORT * best.threshold:
            break
    return best


class Listener:
    """Looks for the marks of keys in a sound that comes piece by piece.

    Every piece is listened to as it is, until a payload is read. Where none is, with effort "full"
    a few pieces are searched for other tempos and pitches, with "thorough" every piece is.

    Parameters
    ----------
    keys : sequence of Key
    rate, channels : int
    seconds : float or None
        Length of the whole sound, where it is known.
    effort : {"quick", "full", "thorough"}
    """

    def __init__(
        self, keys: Sequence[Key], *, rate: int, channels: int, seconds: float | None, effort: str
    ) -> None:
        self._keys, self._rate, self._effort = list(keys), rate, effort
        self._refusal = refusal(rate, channels)
        known = seconds is not None and math.isfinite(seconds)
        self._pieces = math.ceil(seconds / LISTENED) + 1 if known and seconds else _MOST_PIECES
        self._searched = {at * (self._pieces - 1) // max(SEARCHED - 1, 1) for at in range(SEARCHED)}
        self._kept: dict[int, tuple[float, Float]] = {}
        self._count, self._samples = 0, 0
        self._best: list[tuple[Detection, float] | None] = [None] * len(self._keys)

    @property
    def done(self) -> bool:
        """Whether nothing more needs to be heard."""
        read = any(one is not None and one[0].payload is not None for one in self._best)
        return self._refusal is not None or not self._keys or (read and self._effort != THOROUGH)

    def hear(self, y: Float) -> None:
        """Take the next piece (channels, n), float32: `LISTENED` seconds, the last one less."""
        begin, number = self._samples / self._rate, self._count
        self._samples += y.shape[1]
        self._count += 1
        if self.done:
            return
        self._listen(y, begin, "full" if self._effort == THOROUGH else QUICK)
        if self._effort == "full":
            # Which piece is the last is known only when the sound ends: the latest is kept too.
            if number - 1 not in self._searched:
                self._kept.pop(number - 1, None)
            self._kept[number] = begin, y

    def _listen(self, y: Float, begin: float, effort: str) -> None:
        answers = audio.detect_any(
            y, rate=self._rate, keys=self._keys, looks=self._pieces, effort=effort
        )
        for at, found in enumerate(answers):
            known = self._best[at]
            if known is None or certainty(found) > certainty(known[0]):
                self._best[at] = found, begin

    def found(self) -> list[Detection]:
        """The surest answer for each key, in the order of the keys; searches where that is due.

        Raises
        ------
        ValueError
            Where `refusal` says why.
        """
        if self._refusal:
            raise ValueError(self._refusal)
        for begin, y in self._kept.values():
            if not self.done:
                self._listen(y, begin, "full")
        self._kept.clear()
        return [one[0] for one in self._best if one is not None]

    def evidence(self) -> Evidence:
        """Tell what was heard."""
        if self._refusal or not self._keys:
            detail = self._refusal or "no key was given to look with"
            return Evidence(mark=MARK, status=Status.NOT_CHECKED, detail=detail)
        if not self.found():
            return Evidence(mark=MARK, status=Status.UNDETERMINED, detail="there is no sound")
        sure = [
            (one[0], key, one[1])
            for one, key in zip(self._best, self._keys, strict=True)
            if one is not None
        ]
        found, key, begin = max(sure, key=lambda one: certainty(one[0]))
        end = min(begin + LISTENED, self._samples / self._rate)
        there = found.present
        return evidence(
            found, key, tried=self._keys, effort=self._effort,
            where=f"{begin:.0f} to {end:.0f} s" if there and self._count > 1 else None,
            facts={
                "found": found.step if there else None,
                "tempo": round(found.tempo, 3) if there else None,
                "pitch": round(found.pitch, 3) if there else None,
            },
        )  # fmt: skip
