"""The course's folder and gradebook, where nbgrader_config.py places them, and nbgrader's commands."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

from nbgrader.api import Gradebook
from sqlalchemy import text
from traitlets.config.loader import PyFileConfigLoader

from autograder import labs
from autograder.errors import AutograderError
from autograder.master import Lab

PACKAGE_ROOT = Path(__file__).parents[1]
_EXCEPTION = re.compile(r"\s*[\w.]*(Error|Exception)\b: ")


class CourseError(AutograderError):
    """nbgrader refused a step; the message holds its last words."""


class Course:
    """A repository's course.

    Parameters
    ----------
    root : Path
        The folder of nbgrader_config.py.
    """

    def __init__(self, root: Path) -> None:
        settings = PyFileConfigLoader("nbgrader_config.py", path=str(root)).load_config().CourseDirectory
        self.root = root
        self.folder = Path(settings.root)
        self.course_id: str = settings.course_id
        self.db_url: str = settings.db_url

    def submitted(self, student: str, lab: Lab) -> Path:
        return self.folder / "submitted" / student / lab.name / f"{lab.name}.ipynb"

    def autograded(self, student: str, lab: Lab) -> Path:
        return self.folder / "autograded" / student / lab.name / f"{lab.name}.ipynb"

    def release(self, lab: Lab) -> Path:
        return self.folder / "release" / lab.name / f"{lab.name}.ipynb"

    def feedback(self, student: str, lab: Lab) -> Path:
        return self.folder / "feedback" / student / lab.name / f"{lab.name}.html"

    def students(self, lab: Lab) -> list[str]:
        """Students with a folder for `lab` among the hand-ins, in order."""
        return sorted(folder.parent.name for folder in (self.folder / "submitted").glob(f"*/{lab.name}"))

    def gradebook(self) -> Gradebook:
        return Gradebook(self.db_url, self.course_id)

    def prepare(self, lab: Lab) -> None:
        """Bring source, release and gradebook up to date with the master."""
        (self.folder / "exchange").mkdir(parents=True, exist_ok=True)
        labs.write_source(lab, self.folder)
        self.nbgrader("generate_assignment", lab.name, "--force")
        with self.gradebook() as gradebook:
            if gradebook.engine.dialect.name == "sqlite":
                # Readers and writer then do not lock each other out while hand-ins are graded side by side.
                gradebook.db.execute(text("PRAGMA journal_mode=WAL"))

    def nbgrader(self, *arguments: str) -> None:
        """Run one of nbgrader's commands.

        Raises
        ------
        CourseError
            The command failed.
        """
        done = subprocess.run(nbgrader_command(*arguments), cwd=self.root, env=environment(), capture_output=True)
        if done.returncode:
            raise CourseError(f"nbgrader {' '.join(arguments)}: {last_error(done.stderr)}")


def nbgrader_command(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "nbgrader", *arguments]


def environment() -> dict[str, str]:
    """This environment, in which autograder and lablib can be imported from any folder.

    nbgrader starts `alembic` by name when it makes a gradebook, so this Python's commands come first in PATH.
    """
    imports = os.pathsep.join(filter(None, [str(PACKAGE_ROOT), os.environ.get("PYTHONPATH")]))
    commands = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)])
    return os.environ | {"PYTHONPATH": imports, "PATH": commands}


def last_error(log: bytes) -> str:
    """The exception that nbgrader's log reports last, or else the log's last line."""
    lines = log.decode(errors="replace").strip().splitlines()
    exceptions = [line for line in lines if _EXCEPTION.match(line)]
    return (exceptions or lines or ["no message"])[-1].strip()[:300]
