"""Films, frame by frame, to all who look for marks in them: decoded in part, in constant memory.

The first seconds are looked at frame by frame, for the visible label; of the rest, samples: all of
a short film is decoded, of a long one only its key frames. The first sound track is listened to.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from aiglabel import listening
from aiglabel.errors import MediaError
from aiglabel.evidence import Evidence, Status
from aiglabel.key import Key
from aiglabel.marks import audible, overlay
from aiglabel.marks.watermark import MARK as WATERMARK
from aiglabel.marks.watermark import films as watermark
from aiglabel.media import Limits, video
from aiglabel.media.video_coding import Frame, VideoCoding
from aiglabel.media.video_display import display_size
from aiglabel.policy import Policy
from aiglabel.signal.video import Detection

MARKS = (overlay.MARK, audible.MARK, WATERMARK)
"""The marks that are seen and heard, not read."""

# Seconds from the start in which every frame is looked at for the label; it must show for two.
_BEGINNING = 2.6
# Seconds up to which all of a film is decoded, and frames that are looked at about, of either.
_SHORT = 60.0
_FRAMES = 120
# Seconds at the start in which key frames are counted.
_COUNTED = 30.0
_APART = 1 << 40


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
        coding = video.probe(film, limits=limits)
    except MediaError as error:
        problems.append(error)
        return {name: _unseen(name, "the film could not be decoded") for name in MARKS}, {}
    labels = overlay.Watcher(coding, policy.overlay)
    marks = watermark.Watcher(keys, effort=policy.watermark.effort)
    whole = True
    try:
        for frame, of_beginning in _frames(film, coding, limits):
            labels.see(frame)
            if not of_beginning or frame.number % _step(coding) == 0:
                marks.see(frame)
    except MediaError as error:
        problems.append(error)
        whole = False
    found = [labels.evidence(), marks.evidence()]
    if not whole:
        found = [listening.left_open(one, "seen") for one in found]
    heard = _heard(film, coding, policy, keys, limits, problems)
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
    coding = video.probe(film, limits=limits)
    marks = watermark.Watcher(keys, effort=effort)
    for frame, of_beginning in _frames(film, coding, limits):
        if not of_beginning or frame.number % _step(coding) == 0:
            marks.see(frame)
    if not (found := marks.found()):
        raise MediaError("there is no frame to look at")
    return found


def _frames(film: Path, coding: VideoCoding, limits: Limits) -> Iterator[tuple[Frame, bool]]:
    """Yield frames to look at, and whether each is of the beginning: all of that, then samples."""
    step, last = _step(coding), 0.0
    for frame in video.frames(film, seconds=_BEGINNING, limits=limits):
        yield frame, True
        last = frame.time
    if coding.seconds is not None and coding.seconds <= _BEGINNING:
        return
    if _short(coding):
        rest = video.frames(film, start=last, every=step, limits=limits)
    else:
        count = sum(1 for _ in video.frames(film, seconds=_COUNTED, keys=True, limits=limits))
        assert coding.seconds is not None
        every = max(1, round(max(count, 1) * coding.seconds / _COUNTED / _FRAMES))
        rest = video.frames(film, keys=True, every=every, limits=limits)
    for frame in rest:
        if frame.time > last:
            # Numbers of their own: they do not follow those of the beginning.
            yield replace(frame, number=frame.number + _APART), False


def _short(coding: VideoCoding) -> bool:
    return coding.seconds is None or coding.seconds <= _SHORT


def _step(coding: VideoCoding) -> int:
    """Every how manieth frame is looked at for the watermark, where all are decoded."""
    frames = min(coding.frames or _FRAMES, round(_SHORT * float(coding.rate or 30)))
    return max(1, round(frames / _FRAMES))


def _sounds(coding: VideoCoding) -> bool:
    return any(track.kind == "audio" for track in coding.tracks)


def _heard(
    film: Path,
    coding: VideoCoding,
    policy: Policy,
    keys: Sequence[Key],
    limits: Limits,
    problems: list[MediaError],
) -> dict[str, Evidence]:
    """Listen to the first sound track."""
    if not _sounds(coding):
        return {
            name: Evidence(mark=name, status=Status.ABSENT, detail="The film has no sound.")
            for name in listening.MARKS
        }
    with TemporaryDirectory(prefix="aiglabel-") as folder:
        path = Path(folder) / "sound.wav"
        try:
            video.extract_sound(film, path, limits=limits)
        except MediaError as error:
            problems.append(error)
            return {
                name: _unseen(name, "the sound could not be decoded") for name in listening.MARKS
            }
        source = replace(limits, max_bytes=max(limits.max_bytes, path.stat().st_size))
        heard, _ = listening.listen(path, policy, keys, limits=source, problems=problems)
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


def _unseen(mark: str, reason: str) -> Evidence:
    return Evidence(mark=mark, status=Status.UNDETERMINED, detail=reason)
