"""The audible label: a rhythm or spoken words, made, put into a programme, and found again.

Source: GB 45438-2025, 5.3 (rules CN-A-01 … 05). Everywhere ``y`` is float32 (channels, n) in
[-1, 1]; rates are 8000 to 192000 samples a second.
"""

from __future__ import annotations

from aiglabel.marks.audible.clips import ClipFound, find_clips
from aiglabel.marks.audible.mark import MARK, AudibleStyle, Labelling, Listener
from aiglabel.marks.audible.place import Placed, Placement, Spot, place
from aiglabel.marks.audible.reader import RhythmFound, find_rhythm
from aiglabel.marks.audible.rhythm import Rhythm, make
from aiglabel.marks.audible.voices import TEXTS, Voice, shipped, voice

__all__ = [
    "MARK",
    "TEXTS",
    "AudibleStyle",
    "ClipFound",
    "Labelling",
    "Listener",
    "Placed",
    "Placement",
    "Rhythm",
    "RhythmFound",
    "Spot",
    "Voice",
    "find_clips",
    "find_rhythm",
    "make",
    "place",
    "shipped",
    "voice",
]
