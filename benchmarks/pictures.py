"""The pictures that are measured: scikit-image's bundle, a folder of one's own, synthetic ones."""

from __future__ import annotations

import zlib
from importlib.resources import files
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

Rgb = NDArray[np.uint8]

SEED = 20261122
# Of scikit-image's bundle, what looks like something a generator is asked for; the grey ones too.
BUNDLED = (
    "astronaut.png", "brick.png", "camera.png", "cell.png", "chelsea.png", "clock_motion.png",
    "coffee.png", "coins.png", "grass.png", "gravel.png", "hubble_deep_field.jpg", "ihc.png",
    "logo.png", "moon.png", "motorcycle_left.png", "page.png", "retina.jpg", "rocket.jpg",
    "text.png",
)  # fmt: skip
# Where the bundle has nothing large: mosaics of pixels nobody has enlarged.
MOSAICS = {
    "mosaic of photographs": (
        "astronaut.png", "coffee.png", "rocket.jpg", "ihc.png", "motorcycle_left.png",
        "hubble_deep_field.jpg", "retina.jpg",
    ),
    "mosaic of textures": ("brick.png", "grass.png", "gravel.png", "cell.png", "moon.png"),
    "mosaic of all": (
        "camera.png", "coffee.png", "gravel.png", "retina.jpg", "motorcycle_left.png", "ihc.png",
        "grass.png",
    ),
}  # fmt: skip
_TILES = ("astronaut.png", "coffee.png", "chelsea.png", "ihc.png", "motorcycle_left.png")
_SUFFIXES = {".jpg", ".jpeg", ".png", ".webp", ".avif", ".gif", ".tif", ".tiff"}


def bundled() -> list[Path]:
    """Return the photographs inside the scikit-image wheel; nothing is downloaded."""
    folder = Path(str(files("skimage") / "data"))
    return [folder / name for name in BUNDLED]


def in_folder(folder: Path | None) -> list[Path]:
    """Return the still pictures of a folder by name; of animations, the first frame is used."""
    if folder is None:
        return []
    return sorted(path for path in folder.iterdir() if path.suffix.lower() in _SUFFIXES)


def load(path: Path, *, megapixels: float | None = None) -> Rgb:
    """Decode to (H, W, 3) on white, reduced to at most `megapixels`."""
    with Image.open(path) as image:
        upright = ImageOps.exif_transpose(image)
    if upright.has_transparency_data:
        upright = upright.convert("RGBA")
        upright = Image.alpha_composite(Image.new("RGBA", upright.size, "white"), upright)
    rgb = np.asarray(upright.convert("RGB"))
    return rgb if megapixels is None else reduced(rgb, megapixels)


def mosaic(name: str) -> Rgb:
    """Return 4 × 3 tiles of 400 × 400 pixels cut from bundled pictures: 1.9 MP."""
    side = 400
    tiles = []
    for tile in MOSAICS[name]:
        rgb = load(bundled()[0].with_name(tile))
        top, left = (rgb.shape[0] - side) // 2, (rgb.shape[1] - side) // 2
        tiles.append(rgb[top : top + side, left : left + side])
    return _laid_out(tiles, rows=3, columns=4)


def reduced(rgb: Rgb, megapixels: float) -> Rgb:
    """Reduce to at most `megapixels`, keeping the proportions."""
    scale = (megapixels * 1e6 / (rgb.shape[0] * rgb.shape[1])) ** 0.5
    if scale >= 1:
        return np.ascontiguousarray(rgb)
    size = (max(1, round(rgb.shape[1] * scale)), max(1, round(rgb.shape[0] * scale)))
    return np.asarray(cv2.resize(rgb, size, interpolation=cv2.INTER_AREA), np.uint8)


