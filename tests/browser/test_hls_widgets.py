"""The widgets and cell magics of the FPGA flow in JupyterLab, in the light and the dark theme."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_notebook
from playwright.sync_api import Page

from autograder import bridge
from tests.browser.notebook import Notebook
from tests.browser.server import Server

ROOT = Path(__file__).resolve().parents[2]
CELLS = (
    """
import os, sys
sys.path.insert(0, {root!r})
os.environ["PYTHONPATH"] = {root!r}
import numpy as np
from lablib import viz
from lablib.hls.rtlsim import rtlsim
from lablib.hls.designs.dot import dot
from lablib.hls.timeline import timeline
from lablib.hls.xls import xls_function
from lablib.hls.xls_schedule import schedule
%load_ext lablib.hls.magics
""",
    """%%dslx dot_x
fn dot(x: s8[2], w: s8[2]) -> s17 {{
    (x[0] as s17) * (w[0] as s17) + (x[1] as s17) * (w[1] as s17)
}}
""",
    """%%dslx broken_x
fn add(a: u8, b: u8) -> u9 {{
    a + b
}}
""",
    "viz.pipeline(timeline(schedule(xls_function(dot_x, 'dot'), stages=2), dot_x))",
    """
vectors = np.arange(40).reshape(20, 2)
design = dot(2)
viz.waveform(rtlsim(design.verilog, design.top, {{"x": vectors, "w": vectors}}, wave_cycles=30).waveform)
""",
    """
from lablib.hls.designs.systolic import systolic_trace
viz.systolic_array(systolic_trace(np.arange(16).reshape(4, 4), np.arange(16).reshape(4, 4) - 8))
""",
)
CONTRAST = """node => {
    const luminance = colour => {
        const parts = colour.match(/[\\d.]+/g).slice(0, 3)
            .map(part => part / 255)
            .map(part => part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4);
        return 0.2126 * parts[0] + 0.7152 * parts[1] + 0.0722 * parts[2];
    };
    let card = node;
    const opaque = box => !/, 0(\\.\\d+)?\\)$|transparent/.test(getComputedStyle(box).backgroundColor);
    while (!opaque(card)) card = card.parentElement;
    const style = getComputedStyle(node);
    const text = luminance(node instanceof SVGElement ? style.fill : style.color);
    const ground = luminance(getComputedStyle(card).backgroundColor);
    return (Math.max(text, ground) + 0.05) / (Math.min(text, ground) + 0.05);
}"""

pytestmark = pytest.mark.browser


def faint(page: Page) -> list[str]:
    """Words of the widgets and listings that stand out too little from their ground (WCAG 2.1, 4.5 to 1)."""
    words = (
        ".lab-listing .keyword, .lab-listing .comment, .lab-listing .says, .lab-listing summary em, .lab-listing u, "
    )
    words += (
        ".lab-view h3, .lab-view .sub, .lab-view .status, .lab-view .name, .lab-waves .tick-label, .lab-waves .label"
    )
    shown = page.locator(f":is({words})").all()
    assert len(shown) > 20
    return [f"{node.text_content()} {node.evaluate(CONTRAST):.1f}" for node in shown if node.evaluate(CONTRAST) < 4.5]


def test_widgets_and_magics_work_in_both_themes(server: Server, open_notebook: Callable[[Path], Notebook]) -> None:
    path = server.root / "labs" / "hls.ipynb"
    cells = [new_code_cell(cell.strip().format(root=str(ROOT))) for cell in CELLS]
    nbformat.write(new_notebook(cells=cells, metadata=bridge.NOTEBOOK_METADATA), path)
    notebook = open_notebook(path)
    notebook.run_all(120)
    assert notebook.red_outputs() == [] and notebook.ran_completely() and notebook.too_wide() == []
    assert [notebook.widget_works(widget) for widget in notebook.widgets()] == [True] * 3
    page = notebook.page
    assert page.locator(".lab-listing").count() == 2
    assert page.locator(".lab-listing .bad:not(.says) u").all_inner_texts() == ["3"], "counted as in the editor"
    page.locator(".lab-systolic .play").press("d")
    page.locator(".lab-systolic .play").press("d")
    assert page.locator(".lab-systolic").count() == 1, "JupyterLab deletes a cell when d is pressed twice"
    page.locator(".lab-waves").evaluate("waves => { waves.style.display = 'none' }")
    page.wait_for_timeout(200)
    page.locator(".lab-waves").evaluate("waves => { waves.style.display = '' }")
    drawn, named = (page.locator(f".lab-waves {part}").count() for part in (".plot svg > g", ".names .name"))
    assert drawn == named > 10, "JupyterLab takes cells out of the page and puts them back: what was drawn stays"
    assert faint(page) == []
    notebook.use_the_dark_theme()
    assert faint(page) == []
    assert notebook.screenshots(ROOT / "build" / "screenshots" / "hls_widgets")
    assert notebook.problems() == []
