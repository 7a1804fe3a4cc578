"""A class from end to end: released, handed in, graded by nbgrader, explained in feedback."""

from __future__ import annotations

import csv
import json
import os
from pathlib import Path

import pytest

from autograder import bridge, demo, grade, master
from autograder.__main__ import main
from autograder.course import Course
from autograder.master import Lab
from autograder.results import ClassResult

from .conftest import ROOT, WRONG, write_lab

pytestmark = pytest.mark.slow

RIGHT = {
    "double": "import warnings\n\ndef double(x):\n    warnings.warn('on stderr')\n    return x + x",
    "area": "def area(radius):\n    return math.pi * radius**2",
    "explain_area": "<script>alert(1)</script> Rings.",
}
NAMES = ["test_double", "test_area"]


def _hand_in(lab: Lab, folder: Path, student: str, **answers: str) -> dict:
    """Write a hand-in that is right but for `answers`; return the notebook as plain data."""
    notebook = json.loads(bridge.to_text(demo.answered(lab, RIGHT | answers)))
    _save(lab, folder, student, notebook)
    return notebook


def _save(lab: Lab, folder: Path, student: str, notebook: dict) -> None:
    (folder / student).mkdir(parents=True, exist_ok=True)
    (folder / student / f"{lab.name}.ipynb").write_text(json.dumps(notebook), encoding="utf-8")


def _write_class(lab: Lab, folder: Path) -> None:
    right = _hand_in(lab, folder, "right")
    _hand_in(lab, folder, "dies", area="import os\n\ndef area(radius):\n    os._exit(0)")
    _hand_in(lab, folder, "loops", double="def double(x):\n    while True:\n        pass")
    _hand_in(lab, folder, "prints", double="print('x' * 3_000_000)\n\ndef double(x):\n    return 2 * x")
    show = "from IPython.display import HTML, display\ndisplay(HTML('<script>alert(2)</script>'))\n"
    _hand_in(lab, folder, "tampered", area=show + WRONG["area__linear"])
    tampered = json.loads((folder / "tampered" / f"{lab.name}.ipynb").read_text())
    for cell in tampered["cells"]:
        if cell["id"] == "test_area":
            cell["source"] = "assert True"
            cell["metadata"]["nbgrader"]["points"] = 10_000
            cell["metadata"]["tags"] = ["skip-execution", "raises-exception"]
    tampered["cells"].append(tampered["cells"][-1] | {"id": "again"})
    tampered["metadata"]["kernelspec"] = {"name": "no_such_kernel", "display_name": "x", "language": "bash"}
    _save(lab, folder, "tampered", tampered)
    _save(lab, folder, "deleted", right | {"cells": [c for c in right["cells"] if c["id"] not in NAMES]})
    (folder / "broken.ipynb").write_text(json.dumps(right)[:-300])
    (folder / "link.ipynb").symlink_to(folder / "right" / f"{lab.name}.ipynb")


@pytest.fixture(scope="module")
def graded(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Lab, ClassResult]:
    """A class graded once, with a time limit of five seconds for a cell."""
    root = tmp_path_factory.mktemp("course")
    write_lab(root)
    settings = (ROOT / "nbgrader_config.py").read_text()
    assert "ExecuteHandIn.timeout = 120" in settings
    (root / "nbgrader_config.py").write_text(settings.replace("timeout = 120", "timeout = 5"))
    lab = master.find(root, "lab90")
    _write_class(lab, root / "handins")
    return root, lab, grade.grade_class(root, lab, root / "handins")


def _scores(result: ClassResult) -> dict[str, tuple]:
    return {one.student: tuple(one.scores.get(name) for name in NAMES) for one in result.students}


def test_each_hand_in_gets_its_points_and_a_reason(graded) -> None:
    _, _, result = graded
    assert _scores(result) == {
        "right": (20, 30),
        "deleted": (20, 30),
        "prints": (20, 30),
        "tampered": (20, 0),
        "dies": (20, 0),
        "loops": (0, 30),
        "broken": (0, 0),
        "link": (0, 0),
    }
    remarks = {one.student: "; ".join(one.remarks) for one in result.students}
    assert remarks["right"] == remarks["prints"] == ""
    assert remarks["deleted"] == "test cell deleted: test_double, test_area"
    assert remarks["tampered"] == "answer cell explain_area stands 2 times"
    assert remarks["dies"] == "process ended before or in test_area"
    assert remarks["loops"] == "timeout in test_double"
    assert remarks["broken"] == "unreadable notebook: not JSON, or cut off"
    assert remarks["link"] == "not a regular file"


def test_written_answers_wait_for_a_person(graded) -> None:
    _, _, result = graded
    explained = {one.student: one.scores["explain_area"] for one in result.students}
    assert explained["right"] is None
    assert explained["broken"] == explained["link"] == 0


def test_feedback_explains_without_secrets(graded) -> None:
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


def test_csv_has_a_row_for_everyone(graded) -> None:
    _, _, result = graded
    rows = list(csv.DictReader(result.csv.read_text(encoding="utf-8").splitlines()))
    assert len(rows) == 8
    assert {row["student"]: row["total"] for row in rows}["right"] == "50"


def test_regrading_forgets_old_scores_and_keeps_a_persons_marks(graded) -> None:
    root, lab, _ = graded
    course = Course(root)
    with course.gradebook() as gradebook:
        mark = gradebook.find_grade("explain_area", lab.name, lab.name, "right")
        mark.manual_score = 41.0  # pyright: ignore[reportAttributeAccessIssue]
        gradebook.db.commit()
    again = root / "again"
    _hand_in(lab, again, "right", double="def double(x):\n    return 0")
    (again / "dies.ipynb").write_text("cut off")
    for student in course.students(lab):
        if student not in ("right", "dies"):
            course.submitted(student, lab).unlink()
    scores = {one.student: one.scores for one in grade.grade_class(root, lab, again).students}
    assert scores["right"] == {"test_double": 0, "test_area": 30, "explain_area": 41}
    assert scores["dies"] == {"test_double": 0, "test_area": 0, "explain_area": 0}


def test_a_hand_in_past_its_time_is_ended_and_keeps_0(repository: Path, tiny: Lab) -> None:
    _hand_in(tiny, repository / "handins", "slow", double="import time\ntime.sleep(600)")
    result = grade.grade_class(repository, tiny, repository / "handins", time_limit=6.0)
    assert _scores(result) == {"slow": (0, 0)}
    assert result.students[0].remarks == ["timeout: not graded within 6 s"]


def test_a_file_beside_a_hand_in_shadows_no_module(graded) -> None:
    root, lab, _ = graded
    course = Course(root)
    _hand_in(lab, root / "eves", "eve")
    grade.intake.import_folder(course, lab, root / "eves")
    for name in ("warnings.py", "math.py"):
        (course.submitted("eve", lab).parent / name).write_text("raise SystemExit")
    course.nbgrader("autograde", lab.name, "--student=eve")
    with course.gradebook() as gradebook:
        grades = gradebook.find_submission_notebook(lab.name, lab.name, "eve").grades
        assert {one.name: one.auto_score for one in grades} == {
            "test_double": 20,
            "test_area": 30,
            "explain_area": None,
        }


def test_the_exchange_works_from_nbgraders_command_line(graded) -> None:
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
