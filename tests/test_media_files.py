"""Reading sources and writing results whole or not at all."""

from __future__ import annotations

import errno
import io
import os
import stat
import threading
from pathlib import Path

import pytest

from aiglabel.errors import MediaError, OutputError, ResourceLimit
from aiglabel.media import Limits, atomic_write, ffmpeg_exe, read_source
from aiglabel.media.ffmpeg import run


def test_every_kind_of_source(tmp_path: Path) -> None:
    path = tmp_path / "图片.bin"
    path.write_bytes(b"abc")
    with path.open("rb") as file:
        sources = [path, str(path), b"abc", bytearray(b"abc"), memoryview(b"abc"), file,
                   io.BytesIO(b"abc")]  # fmt: skip
        assert [read_source(src) for src in sources] == [b"abc"] * len(sources)


def test_unreadable_sources_name_the_path(tmp_path: Path) -> None:
    for bad in (tmp_path / "missing", tmp_path, Path("/dev/null"), "nul\0"):
        with pytest.raises(MediaError) as caught:
            read_source(bad)
        assert caught.value.path == str(bad)
    with pytest.raises(MediaError, match="text"):
        read_source(io.StringIO("abc"))  # type: ignore[arg-type]


def test_sources_over_the_limit_are_not_read(tmp_path: Path) -> None:
    sparse = tmp_path / "sparse"
    with sparse.open("wb") as file:
        file.truncate(1 << 40)
    with pytest.raises(ResourceLimit) as caught:
        read_source(sparse)
    assert caught.value.path == str(sparse)
    for src in (b"12345", io.BytesIO(b"12345")):
        with pytest.raises(ResourceLimit):
            read_source(src, Limits(max_bytes=4))


def test_writing_and_overwriting(tmp_path: Path) -> None:
    path = tmp_path / "out.png"
    previous = os.umask(0o027)
    try:
        atomic_write(path, b"one", overwrite=False)
    finally:
        os.umask(previous)
    assert stat.S_IMODE(path.stat().st_mode) == 0o640
    with pytest.raises(OutputError) as caught:
        atomic_write(path, b"two", overwrite=False)
    assert caught.value.path == str(path)
    assert path.read_bytes() == b"one"
    atomic_write(path, b"two", overwrite=True)
    assert path.read_bytes() == b"two"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("step", ["fsync", "link", "replace"])
@pytest.mark.parametrize("failure", [OSError(errno.ENOSPC, "No space left"), KeyboardInterrupt()])
def test_a_failure_leaves_the_old_file_and_no_rest(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str, failure: BaseException
) -> None:
    path = tmp_path / "out.png"
    overwrite = step != "link"
    if overwrite:
        path.write_bytes(b"old")

    def fail(*_: object, **__: object) -> None:
        raise failure

    monkeypatch.setattr(Path if step == "replace" else os, step, fail)
    expected = OutputError if isinstance(failure, OSError) else KeyboardInterrupt
    with pytest.raises(expected):
        atomic_write(path, b"new", overwrite=overwrite)
    monkeypatch.undo()
    assert [p.read_bytes() for p in tmp_path.iterdir()] == ([b"old"] if overwrite else [])


def test_without_hard_links_the_name_is_still_taken_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_links(*_: object) -> None:
        raise PermissionError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr(os, "link", no_links)
    path = tmp_path / "out.png"
    atomic_write(path, b"one", overwrite=False)
    with pytest.raises(OutputError):
        atomic_write(path, b"two", overwrite=False)
    assert [p.read_bytes() for p in tmp_path.iterdir()] == [b"one"]


def test_one_of_many_racing_writers_wins(tmp_path: Path) -> None:
    path = tmp_path / "out.png"
    won: list[bytes] = []

    def write(data: bytes) -> None:
        try:
            atomic_write(path, data, overwrite=False)
        except OutputError:
            return
        won.append(data)

    threads = [threading.Thread(target=write, args=(bytes([i]) * 1000,)) for i in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [path.read_bytes()] == won
    assert list(tmp_path.iterdir()) == [path]


def test_bad_destinations(tmp_path: Path) -> None:
    for bad in (
        tmp_path,
        tmp_path / "no" / "folder.png",
        tmp_path / ("x" * 300),
        tmp_path / "a\0b",
    ):
        with pytest.raises(OutputError):
            atomic_write(bad, b"data", overwrite=True)
    assert list(tmp_path.iterdir()) == []


def test_ffmpeg_says_why_it_failed() -> None:
    with pytest.raises(MediaError, match="ffmpeg failed"):
        run(ffmpeg_exe(), {"f": "ivf"}, {"f": "null"}, b"no media at all")
