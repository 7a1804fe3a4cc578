from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

from autograder.reports import write_all
from autograder.results import StudentResult

from .conftest import Graded
from .hostile import hostile


def _contents(paths: list[Path]) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in paths}


def test_every_report_is_written(graded: Graded) -> None:
    paths = write_all(*graded.arguments())
    course = graded.course.folder
    assert [path.relative_to(course).as_posix() for path in paths] == [
        "lab90_tiny.csv",
        "reports/lab90_tiny.html",
        "reports/lab90_tiny.canvas.csv",
        "reports/lab90_tiny.moodle.csv",
        "reports/lab90_tiny.gradescope.csv",
    ]
    assert {path.name for path in (course / "reports").iterdir()} == {path.name for path in paths[1:]}


def test_a_second_run_writes_the_same(graded: Graded) -> None:
    assert _contents(write_all(*graded.arguments())) == _contents(write_all(*graded.arguments()))


def test_feedback_is_linked_from_where_the_page_is(graded: Graded) -> None:
    feedback = graded.course.feedback("student07", graded.lab)
    feedback.parent.mkdir(parents=True)
    feedback.touch()
    html = write_all(*graded.arguments())[1]
    link = "../feedback/student07/lab90_tiny/lab90_tiny.html"
    assert html.read_text(encoding="utf-8").count(f'href="{link}"') == 1
    assert (html.parent / link).is_file()


def test_a_name_is_no_path(graded: Graded, tmp_path: Path) -> None:
    outside = tmp_path / "outside" / "lab90_tiny" / "lab90_tiny.html"
    outside.parent.mkdir(parents=True)
    outside.touch()
    names = ["../../outside", str(tmp_path / "outside"), "nul\0"]
    students = [StudentResult(name, {}, ["no student id"]) for name in names]
    html = write_all(*replace(graded, result=replace(graded.result, students=students)).arguments())[1]
    assert 'title="feedback"' not in html.read_text(encoding="utf-8")


def test_a_hostile_class_gets_its_reports(graded: Graded) -> None:
    for path in write_all(*hostile(graded)[0].arguments()):
        assert path.stat().st_size


def test_printing_a_table_imports_neither_plotly_nor_nbgrader() -> None:
    script = "import sys; import autograder.reports.terminal; print({'plotly', 'nbgrader'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"
