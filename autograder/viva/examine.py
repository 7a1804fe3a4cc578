"""From hand-ins to examiners' pages."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from autograder import files, sandbox, submission
from autograder.course import Course
from autograder.errors import AutograderError
from autograder.intake.student_ids import STUDENT_ID, student_id
from autograder.judging import Courtroom
from autograder.master import Lab
from autograder.viva.figures import draw_figure
from autograder.viva.page import page
from autograder.viva.questions import draw

QUESTIONS = 3


def examine(root: Path, lab: Lab, notebook: Path | None = None, kind: str | None = None) -> Iterator[Path]:
    """Write a page for one notebook, or for every hand-in of the course; yield each page's path.

    Raises
    ------
    AutograderError
        There is no such notebook or no hand-in, or no sandbox here.
    """
    course = Course(root, kind)
    sandbox.require(course.sandbox)
    if notebook is not None and not notebook.is_file():
        raise AutograderError(f"{notebook}: there is no such notebook")
    if notebook is not None:
        paths = [(student_id(notebook.stem), notebook)]
    else:
        students = [student for student in course.students(lab) if STUDENT_ID.fullmatch(student)]
        paths = [(student, course.submitted(student, lab)) for student in students]
    if not paths:
        raise AutograderError(f"{course.folder / 'submitted'} has no hand-in of {lab.name}: name a notebook")
    courtroom = Courtroom(lab, course.sandbox)
    try:
        courtroom.hear_solution()
        for one, (student, path) in zip(submission.read(course, lab, paths), paths, strict=True):
            figure = draw_figure(lab, path, one.job.content)
            questions = draw(lab, one.job, courtroom, QUESTIONS - 1 if figure else QUESTIONS)
            target = course.folder / "viva" / lab.name / f"{student}.html"
            files.write(target, page(lab.name, student, one.job.content, questions, figure))
            yield target
    finally:
        courtroom.close()
