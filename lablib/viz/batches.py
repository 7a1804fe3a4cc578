"""Batching as a picture over time: who is in which slot, and whose keys and values are in which page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from lablib.viz.picture import SLIDER_HEIGHT, Picture, Step, add_slider
from lablib.viz.style import CARD, FAINT, INK, MARGIN, SERIES, card, graph_objects
from lablib.viz.units import percent, plural

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

_HEIGHT, _TOP, _BOTTOM = 470, 112, 56
_MOST_STEPS = 60


def batch_pages(runs: Mapping[str, Any], slots: int) -> Picture:
    """Show slots over time for each of one or two runs, and the pages of the last one at the step of a slider.

    Parameters
    ----------
    runs
        By name, objects with ``steps``, ``tokens``, ``slots`` (for each step the request in each slot, -1 for nobody)
        and ``pages`` (for each step the owner of each page).
    slots
        Of the server.

    Raises
    ------
    ValueError
        When there are not one or two runs, or one has no step.

    Examples
    --------
    >>> from types import SimpleNamespace
    >>> run = SimpleNamespace(steps=2, tokens=3, slots=[[0, 1], [0, -1]], pages=[[0, 1], [0, -1]])
    >>> batch_pages({"static": run}, slots=2)
    static: 3 tokens in 2 steps, 75% of the slots used. Pages of static: at most 2 of 2 in use.
    """
    if not 1 <= len(runs) <= 2 or any(not run.steps for run in runs.values()):
        raise ValueError("batch_pages needs one or two runs by name, each with at least one step")
    told = [
        f"{name}: {plural(run.tokens, 'token')} in {plural(run.steps, 'step')}, "
        f"{percent(run.tokens / (run.steps * slots))} of the slots used."
        for name, run in runs.items()
    ]
    name, last = list(runs.items())[-1]
    used = [sum(owner >= 0 for owner in row) for row in last.pages]
    summary = f"{' '.join(told)} Pages of {name}: at most {max(used)} of {len(last.pages[0])} in use."
    return Picture(_draw(runs, name, last, slots), summary)


def _colours() -> list[list[Any]]:
    """Nobody, and then the series, as steps of a colour scale from -1 to 5."""
    shades = [FAINT, *SERIES]
    edges = np.linspace(0, 1, len(shades) + 1)
    return [[edge, shade] for k, shade in enumerate(shades) for edge in (edges[k], edges[k + 1])]


def _map(rows: Sequence[Sequence[int]], **where: Any) -> Any:
    """A heat map of owners; the colour is the number modulo six, and hovering tells the number."""
    go = graph_objects()
    owners = np.asarray(rows)
    shade = np.where(owners < 0, -1, owners % len(SERIES))
    words = np.where(owners < 0, "nobody", np.char.add("request ", owners.astype(str)))
    return go.Heatmap(
        z=shade, text=words, hovertemplate="%{text}<extra></extra>", zmin=-1, zmax=len(SERIES) - 1, xgap=1, ygap=1,
        colorscale=_colours(), showscale=False, **where,
    )  # fmt: skip


def _draw(runs: Mapping[str, Any], name: str, last: Any, slots: int) -> Figure:
    go = graph_objects()
    longest = max(run.steps for run in runs.values())
    heights = [[0.58, 1.0], [0.0, 0.42]] if len(runs) == 2 else [[0.0, 1.0]]
    stride = -(-last.steps // _MOST_STEPS)
    shown = list(range(0, last.steps, stride))
    columns = max(round(len(last.pages[0]) ** 0.5 * 0.6), 1)
    steps = [_step(last, number, columns, slots, len(runs), name) for number in shown]
    start = len(shown) // 3
    figure = go.Figure(steps[start].traces)
    for place, run in enumerate(runs.values()):
        axes = {"xaxis": f"x{place + 2}", "yaxis": f"y{place + 2}"}
        figure.add_trace(_map(np.asarray(run.slots).T.tolist(), **axes))
    title = "Who runs when, and whose are the pages?"
    subtitle = "Left: one row a slot, one column a step, one colour a request, pale where a slot is idle. "
    subtitle += f"Right: the pages of the KV cache in {name}, at the step of the slider."
    card(figure, title, subtitle, _HEIGHT + SLIDER_HEIGHT, showlegend=False,
         margin={"l": 48, "r": MARGIN, "t": _TOP, "b": _BOTTOM + SLIDER_HEIGHT})  # fmt: skip
    hidden = {"showticklabels": False, "showgrid": False, "zeroline": False}
    figure.update_layout(xaxis={"domain": [0.76, 1.0], **hidden}, yaxis={"autorange": "reversed", **hidden})
    for place, (label, domain) in enumerate(zip(runs, heights, strict=False)):
        small = {"size": 12, "color": INK}
        figure.update_layout({
            f"xaxis{place + 2}": {"domain": [0, 0.7], "anchor": f"y{place + 2}", "range": [-0.5, longest - 0.5],
                                  "showgrid": False, "zeroline": False, "tickfont": small,
                                  "title": {"text": "step" if place + 1 == len(runs) else "", "standoff": 6}},
            f"yaxis{place + 2}": {"domain": domain, "anchor": f"x{place + 2}", "autorange": "reversed", **hidden,
                                  "title": {"text": label, "font": {"size": 13, "color": INK}, "standoff": 4}},
        })  # fmt: skip
    figure.update_layout(plot_bgcolor=CARD)
    add_slider(figure, steps, prefix="step ", start=start)
    return figure


def _step(run: Any, number: int, columns: int, slots: int, runs: int, name: str) -> Step:
    go = graph_objects()
    owners = run.pages[number]
    padded = owners + [-1] * (-len(owners) % columns)
    rows = [padded[k : k + columns] for k in range(0, len(padded), columns)]
    used = sum(owner >= 0 for owner in owners)
    axes = {"xaxis": f"x{runs + 1}", "yaxis": f"y{runs + 1}"}
    line = go.Scatter(
        x=[number, number],
        y=[-0.5, slots - 0.5],
        mode="lines",
        line={"color": INK, "width": 2},
        hoverinfo="skip",
        **axes,
    )
    note = {
        "text": f"{used} of {len(owners)} pages", "x": 0.88, "y": 1.01, "xref": "paper", "yref": "paper",
        "xanchor": "center", "yanchor": "bottom", "showarrow": False, "font": {"size": 13, "color": INK},
    }  # fmt: skip
    return Step(str(number), [_map(rows), line], {"annotations": [note]})
