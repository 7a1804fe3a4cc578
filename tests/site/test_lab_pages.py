"""What a lab's page shows of a solved run, and what it leaves out."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from nbformat import NotebookNode
from nbformat.v4 import new_output

from autograder import bridge, master
from autograder.master import Lab
from docs.site.lab_pages import PLOTLY, STATE, VIEW, WITHHELD, lab_page

ANSWER = "sums = torch.cumsum(torch.cat([x.new_zeros(1), x]), dim=0)"
FIGURE = {"data": [{"y": [1, 2], "type": "bar"}], "layout": {"title": {"text": "</script>"}}}


@pytest.fixture
def lab() -> Lab:
    return master.load("solutions/_template/labNN_slug.py")


@pytest.fixture
def shown(lab: Lab) -> Callable[..., Any]:
    """A function that gives a cell of the page after a solved run in which it put out `output`."""

    def show(cell_id: str, output: NotebookNode, state: dict[str, Any] | None = None) -> Any:
        solved = bridge.completed_notebook(lab)
        solved.metadata["widgets"] = {STATE: {"state": {"model": {"state": state or {}}}}}
        next(cell for cell in solved.cells if cell.id == cell_id).outputs = [output]
        return next(cell for cell in lab_page(lab, solved).cells if cell.id == cell_id)

    return show


def test_a_demonstration_keeps_its_output(shown: Callable[..., Any]) -> None:
    cell = shown("look_latencies", new_output("stream", name="stdout", text="24.3"))
    assert [output.text for output in cell.outputs] == ["24.3"]


@pytest.mark.parametrize("cell_id", ["running_mean", "test_running_mean"])
def test_solution_and_test_cells_show_nothing(shown: Callable[..., Any], cell_id: str) -> None:
    cell = shown(cell_id, new_output("stream", name="stdout", text="24.3"))
    assert cell.outputs == []
    assert ANSWER not in cell.source


@pytest.mark.parametrize("text", [ANSWER, f"  12 | {ANSWER}\n", ANSWER.replace(" ", "  ")])
def test_an_output_with_a_line_of_the_solution_is_left_out(shown: Callable[..., Any], text: str) -> None:
    cell = shown("look_latencies", new_output("stream", name="stdout", text=text))
    assert WITHHELD in cell.outputs[0].data["text/html"]
    assert "cumsum" not in str(cell.outputs)


def test_a_widget_that_shows_the_solution_is_left_out(shown: Callable[..., Any]) -> None:
    output = new_output("execute_result", {VIEW: {"model_id": "model"}, "text/plain": "a kernel"})
    state = {"content": {"source": ["def running_mean(x, window):", ANSWER]}, "_esm": "", "_css": ""}
    assert "cumsum" not in str(shown("look_latencies", output, state).outputs)
    harmless = {"content": {"source": ["def running_mean(x, window):"]}, "_esm": "", "_css": ""}
    assert "def running_mean" in str(shown("look_latencies", output, harmless).outputs)


def test_a_figure_carries_its_summary_and_cannot_end_its_script(shown: Callable[..., Any]) -> None:
    output = new_output("execute_result", {PLOTLY: FIGURE, "text/plain": "Which is <faster>?"})
    text = shown("look_latencies", output).outputs[0].data["text/html"]
    assert 'data-summary="Which is &lt;faster&gt;?"' in text
    assert text.count("</script>") == 1


def test_without_a_run_a_page_has_no_outputs(lab: Lab) -> None:
    assert [cell.id for cell in lab_page(lab, None).cells if cell.get("outputs")] == []
