"""Cells of an architecture search as graphs, each beside its numbers; a slider goes from cell to cell."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from lablib.viz.picture import SLIDER_HEIGHT, Picture, Step, add_slider
from lablib.viz.style import CARD, INK, MARGIN, MUTED, RULE, SERIES, card, graph_objects

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

_HEIGHT, _TOP = 330, 104
_BEND = {1: 0.0, 2: 0.55, 3: 1.15}  # how high an edge rises that passes over so many nodes but one

Edge = tuple[int, int, str, bool]
"""Source, target, the operation's name, whether it is on a path from input to output."""


def cell_graph(cells: Mapping[str, tuple[Sequence[Edge], Mapping[str, str]]], *, title: str) -> Picture:
    """Draw each cell's edges, live ones solid and idle ones dotted, with a list of its numbers.

    Parameters
    ----------
    cells
        By name, the positions of the slider: the edges that carry an operation, and the numbers to be listed.
    title
        The question that the picture answers.

    Returns
    -------
    Picture
        Its ``summary`` has each cell's live and idle edges and its numbers.

    Raises
    ------
    ValueError
        When there is no cell, or an edge does not lead to a higher node.

    Examples
    --------
    >>> edges = [(0, 1, "conv3", False), (0, 3, "skip", True)]
    >>> cell_graph({"small": (edges, {"FLOPs": "0"})}, title="What is idle?")
    What is idle? small: live 03 skip; idle 01 conv3; FLOPs 0.
    """
    if not cells:
        raise ValueError("cell_graph needs a cell: a dict from a name to its edges and its numbers")
    for name, (edges, _) in cells.items():
        wrong = [edge for edge in edges if not 0 <= edge[0] < edge[1]]
        if wrong:
            raise ValueError(f"in cell {name!r} edge {wrong[0][:2]} does not lead from a lower to a higher node")
    told = [_describe(name, edges, numbers) for name, (edges, numbers) in cells.items()]
    return Picture(_draw(cells, title), f"{title} {' '.join(told)}")


def _describe(name: str, edges: Sequence[Edge], numbers: Mapping[str, str]) -> str:
    parts = []
    for label, live in (("live", True), ("idle", False)):
        listed = ", ".join(f"{source}{target} {what}" for source, target, what, is_live in edges if is_live == live)
        parts.append(f"{label} {listed or 'none'}")
    return f"{name}: {'; '.join(parts + [f'{key} {value}' for key, value in numbers.items()])}."


def _draw(cells: Mapping[str, tuple[Sequence[Edge], Mapping[str, str]]], title: str) -> Figure:
    go = graph_objects()
    kinds = sorted({edge[2] for edges, _ in cells.values() for edge in edges})
    last = max(edge[1] for edges, _ in cells.values() for edge in edges)
    most = max(len(edges) for edges, _ in cells.values())
    steps = [_step(name, edges, numbers, kinds, last, most) for name, (edges, numbers) in cells.items()]
    figure = go.Figure(steps[0].traces)
    subtitle = "Solid: on a path from input to output. Dotted grey: idle, it costs nothing once it is removed."
    margin = {"l": MARGIN, "r": MARGIN, "t": _TOP, "b": 24 + SLIDER_HEIGHT}
    card(figure, title, subtitle, _HEIGHT + SLIDER_HEIGHT, margin=margin, showlegend=False)
    figure.update_xaxes(visible=False, range=[-0.3, last + 2.1])
    figure.update_yaxes(visible=False, range=[-0.75, 1.5])
    add_slider(figure, steps, prefix="", play=False)
    return figure


def _step(
    name: str, edges: Sequence[Edge], numbers: Mapping[str, str], kinds: Sequence[str], last: int, most: int
) -> Step:
    go = graph_objects()
    lines, notes = [], []
    for source, target, what, live in edges:
        # Edges that skip as many nodes bend to opposite sides.
        bend = _BEND.get(target - source, 1.15) * (-1 if target - source == 2 and source % 2 else 1)
        parts = [place / 20 for place in range(21)]
        x = [source + (target - source) * t for t in parts]
        y = [4 * bend * t * (1 - t) for t in parts]
        colour = SERIES[kinds.index(what) % len(SERIES)] if live else MUTED
        line = {"color": colour, "width": 4 if live else 2, "dash": "solid" if live else "dot"}
        lines.append(go.Scatter(x=x, y=y, mode="lines", line=line, hoverinfo="skip"))
        font = {"size": 12, "color": INK if live else MUTED}
        notes.append({"x": x[10], "y": y[10], "text": what, "showarrow": False, "bgcolor": CARD, "font": font})
    lines += [go.Scatter(x=[None], y=[None], mode="lines", hoverinfo="skip") for _ in range(most - len(edges))]
    labels = ["in", *(str(node) for node in range(1, last)), "out"]
    nodes = go.Scatter(
        x=list(range(last + 1)), y=[0] * (last + 1), mode="markers+text", text=labels, hoverinfo="skip",
        textfont={"color": INK, "size": 12}, marker={"size": 34, "color": CARD, "line": {"color": RULE, "width": 2}},
    )  # fmt: skip
    table = "<br>".join(f"{key}: <b>{value}</b>" for key, value in numbers.items())
    notes.append({
        "x": last + 0.45, "y": 0.4, "xanchor": "left", "align": "left", "text": table, "showarrow": False,
        "font": {"size": 13, "color": INK},
    })  # fmt: skip
    return Step(name, [*lines, nodes], {"annotations": notes})
