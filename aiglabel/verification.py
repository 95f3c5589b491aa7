"""Verification: every mark is looked for, the cheapest first, and judged by pure functions.

Hostile bytes end in a report, never in a crash: what could not be read is UNDETERMINED and told in
``problems``. Nothing is fetched from the network.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, BinaryIO, TypeVar

from aiglabel import listening, media, watching
from aiglabel.containers.sniff import AnyFormat, Format, SoundFormat
from aiglabel.errors import MediaError, ResourceLimit
from aiglabel.evidence import Evidence, Status
from aiglabel.key import Key
from aiglabel.marks import aigc, credentials, iptc, overlay
from aiglabel.marks.credentials import TrustProfile
from aiglabel.marks.watermark import MARK as WATERMARK
from aiglabel.marks.watermark import certainty, pictures
from aiglabel.media import Limits, Picture, sound_arrays
from aiglabel.media.sound_coding import Sound
from aiglabel.media.taken import Taken, taken
from aiglabel.policy import Policy, WatermarkPolicy
from aiglabel.report import Report, comply, decide
from aiglabel.rules import check
from aiglabel.signal import image
from aiglabel.signal.budget import DEFAULT_EFFORT
from aiglabel.signal.detection import Detection
from aiglabel.version import toolkit_version

T = TypeVar("T")
Problems = list[MediaError]
Facts = dict[str, Any]
Data = bytes | BinaryIO
_UNKNOWN = "not a format this version reads"
_METADATA_MARKS = (aigc.MARK, iptc.MARK)
_PIXEL_MARKS = (overlay.MARK, WATERMARK)


def verify(
    src: Any,
    *,
    policy: Policy | None = None,
    keys: Sequence[Key] | Key = (),
    trust: TrustProfile | None = None,
    rate: float | None = None,
    declared: bool = False,
    effort: str | None = None,
    limits: Limits | None = None,
) -> Report:
    """Look for every mark and judge.

    Parameters
    ----------
    src : path, bytes, binary file, PIL.Image, array or tensor
        Any file: of one that is no picture, sound or film only C2PA credentials are read. A
        manifest lying beside a path as ``<file>.c2pa`` is read where the file has none.
    policy : Policy, optional
        Whose rules are judged; default preset ``cn``.
    keys : Key or sequence of Key
        Watermark keys to try; the open key is always tried too.
    trust : TrustProfile, optional
        Default: what the policy names, and the development root of this machine.
    rate : int, optional
        Samples a second: says that an array (channels, n) or (n,) is a sound.
    declared : bool
        Whether the sender declared the content AI-generated (Labeling Measures Art. 6(2)).
    effort : {"quick", "full", "thorough"}, optional
        How hard the watermark is looked for, see `detect_watermark`. Default: what the policy
        says, "full" where it says nothing.
    limits : Limits, optional

    Returns
    -------
    Report

    Raises
    ------
    MediaError
        When the file cannot be opened or has more bytes than the limits allow.
    PolicyError
        When there is no such effort.
    """
    policy = policy or Policy.preset("cn")
    if effort is not None:
        policy = policy.changed(watermark={"effort": effort})
    trust = trust or TrustProfile.named(policy.credentials.trust).with_dev()
    limits = limits or Limits()
    path = os.fspath(src) if isinstance(src, (str, os.PathLike)) else None
    case = _Case(policy, _with_open_key(keys), trust, limits)
    if media.is_file(src):
        with taken(src, limits) as given:
            evidence, facts, digest = case.of_file(given, path)
    else:
        evidence, facts, digest = *case.of_array(src, rate), None
    findings = tuple(check(policy.rules, evidence, facts, policy.thresholds))
    return Report(
        file=path,
        sha256=digest,
        media=facts,
        verdict=decide(evidence, declared=declared),
        compliance=comply(findings),
        evidence=tuple(evidence.values()),
        findings=findings,
        problems=tuple(dict.fromkeys(map(str, case.problems))),
        policy=policy.name,
        trust=trust.name,
        checked_at=datetime.now(UTC).replace(microsecond=0).isoformat(),
        version=toolkit_version(),
    )


def detect_watermark(
    src: Any,
    *,
    keys: Sequence[Key] | Key = (),
    rate: float | None = None,
    effort: str = DEFAULT_EFFORT,
    locate: bool = False,
    limits: Limits | None = None,
) -> Detection:
    """Look for the blind watermark alone.

    Parameters
    ----------
    src : path, bytes, binary file, PIL.Image, array or tensor
        Of an animation the first frame. A sound is listened to until a mark is read. Of a film,
        frames; its sound is for `verify` to hear.
    keys : Key or sequence of Key
        The open key is always tried too; the strongest answer is returned.
    rate : int, optional
        Samples a second: says that an array (channels, n) or (n,) is a sound.
    effort : {"quick", "full", "thorough"}
        "quick" looks at the picture as it is. "full" also finds the mark in cropped, turned and
        bent pictures and in screenshots; where there is nothing that takes up to about a second.
        "thorough" searches several seconds, and for marks of the first format too. Of a sound,
        "full" also looks at other tempos and pitches and behind cuts, in a few pieces of a long
        one; "thorough" in all of it.
    locate : bool
        Also say where in the picture a mark is that was read: `image.Detection.presence`.

    Returns
    -------
    Detection
        `signal.image.Detection` of a picture, `signal.audio.Detection` of a sound,
        `signal.video.Detection` of a film.

    Raises
    ------
    MediaError
        When `src` cannot be read as a picture, sound or film.
    PolicyError
        When there is no such effort.
    """
    effort = WatermarkPolicy(effort=effort).effort  # refuses what there is not
    limits = limits or Limits()
    tried = _with_open_key(keys)
    if not media.is_file(src):
        if rate is not None:
            samples = _samples(src, rate, limits)
            return _surest(listening.detect(samples, tried, effort=effort, limits=limits))
        picture = _first(media.from_array(src, limits=limits))
        return _surest(_in_picture(picture, tried, effort, locate=locate))
    with taken(src, limits) as given:
        if given.path is not None:
            kind = listening if isinstance(given.format, SoundFormat) else watching
            return _surest(kind.detect(given.path, tried, effort=effort, limits=limits))
        picture = media.decode(given.data, limits=limits)
        return _surest(_in_picture(picture, tried, effort, locate=locate))


def _in_picture(
    picture: Picture, keys: Sequence[Key], effort: str, *, locate: bool
) -> Sequence[Detection]:
    pixels = pictures.first_frame(picture)
    return image.detect_any(pixels, keys=keys, effort=effort, locate=locate)


def _surest(found: Sequence[Detection]) -> Detection:
    return max(found, key=certainty)


@dataclass(frozen=True)
class _Case:
    """What is looked for, and what went wrong on the way."""

    policy: Policy
    keys: Sequence[Key]
    trust: TrustProfile
    limits: Limits
    problems: Problems = field(default_factory=list)

    def of_file(self, given: Taken, path: str | None) -> tuple[dict[str, Evidence], Facts, str]:
        """Return the evidence, the facts about the media, and SHA-256 of the file."""
        if given.problem is not None:
            self.problems.append(given.problem)
        with given.opened() as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()  # type: ignore[arg-type]
            data = file if given.path else given.data
            evidence = _read_metadata(data, given.format, self.problems)
            evidence[credentials.MARK] = _read_credentials(
                data, given.format, self.trust, path, self.limits, self.problems
            )
        shown, facts = self._perceived(given)
        for problem in self.problems:
            if problem.path == str(given.path):  # the report names the file, if it has a name
                problem.path = None
        return {**evidence, **shown}, facts, digest

    def _perceived(self, given: Taken) -> tuple[dict[str, Evidence], Facts]:
        fmt = given.format
        how: dict[str, Any] = {"limits": self.limits, "problems": self.problems}
        if given.path is not None and fmt is not None:
            heard = isinstance(fmt, SoundFormat)
            perceive = listening.listen if heard else watching.watch
            evidence, told = perceive(given.path, self.policy, self.keys, **how)
            kind = "audio" if heard else "video"
            return evidence, {"kind": kind, "format": fmt.value, **told}
        picture = None
        if isinstance(fmt, Format):
            picture = _told(self.problems, lambda: media.decode(given.data, limits=self.limits))
        return _read_pixels(picture, fmt, self.policy, self.keys), _facts(fmt, picture)

    def of_array(self, src: Any, rate: float | None) -> tuple[dict[str, Evidence], Facts]:
        """Return the evidence in decoded pixels or samples, and the facts about them."""
        skipped = "an array carries no metadata"
        unread = {name: _unread(name, skipped) for name in (*_METADATA_MARKS, credentials.MARK)}
        if rate is not None:
            evidence, told = listening.listen(
                _samples(src, rate, self.limits), self.policy, self.keys, limits=self.limits,
                problems=self.problems,
            )  # fmt: skip
            return {**unread, **evidence}, {"kind": "audio", "format": None, **told}
        picture = _first(media.from_array(src, limits=self.limits))
        pixels = _read_pixels(picture, None, self.policy, self.keys)
        return {**unread, **pixels}, _facts(None, picture)


def _samples(src: Any, rate: float | None, limits: Limits) -> Sound:
    return sound_arrays.from_samples(src, rate or 0, limits=limits)[0]


def _told(problems: Problems, read: Callable[[], T]) -> T | None:
    """Run a reader of untrusted bytes; note why it could not read."""
    try:
        return read()
    except MediaError as error:
        problems.append(error)
        return None


def _read_metadata(data: Data, fmt: AnyFormat | None, problems: Problems) -> dict[str, Evidence]:
    if fmt is None:
        return {name: _unread(name, _UNKNOWN) for name in _METADATA_MARKS}
    found = {
        aigc.MARK: _told(problems, lambda: aigc.read(data, fmt)),
        iptc.MARK: _told(problems, lambda: iptc.read(data, fmt)),
    }
    reason = "the file is broken"
    return {name: one or _unread(name, reason, broken=True) for name, one in found.items()}


def _read_credentials(
    data: Data,
    fmt: AnyFormat | None,
    trust: TrustProfile,
    path: str | None,
    limits: Limits,
    problems: Problems,
) -> Evidence:
    # The SDK knows no limits of its own: what overtaxed our readers is not given to it.
    if any(isinstance(one, ResourceLimit) for one in problems):
        return _unread(credentials.MARK, "the file has too many parts", broken=True)
    sidecar = _sidecar(path, limits)
    if fmt is not None and sidecar is None and credentials.takes_none(data, fmt):
        detail = "Such a file carries no C2PA manifest, and none lies beside it"
        return Evidence(mark=credentials.MARK, status=Status.ABSENT, detail=detail)
    mime = fmt.mime if fmt else None
    return credentials.read(data, mime, trust=trust, sidecar=sidecar)


def _read_pixels(
    picture: Picture | None, fmt: AnyFormat | None, policy: Policy, keys: Sequence[Key]
) -> dict[str, Evidence]:
    if picture is None:
        # Of what is no picture at all nothing was asked; a picture that does not decode is open.
        reason = "the pixels could not be decoded" if fmt else _UNKNOWN
        return {name: _unread(name, reason, broken=fmt is not None) for name in _PIXEL_MARKS}
    return {
        overlay.MARK: overlay.read(picture, policy.overlay),
        WATERMARK: pictures.read(picture, keys, effort=policy.watermark.effort),
    }


def _unread(mark: str, reason: str, *, broken: bool = False) -> Evidence:
    status = Status.UNDETERMINED if broken else Status.NOT_CHECKED
    return Evidence(mark=mark, status=status, detail=reason)


def _facts(fmt: AnyFormat | None, picture: Picture | None) -> Facts:
    pictured = fmt is not None or picture is not None
    facts: Facts = {
        "kind": "image" if pictured else "other", "format": fmt.value if fmt else None,
    }  # fmt: skip
    if picture is not None:
        width, height = picture.size
        facts |= {"width": width, "height": height, "frames": len(picture.frames)}
    return facts


def _sidecar(path: str | None, limits: Limits) -> bytes | None:
    if path is None:
        return None
    beside = Path(f"{path}{credentials.SIDECAR_SUFFIX}")
    with suppress(MediaError, OSError):  # the longer name may be too long
        return media.read_source(beside, limits) if beside.is_file() else None
    return None


def _with_open_key(keys: Sequence[Key] | Key) -> list[Key]:
    given = [keys] if isinstance(keys, Key) else keys
    return list(dict.fromkeys([*given, Key.public()]))


def _first(pictures: Picture | list[Picture]) -> Picture:
    return pictures[0] if isinstance(pictures, list) else pictures
