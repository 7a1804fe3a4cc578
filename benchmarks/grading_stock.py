"""How fast stock nbgrader grades the same notebooks: one after the other, a kernel for each, no sandbox."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from nbgrader.api import Gradebook

from autograder import labs
from autograder.course import environment
from autograder.master import Lab
from benchmarks.grading_class import BenchmarkError, HandIn, require_points
from benchmarks.machine import cores, cpu_seconds

_NAME, _COURSE = "stock nbgrader", "stock"
_CONFIG = """c = get_config()
c.CourseDirectory.course_id = {course!r}
c.CourseDirectory.root = {root!r}
c.CourseDirectory.db_url = {db_url!r}
"""


def stock_speed(lab: Lab, folder: Path, handed_in: list[HandIn]) -> dict[str, Any]:
    """Run `nbgrader autograde` over a class, without feedback and reports.

    Parameters
    ----------
    folder
        Becomes the course.

    Returns
    -------
    dict
        Plain data, named as in `benchmarks.grading_speed`.

    Raises
    ------
    BenchmarkError
        nbgrader fails, or a hand-in got points that it must not get.
    """
    db_url = f"sqlite:///{folder / 'gradebook.db'}"
    folder.mkdir()
    config = _CONFIG.format(course=_COURSE, root=str(folder), db_url=db_url)
    (folder / "nbgrader_config.py").write_text(config, encoding="utf-8")
    labs.write_source(lab, folder)
    _nbgrader(folder, "generate_assignment", lab.name)
    for one in handed_in:
        path = folder / "submitted" / one.student / lab.name / f"{lab.name}.ipynb"
        path.parent.mkdir(parents=True)
        path.write_text(one.notebook, encoding="utf-8")
    started, machine = time.time(), cpu_seconds()
    _nbgrader(folder, "autograde", lab.name)
    seconds, machine = time.time() - started, cpu_seconds() - machine
    require_points(_NAME, handed_in, _points(db_url, lab))
    written = [path.stat().st_mtime for path in folder.glob(f"autograded/*/{lab.name}/{lab.name}.ipynb")]
    return {
        "name": _NAME,
        "hand_ins": len(handed_in),
        "cores": len(cores()),
        "seconds": seconds,
        "cpu_seconds": machine,
        "seconds_until_the_first": min(written) - started,
        "a_hand_in": {"seconds": (max(written) - min(written)) / (len(written) - 1)},
    }


def _nbgrader(folder: Path, *arguments: str) -> None:
    own = {name: str(folder / name.lower()) for name in ("IPYTHONDIR", "JUPYTER_CONFIG_DIR", "JUPYTER_RUNTIME_DIR")}
    done = subprocess.run(
        [sys.executable, "-m", "nbgrader", *arguments],
        cwd=folder,
        env=environment() | own,
        capture_output=True,
        text=True,
    )
    if done.returncode:
        raise BenchmarkError(f"{_NAME}, {arguments[0]}: {done.stderr.strip()[-1000:]}")


def _points(db_url: str, lab: Lab) -> dict[str, float]:
    """Test points by student: a cell that a person marks has none."""
    with Gradebook(db_url, _COURSE) as book:
        return {one.student.id: one.score for one in book.assignment_submissions(lab.name)}  # pyright: ignore[reportReturnType]
