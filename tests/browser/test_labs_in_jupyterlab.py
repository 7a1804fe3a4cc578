"""Every completed lab in JupyterLab, as a student sees it; with --pictures, its pictures in build/screenshots/."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from operator import ge
from pathlib import Path

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_notebook

from autograder import bridge, master
from autograder.master import Lab
from autograder.scaffold import TEMPLATE
from tests.browser.notebook import Notebook
from tests.browser.server import Server

ROOT = Path(__file__).resolve().parents[2]
LABS = [*master.load_all(ROOT), master.load(ROOT / "solutions" / TEMPLATE / "labNN_slug.py")]
LAB_SECONDS = 240
LEAST_MOVING = {
    "lab01_frameworks": (3, 0),
    "lab02_vision_models": (3, 0),
    "lab03_sequence_and_graph_models": (4, 0),
    "lab04_generative_models": (3, 1),
    "lab05_graph_compilers": (0, 6),
    "lab06_triton_kernels": (1, 1),
    "lab07_flash_attention": (3, 0),
    "lab08_lowrank_and_pruning": (2, 0),
    "lab09_quantisation": (2, 0),
    "lab10_adaptive_compute": (3, 1),
    "lab11_commodity_hardware_mlperf": (2, 0),
    "lab12_fpga_hls": (0, 3),
    "lab13_architecture_search": (2, 0),
    "lab14_training_systems": (4, 0),
    "lab15_parallel_training": (2, 4),
    "lab16_federated": (4, 0),
    "lab17_cloud_scale": (5, 0),
    "lab18_capstone": (0, 1),
}
"""Sliders and widgets that a lab must have, where it is known: a lab with none would pass unmoved."""

pytestmark = pytest.mark.browser
OpenNotebook = Callable[[Path], Notebook]


def put(server: Server, lab: Lab, tests: bool) -> Path:
    """Place the completed lab, with its assets and with or without its tests, where the server serves it."""
    folder = server.root / "labs" / lab.name
    assets = lab.path.parent / "assets"
    if assets.is_dir():
        shutil.copytree(assets, folder / "assets")
    folder.mkdir(exist_ok=True)
    path = folder / f"{lab.name}.ipynb"
    notebook, left_out = bridge.completed_notebook(lab), set() if tests else {cell.id for cell in lab.test_cells}
    notebook.cells = [cell for cell in notebook.cells if cell.id not in left_out]
    path.write_text(bridge.to_text(notebook), encoding="utf-8")
    return path


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Every second lab; all of them with `--whole` and for pictures."""
    if "lab" in metafunc.fixturenames:
        every = metafunc.config.getoption("--whole") or metafunc.config.getoption("--pictures")
        metafunc.parametrize("lab", LABS if every else LABS[::2], ids=lambda lab: lab.name)


@pytest.mark.slow
def test_a_completed_lab_runs_draws_and_moves(
    lab: Lab, server: Server, open_notebook: OpenNotebook, pytestconfig: pytest.Config
) -> None:
    pictures = pytestconfig.getoption("--pictures")
    # Tests draw nothing, and some take long: but for pictures, tests/labs/test_nbval.py runs them.
    notebook = open_notebook(put(server, lab, tests=pictures))
    notebook.run_all(LAB_SECONDS)
    assert notebook.red_outputs() == []
    assert notebook.ran_completely()
    assert notebook.too_wide() == []
    moving = len(notebook.sliders()), len(notebook.widgets())
    assert all(map(ge, moving, LEAST_MOVING.get(lab.name, (0, 0)))), f"{moving} sliders and widgets"
    for number, (figure, rail) in enumerate(notebook.sliders(), start=1):
        assert notebook.slider_works(figure, rail), f"slider {number} of {lab.name} changes nothing"
    for number, widget in enumerate(notebook.widgets(), start=1):
        assert notebook.widget_works(widget), f"widget {number} of {lab.name} does not react"
    if pictures:
        notebook.screenshots(ROOT / "build" / "screenshots" / lab.name)
        notebook.use_the_dark_theme()
        notebook.screenshots(ROOT / "build" / "screenshots" / f"{lab.name}-dark")
        notebook.use_the_light_theme()
    assert notebook.problems() == []


PLANTED = """
from IPython.display import HTML, Javascript, display
display(Javascript("console.error('a planted console error')"))
display(Javascript("setTimeout(() => { throw new Error('a planted page error') })"))
display(HTML("<img src='http://outside.invalid/picture.png'><div style='width: 3000px'>wide</div>"))
"""
FIGURE = """
import plotly.graph_objects as go
steps = [dict(method="{method}", args=[dict(y=[[n, n + 1]])], label=str(n)) for n in (1, 5)]
go.Figure(go.Bar(y=[1, 2]), dict(sliders=[dict(steps=steps)]))
"""
WIDGET = """
import anywidget, traitlets
class Counter(anywidget.AnyWidget):
    clicks = traitlets.Int(0).tag(sync=True)
    _esm = '''export default { render({ model, el }) {
        const button = document.createElement("button");
        const write = () => { button.innerText = `clicked ${model.get("clicks")} times`; };
        button.onclick = () => { model.set("clicks", model.get("clicks") + 1); model.save_changes(); };
        model.on("change:clicks", write); write(); el.append(button);
    } }'''
Counter()
"""


def write(server: Server, name: str, *cells: str) -> Path:
    path = server.root / "labs" / name
    code = [new_code_cell(cell.strip()) for cell in cells]
    nbformat.write(new_notebook(cells=code, metadata=bridge.NOTEBOOK_METADATA), path)
    return path


def test_the_driver_sees_what_is_wrong(server: Server, open_notebook: OpenNotebook) -> None:
    notebook = open_notebook(write(server, "wrong.ipynb", PLANTED, "1 / 0", "'not reached'"))
    notebook.run_all(60)
    notebook.page.wait_for_timeout(1000)
    assert ["ZeroDivisionError" in text for text in notebook.red_outputs()] == [True]
    assert not notebook.ran_completely()
    assert len(notebook.too_wide()) == 1
    found = "\n".join(notebook.problems())
    for words in ("a planted console error", "a planted page error", "http://outside.invalid/picture.png"):
        assert words in found


def test_the_driver_moves_what_moves(server: Server, open_notebook: OpenNotebook, tmp_path: Path) -> None:
    figures = FIGURE.format(method="restyle"), FIGURE.format(method="skip")
    widgets = WIDGET, "import ipywidgets; ipywidgets.IntSlider()", "ipywidgets.Label('still')"
    notebook = open_notebook(write(server, "right.ipynb", "", *figures, *widgets))
    notebook.run_all(60)
    assert notebook.ran_completely()
    assert [notebook.slider_works(*pair) for pair in notebook.sliders()] == [True, False]
    assert [notebook.widget_works(widget) for widget in notebook.widgets()] == [True, True, False]
    assert notebook.too_wide() == []
    assert notebook.problems() == []
    assert len(notebook.screenshots(tmp_path / "pictures")) >= 1
