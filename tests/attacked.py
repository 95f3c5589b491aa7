"""A marked picture made by code, and one attack of each family, for tests of the watermark."""

from __future__ import annotations

import importlib
import sys
from functools import cache
from pathlib import Path

import cv2
import numpy as np

from aiglabel.key import Key
from aiglabel.signal import image

ROOT = Path(__file__).resolve().parents[1]
if str(ROOT) not in sys.path:  # `python -m pytest` has it, `pytest` has not
    sys.path.insert(0, str(ROOT))

geometry = importlib.import_module("benchmarks.attacks_geometry")
scene = importlib.import_module("benchmarks.attacks_scene")
signal = importlib.import_module("benchmarks.attacks_signal")

KEY = Key(bytes(range(32)))
PAYLOAD = b"\x01\x23\x45\x67\x89\xab\xcd\xef"


def photo(height: int = 720, width: int = 960, seed: int = 0) -> np.ndarray:
    """A picture with smooth, textured, dark and bright parts; 0.7 MP."""
    rng = np.random.default_rng(seed)
    texture = rng.standard_normal((height, width, 3)).astype(np.float32)
    texture = cv2.GaussianBlur(texture, (0, 0), 1.5) * 60
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    ramp = (x / width * 160 + y / height * 60)[..., None]
    busy = np.where(x < width / 2, 1.0, 0.15)[..., None]
    cv2.circle(texture, (width // 3, height // 2), min(height, width) // 5, (40, 10, -30), -1)
    return np.clip(ramp + texture * busy + 20, 0, 255).astype(np.uint8)


@cache
def marked(seed: int = 0) -> np.ndarray:
    pixels = image.embed(photo(seed=seed), PAYLOAD, key=KEY)
    pixels.setflags(write=False)
    return pixels


def drawn(seed: int = 1) -> np.random.Generator:
    return np.random.default_rng(seed)


def beside(part: np.ndarray, page: np.ndarray) -> np.ndarray:
    """Lay a picture on a page."""
    page[123 : 123 + part.shape[0], 457 : 457 + part.shape[1]] = part
    return page


def covered(pixels: np.ndarray, place: tuple[slice, slice]) -> np.ndarray:
    pixels = pixels.copy()
    pixels[place] = 0
    return pixels


ATTACKS = {
    "nothing": lambda p: p,
    "jpeg 50": lambda p: signal.coded(p, "JPEG", 50),
    "jpeg 30": lambda p: signal.coded(p, "JPEG", 30),
    "webp 50": lambda p: signal.coded(p, "WEBP", 50),
    "avif 50": lambda p: signal.coded(p, "AVIF", 50),
    "half the size": lambda p: geometry.resized(p, 0.5),
    "a quarter of the size": lambda p: geometry.resized(p, 0.25),
    "larger by half": lambda p: geometry.resized(p, 1.5),
    "unequal": lambda p: geometry.resized(p, 0.8, 1.0),
    "half of it": lambda p: p[101:610, 57:736],
    "a quarter of it": lambda p: p[101:461, 357:837],
    "a strip of it": lambda p: p[301:501],
    "rotated by 7°": lambda p: geometry.rotated(p, 7),
    "rotated by 33°, inside": lambda p: geometry.rotated_inside(p, 33),
    "mirrored": lambda p: p[:, ::-1],
    "upside down, jpeg 50": lambda p: signal.coded(p[::-1], "JPEG", 50),
    "half turn": lambda p: p[::-1, ::-1],
    "turned left": np.rot90,
    "turned right, half the size": lambda p: geometry.resized(geometry.turned(p, 3), 0.5),
    "transposed, half of it": lambda p: p.transpose(1, 0, 2)[101:736, 57:566],
    "perspective": lambda p: geometry.in_perspective(p, drawn(7), 0.02),
    "photographed": lambda p: scene.photographed(p, drawn(), 0.02),
    "bent by 4": lambda p: geometry.bent(p, drawn(), 4),
    "bent": lambda p: geometry.bent(p, drawn(), 2),
    "collage": lambda p: beside(geometry.resized(p, 0.7), photo(1000, 1300, 9)),
    "white frame": lambda p: geometry.framed(p, 0.1, 0.1, geometry.WHITE),
    "a quarter erased": lambda p: covered(p, np.s_[200:560, 300:780]),
    "brighter": lambda p: signal.brightened(p, 1.3),
    "darker": lambda p: signal.brightened(p, 0.7),
    "less contrast": lambda p: signal.contrasted(p, 0.7),
    "gamma": lambda p: signal.gamma(p, 1.5),
    "grey": lambda p: p[..., 1],
    "median": lambda p: signal.median(p, 3),
    "blur": lambda p: signal.blurred(p, 1),
    "noise": lambda p: signal.noisy(p, drawn(), 10),
    "half of it, jpeg 50": lambda p: signal.coded(p[101:610, 57:736], "JPEG", 50),
    "text": lambda p: cv2.putText(p.copy(), "hello", (50, 400), 0, 9, (255, 0, 0), 19),
}  # fmt: skip
