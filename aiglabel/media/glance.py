"""A cheap look at a file the toolkit has just written, for reading the marks back."""

from __future__ import annotations

import cv2
import numpy as np

from aiglabel.containers.sniff import Format, sniff
from aiglabel.errors import CorruptMedia
from aiglabel.media.decode import decode, dimensions
from aiglabel.media.limits import Limits
from aiglabel.media.picture import Picture, Space

# The JPEG decoder leaves out whole octaves of its 8×8 cosine transform.
_REDUCED = (
    (4, cv2.IMREAD_REDUCED_GRAYSCALE_4),
    (2, cv2.IMREAD_REDUCED_GRAYSCALE_2),
    (1, cv2.IMREAD_GRAYSCALE),
)


def glance(data: bytes, *, space: Space, shortest: int, limits: Limits) -> Picture:
    """Decode what is needed to see luma marks again.

    Parameters
    ----------
    data : bytes
        Not for bytes of strangers: damage is not looked for.
    space : {"rgb", "gray", "cmyk"}
        Colour space it was written in.
    shortest : int
        A JPEG may come back as grey and reduced by 2 or 4, while its shortest side keeps this.

    Raises
    ------
    MediaError
        As `decode`.
    """
    if sniff(data) is not Format.JPEG or space == "cmyk":
        return decode(data, limits=limits)
    side = min(dimensions(data))
    flag = next(flag for step, flag in _REDUCED if step == 1 or side // step >= shortest)
    plane = cv2.imdecode(np.frombuffer(data, np.uint8), flag)
    if plane is None:
        raise CorruptMedia("the JPEG just written cannot be decoded")
    return Picture([plane[..., None]], [None], "gray", Format.JPEG)
