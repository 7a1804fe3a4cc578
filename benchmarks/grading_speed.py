"""How fast `grade_class` is, sandbox on, and where its time goes.

A run's start (imports, the gradebook, the rehearsal, a warm sandbox for each worker) and its end (reports) happen
once a class. What a hand-in costs is taken between two of them: the first one written when all workers are warm, and
the last.
"""

from __future__ import annotations

import multiprocessing
import statistics
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from unittest import mock

from nbgrader.converters import GenerateFeedback

from autograder import master
from autograder.grade import Options, grade_class
from autograder.master import Lab
from autograder.results import ClassResult
from autograder.writer import Writer
from benchmarks import grading_timed_judge
from benchmarks.grading_class import HandIn, require_points, write_repository
from benchmarks.grading_timed_judge import all_warm, read_notes
from benchmarks.machine import cores, cpu_seconds, use_cores


@dataclass(frozen=True)
class Setting:
    """One way to grade: `workers` judge on as many cores, started here or by Dask."""

    name: str
    workers: int
    dask: bool = False


def grading_speed(lab: Lab, folder: Path, handed_in: list[HandIn], setting: Setting) -> dict[str, Any]:
    """Grade a class in a process of its own, as the command does.

    Parameters
    ----------
    folder
        Becomes the class's repository.

    Returns
    -------
    dict
        Plain data. Under "a_hand_in": "seconds" of wall time, those that judging one took (median) and that writing
        one took, which overlap; "cpu" of the whole machine's cores, of which "cpu_judging" is what the process that
        writes did not use, so that sandboxes and Dask's workers count there.

    Raises
    ------
    BenchmarkError
        A hand-in got points that it must not get.
    """
    write_repository(lab, folder, handed_in)
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as fresh:
        points, figures = fresh.submit(_measure, folder, lab.name, setting).result()
    require_points(setting.name, handed_in, points)
    return figures


@dataclass
class Stopwatch:
    """Adds up what the calls of a method take in this process.

    Attributes
    ----------
    wall, cpu : float
        Seconds so far, the latter of the calling thread.
    """

    wall: float = 0.0
    cpu: float = 0.0

    @contextmanager
    def on(self, owner: type, name: str, then: Callable[[], None] = lambda: None) -> Iterator[None]:
        """Measure ``owner.name`` and call `then` after each call of it."""
        method = getattr(owner, name)

        def timed(*arguments: Any, **keywords: Any) -> Any:
            wall, cpu = time.monotonic(), time.thread_time()
            try:
                return method(*arguments, **keywords)
            finally:
                self.wall += time.monotonic() - wall
                self.cpu += time.thread_time() - cpu
                then()

        with mock.patch.object(owner, name, timed):
            yield


@dataclass
class Readings:
    """All clocks, read whenever a hand-in has been written."""

    writing: Stopwatch = field(default_factory=Stopwatch)
    feedback: Stopwatch = field(default_factory=Stopwatch)
    taken: list[dict[str, float]] = field(default_factory=list)

    def take(self) -> None:
        self.taken.append(
            {
                "wall": time.monotonic(),
                "machine": cpu_seconds(),
                "process": time.process_time(),
                "writing wall": self.writing.wall,
                "writing": self.writing.cpu,
                "feedback": self.feedback.cpu,
            }
        )

    def per_hand_in(self, since: float) -> dict[str, float]:
        """Seconds that each clock went on for one hand-in, of those written `since`; of all where these are too few."""
        later = [reading for reading in self.taken if reading["wall"] >= since]
        readings = later if len(later) > 1 else self.taken
        first, last = readings[0], readings[-1]
        return {clock: (last[clock] - first[clock]) / (len(readings) - 1) for clock in first}


def _measure(root: Path, lab_name: str, setting: Setting) -> tuple[dict[str, float], dict[str, Any]]:
    """Grade the class of the repository `root`; test points by student, and figures."""
    use_cores(setting.workers)
    lab, readings = master.find(root, lab_name), Readings()
    with (
        readings.feedback.on(GenerateFeedback, "convert_notebooks"),
        readings.writing.on(Writer, "write", readings.take),
        _scheduler(setting, root) as address,
    ):
        started, machine = time.monotonic(), cpu_seconds()
        options = Options(setting.workers, address, judge=grading_timed_judge.__name__)
        graded = grade_class(root, lab, root / "handins", options)
        seconds, machine = time.monotonic() - started, cpu_seconds() - machine
    notes = read_notes(root)
    each, number = readings.per_hand_in(all_warm(notes)), len(readings.taken)
    return _test_points(graded.result), {
        "name": setting.name,
        "hand_ins": number,
        "workers": setting.workers,
        "cores": len(cores()),
        "seconds": seconds,
        "cpu_seconds": machine,
        "seconds_until_the_first": readings.taken[0]["wall"] - started,
        "seconds_after_the_last": started + seconds - readings.taken[-1]["wall"],
        "a_hand_in": {
            "seconds": each["wall"],
            "seconds_judging": statistics.median(note.seconds for note in notes),
            "seconds_writing": each["writing wall"],
            "cpu": each["machine"],
            "cpu_judging": each["machine"] - each["process"],
            "cpu_gradebook_and_notebook": each["writing"] - each["feedback"],
            "cpu_feedback": each["feedback"],
            "cpu_other": each["process"] - each["writing"],
        },
    }


@contextmanager
def _scheduler(setting: Setting, folder: Path) -> Iterator[str | None]:
    """A Dask scheduler and its workers, one process each; the address, or None where none is wanted."""
    if not setting.dask:
        yield None
        return
    from distributed import LocalCluster

    cluster: Any = LocalCluster(
        n_workers=setting.workers,
        threads_per_worker=1,
        processes=True,
        host="127.0.0.1",
        dashboard_address="127.0.0.1:0",
        scheduler_kwargs={"dashboard": False},
        local_directory=str(folder),
    )
    with cluster:
        yield cluster.scheduler_address


def _test_points(result: ClassResult) -> dict[str, float]:
    tests = [cell.id for cell in result.lab.test_cells]
    return {one.student: sum(one.scores.get(test) or 0.0 for test in tests) for one in result.students}
