from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest

from autograder.errors import AutograderError
from autograder.master import Lab
from autograder.reports.class_csv import write_csv
from autograder.reports.lms_csv import FORMATS, Gradesheet, canvas_rows, gradescope_rows, moodle_rows
from autograder.reports.people import Person, read_people
from autograder.reports.rows import Row, write_rows
from autograder.results import StudentResult

POINTS = {"test_a": 2.0, "explain_b": 3.0}
STUDENTS = [
    StudentResult("ada", {"test_a": 2.0, "explain_b": 2.5}, []),
    StudentResult("bob", {"test_a": 2.0, "explain_b": None}, ["late"]),
    StudentResult("../eve", {}, ["not graded"]),
]
PEOPLE = {"ada": Person("Ada Lovelace", "canvas", "4711"), "bob": Person("Bob B", "moodle", "815", late=True)}
SHEET = Gradesheet("lab90", POINTS, STUDENTS, PEOPLE)


def _read(path: Path, rows: list[Row]) -> list[list[str]]:
    write_rows(path, rows)
    return list(csv.reader(path.read_text(encoding="utf-8").splitlines()))


def test_canvas_gets_its_columns_points_and_ids(tmp_path: Path) -> None:
    header, points, ada, *_ = _read(tmp_path / "x.csv", canvas_rows(SHEET))
    assert header == ["Student", "ID", "SIS User ID", "SIS Login ID", "Section", "lab90"]
    assert points == ["Points Possible", "", "", "", "", "5"]
    assert ada == ["Ada Lovelace", "4711", "", "", "", "4.5"]


def test_canvas_looks_up_by_login_who_did_not_come_through_canvas(tmp_path: Path) -> None:
    assert _read(tmp_path / "x.csv", canvas_rows(SHEET))[3] == ["Bob B", "", "", "bob", "", ""]


def test_no_name_passes_for_canvas_row_of_points() -> None:
    people = {"ada": Person("My Points Possible", "canvas", "1")}
    assert "Points Possible" not in str(canvas_rows(Gradesheet("lab90", POINTS, STUDENTS, people))[2])


def test_moodle_gets_its_worksheet(tmp_path: Path) -> None:
    header, ada, bob, _ = _read(tmp_path / "x.csv", moodle_rows(SHEET))
    assert header == ["Identifier", "Full name", "Grade", "Maximum Grade", "Last modified (grade)"]
    assert ada == ["Participant ada", "Ada Lovelace", "4.5", "5", ""]
    assert bob == ["Participant 815", "Bob B", "", "5", ""]


def test_gradescope_gets_a_column_a_question(tmp_path: Path) -> None:
    header, ada, bob, _ = _read(tmp_path / "x.csv", gradescope_rows(SHEET))
    assert header[3:] == ["Total Score", "Max Points", "Status", "1: test_a (2.0 pts)", "2: explain_b (3.0 pts)"]
    assert ada == ["Ada Lovelace", "ada", "", "4.5", "5", "Graded", "2", "2.5"]
    assert bob == ["Bob B", "bob", "", "", "5", "Ungraded", "2", ""]


def test_gradescope_knows_an_email_address() -> None:
    people = {"ada": Person("Ada", "gradescope", "ada@example.org")}
    ada = gradescope_rows(Gradesheet("lab90", POINTS, STUDENTS[:1], people))[1]
    assert ada[:3] == ["Ada", "ada@example.org", "ada@example.org"]


@pytest.mark.parametrize("system", FORMATS)
def test_a_part_of_the_marks_and_an_ungraded_hand_in_are_no_grade(system: str) -> None:
    rows = FORMATS[system](SHEET)
    column = {"canvas": 5, "moodle": 2, "gradescope": 3}[system]
    assert [row[column] for row in rows[-3:]] == [4.5, None, None]


@pytest.mark.parametrize("system", FORMATS)
def test_names_are_inert(system: str, tmp_path: Path) -> None:
    people = {"ada": Person('=HYPERLINK("http://evil.example")\n=1+1;=2+2', system, "=3")}
    students = [*STUDENTS[:1], StudentResult("@eve,-1\r=2", {"test_a": 1.0}, [])]
    rows = _read(tmp_path / "x.csv", FORMATS[system](Gradesheet("=lab", POINTS, students, people)))
    for field in (field for row in rows for field in row):
        for part in field.replace(";", ",").split(","):
            assert not part.strip().startswith(("=", "+", "-", "@")), field
    assert len({len(row) for row in rows}) == 1


def test_the_late_penalty_is_taken_off_but_never_below_0() -> None:
    assert StudentResult("ada", {"test_a": 2.0}, [], late_penalty=0.5).total == 1.5
    assert StudentResult("ada", {"test_a": 2.0}, [], late_penalty=5.0).total == 0.0


def test_the_class_csv_has_points_so_far_and_remarks(lab: Lab, tmp_path: Path) -> None:
    scores = {"test_double": 20.0, "test_area": 10 / 3, "explain_area": None}
    write_csv(tmp_path / "x.csv", lab, [StudentResult("ada", scores, ["=1", "two\nlines"], 1.0)])
    (row,) = csv.DictReader((tmp_path / "x.csv").read_text(encoding="utf-8").splitlines())
    assert row == {
        "student": "ada", "test_double": "20", "test_area": "3.33", "explain_area": "",
        "late penalty": "1", "total": "22.33", "max": "100", "remarks": "'=1; two lines",
    }  # fmt: skip


def test_an_import_record_tells_who_is_who(tmp_path: Path) -> None:
    assert read_people(tmp_path, "lab90") == {}
    (tmp_path / "imports").mkdir()
    entry = {"name": "Ada", "lms": "canvas", "lms_id": "1", "late": None, "file": "ada.ipynb", "sha256": "0"}
    (tmp_path / "imports" / "lab90.json").write_text(json.dumps({"ada": entry}))
    assert read_people(tmp_path, "lab90") == {"ada": Person("Ada", "canvas", "1", False)}


@pytest.mark.parametrize("text", ["", "[1]", '{"ada": 1}', '{"ada": {}}', "\xff"])
def test_a_broken_import_record_is_named(text: str, tmp_path: Path) -> None:
    (tmp_path / "imports").mkdir()
    (tmp_path / "imports" / "lab90.json").write_text(text, encoding="latin-1")
    with pytest.raises(AutograderError, match=r"lab90\.json: no record of an import"):
        read_people(tmp_path, "lab90")
