"""Sources whose kind is known: films as files on disk, all else as bytes in memory."""

from __future__ import annotations

import io
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import BinaryIO

from aiglabel.containers.sniff import AnyFormat, VideoFormat, sniff_media
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
        Of a film on disk none.
    film : Path or None
        Of a film, where it lies.
    problem : MediaError or None
        Why there is no format.
    """

    format: AnyFormat | None
    data: bytes = b""
    film: Path | None = None
    problem: MediaError | None = None

    def opened(self) -> BinaryIO:
        """Open it for reading."""
        return io.BytesIO(self.data) if self.film is None else self.film.open("rb")

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
    """Find out what a source is. A film that is not on disk lies there as long as this is open.

    Raises
    ------
    MediaError
        It cannot be read, or, but for films on disk, has more bytes than `limits` allow.
    """
    if isinstance(src, str | os.PathLike) and (film := _film_at(os.fspath(src))):
        yield Taken(film, film=Path(src))
        return
    data = read_source(src, limits)
    try:
        fmt = sniff_media(data)
    except MediaError as error:
        yield Taken(None, data, problem=error)
        return
    if not isinstance(fmt, VideoFormat):
        yield Taken(fmt, data)
        return
    with TemporaryDirectory(prefix="aiglabel-") as folder:
        path = Path(folder) / "source"
        try:
            path.write_bytes(data)
        except OSError as exc:
            raise MediaError(
                f"the film cannot be laid down in {folder}: {exc.strerror}",
                remedy="Pass the path of a file, or make room there",
            ) from exc
        try:
            yield Taken(fmt, film=path)
        except AigLabelError as error:
            error.path = None if error.path == str(path) else error.path  # nobody knows it
            raise


def _film_at(path: str) -> VideoFormat | None:
    """Return the format of a film at a path; what is wrong with others is told by reading them."""
    try:
        with regular_file(path) as file:
            fmt = sniff_media(file)
    except (MediaError, OSError):
        return None
    return fmt if isinstance(fmt, VideoFormat) else None
