"""The plane of codes in a browser: the point moves by mouse and keys, and the decoded image follows."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from lablib import viz

pytestmark = pytest.mark.browser


@pytest.fixture
def page(show: Callable[[Any], Any]) -> Any:
    images = np.arange(25).reshape(5, 5, 1, 1) / 24
    return show(viz.code_plane(images, [[1.5, 0.0], [-3.0, 3.0]], [7, 1]))


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


def test_no_key_leaves_the_widget_for_jupyterlab(page):
    page.evaluate("window.heard = []; addEventListener('keydown', event => heard.push(event.key))")
    page.locator(".plane").focus()
    for key in ("d", "ArrowRight"):
        page.keyboard.press(key)
    assert page.evaluate("heard") == []
