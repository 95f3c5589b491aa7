"""Reading sources within limits, and writing results whole or not at all."""

from __future__ import annotations

import errno
import os
import secrets
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from aiglabel.errors import AigLabelError, MediaError, OutputError
from aiglabel.media.limits import Limits

Source = str | os.PathLike[str] | bytes | bytearray | memoryview | BinaryIO


def is_file(src: object) -> bool:
    """Whether `src` is something `read_source` takes, as opposed to decoded pixels."""
    if isinstance(src, str | os.PathLike | bytes | bytearray | memoryview):
        return True
    # A Pillow image has a file of its own, but no `read`.
    return callable(getattr(src, "read", None))


def read_source(src: Source, limits: Limits | None = None) -> bytes:
    """Return the bytes of a path, a bytes-like object or an open binary file.

    Raises
    ------
    MediaError
        The path cannot be read, or is not a regular file.
    ResourceLimit
        More than ``limits.max_bytes``; at most one byte more than that is read.
    """
    limits = limits or Limits()
    if isinstance(src, bytes | bytearray | memoryview):
        limits.check_bytes(memoryview(src).nbytes)
        return bytes(src)
    if isinstance(src, str | os.PathLike):
        return _read_path(os.fspath(src), limits)
    try:
        data = src.read(limits.max_bytes + 1)
    except (OSError, ValueError) as exc:  # ValueError: closed, or text that does not decode
        raise MediaError(
            f"the open file cannot be read: {exc}", remedy='Open it with mode "rb"'
        ) from exc
    if not isinstance(data, bytes):
        raise MediaError("the open file gives text, not bytes", remedy='Open it with mode "rb"')
    limits.check_bytes(len(data))
    return data


def _read_path(path: str, limits: Limits) -> bytes:
    try:
        status = Path(path).stat()
        if not stat.S_ISREG(status.st_mode):
            raise MediaError("not a regular file", path=path)
        limits.check_bytes(status.st_size)
        with Path(path).open("rb") as file:
            data = file.read(limits.max_bytes + 1)
        limits.check_bytes(len(data))
    except (OSError, ValueError) as exc:  # ValueError: a NUL in the name
        reason = getattr(exc, "strerror", None) or str(exc)
        raise MediaError(f"cannot be read: {reason}", path=path) from exc
    except MediaError as exc:
        raise exc.at(path) from None
    return data


@contextmanager
def regular_file(path: str) -> Iterator[BinaryIO]:
    """Open a path for reading that is nothing but a file: no pipe, no device.

    Raises
    ------
    MediaError
        For anything else. An `OSError` goes on.
    """
    try:
        status = Path(path).stat()
    except ValueError as exc:  # a NUL in the name
        raise MediaError(f"cannot be read: {exc}") from exc
    if not stat.S_ISREG(status.st_mode):
        raise MediaError("not a regular file")
    with Path(path).open("rb") as file:
        yield file


def atomic_write(dst: str | os.PathLike[str], data: bytes, *, overwrite: bool) -> None:
    """Write `data` to `dst` so that a reader, or a crash, sees the old file or the whole new one.

    The bytes go to a temporary file in the same folder, are forced to disk, and then take the
    name in one step; the folder entry is forced to disk too. The mode is 0644 less the umask.
    A symbolic link at `dst` is replaced, not followed.

    Raises
    ------
    OutputError
        `dst` exists and `overwrite` is false (two writers racing for it: one wins), it is a
        folder, or the disk refuses. The old file is then untouched and no temporary is left.
    """
    with atomic_file(dst, overwrite=overwrite) as temporary:
        _write_synced(temporary, data)


@contextmanager
def atomic_file(dst: str | os.PathLike[str], *, overwrite: bool) -> Iterator[Path]:
    """Give a free name beside `dst` to write to; what is there at the end takes the name `dst`.

    Where the body raises, `dst` stays as it was and the temporary file is removed. Who writes it
    forces it to disk.

    Raises
    ------
    OutputError
        As `atomic_write`, also for any `OSError` of the body.
    """
    dst = Path(dst)
    temporary = dst.with_name(f".{dst.name[:100]}.{secrets.token_hex(8)}.tmp")
    try:
        try:
            yield temporary
            if overwrite:
                temporary.replace(dst)
            else:
                _take_free_name(temporary, dst)
        finally:
            temporary.unlink(missing_ok=True)
        _sync_folder(dst.parent)
    except AigLabelError:  # some of them are ValueErrors too
        raise
    except FileExistsError as exc:
        raise OutputError(
            "the destination exists", path=dst, remedy="Choose another name or allow overwriting"
        ) from exc
    except (OSError, ValueError) as exc:
        reason = getattr(exc, "strerror", None) or str(exc)
        raise OutputError(f"cannot be written: {reason}", path=dst) from exc


def synced(path: Path) -> None:
    """Force a file that was written to disk."""
    with path.open("rb+") as file:
        os.fsync(file.fileno())


def _write_synced(path: Path, data: bytes) -> None:
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0), 0o644)
    with os.fdopen(handle, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def _take_free_name(temporary: Path, dst: Path) -> None:
    """Give the file the name `dst` only if nothing has it: a hard link fails where one exists."""
    try:
        os.link(temporary, dst)
    except FileExistsError:
        raise
    except OSError as exc:
        if exc.errno not in (errno.EPERM, errno.ENOTSUP, errno.ENOSYS, errno.EACCES):
            raise
        # No hard links here (FAT, some network folders): reserve the name, then fill it.
        os.close(os.open(dst, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644))
        temporary.replace(dst)


def _sync_folder(folder: Path) -> None:
    # Windows cannot open a folder, and some network file systems refuse to sync one.
    with suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
