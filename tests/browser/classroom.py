"""What people of a class do in JupyterHub's pages: sign in, fetch a lab, answer, hand in, read their feedback."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from playwright.sync_api import Locator, Page
from playwright.sync_api import TimeoutError as PlaywrightTimeout

from tests.browser.hub import PASSWORD, Hub
from tests.browser.notebook import CELL, IDLE, OPEN_SECONDS

CLEAN = "() => !document.querySelector('#jp-main-dock-panel .lm-TabBar-tab.lm-mod-current.jp-mod-dirty')"


@dataclass
class Person:
    """Somebody with an account, in a browser page of their own.

    Attributes
    ----------
    pictures : Path or None
        Folder for screenshots, if any are wanted.
    """

    hub: Hub
    name: str
    page: Page
    pictures: Path | None

    def __post_init__(self) -> None:
        self.page.set_default_timeout(OPEN_SECONDS * 1000)

    @property
    def url(self) -> str:
        """Where the person's own server is."""
        return f"{self.hub.url}/user/{self.name}"

    def sign_in(self) -> None:
        """Sign in, and wait until the person's server has answered."""
        self.page.goto(self.hub.url)
        self.page.fill("#username_input", self.name)
        self.page.fill("#password_input", PASSWORD)
        self.page.click("#login_submit")
        self.page.wait_for_url(f"{self.url}/**")

    def picture(self, name: str) -> None:
        if self.pictures:
            self.pictures.mkdir(parents=True, exist_ok=True)
            self.page.screenshot(path=self.pictures / f"hub_{self.name}_{name}.png", animations="disabled")


class Student(Person):
    """A student, who works with nbgrader's list of assignments in JupyterLab."""

    def open_list(self) -> None:
        """Open the list from JupyterLab's menu, or bring it to the front."""
        self.page.click(".lm-MenuBar-itemLabel:text-is('Nbgrader')")
        self.page.click(".lm-Menu-itemLabel:text-is('Assignment List')")
        self.page.locator("#refresh_assignments_list").click()

    def _entry(self, status: str, lab: str) -> Locator:
        return self.page.locator(f"#{status}_assignments_list > .list_item", has_text=lab)

    def fetch(self, lab: str) -> None:
        self._entry("released", lab).get_by_role("button", name="Fetch").click()
        self._entry("fetched", lab).wait_for()

    def open_lab(self, lab: str) -> None:
        """Open a fetched lab's notebook from the list; whenever the list is loaded again, the lab is folded again."""
        entry = self._entry("fetched", lab)
        notebook = entry.locator(".nested_list_item a", has_text=lab)
        for _ in range(20):
            if not notebook.is_visible():
                entry.locator(".assignment-notebooks-link").click()
            with suppress(PlaywrightTimeout):
                notebook.click(timeout=2000)
                break
        self.page.wait_for_selector(CELL)
        self.page.wait_for_function(IDLE, polling=500)

    def answer(self, start: str, source: str) -> None:
        """Put `source` in place of the code cell that begins with `start`."""
        cell = self.page.locator(".jp-Notebook .jp-CodeCell", has_text=start)
        cell.locator(".cm-content").click()
        self.page.keyboard.press("Control+A")
        self.page.keyboard.insert_text(source)

    def save(self) -> None:
        self.page.keyboard.press("Control+S")
        self.page.wait_for_function(CLEAN, polling=500)

    def hand_in(self, lab: str) -> None:
        self._entry("fetched", lab).get_by_role("button", name="Submit").click()
        self._entry("submitted", lab).wait_for()

    def fetch_feedback(self, lab: str) -> None:
        entry = self._entry("submitted", lab)
        entry.get_by_role("button", name="Fetch Feedback").click()
        entry.get_by_text("(view feedback)").wait_for()

    def read_feedback(self, lab: str) -> str:
        """Open the feedback from the list; return its text."""
        self._entry("submitted", lab).get_by_text("(view feedback)").click()
        self.page.locator(".jp-DirListing-item", has_text=f"{lab}.html").dblclick()
        body = self.page.frame_locator(".jp-HTMLViewer iframe").locator("body")
        body.get_by_text("Score:").first.wait_for()
        return " ".join(body.inner_text().split())
