"""Frames into the pipe of a process, without a copy where the system can do that.

Linux lets a pipe hold the very pages of a buffer instead of a copy of its bytes (vmsplice(2)).
They are still in the pipe when the call returns, so the buffer must stay as it is until the
reader has taken them. A pipe of n pages holds none of a frame any more once n pages of later
frames went in: that is so when the next frame went in, if frames are not smaller than the pipe.
Smaller ones are copied.
"""

from __future__ import annotations

import ctypes
import errno
import os
import sys
from collections.abc import Callable
from contextlib import suppress
from functools import cache
from typing import IO

from aiglabel.media import ffmpeg

_PIPE_BYTES = 1 << 20
_F_SETPIPE_SZ, _F_GETPIPE_SZ = 1031, 1032  # Linux; fcntl names them only where they are known


def widen(pipe: IO[bytes]) -> int:
    """Let a pipe hold a megabyte, where the system can: fewer switches between processes.

    Returns
    -------
    int
        What it holds now, bytes; 0 if that is not known.
    """
    with suppress(ImportError, OSError, AttributeError):
        import fcntl

        with suppress(OSError):
            fcntl.fcntl(pipe, _F_SETPIPE_SZ, _PIPE_BYTES)
        return fcntl.fcntl(pipe, _F_GETPIPE_SZ)
    return 0


class FramePipe:
    """The standard input of a process that takes frames.

    Parameters
    ----------
    job : ffmpeg.Job
    size : int
        Bytes of a frame.
    """

    def __init__(self, job: ffmpeg.Job, size: int) -> None:
        assert job.process.stdin is not None
        self._job, self._pipe = job, job.process.stdin
        holds = widen(self._pipe)
        self._lends = 0 < holds <= size and _vmsplice() is not None
        self._lent: bytearray | None = None

    def give(self, head: bytes, picture: bytearray) -> tuple[bool, bytearray | None]:
        """Send `head` and then `picture`.

        Returns
        -------
        bool
            False if the process does not listen any more.
        bytearray or None
            The picture, this one or an earlier one, that may be changed again.
        """
        if not self._lends:
            heard = self._job.give(head) and self._job.give(memoryview(picture))
            return heard, picture
        heard = self._job.attempt(lambda: self._lend(head, picture))
        free, self._lent = self._lent, picture
        return heard, free

    def _lend(self, head: bytes, picture: bytearray) -> None:
        self._pipe.write(head)
        self._pipe.flush()
        lend = _vmsplice()
        assert lend is not None
        address = ctypes.addressof(ctypes.c_char.from_buffer(picture))
        end = address + len(picture)
        while address < end:
            address += lend(self._pipe.fileno(), address, end - address)


class _Piece(ctypes.Structure):
    _fields_ = (("base", ctypes.c_void_p), ("length", ctypes.c_size_t))


@cache
def _vmsplice() -> Callable[[int, int, int], int] | None:
    """Return a function of (file, address, bytes) that lends memory; None where there is none."""
    if sys.platform != "linux":
        return None
    try:
        call = ctypes.CDLL(None, use_errno=True).vmsplice
    except (OSError, AttributeError):
        return None
    call.argtypes = (ctypes.c_int, ctypes.POINTER(_Piece), ctypes.c_size_t, ctypes.c_uint)
    call.restype = ctypes.c_ssize_t

    def lend(file: int, address: int, length: int) -> int:
        while (done := call(file, ctypes.byref(_Piece(address, length)), 1, 0)) < 0:
            number = ctypes.get_errno()
            if number != errno.EINTR:
                raise OSError(number, os.strerror(number))
        return int(done)

    # Some sandboxes forbid the call; a pipe of our own tells.
    ends = os.pipe()
    try:
        byte = ctypes.c_char(b"x")
        lend(ends[1], ctypes.addressof(byte), 1)
    except OSError:
        return None
    finally:
        for end in ends:
            os.close(end)
    return lend
