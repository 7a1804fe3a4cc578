"""Kill grading at random moments, grade again, and look for anything that was lost or done twice.

The writer and all that it writes are the real ones; a stand-in judges, so that hundreds of runs take minutes.
"""

from __future__ import annotations

import multiprocessing
import os
import random
import shutil
import signal
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from multiprocessing.context import ForkServerProcess as Run
from pathlib import Path
from typing import Any

from tqdm import tqdm

from autograder import master
from autograder.course import Course
from autograder.grade import Options, grade_class
from autograder.master import Lab
from benchmarks import grading_processes as processes
from benchmarks import grading_stand_in_judge
from benchmarks.grading_class import SEED, BenchmarkError, HandIn, write_repository
from benchmarks.grading_outcome import differences, outcome, pages, written

WORKER, PARENT, WRITER = "worker", "parent", "writer"
TARGETS = (WORKER, PARENT, WRITER)
WORKERS = 2
MOST_SECONDS = 300.0  # a run that takes longer hangs
_SAID = "said"  # in a repository: what its runs printed
_REPORTS = [f"autograder.reports.{name}" for name in ("class_csv", "lms_csv", "page", "similarity")]
_PRELOADED = [__name__, *_REPORTS]  # what each run would otherwise spend seconds on


@dataclass
class Kill:
    """One kill and what came of it.

    Attributes
    ----------
    target : str
        A worker at random; or the process that grades, at any time ("parent") or while it writes ("writer").
    second : float
        When, from the start of the run.
    written : int
        Feedback pages that were there.
    judged_again, written_again : int
        Hand-ins that were judged more than once, and that the second run wrote although the first had.
    faults : list of str
        What an undisturbed run would not have left, one sentence each.
    """

    target: str
    second: float
    written: int
    judged_again: int = 0
    written_again: int = 0
    faults: list[str] = field(default_factory=list)


