"""Properties of several metadata marks, merged into a file's XMP packet in one go."""

from __future__ import annotations

from collections.abc import Mapping

from aiglabel import containers
from aiglabel.containers import xmp
from aiglabel.containers.sniff import Format

Properties = Mapping[tuple[str, str, str], str]
"""XMP text properties: (namespace URI, usual prefix, name) → value."""


def write_properties(data: bytes, fmt: Format, properties: Properties) -> bytes:
    """Return the file with `properties` set and every other XMP property kept.

    Raises
    ------
    MediaError
        When the file or its XMP packet is broken, or the format takes no XMP.
    """
    if not properties:
        return data
    packets = [each for each in containers.read_xmp(data, fmt) if each.strip(b"\0 \t\r\n")]
    packet = xmp.set_properties(packets[0] if packets else None, properties)
    return containers.write_xmp(data, fmt, packet)
