"""Films, frame by frame, to all who look for marks in them: decoded in part, in constant memory.

The first seconds are looked at frame by frame, for the visible label; of the rest, samples: of a
short film the frames that others are coded from are decoded, of a long one only key frames. The
first sound track is listened to.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from aiglabel import listening
from aiglabel.errors import MediaError
from aiglabel.evidence import Evidence, Status, left_open
from aiglabel.key import Key
from aiglabel.marks import audible, overlay
from aiglabel.marks.watermark import MARK as WATERMARK
from aiglabel.marks.watermark import films as watermark
from aiglabel.media import Limits, video
from aiglabel.media.video_coding import ROUNDED, Frame, VideoCoding
from aiglabel.media.video_display import display_size
from aiglabel.media.video_reading import OpenVideo
from aiglabel.policy import Policy
from aiglabel.signal.video import Detection

MARKS = (overlay.MARK, audible.MARK, WATERMARK)
"""The marks that are seen and heard, not read."""

# Seconds from the start in which every frame is looked at for the label; it must show for two.
_BEGINNING = 2.6
# Seconds up to which more than key frames are decoded, and frames that are looked at about.
_SHORT = 60.0
_FRAMES = 120
_LATER = 1 << 40


def watch(
    film: Path,
    policy: Policy,
    keys: Sequence[Key],
    *,
    limits: Limits,
    problems: list[MediaError],
) -> tuple[dict[str, Evidence], dict[str, Any]]:
    """Look for the visible label and the watermark, and listen to the sound.

    Parameters
    ----------
    film : Path
    policy : Policy
        What is looked for, and how hard.
    keys : sequence of Key
    limits : Limits
    problems : list of MediaError
        Why something could not be seen or heard is added to it. A mark that was not found in what
        could be is then UNDETERMINED.

    Returns
    -------
    evidence : dict of str to Evidence
        Of `MARKS`.
    facts : dict
        ``width`` and ``height`` as displayed, ``seconds``, ``rate`` (frames a second), ``codec``,
        ``sound`` (whether there is any); as far as they are known.
    """
    try:
        given = video.look(film, limits=limits)
    except MediaError as error:
        problems.append(error)
        return left_open(MARKS, "the film could not be decoded"), {}
    coding = given.coding
    labels = overlay.Watcher(coding, policy.overlay)
    marks = watermark.Watcher(keys, effort=policy.watermark.effort)
    whole = True
    try:
        for frame, sampled in looked_at(given):
            labels.see(frame)
            if sampled:
                marks.see(frame)
    except MediaError as error:
        problems.append(error)
        whole = False
    found = [labels.evidence(), marks.evidence()]
    if not whole:
        found = [listening.in_part(one, "seen") for one in found]
    heard = _heard(given, policy, keys, problems)
    width, height = display_size(coding)
    facts = {
        "width": width, "height": height, "seconds": coding.seconds,
        "rate": float(coding.rate) if coding.rate else None, "codec": coding.codec,
        "sound": _sounds(coding),
    }  # fmt: skip
    evidence = {one.mark: one for one in found}
    evidence[WATERMARK] = _joined(evidence[WATERMARK], heard[WATERMARK])
    evidence[audible.MARK] = heard[audible.MARK]
    return evidence, {name: value for name, value in facts.items() if value is not None}


def detect(film: Path, keys: Sequence[Key], *, effort: str, limits: Limits) -> list[Detection]:
    """Look for the watermark in the frames alone; one answer a key.

    Raises
    ------
    MediaError
        When the film cannot be decoded, or shows no frame.
    """
    marks = watermark.Watcher(keys, effort=effort)
    for frame, sampled in looked_at(video.look(film, limits=limits)):
        if sampled:
            marks.see(frame)
    if not (found := marks.found()):
        raise MediaError("there is no frame to look at")
    return found


def looked_at(given: OpenVideo) -> Iterator[tuple[Frame, bool]]:
    """Yield all frames of the beginning, then samples, and whether each is one of the samples.

    Raises
    ------
    MediaError
        As `video.frames`.
    """
    length = given.coding.seconds
    apart = min(length or _SHORT, _SHORT) / _FRAMES
    due = last = -math.inf
    for frame in video.frames(given, seconds=_BEGINNING):
        last = frame.time
        sampled = last >= due
        due = last + apart - ROUNDED if sampled else due
        yield frame, sampled
    if length is not None and length <= _BEGINNING:
        return
    if length is None or length <= _SHORT:
        rest = video.frames(given, start=last, which="references", apart=apart)
    else:
        rest = video.frames(given, which="keys", apart=length / _FRAMES)
    for frame in rest:
        if frame.time > last:
            # Numbers of their own: they do not follow those of the beginning.
            yield replace(frame, number=frame.number + _LATER), True


def _sounds(coding: VideoCoding) -> bool:
    return any(track.kind == "audio" for track in coding.tracks)


def _heard(
    given: OpenVideo, policy: Policy, keys: Sequence[Key], problems: list[MediaError]
) -> dict[str, Evidence]:
    """Listen to the first sound track."""
    if not _sounds(given.coding):
        return {
            name: Evidence(mark=name, status=Status.ABSENT, detail="The film has no sound.")
            for name in listening.MARKS
        }
    with TemporaryDirectory(prefix="aiglabel-") as folder:
        path = Path(folder) / "sound.wav"
        try:
            video.extract_sound(given, path)
        except MediaError as error:
            problems.append(error)
            return left_open(listening.MARKS, "the sound could not be decoded")
        heard, _ = listening.listen(path, policy, keys, limits=given.limits, problems=problems)
    return heard


def _joined(seen: Evidence, heard: Evidence) -> Evidence:
    """Tell of the watermark once: of the pictures, with that of the sound among its facts.

    Where only the sound has one, it is that of the film.
    """
    if heard.status is not Status.PRESENT:
        return seen
    told = {
        "payload": heard.payload, "statistic": heard.statistic, "threshold": heard.threshold,
        "p_value": heard.p_value, "where": heard.where, "detail": heard.detail,
    }  # fmt: skip
    if seen.status is Status.PRESENT:
        return replace(seen, facts={**seen.facts, "sound": told})
    where = f"sound track, {heard.where}" if heard.where else "sound track"
    detail = f"in the sound track alone: {heard.detail}"
    return replace(heard, where=where, detail=detail, facts={**heard.facts, "sound": told})
