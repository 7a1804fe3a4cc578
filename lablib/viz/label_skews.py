"""How many examples of each class each client has, one split a step of a slider."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from lablib.viz.picture import SLIDER_HEIGHT, Picture, Step, add_slider
from lablib.viz.style import BLUE, CARD, INK, MARGIN, card, graph_objects, heading
from lablib.viz.units import plural

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

_TITLE = "Which classes does each client see?"
_TOP, _BOTTOM, _ROW = 104, 56, 27


def label_skew(counts: Mapping[float, Sequence[Sequence[int]]], start: int = 0) -> Picture:
    """Step through splits of one dataset among clients.

    Parameters
    ----------
    counts
        By concentration, the positions of the slider: a row for each client, with its examples of each class.
    start
        Index of the split that is shown at first.

    Returns
    -------
    Picture
        Its ``summary`` says for each split how many clients lack a class, and how unequal their sizes are.

    Raises
    ------
    ValueError
        When there is no split, or they differ in clients or classes.

    Examples
    --------
    >>> label_skew({0.1: [[9, 0], [1, 10]], 100.0: [[5, 5], [5, 5]]})
    Which classes does each client see? alpha 0.1: 1 of 2 clients lacks a class, 9 to 11 examples; alpha 100: 0 of 2 \
clients lack a class, 10 to 10 examples.
    """
    tables = {alpha: np.asarray(table) for alpha, table in counts.items()}
    shapes = {table.shape for table in tables.values()}
    if len(shapes) != 1 or len(next(iter(shapes))) != 2:
        raise ValueError(f"each split needs the same clients and classes, as rows and columns; got shapes {shapes}")
    told = [f"alpha {alpha:g}: {_sentence(table)}" for alpha, table in tables.items()]
    return Picture(_draw(tables, start), f"{_TITLE} {'; '.join(told)}.")


def _sentence(table: np.ndarray) -> str:
    lacking = int((table == 0).any(axis=1).sum())
    sizes = table.sum(axis=1)
    verb = "lacks" if lacking == 1 else "lack"
    return f"{lacking} of {plural(len(table), 'client')} {verb} a class, {sizes.min()} to {sizes.max()} examples"


def _draw(tables: Mapping[float, np.ndarray], start: int) -> Figure:
    clients, classes = next(iter(tables.values())).shape
    height = _TOP + _ROW * clients + _BOTTOM + SLIDER_HEIGHT
    most = max(int(table.max()) for table in tables.values())
    steps = [
        Step(f"{alpha:g}", [_cells(table, most)], {"title": heading(_TITLE, f"{_sentence(table)}.", height)})
        for alpha, table in tables.items()
    ]
    figure = graph_objects().Figure(steps[start].traces)
    margin = {"l": 84, "r": MARGIN, "t": _TOP, "b": _BOTTOM + SLIDER_HEIGHT}
    card(figure, _TITLE, f"{_sentence(list(tables.values())[start])}.", height, margin=margin)
    whole = {"showgrid": False, "fixedrange": True}
    figure.update_xaxes(title_text="class", tickvals=list(range(classes)), **whole)
    names = [f"client {k}" for k in range(clients)]
    figure.update_yaxes(tickvals=list(range(clients)), ticktext=names, range=[clients - 0.5, -0.5], **whole)
    add_slider(figure, steps, prefix="alpha = ", start=start, play=False)
    return figure


def _cells(table: np.ndarray, most: int) -> Any:
    """Colour says how many, as the number does; a class that is missing has neither."""
    return graph_objects().Heatmap(
        z=table, zmin=0, zmax=most, colorscale=[[0, CARD], [1, BLUE]], showscale=False, xgap=1, ygap=1,
        text=[["" if n == 0 else str(n) for n in row] for row in table], texttemplate="%{text}",
        textfont={"size": 11}, hovertemplate="client %{y}, class %{x}: %{z}<extra></extra>",
        hoverlabel={"font": {"color": INK}},
    )  # fmt: skip
