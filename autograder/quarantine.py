"""Set aside what lies beside a hand-in: nbgrader would copy it, follow its links and give it out with feedback."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

BESIDE = ("timestamp.txt", "submission_secret.txt")  # nbgrader's own; the second finds the feedback


def extras(folder: Path, lab: str) -> list[Path]:
    """Everything in a student's folder but the lab's notebook and nbgrader's timestamp, in order."""
    wanted = (f"{lab}.ipynb", *BESIDE)
    return sorted(path for path in folder.iterdir() if path.name not in wanted or _odd(path, lab))


def _odd(path: Path, lab: str) -> bool:
    """A link, pipe or folder that has a wanted name. The notebook itself may be one: its reader refuses it."""
    return path.name != f"{lab}.ipynb" and (path.is_symlink() or not path.is_file())


def set_aside(assignment: str, student: str, notebooks: list[str]) -> None:
    """Move the extras of one hand-in to course/quarantine/<student>/<lab>: nbgrader's hook before it converts.

    nbgrader passes over what a hook raises, so `autograder.exporter.HandInExporter` looks again.
    """
    folder = Path(notebooks[0]).parent
    move(folder, folder.parents[2] / "quarantine" / folder.parent.name / folder.name)


def move(folder: Path, target: Path) -> list[str]:
    """Move the extras in `folder` to `target`, in place of what is there; return their names."""
    moved = extras(folder, folder.name)
    if moved:
        shutil.rmtree(target, ignore_errors=True)
        target.mkdir(parents=True)
    for path in moved:
        os.rename(path, target / path.name)
    return [path.name for path in moved]
