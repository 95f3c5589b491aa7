"""Signing: a manifest around a finished media file, checked by reading it back.

Always the last step: any later change of the file breaks the hashes. The file is never signed in
place; on error nothing is left behind. Bytes are signed as files in memory, sounds and films as
files on disk, however large. What came with a manifest keeps it as its parent (facts §2.2): signing
it as newly created would erase its provenance and still read as trusted.
"""

from __future__ import annotations

import io
import os
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, NamedTuple

from aiglabel import containers
from aiglabel.containers import exif
from aiglabel.containers.bounds import uint
from aiglabel.containers.mp4_tracks import top_boxes
from aiglabel.containers.pieces import copying, opened, whole
from aiglabel.containers.sniff import AnyFormat, Format, SoundFormat, VideoFormat
from aiglabel.containers.tags import read_at
from aiglabel.errors import SigningError
from aiglabel.evidence import Evidence, Outcome, Status
from aiglabel.label import Kind, Label
from aiglabel.marks.credentials.manifest import Json, define
from aiglabel.marks.credentials.problems import plain_code
from aiglabel.marks.credentials.read import MARK, UNKNOWN, mime_of, read
from aiglabel.marks.credentials.signer import Signer
from aiglabel.marks.credentials.trust import TrustProfile, context

if TYPE_CHECKING:
    import c2pa

SIDECAR_SUFFIX = ".c2pa"  # of the detached manifest, after the whole name of its file


_LARGE = 128 << 20  # bytes of an MP4 from which on its media data are hashed as a tree
# What the SDK holds in memory, up to two times, while it signs; an AVI of 500 MB takes a minute.
_HELD = (VideoFormat.AVI, SoundFormat.WAV, SoundFormat.FLAC, SoundFormat.MP3)
_MOST_HELD = 64 << 20
_BARE = (
    SoundFormat.OGG, SoundFormat.OPUS, VideoFormat.MKV, VideoFormat.WEBM, VideoFormat.FLV,
)  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class SignedFile:
    """What signing gave beside the file.

    Attributes
    ----------
    sidecar : bytes or None
        The manifest store, to be kept as ``<file>.c2pa``, when it is not embedded.
    outcome : Outcome
        With facts manifest_label, profile, issuer, timestamped, origin (``created`` or ``opened``),
        embedded, and parent_codes: what an allowed broken parent failed with.
    """

    sidecar: bytes | None = field(repr=False)
    outcome: Outcome

    @property
    def embedded(self) -> bool:
        """Whether the manifest is inside the file."""
        return self.sidecar is None


@dataclass(frozen=True, kw_only=True)
class Signed(SignedFile):
    """A signed file; `data` is unchanged when the manifest is not embedded."""

    data: bytes = field(repr=False)


def write(
    coded: bytes,
    fmt: AnyFormat,
    *,
    label: Label,
    signer: Signer,
    marks: Sequence[Outcome] = (),
    parent: bytes | None = None,
    allow_broken_parent: bool = False,
    soft_binding: bool = False,
    title: str = "",
) -> Signed:
    """Sign a file whose other marks are in place.

    Parameters
    ----------
    coded : bytes
        The finished file.
    fmt : Format, SoundFormat or VideoFormat
        Of `coded`.
    label : Label
        `generated` without a signed parent becomes ``c2pa.created``; everything else that has a
        parent becomes ``c2pa.opened`` of it.
    signer : Signer
    marks : sequence of Outcome
        What was written before; `overlay`, `audible` and `watermark` are told in the manifest.
    parent : bytes, optional
        The file `coded` was made from, as it came in.
    allow_broken_parent : bool
        Sign although the parent's credentials fail; the failure is recorded in the manifest.
    soft_binding : bool
        Name the watermark so that a stripped manifest can be found again; see `manifest.define`.
    title : str

    Returns
    -------
    Signed
        With a sidecar where the file takes no manifest (`takes_none`), or embedding would damage
        it: TIFF of several pages, some HEIC; for an AVI, WAV, FLAC or MP3 over 64 MiB too.

    Raises
    ------
    SigningError
        Key, certificate, timestamp or parent; or the result did not read back as it should.
    """
    signed = io.BytesIO()
    done = _write(
        io.BytesIO(coded), signed, fmt, label=label, signer=signer, marks=marks,
        parent=None if parent is None else io.BytesIO(parent),
        allow_broken_parent=allow_broken_parent, soft_binding=soft_binding, title=title,
    )  # fmt: skip
    data = signed.getvalue() if done.embedded else coded
    return Signed(data=data, sidecar=done.sidecar, outcome=done.outcome)


