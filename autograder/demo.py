"""A small class with right, wrong and broken hand-ins, graded from end to end."""

from __future__ import annotations

import shutil
from pathlib import Path

from nbformat import NotebookNode
from rich.console import Console

from autograder import bridge, master
from autograder.grade import grade_class
from autograder.master import Lab
from autograder.reports.terminal import print_class
from autograder.results import ClassResult

SHOWPIECE, FALLBACK = "lab06_triton_kernels", "lab00"


def run_demo(root: Path, name: str | None) -> int:
    """Build and grade the class in build/demo, so that the real gradebook stays as it is.

    Returns
    -------
    int
        0 when every hand-in got the points that it must, else 1.
    """
    lab = master.find(root, name or (SHOWPIECE if (root / "solutions" / SHOWPIECE).is_dir() else FALLBACK))
    stage = root / "build" / "demo"
    shutil.rmtree(stage, ignore_errors=True)
    stage.mkdir(parents=True)
    shutil.copy(root / "nbgrader_config.py", stage)
    shutil.copytree(lab.path.parent, stage / "solutions" / lab.name)
    expected = write_class(lab, stage / "handins")
    graded = grade_class(stage, master.find(stage, lab.name), stage / "handins")
    print_class(graded.result)
    return _compare(expected, graded.result)


def write_class(lab: Lab, folder: Path) -> dict[str, float]:
    """Write one hand-in a student under `folder`; return the test points that each must get.

    Of each solution cell's wrong answers the first is handed in: `autograder run` tries them all, in less time.
    """
    most = lab.test_points
    solutions = {cell.id: cell.source for cell in bridge.solution_notebook(lab).cells}
    solved = answered(lab, solutions)
    notebooks = {"solution": solved, "blank": bridge.release_notebook(lab)}
    expected = {"solution": most, "blank": 0.0, "truncated": 0.0, "tests-deleted": most}
    for wrong in {wrong.cell: wrong for wrong in reversed(lab.wrong_answers)}.values():
        student = f"{wrong.cell}-{wrong.mistake}"
        notebooks[student] = answered(lab, solutions | {wrong.cell: wrong.source})
        expected[student] = most - (lab.cell(f"test_{wrong.cell}").points or 0.0)
    notebooks["tests-deleted"] = _without_tests(solved)
    for student, notebook in notebooks.items():
        _write(folder / student / f"{lab.name}.ipynb", bridge.to_text(notebook))
    _write(folder / "truncated" / f"{lab.name}.ipynb", bridge.to_text(solved)[:-500])
    return expected


def answered(lab: Lab, answers: dict[str, str]) -> NotebookNode:
    """The release notebook with `answers`, by cell id, in its solution and manual cells."""
    notebook = bridge.release_notebook(lab)
    for cell in notebook.cells:
        if cell.metadata.get("nbgrader", {}).get("solution"):
            cell.source = answers.get(cell.id, cell.source)
    return notebook


def _without_tests(notebook: NotebookNode) -> NotebookNode:
    kept = [cell for cell in notebook.cells if not cell.id.startswith("test_")]
    return NotebookNode(notebook | {"cells": kept})


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


def _compare(expected: dict[str, float], result: ClassResult) -> int:
    """Print expected and got test points of every hand-in that differs."""
    tests = [cell.id for cell in result.lab.test_cells]
    got = {one.student: sum(one.scores.get(test) or 0.0 for test in tests) for one in result.students}
    console, wrong = Console(), 0
    for student, points in expected.items():
        if got.get(student) != points:
            wrong += 1
            console.print(f"[red]{student}: expected {points:g} test points, got {got.get(student)}[/red]")
    console.print(f"{len(expected) - wrong} of {len(expected)} hand-ins got the test points that they must get")
    return 1 if wrong else 0
