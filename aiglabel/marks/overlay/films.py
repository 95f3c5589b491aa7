"""The visible label burnt into a film, on the Y, U and V of its frames as they are stored.

GB 45438-2025, 5.4: on the first frame, for 2 s at least, letters of 5 % of the shortest side of the
picture as it is displayed. So the label is laid out as for a picture of the displayed size, and
brought to the stored samples once: turned back, made as narrow as the pixels are, averaged to the
coarser grid of chroma. What a frame costs is a multiplication and an addition in a small box.
"""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, replace

import numpy as np

from aiglabel.containers.sniff import VideoFormat
from aiglabel.errors import LabelError
from aiglabel.evidence import Outcome
from aiglabel.marks.overlay.grid import Cover, averaged, turned_back
from aiglabel.marks.overlay.layout import Box, Layout, OverlayStyle, Position, contrast, plan
from aiglabel.marks.overlay.mark import MARK
from aiglabel.marks.overlay.sighting import LEAST_STEP, LIKENESS, Sighting, reduced
from aiglabel.marks.overlay.template import Gray
from aiglabel.marks.overlay.when import When, usual_seconds
from aiglabel.media.video_coding import Frame, Lead, VideoCoding
from aiglabel.media.video_display import (
    REFERENCE_WHITE,
    display_size,
    luma_range,
    quarter_turns,
    srgb,
    tone,
    upright_size,
)

# Height of a card's letters, as shares of the shortest side: the largest that fits. Those of the
# label come last.
_CARD_HEIGHTS = (0.12, 0.1, 0.08, 0.06)
_CONTRAST_EVERY = 1.0  # seconds between frames on which the contrast is measured
_CLOCK = 0.01  # seconds by which containers round times


_Placed = tuple[Cover, Box]
_Window = tuple[slice, slice]


@dataclass(frozen=True, eq=False)
class _Matte:
    """What becomes of one plane in a window: ``plane * keep + add``.

    Attributes
    ----------
    window : slices of rows and columns
    keep, add : float32 (rows, columns)
        `add` is half a step larger, as samples are cut off to whole numbers.
    """

    window: _Window
    keep: Gray
    add: Gray


class Caption:
    """A label that is burnt into the frames of one film.

    Where it cannot be legible at the required height, nothing is burnt and the outcome says so.

    Parameters
    ----------
    coding : VideoCoding
        Of the film whose frames are given; with rotation 0 where it goes into a container that
        does not turn films, as the label is to stand upright in what is then shown.
    style : OverlayStyle
    when : When
    """

    def __init__(self, coding: VideoCoding, style: OverlayStyle, when: When) -> None:
        self.coding = coding
        self.style = style
        self.when = when
        self.layout: Layout | None = None
        self._problem = "the film has no frames"
        self._first: float | None = None
        self._last = 0.0
        self._open = False
        self._spans: list[list[float]] = []
        self._frames = 0
        self._contrast: list[float] = []
        self._measure_at = 0.0
        try:
            self.layout = plan(*display_size(coding), style)
        except LabelError as error:
            self._problem = str(error)
        else:
            self._mattes = _mattes(self.layout, coding)
            self._card = _mattes(_card(self.layout), coding) if when.card else []
            self._legibility = _Legibility(self.layout, coding, self._mattes[0].window)

    def burn(self, frame: Frame) -> None:
        """Change the samples of `frame` under the label in place, if it is one that shows it."""
        if self.layout is None:
            return
        if self._first is None:
            # That of the film, not of the card.
            self._first = frame.time + self.when.card
        time = frame.time - self._first
        shown = self.when.shows(time, self.coding.seconds)
        if self._open:
            self._spans[-1][1] = time
        if shown and not self._open:
            self._spans.append([time, time])
        self._open, self._last = shown, time
        if not shown:
            return
        self._frames += 1
        _lay(self._mattes, frame)
        if time >= self._measure_at:
            self._contrast.append(self._legibility.of(frame))
            self._measure_at = time + _CONTRAST_EVERY

    @property
    def lead(self) -> Lead | None:
        """What is shown before the film: a card, if one is asked for and its label is legible."""
        shown = self.layout is not None and self.when.card > 0
        return Lead(self.when.card, self._show_card) if shown else None

    def _show_card(self, frame: Frame) -> None:
        """Make of `frame` the card: black, the label large in the middle, and at its usual place.

        There it stands without a break from the card's first frame on. Of the card's frames, which
        are all the same, this takes the first.
        """
        black, _ = luma_range(self.coding)
        for number, plane in enumerate(frame.planes):
            plane[:] = 1 << (self.coding.bits - 1) if number else black
        _lay(self._card, frame)
        self.burn(frame)

    def outcome(self) -> Outcome:
        """Return what has become of the label in the frames so far."""
        layout = self.layout
        if layout is None or not self._frames:
            return Outcome(mark=MARK, written=False, detail=f"not drawn: {self._problem}")
        spans = self._closed()
        shown = ", ".join(f"{start:g} to {stop:g} s" for start, stop in spans)
        if self.when.end and self.coding.seconds is None and not self.when.whole:
            shown += "; not at the end, as the film does not tell its length"
        return Outcome(
            mark=MARK,
            written=True,
            detail=f"{layout.detail}, shown from {shown}",
            facts={**layout.facts(min(self._contrast)), "spans": spans, "frames": self._frames},
        )

    def _closed(self) -> list[list[float]]:
        """Return the spans; one that is open lasts as long as its last frame usually would."""
        spans = [list(span) for span in self._spans]
        if self._open:
            spans[-1][1] = self._last + usual_seconds(self.coding)
        card = self.when.card
        return [[round(start + card, 3), round(stop + card, 3)] for start, stop in spans]


