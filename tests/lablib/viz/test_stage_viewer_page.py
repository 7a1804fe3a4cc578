"""The compile-stage viewer in a browser: source and stage follow each other, and long stages stay quick."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest

from lablib import viz

pytestmark = pytest.mark.browser

LONG = 5000


@pytest.fixture
def open_page(show: Callable[[Any], Any]) -> Callable[[Any], Any]:
    def open_viewer(compiled: Any) -> Any:
        page = show(viz.compile_stages(compiled))
        page.wait_for_selector(".stage-row")
        return page

    return open_viewer


def numbers(page: Any, selector: str) -> list[int]:
    return [int(text) for text in page.locator(f"{selector} .number").all_inner_texts()]


def test_a_source_line_lights_its_lines_and_the_other_way_round(open_page, compiled):
    page = open_page(compiled)
    page.locator(".source-row").nth(1).hover()
    assert numbers(page, ".stage-row.active") == [3, 4]
    assert "Source line 2: 2 lines of SASS, the first at 3" in page.inner_text(".status")
    page.locator(".stage-row", has_text="STG").hover()
    assert numbers(page, ".source-row.active") == [3]


def test_a_click_holds_the_line_and_escape_lets_go(open_page, compiled):
    page = open_page(compiled)
    page.locator(".source-row").nth(1).click()
    page.locator(".source-row").nth(2).hover()
    assert numbers(page, ".source-row.active") == [2]
    page.get_by_role("tab", name="TTIR").click()
    assert numbers(page, ".stage-row.active") == [1], "a held line stays held in another stage"
    page.keyboard.press("Escape")
    page.mouse.move(0, 0)
    assert numbers(page, ".source-row.active") == []


def test_the_keyboard_reaches_the_lines_that_became_something(open_page, compiled):
    page = open_page(compiled)
    page.locator(".source-body").focus()
    page.keyboard.press("ArrowDown")
    assert numbers(page, ".source-row.active") == [2], "line 1 became nothing"
    page.keyboard.press("ArrowDown")
    assert numbers(page, ".source-row.active") == [3]


def test_kinds_and_text_filter_the_lines(open_page, compiled):
    page = open_page(compiled)
    page.locator(".chip.global").click()
    assert numbers(page, ".stage-row") == [3, 6]
    page.get_by_role("searchbox").fill("stg")
    assert numbers(page, ".stage-row") == [6]
    assert page.locator(".found").all_inner_texts() == ["STG"]
    page.get_by_role("searchbox").fill("nothing like it")
    assert "No line of this stage matches" in page.inner_text(".stage-body")


def test_a_long_stage_builds_only_the_rows_in_view(open_page, compiled):
    sass = "\n".join(f"/*{16 * i:04x}*/ IMAD R{i % 255}, R1, R2, RZ ;" for i in range(LONG))
    line_map = {**compiled.line_map, "sass": [2] * (LONG - 1) + [3]}
    changes = {"stages": {**compiled.stages, "sass": sass}, "line_map": line_map}
    page = open_page(SimpleNamespace(**{**vars(compiled), **changes}))
    assert page.locator(".stage-row").count() < 100
    page.locator(".source-row").nth(2).click()
    page.wait_for_function("document.querySelector('.stage-row.active')")
    assert numbers(page, ".stage-row.active") == [LONG]
    assert page.locator(".stage-row").count() < 100


def test_compilations_are_switched_by_name(open_page, compiled):
    page = open_page({"naive": compiled, "fused": SimpleNamespace(**{**vars(compiled), "registers": 255})})
    assert page.locator(".fact").first.inner_text().split() == ["32", "registers", "a", "thread"]
    page.get_by_role("button", name="fused").click()
    assert page.locator(".fact").first.inner_text().split()[0] == "255"


def test_no_letter_leaves_the_widget_for_jupyterlab(open_page, compiled):
    page = open_page(compiled)
    page.evaluate("window.heard = []; addEventListener('keydown', event => heard.push(event.key))")
    page.locator(".source-body").focus()
    for key in ("d", "ArrowDown", "Shift+Enter"):
        page.keyboard.press(key)
    assert page.evaluate("heard") == ["Shift", "Enter"]
