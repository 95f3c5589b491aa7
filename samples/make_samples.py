"""Write the pictures of the demo: photographs that scikit-image carries, and drawn ones.

They stand in for generated pictures: many file formats, pixel layouts and kinds of content, some
of them hard for a watermark (near white, near black, flat, 8:1). The same versions of the
libraries write the same bytes every time.

    python samples/make_samples.py samples/input
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from importlib.resources import as_file, files
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw

RgbArray = npt.NDArray[np.uint8]


def photograph(name: str) -> Image.Image:
    """Return one of the photographs inside the scikit-image wheel; nothing is downloaded."""
    with as_file(files("skimage") / "data" / name) as path, Image.open(path) as image:
        return image.copy()


def plasma(height: int, width: int, *, seed: int) -> npt.NDArray[np.float32]:
    """Return smooth clouds: float32 (H, W, 3) in [0, 1], noise summed over octaves."""
    rng = np.random.default_rng(seed)
    total = np.zeros((height, width, 3), np.float32)
    for octave in range(1, 8):
        cells = 2**octave
        grid = rng.random((cells + 1, cells + 1, 3), dtype=np.float32) / cells**0.8
        total += cv2.resize(grid, (width, height), interpolation=cv2.INTER_CUBIC)
    total = 0.6 * total.mean(axis=2, keepdims=True) + 0.4 * total  # paler, as most pictures are
    low, high = total.min((0, 1)), total.max((0, 1))
    return (total - low) / (high - low)


def to_image(unit: npt.NDArray[np.float32]) -> Image.Image:
    """Turn float32 (H, W, 3) in [0, 1] into an 8-bit picture."""
    pixels: RgbArray = np.rint(np.clip(unit, 0, 1) * 255).astype(np.uint8)
    return Image.fromarray(pixels)


def gradient() -> Image.Image:
    """Return a sky: a slow ramp in which every change shows."""
    ramp = np.linspace(0, 1, 1024, dtype=np.float32)[:, None, None]
    top, bottom = np.array([0.16, 0.36, 0.72], np.float32), np.array([0.98, 0.83, 0.66], np.float32)
    return to_image(np.broadcast_to(top + ramp * (bottom - top), (1024, 1024, 3)))


def night() -> Image.Image:
    """Return stars over nearly black clouds."""
    sky = plasma(768, 1024, seed=2) ** 2 * np.array([0.05, 0.06, 0.12], np.float32)
    rng = np.random.default_rng(3)
    sky[rng.integers(0, 768, 300), rng.integers(0, 1024, 300)] = rng.random((300, 1)) ** 3
    return to_image(cv2.GaussianBlur(sky, (0, 0), 0.7) * 1.5)


def paper() -> Image.Image:
    """Return a nearly white page with thin lines: no place to hide anything."""
    image = to_image(0.97 + 0.02 * plasma(1200, 850, seed=4))
    draw = ImageDraw.Draw(image)
    for line in range(24):
        y = 120 + 40 * line
        draw.line([(90, y), (760 - 137 * line % 290, y)], fill=(70, 70, 80), width=3)
    return image


def sticker() -> Image.Image:
    """Return a disc with soft edges on transparency (RGBA)."""
    rgb = to_image(plasma(640, 640, seed=5))
    y, x = np.mgrid[-1:1:640j, -1:1:640j]
    alpha = np.clip((0.92 - np.hypot(x, y)) * 40, 0, 1)
    rgb.putalpha(Image.fromarray(np.rint(alpha * 255).astype(np.uint8)))
    return rgb


def poster() -> Image.Image:
    """Return flat shapes in a 16-colour palette."""
    image = Image.new("RGB", (800, 600), (250, 240, 220))
    draw = ImageDraw.Draw(image)
    for step in range(12):
        x = 40 + 60 * step
        colour = (20 * step, 90 + 10 * step, 230 - 15 * step)
        draw.regular_polygon((x, 300, 90), 3 + step % 5, rotation=17 * step, fill=colour)
    return image.quantize(16, dither=Image.Dither.NONE)


def panorama() -> Image.Image:
    """Return layered hills, 8:1."""
    height, width = 400, 3200
    image = to_image(0.6 + 0.4 * plasma(height, width, seed=6))
    draw = ImageDraw.Draw(image)
    x = np.arange(width)
    for layer in range(5):
        crest = 120 + 55 * layer + 40 * np.sin(x / (170 - 20 * layer) + 2 * layer)
        outline = [*zip(x.tolist(), crest.tolist(), strict=True), (width, height), (0, height)]
        draw.polygon(outline, fill=(120 - 22 * layer, 150 - 20 * layer, 130 - 18 * layer))
    return image


def ball() -> list[Image.Image]:
    """Return twelve frames of a bouncing ball."""
    background = to_image(0.3 + 0.5 * plasma(320, 480, seed=7))
    frames = []
    for step in range(12):
        frame = background.copy()
        x, y = 40 + 36 * step, 250 - 190 * abs(np.sin(np.pi * step / 6))
        ImageDraw.Draw(frame).ellipse([x - 30, y - 30, x + 30, y + 30], fill=(235, 90, 40))
        frames.append(frame)
    return frames


def write_deep(path: Path) -> None:
    """Write 16 bits a channel, which Pillow cannot."""
    pixels = np.rint(plasma(600, 800, seed=8) * 65535).astype(np.uint16)
    _, encoded = cv2.imencode(".png", pixels[..., ::-1])
    path.write_bytes(encoded.tobytes())


def write_rotated(path: Path) -> None:
    """Write a picture that is stored lying on its side, as phones do (Exif orientation 6)."""
    exif = Image.Exif()
    exif[0x0112] = 6
    turned = photograph("rocket.jpg").transpose(Image.Transpose.ROTATE_90)
    turned.save(path, quality=90, exif=exif)


def write_animation(path: Path) -> None:
    """Write the bouncing ball, every frame in the palette of the first."""
    frames = ball()
    palette = frames[0].quantize(128, dither=Image.Dither.NONE)
    first, *rest = (frame.quantize(palette=palette, dither=Image.Dither.NONE) for frame in frames)
    first.save(path, save_all=True, append_images=rest, duration=80, loop=0)


# One of them has a Chinese name, one a space: both happen.
WRITERS: dict[str, Callable[[Path], None]] = {
    "photos/astronaut.jpg": lambda path: photograph("astronaut.png").save(path, quality=90),
    "photos/cat.webp": lambda path: photograph("chelsea.png").save(path, quality=85),
    "photos/coffee.avif": lambda path: photograph("coffee.png").save(path, quality=75, speed=8),
    "photos/grey.png": lambda path: photograph("camera.png").save(path),
    "photos/phone/rocket, upright.jpg": write_rotated,
    "photos/retina.tif": lambda path: photograph("retina.jpg").save(path, compression="tiff_lzw"),
    "drawn/ball.gif": write_animation,
    "drawn/deep16.png": write_deep,
    "drawn/gradient.png": lambda path: gradient().save(path),
    "drawn/paper.jpg": lambda path: paper().save(path, quality=92),
    "drawn/poster.png": lambda path: poster().save(path),
    "drawn/print_cmyk.jpg": lambda path: (
        to_image(plasma(600, 800, seed=1)).convert("CMYK").save(path, quality=92)
    ),
    "drawn/sticker.png": lambda path: sticker().save(path),
    "drawn/夜色.jpg": lambda path: night().save(path, quality=88),
    "drawn/wide/panorama.webp": lambda path: panorama().save(path, quality=85),
}


def make_samples(folder: Path) -> list[Path]:
    """Write every picture below `folder` and return their paths."""
    paths = [folder / name for name in WRITERS]
    for path, write in zip(paths, WRITERS.values(), strict=True):
        path.parent.mkdir(parents=True, exist_ok=True)
        write(path)
    return paths


if __name__ == "__main__":
    target = Path(sys.argv[1] if len(sys.argv) > 1 else "samples/input")
    print(f"{len(make_samples(target))} pictures in {target}")
