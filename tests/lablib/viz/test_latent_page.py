"""The plane of codes in a browser: the point moves by mouse and keys, and the decoded image follows."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from lablib import viz

sync_api = pytest.importorskip("playwright.sync_api")
pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    from tests.browser.notebook import browsing

    images = np.arange(25).reshape(5, 5, 1, 1) / 24
    widget = viz.code_plane(images, [[1.5, 0.0], [-3.0, 3.0]], [7, 1])
    path = tmp_path_factory.mktemp("page") / "plane.html"
    path.write_text(widget.to_html(), encoding="utf-8")
    faults: list[str] = []
    with (
        sync_api.sync_playwright() as playwright,
        browsing(playwright, tmp_path_factory.mktemp("profile")) as context,
    ):
        shown = context.new_page()
        shown.on("pageerror", lambda error: faults.append(str(error)))
        shown.goto(path.as_uri())
        yield shown
    assert faults == []


def pixel(page: Any) -> float:
    return float(page.locator(".image rect").first.get_attribute("fill-opacity"))


def test_it_starts_in_the_middle_and_arrow_keys_move_it(page):
    assert page.inner_text(".where") == "z = (0.0, 0.0)" and pixel(page) == pytest.approx(12 / 24, abs=0.01)
    page.locator(".plane").focus()
    page.keyboard.press("ArrowRight")
    assert page.inner_text(".where") == "z = (1.5, 0.0)" and pixel(page) == pytest.approx(13 / 24, abs=0.01)
    assert "The nearest is 0.00 away" in page.inner_text(".status")
    page.keyboard.press("ArrowUp")
    assert page.inner_text(".where") == "z = (1.5, 1.5)" and pixel(page) == pytest.approx(8 / 24, abs=0.01)


def test_a_click_puts_the_point_and_the_edge_holds_it(page):
    page.locator(".plane").click(position={"x": 2, "y": 2})
    assert page.inner_text(".where") == "z = (-3.0, 3.0)" and pixel(page) == 0
    page.keyboard.press("ArrowLeft")
    assert page.inner_text(".where") == "z = (-3.0, 3.0)"
    assert page.locator(".plane").get_attribute("aria-valuetext") == "z = (-3.0, 3.0)"
