"""Putting a label into a programme: where, how loud, and without a click.

GB 45438-2025, 5.3 d (rule CN-A-04): at the start, the end, or a suitable place in the middle; no
level is laid down. Here the label is as loud as the programme around it (BS.1770-4), never softer
than -30 LUFS, and nothing clips. Rate and channels stay the programme's; the low-frequency channel
of surround sound gets no label.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from aiglabel.errors import LabelError
from aiglabel.marks.audible import loudness
from aiglabel.marks.audible.resample import resample
from aiglabel.marks.audible.rhythm import check_rate

Float = NDArray[np.float32]

LEAST_LOUDNESS = -30.0  # LUFS
AROUND = 3.0
"""Seconds of the programme that a label's level follows: short-term loudness."""
_CEILING = 0.966  # -0.3 dBFS, what lossy coders overshoot by not counted
_EDGE = 0.005  # s, over which a given clip begins and ends
_MOST_SPOTS = 10000


@dataclass(frozen=True, kw_only=True)
class Placement:
    """Where labels go and how.

    Attributes
    ----------
    start, end : bool
        A label at the start, at the end.
    every : float, optional
        Seconds from the start of one label to that of the next, at least 5.
    insert : bool
        Let the programme wait for the label; else the label sounds over it, and it is lowered.
    duck : float
        How far the programme is lowered under the label, 0 to 60 dB.
    ramp : float
        Seconds it takes to be lowered and to come back, 0.01 to 2; also the pause on either side
        of an inserted label.
    relative : float
        LU above (or below) the programme's short-term loudness, -20 to 20.

    Raises
    ------
    LabelError
        When a value lies outside, or no place is named.
    """

    start: bool = True
    end: bool = False
    every: float | None = None
    insert: bool = False
    duck: float = 12.0
    ramp: float = 0.2
    relative: float = 0.0

    def __post_init__(self) -> None:
        for name, low, high in (("duck", 0, 60), ("ramp", 0.01, 2), ("relative", -20, 20)):
            if not low <= getattr(self, name) <= high:
                raise LabelError(f"an audible label's {name} lies between {low} and {high}")
        if self.every is not None and not 5 <= self.every < math.inf:
            raise LabelError("audible labels are at least 5 s apart")
        if not (self.start or self.end or self.every):
            raise LabelError(
                "no place is named for the audible label", remedy="Say start, end or every"
            )


@dataclass(frozen=True, kw_only=True)
class Spot:
    """One label in the labelled programme.

    Attributes
    ----------
    start, duration : float
        In s.
    loudness : float
        Of the label, in LUFS.
    programme : float
        Short-term loudness of the programme there before it was lowered, in LUFS; may be -inf.
    lowered : float
        By how much the programme was lowered, in dB; 0 where it waits.
    """

    start: float
    duration: float
    loudness: float
    programme: float
    lowered: float


@dataclass(frozen=True, eq=False)
class Placed:
    """A labelled programme: ``y`` is float32 (channels, n), ``spots`` are in order of time."""

    y: Float
    spots: tuple[Spot, ...]


def place(
    y: Float, rate: int, clip: Float, clip_rate: int, placement: Placement | None = None
) -> Placed:
    """Put a label into a programme.

    Parameters
    ----------
    y : float32 (channels, n) in [-1, 1]
        1 to 8 channels in the order of WAVE files.
    rate : int
        Samples a second, 8000 to 192000.
    clip : float32 (1, m) or (channels, m)
        At most 60 s; several channels are mixed into one.
    clip_rate : int
    placement : Placement, optional
        At the start, over the programme.

    Returns
    -------
    Placed
        ``y`` is a new array, longer than the input where labels were inserted.

    Raises
    ------
    LabelError
        When rate, channels or clip are not handled; when the clip is silent; when the label sounds
        over the programme and there is no room for all the labels asked for.
    """
    placement = placement or Placement()
    label = prepared(clip, clip_rate, rate)
    shares = loudness.weights(len(y))
    starts = starts_of(y.shape[1], label.shape[1], rate, placement)
    return place_at(y, rate, label, shares, starts, placement)


