"""Metadata carriers: files in, files out, coded media untouched. One file a container family.

The functions here are those of `carriers`; what is written into sounds and films is in `timed`.
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
    VideoFormat,
    sniff,
    sniff_media,
    sniff_sound,
    sniff_video,
)
from aiglabel.containers.texts import TextField

__all__ = [
    "AnyFormat", "Format", "SoundFormat", "TextField", "VideoFormat", "carry_over", "coded_digest",
    "has_c2pa", "read_texts", "read_xmp", "sniff", "sniff_media", "sniff_sound", "sniff_video",
    "write_xmp",
]  # fmt: skip