def write_file(
    src: str | os.PathLike[str],
    dst: str | os.PathLike[str],
    fmt: AnyFormat,
    *,
    label: Label,
    signer: Signer,
    marks: Sequence[Outcome] = (),
    parent: str | os.PathLike[str] | None = None,
    allow_broken_parent: bool = False,
    soft_binding: bool = False,
    title: str = "",
) -> SignedFile:
    """Sign a file on disk whose other marks are in place.

    Memory for a sound or film does not grow with it: 80 MB for MP4, M4A and MOV; with a sidecar up
    to 550 MB, as the SDK hashes such a file in two buffers of 256 MiB.

    Parameters
    ----------
    src, dst : path
        `dst` is overwritten; where anything fails, nothing of it is left. With a sidecar it is a
        copy of `src`.
    parent : path, optional
        The file `src` was made from, as it came in.
    fmt, label, signer, marks, allow_broken_parent, soft_binding, title
        As for `write`.

    Returns
    -------
    SignedFile
        With a sidecar, which is left to the caller to store, where `write` gives one.

    Raises
    ------
    SigningError
        As `write`.
    MediaError
        If the file is broken, or `dst` is `src`.
    OSError
        If a file cannot be read or written.
    """
    with ExitStack() as stack:
        coded, signed = stack.enter_context(copying(src, dst))
        source = None if parent is None else stack.enter_context(Path(parent).open("rb"))
        return _write(
            coded, signed, fmt, label=label, signer=signer, marks=marks, parent=source,
            allow_broken_parent=allow_broken_parent, soft_binding=soft_binding, title=title,
        )  # fmt: skip


def _write(
    coded: BinaryIO,
    signed: BinaryIO,
    fmt: AnyFormat,
    *,
    label: Label,
    signer: Signer,
    marks: Sequence[Outcome],
    parent: BinaryIO | None,
    allow_broken_parent: bool,
    soft_binding: bool,
    title: str,
) -> SignedFile:
    """Sign an open file into another one."""
    source = _source(coded, label, parent, allow_broken=allow_broken_parent)
    definition = define(
        label, fmt, marks=marks, title=title, has_parent=source is not None,
        soft_binding=soft_binding,
    )  # fmt: skip
    large = fmt in _HELD and _size(coded) > _MOST_HELD
    embed = not (_has_pages(coded, fmt) or takes_none(coded, fmt) or large)
    store, stamped = _sign(coded, signed, fmt, definition, signer, source, embed=embed)
    if embed and _damaged(coded, signed, fmt):
        embed = False
        store, stamped = _sign(coded, signed, fmt, definition, signer, source, embed=embed)
    sidecar = None if embed else store
    evidence = read(signed, fmt.mime, trust=_lists(source), sidecar=sidecar)
    _accept(evidence, source)
    outcome = _outcome(evidence, signer, source, stamped=stamped)
    return SignedFile(sidecar=sidecar, outcome=outcome)


class _Source(NamedTuple):
    """The file that becomes the parent ingredient."""

    file: BinaryIO
    broken: list[str]  # what its credentials fail with, where that is accepted


def _source(
    coded: BinaryIO, label: Label, parent: BinaryIO | None, *, allow_broken: bool
) -> _Source | None:
    """Return the parent to record, None where the file counts as created here."""
    # Without a parent, a manifest may still be in the file itself: only its metadata was changed.
    source = parent if parent is not None else coded
    evidence = read(source, mime_of(source), trust=TrustProfile.named())
    if evidence.status is Status.PRESENT or "remote_url" in evidence.facts:
        return _Source(source, [])
    if evidence.status is not Status.INVALID:
        opened = parent is not None and label.kind is not Kind.GENERATED
        return _Source(source, []) if opened else None
    if evidence.facts["integrity"] == "unreadable":
        raise SigningError(
            f"the source's own C2PA credentials cannot be carried over: {evidence.detail}",
            remedy="Get an intact copy from whoever made it",
        )
    causes = evidence.facts["causes"]
    # A certificate that has run out since says nothing against the content: integrity and
    # signature hold. Such parents are taken, and the lapse is recorded.
    if not allow_broken and set(causes) != {"signingCredential.expired"}:
        raise SigningError(
            f"the source's own C2PA credentials fail ({', '.join(causes)}): {evidence.detail}",
            remedy="Get an intact copy, or allow a broken parent, which records the failure",
        )
    return _Source(source, causes)