def large(folder: Path | None) -> tuple[str, Rgb]:
    """Return the picture that is timed, at least 12 MP, and its name.

    The largest photograph (JPEG) of the folder where that is large enough; else tiles of bundled
    photographs, enlarged twice so that a pixel holds about as much detail as a camera's.
    """
    photographs = [path for path in in_folder(folder) if path.suffix.lower() in (".jpg", ".jpeg")]
    for path in sorted(photographs, key=_pixels, reverse=True)[:1]:
        if _pixels(path) >= 12_000_000:
            return path.name, load(path)
    return "mosaic of scikit-image photographs", _mosaic()


def _pixels(path: Path) -> int:
    with Image.open(path) as image:
        return image.width * image.height


def _mosaic() -> Rgb:
    side, rows, columns = 720, 4, 6
    tiles = []
    for name in _TILES:
        rgb = load(bundled()[0].with_name(name))
        edge = min(rgb.shape[:2])
        scale = max(side / edge, 2.0)
        bigger = cv2.resize(rgb, None, fx=scale, fy=scale, interpolation=cv2.INTER_CUBIC)
        tiles.append(bigger[:side, :side])
    return _laid_out(tiles, rows, columns)


def _laid_out(tiles: list[Rgb], rows: int, columns: int) -> Rgb:
    strips = []
    for row in range(rows):
        # Turned and mirrored, so that no two neighbours are alike.
        strip = [np.rot90(tiles[(row + i) % len(tiles)], row + i // 2) for i in range(columns)]
        strips.append(np.concatenate(strip, axis=1))
    return np.ascontiguousarray(np.concatenate(strips), np.uint8)


def sized(rgb: Rgb, megapixels: float) -> Rgb:
    """Return a 3:2 picture of exactly that many megapixels, to the pixel row."""
    height = round((megapixels * 1e6 / 1.5) ** 0.5)
    size = (round(height * 1.5), height)
    way = cv2.INTER_AREA if height < rgb.shape[0] else cv2.INTER_CUBIC
    return np.asarray(cv2.resize(rgb, size, interpolation=way), np.uint8)


def random_for(*names: object) -> np.random.Generator:
    """Return the random numbers of one named use: the same on every machine, in every order."""
    return np.random.default_rng([SEED, zlib.crc32(repr(names).encode())])


def crop(rgb: Rgb, rng: np.random.Generator) -> Rgb:
    """Cut a window of 64 to 1024 px a side out, or return the whole picture one time in four."""
    if rng.random() < 0.25:
        return rgb
    sides = [min(round(2 ** rng.uniform(6, 10)), length) for length in rgb.shape[:2]]
    top, left = (
        int(rng.integers(0, length - side + 1))
        for length, side in zip(rgb.shape[:2], sides, strict=True)
    )
    return np.ascontiguousarray(rgb[top : top + sides[0], left : left + sides[1]])


def synthetic(rng: np.random.Generator) -> Rgb:
    """Draw a flat area, a ramp, stripes, a checkerboard, or noise of one kind or another."""
    height, width = (round(2 ** rng.uniform(6, 9.5)) for _ in range(2))
    y, x = np.mgrid[:height, :width].astype(np.float32)
    angle, period = rng.uniform(0, 6.3), rng.uniform(2, 64)
    along = x * np.cos(angle) + y * np.sin(angle)
    low, high = sorted(rng.uniform(0, 255, 2))
    drawn = [
        np.full((height, width), low),
        low + (high - low) * (along - along.min()) / np.ptp(along),
        np.where(np.sin(along * 6.283 / period) > 0, high, low),
        np.where((x // period + y // period) % 2 > 0, high, low),
        rng.uniform(0, 255, (height, width)),
        rng.normal(128, rng.uniform(1, 60), (height, width)),
        cv2.GaussianBlur(rng.normal(128, 200, (height, width)), (0, 0), rng.uniform(0.6, 4)),
    ]
    plane = drawn[rng.integers(len(drawn))]
    return np.repeat(np.clip(np.rint(plane), 0, 255).astype(np.uint8)[..., None], 3, axis=2)