class Series:
    """Runs over one class, each in a fresh copy of its repository.

    Parameters
    ----------
    folder
        For the copies.

    Raises
    ------
    BenchmarkError
        Two undisturbed runs do not leave the same, so that nothing could be said about disturbed ones.
    """

    def __init__(self, lab: Lab, folder: Path, handed_in: list[HandIn]) -> None:
        self.lab, self.folder, self.handed_in = lab, folder, handed_in
        self._rng = random.Random(SEED)
        self._context = multiprocessing.get_context("forkserver")
        self._context.set_forkserver_preload(_PRELOADED)
        self._template = folder / "template"
        write_repository(lab, self._template, handed_in)
        Course(self._template).seed_key()  # verdicts' keys follow from it
        self._undisturbed, _ = self._undisturbed_run()
        again, self._seconds = self._undisturbed_run()
        if found := differences(self._undisturbed, again):
            raise BenchmarkError(f"two undisturbed runs leave different things: {'; '.join(found)}")

    def kill(self, target: str) -> Kill | None:
        """Grade, kill `target` on the way, grade again; None when the run was over before."""
        with self._repository() as root:
            started, run = time.monotonic(), self._start(root)
            self._await_moment(target, root, run)
            family = processes.family(run.pid)
            victims = processes.workers(family) if target == WORKER else [run.pid]
            if not victims or not run.is_alive():
                self._require_success(run, root)
                return None
            kill = Kill(target, round(time.monotonic() - started, 3), len(pages(root)))
            os.kill(self._rng.choice(victims), signal.SIGKILL)
            if target == WORKER:
                kill.faults += self._failure(run, root)
            run.join()
            before = written(root)
            kill.faults += self._failure(self._start(root), root) + processes.left_behind(family)
            self._weigh(kill, root, before)
            return kill

    def _await_moment(self, target: str, root: Path, run: Run) -> None:
        """Sleep until a random moment at which `target` has something to do."""
        if target == PARENT:
            time.sleep(self._rng.uniform(0.0, self._seconds))
            return
        progress = _judged if target == WORKER else pages
        after = self._rng.randrange(len(self.handed_in))
        while run.is_alive() and not (_judged(root) and len(progress(root)) >= after):
            time.sleep(0.005)
        time.sleep(self._rng.uniform(0.0, grading_stand_in_judge.SECONDS))

    def _undisturbed_run(self) -> tuple[dict[str, Any], float]:
        """What is left, and seconds."""
        with self._repository() as root:
            started = time.monotonic()
            self._require_success(self._start(root), root)
            return outcome(root, self.lab), time.monotonic() - started

    def _weigh(self, kill: Kill, root: Path, before: dict[Path, int]) -> None:
        """Find out what came of a kill after which, `before` the second run, these files were there."""
        after = written(root)
        kill.judged_again = len(_judged(root)) - len(self.handed_in)
        kill.written_again = len({path.parent.parent.name for path in before if after.get(path) != before[path]})
        kill.faults += differences(self._undisturbed, outcome(root, self.lab))
        if kill.judged_again > (1 if kill.target == WORKER else WORKERS):
            kill.faults.append(f"{kill.judged_again} hand-ins were judged again")
        if kill.written_again > (0 if kill.target == WORKER else 1):
            kill.faults.append(f"{kill.written_again} hand-ins were written again")

    @contextmanager
    def _repository(self) -> Iterator[Path]:
        with tempfile.TemporaryDirectory(dir=self.folder) as copies:
            yield shutil.copytree(self._template, Path(copies, "repository"))

    def _start(self, root: Path) -> Run:
        run = self._context.Process(target=_grade, args=(root, self.lab.name))
        run.start()
        return run

    def _failure(self, run: Run, root: Path) -> list[str]:
        """Wait for the run to end; a sentence unless it ends well."""
        run.join(MOST_SECONDS)
        if run.exitcode is None:
            run.kill()
            run.join()
            return [f"a run hung: it was not done after {MOST_SECONDS:.0f} s"]
        return [f"a run ended with code {run.exitcode}: {(root / _SAID).read_text()[-1000:]}"] if run.exitcode else []

    def _require_success(self, run: Run, root: Path) -> None:
        if failure := self._failure(run, root):
            raise BenchmarkError(f"undisturbed, {failure[0]}")


def kill_runs(lab: Lab, folder: Path, handed_in: list[HandIn], number: int) -> dict[str, Any]:
    """Kill `number` runs, one target after the other; plain data.

    Raises
    ------
    BenchmarkError
        A run fails or hangs, or run after run is over before it is killed.
    """
    series, done, missed = Series(lab, folder, handed_in), [], 0
    with tqdm(total=number, desc="killing", unit="run") as progress:
        while len(done) < number:
            kill = series.kill(TARGETS[len(done) % len(TARGETS)])
            if kill:
                done.append(kill)
                progress.update()
            elif (missed := missed + 1) > number + 10:
                raise BenchmarkError(f"{missed} runs were over before they could be killed")
    return {
        "hand_ins": len(handed_in),
        "workers": WORKERS,
        "seed": SEED,
        "kills": dict(Counter(kill.target for kill in done)),
        "judged_again": sum(kill.judged_again for kill in done),
        "written_again": sum(kill.written_again for kill in done),
        "faults": [f"{kill.target} at {kill.second} s: {fault}" for kill in done for fault in kill.faults],
        "moments": [f"{kill.target} at {kill.second} s, {kill.written} written" for kill in done],
    }


def _grade(root: Path, lab_name: str) -> None:
    """In a process of its own, whose words go to a file."""
    with (root / _SAID).open("a") as said:
        for descriptor in (1, 2):
            os.dup2(said.fileno(), descriptor)
    options = Options(WORKERS, sandbox="none", judge=grading_stand_in_judge.__name__)
    grade_class(root, master.find(root, lab_name), root / "handins", options)


def _judged(root: Path) -> list[str]:
    """The hand-ins that came to the judge, in order; those judged twice stand there twice."""
    path = root / grading_stand_in_judge.NOTES
    return path.read_text().split() if path.exists() else []
