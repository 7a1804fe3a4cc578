"""Pareto fronts of several searches while they ask: a slider over the queries."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from lablib.viz.picture import SLIDER_HEIGHT, Picture, Step, add_slider
from lablib.viz.style import DASHES, MARGIN, SERIES, SYMBOLS, card, graph_objects

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

_HEIGHT, _TOP, _BOTTOM, _LEFT = 420, 136, 64, 72

Point = tuple[float, float]
"""Cost, to be small; value, to be large."""


def front_growth(
    runs: Mapping[str, Sequence[Point]], reference: Point, *, queries: Sequence[int], x: str, y: str
) -> Picture:
    """Draw the fronts of several searches after so many queries, as staircases down to a reference point.

    Parameters
    ----------
    runs
        By name of the search, (cost, value) of each query, in their order.
    reference
        (cost, value) that is worse than all of interest.
    queries
        Positions of the slider: how many queries are drawn.
    x, y
        What the two numbers are.

    Returns
    -------
    Picture
        Its ``summary`` has each search's number of points on the front after the first and the last position.

    Raises
    ------
    ValueError
        When there is no run or no position, or a position that is no number of queries.

    Examples
    --------
    >>> runs = {"chance": [(2.0, 0.5), (1.0, 0.4), (3.0, 0.4)]}
    >>> front_growth(runs, (4.0, 0.0), queries=[1, 3], x="latency", y="accuracy")
    Fronts of latency and accuracy after 1 and after 3 queries: chance 1 and 2 points.
    """
    if not runs or not queries or min(queries) < 1 or any(len(points) < max(queries) for points in runs.values()):
        raise ValueError("front_growth needs runs, and positions from 1 to the number of queries that each run made")
    told = [
        f"{name} {' and '.join(str(len(_front(points[:n], reference))) for n in (queries[0], queries[-1]))} points"
        for name, points in runs.items()
    ]
    text = f"Fronts of {x} and {y} after {queries[0]} and after {queries[-1]} queries: {', '.join(told)}."
    return Picture(_draw(runs, reference, queries, x, y), text)


def _front(points: Sequence[Point], reference: Point) -> list[Point]:
    """The points that none beats and that are better than the reference, by rising cost, each once."""
    front: list[Point] = []
    for cost, value in sorted(points, key=lambda point: (point[0], -point[1])):
        if cost < reference[0] and value > (front[-1][1] if front else reference[1]):
            front.append((cost, value))
    return front


def _draw(runs: Mapping[str, Sequence[Point]], reference: Point, queries: Sequence[int], x: str, y: str) -> Figure:
    go = graph_objects()
    steps = [Step(str(n), _traces(runs, reference, n), {}) for n in queries]
    figure = go.Figure(steps[-1].traces)
    everything = [point for points in runs.values() for point in _front(points, reference)]
    low, high = min(cost for cost, _ in everything), max(value for _, value in everything)
    title = "How do the fronts grow?"
    subtitle = "Each staircase covers what is slower and worse; the larger its area, the better."
    margin = {"l": _LEFT, "r": MARGIN, "t": _TOP, "b": _BOTTOM + SLIDER_HEIGHT}
    card(figure, title, subtitle, _HEIGHT + SLIDER_HEIGHT, margin=margin)
    figure.update_xaxes(title_text=x, range=[low - 0.04 * (reference[0] - low), reference[0]])
    figure.update_yaxes(title_text=y, range=[reference[1], high + 0.06 * (high - reference[1])])
    add_slider(figure, steps, prefix="queries: ", start=len(steps) - 1)
    return figure


def _traces(runs: Mapping[str, Sequence[Point]], reference: Point, count: int) -> list[object]:
    go = graph_objects()
    traces = []
    for style, (name, points) in enumerate(runs.items()):
        front = _front(points[:count], reference)
        colour = SERIES[style % len(SERIES)]
        costs, values = [cost for cost, _ in front], [value for _, value in front]
        traces.append(
            go.Scatter(
                x=[*costs[:1], *costs, reference[0]], y=[reference[1], *values, *values[-1:]] if front else [],
                mode="lines+markers", name=name, hoverinfo="name+x+y",
                line={"color": colour, "dash": DASHES[style % len(DASHES)], "width": 2, "shape": "hv"},
                marker={"symbol": SYMBOLS[style % len(SYMBOLS)], "size": 7},
            )
        )  # fmt: skip
    return traces
