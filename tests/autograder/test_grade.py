"""A class from end to end: released, handed in, judged, written into the gradebook, explained in feedback."""

from __future__ import annotations

import os
import shutil
import signal
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from autograder import converters, files, grade, gradebook, master
from autograder.course import Course, CourseError
from autograder.grade import Options, grade_class
from autograder.master import Lab
from autograder.reports.score_log import read_log

from . import plain_judge
from .conftest import ROOT, WRONG, write_lab
from .hand_ins import RIGHT, hand_in, remarks, scores

pytestmark = pytest.mark.slow

PLAIN = Options(judge=plain_judge.NAME, sandbox="none", workers=1)


def _judged(root: Path) -> int:
    """How many hand-ins were judged so far."""
    return len((root / "judged").read_text().split())


@pytest.fixture(scope="module")
def small_class(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A repository whose class of five was graded once: ann and bob are right, with equal answers to the tests."""
    root = tmp_path_factory.mktemp("small")
    write_lab(root)
    shutil.copy(ROOT / "nbgrader_config.py", root)
    lab, folder = master.find(root, "lab90"), root / "handins"
    hand_in(lab, folder, "ann")
    hand_in(lab, folder, "bob", explain_area="Other words.")
    hand_in(lab, folder, "cyd", double=WRONG["double__squares"])
    (folder / "broken.ipynb").write_text("{")
    (folder / "link.ipynb").symlink_to(folder / "ann.ipynb")
    graded = grade_class(root, lab, folder, PLAIN)
    assert scores(graded) == {"ann": (20, 30), "bob": (20, 30), "cyd": (0, 30), "broken": (0, 0), "link": (0, 0)}
    assert _judged(root) == 3  # ann's answers stand for bob's too; the blank is the third
    return root


@pytest.fixture
def root(small_class: Path, tmp_path: Path) -> Path:
    return shutil.copytree(small_class, tmp_path / "copy", symlinks=True)


@pytest.fixture
def lab(root: Path) -> Lab:
    return master.find(root, "lab90")


def _outcome(root: Path) -> Mapping[str, object]:
    """All that grading leaves for people: gradebook scores, tables and autograded notebooks."""
    course = Course(root)
    with course.gradebook() as book:
        entries = gradebook.entries(book, "lab90_tiny")
    paths = [
        *course.folder.glob("*.csv"),
        *course.folder.glob("reports/*.csv"),
        *course.folder.rglob("autograded/*/*/*.ipynb"),
    ]
    return {str(path.relative_to(root)): path.read_bytes() for path in paths} | {"gradebook": entries}


def test_grading_again_does_nothing_and_says_the_same(root: Path, lab: Lab) -> None:
    before, judged = _outcome(root), _judged(root)
    pages = {path: path.stat().st_mtime_ns for path in (root / "course" / "feedback").rglob("*.html")}
    log = (root / "course" / "scores.jsonl").read_bytes()
    for path in (root / "handins", None):
        graded = grade_class(root, lab, path, PLAIN)
        assert remarks(graded)["link"] == "not a regular file"
        assert _outcome(root) == before
    assert _judged(root) == judged
    assert {path: path.stat().st_mtime_ns for path in pages} == pages
    assert (root / "course" / "scores.jsonl").read_bytes() == log


def test_a_corrected_test_touches_only_what_it_changes(root: Path, lab: Lab) -> None:
    before = _outcome(root)
    text = lab.path.read_text(encoding="utf-8")
    lab.path.write_text(text.replace("assert double(2) == 4", "assert double(2) == 4 or double(3) == 9"))
    lenient = text.replace("double(secret_value) == 34", "double(secret_value) in (34, 289)")
    lab.path.write_text(lenient, encoding="utf-8")
    graded = grade_class(root, master.find(root, "lab90"), None, PLAIN)
    assert scores(graded)["cyd"] == (20, 30)
    changes = read_log(root / "course" / "scores.jsonl")
    last = changes[-1]
    assert (last.student, last.cell, last.old, last.new, last.cause) == ("cyd", "test_double", 0, 20, "regraded")
    assert [change for change in changes if change.cause == "regraded"] == [last]
    assert before["gradebook"] != _outcome(root)["gradebook"]


def test_regrading_judges_everybody_anew(root: Path, lab: Lab) -> None:
    before, judged = _outcome(root), _judged(root)
    grade_class(root, lab, None, replace(PLAIN, regrade=True))
    assert _judged(root) == 2 * judged
    assert _outcome(root) == before


def test_a_new_hand_in_replaces_the_old_and_a_persons_marks_stay(root: Path, lab: Lab) -> None:
    with Course(root).gradebook() as book:
        book.find_grade("explain_area", lab.name, lab.name, "ann").manual_score = 41.0  # pyright: ignore[reportAttributeAccessIssue]
        book.db.commit()
    again = root / "again"
    hand_in(lab, again, "ann", double="def double(x):\n    return 0")
    (again / "bob.ipynb").write_text("cut off")
    (again / "cyd.ipynb").symlink_to("/etc/passwd")
    graded = grade_class(root, lab, again, PLAIN)
    of = {one.student: one.scores for one in graded.result.students}
    assert of["ann"] == {"test_double": 0, "test_area": 30, "explain_area": 41}
    assert of["bob"] == {"test_double": 0, "test_area": 0, "explain_area": 0}
    assert of["cyd"] == {"test_double": 0, "test_area": 0, "explain_area": 0}
    assert not Course(root).autograded("cyd", lab).exists()
    causes = {(c.student, c.cell): c.cause for c in read_log(root / "course" / "scores.jsonl")}
    assert causes["ann", "explain_area"] == "marked by hand"
    assert causes["ann", "test_double"] == "regraded"


def test_a_hand_in_without_a_verdict_gets_0_for_now(root: Path, lab: Lab) -> None:
    once = "if not (root / 'again').exists():\n    raise SystemExit('the judge stumbled')\n"
    hand_in(lab, root / "more", "dan", double=once + RIGHT["double"])
    graded = grade_class(root, lab, root / "more", PLAIN)
    assert (scores(graded)["dan"], graded.unjudged) == ((0, 0), ["dan"])
    assert remarks(graded)["dan"] == "not judged: the judge stumbled"
    assert "the judge stumbled" in Course(root).feedback("dan", lab).read_text(encoding="utf-8")
    (root / "again").touch()
    graded = grade_class(root, lab, None, PLAIN)
    assert (scores(graded)["dan"], graded.unjudged) == ((20, 30), [])


def test_nobody_else_grades_meanwhile(root: Path, lab: Lab) -> None:
    with Course(root).locked(), pytest.raises(CourseError, match="is being graded by another process"):
        grade_class(root, lab, None, PLAIN)


def test_a_folder_that_is_no_student_id_is_not_graded(root: Path, lab: Lab) -> None:
    (root / "course" / "submitted" / "a b").mkdir()
    shutil.copytree(Course(root).submitted("ann", lab).parent, root / "course" / "submitted" / "a b" / lab.name)
    graded = grade_class(root, lab, None, PLAIN)
    assert remarks(graded)["a b"] == "not graded: 'a b' is no student id"


def test_a_solution_that_fails_here_stops_grading_before_anybody_is(root: Path, lab: Lab) -> None:
    with pytest.raises(grade.AutograderError, match="the solution of lab90_tiny could not be judged"):
        grade_class(root, lab, None, replace(PLAIN, regrade=True, judge="tests.autograder.conftest"))
    assert scores(grade_class(root, lab, None, PLAIN))["ann"] == (20, 30)


def _killed(work: Callable[[], object]) -> bool:
    """Run `work` in a process of its own; say whether it was killed."""
    child = os.fork()
    if child == 0:
        work()
        os._exit(0)
    _, status = os.waitpid(child, 0)
    return os.WIFSIGNALED(status)


def _dies_at(monkeypatch: pytest.MonkeyPatch, owner: object, name: str, count: int, after: bool) -> None:
    """Kill the process at its `count`-th call of `owner.name`, before or after it."""
    original, calls = getattr(owner, name), []

    def dying(*arguments: object, **keywords: object) -> object:
        calls.append(name)
        result = original(*arguments, **keywords) if after or len(calls) < count else None
        if len(calls) == count:
            os.kill(os.getpid(), signal.SIGKILL)
        return result

    monkeypatch.setattr(owner, name, dying)


@pytest.mark.parametrize(
    ("owner", "name", "count", "after"),
    [
        (files, "write", 4, False),  # a verdict or a receipt
        (gradebook, "reset", 2, True),
        (converters.Converter, "convert", 2, True),
        (converters.FilesWriter, "write", 3, True),  # rebuilt, not yet graded
        (grade, "write_all", 1, False),
    ],
)
def test_killed_anywhere_the_next_run_ends_as_if_nothing_had_been(
    small_class: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    owner: object,
    name: str,
    count: int,
    after: bool,
) -> None:
    root = tmp_path / "copy"
    shutil.copytree(small_class, root, symlinks=True, ignore=shutil.ignore_patterns("course", "judged"))
    lab = master.find(root, "lab90")
    with monkeypatch.context() as patched:
        _dies_at(patched, owner, name, count, after)
        assert _killed(lambda: grade_class(root, lab, root / "handins", PLAIN))
    grade_class(root, lab, root / "handins", PLAIN)
    assert _outcome(root) == _outcome(small_class)
    assert _judged(root) <= _judged(small_class) + 1  # what was under way when it was killed
    logged = [(c.student, c.cell, c.new) for c in read_log(root / "course" / "scores.jsonl")]
    assert sorted(logged, key=str) == sorted(set(logged), key=str)


def test_who_hands_in_again_what_cannot_be_taken_loses_the_points_and_the_log_says_why(root: Path, lab: Lab) -> None:
    assert scores(grade_class(root, lab, None, PLAIN))["ann"] == (20, 30)
    (root / "handins" / "ann.ipynb").unlink()
    (root / "handins" / "ann.ipynb").symlink_to("/etc/passwd")
    graded = grade_class(root, lab, root / "handins", PLAIN)
    assert remarks(graded)["ann"] == "not a regular file"
    changes = [one for one in read_log(root / "course" / "scores.jsonl") if one.student == "ann"]
    lost = {one.cell: (one.old, one.new, one.cause) for one in changes[-2:]}
    assert lost == {
        "test_double": (20.0, 0.0, "hand-in not taken"),
        "test_area": (30.0, 0.0, "hand-in not taken"),
    }
