"""Draw every labelled sound before and after: waveforms and spectrograms, on one sheet.

    python samples/sound_sheet.py samples/input samples/out/labelled samples/out/sounds.png

Left before, right after: in the waveform the audible label stands where it was put, in the
spectrogram (0 to 8 kHz) it shows too; the watermark does not.
"""

from __future__ import annotations

import sys
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFont

from aiglabel.containers.sniff import SOUND_SUFFIXES
from aiglabel.media import sound

CELL, WAVE, SPECTROGRAM = 600, 70, 160
GAP, CAPTION = 12, 22
INK, BACKGROUND = (40, 40, 40), (236, 236, 232)
_TOP, _FLOOR = 8000, -90.0  # Hz and dB


def waveform(mono: npt.NDArray[np.float32]) -> npt.NDArray[np.uint8]:
    """Return the range of each column's samples, uint8 (WAVE, CELL)."""
    edges = np.linspace(0, len(mono), CELL + 1).astype(int)
    drawn = np.full((WAVE, CELL), 250, np.uint8)
    for column in range(CELL):
        part = mono[edges[column] : max(edges[column + 1], edges[column] + 1)]
        low, high = (int((0.5 - 0.5 * np.clip(v, -1, 1)) * (WAVE - 1)) for v in
                     (part.max(initial=0), part.min(initial=0)))  # fmt: skip
        drawn[low : high + 1, column] = 90
    return drawn


def spectrogram(mono: npt.NDArray[np.float32], rate: int) -> npt.NDArray[np.uint8]:
    """Return levels from 0 to 8 kHz, low at the bottom, uint8 (SPECTROGRAM, CELL)."""
    size = 2 * round(0.02 * rate)
    padded = np.pad(mono, (0, size))
    starts = np.linspace(0, len(mono), CELL).astype(int)
    frames = np.lib.stride_tricks.sliding_window_view(padded, size)[starts] * np.hanning(size)
    levels = 20 * np.log10(np.abs(np.fft.rfft(frames)) / (size / 4) + 1e-9)
    levels = levels[:, : max(2, min(levels.shape[1], round(_TOP * size / rate)))].T[::-1]
    shades = np.clip((levels - _FLOOR) / -_FLOOR, 0, 1) * 255
    drawn: npt.NDArray[np.uint8] = cv2.resize(255 - shades.astype(np.uint8), (CELL, SPECTROGRAM))
    return drawn


def row(name: str, before: Path, after: Path) -> Image.Image:
    """Return one line of the sheet."""
    height = CAPTION + WAVE + SPECTROGRAM + 2 * GAP
    canvas = Image.new("RGB", (2 * (CELL + GAP) + GAP, height), BACKGROUND)
    lengths = []
    for column, path in enumerate((before, after)):
        decoded = sound.decode(path)
        mono = decoded.y.mean(axis=0)
        left = GAP + column * (CELL + GAP)
        canvas.paste(Image.fromarray(waveform(mono)), (left, CAPTION))
        canvas.paste(
            Image.fromarray(spectrogram(mono, decoded.rate)), (left, CAPTION + WAVE + GAP // 2)
        )
        lengths.append(f"{decoded.seconds:.2f} s")
    text = name.encode("ascii", "replace").decode()
    about = f"{text}   {decoded.rate} Hz, {len(decoded.y)} ch   {' -> '.join(lengths)}"
    ImageDraw.Draw(canvas).text((GAP, GAP // 3), about, INK, ImageFont.load_default(14))
    return canvas


def sound_sheet(before: Path, after: Path, sheet: Path) -> list[str]:
    """Write the sheet and return the names of the sounds on it."""
    names = [
        path.relative_to(before)
        for path in sorted(before.rglob("*"))
        if path.suffix in SOUND_SUFFIXES and (after / path.relative_to(before)).is_file()
    ]
    if not names:
        raise SystemExit(f"no sound of {before} is in {after}: label them first")
    rows = [
        row(f"{number:2d}  {name}", before / name, after / name)
        for number, name in enumerate(names, 1)
    ]
    page = Image.new("RGB", (rows[0].width, sum(line.height for line in rows)), BACKGROUND)
    top = 0
    for line in rows:
        page.paste(line, (0, top))
        top += line.height
    sheet.parent.mkdir(parents=True, exist_ok=True)
    page.save(sheet)
    return list(map(str, names))


if __name__ == "__main__":
    if len(sys.argv) != 4:
        raise SystemExit("usage: sound_sheet.py BEFORE_FOLDER AFTER_FOLDER SHEET.png")
    folders_and_sheet = [Path(argument) for argument in sys.argv[1:]]
    for number, shown in enumerate(sound_sheet(*folders_and_sheet), start=1):
        print(f"{number:2d}  {shown}")
    print(f"before | after: {folders_and_sheet[2]}")
