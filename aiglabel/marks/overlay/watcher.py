"""Watching a film for its visible label: on the first frame, and for how long from there.

The full search for a label that may be anywhere (`reader`) is made on the first frame, and where
nothing is there, on a few later ones. On all others it is only asked whether the label that was
found stands at its place (`sighting`), also on those before it was found.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from itertools import pairwise
from statistics import median

import numpy as np
from numpy.typing import NDArray

from aiglabel.evidence import Evidence, Status
from aiglabel.marks.overlay.layout import OverlayStyle
from aiglabel.marks.overlay.mark import MARK
from aiglabel.marks.overlay.reader import Found, locate
from aiglabel.marks.overlay.sighting import LEAST_STEP, LIKENESS, Sight, Sighting, reduced
from aiglabel.marks.overlay.template import Gray
from aiglabel.marks.overlay.when import usual_seconds
from aiglabel.media.video_coding import Frame, VideoCoding
from aiglabel.media.video_display import display_size, displayed

_SEARCHES = (0.0, 1.0, 2.0, 5.0)  # seconds after the first frame
_MOST_KEPT = 48 << 20  # bytes of reduced frames that wait for a label to be found
_FULL = 0.5  # share of the label's greatest contrast from which on it is there, and not fading


@dataclass(frozen=True)
class _Seen:
    """A frame that was looked at; `time` in seconds after the first one."""

    number: int
    time: float
    sight: Sight


class Watcher:
    """Looks at frames of one film, and says what it saw of the label.

    Parameters
    ----------
    coding : VideoCoding
    style : OverlayStyle, optional
        One to look for besides the usual ones.
    """

    def __init__(self, coding: VideoCoding, style: OverlayStyle | None = None) -> None:
        self._coding = coding
        self._style = style
        self._first: float | None = None
        self._seen: list[_Seen] = []
        self._searches = 0
        self._evidence: Evidence | None = None
        self._found: Found | None = None
        self._sighting: Sighting | None = None
        self._waiting: dict[int, NDArray[np.float16]] = {}

    def see(self, frame: Frame) -> None:
        """Look at a frame: every one of the first seconds, then any later ones, in order.

        Frames follow each other where their numbers do; from the first gap on they are samples.
        """
        if self._first is None:
            self._first = frame.time
        time = frame.time - self._first
        if self._seen and time <= self._seen[-1].time:
            return
        gray = reduced(frame, self._coding)
        if self._sighting is None and self._searches < len(_SEARCHES):
            self._waiting[len(self._seen)] = gray.astype(np.float16)
        self._seen.append(_Seen(frame.number, time, self._sight(gray)))
        if self._waiting and self._due(time):
            self._search(frame)

    def evidence(self) -> Evidence:
        """Return what was seen so far.

        Returns
        -------
        Evidence
            As `reader.find` gives it for the frame in which the label was found, and in ``facts``:
            first_frame, whether the first frame shows it; shown_s, for how many seconds from there
            without a gap; watched_s, for how many seconds from there every frame was looked at;
            spans, [[from, to], …] in seconds after the first frame, where two samples that show it
            are taken to show it in between.
        """
        if self._found:
            self._settle(self._found)
        shown = self._shown()
        ends = self._ends()
        watched = self._unbroken(True for _ in shown)
        facts = {
            "first_frame": bool(shown and shown[0]),
            "shown_s": round(ends[self._unbroken(shown) - 1], 3) if shown and shown[0] else 0.0,
            "watched_s": round(ends[watched - 1], 3) if watched else 0.0,
            "spans": self._spans(shown, ends),
        }
        found = self._evidence
        if found is None:
            detail = "No frame of the film was looked at."
            return Evidence(mark=MARK, status=Status.NOT_CHECKED, detail=detail, facts=facts)
        detail = found.detail
        if found.status is not Status.ABSENT:
            first = f"from the first frame for {facts['shown_s']:g} s"
            said = first if facts["first_frame"] else "not on the first frame"
            detail = f"{detail.removesuffix('.')}, {said}."
        return replace(found, detail=detail, facts={**found.facts, **facts})

    # ------------------------------------------------------------------ looking

    def _sight(self, gray: Gray) -> Sight:
        return self._sighting.see(gray) if self._sighting else Sight(0.0, 0.0)

    def _due(self, time: float) -> bool:
        kept = sum(gray.nbytes for gray in self._waiting.values())
        return time >= _SEARCHES[self._searches] or kept > _MOST_KEPT

    def _search(self, frame: Frame) -> None:
        evidence, found = locate(displayed(frame, self._coding), also=self._style)
        self._searches += 1
        best = self._evidence
        if best is None or (evidence.statistic or 0.0) > (best.statistic or 0.0):
            self._evidence, self._found = evidence, found
        last = self._searches == len(_SEARCHES)
        if self._found and (last or evidence.status is Status.PRESENT):
            self._settle(self._found)
        elif last:
            self._waiting.clear()

    def _settle(self, found: Found) -> None:
        """Look at the frames that have waited for the place of the label."""
        for number, kept in self._waiting.items():
            gray = kept.astype(np.float32)
            if self._sighting is None:
                width, height = display_size(self._coding)
                scale = gray.shape[1] / width, gray.shape[0] / height
                self._sighting = Sighting.of(found.box, found.ink, found.ink_height, scale)
            self._seen[number] = replace(self._seen[number], sight=self._sight(gray))
        self._waiting.clear()

    # ------------------------------------------------------------------ judging

    def _shown(self) -> list[bool]:
        """Tell for every frame whether it shows the label, at no less than half its contrast."""
        alike = [seen.sight.step for seen in self._seen if seen.sight.likeness >= LIKENESS]
        least = _FULL * max(alike, default=0.0)
        return [
            seen.sight.likeness >= LIKENESS and seen.sight.step >= max(least, LEAST_STEP)
            for seen in self._seen
        ]

    def _unbroken(self, wanted: Iterable[bool]) -> int:
        """Count the frames from the first one on, each following the one before, as `wanted`."""
        number = None
        for count, (seen, want) in enumerate(zip(self._seen, wanted, strict=True)):
            if not want or number not in (None, seen.number - 1):
                return count
            number = seen.number
        return len(self._seen)

    def _ends(self) -> list[float]:
        """Return when each frame ends: with the next one, or after as long as is usual."""
        times = [seen.time for seen in self._seen]
        watched = self._unbroken(True for _ in times)
        gaps = [after - before for before, after in pairwise(times[:watched])]
        usual = median(gaps) if gaps else usual_seconds(self._coding)
        return [*times[1:watched], *(time + usual for time in times[max(watched - 1, 0) :])]

    def _spans(self, shown: list[bool], ends: list[float]) -> list[list[float]]:
        spans: list[list[float]] = []
        before = False
        for seen, shows, end in zip(self._seen, shown, ends, strict=True):
            if shows and not before:
                spans.append([round(seen.time, 3), 0.0])
            if shows:
                spans[-1][1] = round(end, 3)
            before = shows
        return spans
