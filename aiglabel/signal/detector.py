"""Detection of the picture watermark: what is looked at, in which order, until something is found.

1. *As it is*: the whole picture, at the frames it may have been marked in. Finds marks after
   compression, filters, resizing, mirroring and quarter turns, at the speed of a resize.
2. *Search*: lattices found without the key (`lattice`), checked with the key (`sync`). Finds marks
   after crops, rotation, stretching, in collages and screenshots.
3. *Closer*: the best places polished, and registered piece by piece: perspective and bending.

A step is for the keys that the steps before left without a payload. Transforms are shared by all
keys: a key costs its correlations and decodings.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray

from aiglabel.key import Key
from aiglabel.label import PAYLOAD_BYTES
from aiglabel.signal import code, frame, lattice, statistics, sync, tile, whitening
from aiglabel.signal.sync import Laid, Peak
from aiglabel.signal.tile import Carrier, Spectrum

Float = NDArray[np.float32]


@dataclass(frozen=True)
class Budget:
    """How much is looked at.

    Attributes
    ----------
    octaves : int
        Planes of the lattice search, each half the size of the one before; 0 for no search.
    lattices : int
        Lattices checked with the key.
    closer : int
        Places polished and registered, of all keys together.
    older : bool
        Whether marks of the first format are looked for too.
    """

    octaves: int
    lattices: int
    closer: int
    older: bool


EFFORTS: Final[dict[str, Budget]] = {
    "quick": Budget(0, 0, 0, older=False),
    "full": Budget(4, 40, 1, older=False),
    "thorough": Budget(5, 160, 4, older=True),
}
DEFAULT_EFFORT: Final = "full"

AS_IT_IS, SEARCHED, POLISHED, REGISTERED = "as it is", "searched", "polished", "registered"
"""Steps in which something is found."""
MAP_SIDE, MAP_WINDOW = 32, 8
"""Fields on the longer side of the map of presence; cells on a side of what each field sums."""

# Root of the area, in samples, of the largest plane that is searched.
_LARGEST = 768
# Lattices checked before what they showed is decoded; sightings that are noted of each batch; the
# pilot statistics at which one is worth decoding at once, and under which it never is, as too few
# pilots are right for the message to be readable; and how many of those between are kept.
_BATCH = 8
_SIGHTINGS = 2
_LEAST_PILOTS, _LIKELY_PILOTS = 4.5, 5.6
_CLOSEST = 4
# Canonical samples below which there are too few tiles to compare with each other.
_REGISTRABLE = 4 * tile.SIDE**2
# Samples on a side that OpenCV's remapping is known to take.
_LONGEST = 8192
TESTS: Final = 3
"""Tests that share the false-positive rate: the message, the pilots, and the older format."""
# What the false-positive bound counts, generously, for a key and a picture: decodings; and places
# (lattices and steps of polishing, each with every pose and offset, to a quarter of a sample) at
# which pilots are compared.
_DECODINGS = 128
_PLACES = 16 * 1024 * tile.POSES * tile.SIDE**2


@dataclass(frozen=True, eq=False)
class View:
    """One way of looking at the picture.

    Attributes
    ----------
    laid : Laid
    spectrum : complex64
        Of the folded tile, flattened.
    scale : float
        Samples of the plane a pixel of the picture.
    step : str
    luma : float32 or None
        The plane that was laid, where that is not the frame itself.
    """

    laid: Laid
    spectrum: Spectrum
    scale: float
    step: str
    luma: Float | None = None

    @classmethod
    def of(cls, laid: Laid, scale: float, step: str, luma: Float | None = None) -> View:
        """Fold what was laid."""
        return cls(laid, laid.spectrum(), scale, step, luma)


@dataclass(frozen=True, eq=False)
class Sighting:
    """What one key shows in one view."""

    view: View
    peak: Peak
    values: Float
    pilots: float


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
    limit, _ = limits(len(keys) * looks)
    findings = [Finding(key, limit) for key in keys]
    for step in (_as_it_is, _lattices, _closer):
        if _open(findings):
            step(luma, findings, budget)
    return findings


def _open(findings: Iterable[Finding]) -> list[Finding]:
    return [one for one in findings if one.payload is None]


def limits(looks: int) -> tuple[float, float]:
    """Thresholds of the message's and of the pilots' statistic.

    Each keeps its share of the false-positive rate over everything that is tried in `looks` looks
    of a key at a picture.
    """
    message, pilots = hypotheses(looks)
    rate = statistics.FALSE_POSITIVE_RATE / TESTS
    return statistics.threshold(message, rate), statistics.threshold(pilots, rate)


def hypotheses(looks: int) -> tuple[float, float]:
    """Natural logarithms of the number of sign patterns tried: messages, pilots.

    Of the 2**88 information words only the 2**64 with a right tag count: no other is returned.
    """
    times = math.log(max(looks, 1))
    return (
        8 * PAYLOAD_BYTES * math.log(2) + math.log(_DECODINGS) + times,
        math.log(_PLACES) + times,
    )


# ---------------------------------------------------------------------- the three steps


def _as_it_is(luma: NDArray[Any], findings: list[Finding], _: Budget) -> None:
    """The whole picture: first in the frame it would be marked in, then in the others."""
    sides = frame.sides_to_try(luma.shape)
    for some in (sides[:1], sides[1:]):
        open_ = _open(findings)
        _look(open_, [_whole(luma, side) for side in some if open_])
    _decode_rest(_open(findings))


def _whole(luma: NDArray[Any], side: int) -> View:
    white = whitening.whitened(frame.to_frame(luma, side))
    laid = Laid(white, np.eye(2), np.zeros(2))
    return View.of(laid, side / math.sqrt(luma.size), AS_IT_IS)


def _lattices(luma: NDArray[Any], findings: list[Finding], budget: Budget) -> None:
    """Lattices in order of likelihood, a few at a time."""
    planes = lattice.white_octaves(luma, _LARGEST, budget.octaves)
    found: list[tuple[float, int, lattice.Matrices]] = []
    for index, (_, white) in enumerate(planes):
        matrices, scores = lattice.candidates(white)
        found += [(score, index, one) for one, score in zip(matrices, scores, strict=True)]
    found.sort(key=lambda one: -one[0])
    for start in range(0, min(len(found), budget.lattices), _BATCH):
        if not _open(findings):
            break
        views = []
        for _, index, matrix in found[start : start + _BATCH]:
            plane, white = planes[index]
            laid = sync.lay(white, matrix, whiten=False)
            views.append(View.of(laid, math.sqrt(white.size / luma.size), SEARCHED, plane))
        _look(_open(findings), views)
    _decode_rest(_open(findings))


def _closer(luma: NDArray[Any], findings: list[Finding], budget: Budget) -> None:
    """The picture as it is, if bent; then the likeliest places of all keys, polished and bent."""
    _bent(luma, findings)
    places = [(finding, seen) for finding in _open(findings) for seen in finding.closest]
    places.sort(key=lambda place: -place[1].peak.height)
    for finding, seen in places[: budget.closer]:
        if finding.payload is not None:
            continue
        carrier, view, laid = tile.carrier(finding.key), seen.view, seen.view.laid
        if view.luma is not None:
            white = whitening.whitened(view.luma)
            matrix = sync.polished(white, laid.matrix, carrier, seen.peak.height)
            laid = sync.lay(view.luma, matrix, whiten=True)
        polished = View.of(laid, view.scale, POLISHED, view.luma)
        _look([finding], [polished])
        if finding.payload is None:
            _register(finding, polished, sync.find_bent(laid.white, carrier))
    _decode_rest(_open(findings))


def _bent(luma: NDArray[Any], findings: list[Finding]) -> None:
    """Register the whole picture, for the key whose pilots are the likeliest there."""
    sides = frame.sides_to_try(luma.shape)
    if not sides:
        return
    view = _whole(luma, sides[0])
    peaks = [
        (sync.find_bent(view.laid.white, tile.carrier(finding.key)), finding)
        for finding in _open(findings)
    ]
    peak, finding = max(peaks, key=lambda found: found[0].height)
    _register(finding, view, peak)


def _register(finding: Finding, view: View, peak: Peak) -> None:
    white = view.laid.white
    if white.size >= _REGISTRABLE and max(white.shape) <= _LONGEST:
        bent = sync.registered(view.laid, peak, tile.carrier(finding.key))
        _look([finding], [View.of(bent, view.scale, REGISTERED, view.luma)])


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


def _exact(seen: Sighting, carrier: Carrier) -> Sighting:
    """Lay a plane that was whitened before anew and whiten it after: dearer, and better."""
    view = seen.view
    if view.step != SEARCHED or view.luma is None:
        return seen
    laid = sync.lay(view.luma, view.laid.matrix, whiten=True)
    view = View.of(laid, view.scale, SEARCHED, view.luma)
    again = _sight(view, sync.find(view.spectrum, carrier), carrier)
    return max(seen, again, key=lambda one: one.pilots)


def _sight(view: View, peak: Peak, carrier: Carrier) -> Sighting:
    values = sync.values(view.spectrum, peak)
    return Sighting(view, peak, values, carrier.pilot_statistic(values))


def _decode(chosen: list[tuple[Finding, Sighting]]) -> None:
    if not chosen:
        return
    for finding, seen in chosen:
        finding.decoded.append(seen)
    chosen = [(finding, _exact(seen, tile.carrier(finding.key))) for finding, seen in chosen]
    soft = np.stack([tile.carrier(one.key).soft(seen.values) for one, seen in chosen])
    words, payloads = code.DWT_2.decode(soft, [one.key.derive("image-2/tag") for one, _ in chosen])
    scores = (soft * words).sum(axis=1)
    for (finding, seen), word, payload, score in zip(chosen, words, payloads, scores, strict=True):
        if payload is None or score < finding.limit:
            continue
        if finding.payload is None or score > finding.message:
            finding.payload, finding.word, finding.message = payload, word, float(score)
            finding.sighting = seen


# ---------------------------------------------------------------------- where the mark is


def presence(finding: Finding, shape: tuple[int, ...]) -> Float:
    """Where in the picture the mark is, coarsely.

    Every cell of the canonical frame is compared with the tile that was decoded; a place shows the
    sum over the cells around it, over the root of the sum of their squares.

    Parameters
    ----------
    finding : Finding
        With a payload.
    shape : (H, W, …)
        Of the picture.

    Returns
    -------
    float32, shape (rows, columns)
        Local correlation over fields of equal size, `MAP_SIDE` on the longer side: a standard
        deviation where no mark is, and up to `MAP_WINDOW` where the mark is.
    """
    if finding.sighting is None or finding.word is None:
        raise ValueError("there is no payload, so nothing to compare with")
    view, peak = finding.sighting.view, finding.sighting.peak
    white = view.laid.white
    signs = tile.carrier(finding.key).signs(finding.word)
    one = tile.posed(tile.synthesise(tile.gains() * signs), peak.pose)
    flattening = whitening.flattening(np.fft.rfft2(tile.fold(white)))
    spectrum = (np.fft.rfft2(one) * flattening**2).astype(np.complex64)
    expected = whitening.shifted_tile(spectrum, -peak.down, -peak.right)
    product = white * tile.spread(expected, white.shape)
    size = [max(1, length // MAP_WINDOW) for length in white.shape]
    cells: Any = cv2.resize(product, size[::-1], interpolation=cv2.INTER_AREA)
    window = (MAP_WINDOW, MAP_WINDOW)
    total = cv2.boxFilter(cells, -1, window, normalize=False, borderType=cv2.BORDER_CONSTANT)
    squares = cv2.boxFilter(
        cells * cells, -1, window, normalize=False, borderType=cv2.BORDER_CONSTANT
    )
    local = total / np.sqrt(np.maximum(squares, np.float32(1e-20)))
    return _on_picture(local, view, shape)


def _on_picture(local: Float, view: View, shape: tuple[int, ...]) -> Float:
    """Look a map of canonical cells up at fields of the picture."""
    longer = max(shape[:2])
    rows, columns = (max(1, round(length / longer * MAP_SIDE)) for length in shape[:2])
    y, x = np.mgrid[:rows, :columns].astype(np.float64) + 0.5
    places = np.stack([x * (shape[1] / columns), y * (shape[0] / rows)], axis=-1) * view.scale
    canonical = places @ np.linalg.inv(view.laid.matrix).T - view.laid.origin
    scale = np.array([local.shape[1], local.shape[0]]) / view.laid.white.shape[::-1]
    cells = (canonical * scale - 0.5).astype(np.float32)
    found: Any = cv2.remap(
        local, cells[..., 0], cells[..., 1], cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT
    )
    return np.asarray(found, np.float32)
