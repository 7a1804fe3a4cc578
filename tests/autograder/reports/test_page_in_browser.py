"""The report in a real browser: its charts are drawn, its tables sort, and nothing of a hand-in runs."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import BrowserContext, Page, sync_playwright

from autograder.reports.page import ClassReport, render
from autograder.reports.similarity import compare
from tests.browser.notebook import browsing

from .conftest import Graded
from .hostile import hostile

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[BrowserContext]:
    with sync_playwright() as playwright, browsing(playwright, tmp_path_factory.mktemp("profile")) as context:
        yield context


@pytest.fixture
def page(browser: BrowserContext, graded: Graded, tmp_path: Path) -> Iterator[Page]:
    """The hostile class's report, opened; a script error, a request or a breach of its policy fails the test."""
    bad, people = hostile(graded)
    similarity = compare(bad.lab, bad.answers, {}, {})
    html = render(ClassReport(bad.lab, bad.result.students, bad.verdicts, similarity, people))
    (tmp_path / "report.html").write_text(html, encoding="utf-8")
    page, complaints = browser.new_page(), []
    page.on("console", lambda message: complaints.append(message.text))
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("request", lambda request: complaints.append(request.url))
    page.goto((tmp_path / "report.html").as_uri())
    yield page
    page.close()
    assert complaints == [(tmp_path / "report.html").as_uri()]


def test_charts_are_drawn(page: Page) -> None:
    page.locator("#distribution .bars .point").first.wait_for()
    assert page.locator("#distribution .bars .point").count() == 20
    assert page.locator("#exercises .legendtext").count() == 9
    ticks = page.locator("#exercises .ytick text")
    heights = ticks.evaluate_all(
        "all => Object.fromEntries(all.map(t => [t.textContent, t.getBoundingClientRect().y]))"
    )
    assert sorted(heights, key=heights.get) == ["test_double", "test_area", "explain_area"]


def test_nothing_of_a_hand_in_runs(page: Page) -> None:
    page.evaluate("for (const each of document.querySelectorAll('details')) each.open = true")
    for row in page.locator("#hand-ins tbody tr").all():
        row.hover()
    page.mouse.wheel(0, -100_000)
    page.locator("#exercises").hover()
    assert page.title() == "lab90_tiny: class report"
    assert page.locator("main :is(script, img, iframe, a[href^='javascript'])").count() == 0


def test_a_script_that_slips_in_does_not_run(browser: BrowserContext, graded: Graded, tmp_path: Path) -> None:
    html = render(ClassReport(graded.lab, graded.result.students, graded.verdicts))
    slipped = html.replace("</main>", "<script>document.title = 'stolen'</script></main>")
    slipped = slipped.replace("<h1>", "<h1 tabindex=0 onfocus=\"document.title = 'stolen'\" autofocus>")
    (tmp_path / "report.html").write_text(slipped, encoding="utf-8")
    page = browser.new_page()
    page.goto((tmp_path / "report.html").as_uri())
    page.locator("#distribution .bars .point").first.wait_for()
    page.locator("h1").focus()
    assert page.title() == "lab90_tiny: class report"
    page.close()


def test_a_press_on_a_title_sorts_by_numbers(page: Page) -> None:
    header = page.locator("#hand-ins th", has_text="total")
    column = "rows => rows.map(row => row.cells[row.cells.length - 2].innerText)"
    for direction in ("descending", "ascending"):
        header.click()
        assert header.get_attribute("aria-sort") == direction
        totals = [float(total) for total in page.locator("#hand-ins tbody tr").evaluate_all(column)]
        assert totals == sorted(totals, reverse=direction == "descending")


def test_the_page_fits_a_laptop(page: Page) -> None:
    page.set_viewport_size({"width": 1280, "height": 720})
    assert page.evaluate("document.documentElement.scrollWidth") <= 1280
