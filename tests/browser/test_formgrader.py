"""A class in formgrader, from Autograde to feedback. The pictures are left in build/screenshots/."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import BrowserContext, Page

from autograder import bridge, demo, master
from autograder.course import Course
from autograder.master import Lab
from tests.browser.formgrader import Formgrader
from tests.browser.server import Server, serving

pytestmark = [pytest.mark.browser, pytest.mark.slow]

ROOT = Path(__file__).resolve().parents[2]
LAB = master.find(ROOT, "lab00")
WRONG, MESSAGE = "bytes_of_view", "AssertionError: distinct_bytes(base[0].expand(3, 4)) is 48, expected 16."
EXPLANATION = "explain_column"
COMMENT = "The cause is right; the stride is missing."

STOLEN = "document.title='stolen'"
MARKUP = (
    f'</pre></script><script>{STOLEN}</script><img src=x onerror="{STOLEN}"><svg onload="{STOLEN}"></svg>'
    f'<iframe srcdoc="<script>parent.{STOLEN}</script>"></iframe><a href="javascript:{STOLEN}">press</a>'
)
MARKDOWN = f"[press](javascript:{STOLEN}) ![x](https://outside.invalid/x.png) $\\href{{javascript:{STOLEN}}}{{x}}$"
LIVE = "#notebook-container :is(script, iframe, img, svg, [onerror], [onload], a[href^='javascript:'])"


def _hand_ins(lab: Lab) -> dict[str, dict[str, str]]:
    """Answers by student: right ones, a wrong one, and some that try to run a script where they are shown."""
    right = {cell.id: cell.source for cell in bridge.solution_notebook(lab).cells}
    (wrong,) = (each for each in lab.wrong_answers if each.mistake == WRONG)
    hostile = {
        "centre_rows": f"{right['centre_rows']}\nprint({MARKUP!r})",
        wrong.cell: f"def {wrong.cell}(x):\n    raise ValueError({MARKUP!r})  # {MARKUP}",
        EXPLANATION: f"{MARKUP}\n\n{MARKDOWN}",
    }
    return {"hostile": right | hostile, "right": right, "wrong": right | {wrong.cell: wrong.source}}


@pytest.fixture(scope="module")
def course(tmp_path_factory: pytest.TempPathFactory) -> Course:
    """A course whose hand-ins nobody has graded."""
    stage = tmp_path_factory.mktemp("stage")
    (stage / "labs").mkdir()
    shutil.copy(ROOT / "nbgrader_config.py", stage)
    shutil.copytree(LAB.path.parent, stage / "solutions" / LAB.name)
    course = Course(stage)
    course.prepare(LAB)
    for student, answers in _hand_ins(LAB).items():
        path = course.submitted(student, LAB)
        path.parent.mkdir(parents=True)
        path.write_text(bridge.to_text(demo.answered(LAB, answers)), encoding="utf-8")
    return course


@pytest.fixture(scope="module")
def server(course: Course) -> Iterator[Server]:
    """JupyterLab at the course's root, from where `autograder` can be imported."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("PYTHONPATH", str(ROOT), prepend=os.pathsep)
        with serving(course.root) as running:
            yield running


@pytest.fixture(scope="module")
def formgrader(server: Server, browser: BrowserContext) -> Iterator[Formgrader]:
    page = browser.new_page()
    yield Formgrader(server, page, ROOT / "build" / "screenshots")
    page.close()


@pytest.fixture(scope="module")
def autograded(formgrader: Formgrader) -> Formgrader:
    """Two of the hand-ins were graded by the button, reached as an instructor reaches it."""
    formgrader.page.goto(f"{formgrader.server.url}/formgrader?token={formgrader.server.token}")
    formgrader.page.locator("#main-table tr", has_text=LAB.name).locator(".num-submissions a").click()
    assert [formgrader.press(student, "autograde") for student in ("wrong", "hostile")] == ["Success", "Success"]
    return formgrader


