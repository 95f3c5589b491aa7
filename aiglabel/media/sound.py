"""Sound files in, arrays out, and back.

WAV is read and written here with NumPy (`wave_file`); FLAC, MP3, M4A and Ogg go through ffmpeg
(`ffmpeg_audio`), a process of its own. What a file is, is told from its bytes. Start and length
are exact: the samples a coder adds at either end are taken off again by every reader that honours
what the format has for it (LAME field, Opus pre-skip, edit list), and this one does.
"""

from __future__ import annotations

import io
import logging
import os
import shutil
import stat
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from aiglabel.errors import AigLabelError, CorruptMedia, MediaError
from aiglabel.media import ffmpeg, ffmpeg_audio, sound_headers, wave_file
from aiglabel.media.atomic import Source, atomic_file, read_source
from aiglabel.media.limits import Limits
from aiglabel.media.quantise import Quantiser, check_finite
from aiglabel.media.sound_coding import Coding, Samples, Sound
from aiglabel.media.sound_encoders import encoder_options, fitting, raw_input, raw_kind
from aiglabel.media.sound_format import SoundFormat, sniff_sound
from aiglabel.media.sound_tags import Carried, carried, info_chunk

logger = logging.getLogger(__name__)

BLOCK = 1 << 16
_FRAME_MOST = 4608  # samples: what a header may promise more than comes (the last MP3 frames)
_HEADERS = {
    SoundFormat.FLAC: sound_headers.read_flac,
    SoundFormat.MP3: sound_headers.read_mp3,
    SoundFormat.OGG: sound_headers.read_ogg,
    SoundFormat.M4A: sound_headers.read_m4a,
}


def probe(src: Source, *, limits: Limits | None = None) -> Coding:
    """Return how a sound file is coded, without decoding it.

    Raises
    ------
    MediaError
        As `decode`, for what the headers show.
    """
    with _opened(src, limits or Limits()) as given:
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
    with _opened(src, limits) as given, _blaming(src):
        coding = given.coding
        limits.check_held(coding.channels, coding.samples or 0)
        y = _gather(given.blocks(BLOCK), coding, limits)
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
    with _opened(src, limits or Limits()) as given, _blaming(src):
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
        _produce(path, y, sound.coding, target or sound.coding, sound.source, Path(folder))
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
        _produce(temporary, y, coding, target or coding, source, Path(folder))
        with temporary.open("rb+") as file:
            os.fsync(file.fileno())


# ---------------------------------------------------------------------- reading


@dataclass
class _Given:
    """An open source: its bytes, how they are coded, and a path for ffmpeg."""

    file: BinaryIO
    path: str
    coding: Coding
    wave: wave_file.Wave | None
    kept: Source
    limits: Limits

    @property
    def notes(self) -> tuple[str, ...]:
        return self.wave.notes if self.wave else ()

    def blocks(self, size: int) -> Iterator[Samples]:
        if self.wave:
            return wave_file.read_blocks(self.file, self.wave, size)
        stop = self.limits.max_seconds + 1.0
        decoded = ffmpeg_audio.read_blocks(self.path, self.coding, size, seconds=stop)
        # ffmpeg before version 8 leaves the last frame of AAC whole, and all leave it so in Ogg
        # of one page, which is then both first and last.
        ogg = self.coding.container is SoundFormat.OGG and sound_headers.single_page(self.file)
        cut = ogg or self.coding.container is SoundFormat.M4A
        return _judged(decoded, self.coding, self.coding.samples if cut else None, self.limits)


@contextmanager
def _opened(src: Source, limits: Limits) -> Iterator[_Given]:
    """Open and look at a source; bytes become a temporary file where ffmpeg has to read them."""
    with ExitStack() as stack:
        with _blaming(src):
            given = _open(src, limits, stack)
        yield given


@contextmanager
def _blaming(src: Source) -> Iterator[None]:
    """Make errors name the source."""
    path = os.fspath(src) if isinstance(src, str | os.PathLike) else None
    try:
        yield
    except OSError as exc:
        raise MediaError(f"cannot be read: {exc.strerror or exc}", path=path) from exc
    except AigLabelError as exc:
        raise exc.at(path) from None


