"""How players turn a film in MP4 and QuickTime: the matrix of its ``tkhd`` box, copied exactly.

ISO/IEC 14496-12, 8.3.2. ffmpeg writes angles, and from version 6 on only; mirrored and shifted
pictures need the nine numbers themselves.
"""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import BinaryIO

from aiglabel.containers.isobmff import boxes, tracks
from aiglabel.containers.mp4_tracks import movie_of
from aiglabel.errors import MediaError

_SIZE = 36


def copy_matrix(src: str, track: int, dst: str, to: int) -> None:
    """Give track number `to` of `dst` the matrix of track number `track` of `src`.

    Where either has no such box nothing is changed.
    """
    with suppress(MediaError), Path(src).open("rb") as source, Path(dst).open("r+b") as out:
        first, second = _at(source, track), _at(out, to)
        if first is None or second is None:
            return
        source.seek(first)
        matrix = source.read(_SIZE)
        out.seek(second)
        if len(matrix) == _SIZE and out.read(_SIZE) != matrix:
            out.seek(second)
            out.write(matrix)


def _at(file: BinaryIO, track: int) -> int | None:
    """Return where in the file the matrix of a track stands."""
    data = movie_of(file)  # leaves the file behind the box
    start = file.tell() - len(data)
    found = tracks(data)
    if track >= len(found):
        return None
    for part in boxes(data, found[track].body, found[track].end):
        if part.kind == b"tkhd" and part.end - part.body in (84, 96):
            return start + part.end - 8 - _SIZE
    return None
