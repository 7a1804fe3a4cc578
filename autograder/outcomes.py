"""What a run of a lab found, as plain data that travels between processes as JSON."""

from __future__ import annotations

import json
import traceback
from dataclasses import dataclass, field

from autograder.master import Lab

PASSED, FAILED, NOT_REACHED = "passed", "failed", "not reached"


@dataclass(frozen=True)
class Variant:
    """Other answers to one or more solution cells.

    Attributes
    ----------
    name : str
        Such as "softmax_t__two_pass"; names the variant's file in tracebacks too.
    kind : str
        "wrong", "stub" or "blank".
    replacements : dict of str to str
        Source by id of the solution cell it replaces.
    """

    name: str
    kind: str
    replacements: dict[str, str]


@dataclass(frozen=True)
class Outcome:
    """What happened in one cell.

    Attributes
    ----------
    status : str
        "passed", "failed" or "not reached".
    message : str
        The exception's type and text, or why the cell was not reached.
    errors : tuple of str
        Type names of the exception and its causes, outermost first.
    seconds : float
    """

    status: str
    message: str = ""
    errors: tuple[str, ...] = ()
    seconds: float = 0.0

    @property
    def passed(self) -> bool:
        return self.status == PASSED


Outcomes = dict[str, Outcome]


@dataclass
class Report:
    """Outcomes by test cell: of the solution, and of every variant by its name."""

    lab: str
    solution: Outcomes = field(default_factory=dict)
    variants: dict[str, Outcomes] = field(default_factory=dict)
    cell_errors: dict[str, str] = field(default_factory=dict)  # of the solution's setup and solution cells

    def points(self, lab: Lab) -> float:
        """Marks that the solution earns, of those that tests give."""
        return sum(cell.points or 0.0 for cell in lab.test_cells if self.solution[cell.id].passed)


def message_of(error: BaseException) -> str:
    """The exception's type and text, bounded."""
    return "".join(traceback.format_exception_only(error)).strip()[:2000]


def causes_of(error: BaseException) -> tuple[str, ...]:
    """Type names of an exception and its causes: Triton's interpreter wraps what a kernel raises."""
    names = []
    link: BaseException | None = error
    while link is not None and len(names) < 10:
        names.append(type(link).__name__)
        link = link.__cause__ or link.__context__
    return tuple(names)


def outcome_from_plain(plain: dict) -> Outcome:
    return Outcome(plain["status"], plain["message"], tuple(plain["errors"]), plain["seconds"])


def report_from_json(text: str) -> Report:
    plain = json.loads(text)
    solution = {test: outcome_from_plain(outcome) for test, outcome in plain["solution"].items()}
    variants = {
        name: {test: outcome_from_plain(outcome) for test, outcome in outcomes.items()}
        for name, outcomes in plain["variants"].items()
    }
    return Report(plain["lab"], solution, variants, plain["cell_errors"])
