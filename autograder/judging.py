"""Judge hand-ins in this process: a warm sandbox a lab, and a fork of this process a hand-in.

What happens to a fork, whether it runs out of time, out of memory or is killed, is one hand-in's verdict and touches
no other.
"""

from __future__ import annotations

import ast
import atexit
import json
import os
import select
import shutil
import signal
import tempfile
import time
import traceback
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, NoReturn

# What is judged is counted in the interpreter, and a GPU that this process had used would not survive its forks.
os.environ["CUDA_VISIBLE_DEVICES"] = ""

from autograder import bridge, master
from autograder.errors import AutograderError
from autograder.inside.limits import Limits
from autograder.inside.warm import warm_up
from autograder.judge.judge import Hearing, TimeLimits
from autograder.judge.parent import Parent
from autograder.master import Lab
from autograder.outcomes import NOT_REACHED, Outcome
from autograder.verdict import Job, Verdict, verdict_from_json

_GRACE = 30.0  # seconds that a fork gets beyond the hand-in's own limit


class JudgingError(AutograderError):
    """A lab cannot be judged here: its own solution does not get full marks."""


@dataclass(frozen=True)
class Rehearsal:
    """What judging the lab's own solution showed.

    Attributes
    ----------
    verdict : Verdict
    modules : tuple of str
        Modules that were imported on the way; imported beforehand, they cost no hand-in any time.
    """

    verdict: Verdict
    modules: tuple[str, ...]


def judge_handin(job: Job) -> Verdict:
    """Judge one hand-in; never raises for anything that it does.

    Raises
    ------
    AutograderError
        There is no such lab, or no sandbox here.
    RuntimeError
        The judge itself failed; the hand-in is not judged.
    """
    courtroom = _courtroom(job.root, job.lab, job.sandbox)
    courtroom.import_beforehand(job.modules)
    return courtroom.hear(job)[0]


def rehearse(root: Path, lab: Lab, sandbox: str) -> Rehearsal:
    """Judge the lab's own solution, before any hand-in is.

    Raises
    ------
    JudgingError
        The solution loses points: grading would be unjust, whatever the reason.
    """
    verdict, modules = _courtroom(root, lab.name, sandbox).hear_solution()
    lost = [f"{test}: {outcome.message}" for test, outcome in verdict.outcomes.items() if not outcome.passed]
    if lost:
        raise JudgingError(f"the solution of {lab.name} must pass every test here, but {'; '.join(lost)}")
    return Rehearsal(verdict, modules)


