"""The outcome of grading a class."""

from __future__ import annotations

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
    late_penalty : float
        Points that are taken off because the hand-in came late.
    """

    student: str
    scores: dict[str, float | None]
    remarks: list[str]
    late_penalty: float = 0.0

    @property
    def total(self) -> float:
        """Points so far."""
        return max(0.0, sum(score for score in self.scores.values() if score is not None) - self.late_penalty)


@dataclass(frozen=True)
class ClassResult:
    """Everybody's marks in a lab, and where the files are."""

    lab: Lab
    students: list[StudentResult]
    csv: Path
    course: Path
