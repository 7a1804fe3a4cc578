"""One student's hand-in on its way through grading."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from nbgrader.utils import is_solution

from autograder import bridge, fingerprint, handin
from autograder.course import Course
from autograder.fingerprint import Key
from autograder.master import Lab
from autograder.verdict import Job, Verdict


@dataclass
class Submission:
    """A hand-in that was read, and later judged.

    Attributes
    ----------
    content : str
        Hash of the rebuilt notebook.
    answers : dict of str to str
        Sources of solution cells and texts of manual cells, by id.
    remarks : list of str
        What was wrong with it, for student and marker.
    judged : bool
        The judge came to the verdict; otherwise `verdict` says why there is none.
    """

    student: str
    content: str
    answers: dict[str, str]
    job: Job
    key: Key
    remarks: list[str]
    verdict: Verdict | None = None
    judged: bool = False


def read(course: Course, lab: Lab, paths: Iterable[tuple[str, Path]]) -> Iterator[Submission]:
    """Read and rebuild hand-ins, given as pairs of student and file; what cannot be read is a blank with a remark."""
    release, surroundings = bridge.release_notebook(lab), fingerprint.surroundings(lab)
    for student, path in paths:
        found = handin.read(path)
        notebook = handin.rebuild(release, found)
        job = course.job(lab.name, notebook)
        yield Submission(
            student,
            content=hashlib.sha256(bridge.to_text(notebook).encode()).hexdigest(),
            answers={cell.id: cell.source for cell in notebook.cells if is_solution(cell)},
            job=job,
            key=fingerprint.key(job, lab, surroundings),
            remarks=handin.all_remarks(release, found),
        )
