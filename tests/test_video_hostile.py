"""Films that harm: only `MediaError` comes out, soon, and nothing is left or read beside them."""

from __future__ import annotations

import ctypes
import os
import resource
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
from hostile_films import FRAGMENTS, HOSTILE, NEIGHBOURS, film, put

from aiglabel.containers.sniff import VideoFormat, sniff_video
from aiglabel.containers.timed import coded_digest, read_tags, write_label_file
from aiglabel.errors import CorruptMedia, MediaError, OutputError, UnsupportedFormat
from aiglabel.media import video
from aiglabel.media.limits import Limits
from aiglabel.media.video_coding import Frame
from aiglabel.media.video_reading import HELD

_MOST_S = 60.0  # on a busy machine; alone none takes two seconds
# Of this process, and of every ffmpeg: an encoder that looks ahead in frames of 16 million pixels
# takes some 850 MiB.
_MOST_KIB = 1000 << 10
_IN_OPEN = 0x20
OUT = "out"


def nothing(frame: Frame) -> None:
    """Change nothing."""


@contextmanager
def untouched(*paths: Path) -> Iterator[None]:
    """Fail if anybody opens one of the files."""
    if sys.platform != "linux":
        yield
        return
    libc = ctypes.CDLL(None, use_errno=True)
    watch = libc.inotify_init1(os.O_NONBLOCK)
    try:
        for path in paths:
            assert libc.inotify_add_watch(watch, os.fsencode(path), _IN_OPEN) >= 0
        yield
        with suppress(BlockingIOError):
            assert not os.read(watch, 4096), "a file beside the film was opened"
    finally:
        os.close(watch)


