"""How many tokens a router sends to each expert, and what a capacity makes of it: kept, dropped, places left empty."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import ceil
from typing import TYPE_CHECKING, Any

import numpy as np

from lablib.viz.picture import SLIDER_HEIGHT, Picture, Step, add_slider
from lablib.viz.style import CALM_BLUE, CARD, INK, VERMILION, card, graph_objects, heading

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

_TITLE = "What does a capacity drop, and what does it leave empty?"
_HEIGHT, _TOP = 480, 128


def router_load(loads: Mapping[str, Sequence[int]], factors: Sequence[float]) -> Picture:
    """Compare the loads of experts at several capacities.

    Parameters
    ----------
    loads
        By the name of what was routed, the assignments of each expert; as many experts for each name.
    factors
        Capacity factors, one a step: a factor of 1 gives every expert places for an equal share, rounded up.

    Returns
    -------
    Picture
        Its ``summary`` gives, for each name, how many times its mean the greatest load is.

    Raises
    ------
    ValueError
        When there is nothing routed, the numbers of experts differ, or a factor is not positive.

    Examples
    --------
    >>> router_load({"text": [3, 1]}, [1.0, 1.5])
    What does a capacity drop, and what does it leave empty? text: 4 to 2 experts, the fullest has 1.5 times the mean.
    """
    counts = {name: np.asarray(load) for name, load in loads.items()}
    if not counts or len({load.shape for load in counts.values()}) != 1 or min(c.sum() for c in counts.values()) < 1:
        raise ValueError(f"loads must name at least one router, with as many experts each and a token; got {loads!r}")
    if not factors or min(factors) <= 0:
        raise ValueError(f"factors must be positive numbers, at least one; got {list(factors)}")
    parts = [
        f"{name}: {load.sum()} to {load.size} experts, the fullest has {load.max() / load.mean():.1f} times the mean"
        for name, load in counts.items()
    ]
    return Picture(_draw(counts, factors), f"{_TITLE} {'; '.join(parts)}.")


def capacity_of(load: np.ndarray, factor: float) -> int:
    """Places of one expert.

    Examples
    --------
    >>> capacity_of(np.array([3, 1]), 1.25)
    3
    """
    return ceil(factor * load.sum() / load.size)


def _draw(counts: dict[str, np.ndarray], factors: Sequence[float]) -> Figure:
    steps = [
        Step(f"{factor:g}", _traces(counts, factor), {"title": heading(_TITLE, _sentence(counts, factor), _HEIGHT)})
        for factor in factors
    ]
    figure = graph_objects().Figure(steps[0].traces)
    axes: dict[str, Any] = {}
    share = (1 - 0.08 * (len(counts) - 1)) / len(counts)
    most = max(max(int(load.max()), capacity_of(load, max(factors))) for load in counts.values())
    for index, (name, load) in enumerate(counts.items()):
        left, suffix = index * (share + 0.08), "" if index == 0 else str(index + 1)
        axes[f"xaxis{suffix}"] = {
            "domain": [left, left + share], "anchor": f"y{suffix}", "title_text": f"expert, {name}",
            "tickvals": list(range(load.size)), "showgrid": False, "fixedrange": True,
        }  # fmt: skip
        axes[f"yaxis{suffix}"] = {"anchor": f"x{suffix}", "range": [0, 1.05 * most], "fixedrange": True}
    axes["yaxis"]["title_text"] = "assignments"
    figure.update_layout(axes)
    margin = {"l": 64, "r": 24, "t": _TOP, "b": 60 + SLIDER_HEIGHT}
    card(figure, _TITLE, _sentence(counts, factors[0]), _HEIGHT, margin=margin, barmode="stack", bargap=0.25)
    add_slider(figure, steps, prefix="capacity factor ", play=False)
    below = {"y": -0.1}
    return figure.update_layout(sliders=[below])


def _sentence(counts: dict[str, np.ndarray], factor: float) -> str:
    parts = []
    for name, load in counts.items():
        places = capacity_of(load, factor)
        dropped = np.maximum(load - places, 0).sum() / load.sum()
        empty = np.maximum(places - load, 0).sum() / (places * load.size)
        parts.append(f"{name}: {dropped:.0%} of the assignments dropped, {empty:.0%} of {places} places each empty")
    return "; ".join(parts) + "."


def _traces(counts: dict[str, np.ndarray], factor: float) -> list[Any]:
    go, traces = graph_objects(), []
    for index, load in enumerate(counts.values()):
        places, suffix = capacity_of(load, factor), "" if index == 0 else str(index + 1)
        kinds = (
            ("kept", np.minimum(load, places), {"color": CALM_BLUE}),
            ("dropped", np.maximum(load - places, 0),
             {"color": VERMILION, "pattern": {"shape": "/", "fgcolor": CARD, "fillmode": "overlay", "size": 7}}),
            ("empty", np.maximum(places - load, 0), {"color": CARD, "line": {"color": INK, "width": 1}}),
        )  # fmt: skip
        traces += [
            go.Bar(
                x=list(range(load.size)), y=values.tolist(), name=name, marker=marker, showlegend=index == 0,
                xaxis=f"x{suffix}", yaxis=f"y{suffix}",
                hovertemplate=f"expert %{{x}}: %{{y}} {name}<extra></extra>",
            )
            for name, values, marker in kinds
        ]  # fmt: skip
    return traces
