"""Classical item analysis: how hard each exercise was, and whether it tells strong hand-ins from weak ones.

The rule of thumb for discrimination is that of R. L. Ebel and D. A. Frisbie, Essentials of Educational Measurement (5th
edition, 1991): below 0.2 an item is to be revised.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from autograder.master import Lab
from autograder.master_cells import Cell
from autograder.reports import failures
from autograder.results import StudentResult
from autograder.verdict import Verdict

FEWEST = 5  # hand-ins below which a correlation says nothing
LOW_DISCRIMINATION = 0.2
HARD, EASY = 0.3, 0.95  # facility
OFTEN = 0.2  # share of hand-ins
UNEVEN = 2.0  # times more, or less, points an hour than the lab gives
UNMARKED = "unmarked"


@dataclass(frozen=True)
class Item:
    """One exercise over the class.

    Attributes
    ----------
    cell : Cell
        The test or manual cell that gives the points.
    facility : float or None
        Mean share of the points, 0 to 1; None when nothing is marked.
    discrimination : float or None
        Item-rest correlation: Pearson's between the exercise's points and the hand-in's other points, which for a
        test that passes or fails is the point-biserial. None with fewer than `FEWEST` hand-ins, or when one of
        the two does not vary.
    ends : Counter of str
        How many hand-ins ended in which of `failures`' kinds; for a manual cell `UNMARKED` and nothing else.
    """

    cell: Cell
    facility: float | None
    discrimination: float | None
    ends: Counter[str]


def analyse(lab: Lab, students: list[StudentResult], verdicts: Mapping[str, Verdict]) -> list[Item]:
    """Analyse every graded cell of the lab over the hand-ins that have a verdict, in the lab's order."""
    judged = [one for one in students if one.student in verdicts]
    return [_item(cell, judged, verdicts) for cell in lab.graded_cells]


def _item(cell: Cell, students: list[StudentResult], verdicts: Mapping[str, Verdict]) -> Item:
    marked = [one for one in students if one.scores.get(cell.id) is not None]
    own = np.array([one.scores[cell.id] for one in marked], float)
    rest = np.array([_others(one, cell.id) for one in marked], float)
    facility = float(own.mean() / (cell.points or 1.0)) if len(own) else None
    if cell.role == "manual":
        ends = Counter({UNMARKED: len(students) - len(marked)})
    else:
        outcomes = [verdicts[one.student].outcomes.get(cell.id) for one in students]
        ends = Counter(failures.kind(outcome) for outcome in outcomes if outcome)
    return Item(cell, facility, correlation(own, rest), ends)


def _others(student: StudentResult, cell: str) -> float:
    return sum(score for other, score in student.scores.items() if other != cell and score is not None)


def correlation(x: np.ndarray, y: np.ndarray) -> float | None:
    """Pearson's correlation; None where it is undefined or rests on fewer than `FEWEST` pairs.

    Examples
    --------
    >>> round(correlation(np.array([0, 0, 1, 1, 1]), np.array([2, 4, 6, 8, 10])), 3)
    0.866
    """
    if len(x) < FEWEST or np.ptp(x) == 0 or np.ptp(y) == 0:
        return None
    return float(np.corrcoef(x, y)[0, 1])


def observations(item: Item, items: list[Item]) -> list[str]:
    """What about an exercise deserves its author's look, one phrase each."""
    found = []
    hand_ins = item.ends.total()
    if item.facility is not None and item.facility < HARD:
        found.append("few get it")
    if item.facility is not None and item.facility > EASY:
        found.append("nearly everybody gets it")
    if item.discrimination is not None and item.discrimination < LOW_DISCRIMINATION:
        found.append("does not tell strong hand-ins from weak ones")
    if hand_ins and item.ends[failures.OPEN] / hand_ins > OFTEN:
        found.append("often left open")
    stopped = sum(item.ends[kind] for kind in failures.STOPPED)
    if hand_ins and stopped / hand_ins > OFTEN / 2:
        found.append("often stopped by a limit or a crash")
    usual = sum(one.cell.points or 0.0 for one in items) / sum(one.cell.hours or 1.0 for one in items)
    rate = (item.cell.points or 0.0) / (item.cell.hours or 1.0)
    if not 1 / UNEVEN < rate / usual < UNEVEN:
        found.append(f"{rate:.3g} points an hour, where the lab gives {usual:.3g}")
    return found