def holds_film(caption: Caption, frames: Iterable[Frame], coding: VideoCoding) -> bool:
    """Whether every one of the frames that were to show the label does.

    Parameters
    ----------
    caption : Caption
        That was burnt in.
    frames : iterable of Frame
        Of the written film, from its first one on; as many as are to be looked at.
    coding : VideoCoding
        Of the written film.

    Returns
    -------
    bool
        False also where there are no frames.
    """
    layout = caption.layout
    if layout is None:
        return False
    # The container may have moved a frame over the edge of a span; AVI counts frames, not time.
    slack = usual_seconds(coding) if coding.container is VideoFormat.AVI else _CLOCK
    first: float | None = None
    sighting: Sighting | None = None
    for frame in frames:
        first = frame.time if first is None else first
        time = frame.time - first - caption.when.card
        around = (time - slack, time, time + slack)
        if not all(caption.when.shows(moment, caption.coding.seconds) for moment in around):
            continue
        gray = reduced(frame, coding)
        if sighting is None:
            scale = gray.shape[1] / layout.width, gray.shape[0] / layout.height
            block = layout.block
            sighting = Sighting.of(layout.text_box, block.ink, block.ink_height, scale)
        sight = sighting.see(gray)
        if sight.likeness < LIKENESS or sight.step < LEAST_STEP:
            return False
    return sighting is not None


def _card(label: Layout) -> Layout:
    """Lay the label out large, in the middle."""
    heights = (*_CARD_HEIGHTS, label.style.height_ratio)
    for height in heights:
        style = replace(
            label.style, height_ratio=height, height_rule="strict", position=Position.TOP
        )
        with suppress(LabelError):
            large = plan(label.width, label.height, style)
            break
    else:
        large = label
    down = (label.height - large.box[1] - large.box[3]) // 2
    return replace(large, box=_lower(large.box, down), text_box=_lower(large.text_box, down))


def _lower(box: Box, down: int) -> Box:
    return box[0], box[1] + down, box[2], box[3] + down


def _lay(mattes: list[_Matte], frame: Frame) -> None:
    for plane, matte in zip(frame.planes, mattes, strict=True):
        patch = plane[matte.window]
        patch[:] = patch * matte.keep + matte.add


def _mattes(layout: Layout, coding: VideoCoding) -> list[_Matte]:
    """Bring a label to the samples of every plane."""
    black, top = luma_range(coding)
    white = black + (top - black) * REFERENCE_WHITE.get(str(coding.colour.transfer), 1.0)
    letters, shade = _stored(layout, coding)
    mattes = []
    for number, shape in enumerate(coding.pixel_format.shapes(coding.width, coding.height)):
        pitch = _pitch(coding, chroma=number > 0)
        cells, light = averaged(*letters, pitch)
        covered = light + (averaged(*shade, pitch)[1] - light) * np.float32(layout.style.opacity)
        if number:
            add = 2 ** (coding.bits - 1) * covered
        else:
            add = white * light + black * (covered - light)
        window = np.s_[cells[1] : cells[3], cells[0] : cells[2]]
        # Rounding may name one sample more than there is.
        inside = np.s_[: shape[0] - cells[1], : shape[1] - cells[0]]
        mattes.append(_Matte(window, 1 - covered[inside], (add + np.float32(0.5))[inside]))
    return mattes


def _stored(layout: Layout, coding: VideoCoding) -> tuple[_Placed, _Placed]:
    """Return letters and dark shape, 0 to 1, turned as frames are stored, with their boxes."""
    shade = layout.shade.astype(np.float32) / 255
    letters = layout.ink.astype(np.float32) / 255 * shade
    size, turns = (layout.width, layout.height), quarter_turns(coding)
    return (
        turned_back(letters, layout.box, size, turns),
        turned_back(shade, layout.box, size, turns),
    )


def _pitch(coding: VideoCoding, *, chroma: bool) -> tuple[float, float]:
    """Return width and height of a sample in px of the picture before turning."""
    across, down = coding.pixel_format.shift or (0, 0) if chroma else (0, 0)
    return upright_size(coding)[0] / coding.width * 2**across, 2.0**down


class _Legibility:
    """Measures the contrast of a burnt label, on luma as it is stored."""

    def __init__(self, layout: Layout, coding: VideoCoding, window: _Window) -> None:
        self._window = window
        self._coding = coding
        pitch = _pitch(coding, chroma=False)
        self._ink, self._shade = (
            np.rint(255 * averaged(*placed, pitch)[1]).astype(np.uint8)
            for placed in _stored(layout, coding)
        )

    def of(self, frame: Frame) -> float:
        """Return the WCAG contrast ratio in one frame."""
        black, top = luma_range(self._coding)
        levels = (frame.y[self._window].astype(np.float32) - black) / np.float32(top - black)
        if self._coding.colour.hdr:
            levels = srgb(tone(levels, str(self._coding.colour.transfer)))
        high, wide = levels.shape
        pixels = np.clip(levels, 0, 1)[..., None]
        return contrast(pixels, "gray", self._ink[:high, :wide], self._shade[:high, :wide])
