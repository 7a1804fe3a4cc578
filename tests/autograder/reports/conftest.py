"""A class of the tiny lab: forty hand-ins whose points follow from their number, and one that nobody could read."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest

from autograder import master
from autograder.course import Course
from autograder.master import Lab
from autograder.outcomes import FAILED, NOT_REACHED, PASSED, Outcome
from autograder.results import ClassResult, StudentResult
from autograder.verdict import Verdict

from ..conftest import ROOT, write_lab


def passed() -> Outcome:
    return Outcome(PASSED)


def wrong(message: str) -> Outcome:
    return Outcome(FAILED, f"AssertionError: {message}", ("AssertionError",))


def left_open(cell: str) -> Outcome:
    message = f"NotImplementedError: {cell}: replace this line with your solution"
    return Outcome(FAILED, message, ("NotImplementedError",))


def out_of_time() -> Outcome:
    return Outcome(NOT_REACHED, "the test took more than 120 s")


@dataclass(frozen=True)
class Graded:
    """What `write_all` takes."""

    course: Course
    lab: Lab
    result: ClassResult
    verdicts: dict[str, Verdict]
    answers: dict[str, dict[str, str]]

    def arguments(self) -> tuple:
        return self.course, self.lab, self.result, self.verdicts, self.answers


@pytest.fixture
def lab(tmp_path: Path) -> Lab:
    write_lab(tmp_path)
    return master.find(tmp_path, "lab90")


@pytest.fixture
def graded(tmp_path: Path, lab: Lab) -> Graded:
    """Of 40 judged hand-ins 30 pass test_double, 10 of these test_area too; every fourth explanation is unmarked."""
    (tmp_path / "nbgrader_config.py").write_bytes((ROOT / "nbgrader_config.py").read_bytes())
    verdicts, students = {}, []
    for number in range(40):
        student = f"student{number:02d}"
        double = passed() if number < 30 else wrong(f"expected 4, got {number}")
        area = passed() if number < 10 else [left_open("area"), out_of_time(), wrong("no circle")][number % 3]
        verdicts[student] = Verdict(lab.name, {"test_double": double, "test_area": area})
        mark = None if number % 4 == 0 else 50.0 - number
        students.append(StudentResult(student, {**verdicts[student].scores(lab), "explain_area": mark}, []))
    zeros: dict[str, float | None] = {"test_double": 0.0, "test_area": 0.0, "explain_area": 0.0}
    students.append(StudentResult("unread", zeros, ["unreadable notebook: not JSON, or cut off"]))
    course = Course(tmp_path)
    answers = {one: {"double": "def double(x):\n    return x + x", "area": ""} for one in verdicts}
    result = ClassResult(lab, students, course.folder / f"{lab.name}.csv", course.folder)
    return Graded(course, lab, result, verdicts, answers)