@pytest.fixture(scope="module")
def marked(autograded: Formgrader) -> Formgrader:
    """The explanation of `wrong` has a mark and a comment."""
    autograded.open_answers(LAB.name, "wrong")
    autograded.fill(EXPLANATION, "1.5")
    autograded.fill(f"{EXPLANATION}-comment", COMMENT)
    autograded.picture("marked")
    return autograded


@pytest.fixture(scope="module")
def returned(marked: Formgrader) -> Formgrader:
    """Both graded hand-ins have feedback."""
    marked.open(f"manage_submissions/{LAB.name}")
    assert [marked.press(student, "generate-feedback") for student in ("wrong", "hostile")] == ["Success", "Success"]
    return marked


def _text(page: Page) -> str:
    return " ".join(page.locator("body").inner_text().split())


def _lines(source: str) -> list[str]:
    """Lines as a page shows them; short ones may stand there for other reasons."""
    return [line for line in (" ".join(line.strip("- ").split()) for line in source.splitlines()) if len(line) > 20]


def _secret_lines() -> list[str]:
    """Lines of hidden tests that the released notebook does not show anywhere."""
    released = "\n".join(cell.source for cell in bridge.release_notebook(LAB).cells)
    tests = [line for cell in LAB.test_cells for line in _lines(cell.source)]
    return [line for line in tests if line not in " ".join(released.split())]


def test_the_button_shows_the_judges_score(autograded: Formgrader) -> None:
    autograded.open(f"manage_submissions/{LAB.name}")
    autograded.row("wrong").wait_for()
    autograded.picture("submissions")
    for student in ("wrong", "hostile"):
        assert autograded.row(student).locator(".score").inner_text() == "6 / 10"
        assert autograded.row(student).locator(".status").inner_text() == "needs manual grading"
    assert autograded.row("right").locator(".status").inner_text() == "needs autograding"


def test_the_rubric_stands_above_the_explanation(autograded: Formgrader) -> None:
    autograded.open_answers(LAB.name, "wrong")
    answer = autograded.page.locator(".nbgrader_cell", has=autograded.page.locator(f"#{EXPLANATION}"))
    answer.scroll_into_view_if_needed()
    autograded.picture("rubric")
    above = answer.locator("xpath=ancestor::div[contains(@class, 'cell')][1]/preceding-sibling::div[1]")
    rubric = " ".join(above.inner_text().split())
    assert all(line in rubric for line in _lines(LAB.rubric(EXPLANATION).source))
    assert all(line in _text(autograded.page) for line in _secret_lines())


def test_a_mark_changes_the_total(marked: Formgrader) -> None:
    marked.open(f"manage_submissions/{LAB.name}")
    assert marked.row("wrong").locator(".score").inner_text() == "7.5 / 10"
    assert marked.row("wrong").locator(".status").inner_text() == "graded"
    assert marked.row("hostile").locator(".score").inner_text() == "6 / 10"


def test_feedback_explains_without_secrets(returned: Formgrader, course: Course) -> None:
    returned.page.goto(course.feedback("wrong", LAB).as_uri())
    returned.picture("feedback")
    returned.page.get_by_text(MESSAGE).scroll_into_view_if_needed()
    returned.picture("feedback_message")
    text = _text(returned.page)
    assert "(Score: 7.5 / 10.0)" in text
    assert COMMENT in text
    secrets = [*_secret_lines(), *_lines(LAB.rubric(EXPLANATION).source)]
    assert len(secrets) > 10
    assert not [line for line in secrets if line in text]


@pytest.mark.parametrize("shown", ["answers", "feedback"])
def test_nothing_of_a_hostile_hand_in_runs(returned: Formgrader, course: Course, shown: str) -> None:
    if shown == "answers":
        returned.open_answers(LAB.name, "hostile")
    else:
        returned.page.goto(course.feedback("hostile", LAB).as_uri())
    returned.page.get_by_text(f"ValueError: {MARKUP}").scroll_into_view_if_needed()
    returned.picture(f"hostile_{shown}")
    assert returned.page.title() == LAB.name
    assert returned.page.locator(LIVE).count() == 0
    assert returned.problems == []
