"""Draw questions about a hand-in's code; the judge finds the answers, in the sandbox."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass, replace

from autograder.dependencies import dependent_tests
from autograder.judging import Courtroom
from autograder.master import Lab
from autograder.outcomes import Outcomes
from autograder.verdict import Job
from autograder.viva.changes import Change, changes

TRIES = 24
"""So many changes of one hand-in are judged at most."""


@dataclass(frozen=True)
class Question:
    """One question with what the examiner should know.

    Attributes
    ----------
    change : Change
    answer : str
        The unchanged cell.
    effects : dict of str to str
        Message by test that passes as handed in and fails with the change; empty when no check sees a difference.
    """

    change: Change
    answer: str
    effects: dict[str, str]


def draw(lab: Lab, job: Job, courtroom: Courtroom, count: int = 3) -> list[Question]:
    """Questions about a hand-in: the same whenever it is asked about, other ones about another hand-in.

    Changes that a check sees come first, one a cell and one of a kind as long as there are such.
    """
    verdict, _ = courtroom.hear(job)
    passing = {test for test, outcome in verdict.outcomes.items() if outcome.passed}
    seen: list[Question] = []
    unseen: list[Question] = []
    for change in _in_turn(lab, job, courtroom, passing):
        effects = _effects(lab, job, courtroom, change, passing)
        (seen if effects else unseen).append(Question(change, job.answers[change.cell], effects))
        if len(_varied(seen, count)) == count:
            break
    return (_varied(seen, count) + _others(seen, count) + unseen)[:count]


def _in_turn(lab: Lab, job: Job, courtroom: Courtroom, passing: set[str]) -> Iterator[Change]:
    """Changes of cells that a passing test depends on, in an order that the hand-in's content decides."""
    chance = random.Random(f"{lab.name} {job.content}")
    by_cell: list[list[Change]] = []
    for cell in lab.solution_cells:
        answer, given = job.answers.get(cell.id, ""), courtroom.stubs[cell.id]
        if answer != given and passing & {test.id for test in dependent_tests(lab, cell.id)}:
            by_cell.append(changes(cell.id, answer, given))
    for found in by_cell:
        chance.shuffle(found)
    chance.shuffle(by_cell)
    tried = 0
    while any(by_cell) and tried < TRIES:
        for found in filter(None, by_cell):
            yield found.pop()
            tried += 1


def _effects(lab: Lab, job: Job, courtroom: Courtroom, change: Change, passing: set[str]) -> dict[str, str]:
    tests = frozenset(test.id for test in dependent_tests(lab, change.cell)) & passing
    changed = replace(job, answers=job.answers | {change.cell: change.source})
    outcomes: Outcomes = courtroom.hear(changed, tests)[0].outcomes
    return {test: outcomes[test].message for test in sorted(tests) if not outcomes[test].passed}


def _varied(questions: list[Question], count: int) -> list[Question]:
    """The first of each cell and of each kind."""
    chosen: list[Question] = []
    for one in questions:
        if all(one.change.cell != other.change.cell and one.change.kind != other.change.kind for other in chosen):
            chosen.append(one)
    return chosen[:count]


def _others(questions: list[Question], count: int) -> list[Question]:
    chosen = _varied(questions, count)
    return [one for one in questions if one not in chosen]
