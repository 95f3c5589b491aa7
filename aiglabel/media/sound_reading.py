"""An open sound file: looked at once, then read block by block."""

from __future__ import annotations

import io
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import BinaryIO

import numpy as np

from aiglabel.containers.sniff import SoundFormat, sniff_sound
from aiglabel.errors import AigLabelError, CorruptMedia, MediaError
from aiglabel.media import ffmpeg_audio, sound_headers, wave_file
from aiglabel.media.atomic import Source, read_source, regular_file
from aiglabel.media.limits import Limits
from aiglabel.media.sound_coding import Coding, Samples

BLOCK = 1 << 16
_FRAME_MOST = 4608  # samples: what a header may promise more than comes (the last MP3 frames)
_HEADERS = {
    SoundFormat.FLAC: sound_headers.read_flac,
    SoundFormat.MP3: sound_headers.read_mp3,
    SoundFormat.OGG: sound_headers.read_ogg,
    SoundFormat.OPUS: sound_headers.read_ogg,
    SoundFormat.M4A: sound_headers.read_m4a,
}


@dataclass
class OpenSound:
    """An open source: its bytes, how they are coded, and a path for ffmpeg."""

    file: BinaryIO
    path: str
    coding: Coding
    wave: wave_file.Wave | None
    kept: Source
    limits: Limits

    @property
    def notes(self) -> tuple[str, ...]:
        """Plain sentences on what was odd."""
        return self.wave.notes if self.wave else ()

    def blocks(self, size: int) -> Iterator[Samples]:
        """Yield ``float32 (channels, size)``, the last one shorter, and judge the length."""
        if self.wave:
            return wave_file.read_blocks(self.file, self.wave, size)
        stop = self.limits.max_seconds + 1.0
        decoded = ffmpeg_audio.read_blocks(self.path, self.coding, size, seconds=stop)
        # ffmpeg before version 8 leaves the last frame of AAC whole, and all leave it so in Ogg
        # of one page, which is then both first and last.
        ogg = self.coding.ogg and sound_headers.single_page(self.file)
        cut = ogg or self.coding.container is SoundFormat.M4A
        return _judged(decoded, self.coding, self.coding.samples if cut else None, self.limits)


@contextmanager
def opened(src: Source, limits: Limits) -> Iterator[OpenSound]:
    """Open and look at a source; bytes become a temporary file where ffmpeg has to read them.

    ``Limits.max_bytes`` is for what is held in memory: a sound on disk may be larger.
    """
    with ExitStack() as stack:
        with blaming(src):
            given = _open(src, limits, stack)
        yield given


@contextmanager
def blaming(src: Source) -> Iterator[None]:
    """Make errors name the source."""
    path = os.fspath(src) if isinstance(src, str | os.PathLike) else None
    try:
        yield
    except OSError as exc:
        raise MediaError(f"cannot be read: {exc.strerror or exc}", path=path) from exc
    except AigLabelError as exc:
        raise exc.at(path) from None


def _open(src: Source, limits: Limits, stack: ExitStack) -> OpenSound:
    path = os.fspath(src) if isinstance(src, str | os.PathLike) else None
    if path is None:
        src = data = read_source(src, limits)
        file: BinaryIO = io.BytesIO(data)
    else:
        file = stack.enter_context(regular_file(path))
    container = sniff_sound(file)
    if container is SoundFormat.WAV:
        wave = wave_file.read_header(file, limits)
        return OpenSound(file, path or "", wave.coding, wave, src, limits)
    coding = _HEADERS[container](file)
    limits.check_sound(coding.channels, coding.rate, coding.samples or 0)
    if path is None:
        folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="aiglabel-"))
        path = spilled(file, Path(folder))
    if container is SoundFormat.M4A:
        coding = _confirmed(coding, path)
        limits.check_sound(coding.channels, coding.rate, coding.samples or 0)
    return OpenSound(file, path, coding, None, src, limits)


def spilled(file: BinaryIO, folder: Path) -> str:
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
    known = stated is not None and not coding.ogg
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


def gather(parts: Iterator[Samples], coding: Coding, limits: Limits) -> Samples:
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
