"""A hand-in whose file, not whose code, is the attack; and what it is worth.

Unless an attack says otherwise, it starts from a hand-in with `double` right and `area` wrong: 20 and 0 points.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from autograder import bridge, demo
from autograder.master import Lab

LAB = "lab90_tiny"
FILE = f"{LAB}.ipynb"
DOUBLE = "def double(x):\n    return x + x"
AREA = "def area(radius):\n    return math.pi * radius**2"
LINEAR = "def area(radius):\n    return math.pi * radius"
RIGHT = {"double": DOUBLE, "area": AREA, "explain_area": "Rings."}
STOLEN = "document.title = 'stolen'"
SCRIPT = f'</script><script>{STOLEN}</script><img src=x onerror="{STOLEN}">'

Notebook = dict[str, Any]
Change = Callable[[Notebook, Path], bytes | None]


@dataclass(frozen=True)
class Attack:
    """What is done to a hand-in, and what comes of it.

    Attributes
    ----------
    change : callable
        Is given the notebook and the folder that is handed in. It changes the notebook or returns other bytes, and
        puts beside it what it likes. A file that it puts in the notebook's place stays there.
    scores : tuple of int
        Points of `test_double` and `test_area`.
    remark : str
        A part of what the marker is told; empty where there is nothing to tell.
    """

    change: Change
    scores: tuple[int, int]
    remark: str

    def submit(self, lab: Lab, folder: Path) -> None:
        """Hand in to a student's folder, past everything that an import would refuse."""
        folder.mkdir(parents=True)
        notebook = notebook_of(lab, area=LINEAR)
        content = self.change(notebook, folder)
        if not os.path.lexists(folder / FILE):
            (folder / FILE).write_bytes(json.dumps(notebook).encode() if content is None else content)


class Attacks(dict[str, Attack]):
    """Attacks by name."""

    def worth(self, double: int, area: int, remark: str = "") -> Callable[[Change], Change]:
        """Enter the function below as an attack."""

        def enter(change: Change) -> Change:
            self[change.__name__] = Attack(change, (double, area), remark)
            return change

        return enter


def notebook_of(lab: Lab, **answers: str) -> Notebook:
    """A hand-in that is right but for `answers`, as plain data."""
    return json.loads(bridge.to_text(demo.answered(lab, RIGHT | answers)))


def cell_of(notebook: Notebook, name: str) -> Notebook:
    return next(cell for cell in notebook["cells"] if cell["id"] == name)


def meta_of(notebook: Notebook, name: str) -> Notebook:
    """nbgrader's metadata of a cell."""
    return cell_of(notebook, name)["metadata"]["nbgrader"]


def without(notebook: Notebook, *names: str) -> None:
    notebook["cells"] = [cell for cell in notebook["cells"] if cell["id"] not in names]


def copy_of(notebook: Notebook, name: str, source: str) -> Notebook:
    """A second cell with the metadata of one that is there."""
    return cell_of(notebook, name) | {"id": "copy", "source": source}
