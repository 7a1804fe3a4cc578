"""A lab to attack, and a judge that says what a hand-in earns."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from itertools import cycle
from pathlib import Path
from textwrap import indent

import pytest

from autograder import bridge, master
from autograder.inside.limits import Limits
from autograder.judge.judge import TimeLimits
from autograder.judge.parent import Parent
from autograder.judging import Courtroom
from autograder.master import Lab
from autograder.verdict import Job, Verdict

from ..judge.conftest import lab_of, parent

__all__ = ["lab_of", "parent"]  # fixtures that these tests share with those of the judge

HERE = Path(__file__).parent
ROOT = HERE.parents[2]
PATIENT = TimeLimits(cell=10.0, test=20.0, total=90.0)
RING = """
class Ring:
    def __init__(self, capacity):
        self.capacity, self.held = capacity, []

    def push(self, value):
        self.held = [*self.held, value][-self.capacity :]

    def oldest(self):
        return self.held[0]

    def __len__(self):
        return len(self.held)

    def __iter__(self):
        return iter(self.held)
"""


@dataclass(frozen=True)
class Bar:
    """Where hand-ins are judged.

    Attributes
    ----------
    lab
        The lab that attacks aim at.
    parent
        The sandbox that all of a session's hand-ins share.
    idle
        Its processes when no hand-in runs.
    """

    lab: Lab
    parent: Parent
    idle: frozenset[int]

    def hear(
        self,
        answers: dict[str, str],
        lab: Lab | None = None,
        tests: frozenset[str] | None = None,
        times: TimeLimits = PATIENT,
        limits: Limits = Limits(),  # noqa: B008  (immutable)
    ) -> Verdict:
        """Judge a hand-in: the lab's own solution, but for some answers."""
        lab = lab or self.lab
        courtroom = courtroom_of(lab, times, limits)
        courtroom.adopt(self.parent)
        return courtroom.hear(Job(ROOT, lab.name, solution(lab) | answers, "bubblewrap", "term"), tests)[0]

    def scores(self, answers: dict[str, str], tests: frozenset[str] | None = None, **how) -> dict[str, float]:
        """Points by test of a hand-in: of all tests, or of some."""
        outcomes, lab = self.hear(answers, tests=tests, **how).outcomes, how.get("lab", self.lab)
        return {test: (lab.cell(test).points or 0.0) if found.passed else 0.0 for test, found in outcomes.items()}

    def processes(self) -> frozenset[int]:
        """The sandbox's processes that run."""
        return processes_below(self.parent.process.pid)

    def full(self, *but: str) -> dict[str, float]:
        """Full points in every test but those named."""
        return {test.id: 0.0 if test.id in but else test.points or 0.0 for test in self.lab.test_cells}


def processes_below(process: int) -> frozenset[int]:
    """Everything that a process started, and what that started, as far as it runs."""
    children: dict[int, set[int]] = {}
    for status in Path("/proc").glob("[0-9]*/status"):
        with suppress(OSError):
            fields = dict(line.split(":", 1) for line in status.read_text().splitlines() if ":" in line)
            if "Z" not in fields["State"]:
                children.setdefault(int(fields["PPid"]), set()).add(int(fields["Pid"]))
    found, waiting = set(), [process]
    while waiting:
        below = children.get(waiting.pop(), set())
        found |= below
        waiting += below
    return frozenset(found)


HEADS = {"standardize": "def standardize(x):", "tally": "def tally(items):", "fit": "def fit(x, y, steps):"}


def in_cells(sources: dict[str, str]) -> dict[str, tuple[str, str]]:
    """Sources as answers to one exercise after the other."""
    return {name: (cell, source) for (name, source), cell in zip(sources.items(), cycle(HEADS), strict=False)}


def in_calls(sources: dict[str, str], before: str = "") -> dict[str, tuple[str, str]]:
    """Sources as bodies of one exercise's function after the other, below other lines."""
    return {
        name: (cell, f"{before}\n{HEADS[cell]}\n{indent(source, '    ')}")
        for name, (cell, source) in in_cells(sources).items()
    }


def hand_ins(attacks: dict[str, tuple[str, str]]) -> dict[str, dict[str, str]]:
    """As few hand-ins as hold all attacks, which are pairs of a cell and its source: one attack a cell."""
    found: list[tuple[list[str], dict[str, str]]] = []
    for name, (cell, source) in attacks.items():
        names, answers = next((one for one in found if cell not in one[1]), ([], {}))
        if not names:
            found.append((names, answers))
        names.append(name)
        answers[cell] = source
    return {"; ".join(names): answers for names, answers in found}


@cache
def courtroom_of(lab: Lab, times: TimeLimits, limits: Limits) -> Courtroom:
    return Courtroom(lab, "bubblewrap", times=times, limits=limits)


@cache
def solution(lab: Lab) -> dict[str, str]:
    """The lab's own answers by cell."""
    return bridge.solution_answers(lab)


@pytest.fixture(scope="session")
def idle(parent: Parent) -> frozenset[int]:
    """The sandbox's processes before the first hand-in."""
    return processes_below(parent.process.pid)


@pytest.fixture(scope="session")
def bar(parent: Parent, idle: frozenset[int]) -> Bar:
    """A lab whose tests look at values."""
    return Bar(master.load(HERE / "values_lab.py"), parent, idle)


@pytest.fixture(scope="session")
def counting(parent: Parent, idle: frozenset[int]) -> Bar:
    """A lab whose tests count bytes and memory."""
    return Bar(master.load(HERE / "counted_lab.py"), parent, idle)


@pytest.fixture(scope="session")
def lab06() -> Lab:
    return master.find(ROOT, "lab06")


@pytest.fixture
def judged(bar: Bar, lab_of: Callable[..., Lab]) -> Callable[[str, str, str], tuple[str, str]]:
    """`judged(solution, test, answer)`: status and message of a lab with one exercise."""

    def outcome(own: str, test: str, answer: str) -> tuple[str, str]:
        found = bar.hear({"answer": answer}, lab_of(own, test)).outcomes["test_answer"]
        return found.status, found.message

    return outcome
