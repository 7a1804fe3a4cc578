from __future__ import annotations

from dataclasses import replace

import pytest

from autograder.reports.terminal import print_class
from autograder.results import StudentResult

from .conftest import Graded


@pytest.fixture(autouse=True)
def wide(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "160")


def _printed(capsys: pytest.CaptureFixture[str], graded: Graded, *students: StudentResult) -> str:
    print_class(replace(graded.result, students=list(students)))
    return " ".join(capsys.readouterr().out.replace("│", " ").replace("┃", " ").split())


def test_a_row_a_student_and_the_mean_below(graded: Graded, capsys: pytest.CaptureFixture[str]) -> None:
    ada = StudentResult("ada", {"test_double": 20.0, "test_area": 0.0, "explain_area": None}, ["test cell deleted: x"])
    bob = StudentResult("bob", {"test_double": 0.0, "test_area": 30.0, "explain_area": 12.5}, [])
    text = _printed(capsys, graded, ada, bob)
    assert "ada 20 0 - 20 test cell deleted: x" in text
    assert "bob 0 30 12.5 42.5" in text
    assert "mean 10 15 12.5 31.25" in text
    assert "1 test_double, 2 test_area, 3 explain_area" in text
    assert f"report: {graded.course.folder}/reports/lab90_tiny.html" in text


def test_no_hand_in_writes_to_the_terminal(graded: Graded, capsys: pytest.CaptureFixture[str]) -> None:
    name, remark = "\x1b[31m[red]x[/red]\x1b]0;t\x07", "\x1b[2J[link=http://evil.example]press[/link]\nnext\u202e"
    text = _printed(capsys, graded, StudentResult(name, {}, [remark]))
    assert "\x1b" not in text and "\x07" not in text and "\u202e" not in text
    assert "[red]x[/red]" in text
    assert "[link=http://evil.example]press[/link] next" in text


def test_a_long_remark_is_cut_and_an_empty_class_has_a_table(
    graded: Graded, capsys: pytest.CaptureFixture[str]
) -> None:
    assert f"{'word ' * 11}word…" in _printed(capsys, graded, StudentResult("ada", {}, ["word " * 100]))
    assert "lab90_tiny: 0 hand-ins" in _printed(capsys, graded)
