"""The samples and the sheets of before and after."""

from __future__ import annotations

import runpy
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from aiglabel.media import sound, video

pytest.importorskip("skimage")

SAMPLES = Path(__file__).resolve().parents[1] / "samples"
MAKER = runpy.run_path(str(SAMPLES / "make_samples.py"))
SOUNDS = runpy.run_path(str(SAMPLES / "make_sounds.py"))
with pytest.MonkeyPatch.context() as patch:
    patch.syspath_prepend(str(SAMPLES))  # it takes from the other two
    FILMS = runpy.run_path(str(SAMPLES / "make_films.py"))
SHEET = runpy.run_path(str(SAMPLES / "contact_sheet.py"))
SOUND_SHEET = runpy.run_path(str(SAMPLES / "sound_sheet.py"))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    target = tmp_path_factory.mktemp("samples")
    MAKER["make_samples"](target)
    return target


def test_samples_cover_the_formats_and_pixel_layouts(folder: Path) -> None:
    seen = set()
    for path in (path for path in folder.rglob("*") if path.is_file()):
        with Image.open(path) as image:
            image.load()
            seen |= {image.format, image.mode}
    assert seen >= {"JPEG", "PNG", "WEBP", "AVIF", "TIFF", "GIF", "RGB", "RGBA", "P", "L", "CMYK"}
    assert (folder / "drawn/deep16.png").read_bytes()[24] == 16
    with Image.open(folder / "drawn/ball.gif") as ball:
        assert ball.n_frames == 12


@pytest.mark.parametrize(
    "name", ["photos/coffee.avif", "drawn/ball.gif", "drawn/deep16.png", "drawn/夜色.jpg"]
)
def test_samples_are_the_same_every_time(folder: Path, name: str, tmp_path: Path) -> None:
    again = tmp_path / Path(name).name
    MAKER["WRITERS"][name](again)
    assert again.read_bytes() == (folder / name).read_bytes()


def test_every_sample_is_described_with_its_licence() -> None:
    readme = (SAMPLES / "README.md").read_text("utf-8")
    for name in (*MAKER["WRITERS"], *SOUNDS["WRITERS"], *FILMS["WRITERS"]):
        assert f"`{name}`" in readme


def test_sheet_shows_what_was_labelled(folder: Path, tmp_path: Path) -> None:
    labelled = tmp_path / "labelled"
    shown = ["drawn/sticker.png", "drawn/夜色.jpg", "photos/phone/rocket, upright.jpg"]
    for name in shown:
        (labelled / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(folder / name, labelled / name)
    (labelled / "report.jsonl").write_text("{}")
    sheet = tmp_path / "new/sheet.png"
    assert SHEET["contact_sheet"](folder, labelled, sheet) == shown
    with Image.open(sheet) as image:
        assert image.width > 3 * SHEET["CELL"][0]
    with pytest.raises(SystemExit, match="label them first"):
        SHEET["contact_sheet"](folder, tmp_path / "nothing", sheet)


def test_sounds_cover_the_formats_and_are_drawn(tmp_path: Path) -> None:
    paths = SOUNDS["make_sounds"](tmp_path / "in")
    codings = [sound.probe(path) for path in paths]
    assert {one.codec for one in codings} == {"pcm", "mp3", "flac", "aac", "vorbis", "opus"}
    assert {one.channels for one in codings} == {1, 2, 6}
    assert all(np.abs(sound.decode(path).y).max() > 0.05 for path in paths)
    sheet = tmp_path / "new/sheet.png"
    shown = SOUND_SHEET["sound_sheet"](tmp_path / "in", tmp_path / "in", sheet)
    assert len(shown) == len(paths)
    with Image.open(sheet) as image:
        assert image.width > 2 * SOUND_SHEET["CELL"]
    with pytest.raises(SystemExit, match="label them first"):
        SOUND_SHEET["sound_sheet"](tmp_path / "in", tmp_path / "nothing", sheet)


def test_the_film_moves_sounds_and_is_on_the_sheet(tmp_path: Path) -> None:
    (path,) = FILMS["make_films"](tmp_path / "in")
    coding = video.probe(path)
    assert (coding.codec, coding.width, coding.height) == ("h264", 1280, 720)
    assert 4 < (coding.seconds or 0) < 5
    assert [track.kind for track in coding.tracks] == ["video", "audio"]
    first, *_, last = video.frames(path, apart=0.6)
    assert np.abs(last.y.astype(int) - first.y).mean() > 5
    assert 16 <= first.y.min() < 60 < 150 < first.y.max() <= 235
    again = tmp_path / "again.mp4"
    FILMS["write_film"](again)
    assert again.read_bytes() == path.read_bytes()
    sheet = tmp_path / "sheet.png"
    assert SHEET["contact_sheet"](tmp_path / "in", tmp_path / "in", sheet) == ["films/evening.mp4"]


def test_difference_is_amplified_around_grey() -> None:
    before = np.full((4, 4, 3), 250, np.uint8)
    after = before.copy()
    after[0, 0], after[1, 1], after[2, 2] = 251, 248, 0
    shown = SHEET["amplified"](before, after)
    assert shown[0, 0, 0] == 128 + 16
    assert shown[1, 1, 0] == 128 - 32
    assert shown[2, 2, 0] == 0
    assert (shown[3] == 128).all()
    assert SHEET["psnr"](before, before) == float("inf")
    assert SHEET["psnr"](np.zeros_like(before), np.full_like(before, 255)) == 0
