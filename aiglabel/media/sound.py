"""Sound files in, arrays out, and back.

WAV is read and written here with NumPy (`wave_file`); FLAC, MP3, M4A and Ogg go through ffmpeg
(`ffmpeg_audio`), a process of its own. What a file is, is told from its bytes. Start and length
are exact: the samples a coder adds at either end are taken off again by every reader that honours
what the format has for it (LAME field, Opus pre-skip, edit list), and this one does.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

from aiglabel.errors import MediaError
from aiglabel.media.atomic import Source, atomic_file, synced
from aiglabel.media.limits import Limits
from aiglabel.media.sound_coding import Coding, Samples, Sound
from aiglabel.media.sound_reading import BLOCK, blaming, gather, opened
from aiglabel.media.sound_writing import produce


def probe(src: Source, *, limits: Limits | None = None) -> Coding:
    """Return how a sound file is coded, without decoding it.

    Raises
    ------
    MediaError
        As `decode`, for what the headers show.
    """
    with opened(src, limits or Limits()) as given:
        return given.coding


def decode(src: Source, *, limits: Limits | None = None) -> Sound:
    """Decode a whole sound into memory.

    Parameters
    ----------
    src : path, bytes or open binary file
    limits : Limits, optional

    Returns
    -------
    Sound
        `y` is ``float32 (channels, n)``. Samples of up to 24 bits are exact; 32-bit integers and
        64-bit numbers are rounded to float32's 24 significant bits.

    Raises
    ------
    UnsupportedFormat
        Not WAV (PCM), FLAC, MP3, M4A (AAC, ALAC) or Ogg (Vorbis, Opus, FLAC).
    CorruptMedia
        Damaged, or shorter than the header promises.
    ResourceLimit
        Over `limits`.
    MediaError
        It cannot be read, or ffmpeg is missing or hangs.
    """
    limits = limits or Limits()
    with opened(src, limits) as given, blaming(src):
        coding = given.coding
        limits.check_held(coding.channels, coding.samples or 0)
        y = gather(given.blocks(BLOCK), coding, limits)
        coding = replace(coding, samples=y.shape[1])
        return Sound(y, coding, given.kept, given.notes)


def blocks(src: Source, *, size: int = BLOCK, limits: Limits | None = None) -> Iterator[Samples]:
    """Yield a sound as ``float32 (channels, size)``, the last block shorter, in constant memory.

    Raises
    ------
    MediaError
        As `decode`, from the first step of the iteration on; not for `Limits.max_samples`.
    """
    if size < 1:
        raise MediaError(f"blocks of {size} samples cannot be read")
    with opened(src, limits or Limits()) as given, blaming(src):
        yield from given.blocks(size)


def encode(sound: Sound, y: Samples | None = None, *, target: Coding | None = None) -> bytes:
    """Return `sound` as a file with the same coding, tags and pictures.

    Parameters
    ----------
    sound : Sound
        Not modified.
    y : float32 (channels, n), optional
        What is coded instead of ``sound.y``, at the same rate and with the same channels.
    target : Coding, optional
        Coding to use instead of the source's; see `Coding.into`.

    Raises
    ------
    UnsupportedFormat
        The target does not have the channels, rate or width, or no ffmpeg has the encoder.
    MediaError
        The samples are not finite, or the encoder failed.
    """
    y = sound.y if y is None else y
    with tempfile.TemporaryDirectory(prefix="aiglabel-") as folder:
        path = Path(folder) / "sound"
        produce(path, y, sound.coding, target or sound.coding, sound.source, Path(folder))
        return path.read_bytes()


def write(
    dst: str | os.PathLike[str],
    y: Samples | Iterable[Samples],
    coding: Coding,
    *,
    source: Source | None = None,
    target: Coding | None = None,
    overwrite: bool = False,
) -> None:
    """Write a sound file in one step, from an array or block by block in constant memory.

    Parameters
    ----------
    dst : path
        A reader sees the old file or the whole new one.
    y : float32 (channels, n), or an iterable of such
    coding : Coding
        Of the source: its rate and channels are those of `y`.
    source : path, bytes or open file, optional
        Where tags and pictures are taken from. It may be `dst`.
    target : Coding, optional
        Coding to use instead of the source's.
    overwrite : bool

    Raises
    ------
    OutputError
        `dst` exists, or cannot be written.
    MediaError
        As `encode`.
    """
    with ExitStack() as stack:
        temporary = stack.enter_context(atomic_file(dst, overwrite=overwrite))
        folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="aiglabel-"))
        if not overwrite and os.path.lexists(dst):
            raise FileExistsError(os.fspath(dst))  # before the work, and once more after it
        temporary.touch(0o644)
        produce(temporary, y, coding, target or coding, source, Path(folder))
        synced(temporary)
