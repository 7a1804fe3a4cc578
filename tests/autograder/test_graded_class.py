"""A class that the judge grades in the sandbox, from make grade, from nbgrader's command line and from formgrader."""

from __future__ import annotations

import asyncio
import csv
import json
import os
import shutil
from pathlib import Path

import pytest
from nbgrader.apps.api import NbGraderAPI

from autograder import gradebook, master
from autograder.__main__ import main
from autograder.course import Course
from autograder.grade import Graded, grade_class
from autograder.intake import import_hand_ins
from autograder.master import Lab

from .conftest import ROOT, WRONG, write_lab
from .hand_ins import TESTS, hand_in, remarks, save, scores

pytestmark = pytest.mark.slow


def _write_class(lab: Lab, folder: Path) -> None:
    right = hand_in(lab, folder, "right")
    hand_in(lab, folder, "dies", area="import os\n\ndef area(radius):\n    os._exit(0)")
    hand_in(lab, folder, "prints", double="print('x' * 3_000_000)\n\ndef double(x):\n    return 2 * x")
    show = "from IPython.display import HTML, display\ndisplay(HTML('<script>alert(2)</script>'))\n"
    tampered = hand_in(lab, folder, "tampered", area=show + WRONG["area__linear"])
    for cell in tampered["cells"]:
        if cell["id"] == "test_area":
            cell["source"] = "assert True"
            cell["metadata"]["nbgrader"]["points"] = 10_000
            cell["metadata"]["tags"] = ["skip-execution", "raises-exception"]
    tampered["cells"].append(tampered["cells"][-1] | {"id": "again"})
    tampered["metadata"]["kernelspec"] = {"name": "no_such_kernel", "display_name": "x", "language": "bash"}
    save(folder, "tampered", tampered)
    save(folder, "deleted", right | {"cells": [cell for cell in right["cells"] if cell["id"] not in TESTS]})
    (folder / "broken.ipynb").write_text(json.dumps(right)[:-300])


@pytest.fixture(scope="module")
def graded(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Lab, Graded]:
    """A class that the judge itself graded, in the sandbox."""
    root = tmp_path_factory.mktemp("course")
    write_lab(root)
    shutil.copy(ROOT / "nbgrader_config.py", root)
    lab = master.find(root, "lab90")
    _write_class(lab, root / "handins")
    return root, lab, grade_class(root, lab, root / "handins")


def test_each_hand_in_gets_its_points_and_a_reason(graded: tuple[Path, Lab, Graded]) -> None:
    said = remarks(graded[2])
    assert scores(graded[2]) == {
        "right": (20, 30),
        "deleted": (20, 30),
        "prints": (20, 30),
        "tampered": (20, 0),
        "dies": (20, 0),
        "broken": (0, 0),
    }
    assert said["right"] == ""
    assert said["deleted"] == "test cell deleted: test_double, test_area"
    assert said["tampered"] == "answer cell explain_area stands 2 times"
    assert said["broken"] == "unreadable notebook: not JSON, or cut off"
    explained = {one.student: one.scores["explain_area"] for one in graded[2].result.students}
    assert explained["right"] is None  # a person marks it
    assert explained["broken"] == 0


def test_feedback_explains_without_secrets(graded: tuple[Path, Lab, Graded]) -> None:
    root, lab, _ = graded
    course = Course(root)
    html = course.feedback("tampered", lab).read_text(encoding="utf-8")
    assert "AssertionError" in html
    assert "Rings." in html
    assert "<script>alert" not in html
    for secret in ("4 * math.pi", "secret_value", "unrolled"):
        assert secret not in html
    assert "unreadable notebook" in course.feedback("broken", lab).read_text(encoding="utf-8")
    assert "names the unrolled rings" in course.autograded("right", lab).read_text(encoding="utf-8")
    assert course.autograded("prints", lab).stat().st_size < 100_000


def test_csv_has_a_row_for_everyone(graded: tuple[Path, Lab, Graded]) -> None:
    rows = list(csv.DictReader(graded[2].result.csv.read_text(encoding="utf-8").splitlines()))
    assert len(rows) == 6
    assert {row["student"]: row["total"] for row in rows}["right"] == "50"


def test_nbgraders_own_command_grades_with_the_judge_too(
    graded: tuple[Path, Lab, Graded], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root, lab, _ = graded
    course = Course(root)
    hand_in(lab, tmp_path, "eve", area=WRONG["area__linear"])
    import_hand_ins(course, lab, tmp_path)
    for name in ("warnings.py", "math.py", "lablib.py"):
        (course.submitted("eve", lab).parent / name).write_text("raise SystemExit")
    course.nbgrader("autograde", lab.name, "--student=eve")
    with course.gradebook() as book:
        marks = gradebook.entries(book, lab.name, "eve")["eve"].marks
    assert {cell: mark.auto for cell, mark in marks.items()} == {
        "test_double": 20,
        "test_area": 0,
        "explain_area": None,
    }
    monkeypatch.chdir(root)
    assert main(["judge", "lab90", str(course.submitted("eve", lab))]) == 0


@pytest.mark.filterwarnings("ignore::sqlalchemy.exc.SAWarning")  # nbgrader's, when it makes a submission itself
def test_formgraders_button_grades_with_the_judge_inside_a_running_loop(
    graded: tuple[Path, Lab, Graded], tmp_path: Path
) -> None:
    root, lab, _ = graded
    course = Course(root)
    hand_in(lab, tmp_path, "fay", double="def double(x):\n    return 7")
    import_hand_ins(course, lab, tmp_path)

    async def press() -> dict:
        return NbGraderAPI(config=course.config).autograde(lab.name, "fay")

    pressed = asyncio.run(press())
    assert pressed["success"], pressed
    with course.gradebook() as book:
        marks = gradebook.entries(book, lab.name, "fay")["fay"].marks
    assert (marks["test_double"].auto, marks["test_area"].auto) == (0, 30)


def test_the_exchange_works_from_nbgraders_command_line(graded: tuple[Path, Lab, Graded]) -> None:
    root, lab, _ = graded
    course = Course(root)
    course.nbgrader("release_assignment", lab.name)
    released = course.folder / "exchange" / "adls" / "outbound" / lab.name / f"{lab.name}.ipynb"
    assert released.read_bytes() == course.release(lab).read_bytes()
    course.nbgrader("export")
    assert (course.folder / "grades.csv").is_file()


def test_demo_grades_right_wrong_and_broken_hand_ins(
    repository: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("double__squares", "area__diameter", "area__linear"):  # one wrong answer is enough here
        (repository / "solutions" / "lab90_tiny" / "wrong" / f"{name}.py").unlink()
    monkeypatch.chdir(repository)
    monkeypatch.setenv("COLUMNS", "140")
    assert main(["demo", "lab90"]) == 0
    printed = capsys.readouterr().out
    assert "5 of 5 hand-ins got the test points that they must get" in printed
    assert "build/demo/course" in printed
    assert not (repository / "course").exists()
    assert os.listdir(repository / "build" / "demo" / "course" / "feedback")
