"""Processes that judge hand-ins side by side: on this machine, or wherever a Dask scheduler has workers.

Both are a `concurrent.futures.Executor`. They carry work and never state: a verdict comes back as a value, and a
worker that dies takes nothing with it but the time it spent.
"""

from __future__ import annotations

import faulthandler
import multiprocessing
import os
import pkgutil
import threading
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import CancelledError, Executor, Future, ProcessPoolExecutor, ThreadPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from functools import cache, partial
from pathlib import Path
from textwrap import shorten
from typing import Any

from autograder import fingerprint, master
from autograder.errors import AutograderError
from autograder.master import Lab
from autograder.verdict import Job, Verdict

JUDGE = "autograder.judging"
MOST_SECONDS = 1800  # the judge has limits of its own; this one ends a judge that hangs
MOST_DEATHS = 3
DASK_ANSWERS = "10s"  # the scheduler
DASK_SECONDS = 60  # for the first worker to come
_SAME = "grade again; Dask's scheduler and workers need this checkout (in PYTHONPATH) and this environment"
_one_at_a_time = threading.Lock()  # a Dask worker may have several threads, the judge has one sandbox


class WorkersError(AutograderError):
    """The workers cannot be used; the message says what to do."""


class WorkerDied(Exception):
    """A hand-in ended the process that judged it, every time."""


def judge_all(
    executor: Executor, lab: Lab, jobs: Mapping[str, Job], keep: Callable[[str, Verdict], Verdict], judge: str = JUDGE
) -> Iterator[tuple[str, Verdict | None, str]]:
    """Judge every job; yield its name, its verdict and, where there is none, the reason.

    All jobs are handed to the executor before this returns.

    Parameters
    ----------
    keep : callable
        Is given each job's name and verdict as soon as they are there, in some thread of this process, however
        long the caller takes for the one before. What it returns is yielded.
    judge : str
        Dotted name of a module with a function `judge_handin` from Job to Verdict, for workers to import.

    Raises
    ------
    AutograderError
        Nothing can be judged there: no sandbox, a worker with other sources, a scheduler that went away.
    """
    expected = fingerprint.of_lab(lab)
    tests = {cell.id for cell in lab.test_cells}

    def checked(name: str, verdict: Verdict) -> Verdict:
        if not isinstance(verdict, Verdict) or verdict.lab != lab.name or verdict.outcomes.keys() != tests:
            raise WorkersError(f"{lab.name}: the judge's outcomes are not of the lab's tests")
        return keep(name, verdict)

    futures = {
        _then(executor.submit(judge_one, judge, job, expected), partial(checked, name)): name
        for name, job in jobs.items()
    }
    return _results(futures)


def _then(future: Future, use: Callable[[Any], Any]) -> Future:
    """A future of what `use` makes of the result of `future`."""
    following: Future = Future()

    def follow(done: Future) -> None:
        try:
            following.set_result(use(done.result()))
        except BaseException as error:
            following.set_exception(error)

    future.add_done_callback(follow)
    return following


def _results(futures: dict[Future[Verdict], str]) -> Iterator[tuple[str, Verdict | None, str]]:
    for future in as_completed(futures):
        error = future.exception()
        if isinstance(error, CancelledError):
            raise WorkersError("the Dask scheduler went away: grade again for what is missing")
        if isinstance(error, AutograderError | KeyboardInterrupt):
            raise error
        if error:
            yield futures[future], None, shorten(str(error) or type(error).__name__, 200)
        else:
            yield futures[future], future.result(), ""


def judge_one(judge: str, job: Job, expected: str) -> Verdict:
    """Judge one hand-in; what a worker runs."""
    _require_same(job.root / "solutions" / job.lab / f"{job.lab}.py", expected)
    try:
        judge_handin = pkgutil.resolve_name(f"{judge}:judge_handin")
    except (ImportError, AttributeError) as error:
        raise WorkersError(f"there is no judge called {judge}: {error}") from None
    with _one_at_a_time:
        faulthandler.dump_traceback_later(MOST_SECONDS, exit=True)
        try:
            return judge_handin(job)
        finally:
            faulthandler.cancel_dump_traceback_later()


def _require_same(path: Path, expected: str) -> None:
    """Raise `WorkersError` unless this process has the sources and packages that `expected` is the hash of."""
    if _of_lab(path) != expected:
        raise WorkersError(f"a worker on {os.uname().nodename} has other sources or package versions: {_SAME}")


@cache  # a worker does not load changed sources either
def _of_lab(path: Path) -> str:
    return fingerprint.of_lab(master.load(path))


@contextmanager
def open_workers(lab: Lab, number: int, dask: str | None = None) -> Iterator[Executor]:
    """Start `number` processes here, or use the workers of the Dask scheduler at the address `dask`.

    Raises
    ------
    WorkersError
        No scheduler answers there, it has no workers, or they have other sources.
    """
    if dask is None:
        with ProcessWorkers(number) as executor:
            yield executor
    else:
        from dask import config
        from distributed import Client

        if dask.startswith("tls://") and not config.get("distributed.comm.tls.ca-file"):
            raise WorkersError(f"{dask} answers only who has its key: set DASK_CONFIG to its client.yaml")
        try:
            client = Client(dask, timeout=DASK_ANSWERS, set_as_default=False)
        except (OSError, RuntimeError, ValueError) as error:
            raise WorkersError(f"no Dask scheduler answers at {dask} ({error})") from None
        with client:
            _require_usable(client, lab)
            yield client.get_executor(pure=False)


def _require_usable(client: Any, lab: Lab) -> None:
    """A fault of scheduler or workers must be found here: it must not cost a class its points."""
    try:
        client.wait_for_workers(1, timeout=DASK_SECONDS)
    except TimeoutError:
        raise WorkersError(f"the Dask scheduler has no worker after {DASK_SECONDS} s: start some") from None
    for run in (client.run_on_scheduler, client.run):
        try:
            run(_require_same, lab.path, fingerprint.of_lab(lab))
        except AutograderError:
            raise
        except Exception as error:
            raise WorkersError(f"Dask cannot judge here ({error}): {_SAME}") from None


class ProcessWorkers(ThreadPoolExecutor):
    """Threads with one process each, so that a process that dies is known by the hand-in that it was at.

    That hand-in is tried again in a new process. The others do not notice.
    """

    def __init__(self, number: int) -> None:
        super().__init__(max(1, number))
        self._of_thread = threading.local()
        self._pools: list[ProcessPoolExecutor] = []

    def submit(self, fn: Callable, /, *arguments: Any) -> Future:
        return super().submit(self._call, fn, *arguments)

    def __exit__(self, *_: object) -> None:
        self.shutdown(cancel_futures=True)
        for pool in self._pools:
            pool.shutdown()

    def _call(self, fn: Callable, *arguments: Any) -> Any:
        for _ in range(MOST_DEATHS):
            try:
                return self._pool().submit(fn, *arguments).result()
            except BrokenProcessPool:
                self._of_thread.pool = None
        raise WorkerDied(f"the judge's process ended {MOST_DEATHS} times at this hand-in")

    def _pool(self) -> ProcessPoolExecutor:
        pool = getattr(self._of_thread, "pool", None)
        if pool is None:
            context = multiprocessing.get_context("spawn")  # what forks is the judge's own, small and known
            pool = ProcessPoolExecutor(1, context, initializer=_end_with_parent)
            self._of_thread.pool = pool
            self._pools.append(pool)
        return pool


def _end_with_parent() -> None:
    """End this process when the one that started it is gone, however it went."""
    parent = multiprocessing.parent_process()
    assert parent is not None

    def watch() -> None:
        parent.join()
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()