def _open(src: Source, limits: Limits, stack: ExitStack) -> _Given:
    path = os.fspath(src) if isinstance(src, str | os.PathLike) else None
    if path is None:
        src = data = read_source(src, limits)
        file: BinaryIO = io.BytesIO(data)
    else:
        file = stack.enter_context(_regular_file(path, limits))
    container = sniff_sound(file)
    if container is SoundFormat.WAV:
        wave = wave_file.read_header(file, limits)
        return _Given(file, path or "", wave.coding, wave, src, limits)
    coding = _HEADERS[container](file)
    limits.check_sound(coding.channels, coding.rate, coding.samples or 0)
    if path is None:
        folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="aiglabel-"))
        path = _spilled(file, Path(folder))
    if container is SoundFormat.M4A:
        coding = _confirmed(coding, path)
        limits.check_sound(coding.channels, coding.rate, coding.samples or 0)
    return _Given(file, path, coding, None, src, limits)


@contextmanager
def _regular_file(path: str, limits: Limits) -> Iterator[BinaryIO]:
    try:
        status = Path(path).stat()
    except ValueError as exc:  # a NUL in the name
        raise MediaError(f"cannot be read: {exc}") from exc
    if not stat.S_ISREG(status.st_mode):
        raise MediaError("not a regular file")
    limits.check_bytes(status.st_size)
    with Path(path).open("rb") as file:
        yield file


def _spilled(file: BinaryIO, folder: Path) -> str:
    """Copy to a file: ffmpeg must be able to go back and forth in MP4, and its lengths in MP3."""
    path = folder / "source"
    file.seek(0)
    with path.open("wb") as out:
        shutil.copyfileobj(file, out, 1 << 20)
    return str(path)


def _confirmed(coding: Coding, path: str) -> Coding:
    """Take rate and channels from the decoder: AAC's extensions double both behind the boxes."""
    seen = ffmpeg_audio.look(path, coding.container)
    if seen.codec != coding.codec:
        raise CorruptMedia(f"the boxes say {coding.codec}, the sound is {seen.codec}")
    if seen.rate != coding.rate:
        coding = replace(coding, samples=None, delay=None, padding=None)
    return replace(coding, rate=seen.rate, channels=seen.channels, layout=seen.layout)


def _judged(
    decoded: Iterator[Samples], coding: Coding, end: int | None, limits: Limits
) -> Iterator[Samples]:
    """Cut what is decoded to the length the headers state, and refuse what is much shorter."""
    total = 0
    stated = coding.samples
    # Of Ogg it is not known where the first time stamp stood; ffmpeg cuts its end itself.
    known = stated is not None and coding.container is not SoundFormat.OGG
    for y in decoded:
        if not np.isfinite(y).all():
            raise CorruptMedia("the decoded sound holds samples that are not finite numbers")
        if end is not None:
            y = y[:, : end - total]
        if y.shape[1]:
            total += y.shape[1]
            limits.check_sound(coding.channels, coding.rate, total)
            yield y
    if total == 0:
        raise CorruptMedia(f"the {coding.container.value.upper()} file holds no sound")
    slack = 0 if coding.lossless else _FRAME_MOST
    if known and stated is not None and total < stated - slack:
        raise CorruptMedia(
            f"the header promises {stated} samples, {total} could be decoded",
            remedy="Get the whole file, or convert what is there to a new file",
        )


