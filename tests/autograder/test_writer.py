"""What the judge found reaches the gradebook and the student, exactly, and only when something changed."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from bs4 import BeautifulSoup
from nbconvert.exporters import HTMLExporter

from autograder import bridge, gradebook, master, submission
from autograder.converters import Converter, ConverterError
from autograder.course import Course, CourseError
from autograder.exporter import PageExporter
from autograder.gradebook import Entry
from autograder.master import Lab
from autograder.outcomes import FAILED, PASSED, Outcome
from autograder.preprocessor import no_verdict
from autograder.verdict import Verdict
from autograder.writer import Writer

from .conftest import ROOT, write_lab

VERDICT = Verdict(
    "lab90_tiny",
    {"test_double": Outcome(FAILED, "AssertionError: got 5", ("AssertionError",)), "test_area": Outcome(PASSED)},
    {"double": "hello"},
)
SCORES = {"test_double": 0.0, "test_area": 30.0}


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A course with one hand-in, ann's, which is the release as it was given out."""
    root = tmp_path_factory.mktemp("prepared")
    write_lab(root)
    shutil.copy(ROOT / "nbgrader_config.py", root)
    lab, course = master.find(root, "lab90"), Course(root)
    course.prepare(lab)
    path = course.submitted("ann", lab)
    path.parent.mkdir(parents=True)
    path.write_text(bridge.to_text(bridge.release_notebook(lab)), encoding="utf-8")
    return root


@pytest.fixture
def course(prepared: Path, tmp_path: Path) -> Course:
    return Course(shutil.copytree(prepared, tmp_path / "copy"))


@pytest.fixture
def tiny(course: Course) -> Lab:
    return master.find(course.root, "lab90")


def _write(course: Course, lab: Lab, verdict: Verdict = VERDICT) -> tuple[list[str], Entry]:
    (ann,) = submission.read(course, lab, [("ann", course.submitted("ann", lab))])
    with Writer(course, lab) as writer:
        return writer.write("ann", ann.content, verdict), writer.entry("ann")


def _scores(entry: Entry) -> dict[str, float | None]:
    return {cell: mark.auto for cell, mark in entry.marks.items() if cell.startswith("test_")}


def _files(course: Course, lab: Lab) -> list[int]:
    """What changes when autograded notebook or feedback are written again."""
    return [path.stat().st_mtime_ns for path in (course.autograded("ann", lab), course.feedback("ann", lab))]


def test_scores_messages_and_prints_reach_gradebook_and_feedback(course: Course, tiny: Lab) -> None:
    remarks, entry = _write(course, tiny)
    assert remarks == []
    assert _scores(entry) == SCORES
    page = course.feedback("ann", tiny).read_text(encoding="utf-8")
    assert "AssertionError: got 5" in page
    assert "Passed: 30 points" in page
    assert "hello" in page
    assert "secret_value" not in page


def test_what_is_written_is_not_written_again(course: Course, tiny: Lab) -> None:
    _write(course, tiny)
    before = _files(course, tiny)
    slower = {test: replace(outcome, seconds=9.0) for test, outcome in VERDICT.outcomes.items()}
    _write(course, tiny, replace(VERDICT, outcomes=slower))
    assert _files(course, tiny) == before
    _write(course, tiny, replace(VERDICT, remarks=["it took long"]))
    assert all(now > then for now, then in zip(_files(course, tiny), before, strict=True))
    assert "it took long" in course.feedback("ann", tiny).read_text(encoding="utf-8")


@pytest.mark.parametrize("lost", ["feedback", "autograded", "score"])
def test_what_is_lost_is_made_good(course: Course, tiny: Lab, lost: str) -> None:
    _write(course, tiny)
    autograded = course.autograded("ann", tiny).read_bytes()
    if lost == "score":
        with course.gradebook() as book:
            book.find_grade("test_double", tiny.name, tiny.name, "ann").auto_score = 20.0  # pyright: ignore[reportAttributeAccessIssue]
            book.db.commit()
    else:
        getattr(course, lost)("ann", tiny).unlink()
    _, entry = _write(course, tiny)
    assert _scores(entry) == SCORES
    assert course.autograded("ann", tiny).read_bytes() == autograded
    assert course.feedback("ann", tiny).exists()


