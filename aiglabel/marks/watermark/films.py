"""The blind watermark in the frames of a film; see `signal.video`."""

from __future__ import annotations

import math
from collections.abc import Sequence

from aiglabel.evidence import Evidence, Outcome, Status
from aiglabel.key import Key
from aiglabel.marks.watermark import COMFORT, MARK, QUICK, certainty, evidence, outcome
from aiglabel.marks.watermark.pictures import particulars
from aiglabel.media.video_coding import Frame, VideoCoding
from aiglabel.signal import video
from aiglabel.signal.video import Detection


def refusal(coding: VideoCoding) -> str | None:
    """Say why a film cannot carry the mark, whatever it shows; None where it may."""
    if min(coding.width, coding.height) < video.LEAST_SIDE:
        least = f"it takes {video.LEAST_SIDE} pixels on the shortest side"
        return f"the film is too small for the watermark: {least}"
    return None


class Marking:
    """A film being marked: give it every frame in turn, then ask for the outcome.

    Parameters
    ----------
    coding : VideoCoding
    payload : bytes
        Exactly 8 bytes.
    key : Key
    strength : {"invisible", "balanced", "robust"}, optional

    Raises
    ------
    PayloadError
        When `payload` is not 8 bytes, or where `refusal` says why.
    """

    def __init__(
        self, coding: VideoCoding, payload: bytes, *, key: Key, strength: str | None = None
    ) -> None:
        self._marker = video.Marker(
            (coding.height, coding.width), payload, key=key, strength=strength, bits=coding.bits,
            full=coding.colour.range == "pc",
        )  # fmt: skip
        self._payload, self._key = payload, key
        self._strength = strength or video.DEFAULT_STRENGTH
        self._levels = 1 << (coding.bits - 8)
        self._first: float | None = None
        self.begins: float | None = None
        """When a frame was marked first, seconds from the first one; None before that."""

    def mark(self, frame: Frame) -> None:
        """Mark a frame in place; only its luma changes."""
        self._first = frame.time if self._first is None else self._first
        self._marker.mark(frame.y)
        if self.begins is None and self._marker.ratios:  # of black or white nothing can be
            self.begins = frame.time - self._first

    def outcome(self, seen: Detection | None) -> Outcome:
        """Tell what was written, and how much of it the finished film still holds.

        Parameters
        ----------
        seen : Detection or None
            What `Reader` found in the finished film.
        """
        ratios = [one for one in self._marker.ratios if math.isfinite(one)]
        why = (
            "it is bare"
            if self.begins is None
            else "it is too small, too flat, or coded too coarsely"
        )
        return outcome(
            seen, self._payload, self._key, medium="film", why=why,
            strength=self._strength, wire_format=video.WIRE_FORMAT,
            facts={
                "psnr_db": round(min(ratios), 2) if ratios else None,
                "largest_change": round(self._marker.largest / self._levels, 2),
            },
        )  # fmt: skip


class Reader:
    """Looks at frames of a finished film for one payload, where it should be.

    Frames are added up; after more and more of them it is asked whether that is enough.
    """

    def __init__(self, payload: bytes, *, key: Key) -> None:
        self._payload, self._key = payload, key
        self._viewer, self._due = video.Viewer(), 8
        self._found: Detection | None = None

    def see(self, frame: Frame) -> None:
        """Look at a frame, if it is still of interest."""
        if self.sure:
            return
        self._viewer.see(frame.y, frame.time)
        if self._viewer.frames == self._due:
            self._look()
            self._due *= 3

    @property
    def sure(self) -> bool:
        """Whether the payload was read with some margin."""
        found = self._found
        return (
            found is not None
            and found.payload == self._payload
            and found.statistic >= COMFORT * found.threshold
        )

    def found(self) -> Detection | None:
        """What was seen; None without a frame."""
        if not self.sure and self._viewer.frames:
            self._look()
        return self._found

    def _look(self) -> None:
        self._found = self._viewer.found([self._key], effort=QUICK)[0]


class Watcher:
    """Looks for the marks of keys in a film that comes frame by frame; frames may be left out.

    Parameters
    ----------
    keys : sequence of Key
    effort : {"quick", "full", "thorough"}
    """

    def __init__(self, keys: Sequence[Key], *, effort: str) -> None:
        self._keys, self._effort = list(keys), effort
        self._viewer = video.Viewer()

    @property
    def frames(self) -> int:
        """How many were looked at."""
        return self._viewer.frames

    def see(self, frame: Frame) -> None:
        """Look at a frame."""
        if self._keys:
            self._viewer.see(frame.y, frame.time)

    def found(self) -> list[Detection]:
        """The surest answer for each key, in the order of the keys; none without a frame."""
        if not self._viewer.frames:
            return []
        return self._viewer.found(self._keys, effort=self._effort)

    def evidence(self) -> Evidence:
        """Tell what was seen."""
        if not self._keys:
            detail = "no key was given to look with"
            return Evidence(mark=MARK, status=Status.NOT_CHECKED, detail=detail)
        answers = list(zip(self.found(), self._keys, strict=False))
        if not answers:
            return Evidence(mark=MARK, status=Status.UNDETERMINED, detail="there is no frame")
        found, key = max(answers, key=lambda one: certainty(one[0]))
        return evidence(
            found, key, tried=self._keys, effort=self._effort, where=_where(found),
            facts={**particulars(found), "frames": self.frames, "spans": found.spans},
        )  # fmt: skip


def _where(found: Detection) -> str | None:
    if not found.spans:
        return None
    return ", ".join(f"{begin:.1f} to {end:.1f} s" for begin, end in found.spans)
