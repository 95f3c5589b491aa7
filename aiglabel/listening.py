"""Sounds, piece by piece, to all who listen for marks in them: decoded once, in constant memory."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

from aiglabel.errors import MediaError
from aiglabel.evidence import Evidence, Status, left_open
from aiglabel.key import Key
from aiglabel.marks import audible
from aiglabel.marks.watermark import MARK as WATERMARK
from aiglabel.marks.watermark import sounds as watermark
from aiglabel.media import Limits, sound
from aiglabel.media.atomic import Source
from aiglabel.media.sound_coding import Coding, Samples, Sound
from aiglabel.policy import Policy
from aiglabel.signal.audio import LISTENED, Detection

MARKS = (audible.MARK, WATERMARK)
"""The marks that are heard, not read."""


def listen(
    source: Source | Sound,
    policy: Policy,
    keys: Sequence[Key],
    *,
    limits: Limits,
    problems: list[MediaError],
) -> tuple[dict[str, Evidence], dict[str, Any]]:
    """Listen for the audible label and the watermark.

    Parameters
    ----------
    source : path, bytes, open file or Sound
    policy : Policy
        What is listened for, and how hard.
    keys : sequence of Key
    limits : Limits
    problems : list of MediaError
        Why something could not be heard is added to it. A mark that was not found in what could be
        is then UNDETERMINED.

    Returns
    -------
    evidence : dict of str to Evidence
        Of `MARKS`.
    facts : dict
        ``seconds``, ``rate``, ``channels``, ``codec``; as far as they are known.
    """
    try:
        coding = _coding(source, limits)
        voices = policy.audible.own_voices
    except MediaError as error:
        problems.append(error)
        return left_open(MARKS, "the sound could not be decoded"), {}
    effort, seconds = policy.watermark.effort, _seconds(coding)
    labels = audible.Listener(coding.rate, seconds=seconds, voices=voices, effort=effort)
    marks = watermark.Listener(
        keys, rate=coding.rate, channels=coding.channels, seconds=seconds, effort=effort
    )
    heard, whole = 0, True
    try:
        for piece in _pieces(source, coding, limits):
            heard += piece.shape[1]
            labels.hear(piece)
            marks.hear(piece)
    except MediaError as error:
        problems.append(error)
        whole = False
    found = [labels.evidence(), marks.evidence()]
    if not whole:
        found = [in_part(one, "heard") for one in found]
    facts = {
        "seconds": round(heard / coding.rate, 3), "rate": coding.rate,
        "channels": coding.channels, "codec": coding.codec,
    }  # fmt: skip
    return {one.mark: one for one in found}, facts


def detect(
    source: Source | Sound, keys: Sequence[Key], *, effort: str, limits: Limits
) -> list[Detection]:
    """Look for the watermark alone; one answer a key.

    Raises
    ------
    MediaError
        When the sound cannot be decoded, holds no sample, or cannot carry the mark.
    """
    coding = _coding(source, limits)
    if why := watermark.refusal(coding.rate, coding.channels):
        raise MediaError(why)
    marks = watermark.Listener(
        keys, rate=coding.rate, channels=coding.channels, seconds=_seconds(coding), effort=effort
    )
    for piece in _pieces(source, coding, limits):
        marks.hear(piece)
        if marks.done:
            break
    if not (found := marks.found()):
        raise MediaError("there is no sound to look at")
    return found


def _coding(source: Source | Sound, limits: Limits) -> Coding:
    return source.coding if isinstance(source, Sound) else sound.probe(source, limits=limits)


def _pieces(source: Source | Sound, coding: Coding, limits: Limits) -> Iterable[Samples]:
    size = round(LISTENED * coding.rate)
    if isinstance(source, Sound):
        starts = range(0, source.y.shape[1], size)
        return (source.y[:, start : start + size] for start in starts)
    return sound.blocks(source, size=size, limits=limits)


def _seconds(coding: Coding) -> float | None:
    return None if coding.samples is None else coding.samples / coding.rate


def in_part(evidence: Evidence, done: str) -> Evidence:
    """What was not found in a part is open; what was found there is found."""
    if evidence.status is not Status.ABSENT:
        return evidence
    detail = f"{evidence.detail} Only a part could be {done}."
    return replace(evidence, status=Status.UNDETERMINED, detail=detail)
