"""Latency under load: the distribution of latencies beside the queue that makes them, one run a step of a slider."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from lablib.viz.picture import SLIDER_HEIGHT, Picture, Step, add_slider
from lablib.viz.style import BLUE, INK, MARGIN, PALE_BLUE, VERMILION, card, graph_objects
from lablib.viz.units import percent, si

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

_HEIGHT, _TOP, _BOTTOM = 400, 112, 64


def queue_latency(runs: Mapping[str, Mapping[str, Sequence[int]]], bound: int, share: float = 0.99) -> Picture:
    """Show for each run the latency of every share of its queries, and how many queries were in the system over time.

    Parameters
    ----------
    runs
        By name, the positions of the slider: ``arrivals``, ascending, and ``latencies``, of the same queries, both in
        microseconds.
    bound
        Microseconds that a query may take.
    share
        Of the queries that are to meet the bound; its percentile is marked.

    Returns
    -------
    Picture
        Its ``summary`` has each run's percentile, its share of late queries and its longest queue.

    Raises
    ------
    ValueError
        When there is no run, or one has no query or as many latencies as it has not arrivals.

    Examples
    --------
    >>> queue_latency({"slow": {"arrivals": [0, 1000, 2000], "latencies": [500, 2000, 9000]}}, bound=5000, share=0.5)
    Latency under load, bound 5 ms. slow: 50th percentile 2 ms, 33% late, at most 2 queries in the system.
    """
    if not runs:
        raise ValueError("queue_latency needs a run: a dict with arrivals and latencies")
    for name, run in runs.items():
        if not len(run["arrivals"]) or len(run["arrivals"]) != len(run["latencies"]):
            raise ValueError(f"the run {name!r} needs one latency for each of its queries, and a query")
    told = [_describe(name, run, bound, share) for name, run in runs.items()]
    return Picture(_draw(runs, bound, share), f"Latency under load, bound {si(bound / 1e6, 's')}. " + " ".join(told))


def _describe(name: str, run: Mapping[str, Sequence[int]], bound: int, share: float) -> str:
    latencies = np.sort(np.asarray(run["latencies"]))
    late = percent(float((latencies > bound).mean()))
    marked = si(_at(latencies, share) / 1e6, "s")
    longest = int(_in_system(run)[1].max())
    return f"{name}: {100 * share:g}th percentile {marked}, {late} late, at most {longest} queries in the system."


def _at(latencies: np.ndarray, share: float) -> int:
    return int(latencies[max(int(np.ceil(share * len(latencies))), 1) - 1])


def _in_system(run: Mapping[str, Sequence[int]]) -> tuple[np.ndarray, np.ndarray]:
    """Moments at which a query comes or goes, and how many there are from then on."""
    arrivals = np.asarray(run["arrivals"])
    leaves = arrivals + np.asarray(run["latencies"])
    times = np.concatenate([arrivals, leaves])
    change = np.repeat([1, -1], len(arrivals))
    order = np.lexsort((change, times))  # at the same moment those who leave go first
    return times[order], np.cumsum(change[order])


def _longest(times: np.ndarray, counts: np.ndarray, parts: int = 240) -> tuple[np.ndarray, np.ndarray]:
    """The longest queue in each of equal parts of the time: as much as a line can show."""
    edges = np.linspace(times[0], times[-1], parts + 1)
    place = np.clip(np.searchsorted(edges, times, side="right") - 1, 0, parts - 1)
    # The queue that a part begins with is that of the last event before it.
    before = np.searchsorted(times, edges[:-1], side="right") - 1
    longest = counts[np.maximum(before, 0)].copy()
    np.maximum.at(longest, place, counts)
    return edges[:-1], longest


def _draw(runs: Mapping[str, Mapping[str, Sequence[int]]], bound: int, share: float) -> Figure:
    go = graph_objects()
    steps = [_step(name, run, bound, share) for name, run in runs.items()]
    figure = go.Figure(steps[0].traces)
    everything = np.concatenate([np.asarray(run["latencies"]) for run in runs.values()]) / 1000
    top = max(float(everything.max()), bound / 1000)
    low = max(float(everything.min()), 1e-3)
    figure.update_layout(
        xaxis={"domain": [0, 0.44], "title": {"text": "share of queries (%)"}, "range": [0, 101]},
        yaxis={
            "title": {"text": "latency (ms)"}, "type": "log", "range": [np.log10(low) - 0.1, np.log10(top) + 0.15],
            "dtick": 1, "tickformat": "~g", "exponentformat": "none",
        },
        xaxis2={"domain": [0.57, 1], "anchor": "y2", "title": {"text": "time (ms)"}, "rangemode": "tozero"},
        yaxis2={"anchor": "x2", "title": {"text": "queries"}, "rangemode": "tozero"},
    )  # fmt: skip
    margin = {"l": 72, "r": MARGIN, "t": _TOP, "b": _BOTTOM + SLIDER_HEIGHT}
    title = "How long do queries take, and how many are there at once?"
    subtitle = "Left: each share of queries is answered within this time; the dashed line is the bound. "
    subtitle += "Right: the longest queue, with those that run, over time."
    card(figure, title, subtitle, _HEIGHT + SLIDER_HEIGHT, margin=margin, showlegend=False)
    add_slider(figure, steps, prefix="", start=0, play=False)
    return figure


def _step(name: str, run: Mapping[str, Sequence[int]], bound: int, share: float) -> Step:
    go = graph_objects()
    latencies = np.sort(np.asarray(run["latencies"])) / 1000
    shares = 100 * np.arange(1, len(latencies) + 1) / len(latencies)
    times, counts = _in_system(run)
    marked = _at(latencies * 1000, share) / 1000
    moments, longest = _longest(times, counts)
    met = "meets" if marked * 1000 <= bound else "misses"
    traces = [
        go.Scatter(x=shares, y=latencies, mode="lines", line={"color": BLUE, "width": 2}, hoverinfo="x+y"),
        go.Scatter(
            x=[0, 100], y=[bound / 1000] * 2, mode="lines", line={"color": VERMILION, "dash": "dash"}, hoverinfo="skip"
        ),
        go.Scatter(
            x=[100 * share], y=[marked], mode="markers+text", textposition="top left", textfont={"color": INK},
            marker={"color": INK, "size": 9, "symbol": "diamond"}, hoverinfo="skip",
            text=[f"{100 * share:g}%: {marked:.3g} ms, {met} the bound "],
        ),
        go.Scatter(
            x=moments / 1000, y=longest, mode="lines", line={"color": BLUE, "width": 1, "shape": "hv"},
            fill="tozeroy", fillcolor=PALE_BLUE, xaxis="x2", yaxis="y2", hoverinfo="x+y",
        ),
    ]  # fmt: skip
    layout = {"xaxis2": {"range": [0, float(times[-1]) / 1000]}, "yaxis2": {"range": [0, 1.1 * float(counts.max())]}}
    return Step(name, traces, layout)
