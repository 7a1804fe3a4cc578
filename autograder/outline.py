"""What a master says about its lab as a whole: title, needs, exercises, hours; and a map of the course for students."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass

from autograder.master import Lab
from autograder.master_cells import Cell
from autograder.syllabus import SYLLABUS

_TITLE = re.compile(r"^# Lab \d\d · (.+)$", re.MULTILINE)
_NEEDS = re.compile(r"^\| Needs \| (.+) \|$", re.MULTILINE)
_LAB = re.compile(r"lab\d\d")
_CLAUSE = re.compile(r"[.;] ")
_HEADING = re.compile(r"^## (.+)$", re.MULTILINE)
_NUMBER = re.compile(r"(\d+) · ")


@dataclass(frozen=True)
class Exercise:
    """A section of a master with the cells that are graded in it.

    Attributes
    ----------
    heading : str
        As the notebook shows it, such as "2 · A softmax that reads each number once".
    cells : tuple of Cell
        Test and manual cells, in order.
    """

    heading: str
    cells: tuple[Cell, ...]

    @property
    def number(self) -> int | None:
        """The heading's number; None for a section that has none."""
        found = _NUMBER.match(self.heading)
        return int(found[1]) if found else None

    def hours(self, plan: str) -> float:
        """Hours of its "core" or its "stretch" cells."""
        return sum(cell.hours or 0.0 for cell in self.cells if plan in cell.tags)


def title(lab: Lab) -> str:
    """The title without the lab's number; the lab's name where it has none."""
    found = next(filter(None, (_TITLE.search(cell.source) for cell in lab.cells if cell.kind == "markdown")), None)
    return found[1] if found else lab.name


def needs(lab: Lab) -> tuple[str, ...]:
    """Labs that the table at the top of the master says it needs, such as ``("lab02", "lab06")``.

    A clause that says "helps" names labs that one can do without.
    """
    rows = [row for cell in lab.cells if cell.kind == "markdown" for row in _NEEDS.findall(cell.source)]
    clauses = [clause for clause in _CLAUSE.split(rows[0]) if "helps" not in clause] if rows else []
    return tuple(dict.fromkeys(_LAB.findall(" ".join(clauses))))


def exercises(lab: Lab) -> list[Exercise]:
    """The lab's sections that have graded cells, in order."""
    heading, found = "", dict[str, list[Cell]]()
    for cell in lab.cells:
        if cell.role in ("test", "manual"):
            found.setdefault(heading, []).append(cell)
        elif cell.kind == "markdown":
            heading = next(iter(_HEADING.findall(cell.source)[-1:]), heading)
    return [Exercise(heading, tuple(cells)) for heading, cells in found.items()]


def hours(lab: Lab, plan: str) -> float:
    """Hours of all "core" or all "stretch" cells of the lab."""
    return sum(exercise.hours(plan) for exercise in exercises(lab))


def course_map(labs: Sequence[Lab]) -> str:
    """What students' home page shows of the labs, as JSON."""
    entries = {lab.name: _entry(lab) for lab in labs}
    syllabus = {
        area: {words: _covering(labs, item) for item, words in items.items()} for area, items in SYLLABUS.items()
    }
    return json.dumps({"labs": entries, "syllabus": syllabus}, ensure_ascii=False, indent=1) + "\n"


def _covering(labs: Sequence[Lab], item: str) -> list[str]:
    return [lab.name[:5] for lab in labs if any(item in cell.covers for cell in lab.graded_cells)]


def _entry(lab: Lab) -> dict:
    return {
        "title": title(lab),
        "needs": list(needs(lab)),
        "checks": [
            {
                "id": cell.id,
                "exercise": exercise.heading,
                "points": cell.points,
                "hours": cell.hours,
                "plan": cell.tags[0],
                "by_hand": cell.role == "manual",
            }
            for exercise in exercises(lab)
            for cell in exercise.cells
        ],
    }
