"""Running one function over many jobs, here or in several processes, so that no job sinks the rest.

Processes are spawned, not forked: OpenCV, FFmpeg and the C2PA SDK run threads, which a fork would
copy half.

What is under way at Ctrl-C is finished. A job that may take long asks `give_up_if_stopped` now and
then, and is given up.
"""

from __future__ import annotations

import logging
import os
import signal
import threading
from collections import deque
from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import connection, get_context, parent_process
from multiprocessing.synchronize import Event
from typing import TypeVar

from aiglabel.errors import ResourceLimit
from aiglabel.media.machine import cores

Job = TypeVar("Job")
Record = TypeVar("Record")
Work = Callable[[Job], Record]
Failed = Callable[[Job, Exception], Record]

log = logging.getLogger(__name__)

# In a worker: set when the run is stopped.
_stopped: Event | None = None

# Rough costs, only to decide whether starting processes (a second of imports each) pays off.
_SECONDS_A_FILE = 0.15
_SECONDS_A_MEGABYTE = 0.5
_WORTH_SECONDS = 4.0


def default_workers(sizes: Sequence[int]) -> int:
    """Return how many processes suit files of these sizes in bytes; 1 means none besides this."""
    seconds = len(sizes) * _SECONDS_A_FILE + sum(sizes) / 1e6 * _SECONDS_A_MEGABYTE
    if seconds < _WORTH_SECONDS:
        return 1
    return max(1, min(cores(), len(sizes)))


def run(
    work: Work[Job, Record], jobs: Sequence[Job], *, failed: Failed[Job, Record], workers: int = 1
) -> Iterator[Record]:
    """Yield one record a job, as they are completed.

    What a job raises is turned into a record by `failed`. A job whose process dies (a crash in a
    codec, no memory left) is tried once more, alone; if it dies again it alone has failed. After
    Ctrl-C the jobs under way in other processes are ended and their records yielded before
    `KeyboardInterrupt` goes on; the others never begin, and what is given up has no record.

    Parameters
    ----------
    work, failed : callable
        With more than one worker, they and the jobs must be picklable.
    jobs : sequence
    workers : int
        1 works in this process.
    """
    if workers <= 1:
        for job in jobs:
            yield _guarded(work, failed, job)
        return
    waiting = deque(jobs)
    while waiting:
        # One job more than processes, so that none waits for this one to wake up.
        suspects = deque((yield from _run_pool(work, failed, waiting, workers, workers + 1)))
        while suspects:
            for job in (yield from _run_pool(work, failed, suspects, 1, 1)):
                error = ResourceLimit(
                    "the process working on it died, probably for lack of memory",
                    remedy="Use fewer --workers, or a smaller file",
                )
                yield failed(job, error)


def _run_pool(
    work: Work[Job, Record],
    failed: Failed[Job, Record],
    waiting: deque[Job],
    workers: int,
    at_once: int,
) -> Generator[Record, None, list[Job]]:
    """Work off `waiting`, `at_once` jobs being under way, until it is empty or a process dies.

    Returns the jobs that may be why it died.
    """
    running: dict[Future[Record], Job] = {}
    suspects: list[Job] = []
    context = get_context("spawn")
    stopped = context.Event()
    with ProcessPoolExecutor(
        workers, mp_context=context, initializer=_prepare,
        initargs=(log.getEffectiveLevel(), stopped),
    ) as pool:  # fmt: skip
        try:
            while running or (waiting and not suspects):
                while waiting and not suspects and len(running) < at_once:
                    job = waiting.popleft()
                    try:
                        running[pool.submit(_guarded, work, failed, job)] = job
                    except BrokenProcessPool:
                        suspects.append(job)
                for done in wait(running, return_when=FIRST_COMPLETED).done:
                    job, error = running.pop(done), done.exception()
                    if isinstance(error, BrokenProcessPool):
                        suspects.append(job)
                    else:
                        yield failed(job, error) if isinstance(error, Exception) else done.result()
        except KeyboardInterrupt:
            stopped.set()
            pool.shutdown(wait=True, cancel_futures=True)
            yield from (done.result() for done in running if _succeeded(done))
            raise
    return suspects


def _guarded(work: Work[Job, Record], failed: Failed[Job, Record], job: Job) -> Record:
    try:
        return work(job)
    except Exception as error:
        log.info("%s failed", job, exc_info=True)
        return failed(job, error)


def _succeeded(future: Future[Record]) -> bool:
    return future.done() and not future.cancelled() and future.exception() is None


def give_up_if_stopped() -> None:
    """Raise `KeyboardInterrupt` in a worker whose run was stopped."""
    if _stopped is not None and _stopped.is_set():
        raise KeyboardInterrupt


def _prepare(log_level: int, stopped: Event) -> None:
    """Set up a worker process."""
    global _stopped
    import cv2

    _stopped = stopped

    cv2.setNumThreads(1)  # there is a process for every core already
    # Ctrl-C reaches the whole process group; the parent decides what is finished.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    logging.basicConfig(level=log_level)
    threading.Thread(target=_die_with_parent, daemon=True).start()


def _die_with_parent() -> None:
    """End a worker whose parent was killed; it would wait for work for ever."""
    parent = parent_process()
    if parent is not None:
        connection.wait([parent.sentinel])
        os._exit(1)
