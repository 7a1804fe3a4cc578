"""A class on a JupyterHub, by clicks: a lab is released, fetched, answered, handed in, graded and given back."""

from __future__ import annotations

import os
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from nbgrader.api import Gradebook
from playwright.sync_api import Browser, sync_playwright

from tests.autograder.conftest import write_lab
from tests.browser.classroom import Person, Student
from tests.browser.formgrader import Formgrader
from tests.browser.hub import REPOSITORY, Hub, hub
from tests.browser.notebook import FLAGS, VIEWPORT, chromium
from tests.browser.server import Server

pytestmark = [
    pytest.mark.browser,
    pytest.mark.slow,
    pytest.mark.skipif(os.geteuid() != 0, reason="only root makes accounts, and starts servers for others"),
]

ROOT = Path(__file__).resolve().parents[2]
PICTURES = ROOT / "build" / "screenshots"
LAB = "lab90_tiny"
DOUBLE, AREA = "def double(x):\n    return x + x", "def area(radius):\n    return math.pi * radius**2"
ANSWERS = {
    "ada": {"double": DOUBLE, "area": AREA},
    "bob": {"double": "def double(x):\n    return x * x", "area": AREA},
    "cyd": {},
}
SCORES = {"ada": 50, "bob": 30, "cyd": 0}


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hub]:
    """A hub with three students and the tiny lab."""
    folder = tmp_path_factory.mktemp("masters")
    write_lab(folder)
    with hub(list(ANSWERS), folder / "solutions") as started:
        yield started


@pytest.fixture(scope="module")
def chrome() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium(), args=FLAGS, headless=True)
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def pictures(request: pytest.FixtureRequest) -> Path | None:
    return PICTURES if request.config.getoption("--pictures") else None


@pytest.fixture(scope="module")
def instructor(running: Hub, chrome: Browser, pictures: Path | None) -> Formgrader:
    """The instructor, signed in, in formgrader."""
    person = Person(running, "instructor", chrome.new_context(viewport=VIEWPORT).new_page(), pictures)
    person.sign_in()
    return Formgrader(Server(running.path(REPOSITORY), person.url, ""), person.page, PICTURES)


@pytest.fixture(scope="module")
def released(instructor: Formgrader) -> Formgrader:
    assert [instructor.press_for_all(LAB, button) for button in ("assign", "release")] == ["Success", "Success"]
    return instructor


@pytest.fixture(scope="module")
def students(running: Hub, released: Formgrader, chrome: Browser, pictures: Path | None) -> dict[str, Student]:
    """Three who have handed in: all is right, one answer is wrong, a blank after the lab was due."""
    found = {}
    for name, answers in ANSWERS.items():
        if not answers:
            _set_due_date(released, datetime.now(UTC))
        one = Student(running, name, chrome.new_context(viewport=VIEWPORT).new_page(), pictures)
        one.sign_in()
        one.open_list()
        one.fetch(LAB)
        one.open_lab(LAB)
        for cell, source in answers.items():
            one.answer(f"def {cell}", source)
        one.save()
        one.picture("answered")
        one.open_list()
        one.hand_in(LAB)
        one.picture("handed_in")
        found[name] = one
    return found


def _set_due_date(formgrader: Formgrader, when: datetime) -> None:
    formgrader.lab_row(LAB).locator(".edit a").click()
    dialogue = formgrader.page.locator(".modal.in")
    dialogue.locator(".modal-duedate").fill(when.replace(tzinfo=None).isoformat(timespec="milliseconds"))
    dialogue.locator(".modal-timezone").fill("+0000")
    dialogue.get_by_role("button", name="Save").click()
    dialogue.wait_for(state="hidden")


@pytest.fixture(scope="module")
def graded(released: Formgrader, students: dict[str, Student]) -> Formgrader:
    """Everybody's hand-in was collected, judged and given back."""
    released.open("")
    assert released.press_for_all(LAB, "collect") == "Success"
    released.lab_row(LAB).locator(".num-submissions a").click()
    assert [released.press(name, "autograde") for name in students] == ["Success"] * len(students)
    released.picture("hub_submissions")
    released.open("")
    for button in ("generate-feedback", "release-feedback"):
        assert released.press_for_all(LAB, button) == "Success"
    return released


def test_the_judges_scores_are_in_formgrader(graded: Formgrader, running: Hub) -> None:
    graded.open(f"manage_submissions/{LAB}")
    shown = {name: graded.row(name).locator(".score").inner_text() for name in SCORES}
    assert shown == {name: f"{score} / 100" for name, score in SCORES.items()}
    assert graded.problems == []


def test_who_was_late_is_known(graded: Formgrader, running: Hub) -> None:
    with Gradebook(f"sqlite:///{running.path(REPOSITORY)}/course/gradebook.db", "adls") as book:
        due: Any = book.find_assignment(LAB).duedate
        handed_in: dict[str, Any] = {name: book.find_submission(LAB, name).timestamp for name in SCORES}
    assert handed_in["ada"] < handed_in["bob"] < due < handed_in["cyd"]


@pytest.mark.parametrize("name", SCORES)
def test_everybody_reads_their_own_feedback(
    graded: Formgrader, students: dict[str, Student], running: Hub, name: str
) -> None:
    one = students[name]
    one.open_list()
    one.fetch_feedback(LAB)
    one.picture("list")
    assert f"(Score: {SCORES[name]}.0 / 100.0)" in one.read_feedback(LAB)
    one.picture("feedback")
    (page,) = running.path(f"/home/{name}/{LAB}/feedback").glob("*/*.html")
    assert "secret_value" not in page.read_text(encoding="utf-8")


@pytest.mark.parametrize(
    "place",
    [f"{REPOSITORY}/solutions", f"{REPOSITORY}/course/gradebook.db", "/home/bob", "/srv/adls-exchange/adls/feedback"],
)
def test_a_student_reads_nothing_else(graded: Formgrader, running: Hub, place: str) -> None:
    done = running.run("ada", "ls", place)
    assert (done.returncode, done.stdout) == (2, ""), place
    assert "Permission denied" in done.stderr


def test_a_student_has_the_labs_and_cannot_change_them(students: dict[str, Student], running: Hub) -> None:
    assert running.run("ada", "ls", "/home/ada/adls-labs/labs").stdout.split() == [LAB]
    assert "Permission denied" in running.run("ada", "touch", f"/home/ada/adls-labs/labs/{LAB}/x").stderr
    assert "No such file" in running.run("ada", "ls", "/home/ada/adls-labs/solutions").stderr


def test_a_student_cannot_use_formgrader(students: dict[str, Student], running: Hub) -> None:
    page = students["ada"].page.context.new_page()
    for place, status in ((f"{running.url}/user/ada/formgrader", 404), (f"{running.url}/user/instructor/", 403)):
        answer = page.goto(place)
        assert answer is not None and answer.status == status, place
    page.close()
