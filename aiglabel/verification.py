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

from aiglabel import media
from aiglabel.containers.sniff import Format, sniff
from aiglabel.errors import MediaError, ResourceLimit
from aiglabel.evidence import Evidence, Status
from aiglabel.key import Key
from aiglabel.marks import aigc, credentials, iptc, overlay
from aiglabel.marks import watermark as watermark_mark
from aiglabel.marks.credentials import TrustProfile
from aiglabel.media import Limits, Picture
from aiglabel.policy import Policy, WatermarkPolicy
from aiglabel.report import Report, comply, decide
from aiglabel.rules import check
from aiglabel.signal.detector import DEFAULT_EFFORT
from aiglabel.signal.image import Detection, detect_any
from aiglabel.version import toolkit_version

T = TypeVar("T")
Problems = list[MediaError]
_NO_PICTURE = "not a picture format this version reads"
_METADATA_MARKS = (aigc.MARK, iptc.MARK)
_PIXEL_MARKS = (overlay.MARK, watermark_mark.MARK)


def verify(
    src: Any,
    *,
    policy: Policy | None = None,
    keys: Sequence[Key] | Key = (),
    trust: TrustProfile | None = None,
    declared: bool = False,
    effort: str | None = None,
    limits: Limits | None = None,
) -> Report:
    """Look for every mark and judge.

    Parameters
    ----------
    src : path, bytes, binary file, PIL.Image, array or tensor
        Any file: of one that is no picture only C2PA credentials are read. A manifest lying
        beside a path as ``<file>.c2pa`` is read where the file has none.
    policy : Policy, optional
        Whose rules are judged; default preset ``cn``.
    keys : Key or sequence of Key
        Watermark keys to try; the open key is always tried too.
    trust : TrustProfile, optional
        Default: what the policy names, and the development root of this machine.
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
    fmt = None if data is None else _told(problems, lambda: sniff(data))
    if data is None:
        skipped = "an array carries no metadata"
        evidence |= {name: _unread(name, skipped) for name in (*_METADATA_MARKS, credentials.MARK)}
    else:
        evidence |= _read_metadata(data, fmt, problems)
        evidence[credentials.MARK] = _read_credentials(data, fmt, trust, path, limits, problems)
    picture = _decode(src if data is None else data, fmt, problems, limits)
    if picture is None:
        # Of what is no picture at all nothing was asked; a picture that does not decode is open.
        reason = "the pixels could not be decoded" if fmt else _NO_PICTURE
        evidence |= {name: _unread(name, reason, broken=fmt is not None) for name in _PIXEL_MARKS}
    else:
        evidence |= _read_pixels(picture, policy, keys)
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
    effort: str = DEFAULT_EFFORT,
    locate: bool = False,
    limits: Limits | None = None,
) -> Detection:
    """Look for the blind watermark alone.

    Parameters
    ----------
    src : path, bytes, binary file, PIL.Image, array or tensor
        Of an animation the first frame.
    keys : Key or sequence of Key
        The open key is always tried too; the strongest answer is returned.
    effort : {"quick", "full", "thorough"}
        "quick" looks at the picture as it is. "full" also finds the mark in cropped, turned and
        bent pictures and in screenshots; where there is nothing that takes up to about a second.
        "thorough" searches several seconds, and for marks of the first format too.
    locate : bool
        Also say where in the picture a mark is that was read: `Detection.presence`.

    Raises
    ------
    MediaError
        When `src` cannot be read as a picture.
    PolicyError
        When there is no such effort.
    """
    effort = WatermarkPolicy(effort=effort).effort  # refuses what there is not
    limits = limits or Limits()
    if media.is_file(src):
        picture = media.decode(media.read_source(src, limits), limits=limits)
    else:
        picture = _first(media.from_array(src, limits=limits))
    pixels = watermark_mark.first_frame(picture)
    found = detect_any(pixels, keys=_with_open_key(keys), effort=effort, locate=locate)
    return max(found, key=watermark_mark.certainty)


def _told(problems: Problems, read: Callable[[], T]) -> T | None:
    """Run a reader of untrusted bytes; note why it could not read."""
    try:
        return read()
    except MediaError as error:
        problems.append(error)
        return None


def _read_metadata(data: bytes, fmt: Format | None, problems: Problems) -> dict[str, Evidence]:
    if fmt is None:
        return {name: _unread(name, _NO_PICTURE) for name in _METADATA_MARKS}
    found = {
        aigc.MARK: _told(problems, lambda: aigc.read(data, fmt)),
        iptc.MARK: _told(problems, lambda: iptc.read(data, fmt)),
    }
    reason = "the file is broken"
    return {name: one or _unread(name, reason, broken=True) for name, one in found.items()}


def _read_credentials(
    data: bytes,
    fmt: Format | None,
    trust: TrustProfile,
    path: str | None,
    limits: Limits,
    problems: Problems,
) -> Evidence:
    # The SDK knows no limits of its own: what overtaxed our readers is not given to it.
    if any(isinstance(one, ResourceLimit) for one in problems):
        return _unread(credentials.MARK, "the file has too many parts", broken=True)
    mime = fmt.mime if fmt else None
    return credentials.read(data, mime, trust=trust, sidecar=_sidecar(path, limits))


def _decode(source: Any, fmt: Format | None, problems: Problems, limits: Limits) -> Picture | None:
    if isinstance(source, bytes):
        if fmt is None:
            return None
        return _told(problems, lambda: media.decode(source, limits=limits))
    return _first(media.from_array(source, limits=limits))


def _read_pixels(
    picture: Picture, policy: Policy, keys: Sequence[Key] | Key
) -> dict[str, Evidence]:
    return {
        overlay.MARK: overlay.read(picture, policy.overlay),
        watermark_mark.MARK: watermark_mark.read(
            picture, _with_open_key(keys), effort=policy.watermark.effort
        ),
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
