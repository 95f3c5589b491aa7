"""Planning and executing runs over many files."""

from __future__ import annotations

import collections
import multiprocessing
import os
import signal
import time
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aiglabel import batch
from aiglabel.errors import AigLabelError, CorruptMedia, MediaError, OutputError
from aiglabel.key import Key
from aiglabel.label import Label
from aiglabel.policy import Policy


def tree(root: Path, *names: str) -> Path:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(b"x")
    return root


def names(found: list[batch.Found]) -> list[str]:
    return [one.relative.as_posix() for one in found]


# --- plan ---------------------------------------------------------------------------------------


def test_folders_are_searched_in_order_and_hidden_files_are_not(tmp_path: Path) -> None:
    tree(tmp_path, "b.PNG", "a.jpg", "note.txt", ".c.jpg", ".git/d.jpg", "sub/e.webp")
    assert names(batch.find([tmp_path])) == ["a.jpg", "b.PNG", "sub/e.webp"]


def test_named_files_are_always_tried_and_each_once(tmp_path: Path) -> None:
    tree(tmp_path, "note.txt", ".hidden.jpg", "a.jpg")
    named = [tmp_path / "note.txt", tmp_path / ".hidden.jpg", tmp_path / "gone.png", tmp_path]
    assert names(batch.find(named)) == ["note.txt", ".hidden.jpg", "gone.png", "a.jpg"]
    assert len(batch.find([tmp_path / "a.jpg", tmp_path, tmp_path / "." / "a.jpg"])) == 1


def test_globs_take_and_leave_out(tmp_path: Path) -> None:
    tree(tmp_path, "a.jpg", "a.bin", "old/b.jpg", "new/c.jpg", "new/old.jpg")
    assert names(batch.find([tmp_path], include=["*.bin"])) == ["a.bin"]
    assert names(batch.find([tmp_path], include=["new/*"])) == ["new/c.jpg", "new/old.jpg"]
    assert names(batch.find([tmp_path], exclude=["old", "new/o*"])) == ["a.jpg", "new/c.jpg"]
    with pytest.raises(MediaError, match="no picture"):
        batch.find([tmp_path], include=["*.heic"])


def test_links_are_followed_but_not_in_circles(tmp_path: Path) -> None:
    tree(tmp_path, "in/a.jpg", "far/b.jpg")
    (tmp_path / "in/again").symlink_to(tmp_path / "in")
    (tmp_path / "in/far").symlink_to(tmp_path / "far")
    assert names(batch.find([tmp_path / "in"])) == ["a.jpg", "far/b.jpg"]


def test_results_inside_the_source_folder_are_not_read_again(tmp_path: Path) -> None:
    tree(tmp_path, "a.jpg", "out/a.jpg")
    assert names(batch.find([tmp_path], skip=tmp_path / "out")) == ["a.jpg"]


def test_destinations_mirror_the_sources(tmp_path: Path) -> None:
    tree(tmp_path, "in/a.jpg", "in/a.png", "in/sub/a.jpg")
    out = tmp_path / "out"
    goals = batch.destinations(batch.find([tmp_path / "in"]), out)
    assert goals == [out / "a.jpg", out / "a.png", out / "sub/a.jpg"]
    alone = batch.find([tmp_path / "in/a.jpg"])
    assert batch.destinations(alone, tmp_path / "b.webp") == [tmp_path / "b.webp"]
    assert batch.destinations(alone, out) == [out / "a.jpg"]
    (tmp_path / "folder.jpg").mkdir()
    assert batch.destinations(alone, tmp_path / "folder.jpg") == [tmp_path / "folder.jpg/a.jpg"]


def test_a_folder_of_one_picture_is_still_a_folder(tmp_path: Path) -> None:
    found = batch.find([tree(tmp_path / "in", "sub/a.jpg")])
    assert batch.destinations(found, tmp_path / "b.png") == [tmp_path / "b.png/sub/a.jpg"]


def test_two_results_of_one_name_are_refused(tmp_path: Path) -> None:
    tree(tmp_path, "one/a.jpg", "two/a.jpg")
    with pytest.raises(OutputError, match="both be written"):
        batch.destinations(batch.find([tmp_path / "one", tmp_path / "two"]), tmp_path / "out")


