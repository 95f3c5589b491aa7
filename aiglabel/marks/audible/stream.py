"""Labelling a programme block by block: of hours, only what surrounds a label is held in memory."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from aiglabel.marks.audible import loudness
from aiglabel.marks.audible.place import AROUND, Placement, Spot, place_at, prepared, starts_of

Float = NDArray[np.float32]


class _Stretch(NamedTuple):
    """Samples `begin` to `stop` of the programme, which hold labels that start at `starts`."""

    begin: int
    stop: int
    starts: list[int]


def place_blocks(
    blocks: Iterable[Float],
    *,
    rate: int,
    channels: int,
    length: int,
    clip: Float,
    clip_rate: int,
    placement: Placement,
    spots: list[Spot],
) -> Iterator[Float]:
    """As `place.place`, for a programme that comes in blocks.

    Parameters
    ----------
    blocks : iterable of float32 (channels, any)
    rate, channels, length : int
        Of the whole programme; `length` in samples.
    clip, clip_rate, placement
        See `place.place`.
    spots : list of Spot
        Every label is added to it as soon as it is placed.

    Yields
    ------
    float32 (channels, any)

    Raises
    ------
    LabelError
        As `place.place`.
    """
    label = prepared(clip, clip_rate, rate)
    shares = loudness.weights(channels)
    starts = starts_of(length, label.shape[1], rate, placement)
    reach = round((AROUND + placement.ramp) * rate)
    programme, waited = _Programme(blocks, channels), 0
    for stretch in _stretches(starts, label.shape[1], reach):
        yield from programme.up_to(stretch.begin)
        y = programme.whole(stretch.stop)
        placed = place_at(
            y, rate, label, shares, [start - stretch.begin for start in stretch.starts], placement
        )
        spots += [
            replace(spot, start=spot.start + (stretch.begin + waited) / rate)
            for spot in placed.spots
        ]
        waited += placed.y.shape[1] - y.shape[1]
        yield placed.y
    yield from programme.up_to(None)


def _stretches(starts: list[int], label: int, reach: int) -> list[_Stretch]:
    """Join labels whose surroundings overlap."""
    joined: list[_Stretch] = []
    for start in starts:
        begin, stop = max(start - reach, 0), start + label + reach
        if joined and begin < joined[-1].stop:
            last = joined.pop()
            joined.append(_Stretch(last.begin, stop, [*last.starts, start]))
        else:
            joined.append(_Stretch(begin, stop, [start]))
    return joined


class _Programme:
    """Blocks that are handed on, or gathered, up to given samples."""

    def __init__(self, blocks: Iterable[Float], channels: int) -> None:
        self._blocks = iter(blocks)
        self._rest = np.zeros((channels, 0), np.float32)
        self._at = 0  # sample at which the rest begins

    def up_to(self, stop: int | None) -> Iterator[Float]:
        """Yield what lies before `stop`; None for all that is left."""
        while stop is None or self._at < stop:
            if not self._rest.shape[1]:
                block = next(self._blocks, None)
                if block is None:
                    return
                self._rest = block
            count = self._rest.shape[1] if stop is None else stop - self._at
            block, self._rest = self._rest[:, :count], self._rest[:, count:]
            self._at += block.shape[1]
            yield block

    def whole(self, stop: int) -> Float:
        """Return what lies before `stop`, or as much as there is, in one array."""
        none = np.zeros((len(self._rest), 0), np.float32)
        return np.concatenate([none, *self.up_to(stop)], axis=1)
