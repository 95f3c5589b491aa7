"""Detection of the picture watermark: what is looked at, in which order, until something is found.

1. *As it is*: the whole picture, at the frames it may have been marked in. Finds marks after
   compression, filters, resizing, mirroring and quarter turns, at the speed of a resize.
2. *Search*: lattices that stand out without the key (`lattice`), checked with the key (`sync`).
   Finds marks after crops, rotation, stretching, in collages and screenshots.
3. *Closer*: windows of the picture, each with a lattice of its own (`windows`); the best places
   polished, and registered piece by piece: views from the side, and bending.
4. *Guesses*: many more lattices, with the key alone: the picture's own texture hides those of a
   mark that can still be read.

A step is for the keys that the steps before left without a payload. Transforms are shared by all
keys: a key costs its correlations and decodings.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray

from aiglabel.key import Key
from aiglabel.signal import code, frame, lattice, statistics, sync, tile, whitening, windows
from aiglabel.signal.budget import Budget
from aiglabel.signal.lattice import Matrices
from aiglabel.signal.plane import Plane, White
from aiglabel.signal.sync import Laid, Peak
from aiglabel.signal.tile import Carrier
from aiglabel.signal.view import POLISHED, REGISTERED, SEARCHED, Picture, Sighting, View
from aiglabel.signal.windows import Window

Float = NDArray[np.float32]

# Lattices checked before all others, as they are nearly always right. How many of those, one in how
# many of the others, and how many guesses a key has a closer look at, after how many were polished.
_FIRST = 8
_SIGHTINGS, _BATCH = 2, 16
_GUESSED, _POLISHED = 3, 10
# Score of a lattice that is read part by part, however little the pilots fit the whole: chance
# reaches 6.
_STANDS_OUT = 7.0
# Heights of pilots under which a lattice is not laid: chance reaches them in a few tries.
_LEAST_HEIGHT = 4.4
# Windows of a picture whose own lattices are polished; as many are laid as of the guesses. And the
# peak of the pilots in a window from which on the whole is bent after it.
_WINDOWS, _LEAST_PEAK = 6, 5.2
# Pilot statistics at which a sighting is worth decoding at once, and under which it never is, as
# too few pilots are right for the message to be readable; and how many of those between are kept.
_LIKELY_PILOTS, _LEAST_PILOTS = 5.6, 4.5
_CLOSEST = 4
# Upright scales tried on every plane but the finest: the others were tried on the plane before.
_COARSE = 0.9
# Canonical samples below which there are too few tiles to compare with each other.
_REGISTRABLE = 4 * tile.SIDE**2
# Samples on a side that OpenCV's remapping is known to take.
_LONGEST = 8192
TRIED: Final = statistics.Tried(
    decodings=128, places=16 * 16384 * tile.POSES * tile.SIDE**2, tests=3
)
"""What the false-positive bound counts, generously: places are lattices, steps of polishing and
parts, each with every pose and offset, to a quarter of a sample. The third test is for the older
format."""


@dataclass(eq=False)
class Finding:
    """The best that was found for a key so far.

    `message` and `pilots` are statistics; a payload is taken from `limit` on. `closest` are the
    likeliest sightings, for a closer look; `decoded` are those of them that were decoded.
    """

    key: Key
    limit: float
    payload: bytes | None = None
    word: NDArray[np.int8] | None = None
    message: float = 0.0
    pilots: float = 0.0
    sighting: Sighting | None = None
    closest: list[Sighting] = field(default_factory=list)
    decoded: list[Sighting] = field(default_factory=list)

    def note(self, seen: Sighting) -> None:
        """Remember a sighting; not of a plane that was bent until the pilots fitted.

        Its pilots prove nothing, and it must not be taken for one that was not bent.
        """
        if seen.view.step == REGISTERED:
            return
        self.closest.append(seen)
        self.closest.sort(key=lambda one: -one.peak.height)
        del self.closest[_CLOSEST:]
        if seen.pilots > self.pilots:
            self.pilots = seen.pilots
            if self.payload is None:
                self.sighting = seen


def search(
    luma: NDArray[Any], keys: Sequence[Key], budget: Budget, *, looks: int = 1
) -> list[Finding]:
    """Look for the marks of `keys` in a plane of luma (H, W), grey levels."""
    limit, _ = TRIED.limits(len(keys) * looks)
    findings = [Finding(key, limit) for key in keys]
    picture = Picture(luma, budget)
    for step in (_as_it_is, _lattices, _closer, _guesses)[: None if budget.octaves else 1]:
        if _open(findings):
            step(picture, findings)
    return findings


def again(luma: NDArray[Any], finding: Finding) -> tuple[float, float]:
    """Statistics of a message that was read, in a plane (H, W) of the same shape.

    Returns
    -------
    here : float
        At the same place. As that and the message are known, it is that of chance, standard normal,
        where no mark is.
    elsewhere : float
        Where the tile fits best, wherever it begins: the highest of some thousand such numbers.
    """
    if finding.sighting is None or finding.word is None:
        raise ValueError("there is no payload, so nothing to look for")
    view, peak = finding.sighting.view, finding.sighting.peak
    if view.plane is None:
        laid = Laid(whitening.whitened(_resized(luma, view.laid.white)), np.eye(2), np.zeros(2))
    else:
        laid = sync.lay(_resized(luma, view.plane.luma), view.laid.matrix)
    carrier, spectrum = tile.carrier(finding.key), laid.spectrum()
    here = float(carrier.soft(sync.values(spectrum, peak)) @ finding.word)
    whole = tile.posed(tile.synthesise(tile.gains() * carrier.signs(finding.word)), peak.pose)
    fits = np.fft.irfft2(spectrum * np.fft.rfft2(whole).conj(), s=whole.shape)
    return here, float(fits.max() / max(float(fits.std()), 1e-12))


def _resized(luma: NDArray[Any], like: Float) -> Float:
    size = like.shape[::-1]
    return np.asarray(cv2.resize(luma, size, interpolation=cv2.INTER_AREA), np.float32)


def _open(findings: Iterable[Finding]) -> list[Finding]:
    return [one for one in findings if one.payload is None]


# ---------------------------------------------------------------------- the four steps


def _as_it_is(picture: Picture, findings: list[Finding]) -> None:
    """The whole picture: first in the frame it would be marked in, then in the others."""
    sides = frame.sides_to_try(picture.luma.shape)
    for some in (sides[:1], sides[1:]):
        open_ = _open(findings)
        _look(open_, [picture.whole(side) for side in some if open_])
    _decode_rest(_open(findings))


def _lattices(picture: Picture, findings: list[Finding]) -> None:
    """Lattices that stand out, a few at a time."""
    found = [
        (score, plane, matrix)
        for plane, guesses in zip(picture.planes, picture.guesses, strict=True)
        for matrix, score in zip(*guesses.refined(), strict=True)
    ]
    found.sort(key=lambda one: -one[0])
    for some in (found[:_FIRST], found[_FIRST : picture.budget.lattices]):
        open_ = _open(findings)
        if not some or not open_:
            break
        carriers = [tile.carrier(finding.key) for finding in open_]
        heights = [sync.heights(plane, matrix[None], carriers)[:, 0] for _, plane, matrix in some]
        for finding, row in zip(open_, np.transpose(heights), strict=True):
            best = np.argsort(-row)[: max(_SIGHTINGS, len(some) // _BATCH)]
            views = [
                picture.laid(some[one][1], some[one][2], SEARCHED)
                for one in best
                if row[one] >= _LEAST_HEIGHT
            ]
            _look([finding], views)
    # In a page the rest may hide the pilots, but not the lattice.
    for score, plane, matrix in found[:_GUESSED] if _open(findings) else []:
        if score >= _STANDS_OUT:
            view = picture.laid(plane, matrix, SEARCHED)
            for finding in _open(findings):
                _parts(finding, view)
    _decode_rest(_open(findings))


def _closer(picture: Picture, findings: list[Finding]) -> None:
    """The picture as it is, then the likeliest places of all keys: seen from the side, and bent."""
    sides = frame.sides_to_try(picture.luma.shape)
    if sides and picture.budget.closer:
        view = picture.whole(sides[0])
        peaks = [
            (sync.find_bent(view.laid.white, tile.carrier(finding.key)), finding)
            for finding in _open(findings)
        ]
        peak, finding = max(peaks, key=lambda found: found[0].height)
        _register(picture, finding, view, peak)
        _from_the_side(picture, _open(findings), sides[0])
    places = [(finding, seen) for finding in _open(findings) for seen in finding.closest]
    places.sort(key=lambda place: -place[1].peak.height)
    for finding, seen in places[: picture.budget.closer]:
        if finding.payload is not None:
            continue
        carrier, view = tile.carrier(finding.key), seen.view
        if view.plane is not None:
            matrix, _ = sync.polished(view.plane, view.laid.matrix, carrier)
            view = picture.laid(view.plane, matrix, POLISHED)
            _look([finding], [view])
        _parts(finding, view)
        if finding.payload is None:
            _register(picture, finding, view, sync.find_bent(view.laid.white, carrier))
    _decode_rest(_open(findings))


def _register(picture: Picture, finding: Finding, view: View, peak: Peak) -> None:
    white = view.laid.white
    if peak.height < picture.budget.bent:
        return
    if white.size >= _REGISTRABLE and max(white.shape) <= _LONGEST:
        bent = sync.registered(view.laid, peak, tile.carrier(finding.key))
        _look([finding], [View.of(bent, view.scale, REGISTERED, view.plane)])


@dataclass(frozen=True, eq=False)
class _Place:
    """A lattice of a window of a plane, and how well the pilots of a key fit it."""

    height: float
    finding: Finding
    plane: Plane
    window: Window
    matrix: Matrices

    def polished(self) -> _Place:
        part, carrier = White(self.plane.white[self.window]), tile.carrier(self.finding.key)
        matrix, height = sync.polished(part, self.matrix, carrier)
        return replace(self, matrix=matrix, height=height)


def _from_the_side(picture: Picture, findings: list[Finding], side: int) -> None:
    """Read the mark in a window of the picture, laid by itself; then in the whole, bent so."""
    places = _highest(_places(picture, findings, side))[:_WINDOWS]
    best: tuple[Peak, Finding, View] | None = None
    for place in _highest([place.polished() for place in places])[:_GUESSED]:
        if place.finding.payload is not None:
            continue
        whole = picture.laid(place.plane, place.matrix, POLISHED)
        part = whole.only(whole.laid.window(place.window))
        _look([place.finding], [part])
        peak = sync.find(part.spectrum, tile.carrier(place.finding.key))
        if best is None or peak.height > best[0].height:
            best = peak, place.finding, whole
    # Also of what was read: bent, more of the picture may agree, and the map shows it.
    if best is not None and best[0].height >= _LEAST_PEAK:
        _register(picture, best[1], best[2], best[0])


def _places(picture: Picture, findings: list[Finding], side: int) -> list[_Place]:
    """The best lattice of every window for every key.

    In the frame of its side, the picture is laid almost right; if not, a window may show another
    lattice.
    """
    carriers = [tile.carrier(finding.key) for finding in findings]
    searches = [(picture.framed(side), windows.near)]
    searches += [(one, windows.standing_out) for one in picture.planes[: picture.budget.windows]]
    found: list[_Place] = []
    for plane, lattices in searches if findings else []:
        for window in windows.windows(plane.white.shape):
            part = White(plane.white[window])
            matrices = lattices(part)
            if len(matrices):
                heights = sync.heights(part, matrices, carriers)
                found += [
                    _Place(float(row.max()), finding, plane, window, matrices[int(row.argmax())])
                    for finding, row in zip(findings, heights, strict=True)
                ]
    return found


def _highest(places: list[_Place]) -> list[_Place]:
    return sorted(places, key=lambda place: -place.height)


def _parts(finding: Finding, view: View) -> None:
    """Read the mark in a part of what was laid: the rest may be something else."""
    if finding.payload is None and min(view.laid.white.shape) >= 2 * tile.SIDE:
        _look([finding], [view.only(one) for one in windows.windows(view.laid.white.shape)])


def _guesses(picture: Picture, findings: list[Finding]) -> None:
    """Many lattices that do not stand out, and all upright ones."""
    carriers = [tile.carrier(finding.key) for finding in findings]
    likeliest = [guesses.likeliest(picture.budget.guesses) for guesses in picture.guesses]
    if not likeliest:
        return
    scores = np.sort(np.concatenate([score for _, score in likeliest]))
    least = scores[-picture.budget.guesses :][0]
    found: list[tuple[Plane, Matrices, Float]] = []
    for index, (plane, (matrices, score)) in enumerate(zip(picture.planes, likeliest, strict=True)):
        upright = lattice.upright()
        if index:
            upright = upright[upright[:, 0, 0] >= _COARSE]
        tried = np.concatenate([upright, matrices[score >= least]])
        heights = sync.heights(plane, tried, carriers)
        found += [(plane, *one) for one in zip(tried, heights.T, strict=True)]
    for row, (finding, carrier) in enumerate(zip(findings, carriers, strict=True)):
        best = sorted(found, key=lambda one: -one[2][row])[:_POLISHED]
        places = [(plane, *sync.polished(plane, matrix, carrier)) for plane, matrix, _ in best]
        places.sort(key=lambda one: -one[2])
        views = [picture.laid(plane, matrix, SEARCHED) for plane, matrix, _ in places[:_GUESSED]]
        _look([finding], views)
        _parts(finding, finding.closest[0].view)
    _decode_rest(_open(findings))


def _look(findings: list[Finding], views: list[View]) -> None:
    """Find the pilots of every key in every view, and decode the sightings that are likely.

    What is less likely waits: see `_decode_rest`.
    """
    likely: list[tuple[Finding, Sighting]] = []
    for finding in findings:
        carrier = tile.carrier(finding.key)
        peaks = [(sync.find(view.spectrum, carrier), view) for view in views]
        peaks.sort(key=lambda one: -one[0].height)
        for peak, view in peaks[:_SIGHTINGS]:
            seen = _sight(view, peak, carrier)
            finding.note(seen)
            if seen.pilots >= _LIKELY_PILOTS:
                likely.append((finding, seen))
    _decode(likely)


def _decode_rest(findings: list[Finding]) -> None:
    """Decode the best of the less likely sightings of every key, all at once."""
    waiting = [
        (finding, seen)
        for finding in findings
        for seen in finding.closest
        if _LEAST_PILOTS <= seen.pilots < _LIKELY_PILOTS and seen not in finding.decoded
    ]
    _decode(waiting)


def _sight(view: View, peak: Peak, carrier: Carrier) -> Sighting:
    values = sync.values(view.spectrum, peak)
    return Sighting(view, peak, values, carrier.pilot_statistic(values))


def _decode(chosen: list[tuple[Finding, Sighting]]) -> None:
    if not chosen:
        return
    for finding, seen in chosen:
        finding.decoded.append(seen)
    soft = np.stack([tile.carrier(one.key).soft(seen.values) for one, seen in chosen])
    words, payloads = code.DWT_2.decode(soft, [one.key.derive("image-2/tag") for one, _ in chosen])
    scores = (soft * words).sum(axis=1)
    for (finding, seen), word, payload, score in zip(chosen, words, payloads, scores, strict=True):
        if payload is None or score < finding.limit:
            continue
        if finding.payload is None or score > finding.message:
            finding.payload, finding.word, finding.message = payload, word, float(score)
            finding.sighting = seen