def place_at(
    y: Float,
    rate: int,
    label: Float,
    shares: NDArray[np.float64],
    starts: list[int],
    placement: Placement,
) -> Placed:
    """Put a label, as `prepared`, into a programme at samples, as `starts_of` lists them."""
    put = _inserted if placement.insert else _mixed
    return put(y, rate, label, shares, starts, placement)


def prepared(clip: Float, clip_rate: int, rate: int) -> Float:
    """Mix to one channel, resample, fade the edges: float32 (1, n) with its peak at 1.

    Raises
    ------
    LabelError
        When the rate is not handled, or the clip is silent.
    """
    check_rate(rate)
    if clip.ndim != 2 or not clip.size:
        raise LabelError("the label's clip holds no sound")
    one = resample(clip.mean(axis=0, keepdims=True, dtype=np.float32), clip_rate, rate)
    peak = float(np.abs(one).max())
    if not 1e-4 < peak < math.inf:
        raise LabelError(
            "the label's clip is silent or not a sound", remedy="Record it anew, or louder"
        )
    edge = min(max(1, round(_EDGE * rate)), one.shape[1] // 2)
    fade = (0.5 - 0.5 * np.cos(np.pi * (np.arange(edge) + 0.5) / max(edge, 1))).astype(np.float32)
    one /= np.float32(peak)
    one[:, :edge] *= fade
    one[:, one.shape[1] - edge :] *= fade[::-1]
    return one


def starts_of(length: int, label: int, rate: int, placement: Placement) -> list[int]:
    """First samples of the labels in the programme as it comes, in order, none overlapping.

    Raises
    ------
    LabelError
        When the label sounds over the programme and there is no room for all of them.
    """
    room = 0 if placement.insert else label
    if room > length:
        raise LabelError(
            f"the label ({label / rate:.2f} s) is longer than the sound ({length / rate:.2f} s)",
            remedy="Insert it instead of laying it over the sound",
        )
    starts = [0] if placement.start else []
    if placement.every is not None:
        step = round(placement.every * rate)
        if step < room:
            raise LabelError(
                f"labels of {label / rate:.2f} s do not fit every {placement.every:g} s",
                remedy="Put them further apart",
            )
        if length // step > _MOST_SPOTS:
            raise LabelError(f"more than {_MOST_SPOTS} labels", remedy="Put them further apart")
        starts += range(step, length - room, step)
    if placement.end:
        if placement.start and length < 2 * room:
            raise LabelError(
                f"two labels of {label / rate:.2f} s do not fit in {length / rate:.2f} s of sound",
                remedy="Insert them, or put one at the start only",
            )
        # One in the middle that would run into the last gives way.
        starts = [one for one in starts if one + room <= length - room]
        starts.append(length - room)
    return starts


def _mixed(
    y: Float,
    rate: int,
    label: Float,
    shares: NDArray[np.float64],
    starts: list[int],
    placement: Placement,
) -> Placed:
    """Lower the programme where labels come, then lay them over it."""
    out = np.array(y, np.float32)
    length = label.shape[1]
    spots, gains = [], []
    for start in starts:
        around = _around(y, rate, start, length)
        gain, heard = _gain(label, rate, shares, around, placement)
        under = float(np.abs(y[:, start : start + length]).max())
        # Where both would clip, the programme is lowered further: the label is what matters.
        least = 20 * math.log10(max(under / (_CEILING - gain), 1e-9))
        lowered = max(placement.duck, least)
        _lower(out, start, start + length, lowered, round(placement.ramp * rate))
        gains.append(gain)
        spots.append(_spot(start, label.shape[1], rate, heard, around, lowered))
    rows = _labelled(shares)
    for start, gain in zip(starts, gains, strict=True):
        out[rows, start : start + length] += np.float32(gain) * label
    return Placed(out, tuple(spots))


def _spot(start: int, length: int, rate: int, heard: float, around: float, lowered: float) -> Spot:
    return Spot(
        start=start / rate,
        duration=length / rate,
        loudness=round(heard, 2),
        programme=round(around, 2),
        lowered=round(lowered, 2),
    )


def _lower(out: Float, start: int, stop: int, by: float, ramp: int) -> None:
    """Lower `out` by so many dB from `start` to `stop`, with a raised cosine in dB around."""
    first, last = max(start - ramp, 0), min(stop + ramp, out.shape[1])
    time = np.arange(first, last)
    away = np.maximum(np.maximum(start - time, time - stop + 1), 0) / max(ramp, 1)
    curve = (0.5 + 0.5 * np.cos(np.pi * np.minimum(away, 1))) * (-by / 20)
    out[:, first:last] *= (10**curve).astype(np.float32)


def _inserted(
    y: Float,
    rate: int,
    label: Float,
    shares: NDArray[np.float64],
    starts: list[int],
    placement: Placement,
) -> Placed:
    """Let the programme fade out, wait, and fade in again."""
    pause = round(placement.ramp * rate)
    width = label.shape[1] + 2 * pause
    out = np.zeros((len(y), y.shape[1] + len(starts) * width), np.float32)
    rows = _labelled(shares)
    spots = []
    edges = [*starts, y.shape[1]]
    out[:, : edges[0]] = y[:, : edges[0]]
    for number, (start, following) in enumerate(zip(starts, edges[1:], strict=True)):
        around = _around(y, rate, start, label.shape[1])
        gain, heard = _gain(label, rate, shares, around, placement)
        at = start + number * width + pause
        out[rows, at : at + label.shape[1]] = np.float32(gain) * label
        after = start + (number + 1) * width
        out[:, after : after + following - start] = y[:, start:following]
        _soften(out, at - pause, after, rate)
        spots.append(_spot(at, label.shape[1], rate, heard, around, 0.0))
    return Placed(out, tuple(spots))


def _soften(out: Float, before: int, after: int, rate: int) -> None:
    """Fade the programme out up to `before` and in from `after` on."""
    edge = max(1, round(_EDGE * rate))
    fade = (0.5 - 0.5 * np.cos(np.pi * (np.arange(edge) + 0.5) / edge)).astype(np.float32)
    ending = out[:, max(before - edge, 0) : before]
    ending *= fade[::-1][edge - ending.shape[1] :]
    beginning = out[:, after : after + edge]
    beginning *= fade[: beginning.shape[1]]


def _gain(
    label: Float,
    rate: int,
    shares: NDArray[np.float64],
    around: float,
    placement: Placement,
) -> tuple[float, float]:
    """Factor for the label of peak 1, and the loudness it then has in all its channels."""
    wanted = max(around + placement.relative, LEAST_LOUDNESS)
    steps = loudness.energies(label, rate)
    steps = steps if steps.size else np.array([float(np.mean(label**2))])
    own = loudness.loudness_of(float(steps.mean() * shares.sum()))
    gain = min(10 ** ((wanted - own) / 20), _CEILING - 2e-3)
    return gain, own + 20 * math.log10(gain)


def _around(y: Float, rate: int, start: int, length: int) -> float:
    """Loudness of the programme around a label: of 3 s, or of the label's length if more."""
    window = max(round(AROUND * rate), length)
    first = max(min(start - (window - length) // 2, y.shape[1] - window), 0)
    steps = loudness.energies(y[:, first : first + window], rate)
    return loudness.loudness_of(float(steps.mean())) if steps.size else -math.inf


def _labelled(shares: NDArray[np.float64]) -> NDArray[np.intp]:
    """Channels that get the label: all but that for low-frequency effects."""
    return np.flatnonzero(shares > 0)
