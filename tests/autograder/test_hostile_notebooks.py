"""Attacks that reach grading through the notebook's file: each gets what its answers are worth, and hurts nobody.

Every attacker starts with full marks in the gradebook: a hand-in that grading only stumbles over would keep them.
"""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass
from pathlib import Path

import nbformat
import pytest
from bs4 import BeautifulSoup

from autograder import gradebook, master
from autograder.course import Course
from autograder.grade import Options, grade_class
from autograder.handin import REMARKS_CELL
from autograder.master import Lab
from autograder.preprocessor import JUDGE_CELL

from . import plain_judge
from .conftest import ROOT, write_lab
from .hand_ins import TESTS
from .hostile import cells, encodings, files, metadata
from .hostile.attack import FILE, STOLEN, notebook_of

pytestmark = pytest.mark.slow

ATTACKS = {**metadata.ATTACKS, **cells.ATTACKS, **encodings.ATTACKS, **files.ATTACKS}
NEIGHBOURS = {"ann": {}, "zoe": {"double": "def double(x):\n    return x * x"}}  # the first and the last of the class
THEIR_SCORES = {"ann": (20, 30), "zoe": (0, 30)}
SANDBOXED = [
    "tags_that_skip_the_test",
    "a_right_answer_and_then_a_wrong_one",
    "other_code_in_locked_cells",
    "bytes_of_zero",
    "halves_of_surrogate_pairs",
    "modules_that_shadow_others",
]


@dataclass(frozen=True)
class Graded:
    """A class of attackers and two neighbours that was graded, with what the gradebook holds of it."""

    course: Course
    lab: Lab
    scores: dict[str, tuple[float | None, ...]]
    explained: dict[str, float | None]

    def told(self, student: str) -> list[str]:
        """What stands above the student's notebook."""
        notebook = nbformat.read(self.course.autograded(student, self.lab), as_version=4)
        return [cell.source for cell in notebook.cells if cell.id in (REMARKS_CELL, JUDGE_CELL)]


def _class_of(root: Path, attackers: list[str], sandbox: str) -> tuple[Course, Lab]:
    """A course in which everybody has handed in, and every attacker has full marks from an earlier time."""
    write_lab(root)
    shutil.copy(ROOT / "nbgrader_config.py", root)
    lab, course = master.find(root, "lab90"), Course(root, sandbox)
    course.prepare(lab)
    for student, answers in NEIGHBOURS.items():
        path = course.submitted(student, lab)
        path.parent.mkdir(parents=True)
        path.write_text(json.dumps(notebook_of(lab, **answers)))
    for student in attackers:
        ATTACKS[student].submit(lab, course.submitted(student, lab).parent)
    _give_full_marks(course, lab, attackers)
    return course, lab


def _give_full_marks(course: Course, lab: Lab, students: list[str]) -> None:
    with course.gradebook() as book:
        for student in students:
            gradebook.reset(book, lab.name, student)
            for grade in book.find_submission_notebook(lab.name, lab.name, student).grades:
                grade.auto_score = grade.max_score  # pyright: ignore[reportAttributeAccessIssue]
        book.db.commit()


def _graded(course: Course, lab: Lab) -> Graded:
    with course.gradebook() as book:
        entries = gradebook.entries(book, lab.name)
    marks = {student: entry.marks for student, entry in entries.items()}
    scores = {student: tuple(mark[test].auto for test in TESTS) for student, mark in marks.items()}
    return Graded(course, lab, scores, {student: mark["explain_area"].score for student, mark in marks.items()})


@pytest.fixture(scope="module")
def by_make_grade(tmp_path_factory: pytest.TempPathFactory) -> Graded:
    course, lab = _class_of(tmp_path_factory.mktemp("graded"), list(ATTACKS), "none")
    found = grade_class(course.root, lab, None, Options(judge=plain_judge.NAME, sandbox="none", workers=1))
    assert found.unjudged == []
    assert not [one.remarks for one in found.result.students if "nbgrader failed" in str(one.remarks)]
    assert [one.student for one in found.result.students] == sorted([*ATTACKS, *NEIGHBOURS])
    return _graded(course, lab)


@pytest.fixture(scope="module")
def by_nbgrader(tmp_path_factory: pytest.TempPathFactory, by_make_grade: Graded) -> Graded:
    """The same class, graded by nbgrader's own command with the verdicts that are kept."""
    course, lab = _class_of(tmp_path_factory.mktemp("commanded"), list(ATTACKS), "none")
    shutil.copytree(by_make_grade.course.store.folder, course.store.folder)
    shutil.copy(by_make_grade.course.folder / "seed.key", course.folder)
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("ADLS_SANDBOX", "none")
        course.nbgrader("autograde", lab.name)  # which raises where one hand-in fails
    return _graded(course, lab)


@pytest.fixture(scope="module", params=["by_make_grade", "by_nbgrader"])
def graded(request: pytest.FixtureRequest) -> Graded:
    return request.getfixturevalue(request.param)


@pytest.mark.parametrize("name", ATTACKS)
def test_an_attack_gets_what_its_answers_are_worth(graded: Graded, name: str) -> None:
    attack = ATTACKS[name]
    assert graded.scores[name] == attack.scores
    told = graded.told(name)
    assert len(told) == bool(attack.remark)
    assert all(attack.remark in text for text in told)


def test_the_neighbours_scores_stand(graded: Graded) -> None:
    assert {student: graded.scores[student] for student in NEIGHBOURS} == THEIR_SCORES
    assert not any(graded.told(student) for student in NEIGHBOURS)


def test_explanations_have_no_points_before_a_person_gives_some(graded: Graded) -> None:
    assert not any(graded.explained.values())


def test_nothing_but_notebooks_of_bounded_size_is_kept(graded: Graded) -> None:
    kept = [path for path in (graded.course.folder / "autograded").rglob("*") if not path.is_dir()]
    assert {path.name for path in kept} == {FILE}
    assert not [path for path in kept if path.is_symlink() or path.stat().st_size > 2**20]


def test_the_marker_reads_the_masters_rubric_alone(graded: Graded) -> None:
    page = graded.course.autograded("a_rubric_of_its_own", graded.lab).read_text(encoding="utf-8")
    assert "names the unrolled rings" in page
    assert "for anything" not in page


def test_no_page_runs_what_a_notebook_brought(by_make_grade: Graded) -> None:
    pages = [by_make_grade.course.feedback(student, by_make_grade.lab).read_text() for student in ATTACKS]
    assert not [page for page in pages if len(page) > 2**20]
    reached = [BeautifulSoup(page, features="html.parser") for page in pages if STOLEN in page]
    assert reached  # as text
    for page in reached:
        assert not [script for script in page.select("script") if STOLEN in script.text]
        assert not page.select("iframe, embed, object, [onerror], [onload], a[href^=javascript]")


@pytest.fixture(scope="module")
def by_the_judge(tmp_path_factory: pytest.TempPathFactory) -> Graded:
    """A handful, judged in the sandbox."""
    course, lab = _class_of(tmp_path_factory.mktemp("judged"), SANDBOXED, "bubblewrap")
    assert grade_class(course.root, lab, None, Options(workers=1)).unjudged == []
    return _graded(course, lab)


@pytest.mark.parametrize("name", SANDBOXED)
def test_the_judge_in_its_sandbox_says_the_same(by_the_judge: Graded, name: str) -> None:
    assert by_the_judge.scores[name] == ATTACKS[name].scores


def test_the_neighbours_of_the_sandboxed_keep_their_scores(by_the_judge: Graded) -> None:
    assert {student: by_the_judge.scores[student] for student in NEIGHBOURS} == THEIR_SCORES
