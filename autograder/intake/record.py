"""The import record, `course/imports/<lab>.json`: where each hand-in came from, by student id."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from autograder import files
from autograder.course import Course
from autograder.errors import AutograderError
from autograder.intake.layouts import Owner
from autograder.master import Lab


@dataclass(frozen=True)
class ImportedFile:
    """A student's latest hand-in.

    Attributes
    ----------
    name, lms, lms_id, late
        As of `autograder.intake.layouts.Owner`.
    file : str
        Its path in what was imported: the LMS takes feedback back by the same name.
    sha256 : str
        Of the notebook's bytes; "" when it was refused.
    time : str
        When the source says it was handed in or last changed: ISO 8601, with a zone only where there is one.
    refused : str
        Why it was refused, or "".
    """

    name: str
    lms: str
    lms_id: str
    file: str
    sha256: str
    time: str
    late: bool | None
    refused: str = ""

    @property
    def owner(self) -> Owner:
        return Owner(self.name, self.lms, self.lms_id, self.late)


def record_path(course: Course, lab: Lab) -> Path:
    return course.folder / "imports" / f"{lab.name}.json"


def read_record(course: Course, lab: Lab) -> dict[str, ImportedFile]:
    """Read what earlier imports of `lab` wrote; empty before the first.

    Raises
    ------
    AutograderError
        The file is there but is no import record.
    """
    path = record_path(course, lab)
    try:
        plain = json.loads(path.read_bytes())
        return {student: ImportedFile(**entry) for student, entry in plain.items()}
    except FileNotFoundError:
        return {}
    except (AttributeError, TypeError, ValueError):
        raise AutograderError(f"{path}: no record of an import; remove the file and import again") from None


def write_record(course: Course, lab: Lab, record: dict[str, ImportedFile]) -> None:
    plain = {student: asdict(record[student]) for student in sorted(record)}
    files.write(record_path(course, lab), json.dumps(plain, indent=1) + "\n")
