"""`nbgrader export` in the formats of learning management systems.

`nbgrader export --exporter=autograder.reports.export_plugins.CanvasExport --assignment='["lab06_triton_kernels"]'`

Totals are those of the gradebook at that moment, a marker's points and late penalties included.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

from nbgrader.api import Gradebook, SubmittedAssignment
from nbgrader.coursedir import CourseDirectory
from nbgrader.plugins import ExportPlugin

from autograder.reports import lms_csv
from autograder.reports.lms_csv import Gradesheet
from autograder.reports.people import read_people
from autograder.reports.rows import Row, write_rows
from autograder.results import StudentResult


class LmsExport(ExportPlugin):
    """Write `<lab>.<format>.csv` for each lab that was asked for, into the folder that `--to` names.

    `--to` may also name a file, as nbgrader's own exporter wants it: then its folder is meant. Without it
    the files go beside nbgrader's own table, into `course/`, as nbgrader_config.py says.
    """

    format = ""

    def export(self, gradebook: Gradebook) -> None:
        rows: Callable[[Gradesheet], list[Row]] = lms_csv.FORMATS[self.format]
        to = Path(self.to)
        folder = to.parent if to.suffix else to
        course = Path(CourseDirectory(parent=self).root)
        for sheet in gradesheets(gradebook, course, list(self.assignment), list(self.student)):
            path = folder / f"{sheet.lab}.{self.format}.csv"
            write_rows(path, rows(sheet))
            self.log.info("Wrote %s", path)


class CanvasExport(LmsExport):
    """Write what Canvas imports into its gradebook."""

    format = "canvas"


class MoodleExport(LmsExport):
    """Write Moodle's grading worksheet."""

    format = "moodle"


class GradescopeExport(LmsExport):
    """Write a table as Gradescope exports it."""

    format = "gradescope"


def gradesheets(gradebook: Gradebook, course: Path, labs: list[str], students: list[str]) -> Iterator[Gradesheet]:
    """The marks of each lab of the gradebook, or of those in `labs`; of all students, or of those in `students`."""
    for assignment in gradebook.assignments:
        if labs and assignment.name not in labs:
            continue
        # The gradebook keeps no order of cells.
        cells = sorted((c for notebook in assignment.notebooks for c in notebook.grade_cells), key=lambda c: c.name)
        results = [
            _result(submission, [cell.name for cell in cells])
            for submission in gradebook.assignment_submissions(assignment.name)
            if not students or submission.student_id in students
        ]
        points = {cell.name: float(cell.max_score) for cell in cells}
        ordered = sorted(results, key=lambda result: result.student)
        lab = str(assignment.name)
        yield Gradesheet(lab, points, ordered, read_people(course, lab))


def _result(submission: SubmittedAssignment, cells: list[str]) -> StudentResult:
    grades = {grade.name: grade for notebook in submission.notebooks for grade in notebook.grades}
    scores = {
        cell: None if grades[cell].needs_manual_grade and grades[cell].manual_score is None else grades[cell].score
        for cell in cells
        if cell in grades
    }
    return StudentResult(str(submission.student_id), scores, [], submission.late_submission_penalty or 0.0)
