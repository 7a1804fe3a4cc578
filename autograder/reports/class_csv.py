"""The plain table of a class: one row a student, one column an exercise."""

from __future__ import annotations

from pathlib import Path

from autograder.master import Lab
from autograder.reports.rows import Row, write_rows
from autograder.results import StudentResult


def write_csv(path: Path, lab: Lab, results: list[StudentResult]) -> None:
    """Write points by exercise (empty when unmarked), late penalty, total so far, maximum and remarks."""
    exercises = [cell.id for cell in lab.graded_cells]
    rows: list[Row] = [["student", *exercises, "late penalty", "total", "max", "remarks"]]
    for result in results:
        scores = [result.scores.get(exercise) for exercise in exercises]
        remarks = "; ".join(result.remarks)
        rows.append([result.student, *scores, result.late_penalty, result.total, lab.points, remarks])
    write_rows(path, rows)
