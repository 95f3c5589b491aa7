"""Files larger than memory: copied with edits, and hashed, a piece at a time; bytes as files."""

from __future__ import annotations

import hashlib
import io
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from itertools import pairwise
from pathlib import Path
from typing import BinaryIO

from aiglabel.containers.bounds import Span, Splice
from aiglabel.errors import CorruptMedia, MediaError

_PIECE = 1 << 20


def opened(data: bytes | BinaryIO) -> BinaryIO:
    """Return an open file as it is, and bytes as one."""
    return io.BytesIO(data) if isinstance(data, bytes | bytearray | memoryview) else data


def whole(data: bytes | BinaryIO) -> bytes:
    """Return bytes as they are, and all that an open file holds."""
    if isinstance(data, bytes | bytearray | memoryview):
        return data
    data.seek(0)
    return data.read()


@contextmanager
def copying(
    src: str | os.PathLike[str], dst: str | os.PathLike[str]
) -> Iterator[tuple[BinaryIO, BinaryIO]]:
    """Open a file to be read, and another, emptied, to be written and read back.

    Where the body raises, nothing is left at `dst`.

    Raises
    ------
    MediaError
        If both are one file.
    OSError
        If a file cannot be opened.
    """
    source, target = Path(src), Path(dst)
    if target.exists() and source.samefile(target):
        raise MediaError("a file cannot be copied onto itself", path=dst)
    with source.open("rb") as file:
        try:
            with target.open("w+b") as out:
                yield file, out
        except BaseException:
            with suppress(OSError):
                target.unlink()
            raise


def copy_spliced(file: BinaryIO, out: BinaryIO, edits: Iterable[Splice]) -> None:
    """Write an open file into `out` with every edit applied, in bounded memory.

    Raises
    ------
    CorruptMedia
        If edits overlap, which only a file that describes the same bytes twice brings about.
    """
    ordered = sorted(edits)
    if any(one[1] > two[0] for one, two in pairwise(ordered)):
        raise CorruptMedia("two parts of the file share the same bytes")
    at = 0
    for start, end, new in ordered:
        out.writelines(pieces(file, (at, start)))
        out.write(new)
        at = end
    file.seek(at)
    while piece := file.read(_PIECE):
        out.write(piece)


def pieces(file: BinaryIO, span: Span) -> Iterator[bytes]:
    """Yield the bytes of a span.

    Raises
    ------
    CorruptMedia
        If the file ends before it does.
    """
    at, end = span
    file.seek(at)
    while at < end:
        piece = file.read(min(_PIECE, end - at))
        if not piece:
            raise CorruptMedia("the file ends before its media data does")
        at += len(piece)
        yield piece


class Digest:
    """SHA-256 over texts and spans of a file; spans that touch are read as one."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._hash = hashlib.sha256()
        self._waiting: Span = (0, 0)

    def add(self, raw: bytes) -> None:
        """Hash bytes that are at hand."""
        self._flush()
        self._hash.update(raw)

    def add_span(self, start: int, end: int) -> None:
        """Hash ``[start, end)`` of the file."""
        if start == self._waiting[1]:
            self._waiting = (self._waiting[0], end)
        else:
            self._flush()
            self._waiting = (start, end)

    def value(self) -> bytes:
        """Return the digest."""
        self._flush()
        return self._hash.digest()

    def _flush(self) -> None:
        for piece in pieces(self._file, self._waiting):
            self._hash.update(piece)
        self._waiting = (0, 0)