class Courtroom:
    """A warm sandbox for one lab.

    Parameters
    ----------
    lab
    sandbox
        One of `autograder.sandbox.KINDS`.
    times, limits
        What one hand-in may take.
    """

    def __init__(
        self,
        lab: Lab,
        sandbox: str,
        times: TimeLimits = TimeLimits(),  # noqa: B008  (immutable)
        limits: Limits = Limits(),  # noqa: B008
    ) -> None:
        self.lab, self.sandbox, self.times, self.limits = lab, sandbox, times, limits
        self._modules = set(_imports(lab))
        self.stubs = bridge.stubs(lab)
        self._folder = _lab_folder(lab)
        self._parent: Parent | None = None
        self._owner = os.getpid()
        atexit.register(self.close)

    @property
    def parent(self) -> Parent:
        """The sandbox, started when it is first needed and again when it has ended."""
        if self._parent is not None and self._parent.process.poll() is not None:
            self.close()
        if self._parent is None:
            warm_up()
            self._parent = Parent(self.sandbox, Path(self._folder.name), self.lab.withheld)
            self._parent.preload(self._modules)
        return self._parent

    def import_beforehand(self, modules: Iterable[str]) -> None:
        """Have the sandbox import these once, so that no hand-in needs to."""
        new = set(modules) - self._modules
        self._modules |= new
        if new and self._parent is not None:
            self.parent.preload(new)

    def hear(
        self, job: Job, tests: frozenset[str] | None = None, list_modules: bool = False
    ) -> tuple[Verdict, tuple[str, ...]]:
        """Judge `job` in a fork of this process: all tests or some; and tell which modules were imported for it."""
        parent = self.parent
        read_end, write_end = os.pipe()
        child = os.fork()
        if child == 0:
            os.close(read_end)
            self._serve(parent, job, write_end, tests, list_modules)
        os.close(write_end)
        text, cause = _read(read_end, self.times.total + _GRACE)
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        if parent.process.poll() is not None:
            self.close()
        try:
            answer = json.loads(text)
        except ValueError:
            return self._nothing(cause), ()
        if "failure" in answer:
            raise RuntimeError(f"the judge failed: {answer['failure']}")
        return verdict_from_json(answer["verdict"]), tuple(answer["modules"])

    def hear_solution(self) -> tuple[Verdict, tuple[str, ...]]:
        """Judge the lab's own solution, and import beforehand what it imports: no hand-in's word is taken for that."""
        job = Job(self.lab.path.parents[2], self.lab.name, bridge.solution_answers(self.lab), self.sandbox)
        verdict, modules = self.hear(job, list_modules=True)
        self.import_beforehand(modules)
        return verdict, modules

    def adopt(self, parent: Parent) -> None:
        """Use a sandbox that somebody else has started, and ends: tests share one."""
        self._parent, self._owner = parent, -1

    def close(self) -> None:
        """End the sandbox; the next hand-in starts another."""
        parent, self._parent = self._parent, None
        if parent is not None and os.getpid() == self._owner:
            parent.close()

    def _serve(self, parent: Parent, job: Job, pipe: int, tests: frozenset[str] | None, list_modules: bool) -> NoReturn:
        """In the fork: judge, write the verdict, and end."""
        code = 1
        try:
            answer = self._answer(parent, job, tests, list_modules)
            with os.fdopen(pipe, "w", encoding="utf-8") as stream:
                json.dump(answer, stream)
            code = 0
        finally:
            os._exit(code)

    def _answer(self, parent: Parent, job: Job, tests: frozenset[str] | None, list_modules: bool) -> dict[str, Any]:
        """The verdict; or what failed, if that was not the hand-in but the judge."""
        try:
            os.chdir(self._folder.name)  # where tests find the lab's assets
            answers = self.stubs | job.answers
            seed = job.seed_key.encode()
            hearing = Hearing(self.lab, answers, parent, seed, tests, list_modules, self.limits, self.times)
            return {"verdict": hearing.verdict().to_json(), "modules": sorted(hearing.modules)}
        except MemoryError:  # a limit, and the hand-in's doing
            raise
        except Exception as error:
            traceback.print_exc()
            return {"failure": f"{type(error).__name__}: {error}"}

    def _nothing(self, cause: str) -> Verdict:
        """No test was reached, since the judge itself did not get to the end."""
        outcomes = {cell.id: Outcome(NOT_REACHED, cause) for cell in self.lab.test_cells}
        return Verdict(self.lab.name, outcomes, remarks=[cause])


@cache
def _courtroom(root: Path, lab: str, sandbox: str) -> Courtroom:
    return Courtroom(master.find(root, lab), sandbox)


def _lab_folder(lab: Lab) -> tempfile.TemporaryDirectory[str]:
    """A folder with the lab's assets, and without its master."""
    folder = tempfile.TemporaryDirectory(prefix=f"{lab.name}-")
    os.chmod(folder.name, 0o755)  # for the sandbox's users
    assets = lab.path.parent / "assets"
    if assets.is_dir():
        shutil.copytree(assets, Path(folder.name, "assets"))
    return folder


def _imports(lab: Lab) -> Iterator[str]:
    """Modules that the setup cells import."""
    for cell in lab.setup_cells:
        for node in ast.walk(ast.parse(cell.source)):
            if isinstance(node, ast.Import):
                yield from (alias.name for alias in node.names)
            elif isinstance(node, ast.ImportFrom) and node.module:
                yield node.module
                yield from (f"{node.module}.{alias.name}" for alias in node.names)


def _read(descriptor: int, seconds: float) -> tuple[str, str]:
    """Read until the writer closes or time is up; the text, and why it may be incomplete."""
    deadline, chunks, cause = time.monotonic() + seconds, [], "the judge of this hand-in was killed"
    with os.fdopen(descriptor, "rb", buffering=0) as pipe:
        while True:
            ready, _, _ = select.select([pipe], [], [], max(0.0, deadline - time.monotonic()))
            chunk = pipe.read(2**20) if ready else b""
            if not ready:
                cause = f"the judge of this hand-in took more than {seconds:.0f} s"
            if not chunk:
                return b"".join(chunks).decode(errors="replace"), cause
            chunks.append(chunk)
