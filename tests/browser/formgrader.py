"""nbgrader's formgrader in headless Chromium: find a student's row, press its buttons, open answers for marking."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path

from playwright.sync_api import Locator, Page, Route

from tests.browser.server import Server

JUDGE_SECONDS = 120

# What is written into a field before then is lost.
LISTENING = "() => window.formgrader?.grades?.loaded && formgrader.comments?.loaded"

# nbgrader's pages load it for formulas. Here nothing leaves the machine, so that it is missing everywhere alike.
MATHJAX, WITHOUT_MATHJAX = "https://cdnjs.cloudflare.com/ajax/libs/mathjax/", "MathJax is not defined"


@dataclass
class Formgrader:
    """A course in one browser page, and everything that its pages did but should not do.

    Attributes
    ----------
    pictures : Path
        Folder for screenshots.
    problems : list of str
        Errors in JavaScript, dialogues that opened, and requests that would leave the machine.
    """

    server: Server
    page: Page
    pictures: Path
    problems: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.pictures.mkdir(parents=True, exist_ok=True)
        self.page.route("**/*", self._keep_inside)
        self.page.on("dialog", lambda dialog: self.problems.append(f"dialogue: {dialog.message}"))
        self.page.on("pageerror", lambda error: self._note_error(str(error)))

    def _keep_inside(self, route: Route) -> None:
        url = route.request.url
        if url.startswith((self.server.url, "file:", "data:")):
            route.continue_()
            return
        route.abort()
        if not url.startswith(MATHJAX):
            self.problems.append(f"outside request: {url}")

    def _note_error(self, text: str) -> None:
        if text != WITHOUT_MATHJAX:
            self.problems.append(f"page error: {text}")

    def open(self, path: str) -> None:
        """Open the page at `path` below formgrader's address."""
        self.page.goto(f"{self.server.url}/formgrader/{path}?token={self.server.token}")

    def row(self, student: str) -> Locator:
        """The student's row in the table of hand-ins."""
        name = self.page.locator("td.student-id", has_text=re.compile(f"^{student}$"))
        return self.page.locator("#main-table tr").filter(has=name)

    def press(self, student: str, button: str) -> str:
        """Press a button in the student's row; return "Success", or all that the dialogue says."""
        return self._press(self.row(student), button)

    def press_for_all(self, lab: str, button: str) -> str:
        """Press a button in the lab's row of the first page; return "Success", or all that the dialogue says."""
        return self._press(self.lab_row(lab), button)

    def lab_row(self, lab: str) -> Locator:
        """The lab's row in the table of labs."""
        return self.page.locator("#main-table tr", has=self.page.locator(".name", has_text=lab))

    def _press(self, row: Locator, button: str) -> str:
        row.locator(f".{button} a").click()
        dialogue = self.page.locator(".modal.in")
        title = dialogue.locator(".modal-title").inner_text(timeout=JUDGE_SECONDS * 1000)
        said = title if title == "Success" else dialogue.inner_text()
        dialogue.get_by_role("button", name="OK").click()
        dialogue.wait_for(state="hidden")
        return said

    def open_answers(self, lab: str, student: str) -> None:
        """Open a hand-in for marking, by way of the table that hides names at first."""
        self.open(f"gradebook/{lab}/{lab}")
        link = self.page.locator("a.name-shown", has_text=re.compile(f"^{student}$"))
        self.page.locator("#main-table tr").filter(has=link).locator(".reveal .name-hidden").click()
        link.click()
        self.page.wait_for_function(LISTENING)

    def fill(self, name: str, text: str) -> None:
        """Write into the field `name` of a hand-in, and wait until the gradebook has it."""
        with self.page.expect_response(lambda answer: answer.request.method == "PUT") as saved:
            self.page.locator(f"#{name}").fill(text)
            self.page.locator(f"#{name}").blur()
        assert saved.value.ok

    def picture(self, name: str) -> None:
        self.page.screenshot(path=self.pictures / f"formgrader_{name}.png", animations="disabled")
