"""The outcome of grading a class, and its CSV."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path

from autograder.master import Lab


@dataclass(frozen=True)
class StudentResult:
    """One student's marks.

    Attributes
    ----------
    scores : dict of str to (float or None)
        Points by test and manual cell; None where a person still has to mark.
    remarks : list of str
        What was wrong with the hand-in.
    """

    student: str
    scores: dict[str, float | None]
    remarks: list[str]

    @property
    def total(self) -> float:
        """Points so far."""
        return sum(score for score in self.scores.values() if score is not None)


@dataclass(frozen=True)
class ClassResult:
    """Everybody's marks in a lab, and where the files are."""

    lab: Lab
    students: list[StudentResult]
    csv: Path
    course: Path


def write_csv(path: Path, lab: Lab, results: list[StudentResult]) -> None:
    """Write one row a student: points by exercise (empty when unmarked), total, maximum, remarks."""
    exercises = [cell.id for cell in lab.graded_cells]
    with path.open("w", newline="", encoding="utf-8") as stream:
        rows = csv.writer(stream)
        rows.writerow(["student", *exercises, "total", "max", "remarks"])
        for result in results:
            scores = [result.scores.get(exercise) for exercise in exercises]
            points = ["" if score is None else f"{score:g}" for score in scores]
            remarks = _inert("; ".join(result.remarks))
            rows.writerow([_inert(result.student), *points, f"{result.total:g}", f"{lab.points:g}", remarks])


def _inert(text: str) -> str:
    """Text that a spreadsheet shows rather than evaluates."""
    return f"'{text}" if text.startswith(("=", "+", "-", "@", "\t", "\r")) else text
