"""Grade a class: import, autograde every hand-in in a process of its own, feedback, CSV."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path

import nbformat
import psutil
from nbgrader.api import Gradebook
from tqdm import tqdm

from autograder import handin, intake, sandbox
from autograder.course import Course, CourseError, environment, last_error, nbgrader_command
from autograder.execution import NOT_FINISHED
from autograder.master import Lab
from autograder.results import ClassResult, StudentResult, write_csv

TIME_LIMIT = 900.0


def grade_class(
    root: Path, lab: Lab, folder: Path | None = None, *, workers: int = 2, time_limit: float = TIME_LIMIT
) -> ClassResult:
    """Grade every hand-in of `lab` that the course holds, after importing those in `folder`.

    Parameters
    ----------
    root : Path
        The repository, with nbgrader_config.py.
    folder : Path, optional
        Hand-ins as `autograder.intake.import_folder` takes them.
    workers : int
        Hand-ins graded at a time.
    time_limit : float
        Seconds for one hand-in, after which it keeps 0 points.

    Raises
    ------
    AutograderError
        The folder or the course cannot be used. A bad hand-in raises nothing: it gets 0 points and a reason.
    """
    sandbox.require(os.environ.get("ADLS_SANDBOX", sandbox.KINDS[0]))
    course = Course(root)
    course.prepare(lab)
    refused = intake.import_folder(course, lab, folder) if folder else {}
    students = [name for name in course.students(lab) if course.submitted(name, lab).exists()]
    unsafe = {name for name in students if not intake.STUDENT_ID.fullmatch(name)}
    students = [name for name in students if name not in unsafe and name not in refused]
    with course.gradebook() as gradebook:
        for student in [*students, *refused]:
            _reset_scores(gradebook, lab, student)
    remarks = {name: [reason] for name, reason in refused.items()}
    remarks |= _autograde(course, lab, students, workers, time_limit)
    _feedback(course, lab, students, remarks)
    with course.gradebook() as gradebook:
        results = [_result(gradebook, lab, student, remarks[student]) for student in sorted(remarks)]
    results += [StudentResult(name, {}, [f"not graded: {name!r} is no student id"]) for name in sorted(unsafe)]
    csv = course.folder / f"{lab.name}.csv"
    write_csv(csv, lab, results)
    return ClassResult(lab, results, csv, course.folder)


def _reset_scores(gradebook: Gradebook, lab: Lab, student: str) -> None:
    """Start from 0, so that a hand-in that cannot be graded keeps no earlier score. A person's marks stay."""
    with gradebook.db.no_autoflush:
        gradebook.update_or_create_student(student)
        submission = gradebook.update_or_create_submission(lab.name, student)
    for notebook in submission.notebooks:
        for grade in notebook.grades:
            grade.auto_score = 0.0
            grade.needs_manual_grade = False
    gradebook.db.commit()


def _autograde(course: Course, lab: Lab, students: list[str], workers: int, time_limit: float) -> dict[str, list[str]]:
    """Autograde side by side; return each student's remarks."""
    release = nbformat.read(course.release(lab), as_version=4)
    remarks: dict[str, list[str]] = {}
    with ThreadPoolExecutor(max(1, workers)) as pool:
        jobs = {pool.submit(_autograde_one, course, lab, student, time_limit): student for student in students}
        for job in tqdm(as_completed(jobs), total=len(jobs), desc=f"grading {lab.name}", unit="hand-in"):
            student = jobs[job]
            own = handin.all_remarks(release, handin.read(course.submitted(student, lab)))
            remarks[student] = own + list(job.result())
    return remarks


def _autograde_one(course: Course, lab: Lab, student: str, time_limit: float) -> Iterable[str]:
    """Autograde one hand-in; return what went wrong."""
    command = nbgrader_command("autograde", lab.name, f"--student={student}", "--force")
    code, log = _run(command, course.root, time_limit)
    if code and b"database is locked" in log:  # another process had the gradebook: once more
        code, log = _run(command, course.root, time_limit)
    if code is None:
        return [f"timeout: not graded within {time_limit:.0f} s"]
    if code:
        return [f"not graded: {last_error(log)}"]
    return _execution_remarks(course.autograded(student, lab))


def _run(command: list[str], folder: Path, time_limit: float) -> tuple[int | None, bytes]:
    """Run a command; past the time limit end it with everything it started, and return None as its code."""
    process = subprocess.Popen(
        command, cwd=folder, env=environment(), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
    )
    try:
        _, log = process.communicate(timeout=time_limit)
        return process.returncode, log
    except subprocess.TimeoutExpired:
        started = [*psutil.Process(process.pid).children(recursive=True), psutil.Process(process.pid)]
        for one in started:
            one.kill()
        process.communicate()
        return None, b""


def _execution_remarks(notebook: Path) -> list[str]:
    """Cells that ran out of time or were not reached, from the autograded notebook."""
    remarks = []
    for cell in json.loads(notebook.read_text(encoding="utf-8"))["cells"]:
        names = {output.get("ename") for output in cell.get("outputs", [])}
        if "CellTimeoutError" in names:
            remarks.append(f"timeout in {cell['id']}")
        if NOT_FINISHED in names:
            remarks.append(f"process ended before or in {cell['id']}")
    return remarks


def _feedback(course: Course, lab: Lab, students: list[str], remarks: dict[str, list[str]]) -> None:
    """Write feedback for all who have an autograded notebook; a failure is a remark, not the end."""
    if not any(course.autograded(student, lab).exists() for student in students):
        return
    try:
        course.nbgrader("generate_feedback", lab.name, "--force")
    except CourseError as error:
        for student in students:
            if not course.feedback(student, lab).exists():
                remarks[student].append(f"no feedback: {error}")


def _result(gradebook: Gradebook, lab: Lab, student: str, remarks: list[str]) -> StudentResult:
    """A student's scores as the gradebook holds them; None where a person still has to mark."""
    submission = gradebook.find_submission_notebook(lab.name, lab.name, student)
    scores = {
        grade.name: None if grade.needs_manual_grade and grade.manual_score is None else grade.score
        for grade in submission.grades
    }
    return StudentResult(student, scores, remarks)
