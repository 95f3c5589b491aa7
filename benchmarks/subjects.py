"""Which pictures robustness is measured on: by size, and photographs apart from graphics."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from benchmarks import pictures
from benchmarks.pictures import Rgb

PHOTOGRAPHS, GRAPHICS = "photographs and AI pictures", "graphics"
# In 8 × 8 blocks whose grey values differ by one at most; photographs stay below a quarter. And of
# the two commonest grey values; photographs stay below four tenths.
_FLAT_SHARE, _TWO_VALUES = 0.3, 0.5


@dataclass(frozen=True)
class Size:
    """A class of pictures by size, in MP: what they have natively, and what they are reduced to."""

    name: str
    native: tuple[float, float]
    quick: float
    full: float

    def limit(self, *, full: bool) -> float:
        """Return what pictures of this class are reduced to, MP."""
        return self.full if full else self.quick


TINY = Size("tiny", (0, 0.25), 0.25, 0.25)
SMALL = Size("small", (0.25, np.inf), 0.39, 0.39)
LARGE = Size("large", (1, np.inf), 1.5, 4)


@dataclass(frozen=True)
class Subject:
    """One picture of one class: a file, or a mosaic of `pictures`."""

    name: str
    path: Path | None
    size: Size
    kind: str

    def load(self, *, full: bool) -> Rgb:
        """Return its pixels, uint8 (H, W, 3), reduced as its class demands."""
        return pictures.reduced(_whole(self.name, self.path), self.size.limit(full=full))


def subjects(media: Path | None) -> list[Subject]:
    """Return every picture in every class it natively belongs to: nothing is enlarged."""
    files = pictures.bundled() + pictures.in_folder(media)
    found = [one for path in files for one in _of(path.name, path, (TINY, SMALL, LARGE))]
    return found + [one for name in pictures.MOSAICS for one in _of(name, None, (LARGE,))]


def _of(name: str, path: Path | None, sizes: Sequence[Size]) -> list[Subject]:
    rgb = _whole(name, path)
    kind = GRAPHICS if is_graphic(pictures.reduced(rgb, SMALL.full)) else PHOTOGRAPHS
    megapixels = rgb.shape[0] * rgb.shape[1] / 1e6
    fitting = [size for size in sizes if size.native[0] <= megapixels < size.native[1]]
    return [Subject(name, path, size, kind) for size in fitting]


def spread(subjects: Sequence[Subject], count: int) -> list[Subject]:
    """Choose that many from all over the list, the same ones every time."""
    if len(subjects) <= count:
        return list(subjects)
    return [subjects[index * len(subjects) // count] for index in range(count)]


def is_graphic(rgb: Rgb) -> bool:
    """Whether most of a picture is of a few colours: line art, text, logos, empty pages."""
    rows, columns = (length // 8 for length in rgb.shape[:2])
    grey = cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY)[: 8 * rows, : 8 * columns]
    blocks = grey.reshape(rows, 8, columns, 8).astype(np.int16)
    flat = (np.ptp(blocks, axis=(1, 3)) <= 1).mean()
    commonest = np.sort(np.bincount(grey.ravel(), minlength=256))[-2:]
    return bool(flat > _FLAT_SHARE or commonest.sum() > _TWO_VALUES * grey.size)


def _whole(name: str, path: Path | None) -> Rgb:
    return pictures.mosaic(name) if path is None else pictures.load(path)
