"""The widgets of the FPGA flow in a browser: they step, zoom and answer the keyboard."""

from __future__ import annotations

import re
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from lablib import viz
from tests.lablib.viz.signals import cells, signal, stream, timeline

pytestmark = pytest.mark.browser

LONG = 50_000
A, B = np.array([[1, -2], [3, 4]]), np.array([[5, 6], [7, 8]])


def ruler(page: Any) -> list[int]:
    return [int(text) for text in page.locator(".tick-label").all_text_contents()]


def values(page: Any) -> dict[str, str]:
    names = [text.split("\n")[0] for text in page.locator(".name").all_inner_texts()]
    return dict(zip(names, page.locator(".value b").all_inner_texts(), strict=True))


def test_the_cursor_has_the_value_of_every_signal(show) -> None:
    page = show(viz.waveform(stream(), radix={"x": "signed"}))
    column = page.locator(".plot").bounding_box()["width"] / 10
    page.locator(".plot").click(position={"x": 4.5 * column, "y": 15})
    assert page.inner_text(".head.right") == "at 4"
    assert values(page) == {"clk": "↑", "rst": "0", "in_valid": "1", "in_ready": "1", "in words": "no. 1", "x8": "-6"}
    for key in ("ArrowRight", "ArrowRight"):
        page.keyboard.press(key)
    assert values(page)["in words"] == "waits"
    assert "Cycle 6 of 10. in words: waits" in page.inner_text(".status")


def test_the_keyboard_jumps_to_changes_and_turns_the_radix(show) -> None:
    page = show(viz.waveform(stream()))
    page.locator(".plot").focus()
    for key in ("Shift+ArrowRight", "Shift+ArrowRight"):
        page.keyboard.press(key)
    assert page.inner_text(".head.right") == "at 4" and values(page)["x8"] == "fa"
    written = []
    for _ in range(4):
        page.keyboard.press("r")
        written.append(values(page)["x8"])
    assert written == ["-6", "250", "11111010", "fa"]
    page.keyboard.press("Shift+ArrowLeft")
    assert page.inner_text(".head.right") == "at 3"
    page.keyboard.press("End")
    page.keyboard.press("ArrowRight")
    assert page.inner_text(".head.right") == "at 9"


def test_the_wheel_zooms_after_a_click_and_a_drag_moves(show) -> None:
    page = show(
        viz.waveform(SimpleNamespace(cycles=400, signals={"x": signal(8, *((c, c % 256) for c in range(400)))}))
    )
    before = ruler(page)
    page.locator(".plot").hover()
    page.mouse.wheel(0, 200)
    page.wait_for_timeout(100)
    assert ruler(page) == before, "the page keeps its wheel until a click"
    page.locator(".plot").click(position={"x": 50, "y": 15})
    page.mouse.wheel(0, 400)
    page.wait_for_function(f"Number(document.querySelectorAll('.tick-label')[1].textContent) > {before[1]}")
    box = page.locator(".plot").bounding_box()
    page.mouse.move(box["x"] + 300, box["y"] + 15)
    page.mouse.down()
    page.mouse.move(box["x"] + 100, box["y"] + 15, steps=4)
    page.mouse.up()
    page.wait_for_function("Number(document.querySelector('.tick-label').textContent) > 0")
    page.get_by_role("button", name="Show all cycles").click()
    page.wait_for_function("document.querySelector('.tick-label').textContent === '0'")
    assert ruler(page)[-1] >= 300


def test_a_long_recording_draws_only_what_is_seen(show) -> None:
    rng = np.random.default_rng(0)
    signals = {f"s{k}": signal(16, *enumerate(rng.integers(0, 2**16, LONG).tolist())) for k in range(4)}
    page = show(viz.waveform(SimpleNamespace(cycles=LONG, signals=signals)))
    length = "document.querySelector('.plot').innerHTML.length"
    sizes = [page.evaluate(length)]
    for zoom in ("Show all cycles", *["Zoom in"] * 6):
        page.get_by_role("button", name=zoom).click()
        page.wait_for_timeout(50)
        sizes.append(page.evaluate(length))
    assert max(sizes) < 150_000, "50 000 changes of each of four signals would take millions"


def test_of_many_signals_those_in_view_are_drawn_and_can_be_found(show) -> None:
    signals = {f"cell[{k}]": signal(8, (0, 0), (k % 7 + 1, k % 256)) for k in range(300)}
    page = show(viz.waveform(SimpleNamespace(cycles=10, signals=signals)))
    drawn = page.locator(".plot g")
    assert drawn.count() < 30
    page.locator(".scrolls").evaluate("box => { box.scrollTop = box.scrollHeight }")
    page.wait_for_function("[...document.querySelectorAll('.plot .label')].at(-1)?.textContent === '2b'")  # 299 % 256
    assert drawn.count() < 30
    page.get_by_role("searchbox").fill("CELL[28")
    assert list(values(page)) == [f"cell[{k}]8" for k in (28, *range(280, 290))] and drawn.count() == 11
    page.get_by_role("searchbox").fill("nothing")
    assert values(page) == {} and drawn.count() == 0
    page.locator(".plot").focus()
    page.keyboard.press("Shift+ArrowRight")


