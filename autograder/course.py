"""The course's folder and gradebook, where nbgrader_config.py places them."""

from __future__ import annotations

import os
import secrets
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout
from nbformat import NotebookNode
from nbgrader.api import Gradebook
from nbgrader.utils import is_solution
from sqlalchemy import text
from traitlets.config.loader import PyFileConfigLoader

from autograder import converters, files, labs
from autograder.errors import AutograderError
from autograder.master import Lab
from autograder.store import VerdictStore
from autograder.verdict import Job

PACKAGE_ROOT = Path(__file__).parents[1]


class CourseError(AutograderError):
    """The course cannot be used; the message says why."""


class Course:
    """A repository's course.

    Parameters
    ----------
    root : Path
        The folder of nbgrader_config.py.
    sandbox : str, optional
        Kind of sandbox for hand-ins; the one that nbgrader_config.py names unless given.
    """

    def __init__(self, root: Path, sandbox: str | None = None) -> None:
        self.config = PyFileConfigLoader("nbgrader_config.py", path=str(root)).load_config()
        self.root = root
        self.folder = Path(self.config.CourseDirectory.root)
        self.course_id: str = self.config.CourseDirectory.course_id
        self.db_url: str = self.config.CourseDirectory.db_url
        self.sandbox: str = sandbox or self.config.Judge.sandbox
        self.dask: str | None = self.config.Judge.get("dask") or None
        self.store = VerdictStore(self.folder / "verdicts")

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

    def job(self, lab: str, notebook: NotebookNode) -> Job:
        """What the judge is asked about a rebuilt hand-in."""
        answers = {
            cell.metadata.nbgrader.grade_id: cell.source
            for cell in notebook.cells
            if cell.cell_type == "code" and is_solution(cell)
        }
        return Job(self.root, lab, answers, self.sandbox, self.seed_key())

    def seed_key(self) -> str:
        """The term's secret: drawn when first asked for, then kept."""
        path = self.folder / "seed.key"
        if not path.exists():
            files.create(path, secrets.token_hex(32), mode=0o600)
        return path.read_text(encoding="utf-8")

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Be the one process that grades this course.

        Raises
        ------
        CourseError
            Another process does.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        try:
            with FileLock(self.folder / ".lock", timeout=0):
                yield
        except Timeout:
            raise CourseError(f"{self.folder} is being graded by another process: wait until it is done") from None

    def gradebook(self) -> Gradebook:
        return Gradebook(self.db_url, self.course_id)

    def prepare(self, lab: Lab) -> None:
        """Bring source, release and gradebook up to date with the master."""
        Path(self.config.Exchange.root).mkdir(parents=True, exist_ok=True)
        labs.write_source(lab, self.folder)
        with _own_commands(), self.gradebook() as gradebook:
            if gradebook.engine.dialect.name == "sqlite":
                # Readers and the writer then do not lock each other out.
                gradebook.db.execute(text("PRAGMA journal_mode=WAL"))
        converters.assigner(self.config).convert(lab.name, ".")

    def nbgrader(self, *arguments: str) -> None:
        """Run one of nbgrader's commands.

        Raises
        ------
        CourseError
            The command failed.
        """
        command = [sys.executable, "-m", "nbgrader", *arguments]
        done = subprocess.run(command, cwd=self.root, env=environment(), capture_output=True, text=True)
        if done.returncode:
            reason = converters.last_error(done.stderr.splitlines()) or "no message"
            raise CourseError(f"nbgrader {' '.join(arguments)}: {reason}")


def environment() -> dict[str, str]:
    """This environment, in which autograder and lablib can be imported from any folder.

    nbgrader starts `alembic` by name when it makes a gradebook, so this Python's commands come first in PATH.
    """
    imports = os.pathsep.join(filter(None, [str(PACKAGE_ROOT), os.environ.get("PYTHONPATH")]))
    commands = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)])
    return os.environ | {"PYTHONPATH": imports, "PATH": commands}


@contextmanager
def _own_commands() -> Iterator[None]:
    """Have this Python's commands found first by what is started inside the block."""
    before = os.environ.get("PATH")
    os.environ["PATH"] = environment()["PATH"]
    try:
        yield
    finally:
        if before is None:
            del os.environ["PATH"]
        else:
            os.environ["PATH"] = before
