"""Hand-ins of the tiny lab, and what a graded class says about them."""

from __future__ import annotations

import json
from pathlib import Path

from autograder import bridge, demo
from autograder.grade import Graded
from autograder.master import Lab

RIGHT = {
    "double": "import warnings\n\ndef double(x):\n    warnings.warn('on stderr')\n    return x + x",
    "area": "def area(radius):\n    return math.pi * radius**2",
    "explain_area": "<script>alert(1)</script> Rings.",
}
TESTS = ["test_double", "test_area"]


def hand_in(lab: Lab, folder: Path, student: str, **answers: str) -> dict:
    """Write a hand-in that is right but for `answers`; return the notebook as plain data."""
    notebook = json.loads(bridge.to_text(demo.answered(lab, RIGHT | answers)))
    save(folder, student, notebook)
    return notebook


def save(folder: Path, student: str, notebook: dict) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{student}.ipynb").write_text(json.dumps(notebook), encoding="utf-8")


def scores(graded: Graded) -> dict[str, tuple]:
    return {one.student: tuple(one.scores.get(name) for name in TESTS) for one in graded.result.students}


def remarks(graded: Graded) -> dict[str, str]:
    return {one.student: "; ".join(one.remarks) for one in graded.result.students}
