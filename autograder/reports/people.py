"""Who the students are to the learning management system: what an import of hand-ins wrote down."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from autograder.errors import AutograderError


@dataclass(frozen=True)
class Person:
    """A student as the learning management system (LMS) knows them.

    Attributes
    ----------
    name : str
        As the archive of hand-ins spells it; empty when it says none.
    lms : str
        "canvas", "gradescope", "moodle", or empty.
    lms_id : str
        What that LMS joins grades on.
    late : bool
        It marked the hand-in as late.
    """

    name: str = ""
    lms: str = ""
    lms_id: str = ""
    late: bool = False

    def id_in(self, lms: str) -> str:
        """What `lms` joins grades on, or nothing when the hand-in came from elsewhere."""
        return self.lms_id if self.lms == lms else ""


def read_people(course: Path, lab: str) -> dict[str, Person]:
    """Read `course`/imports/<lab>.json, by student id; empty when no import wrote one.

    Raises
    ------
    AutograderError
        The file is there but is no import record.
    """
    path = course / "imports" / f"{lab}.json"
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
        return {student: _person(entry) for student, entry in record.items()}
    except FileNotFoundError:
        return {}
    except (ValueError, AttributeError, KeyError, TypeError):
        raise AutograderError(f"{path}: no record of an import; remove the file and import again") from None


def _person(entry: dict) -> Person:
    return Person(entry["name"], entry["lms"], entry["lms_id"], bool(entry["late"]))
