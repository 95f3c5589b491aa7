"""Sources whose kind is known: sounds and films as files on disk, all else as bytes in memory."""

from __future__ import annotations

import io
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import BinaryIO

from aiglabel.containers.sniff import AnyFormat, Format, sniff_media
from aiglabel.containers.timed import TimedFormat
from aiglabel.errors import AigLabelError, MediaError, UnsupportedFormat
from aiglabel.media.atomic import Source, read_source, regular_file
from aiglabel.media.limits import Limits


@dataclass(frozen=True)
class Taken:
    """What a source holds.

    Attributes
    ----------
    format : Format, SoundFormat, VideoFormat or None
    data : bytes
        Of what lies on disk none.
    path : Path or None
        Of a sound or a film, where it lies.
    problem : MediaError or None
        Why there is no format.
    """

    format: AnyFormat | None
    data: bytes = b""
    path: Path | None = None
    problem: MediaError | None = None

    def opened(self) -> BinaryIO:
        """Open it for reading."""
        return io.BytesIO(self.data) if self.path is None else self.path.open("rb")

    @property
    def known(self) -> AnyFormat:
        """The format.

        Raises
        ------
        MediaError
            Why there is none.
        """
        if self.format is None:
            raise self.problem or UnsupportedFormat("not a format this version reads")
        return self.format


@contextmanager
def taken(src: Source, limits: Limits) -> Iterator[Taken]:
    """Find out what a source is. A sound or film that is not on disk lies there while this is open.

    Raises
    ------
    MediaError
        It cannot be read, or has more bytes than `limits` allow; sounds and films at a path may.
    """
    if isinstance(src, str | os.PathLike) and (timed := _timed_at(os.fspath(src))):
        yield Taken(timed, path=Path(src))
        return
    data = read_source(src, limits)
    try:
        fmt = sniff_media(data)
    except MediaError as error:
        yield Taken(None, data, problem=error)
        return
    if isinstance(fmt, Format):
        yield Taken(fmt, data)
        return
    with TemporaryDirectory(prefix="aiglabel-") as folder:
        path = Path(folder) / "source"
        try:
            path.write_bytes(data)
        except OSError as exc:
            raise MediaError(
                f"the file cannot be laid down in {folder}: {exc.strerror}",
                remedy="Pass the path of a file, or make room there",
            ) from exc
        try:
            yield Taken(fmt, path=path)
        except AigLabelError as error:
            error.path = None if error.path == str(path) else error.path  # nobody knows it
            raise


def _timed_at(path: str) -> TimedFormat | None:
    """Return the format of a sound or film at a path; of others, reading them tells all."""
    try:
        with regular_file(path) as file:
            fmt = sniff_media(file)
    except (MediaError, OSError):
        return None
    return None if isinstance(fmt, Format) else fmt
