"""A lab as the site shows it: the released cells, with the outputs of its demonstrations when all is solved."""

from __future__ import annotations

import base64
import html
import json
from typing import Any

from nbformat import NotebookNode
from nbformat.v4 import output_from_msg

from autograder import bridge
from autograder.master import Lab
from docs.site.answers import answer_lines, gives_away

PLOTLY = "application/vnd.plotly.v1+json"
VIEW = "application/vnd.jupyter.widget-view+json"
STATE = "application/vnd.jupyter.widget-state+json"
WITHHELD = "This output shows your own answer: run the cell to see it."
ABOUT = "*What students get, with the figures of a solved run. To work on it: `make lab`.*"


def lab_page(lab: Lab, solved: NotebookNode | None) -> NotebookNode:
    """Return the notebook that becomes the lab's page; without `solved` it has no outputs.

    An output that has a line of a solution, such as a viewer of the student's own kernel, is left out, and so are all
    outputs of solution and test cells.
    """
    page = bridge.release_notebook(lab)
    title, _, rest = page.cells[0].source.partition("\n")
    page.cells[0].source = f"{title}\n\n{ABOUT}\n{rest}"
    if solved is None:
        return page
    lines, graded = answer_lines(lab), {cell.id for cell in lab.of_role("solution", "test", "manual")}
    widgets = solved.metadata.get("widgets", {}).get(STATE, {}).get("state", {})
    outputs = {cell.id: cell.get("outputs", []) for cell in solved.cells if cell.id not in graded}
    for cell in page.cells:
        if cell.cell_type == "code":
            cell.outputs = [_shown(output, widgets, lines) for output in outputs.get(cell.id, [])]
    return page


def _shown(output: NotebookNode, widgets: dict[str, Any], lines: frozenset[str]) -> NotebookNode:
    """An output as a page without a kernel shows it."""
    data = output.get("data", {})
    state = widgets[data[VIEW]["model_id"]]["state"] if VIEW in data else {}
    if gives_away([output, state], lines):
        return _html(f'<p class="withheld">{WITHHELD}</p>')
    if PLOTLY in data:
        return _html(plot(data[PLOTLY], data["text/plain"]))
    if VIEW in data:
        return _html(_widget(state, data))
    return output


def plot(figure: dict[str, Any], summary: str) -> str:
    """A plotly figure as HTML that `static/figures.js` draws; its summary is read where it is not drawn."""
    return _figure("plot", {"data": figure["data"], "layout": figure["layout"], "frames": figure.get("frames", [])},
                   summary, f"<p>{html.escape(summary)}</p>")  # fmt: skip


def _widget(state: dict[str, Any], data: dict[str, Any]) -> str:
    summary, picture = data["text/plain"], data.get("image/svg+xml")
    still = f"<p>{html.escape(summary)}</p>"
    if picture:
        encoded = base64.b64encode(picture.encode()).decode()
        still = f'<img src="data:image/svg+xml;base64,{encoded}" alt="{html.escape(summary)}">'
    kept = {"script": state["_esm"], "style": state["_css"], "content": state["content"]}
    return _figure("widget", kept, summary, still)


def _figure(kind: str, content: dict[str, Any], summary: str, still: str) -> str:
    text = json.dumps(content).replace("</", "<\\/")
    return (
        f'<figure class="{kind}" data-summary="{html.escape(summary)}">{still}'
        f'<script type="application/json">{text}</script></figure>'
    )


def _html(text: str) -> NotebookNode:
    return output_from_msg(
        {"header": {"msg_type": "display_data"}, "content": {"data": {"text/html": text}, "metadata": {}}}
    )
