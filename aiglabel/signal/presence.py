"""Where in a picture a mark is that was read: a coarse map, for composites and inpainting."""

from __future__ import annotations

from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray

from aiglabel.signal import tile, whitening
from aiglabel.signal.detector import Finding
from aiglabel.signal.view import View

Float = NDArray[np.float32]

SIDE: Final = 32
"""Fields on the longer side of the map."""
WINDOW: Final = 8
"""Cells on a side of what each field sums."""


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
        Local correlation over fields of equal size, `SIDE` on the longer side: a standard
        deviation where no mark is, and up to `WINDOW` where the mark is.
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
    size = [max(1, length // WINDOW) for length in white.shape]
    cells: Any = cv2.resize(product, size[::-1], interpolation=cv2.INTER_AREA)
    window = (WINDOW, WINDOW)
    total = cv2.boxFilter(cells, -1, window, normalize=False, borderType=cv2.BORDER_CONSTANT)
    squares = cv2.boxFilter(
        cells * cells, -1, window, normalize=False, borderType=cv2.BORDER_CONSTANT
    )
    local = total / np.sqrt(np.maximum(squares, np.float32(1e-20)))
    return _on_picture(local, view, shape)


def _on_picture(local: Float, view: View, shape: tuple[int, ...]) -> Float:
    """Look a map of canonical cells up at fields of the picture."""
    longer = max(shape[:2])
    rows, columns = (max(1, round(length / longer * SIDE)) for length in shape[:2])
    y, x = np.mgrid[:rows, :columns].astype(np.float64) + 0.5
    places = np.stack([x * (shape[1] / columns), y * (shape[0] / rows)], axis=-1) * view.scale
    canonical = places @ np.linalg.inv(view.laid.matrix).T - view.laid.origin
    scale = np.array([local.shape[1], local.shape[0]]) / view.laid.white.shape[::-1]
    cells = (canonical * scale - 0.5).astype(np.float32)
    found: Any = cv2.remap(
        local, cells[..., 0], cells[..., 1], cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT
    )
    return np.asarray(found, np.float32)
