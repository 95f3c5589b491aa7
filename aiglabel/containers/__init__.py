"""Metadata carriers: bytes in, bytes out, coded pixels untouched. One file a container family.

The functions here are those of `carriers`; what is written into sounds is in `sound`.
"""

from aiglabel.containers.carriers import (
    carry_over,
    coded_digest,
    has_c2pa,
    read_texts,
    read_xmp,
    write_xmp,
)  # fmt: skip
from aiglabel.containers.sniff import (
    AnyFormat,
    Format,
    SoundFormat,
    sniff,
    sniff_media,
    sniff_sound,
)
from aiglabel.containers.texts import TextField

__all__ = [
    "AnyFormat", "Format", "SoundFormat", "TextField", "carry_over", "coded_digest", "has_c2pa",
    "read_texts", "read_xmp", "sniff", "sniff_media", "sniff_sound", "write_xmp",
]  # fmt: skip
