"""Setting the label of a Matroska film: in place, into empty space, or by moving what follows.

``SeekHead``, ``Cues`` and the ``Position`` of clusters count from the content of the segment
(RFC 9559, 16). Where bytes go in before them, they are written anew; a position that needs a byte
more moves the rest once more, until nothing changes.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import BinaryIO

from aiglabel.containers import ebml
from aiglabel.containers import matroska as mkv
from aiglabel.containers.bounds import Splice, growth, mover
from aiglabel.containers.ebml import Part, parts
from aiglabel.containers.matroska import Film
from aiglabel.containers.tags import KEY, is_label
from aiglabel.errors import CorruptMedia, ResourceLimit

_SEEK, _SEEK_POSITION = 0x4DBB, 0x53AC
# CuePoint, CueTrackPositions, CueReference; the places of clusters and codec states in them.
_AROUND = {_SEEK, 0xBB, 0xB7, 0xDB}
_POSITIONS = {_SEEK_POSITION, 0xF1, 0xEA, 0x97}
_RESERVE = 512  # for a longer label, later
_ROUNDS = 10  # a position has eight widths
_DEPTH = 8


@dataclass(frozen=True)
class _Plan:
    """The splices of tags; where those that went are found now: at a place of the old file."""

    splices: list[Splice]
    gone: set[int]
    home: int


def edits(file: BinaryIO, label: bytes) -> list[Splice]:
    """Return the splices that set the label; older ones go, whatever they are about.

    Raises
    ------
    CorruptMedia
        If the structure of the file is broken, or it is cut off.
    ResourceLimit
        If it is absurd, or the label does not fit.
    """
    film = mkv.taken_apart(file)
    mkv.tags_of(file, film)  # whatever else is wrong with it
    if film.cut:
        raise CorruptMedia("a Matroska file is cut off", remedy="Remux it (ffmpeg -c copy)")
    plan = _planned(file, film, label)
    done = plan.splices
    if plan.gone or growth(done):
        done = _settled(file, film, plan)
    done += [(one.start, one.end, ebml.void(one.end - one.start)) for one in film.of(ebml.CRC)]
    return [*done, *_resized(film, growth(done))]


def _planned(file: BinaryIO, film: Film, label: bytes) -> _Plan:
    """Decide where the label goes."""
    tags = {part.start: mkv.content(file, part) for part in film.of(mkv.TAGS)}
    labelled = [part for part in film.of(mkv.TAGS) if _has_label(tags[part.start])]
    others = [part for part in film.of(mkv.TAGS) if part not in labelled]
    out: list[Splice] = []
    home = None
    for part in [*labelled, *others]:
        new = _packed(part, _relabelled(tags[part.start], label))
        room = _room(film, part)
        if ebml.fits(room - part.start, len(new)):
            home = part.start
            out.append((part.start, room, new + ebml.void(room - part.start - len(new))))
            break
    gone = set()
    for part in labelled:
        if part.start != home:
            left = _relabelled(tags[part.start], b"")
            new = _packed(part, left) if left else b""
            gone |= set() if left else {part.start}
            room = part.end - part.start - len(new)
            out.append((part.start, part.end, new + ebml.void(room)))
    if home is None:
        added = _fresh(film, ebml.element(mkv.TAGS, _tag(label)))
        home = added[0]
        out.append(added)
    return _Plan(out, gone, home)


def _room(film: Film, part: Part) -> int:
    """Return where the empty space behind a part ends."""
    end = part.end
    for one in film.parts:
        if one.start == end and one.kind == ebml.VOID:
            end = one.end
    return end


def _fresh(film: Film, new: bytes) -> Splice:
    """Return the splice of the first ``Tags``: into empty space, or before the first cluster."""
    before = min((part.start for part in film.of(mkv.CLUSTER)), default=film.end)
    for part in film.of(ebml.VOID):
        if part.end <= before and ebml.fits(part.end - part.start, len(new)):
            return part.start, part.end, new + ebml.void(part.end - part.start - len(new))
    return before, before, new + ebml.void(_RESERVE)


# ---- tags ------------------------------------------------------------------------------------


def _tag(label: bytes) -> bytes:
    return ebml.element(mkv.TAG, ebml.element(mkv.TARGETS, b"") + _simple(label))


def _simple(label: bytes) -> bytes:
    named = ebml.element(mkv.NAME, KEY.encode()) + ebml.element(mkv.STRING, label)
    return ebml.element(mkv.SIMPLE, named)


def _packed(part: Part, body: bytes) -> bytes:
    """Return a part with new content, a CRC-32 in it right again."""
    new = ebml.packed(part.kind, body, ebml.width_of(part))
    return new if len(new) <= part.end - part.start else ebml.packed(part.kind, body)


def _has_label(data: bytes) -> bool:
    return any(
        _labelled(data, one)
        for tag in parts(data) if tag.kind == mkv.TAG
        for one in parts(data, tag.body, tag.end) if one.kind == mkv.SIMPLE
    )  # fmt: skip


def _labelled(data: bytes, simple: Part) -> bool:
    """Whether a tag, or one nested in it, is a label."""
    inside = (one for one in parts(data, simple.body, simple.end) if one.kind == mkv.SIMPLE)
    return is_label(mkv.name_of(data, simple)) or any(_labelled(data, one) for one in inside)


def _relabelled(data: bytes, label: bytes) -> bytes:
    """Return the content of ``Tags`` with `label` as its one label; empty for no tag at all."""
    new, out, kept = _simple(label) if label else b"", [], False
    for tag in parts(data):
        whole = data[tag.start : tag.end]
        if tag.kind == mkv.TAG:
            inner = list(parts(data, tag.body, tag.end))
            if any(one.kind == mkv.SIMPLE and _labelled(data, one) for one in inner):
                mine = new if mkv.whole_film(data, tag) else b""
                body, has_text = _without(data, inner, mine)
                new = b"" if mine else new
                whole = ebml.packed(mkv.TAG, body) if has_text else b""
            kept |= bool(whole)
        out.append(whole)
    if new:
        out.append(_tag(label))
    return b"".join(out) if kept or new else b""


def _without(data: bytes, inner: list[Part], new: bytes) -> tuple[bytes, bool]:
    """Return the children of a tag, `new` for the first label; and whether a text is left."""
    out, left = [], False
    for one in inner:
        part = data[one.start : one.end]
        if one.kind == mkv.SIMPLE and _labelled(data, one):
            if is_label(mkv.name_of(data, one)):
                part, new = new, b""
            else:
                nested, _ = _without(data, list(parts(data, one.body, one.end)), b"")
                part = ebml.packed(mkv.SIMPLE, nested)
        left |= one.kind == mkv.SIMPLE and bool(part)
        out.append(part)
    out.append(new)
    return b"".join(out), left or bool(new)


# ---- positions -------------------------------------------------------------------------------


def _settled(file: BinaryIO, film: Film, plan: _Plan) -> list[Splice]:
    """Return the splices of the plan and those of every position, once all of them agree."""
    indexes = [*film.of(mkv.SEEK_HEAD), *film.of(mkv.CUES)]
    contents = [(part, mkv.content(file, part)) for part in indexes]
    heads = [mkv.cluster_head(file, part) for part in film.of(mkv.CLUSTER)]
    clusters = [head for head in heads if any(one.kind == mkv.POSITION for one in head)]
    done = plan.splices
    for _ in range(_ROUNDS):
        where = _new_places(film, plan, done)
        found = list(plan.splices)
        for part, data in contents:
            body = _repositioned(data, where)
            if body != data:
                new = ebml.packed(part.kind, body, ebml.width_of(part))
                found.append((part.start, part.end, new))
        for head in clusters:
            found += _placed_anew(file, head, where)
        if found == done:
            return done
        done = found
    raise ResourceLimit("the positions in a Matroska file never settle")


def _new_places(film: Film, plan: _Plan, done: list[Splice]) -> Callable[[int], int]:
    """Return the function from old to new positions, both in the segment."""
    base, move = film.segment.body, mover(done)
    # What is put in at a place pushes that place on, but stands there itself.
    mine = mover([one for one in done if not (one[0] == one[1] == plan.home)])(plan.home)

    def where(position: int) -> int:
        if base + position > film.end:  # leads nowhere, and shall go on doing so
            return position
        return (mine if base + position in plan.gone else move(base + position)) - base

    return where


def _repositioned(data: bytes, where: Callable[[int], int], depth: int = 0) -> bytes:
    """Return the content of an index with new positions."""
    if depth > _DEPTH:
        raise ResourceLimit("the index of a Matroska file is nested too deep")
    out = []
    for one in parts(data):
        body = data[one.body : one.end]
        if one.kind in _AROUND:
            new = _repositioned(body, where, depth + 1)
            whole = data[one.start : one.end]
            out.append(whole if new == body else ebml.packed(one.kind, new, ebml.width_of(one)))
        elif one.kind in _POSITIONS and len(body) <= 8:
            value = where(int.from_bytes(body, "big"))
            wide = max(len(body), (value.bit_length() + 7) // 8)
            out.append(ebml.element(one.kind, value.to_bytes(wide, "big"), ebml.width_of(one)))
        else:
            out.append(data[one.start : one.end])
    return b"".join(out)


def _placed_anew(file: BinaryIO, head: list[Part], where: Callable[[int], int]) -> list[Splice]:
    """Return the splices of a cluster's own position; what cannot be kept right is voided."""
    sums = [one for one in head if one.kind == ebml.CRC]
    out = [(one.start, one.end, ebml.void(one.end - one.start)) for one in sums]
    for one in head:
        if one.kind == mkv.POSITION:
            old = int.from_bytes(mkv.content(file, one), "big")
            new, wide = where(old), one.end - one.body
            if new.bit_length() <= 8 * wide:
                out.append((one.body, one.end, new.to_bytes(wide, "big")))
            else:
                out.append((one.start, one.end, ebml.void(one.end - one.start)))
    return out


def _resized(film: Film, grown: int) -> list[Splice]:
    """Return the splice of the size of the segment; positions do not count from before it."""
    segment = film.segment
    if segment.end is None or not grown:
        return []
    wide = segment.body - segment.start - 4
    new = ebml.size(segment.end - segment.body + grown, wide)
    return [(segment.start + 4, segment.body, new)]
