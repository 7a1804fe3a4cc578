"""What a graded class is told about itself: the instructor's page, tables for an LMS, the log of scores.

`write_all` writes the files of one lab; each kind of report has its module.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from autograder.course import Course
    from autograder.master import Lab
    from autograder.reports.similarity import Similarity
    from autograder.results import ClassResult
    from autograder.verdict import Verdict


def write_all(
    course: Course,
    lab: Lab,
    result: ClassResult,
    verdicts: Mapping[str, Verdict],
    answers: Mapping[str, Mapping[str, str]],
) -> list[Path]:
    """Write the class's table, the instructor's page and the files for learning management systems.

    Parameters
    ----------
    course : Course
    lab : Lab
    result : ClassResult
        Everybody's marks.
    verdicts : dict of str to Verdict
        By student. A student of `result` without one counts as not graded.
    answers : dict of str to dict of str to str
        By student and cell: sources of solution cells, and the text of manual cells.

    Returns
    -------
    list of Path
        The class's table, and in course/reports/ <lab>.html and one <lab>.<system>.csv for each of
        `lms_csv.FORMATS`.
    """
    # Plotly and nbgrader take seconds to import, which whoever prints a table need not wait for.
    from autograder import files
    from autograder.reports import class_csv, lms_csv, page, people, rows

    known = people.read_people(course.folder, lab.name)
    folder = course.folder / "reports"
    class_csv.write_csv(result.csv, lab, result.students)

    html = folder / f"{lab.name}.html"
    feedback = _feedback(course, lab, result)
    report = page.ClassReport(lab, result.students, verdicts, _similarity(lab, answers), known, feedback)
    files.write(html, page.render(report))

    points = {cell.id: cell.points or 0.0 for cell in lab.graded_cells}
    sheet = lms_csv.Gradesheet(lab.name, points, result.students, known)
    tables = {folder / f"{lab.name}.{name}.csv": make for name, make in lms_csv.FORMATS.items()}
    for path, make in tables.items():
        rows.write_rows(path, make(sheet))
    return [result.csv, html, *tables]


def _similarity(lab: Lab, answers: Mapping[str, Mapping[str, str]]) -> Similarity:
    from autograder import bridge
    from autograder.reports import similarity

    notebooks = bridge.solution_notebook(lab), bridge.release_notebook(lab)
    solution, stubs = ({cell.id: cell.source for cell in notebook.cells} for notebook in notebooks)
    return similarity.compare(lab, answers, solution, stubs)


def _feedback(course: Course, lab: Lab, result: ClassResult) -> dict[str, str]:
    """Feedback pages that are there, as the page in course/reports/ links to them."""
    from autograder.intake import STUDENT_ID

    safe = [one.student for one in result.students if STUDENT_ID.fullmatch(one.student)]
    pages = {student: course.feedback(student, lab) for student in safe}
    return {
        student: f"../{path.relative_to(course.folder).as_posix()}" for student, path in pages.items() if path.is_file()
    }
