"""Lay out before | after | difference of every labelled picture and film on one sheet.

    python samples/contact_sheet.py samples/input samples/out/labelled samples/out/before_after.png

The difference is amplified 16 times around mid grey, so the watermark can be seen at all. An
animation and a film show their first frame; of a film, what coding it anew changed is seen too.
PSNR is over 8-bit RGB, the visible label included.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFont, ImageOps, UnidentifiedImageError

from aiglabel.containers.sniff import VIDEO_SUFFIXES
from aiglabel.media import video
from aiglabel.media.video_display import displayed

AMPLIFY = 16
CELL = (400, 300)
GAP = 12
CAPTION = 22
INK, BACKGROUND = (40, 40, 40), (236, 236, 232)


def load(path: Path) -> npt.NDArray[np.uint8]:
    """Return uint8 (H, W, 3), upright; transparency is laid on white."""
    if path.suffix in VIDEO_SUFFIXES:
        return displayed(next(video.frames(path)), video.probe(path))
    with Image.open(path) as image:
        upright = ImageOps.exif_transpose(image)
        if not upright.has_transparency_data:
            return np.asarray(upright.convert("RGB"))
        rgba = upright.convert("RGBA")
        white = Image.new("RGBA", rgba.size, "white")
        return np.asarray(Image.alpha_composite(white, rgba).convert("RGB"))


def psnr(before: npt.NDArray[np.uint8], after: npt.NDArray[np.uint8]) -> float:
    """Return the peak signal-to-noise ratio in dB; infinite where nothing changed."""
    mse = float(np.mean((before.astype(np.float32) - after) ** 2))
    return float("inf") if mse == 0 else 10 * float(np.log10(255**2 / mse))


def amplified(before: npt.NDArray[np.uint8], after: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """Return 128 + 16 × (after − before), clipped: uint8 (H, W, 3)."""
    return np.clip(128 + AMPLIFY * (after.astype(np.int16) - before), 0, 255).astype(np.uint8)


def row(name: str, before_path: Path, after_path: Path) -> Image.Image:
    """Return one line of the sheet."""
    before, after = load(before_path), load(after_path)
    cells, note = [before, after], "another size"
    if before.shape == after.shape:
        cells.append(amplified(before, after))
        note = f"{psnr(before, after):.1f} dB"
    thumbnails = [
        ImageOps.contain(Image.fromarray(pixels), CELL, Image.Resampling.BOX) for pixels in cells
    ]
    height = max(thumbnail.height for thumbnail in thumbnails)
    width = 3 * (CELL[0] + GAP) + GAP
    canvas = Image.new("RGB", (width, height + CAPTION + GAP), BACKGROUND)
    # The built-in font knows no Chinese; the printed list names those files properly.
    text = name.encode("ascii", "replace").decode()
    size = f"{before.shape[1]} x {before.shape[0]}"
    ImageDraw.Draw(canvas).text(
        (GAP, GAP // 2), f"{text}   {size}   {note}", INK, ImageFont.load_default(14)
    )
    for column, thumbnail in enumerate(thumbnails):
        left = GAP + column * (CELL[0] + GAP) + (CELL[0] - thumbnail.width) // 2
        canvas.paste(thumbnail, (left, CAPTION + GAP // 2 + (height - thumbnail.height) // 2))
    return canvas


def contact_sheet(before: Path, after: Path, sheet: Path) -> list[str]:
    """Write the sheet and return the names of the files on it."""
    rows: list[Image.Image] = []
    names: list[str] = []
    for path in sorted(before.rglob("*")):
        name = path.relative_to(before)
        if not (after / name).is_file():
            continue
        try:
            rows.append(row(f"{len(rows) + 1:2d}  {name}", path, after / name))
        except UnidentifiedImageError:
            continue
        names.append(str(name))
    if not rows:
        raise SystemExit(f"no picture and no film of {before} is in {after}: label them first")
    page = Image.new("RGB", (rows[0].width, sum(line.height for line in rows)), BACKGROUND)
    top = 0
    for line in rows:
        page.paste(line, (0, top))
        top += line.height
    sheet.parent.mkdir(parents=True, exist_ok=True)
    page.save(sheet)
    return names


if __name__ == "__main__":
    if len(sys.argv) != 4:
        raise SystemExit("usage: contact_sheet.py BEFORE_FOLDER AFTER_FOLDER SHEET.png")
    folders_and_sheet = [Path(argument) for argument in sys.argv[1:]]
    for number, shown in enumerate(contact_sheet(*folders_and_sheet), start=1):
        print(f"{number:2d}  {shown}")
    print(f"before | after | difference x{AMPLIFY}: {folders_and_sheet[2]}")
