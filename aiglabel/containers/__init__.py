"""Metadata carriers: bytes in, bytes out, coded pixels untouched. One file a container family."""

from aiglabel.containers.carriers import (
    carry_over,
    coded_digest,
    has_c2pa,
    read_texts,
    read_xmp,
    write_xmp,
)  # fmt: skip
from aiglabel.containers.sniff import Format, sniff
from aiglabel.containers.texts import TextField

__all__ = [
    "Format", "TextField", "carry_over", "coded_digest", "has_c2pa", "read_texts", "read_xmp",
    "sniff", "write_xmp",
]  # fmt: skip