@contextmanager
def bounded() -> Iterator[None]:
    """Fail if the body takes long, or it or its processes take much memory."""
    both = (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
    before = [resource.getrusage(who).ru_maxrss for who in both]
    begun = time.monotonic()
    yield
    assert time.monotonic() - begun < _MOST_S
    if sys.platform == "linux":
        for who, most in zip(both, before, strict=True):
            assert resource.getrusage(who).ru_maxrss <= max(most, _MOST_KIB)


@pytest.fixture
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of temporary files, of this test alone."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    return folder


def label(path: Path) -> None:
    """Read and write the metadata, as far as it is a film."""
    with path.open("rb") as file:
        fmt = sniff_video(file)
        read_tags(file, fmt)
        coded_digest(file, fmt)
    write_label_file(path, path.with_name(OUT), fmt, "a label")


def attempt(work: Callable[[], object]) -> object:
    """Return what came out: a result, or a `MediaError`."""
    with bounded():
        try:
            return work()
        except MediaError as error:
            return error


@pytest.mark.parametrize("name", HOSTILE)
def test_only_media_errors_come_out(name: str, tmp_path: Path, temporary: Path) -> None:
    folder = tmp_path / "films"
    folder.mkdir()
    path = put(folder, name)
    before = path.read_bytes()
    left = sorted([name, *NEIGHBOURS])
    with untouched(*(folder / neighbour for neighbour in NEIGHBOURS)):
        told = attempt(lambda: video.probe(path))
        seen = attempt(lambda: sum(1 for _ in video.frames(path)))
        written = attempt(lambda: video.transcode(path, folder / OUT, nothing))
        for one in (told, seen, written):
            if isinstance(one, MediaError):
                assert one.reason
                assert one.remedy
                assert one.path == str(path)
        if isinstance(told, MediaError):
            assert isinstance(seen, MediaError)
        if isinstance(seen, MediaError):
            assert isinstance(written, MediaError)
        if isinstance(written, video.Written):
            assert written.frames == seen
            assert sum(1 for _ in video.frames(folder / OUT)) == seen
            (folder / OUT).unlink()
        assert sorted(one.name for one in folder.iterdir()) == left
        attempt(lambda: label(path))
        (folder / OUT).unlink(missing_ok=True)
    assert sorted(one.name for one in folder.iterdir()) == left
    assert not list(temporary.iterdir())
    assert path.read_bytes() == before


def refusal(folder: Path, name: str) -> MediaError:
    with pytest.raises(MediaError) as caught:
        video.transcode(put(folder, name), folder / OUT, nothing)
    return caught.value


def test_the_watch_sees_who_opens_a_file(tmp_path: Path) -> None:
    if sys.platform != "linux":
        pytest.skip("Linux alone tells")
    (tmp_path / "a").write_bytes(b"")
    with pytest.raises(AssertionError, match="beside"), untouched(tmp_path / "a"):
        (tmp_path / "a").read_bytes()


@pytest.mark.parametrize("name", [name for name in HOSTILE if name.startswith("cut at")])
def test_a_cut_film_is_not_written_anew(name: str, tmp_path: Path) -> None:
    assert isinstance(refusal(tmp_path, name), CorruptMedia)


@pytest.mark.parametrize(
    "name", [name for name in HOSTILE if name.split()[0] in ("playlist", "concat", "session")]
)
def test_playlists_are_no_films(name: str, tmp_path: Path) -> None:
    assert isinstance(refusal(tmp_path, name), (UnsupportedFormat, CorruptMedia))


@pytest.mark.parametrize("name", ["url.mp4", "urn.mp4", "alias.mov", "alias relative.mov"])
def test_films_that_lie_in_other_files_are_told(name: str, tmp_path: Path) -> None:
    assert "in another file" in refusal(tmp_path, name).reason


@pytest.mark.parametrize("name", [name for name in HOSTILE if name.startswith("1000 tracks")])
def test_too_many_tracks_are_refused_not_dropped(name: str, tmp_path: Path) -> None:
    assert "more than 128 tracks" in refusal(tmp_path, name).reason


@pytest.mark.parametrize("name", [name for name in HOSTILE if name.endswith("pixels.mkv")])
def test_odd_sizes_go_through(name: str, tmp_path: Path) -> None:
    width, height = map(int, name.split()[0].split("x"))
    path = put(tmp_path, name)
    assert next(video.frames(path)).y.shape == (height, width)
    assert video.transcode(path, tmp_path / OUT, nothing).frames == 2


def test_frames_whose_times_run_back_are_kept_and_told(tmp_path: Path) -> None:
    path = put(tmp_path, "times run back.mkv")
    times = [frame.time for frame in video.frames(path)]
    assert times == pytest.approx([0.090, 0.091, 0.092, 0.093])
    written = video.transcode(path, tmp_path / OUT, nothing)
    assert written.frames == 4
    assert any("did not rise" in note for note in written.notes)


@pytest.mark.parametrize("suffix", ["mp4", "mov", "mkv", "webm", "flv"])
def test_damage_is_told(suffix: str, tmp_path: Path) -> None:
    name = next(one for one in HOSTILE if one.startswith("garbage") and one.endswith(suffix))
    written = video.transcode(put(tmp_path, name), tmp_path / OUT, nothing)
    assert any("damaged" in note for note in written.notes)
    (tmp_path / f"good.{suffix}").write_bytes(film(suffix))
    good = video.transcode(tmp_path / f"good.{suffix}", tmp_path / OUT, nothing, overwrite=True)
    assert good.notes == ()


def test_what_is_held_in_memory_has_a_limit(tmp_path: Path) -> None:
    assert "max_total_pixels" in str(refusal(tmp_path, "13000x13000 raw.avi"))
    path = tmp_path / "a.mp4"
    path.write_bytes(film("mp4", *FRAGMENTS))
    assert video.probe(path, limits=Limits(max_total_pixels=HELD * 64 * 48)).width == 64
    with pytest.raises(MediaError, match="max_total_pixels"):
        video.probe(path, limits=Limits(max_total_pixels=HELD * 64 * 48 - 1))


@pytest.mark.parametrize(
    "name", ["-i.mp4", "a%03d.mp4", "concat:a|b.mp4", 'a\'b "c".mp4', "a\nb.mp4", "\udcff.mp4"]
)
def test_names_are_only_names(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    try:
        Path(name).write_bytes(film("mp4"))
    except (OSError, ValueError):
        pytest.skip("no file can have this name here")
    assert sum(1 for _ in video.frames(name)) == 25
    assert video.transcode(name, f"-o{name}", nothing).frames == 25
    assert sorted(os.listdir()) == sorted([name, f"-o{name}"])


def test_files_that_are_none_are_refused_before_the_work(tmp_path: Path) -> None:
    (tmp_path / "a.mp4").write_bytes(film("mp4"))
    (tmp_path / "folder.mp4").mkdir()
    os.mkfifo(tmp_path / "pipe.mp4")
    for path in (tmp_path / "folder.mp4", tmp_path / "pipe.mp4", tmp_path / "no.mp4"):
        with pytest.raises(MediaError):
            video.probe(path)
    seen: list[Frame] = []
    for dst in (tmp_path / "folder.mp4", tmp_path / "nowhere" / "b.mp4"):
        with pytest.raises(OutputError):
            video.transcode(tmp_path / "a.mp4", dst, seen.append, overwrite=True)
    assert not seen


def test_the_set_has_every_container() -> None:
    assert {name.rsplit(".", 1)[1] for name in HOSTILE} == {fmt.value for fmt in VideoFormat}
