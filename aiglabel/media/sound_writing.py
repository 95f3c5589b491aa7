"""Samples to a sound file: WAV from here, all others through ffmpeg."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from aiglabel.containers.sniff import SoundFormat
from aiglabel.errors import MediaError
from aiglabel.media import ffmpeg, ffmpeg_audio, wave_file
from aiglabel.media.atomic import Source
from aiglabel.media.limits import Limits
from aiglabel.media.quantise import Quantiser, check_finite
from aiglabel.media.sound_coding import Coding, Samples
from aiglabel.media.sound_encoders import encoder_options, fitting, raw_input, raw_kind
from aiglabel.media.sound_reading import BLOCK, OpenSound, opened, spilled
from aiglabel.media.sound_tags import Carried, carried, info_chunk

logger = logging.getLogger(__name__)

_SHORTEST = 64  # samples; what is shorter does not come back from lossy codecs as it was


def produce(
    path: Path,
    y: Samples | Iterable[Samples],
    coding: Coding,
    target: Coding,
    source: Source | None,
    folder: Path,
) -> None:
    """Write a sound file to `path`, which may exist; see `aiglabel.media.sound.write`.

    `folder` is for temporary files.
    """
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
    shortest = 0 if target.codec == "pcm" else 1 if target.lossless else _SHORTEST
    if length is not None and length < shortest:
        raise MediaError(
            f"a sound of {length} samples is too short for {target.codec}", remedy="Write WAV"
        )
    pieces = _pieces(y, coding.channels)
    if target.container is SoundFormat.WAV:
        _write_wave(path, pieces, target, source)
    else:
        _write_coded(path, pieces, target, source, folder)


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


def _write_wave(
    path: Path, pieces: Iterator[Samples], target: Coding, source: Source | None
) -> None:
    with path.open("wb") as out:
        if source is None:
            clipped = wave_file.write(out, pieces, target)
        else:
            with opened(source, _unbounded()) as given:
                if given.wave:
                    kept = (given.file, given.wave)
                    clipped = wave_file.write(out, pieces, target, source=kept)
                else:
                    tags = info_chunk(given.path, given.coding)
                    clipped = wave_file.write(out, pieces, target, info=tags)
    _report(clipped)


def _write_coded(
    path: Path, pieces: Iterator[Samples], target: Coding, source: Source | None, folder: Path
) -> None:
    options = encoder_options(target)
    exe = ffmpeg.with_encoder(options["c:a"])
    if target.codec == "vorbis" and ffmpeg_audio.vorbis_takes(
        exe, target.channels, target.rate, target.bitrate or 0
    ):
        # Nearer to the source than the quality from a table, but not to be had everywhere.
        del options["q:a"]
        options["b:a"] = target.bitrate
    inputs: list[ffmpeg_audio.Input] = [("pipe:0", raw_input(target, target.rate))]
    quantiser = Quantiser(target.bits or 16) if target.lossless else None
    raw = (_interleaved(piece, raw_kind(target), quantiser) for piece in pieces)
    with ExitStack() as stack:
        extra = Carried([], [], {})
        if source is not None:
            given = stack.enter_context(opened(source, _unbounded()))
            name = given.path or spilled(given.file, folder)
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


def _id3_options(given: OpenSound, target: Coding) -> dict[str, Any]:
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
    return Limits(max_channels=65_535, max_rate=0xFFFF_FFFF, max_seconds=1e12)


def _report(clipped: int) -> None:
    if clipped:
        logger.warning("%d samples beyond full scale were clipped", clipped)
