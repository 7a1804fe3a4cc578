"""Classes to grade: hand-ins that all differ, and a repository of their own to grade them in."""

from __future__ import annotations

import random
import shutil
from dataclasses import dataclass
from itertools import cycle
from pathlib import Path

from autograder import bridge
from autograder.demo import answered
from autograder.master import Lab

ROOT = Path(__file__).parents[1]
SOLUTION, WRONG, BLANK = "solution", "wrong", "blank"
MIX = (SOLUTION,) * 6 + (WRONG,) * 3 + (BLANK,)
SEED = 0


class BenchmarkError(RuntimeError):
    """What was measured means nothing; the message says why."""


@dataclass(frozen=True)
class HandIn:
    """A notebook, and the test points between which its score must lie.

    Attributes
    ----------
    kind : str
        "solution", "wrong" or "blank".
    """

    student: str
    kind: str
    notebook: str
    least: float
    most: float


def hand_ins(lab: Lab, number: int, kinds: tuple[str, ...] = (SOLUTION,)) -> list[HandIn]:
    """Make `number` hand-ins in which the `kinds` come as often as they are named, in a random order.

    Each student puts a comment into every answer, so that no two are judged as one.
    """
    rng = random.Random(SEED)
    order = [kind for _, kind in zip(range(number), cycle(kinds), strict=False)]
    rng.shuffle(order)
    solution = {cell.id: cell.source for cell in bridge.solution_notebook(lab).cells}
    wrong = cycle(rng.sample(lab.wrong_answers, len(lab.wrong_answers)))
    made = []
    for index, kind in enumerate(order):
        answers, least, most = solution, lab.test_points, lab.test_points
        if kind == WRONG:
            mistake = next(wrong)
            answers = solution | {mistake.cell: mistake.source}
            least, most = 0.0, lab.test_points - (lab.cell(f"test_{mistake.cell}").points or 0.0)
        elif kind == BLANK:
            answers, least, most = bridge.stubs(lab), 0.0, 0.0
        made.append(HandIn(f"student{index:03}", kind, _notebook(lab, answers, f"student{index:03}"), least, most))
    return made


def _notebook(lab: Lab, answers: dict[str, str], student: str) -> str:
    code = {cell.id for cell in lab.solution_cells}
    signed = {name: f"{source}\n# {student}" if name in code else source for name, source in answers.items()}
    return bridge.to_text(answered(lab, signed))


def write_repository(lab: Lab, folder: Path, handed_in: list[HandIn]) -> None:
    """Put the lab, nbgrader's settings and, in handins/, the class into `folder`."""
    shutil.copytree(lab.path.parent, folder / "solutions" / lab.name)
    shutil.copy(ROOT / "nbgrader_config.py", folder)
    for one in handed_in:
        path = folder / "handins" / one.student / f"{lab.name}.ipynb"
        path.parent.mkdir(parents=True)
        path.write_text(one.notebook, encoding="utf-8")


def require_points(name: str, handed_in: list[HandIn], points: dict[str, float]) -> None:
    """Raise `BenchmarkError` unless everybody has the test points, by student, that they must get."""
    wrong = []
    for one in handed_in:
        got = points.get(one.student)
        if got is None or not one.least <= got <= one.most:
            wrong.append(f"{one.student} ({one.kind}): expected {one.least:g} to {one.most:g} test points, got {got}")
    if wrong:
        raise BenchmarkError(f"{name}: {'; '.join(wrong)}")