def test_a_markers_points_stay_and_renew_the_feedback_alone(course: Course, tiny: Lab) -> None:
    _write(course, tiny)
    before = _files(course, tiny)
    with course.gradebook() as book:
        book.find_grade("explain_area", tiny.name, tiny.name, "ann").manual_score = 41.0  # pyright: ignore[reportAttributeAccessIssue]
        book.find_comment("explain_area", tiny.name, tiny.name, "ann").manual_comment = "well put"  # pyright: ignore[reportAttributeAccessIssue]
        book.db.commit()
    _, entry = _write(course, tiny)
    after = _files(course, tiny)
    assert (after[0] == before[0], after[1] > before[1]) == (True, True)
    assert "well put" in course.feedback("ann", tiny).read_text(encoding="utf-8")
    assert entry.comments == {"explain_area": "well put"}
    _, entry = _write(course, tiny, replace(VERDICT, remarks=["again"]))
    assert entry.marks["explain_area"].score == 41.0


def test_without_a_verdict_there_are_no_points_but_a_reason(course: Course, tiny: Lab) -> None:
    _write(course, tiny)
    remarks, entry = _write(course, tiny, no_verdict(tiny.name, "the judge is away"))
    assert remarks == []
    assert _scores(entry) == {"test_double": 0.0, "test_area": 0.0}
    assert "not judged: the judge is away" in course.feedback("ann", tiny).read_text(encoding="utf-8")


def test_where_nbgrader_fails_no_points_are_left(course: Course, tiny: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    _write(course, tiny)
    course.release(tiny).unlink()  # which the exporter needs
    remarks, entry = _write(course, tiny, replace(VERDICT, remarks=["new"]))
    assert remarks[0].startswith("nbgrader failed: FileNotFoundError")
    assert _scores(entry) == {"test_double": 0.0, "test_area": 0.0}
    course.prepare(tiny)
    remarks, entry = _write(course, tiny, replace(VERDICT, remarks=["new"]))
    assert (remarks, _scores(entry)) == ([], SCORES)


def test_a_gradebook_that_disagrees_with_the_judge_is_not_left_so(
    course: Course, tiny: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    convert, attempts = Converter.convert, []

    def raised(self: Converter, lab: str, student: str) -> None:
        convert(self, lab, student)
        attempts.append(student)
        with course.gradebook() as book:
            book.find_grade("test_double", lab, lab, student).auto_score = 20.0  # pyright: ignore[reportAttributeAccessIssue]
            book.db.commit()

    monkeypatch.setattr(Converter, "convert", raised)
    remarks, entry = _write(course, tiny)
    assert remarks == ["nbgrader failed: the gradebook does not hold the judge's scores"]
    assert len(attempts) == 2
    assert _scores(entry) == {"test_double": 0.0, "test_area": 0.0}


def test_a_refused_student_keeps_nothing_of_an_earlier_hand_in(course: Course, tiny: Lab) -> None:
    _write(course, tiny)
    with Writer(course, tiny) as writer:
        writer.refuse("ann")
        assert _scores(writer.entry("ann")) == {"test_double": 0.0, "test_area": 0.0}
    assert not course.autograded("ann", tiny).exists()
    assert not course.feedback("ann", tiny).exists()


def test_a_course_is_graded_by_one_process_at_a_time(course: Course) -> None:
    with course.locked(), pytest.raises(CourseError, match="is being graded by another process"), course.locked():
        pass
    with course.locked():
        pass


def test_nbgraders_last_words_are_the_reason(course: Course, tiny: Lab) -> None:
    with Writer(course, tiny) as writer, pytest.raises(ConverterError, match="No notebooks were matched"):
        writer._explainer.convert(tiny.name, "nobody")


def test_entries_are_those_of_the_lab_and_student(course: Course, tiny: Lab) -> None:
    with course.gradebook() as book:
        for student in ("ann", "bob"):
            gradebook.reset(book, tiny.name, student)
        assert list(gradebook.entries(book, tiny.name)) == ["ann", "bob"]
        assert list(gradebook.entries(book, tiny.name, "bob")) == ["bob"]
        assert gradebook.entries(book, "lab91_other") == {}


def test_a_page_is_the_one_that_nbconvert_writes(tiny: Lab) -> None:
    notebook = bridge.solution_notebook(tiny)
    options = {"template_name": "classic", "sanitize_html": True}
    theirs, _ = HTMLExporter(**options).from_notebook_node(notebook, {"metadata": {"name": "x"}})
    ours, _ = PageExporter(**options).from_notebook_node(notebook, {"metadata": {"name": "x"}})
    assert str(BeautifulSoup(ours, features="html.parser")) == theirs
