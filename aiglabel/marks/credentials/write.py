"""Signing: a manifest around finished media bytes, checked by reading it back.

Always the last step: any later change of the file breaks the hashes. The file is never signed in
place; on error nothing is left behind. What came with a manifest keeps it as its parent (facts
§2.2): signing it as newly created would erase its provenance and still read as trusted.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from aiglabel import containers
from aiglabel.containers import exif
from aiglabel.containers.bounds import uint
from aiglabel.containers.sniff import AnyFormat, Format, SoundFormat
from aiglabel.errors import SigningError
from aiglabel.evidence import Evidence, Outcome, Status
from aiglabel.label import Kind, Label
from aiglabel.marks.credentials.manifest import Json, define
from aiglabel.marks.credentials.problems import plain_code
from aiglabel.marks.credentials.read import MARK, mime_of, read
from aiglabel.marks.credentials.signer import Signer
from aiglabel.marks.credentials.trust import TrustProfile, context

if TYPE_CHECKING:
    import c2pa

SIDECAR_SUFFIX = ".c2pa"  # of the detached manifest, after the whole name of its file


@dataclass(frozen=True, kw_only=True)
class Signed:
    """A signed file.

    Attributes
    ----------
    data : bytes
        The file; unchanged when the manifest is not embedded.
    sidecar : bytes or None
        The manifest store, to be kept as ``<file>.c2pa``, when it is not embedded.
    outcome : Outcome
        With facts manifest_label, profile, issuer, timestamped, origin (``created`` or ``opened``),
        embedded, and parent_codes: what an allowed broken parent failed with.
    """

    data: bytes = field(repr=False)
    sidecar: bytes | None = field(repr=False)
    outcome: Outcome

    @property
    def embedded(self) -> bool:
        """Whether the manifest is inside the file."""
        return self.sidecar is None


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
    fmt : Format or SoundFormat
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
        With a sidecar where the file takes no manifest, as Ogg and RF64, or embedding would damage
        it: TIFF of several pages, some HEIC.

    Raises
    ------
    SigningError
        Key, certificate, timestamp or parent; or the result did not read back as it should.
    """
    source = _source(coded, label, parent, allow_broken=allow_broken_parent)
    definition = define(
        label, fmt, marks=marks, title=title, has_parent=source is not None,
        soft_binding=soft_binding,
    )  # fmt: skip
    embed = not (_has_pages(coded, fmt) or takes_none(coded, fmt))
    data, store, stamped = _sign(coded, fmt, definition, signer, source, embed=embed)
    if embed and _damaged(coded, data, fmt):
        embed = False
        data, store, stamped = _sign(coded, fmt, definition, signer, source, embed=embed)
    sidecar = None if embed else store
    evidence = read(data, fmt.mime, trust=_lists(source), sidecar=sidecar)
    _accept(evidence, source)
    outcome = _outcome(evidence, signer, source, stamped=stamped)
    return Signed(data=data, sidecar=sidecar, outcome=outcome)


class _Source(NamedTuple):
    """The file that becomes the parent ingredient."""

    data: bytes
    broken: list[str]  # what its credentials fail with, where that is accepted


def _source(
    coded: bytes, label: Label, parent: bytes | None, *, allow_broken: bool
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
    coded: bytes,
    fmt: AnyFormat,
    definition: Json,
    signer: Signer,
    source: _Source | None,
    *,
    embed: bool,
) -> tuple[bytes, bytes, bool]:
    """Return the signed file, its manifest store and whether it is timestamped."""
    signed = io.BytesIO()

    def build(sdk_signer: c2pa.Signer) -> bytes:
        import c2pa

        signed.seek(0)
        signed.truncate()
        with c2pa.Builder(definition, context(_lists(source))) as builder:
            if source is not None:
                builder.set_intent(c2pa.C2paBuilderIntent.EDIT)
                mime = mime_of(source.data) or "application/octet-stream"
                builder.add_ingredient(
                    _ingredient(definition, source), mime, io.BytesIO(source.data)
                )
            if not embed:
                builder.set_no_embed()
            store: bytes = builder.sign(sdk_signer, fmt.mime, io.BytesIO(coded), signed)
        return store

    store, stamped = signer.run(build)
    return (signed.getvalue() if embed else coded), store, stamped


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


def _has_pages(coded: bytes, fmt: AnyFormat) -> bool:
    """Whether it is a TIFF of several pages.

    The SDK appends a page without dimensions to such files; Pillow refuses them and libtiff
    reports an error.
    """
    if fmt is not Format.TIFF:
        return False
    first, order = exif.first_directory(coded)
    return uint(coded, first.link_at, 4, "the offset of the second page", order) != 0


def takes_none(coded: bytes, fmt: AnyFormat) -> bool:
    """Whether the SDK has no place for a manifest in such a file."""
    return fmt in (SoundFormat.OGG, SoundFormat.OPUS) or coded[:4] in (b"RF64", b"BW64")


def _damaged(coded: bytes, signed: bytes, fmt: AnyFormat) -> bool:
    """Whether embedding changed the pixels or samples, or lost XMP or texts (facts 0.11)."""
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
