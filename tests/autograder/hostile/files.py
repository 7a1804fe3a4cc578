"""What stands in the place of the notebook, and what lies beside it."""

from __future__ import annotations

import contextlib
import json
import os
import socket
from pathlib import Path

from autograder import handin

from .attack import AREA, FILE, LAB, LINEAR, Attacks, Notebook

ATTACKS = Attacks()


@ATTACKS.worth(0, 0, "larger than 20 MB")
def a_large_file(notebook: Notebook, folder: Path) -> None:
    with (folder / FILE).open("wb") as stream:
        stream.truncate(handin.MAX_BYTES + 1)


@ATTACKS.worth(0, 0, "not a regular file")
def a_link_to_the_solved_notebook(notebook: Notebook, folder: Path) -> None:
    (folder / FILE).symlink_to(folder.parents[2] / "source" / LAB / FILE)


@ATTACKS.worth(0, 0, "not a regular file")
def a_link_to_a_neighbour(notebook: Notebook, folder: Path) -> None:
    (folder / FILE).symlink_to(Path("..", "..", "ann", LAB, FILE))


@ATTACKS.worth(0, 0, "not a regular file")
def a_pipe(notebook: Notebook, folder: Path) -> None:
    os.mkfifo(folder / FILE)


@ATTACKS.worth(0, 0, "not a regular file")
def a_socket(notebook: Notebook, folder: Path) -> None:
    with socket.socket(socket.AF_UNIX) as end, contextlib.chdir(folder):  # a socket's path must be short
        end.bind(FILE)


@ATTACKS.worth(0, 0, "not a regular file")
def a_folder(notebook: Notebook, folder: Path) -> None:
    (folder / FILE / FILE).mkdir(parents=True)


@ATTACKS.worth(20, 0)
def links_and_pipes_beside_it(notebook: Notebook, folder: Path) -> None:
    (folder / "gradebook.db").symlink_to(folder.parents[2] / "gradebook.db")
    (folder / "loop").symlink_to("loop")
    (folder / "everything").symlink_to("/")
    os.mkfifo(folder / "pipe")
    os.mkfifo(folder / "timestamp.txt")
    os.link(folder.parents[2] / "source" / LAB / FILE, folder / "solved.txt")


@ATTACKS.worth(20, 0)
def modules_that_shadow_others(notebook: Notebook, folder: Path) -> None:
    for name in ("torch", "math", "sitecustomize", "usercustomize", "conftest", "nbgrader_config", "autograder"):
        (folder / f"{name}.py").write_text("raise SystemExit('shadowed')")
    for name in ("lablib", "IPython", "nbgrader", ".ipython", ".jupyter"):
        (folder / name).mkdir()
        (folder / name / "__init__.py").write_text("raise SystemExit('shadowed')")


@ATTACKS.worth(20, 0)
def other_notebooks_beside_it(notebook: Notebook, folder: Path) -> None:
    right = json.dumps(notebook).replace(json.dumps(LINEAR), json.dumps(AREA))
    for name in ("a.ipynb", "*.ipynb", "[!a].ipynb", f"{FILE}.ipynb", "x\ny.ipynb", ".ipynb_checkpoints"):
        path = folder / name / FILE if name == ".ipynb_checkpoints" else folder / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(right)