def _gather(parts: Iterator[Samples], coding: Coding, limits: Limits) -> Samples:
    """Join blocks, straight into place where the length is known beforehand."""
    y = np.empty((coding.channels, coding.samples or 0), np.float32)
    total = 0
    for part in parts:
        end = total + part.shape[1]
        limits.check_held(coding.channels, end)
        if end > y.shape[1]:
            grown = np.empty((coding.channels, max(end, y.shape[1] * 3 // 2)), np.float32)
            grown[:, :total] = y[:, :total]
            y = grown
        y[:, total:end] = part
        total = end
    return y if total == y.shape[1] else y[:, :total].copy()


# ---------------------------------------------------------------------- writing


def _produce(
    path: Path,
    y: Samples | Iterable[Samples],
    coding: Coding,
    target: Coding,
    source: Source | None,
    folder: Path,
) -> None:
    length = y.shape[1] if isinstance(y, np.ndarray) else None
    target = fitting(replace(target, samples=length))
    if target.channels != coding.channels:
        raise MediaError(
            f"{coding.channels} channels cannot be written as {target.channels}",
            remedy="Mix the samples first",
        )
    if target.rate != coding.rate:
        raise MediaError(
            f"samples at {coding.rate} Hz cannot be written at {target.rate} Hz",
            remedy="Resample them first",
        )
    pieces = _pieces(y, coding.channels)
    if target.container is SoundFormat.WAV:
        _produce_wave(path, pieces, target, source)
    else:
        _produce_coded(path, pieces, target, source, folder)


def _pieces(y: Samples | Iterable[Samples], channels: int) -> Iterator[Samples]:
    parts = [y] if isinstance(y, np.ndarray) else y
    for part in parts:
        if part.ndim != 2 or part.shape[0] != channels:
            raise MediaError(
                f"an array of shape {part.shape} is not a sound of {channels} channels",
                remedy="Give float32 of shape (channels, n)",
            )
        for start in range(0, part.shape[1], BLOCK):
            yield part[:, start : start + BLOCK].astype(np.float32, copy=False)


def _produce_wave(
    path: Path, pieces: Iterator[Samples], target: Coding, source: Source | None
) -> None:
    with path.open("wb") as out:
        if source is None:
            clipped = wave_file.write(out, pieces, target)
        else:
            with _opened(source, _unbounded()) as given:
                if given.wave:
                    kept = (given.file, given.wave)
                    clipped = wave_file.write(out, pieces, target, source=kept)
                else:
                    tags = info_chunk(given.path, given.coding)
                    clipped = wave_file.write(out, pieces, target, info=tags)
    _report(clipped)


def _produce_coded(
    path: Path, pieces: Iterator[Samples], target: Coding, source: Source | None, folder: Path
) -> None:
    options = encoder_options(target)
    exe = ffmpeg.with_encoder(options["c:a"])
    inputs: list[ffmpeg_audio.Input] = [("pipe:0", raw_input(target, target.rate))]
    quantiser = Quantiser(target.bits or 16) if target.lossless else None
    raw = (_interleaved(piece, raw_kind(target), quantiser) for piece in pieces)
    with ExitStack() as stack:
        extra = Carried([], [], {})
        if source is not None:
            given = stack.enter_context(_opened(source, _unbounded()))
            name = given.path or _spilled(given.file, folder)
            extra = carried(name, given.coding, target, folder)
            options |= _id3_options(given, target)
        ffmpeg_audio.encode(
            exe,
            raw,
            [*inputs, *extra.inputs],
            ["0:a", *extra.maps],
            options | extra.options,
            str(path),
        )
    if quantiser:
        _report(quantiser.clipped)


def _interleaved(y: Samples, kind: str, quantiser: Quantiser | None) -> bytes:
    if quantiser is None:
        check_finite(y)
        return y.T.astype("<f4", order="C").tobytes()
    steps = quantiser(y)
    if kind == "s16le":
        return steps.astype("<i2").tobytes()
    return (steps << (32 - quantiser.bits)).astype("<i4").tobytes()


def _id3_options(given: _Given, target: Coding) -> dict[str, Any]:
    """Keep the version of the ID3 tag, and the short tag at the end where there was one."""
    if target.container is not SoundFormat.MP3:
        return {}
    given.file.seek(0)
    head = given.file.read(4)
    size = given.file.seek(0, os.SEEK_END)
    given.file.seek(max(0, size - 128))
    old = given.file.read(3) == b"TAG" and given.coding.container is SoundFormat.MP3
    version = 3 if head[:3] == b"ID3" and head[3:4] in (b"\x02", b"\x03") else 4
    return {"id3v2_version": version, "write_id3v1": int(old)}


def _unbounded() -> Limits:
    """Return limits for a source that was judged when it was decoded."""
    return Limits(max_bytes=1 << 62, max_channels=65_535, max_rate=0xFFFF_FFFF, max_seconds=1e12)


def _report(clipped: int) -> None:
    if clipped:
        logger.warning("%d samples beyond full scale were clipped", clipped)
