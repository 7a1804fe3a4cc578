"""`nbgrader export` on a real gradebook."""

from __future__ import annotations

import csv
import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from nbgrader.api import Gradebook
from nbgrader.apps.exportapp import ExportApp
from traitlets.config import Config

from autograder.reports import export_plugins


@pytest.fixture(scope="module", autouse=True)
def commands_of_this_python() -> Iterator[None]:
    """nbgrader starts `alembic` by name when it makes a gradebook."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PATH", f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")
        yield


@pytest.fixture(scope="module")
def course(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two labs; in the first ada is all marked and late, bob is not marked, and eve handed nothing in."""
    course = tmp_path_factory.mktemp("course")
    with Gradebook(f"sqlite:///{course / 'gradebook.db'}") as gradebook:
        for lab in ("lab90_tiny", "lab91_other"):
            gradebook.add_assignment(lab)
            gradebook.add_notebook(lab, lab)
            gradebook.add_grade_cell("test_double", lab, lab, max_score=20.0, cell_type="code")
            gradebook.add_grade_cell("explain_area", lab, lab, max_score=50.0, cell_type="markdown")
        for student in ("ada", "bob", "eve"):
            gradebook.add_student(student)
        for student, mark in (("ada", 40.5), ("bob", None)):
            with gradebook.db.no_autoflush:
                submission = gradebook.add_submission("lab90_tiny", student)
            for grade in submission.notebooks[0].grades:
                automatic = grade.name == "test_double"
                grade.auto_score = 20.0 if automatic else None
                grade.manual_score = None if automatic else mark
                grade.needs_manual_grade = not automatic and mark is None
        gradebook.find_submission("lab90_tiny", "ada").notebooks[0].late_submission_penalty = 5.0
        gradebook.db.commit()
    (course / "imports").mkdir()
    entry = {"name": "Ada Lovelace", "lms": "canvas", "lms_id": "4711", "late": True}
    (course / "imports" / "lab90_tiny.json").write_text(json.dumps({"ada": entry}))
    return course


def _export(course: Path, plugin: type, **options) -> None:
    config = Config()
    config.CourseDirectory.root = str(course)
    config.ExportApp.plugin_class = plugin
    config.ExportPlugin.update(options)
    app = ExportApp(config=config)
    app.init_plugin()
    with Gradebook(f"sqlite:///{course / 'gradebook.db'}") as gradebook:
        app.plugin_inst.export(gradebook)


def _rows(path: Path) -> list[list[str]]:
    return list(csv.reader(path.read_text(encoding="utf-8").splitlines()))


def test_a_file_a_lab_is_written_beside_where_grades_go(course: Path, tmp_path: Path) -> None:
    _export(course, export_plugins.CanvasExport, to=str(tmp_path / "grades.csv"))
    assert {path.name for path in tmp_path.iterdir()} == {"lab90_tiny.canvas.csv", "lab91_other.canvas.csv"}


def test_canvas_gets_marked_totals_less_the_late_penalty(course: Path, tmp_path: Path) -> None:
    _export(course, export_plugins.CanvasExport, to=str(tmp_path), assignment=["lab90_tiny"])
    header, points, *students = _rows(tmp_path / "lab90_tiny.canvas.csv")
    assert (header[-1], points[-1]) == ("lab90_tiny", "70")
    assert students == [["Ada Lovelace", "4711", "", "", "", "55.5"], ["bob", "", "", "bob", "", ""]]


def test_only_the_students_asked_for_are_exported(course: Path, tmp_path: Path) -> None:
    _export(course, export_plugins.MoodleExport, to=str(tmp_path), assignment=["lab90_tiny"], student=["bob"])
    assert [row[0] for row in _rows(tmp_path / "lab90_tiny.moodle.csv")] == ["Identifier", "Participant bob"]


def test_gradescope_gets_every_cell(course: Path, tmp_path: Path) -> None:
    _export(course, export_plugins.GradescopeExport, to=str(tmp_path), assignment=["lab90_tiny"])
    rows = _rows(tmp_path / "lab90_tiny.gradescope.csv")
    assert rows[0][-2:] == ["1: explain_area (50.0 pts)", "2: test_double (20.0 pts)"]
    assert [row[-2:] for row in rows[1:]] == [["40.5", "20"], ["", "20"]]