def _sign(
    coded: BinaryIO,
    signed: BinaryIO,
    fmt: AnyFormat,
    definition: Json,
    signer: Signer,
    source: _Source | None,
    *,
    embed: bool,
) -> tuple[bytes, bool]:
    """Write the signed file, or a copy where nothing is embedded.

    Returns
    -------
    bytes, bool
        The manifest store, and whether it is timestamped.
    """
    in_leaves = embed and _fits_leaves(coded, fmt)
    # Where no manifest goes inside nothing but the bytes matters, and some kinds cost much.
    mime = fmt.mime if embed or isinstance(fmt, Format) else UNKNOWN

    def build(sdk_signer: c2pa.Signer) -> bytes:
        import c2pa

        signed.seek(0)
        signed.truncate()
        with c2pa.Builder(definition, context(_lists(source), in_leaves=in_leaves)) as builder:
            if source is not None:
                builder.set_intent(c2pa.C2paBuilderIntent.EDIT)
                kind = mime_of(source.file) or UNKNOWN
                source.file.seek(0)
                builder.add_ingredient(_ingredient(definition, source), kind, source.file)
            if not embed:
                builder.set_no_embed()
            coded.seek(0)
            store: bytes = builder.sign(sdk_signer, mime, coded, signed)
        return store

    return signer.run(build)


def _lists(source: _Source | None) -> TrustProfile:
    # The manifest records how its parent stood by the public lists. Without a parent they are of no
    # use: whether readers will trust our own signature is not the writer's question.
    return TrustProfile.named("none" if source is None else "default")


def _ingredient(definition: Json, source: _Source) -> Json:
    ingredient = {"relationship": "parentOf"}
    if "title" in definition:
        ingredient["title"] = definition["title"]
    if source.broken:
        reasons = "; ".join(plain_code(code) for code in source.broken)
        ingredient["description"] = f"Credentials of this file failed before relabelling: {reasons}"
    return ingredient


def _has_pages(coded: BinaryIO, fmt: AnyFormat) -> bool:
    """Whether it is a TIFF of several pages.

    The SDK appends a page without dimensions to such files; Pillow refuses them and libtiff
    reports an error.
    """
    if fmt is not Format.TIFF:
        return False
    data = whole(coded)
    first, order = exif.first_directory(data)
    return uint(data, first.link_at, 4, "the offset of the second page", order) != 0


def _fits_leaves(coded: BinaryIO, fmt: AnyFormat) -> bool:
    """Whether it is a long MP4 in one piece: the hash tree the SDK writes of others is wrong."""
    if fmt not in (VideoFormat.MP4, VideoFormat.MOV, SoundFormat.M4A) or _size(coded) <= _LARGE:
        return False
    kinds = [top.kind for top in top_boxes(coded)]
    return kinds.count(b"mdat") == 1 and b"moof" not in kinds


def _size(file: BinaryIO) -> int:
    return file.seek(0, os.SEEK_END)


def takes_none(coded: bytes | BinaryIO, fmt: AnyFormat) -> bool:
    """Whether the SDK has no place for a manifest in such a file."""
    return fmt in _BARE or read_at(opened(coded), 0, 4) in (b"RF64", b"BW64")


def _damaged(coded: BinaryIO, signed: BinaryIO, fmt: AnyFormat) -> bool:
    """Whether embedding changed pictures or sound, or lost XMP or texts (facts 0.11)."""
    return any(
        ask(coded, fmt) != ask(signed, fmt)
        for ask in (containers.coded_digest, containers.read_xmp, containers.read_texts)
    )


def _accept(evidence: Evidence, source: _Source | None) -> None:
    facts = evidence.facts
    holds = evidence.status is Status.PRESENT or (source is not None and source.broken)
    if not (holds and facts.get("integrity") == "match" and facts.get("signature") == "valid"):
        raise SigningError(
            f"the signed file does not read back as valid: {evidence.detail}",
            remedy="Nothing was written; please report this",
        )


def _outcome(
    evidence: Evidence, signer: Signer, source: _Source | None, *, stamped: bool
) -> Outcome:
    facts = {
        "manifest_label": evidence.facts["manifest_label"],
        "profile": signer.profile,
        "issuer": evidence.facts["issuer"],
        "timestamped": stamped,
        "origin": "created" if source is None else "opened",
        "embedded": evidence.facts["embedded"],
        "parent_codes": [] if source is None else source.broken,
    }
    place = "in the file" if facts["embedded"] else "in a sidecar, as the file cannot take it"
    by = "the development certificate" if signer.profile == "dev" else facts["issuer"]
    return Outcome(
        mark=MARK, written=True, detail=f"C2PA manifest {place}, signed by {by}", facts=facts
    )
