"""Small pictures made by code, for tests of whole files."""

from __future__ import annotations

import io
from typing import Any

import cv2
import numpy as np
from PIL import Image

import aiglabel as agl

PRODUCER = "001191110102MACQD9K64010000"


def pixels(height: int = 288, width: int = 384, seed: int = 0) -> np.ndarray:
    """RGB with smooth and textured parts, like a photo."""
    rng = np.random.default_rng(seed)
    texture = cv2.GaussianBlur(rng.standard_normal((height, width, 3)), (0, 0), 1.5) * 50
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    ramp = (x / width * 150 + y / height * 60)[..., None]
    return np.clip(ramp + texture * (x < width / 2)[..., None] + 25, 0, 255).astype(np.uint8)


def coded(fmt: str = "JPEG", array: np.ndarray | None = None, **options: Any) -> bytes:
    """A file's bytes."""
    stream = io.BytesIO()
    Image.fromarray(pixels() if array is None else array).save(stream, fmt, **options)
    return stream.getvalue()


def label(**changes: str) -> agl.Label:
    """A producer's label."""
    values = {"producer": PRODUCER, "content_id": "p-1", "model": "m", "model_version": "1.2"}
    return agl.Label.generated(**{**values, **changes})
