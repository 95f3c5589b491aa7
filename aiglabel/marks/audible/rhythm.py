"""The rhythm label: short long, short short, which is Morse for "AI".

GB 45438-2025, 5.3 c (rule CN-A-03) fixes the rhythm 短长 短短 and nothing else. The proportions are
those of Morse (ITU-R M.1677-1, 2.1): dot 1, dash 3, gap in a letter 1, gap between letters 3 units.
Unit, frequency and level are this toolkit's own choice.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from aiglabel.errors import LabelError

Float = NDArray[np.float32]

RATES = (8000, 192000)  # Hz
UNITS = (0.06, 0.4)  # s
TONES = (300.0, 3000.0)  # Hz
# (first unit, units) of each mark; the pattern is 11 units long.
MARKS = ((0, 1), (2, 3), (8, 1), (10, 1))
LENGTH = 11
_PEAK = 0.5
_EDGE = 0.01  # s: rise and fall of a mark. Shorter ones are heard as clicks


@dataclass(frozen=True, kw_only=True)
class Rhythm:
    """How the rhythm label sounds.

    Attributes
    ----------
    unit : float
        Length of the short mark, 0.06 to 0.4 s.
    frequency : float
        Of the tone, 300 to 3000 Hz.

    Raises
    ------
    LabelError
        When one lies outside.
    """

    unit: float = 0.12
    frequency: float = 880.0

    def __post_init__(self) -> None:
        for name, (low, high), what in (("unit", UNITS, "s"), ("frequency", TONES, "Hz")):
            if not low <= getattr(self, name) <= high:
                raise LabelError(
                    f"the rhythm label's {name} lies between {low:g} and {high:g} {what}"
                )

    @property
    def duration(self) -> float:
        """Length of the whole pattern, in s."""
        return LENGTH * self.unit


def make(rate: int, rhythm: Rhythm | None = None) -> Float:
    """Make the rhythm label.

    Parameters
    ----------
    rate : int
        Samples a second, 8000 to 192000.
    rhythm : Rhythm, optional

    Returns
    -------
    float32, shape (1, n)
        A tone of peak 0.5 in four marks with raised-cosine edges. A mark lasts, at half its
        height, exactly its units.

    Raises
    ------
    LabelError
        When the rate is outside.
    """
    check_rate(rate)
    rhythm = rhythm or Rhythm()
    edge = min(_EDGE, rhythm.unit / 6)
    # Half an edge more at both ends, so that the first and the last mark are whole.
    time = np.arange(round((rhythm.duration + edge) * rate)) / rate - edge / 2
    level = np.zeros(len(time))
    for first, units in MARKS:
        rise = (time - first * rhythm.unit) / edge
        fall = ((first + units) * rhythm.unit - time) / edge
        level += _ramp(rise) * _ramp(fall)
    tone = _PEAK * level * np.sin(2 * np.pi * rhythm.frequency * time)
    return tone.astype(np.float32)[None]


def _ramp(place: NDArray[np.float64]) -> NDArray[np.float64]:
    """Raised cosine from 0 to 1 between -1/2 and 1/2."""
    return 0.5 + 0.5 * np.sin(np.pi * np.clip(place, -0.5, 0.5))


def check_rate(rate: int) -> None:
    """Refuse sampling rates that no sound file of use has.

    Raises
    ------
    LabelError
        Below 8000 or above 192000 Hz.
    """
    if not RATES[0] <= rate <= RATES[1]:
        raise LabelError(
            f"audible labels need 8000 to 192000 samples a second, not {rate}",
            remedy="Resample the sound first",
        )
