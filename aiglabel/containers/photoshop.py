"""Photoshop image resources (``8BIM`` blocks) in JPEG APP13 and TIFF tag 34377."""

from __future__ import annotations

from aiglabel.containers.bounds import take, uint
from aiglabel.errors import CorruptMedia

_THUMBNAILS = (0x0409, 0x040C)


def without_thumbnail(resources: bytes) -> bytes:
    """Return the resources without thumbnails; unchanged where they cannot be parsed.

    Long resources are split over several APP13 segments, so a block that runs past the end is
    usual and not a fault of the file.
    """
    kept, at = [], 0
    try:
        while at < len(resources):
            end, number = _resource(resources, at)
            kept += [] if number in _THUMBNAILS else [resources[at:end]]
            at = end
    except CorruptMedia:
        return resources
    return b"".join(kept)


def _resource(resources: bytes, at: int) -> tuple[int, int]:
    """Return the end and the number of the resource at `at`."""
    number = uint(resources, at + 4, 2, "a Photoshop resource")
    name = uint(resources, at + 6, 1, "a Photoshop resource")
    size_at = at + 6 + (name + 2) // 2 * 2
    size = uint(resources, size_at, 4, "a Photoshop resource")
    take(resources, size_at + 4, size, "a Photoshop resource")
    return size_at + 4 + size + size % 2, number
