"""Attacks that know the method: estimating the mark, moving it, marking again, asking the detector.

The attacker has the source code and marked pictures, never the key. What is measured is whether a
mark was removed, or forged: put where its owner did not put it. Windows of 512 × 512 pixels.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from functools import cache, partial
from itertools import groupby
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from aiglabel.key import Key
from aiglabel.signal import image, quality
from benchmarks import pictures
from benchmarks.attacks_signal import noisy
from benchmarks.estimates import Rate, Spread
from benchmarks.pictures import Rgb
from benchmarks.report import Findings, Row, Table

SIDE = 512
TARGETS = 4, 16  # in the quick and in the full run
_SIZE = 1.0  # MP of a picture before a window is cut out of it
_SPOILT = (44.0, 38.0)  # dB: how much an attacker may change a picture
_NOISE = 9.0  # variance that the denoiser takes for the mark, grey levels squared
_QUERIES = 6
_ASKED = {"noise": 64.0, "overdone denoising": 8.0}

Plane = NDArray[np.float32]


@dataclass(frozen=True)
class Outcome:
    """What became of one picture.

    Attributes
    ----------
    attack, looked_for : str
    exact, present : bool
        Whether the payload that was looked for was read, and whether its key's mark was found.
    psnr : float
        What the attack did, dB.
    """

    attack: str
    looked_for: str
    exact: bool
    present: bool
    psnr: float


def run(*, full: bool, media: Path | None, workers: Executor) -> Findings:
    """Let every attacker try."""
    job = partial(_attempt, count=TARGETS[full], media=media)
    outcomes = [one for some in workers.map(job, ATTACKERS) for one in some]
    rows = [_row(*names, list(some)) for names, some in groupby(outcomes, _names)]
    return Findings([Table("Attacks that know the method", rows, _NOTE)])


_NOTE = (
    "95 % Wilson intervals. Removal succeeds where the mark is no longer present, forgery where it "
    "is. PSNR is to the picture the attacker began with."
)


def _attempt(name: str, *, count: int, media: Path | None) -> list[Outcome]:
    rng = pictures.random_for("security", name)
    return list(ATTACKERS[name](windows(count, media, rng), media, rng))


def _names(one: Outcome) -> tuple[str, str]:
    return one.attack, one.looked_for


def _row(attack: str, looked_for: str, some: list[Outcome]) -> Row:
    return {
        "attack": attack,
        "looked for": looked_for,
        "payload exact": Rate.of(sum(one.exact for one in some), len(some)),
        "present": Rate.of(sum(one.present for one in some), len(some)),
        "PSNR dB": Spread.of([one.psnr for one in some]),
    }


# ---------------------------------------------------------------------- material


def windows(count: int, media: Path | None, rng: np.random.Generator) -> list[Rgb]:
    """Cut windows of 512 × 512 out of pictures that hold one, in turn."""
    covers = _covers(media)
    return [_window(covers[index % len(covers)], rng) for index in rng.permutation(count)]


@cache
def _covers(media: Path | None) -> list[Rgb]:
    paths = pictures.bundled() + pictures.in_folder(media)
    loaded = [pictures.load(path, megapixels=_SIZE) for path in paths]
    return [rgb for rgb in loaded if min(rgb.shape[:2]) >= SIDE]


def _window(rgb: Rgb, rng: np.random.Generator) -> Rgb:
    top, left = (int(rng.integers(length - SIDE + 1)) for length in rgb.shape[:2])
    return np.ascontiguousarray(rgb[top : top + SIDE, left : left + SIDE])


def _residual(rgb: Rgb) -> Plane:
    """What a 5 × 5 Wiener filter takes out of the luma, float32 (H, W)."""
    grey = cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY).astype(np.float32)
    mean = cv2.blur(grey, (5, 5))
    variance = np.maximum(cv2.blur(grey * grey, (5, 5)) - mean * mean, _NOISE)
    return np.asarray((grey - mean) * (_NOISE / variance), np.float32)


def _moved(rgb: Rgb, change: Plane) -> Rgb:
    return np.asarray(np.clip(np.rint(rgb + change[..., None]), 0, 255), np.uint8)


def _as_strong_as(estimate: Plane, level: float) -> Plane:
    """Scale to what is so many dB below the peak."""
    wanted = 255 / 10 ** (level / 20)
    return estimate * np.float32(wanted / np.sqrt(np.mean(estimate**2)))


def _seen(
    attack: str, looked_for: str, rgb: Rgb, before: Rgb, key: Key, payloads: Sequence[bytes]
) -> Outcome:
    found = image.detect(rgb, key=key)
    exact = found.payload in payloads
    return Outcome(attack, looked_for, exact, found.present, quality.psnr(before, rgb))


# ---------------------------------------------------------------------- attackers


def _averaging(
    targets: list[Rgb],
    media: Path | None,
    rng: np.random.Generator,
    *,
    count: int,
    one_payload: bool,
) -> Iterator[Outcome]:
    """Average what a denoiser takes out of many marked pictures of one key."""
    key, payload = Key(rng.bytes(32)), rng.bytes(8)
    payloads = [payload if one_payload else rng.bytes(8) for _ in range(count)]
    covers = windows(count, media, rng)
    marked = map(partial(_marked, key=key), covers, payloads)
    mean = np.mean([_residual(rgb) for rgb in marked], axis=0)
    victims = [_marked(rgb, payload, key=key) for rgb in targets]
    for level in _SPOILT:
        estimate = _as_strong_as(mean, level)
        which = "one payload" if one_payload else "many payloads"
        attack = f"average of {count}, {which}, at {level:g} dB"
        for rgb in victims:
            yield _seen(attack, "removal", _moved(rgb, -estimate), rgb, key, [payload])
        for rgb in targets:
            yield _seen(attack, "forgery", _moved(rgb, estimate), rgb, key, payloads)


def _marked(rgb: Rgb, payload: bytes, *, key: Key) -> Rgb:
    return image.mark(rgb, payload, key=key).pixels


def _copying(
    targets: list[Rgb], media: Path | None, rng: np.random.Generator, *, gain: float
) -> Iterator[Outcome]:
    """Move what a denoiser takes out of one marked picture onto another (Kutter et al. 2000)."""
    key, payload = Key(rng.bytes(32)), rng.bytes(8)
    for rgb, other in zip(targets, windows(len(targets), media, rng), strict=True):
        taken = _residual(_marked(other, payload, key=key)) * np.float32(gain)
        attack = f"residual × {gain:g} of another picture"
        yield _seen(attack, "forgery", _moved(rgb, taken), rgb, key, [payload])


def _marking_again(
    targets: list[Rgb], _media: Path | None, rng: np.random.Generator, *, same_key: bool
) -> Iterator[Outcome]:
    """Put a second mark over the first: what a second provider does in good faith, too."""
    first, second = Key(rng.bytes(32)), Key(rng.bytes(32))
    second = first if same_key else second
    payloads = rng.bytes(8), rng.bytes(8)
    attack = f"marked again, {'the same key' if same_key else 'another key'}"
    pairs = []
    for rgb in targets:
        once = _marked(rgb, payloads[0], key=first)
        pairs.append((once, _marked(once, payloads[1], key=second)))
    for name, key, payload in (
        ("first mark", first, payloads[0]), ("second mark", second, payloads[1]),
    ):  # fmt: skip
        for once, twice in pairs:
            yield _seen(attack, name, twice, once, key, [payload])


def _asking(
    targets: list[Rgb], _media: Path | None, rng: np.random.Generator, *, way: str
) -> Iterator[Outcome]:
    """Ask a detector that answers everyone for the least change after which it says no."""
    key, payload = Key(rng.bytes(32)), rng.bytes(8)
    attack = f"{way} found by asking the detector {_QUERIES} times"
    for rgb in targets:
        marked = _marked(rgb, payload, key=key)
        residual, seed = _residual(marked), rng.bytes(8)

        def changed(amount: float, of: Rgb = marked, by: Plane = residual, at: bytes = seed) -> Rgb:
            if way == "noise":
                return noisy(of, pictures.random_for("asking", at), amount)
            return _moved(of, by * np.float32(-amount))

        low, high = 0.0, _ASKED[way]
        for _ in range(_QUERIES):
            middle = (low + high) / 2
            if image.detect(changed(middle), key=key).present:
                low = middle
            else:
                high = middle
        yield _seen(attack, "removal", changed(high), marked, key, [payload])


ATTACKERS: dict[str, Callable[[list[Rgb], Path | None, np.random.Generator], Iterator[Outcome]]] = {
    **{
        f"average {count} {one_payload}": partial(_averaging, count=count, one_payload=one_payload)
        for one_payload in (True, False)
        for count in (10, 50)
    },
    "copy": partial(_copying, gain=1),
    "copy twice as strong": partial(_copying, gain=2),
    "another key": partial(_marking_again, same_key=False),
    "same key": partial(_marking_again, same_key=True),
    **{f"ask, {way}": partial(_asking, way=way) for way in _ASKED},
}