def test_stepping_moves_what_is_in_flight(show) -> None:
    page = show(viz.pipeline(timeline(), inputs=3))
    working = page.locator(".bar.now text")
    assert page.inner_text("output") == "cycle 3" and working.all_text_contents() == [
        "output",
        "stage 1",
        "stage 0",
        "2",
        "1",
    ]
    page.get_by_role("button", name="One cycle on").click()
    assert working.all_text_contents() == ["output", "stage 1", "2"]
    assert "Cycle 4: input 1: output, input 2: stage 1. 1 of 3" in page.inner_text(".status")
    page.locator(".scrolls").focus()
    for _ in range(4):
        page.keyboard.press("ArrowLeft")
    assert working.all_text_contents() == ["input"] and page.get_by_role("button", name="One cycle back").is_disabled()
    page.get_by_role("button", name="Play").click()
    page.wait_for_function("document.querySelector('output').textContent === 'cycle 1'")
    page.get_by_role("button", name="Play").click()
    assert "Play" in page.inner_text(".play")


def test_operands_and_sums_follow_the_slider(show) -> None:
    page = show(viz.systolic_array(cells(A, B)))
    page.get_by_role("slider", name="Cycle").fill("2")
    assert "Cycle 2: 3 of 4 cells multiply" in page.inner_text(".status")
    text = page.locator(
        "[data-key='a-0-1'] text, [data-key='b-0-1'] text, [data-key='sum-0-0'] text"
    ).all_text_contents()
    assert sorted(text) == ["1", "5", "6"]
    assert page.locator(".works").count() == 3
    page.get_by_role("slider", name="Cycle").fill("5")
    shown = [page.text_content(f"[data-key='sum-{i}-{j}'] text") for i in range(2) for j in range(2)]
    assert [int(re.sub("−", "-", one)) for one in shown] == (A @ B).ravel().tolist()
    assert page.locator(".complete").count() == 4


def test_passes_fold_and_stages_can_be_chosen(show) -> None:
    from tests.lablib.viz.test_passes import CAPTURED, FOLDED

    page = show(viz.graph_passes([CAPTURED, FOLDED]))
    assert page.locator(".node.gone").count() == 1
    assert page.locator(".node.fused").count() == 2
    page.locator(".tab").first.click()
    assert page.locator(".node.gone").count() == 0
    assert page.inner_text(".status").startswith("captured: nothing changed")
    page.locator("summary").first.click()
    assert not page.locator(".node .name", has_text="c").first.is_visible()


def test_a_memory_plan_steps_by_kernel_and_a_schedule_by_event(show) -> None:
    from tests.lablib.viz.test_plans_and_streams import CHAIN, SIZES

    page = show(viz.memory_plan(CHAIN, SIZES, {"a": 0, "b": 128, "c": 0}, ["c"]))
    assert "Kernel 1: writes b" in page.inner_text(".status")
    page.locator("[aria-label='One kernel on']").click()
    assert "Kernel 2: writes c" in page.inner_text(".status")
    page = show(viz.stream_schedule(["a", "b", "c"], [2, 3, 1], [[], [], [0]], [(0, 0), (1, 0), (0, 2)]))
    width = page.locator(".playhead").get_attribute("width")
    page.locator(".scrolls").focus()
    page.keyboard.press("ArrowRight")
    assert "Step 1: from 2 to 3" in page.inner_text(".status")
    assert page.locator(".playhead").get_attribute("width") != width


def test_chosen_pragmas_change_figures_source_and_schedule(show) -> None:
    from tests.lablib.viz.test_pragmas import DESIGNS, KNOBS

    page = show(viz.pragma_explorer(KNOBS, DESIGNS))
    assert page.inner_text(".fact b >> nth=0") == "400"
    page.locator("[aria-label='PIPELINE II=1']").click()
    page.locator("[aria-label='UNROLL factor=4']").click()
    assert page.inner_text(".fact b >> nth=0") == "36"
    assert page.locator(".choice[aria-pressed=true]").all_inner_texts() == ["II=1", "factor=4"]
    assert page.inner_text(".status").startswith("36 cycles. II is 4")
    assert page.locator(".source").inner_text().strip() == "// II=1, factor=4"
