"""All that grading leaves for people, as values that can be compared."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from nbgrader.api import Base
from sqlalchemy import func, select

from autograder import gradebook
from autograder.course import Course
from autograder.master import Lab
from autograder.reports.score_log import read_log

_FILES = ("*.csv", "reports/*.csv", "autograded/*/*/*", "feedback/*/*/*")


def outcome(root: Path, lab: Lab) -> dict[str, Any]:
    """What grading a class in the repository `root` has left, by the name of each part.

    The log counts as a whole and without times: verdicts come in the order in which workers end.
    """
    course = Course(root)
    with course.gradebook() as book:
        found: dict[str, Any] = {f"gradebook, {name}": one for name, one in gradebook.entries(book, lab.name).items()}
        for table in Base.metadata.sorted_tables:
            found[f"rows of {table.name}"] = book.db.scalar(select(func.count()).select_from(table))
    log = read_log(course.folder / "scores.jsonl")
    found["score log"] = sorted(
        ([one.student, one.cell, one.old, one.new, one.cause, one.verdict_key] for one in log), key=str
    )
    paths = [path for pattern in _FILES for path in course.folder.glob(pattern) if path.is_file()]
    return found | {str(path.relative_to(course.folder)): path.read_bytes() for path in paths}


def differences(expected: dict[str, Any], found: dict[str, Any]) -> list[str]:
    """One sentence for each part that is not what it must be."""
    sentences = []
    for name in sorted(expected.keys() | found.keys()):
        if name not in found:
            sentences.append(f"{name} is lost")
        elif name not in expected:
            sentences.append(f"{name} should not be there")
        elif expected[name] != found[name]:
            sentences.append(f"{name} differs")
    return sentences


def pages(root: Path) -> list[Path]:
    """The feedback pages, of which each is the last thing that is written of a hand-in."""
    return list(root.glob("course/feedback/*/*/*.html"))


def written(root: Path) -> dict[Path, int]:
    """Autograded notebooks and feedback pages, by path, and when each was written, in nanoseconds."""
    paths = [*root.glob("course/autograded/*/*/*.ipynb"), *pages(root)]
    return {path: path.stat().st_mtime_ns for path in paths}
