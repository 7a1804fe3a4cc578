"""Import a folder of hand-ins into the course, one regular file a student."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from autograder.course import Course
from autograder.errors import AutograderError
from autograder.handin import HandInError, read_bytes
from autograder.master import Lab

STUDENT_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.@-]{0,63}")


class IntakeError(AutograderError):
    """A folder of hand-ins cannot be imported."""


def import_folder(course: Course, lab: Lab, folder: Path) -> dict[str, str]:
    """Copy every hand-in of `folder` into the course; return the refused ones: student to reason.

    Parameters
    ----------
    folder : Path
        Holds FOLDER/<student>/<lab>.ipynb or FOLDER/<student>.ipynb. Links, devices and files of more than
        20 MB are refused, and the student's name is reduced to letters, digits and `_ . @ -`.

    Raises
    ------
    IntakeError
        The folder does not exist or holds no hand-in of this lab.
    """
    if not folder.is_dir():
        raise IntakeError(f"{folder}: there is no such folder of hand-ins")
    refused: dict[str, str] = {}
    taken: set[str] = set()
    for name, path in _hand_ins(folder, lab):
        student = _unused(student_id(name), taken)
        taken.add(student)
        target = course.submitted(student, lab)
        try:
            content = read_bytes(path)
        except HandInError as error:
            refused[student] = str(error)
            target.unlink(missing_ok=True)  # an earlier hand-in must not stand in for this one
            continue
        target.parent.mkdir(parents=True, exist_ok=True)
        target.unlink(missing_ok=True)
        target.write_bytes(content)
    if not taken:
        raise IntakeError(f"{folder}: no hand-ins; expected <student>/{lab.name}.ipynb or <student>.ipynb")
    return refused


def student_id(name: str) -> str:
    """Reduce a file's or folder's name to a student id that is safe in paths, globs and tables.

    Examples
    --------
    >>> student_id("../Zoë (late)")
    'Zo_late'
    """
    cleaned = re.sub(r"[^A-Za-z0-9_.@-]+", "_", name)
    return re.sub(r"^[^A-Za-z0-9]+|_+$", "", cleaned)[:60] or "unnamed"


def _hand_ins(folder: Path, lab: Lab) -> Iterator[tuple[str, Path]]:
    for entry in sorted(folder.iterdir()):
        if entry.name.startswith("."):
            continue
        if entry.suffix == ".ipynb":
            yield entry.stem, entry
        elif entry.is_symlink():
            yield entry.name, entry  # refused when it is read, so that the student gets a reason
        elif entry.is_dir():
            yield entry.name, entry / f"{lab.name}.ipynb"


def _unused(student: str, taken: set[str]) -> str:
    """Two names that reduce to one id stay two students."""
    candidate, number = student, 1
    while candidate in taken:
        number += 1
        candidate = f"{student}-{number}"
    return candidate
