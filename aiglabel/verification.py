"""Verification: every mark is looked for, the cheapest first, and judged by pure functions.

Hostile bytes end in a report, never in a crash: what could not be read is UNDETERMINED and told in
``problems``. Nothing is fetched from the network.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

from aiglabel import listening, media
from aiglabel.containers.sniff import AnyFormat, Format, SoundFormat, VideoFormat, sniff_media
from aiglabel.errors import MediaError, ResourceLimit
from aiglabel.evidence import Evidence, Status
from aiglabel.key import Key
from aiglabel.marks import aigc, credentials, iptc, overlay
from aiglabel.marks.credentials import TrustProfile
from aiglabel.marks.watermark import MARK as WATERMARK
from aiglabel.marks.watermark import certainty, pictures
from aiglabel.media import Limits, Picture, sound_arrays
from aiglabel.media.sound_coding import Sound
from aiglabel.policy import Policy, WatermarkPolicy
from aiglabel.report import Report, comply, decide
from aiglabel.rules import check
from aiglabel.signal import image
from aiglabel.signal.detection import Detection
from aiglabel.signal.detector import DEFAULT_EFFORT
from aiglabel.version import toolkit_version

T = TypeVar("T")
Problems = list[MediaError]
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
        Any file: of one that is neither picture nor sound only C2PA credentials are read. A
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
    data = media.read_source(src, limits) if media.is_file(src) else None
    problems: Problems = []
    evidence: dict[str, Evidence] = {}
    fmt = None if data is None else _told(problems, lambda: sniff_media(data))
    if data is None:
        skipped = "an array carries no metadata"
        evidence |= {name: _unread(name, skipped) for name in (*_METADATA_MARKS, credentials.MARK)}
    else:
        evidence |= _read_metadata(data, fmt, problems)
        evidence[credentials.MARK] = _read_credentials(data, fmt, trust, path, limits, problems)
    facts: dict[str, Any]
    if isinstance(fmt, SoundFormat) or rate is not None:
        samples = _samples(src, rate, limits) if data is None else data
        heard, told = listening.listen(
            samples, policy, _with_open_key(keys), limits=limits, problems=problems
        )
        evidence |= heard
        facts = {"kind": "audio", "format": fmt.value if fmt else None, **told}
    elif isinstance(fmt, VideoFormat):
        evidence |= {name: _unread(name, "frames are not looked at yet") for name in _PIXEL_MARKS}
        facts = {"kind": "video", "format": fmt.value}
    else:
        picture = _decode(src if data is None else data, fmt, problems, limits)
        evidence |= _read_pixels(picture, fmt, policy, keys)
        facts = _facts(fmt, picture)
    findings = tuple(check(policy.rules, evidence, facts, policy.thresholds))
    return Report(
        file=path,
        sha256=hashlib.sha256(data).hexdigest() if data is not None else None,
        media=facts,
        verdict=decide(evidence, declared=declared),
        compliance=comply(findings),
        evidence=tuple(evidence.values()),
        findings=findings,
        problems=tuple(dict.fromkeys(map(str, problems))),
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
        Of an animation the first frame. A sound is listened to until a mark is read.
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
        `signal.image.Detection` of a picture, `signal.audio.Detection` of a sound.

    Raises
    ------
    MediaError
        When `src` cannot be read as a picture or sound.
    PolicyError
        When there is no such effort.
    """
    effort = WatermarkPolicy(effort=effort).effort  # refuses what there is not
    limits, found = limits or Limits(), list[Detection]()
    tried = _with_open_key(keys)
    data = media.read_source(src, limits) if media.is_file(src) else None
    if data is not None and isinstance(sniff_media(data), SoundFormat):
        found += listening.detect(data, tried, effort=effort, limits=limits)
    elif data is None and rate is not None:
        samples = _samples(src, rate, limits)
        found += listening.detect(samples, tried, effort=effort, limits=limits)
    else:
        picture = (
            _first(media.from_array(src, limits=limits)) if data is None
            else media.decode(data, limits=limits)
        )  # fmt: skip
        pixels = pictures.first_frame(picture)
        found += image.detect_any(pixels, keys=tried, effort=effort, locate=locate)
    return max(found, key=certainty)


def _samples(src: Any, rate: float | None, limits: Limits) -> Sound:
    return sound_arrays.from_samples(src, rate or 0, limits=limits)[0]


def _told(problems: Problems, read: Callable[[], T]) -> T | None:
    """Run a reader of untrusted bytes; note why it could not read."""
    try:
        return read()
    except MediaError as error:
        problems.append(error)
        return None


def _read_metadata(data: bytes, fmt: AnyFormat | None, problems: Problems) -> dict[str, Evidence]:
    if fmt is None:
        return {name: _unread(name, _UNKNOWN) for name in _METADATA_MARKS}
    found = {
        aigc.MARK: _told(problems, lambda: aigc.read(data, fmt)),
        iptc.MARK: _told(problems, lambda: iptc.read(data, fmt)),
    }
    reason = "the file is broken"
    return {name: one or _unread(name, reason, broken=True) for name, one in found.items()}


def _read_credentials(
    data: bytes,
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


def _decode(source: Any, fmt: Format | None, problems: Problems, limits: Limits) -> Picture | None:
    if isinstance(source, bytes):
        if fmt is None:
            return None
        return _told(problems, lambda: media.decode(source, limits=limits))
    return _first(media.from_array(source, limits=limits))


def _read_pixels(
    picture: Picture | None, fmt: Format | None, policy: Policy, keys: Sequence[Key] | Key
) -> dict[str, Evidence]:
    if picture is None:
        # Of what is no picture at all nothing was asked; a picture that does not decode is open.
        reason = "the pixels could not be decoded" if fmt else _UNKNOWN
        return {name: _unread(name, reason, broken=fmt is not None) for name in _PIXEL_MARKS}
    return {
        overlay.MARK: overlay.read(picture, policy.overlay),
        WATERMARK: pictures.read(picture, _with_open_key(keys), effort=policy.watermark.effort),
    }


def _unread(mark: str, reason: str, *, broken: bool = False) -> Evidence:
    status = Status.UNDETERMINED if broken else Status.NOT_CHECKED
    return Evidence(mark=mark, status=status, detail=reason)


def _facts(fmt: Format | None, picture: Picture | None) -> dict[str, Any]:
    pictured = fmt is not None or picture is not None
    facts: dict[str, Any] = {
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
