"""When a film shows its visible label.

Source: Labeling Measures Art. 4(4): on the starting frame, and also in the middle and at the end
where that is fitting; GB 45438-2025 5.4: for at least 2 s at normal speed (CN-V-01, CN-V-02).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from aiglabel.errors import LabelError
from aiglabel.media.video_coding import VideoCoding

_USUAL = 1 / 25  # seconds of a frame where nothing tells
_CARD = (1.0, 60.0)  # seconds: who reads shorter ones, who waits for longer ones?
LEAST_SECONDS = 2.0
"""What the standard asks for at the start."""


@dataclass(frozen=True, kw_only=True)
class When:
    """When a film shows its label; at the start in any case.

    Attributes
    ----------
    seconds : float
        For how long at the start, and at the end; from 2.
    whole : bool
        From the first frame to the last.
    end : bool
        Also in the last `seconds`.
    at : tuple of (float, float)
        Also from … to …, seconds after the first frame.
    card : float
        For how long a card that says the label comes before the film; 0 for none.
    """

    seconds: float = 3.0
    whole: bool = False
    end: bool = False
    at: tuple[tuple[float, float], ...] = ()
    card: float = 0.0

    def __post_init__(self) -> None:
        if not LEAST_SECONDS <= self.seconds < math.inf:
            raise LabelError(
                f"a label is shown for {LEAST_SECONDS:g} seconds at least, not {self.seconds:g}",
                remedy="GB 45438-2025 5.4 asks for 2 s at the start; name more, or leave it out",
            )
        if self.card and not _CARD[0] <= self.card <= _CARD[1]:
            raise LabelError(
                f"a card is shown for {_CARD[0]:g} to {_CARD[1]:g} seconds, not {self.card:g}",
                remedy="Name as many, or 0 for no card",
            )
        spans = tuple(tuple(map(float, span)) for span in self.at)
        if any(len(span) != 2 or not 0 <= span[0] < span[1] < math.inf for span in spans):
            raise LabelError(
                "a label is shown from one second to a later one",
                remedy="Write at = [[10, 15], [60, 62.5]]",
            )
        object.__setattr__(self, "at", spans)

    def shows(self, time: float, length: float | None) -> bool:
        """Whether the frame at `time` seconds after the first one carries the label.

        `length` is that of the film, None where it is not known: there is then no end. Times below
        0 are those of the card.
        """
        if self.whole or time < self.seconds:
            return True
        if self.end and length is not None and time >= length - self.seconds:
            return True
        return any(start <= time < stop for start, stop in self.at)


def usual_seconds(coding: VideoCoding) -> float:
    """Return for how long a frame is shown, as a rule."""
    return float(1 / coding.rate) if coding.rate else _USUAL