def test_the_source_folder_is_no_output(tmp_path: Path) -> None:
    tree(tmp_path, "a.jpg")
    with pytest.raises(OutputError, match="source itself"):
        batch.destinations(batch.find([tmp_path], skip=tmp_path), tmp_path)


@given(st.lists(st.integers(0, 10**8), max_size=200))
def test_workers_are_never_more_than_files(sizes: list[int]) -> None:
    assert 1 <= batch.default_workers(sizes) <= max(1, len(sizes))


def test_few_small_files_need_no_processes() -> None:
    assert batch.default_workers([50_000] * 5) == 1
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    assert batch.default_workers([5_000_000] * 500) == cores


# --- execution ----------------------------------------------------------------------------------


def work(job: str) -> str:
    """Do what the job's name says."""
    if job == "broken":
        raise CorruptMedia("broken", path=job)
    if job == "crash":
        os.kill(os.getpid(), signal.SIGKILL)
    if job.startswith("once "):  # dies the first time only, as if memory had been short
        flag = Path(job.removeprefix("once "))
        if not flag.exists():
            flag.touch()
            os.kill(os.getpid(), signal.SIGKILL)
    if job == "unpicklable":
        return lambda: None  # type: ignore[return-value]
    if job == "slow":
        time.sleep(0.5)
    return f"{job} done"


def failed(job: str, error: Exception) -> str:
    return f"{job} {type(error).__name__}"


def test_what_a_job_raises_becomes_its_record() -> None:
    assert list(batch.run(work, ["a", "broken", "b"], failed=failed)) == [
        "a done", "broken CorruptMedia", "b done",
    ]  # fmt: skip


def test_a_dying_process_fails_its_own_job_only(tmp_path: Path) -> None:
    # Two runs: beside "crash" the other could be ended before its own first death.
    once = f"once {tmp_path / 'flag'}"
    jobs = [once, "a", "b", "broken", "unpicklable"]
    records = sorted(batch.run(work, jobs, failed=failed, workers=2))
    expected = ["a done", "b done", "broken CorruptMedia", f"{once} done"]
    assert [one for one in records if "unpicklable" not in one] == sorted(expected)
    assert len(records) == len(jobs)
    records = sorted(batch.run(work, ["a", "crash", "b"], failed=failed, workers=2))
    assert records == ["a done", "b done", "crash ResourceLimit"]


def test_an_interrupted_run_yields_what_was_begun_and_begins_nothing_more(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from aiglabel.batch import executor

    calls = []
    wait = executor.wait

    def interrupted(*args: object, **kwargs: object) -> object:
        calls.append(1)
        if len(calls) == 2:
            raise KeyboardInterrupt
        return wait(*args, **kwargs)  # type: ignore[arg-type]

    monkeypatch.setattr(executor, "wait", interrupted)
    records = []
    run = batch.run(work, ["slow"] * 20, failed=failed, workers=2)
    with pytest.raises(KeyboardInterrupt):
        collections.deque(map(records.append, run), 0)
    assert 2 <= len(records) <= 4
    assert not multiprocessing.active_children()


# --- records ------------------------------------------------------------------------------------


def label_job(tmp_path: Path) -> batch.LabelJob:
    label = Label.generated(producer="p", content_id="1")
    goal = tmp_path / "new/out.png"
    return batch.LabelJob(file=str(tmp_path / "in.png"), destination=str(goal), label=label)


def test_failures_name_the_path_and_the_remedy(tmp_path: Path) -> None:
    job = label_job(tmp_path)
    record = batch.label_failed(job, OutputError("exists", path="x.png", remedy="Move it"))
    assert record.status is batch.State.FAILED
    assert str(record.error) == "x.png: exists. Move it"
    bug = batch.label_failed(job, ZeroDivisionError("by zero"))
    assert bug.error is not None
    assert bug.error.path == job.file
    assert "report it" in str(bug.error)


def test_an_existing_result_is_refused_before_the_work(tmp_path: Path) -> None:
    job = label_job(tmp_path)
    Path(job.destination).parent.mkdir()
    Path(job.destination).write_bytes(b"precious")
    settings = batch.LabelSettings(policy=Policy.preset("cn"), key=Key.public())
    with pytest.raises(OutputError, match="exists"):
        batch.label_one(job, settings)
    assert Path(job.destination).read_bytes() == b"precious"
    with pytest.raises(AigLabelError, match=r"in\.png: cannot be read"):
        batch.label_one(job, replace(settings, overwrite=True))
