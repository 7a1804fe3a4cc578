"""What a service level costs: policies as points, and what the chosen one did over time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from lablib.viz.picture import SLIDER_HEIGHT, Picture, Step, add_slider
from lablib.viz.style import BLUE, INK, MARGIN, MUTED, PALE_BLUE, VERMILION, card, graph_objects
from lablib.viz.units import percent

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

_HEIGHT, _TOP, _BOTTOM = 390, 112, 60


def cost_slo(
    runs: Mapping[str, Any], demand: Sequence[int], capacity: int, dollars: Mapping[str, float], most_late: float = 0.01
) -> Picture:
    """Show each policy's price against its share of late requests, and demand and capacity over time for one of them.

    Parameters
    ----------
    runs
        By name, objects with ``requests``, ``late``, ``ready`` (serving replicas at each tick).
    demand, capacity
        Requests of each tick, and requests that a replica serves in a tick.
    dollars
        By the same names, what a million tokens cost.
    most_late
        The share of requests that may be late.

    Raises
    ------
    ValueError
        When there is no run, or one is not as long as the demand.

    Examples
    --------
    >>> from types import SimpleNamespace
    >>> run = SimpleNamespace(requests=100, late=2, ready=[3, 3])
    >>> cost_slo({"three": run}, [40, 60], 20, {"three": 1.5})
    At most 1.0% late allowed. three: $1.50 a million tokens, 2.0% late, misses it.
    """
    if not runs or any(len(run.ready) != len(demand) for run in runs.values()):
        raise ValueError("cost_slo needs runs by name, each with as many ticks as the demand")
    told = [f"{name}: ${dollars[name]:.2f} a million tokens, {_verdict(run, most_late)}." for name, run in runs.items()]
    summary = f"At most {percent(most_late)} late allowed. {' '.join(told)}"
    return Picture(_draw(runs, demand, capacity, dollars, most_late), summary)


def _verdict(run: Any, most_late: float) -> str:
    late = run.late / run.requests
    return f"{percent(late)} late, {'meets' if late <= most_late else 'misses'} it"


def _draw(
    runs: Mapping[str, Any], demand: Sequence[int], capacity: int, dollars: Mapping[str, float], most_late: float
) -> Figure:
    go = graph_objects()
    steps = [_step(name, runs, demand, capacity, dollars, most_late) for name in runs]
    figure = go.Figure(steps[0].traces)
    figure.add_trace(go.Scatter(
        x=[100 * most_late] * 2, y=[0, 1.25 * max(dollars.values())], mode="lines", hoverinfo="skip",
        line={"color": VERMILION, "dash": "dash"},
    ))  # fmt: skip
    top = max(100 * max(run.late / run.requests for run in runs.values()), 300 * most_late)
    figure.update_layout(
        xaxis={"domain": [0, 0.4], "title": {"text": "late requests (%)"}, "range": [-0.06 * top, 1.15 * top]},
        yaxis={"title": {"text": "$ a million tokens"}, "range": [0, 1.25 * max(dollars.values())]},
        xaxis2={"domain": [0.52, 1], "anchor": "y2", "title": {"text": "tick"}},
        yaxis2={"anchor": "x2", "title": {"text": "requests a tick"}, "rangemode": "tozero"},
    )
    title = "What does it cost to be on time?"
    subtitle = "Left: one point a policy; only those left of the dashed line keep the promise. "
    subtitle += "Right: requests that come (filled), and what the replicas could serve (line)."
    card(figure, title, subtitle, _HEIGHT + SLIDER_HEIGHT, showlegend=False,
         margin={"l": 68, "r": MARGIN, "t": _TOP, "b": _BOTTOM + SLIDER_HEIGHT})  # fmt: skip
    add_slider(figure, steps, prefix="", start=0, play=False)
    return figure


def _step(
    name: str, runs: Mapping[str, Any], demand: Sequence[int], capacity: int, dollars: Mapping[str, float],
    most_late: float,
) -> Step:  # fmt: skip
    go = graph_objects()
    names = list(runs)
    late = [100 * run.late / run.requests for run in runs.values()]
    chosen = [one == name for one in names]
    ticks = list(range(len(demand)))
    traces = [
        go.Scatter(
            x=late, y=[dollars[one] for one in names], mode="markers", text=names,
            hovertemplate="%{text}: %{x:.2f}% late, $%{y:.2f}<extra></extra>",
            marker={
                "size": [14 if one else 9 for one in chosen], "color": [BLUE if one else MUTED for one in chosen],
                "symbol": ["diamond" if one else "circle" for one in chosen],
            },
        ),
        go.Scatter(
            x=ticks, y=list(demand), mode="lines", line={"color": PALE_BLUE, "width": 1}, fill="tozeroy",
            fillcolor=PALE_BLUE, xaxis="x2", yaxis="y2", hoverinfo="x+y",
        ),
        go.Scatter(
            x=ticks, y=[capacity * ready for ready in runs[name].ready], mode="lines",
            line={"color": INK, "width": 2, "shape": "hv"}, xaxis="x2", yaxis="y2", hoverinfo="x+y",
        ),
    ]  # fmt: skip
    note = {
        "text": f"<b>{name}</b>: ${dollars[name]:.2f}, {_verdict(runs[name], most_late)}", "x": 0, "y": 1.02,
        "xref": "paper", "yref": "paper", "xanchor": "left", "yanchor": "bottom", "showarrow": False,
        "font": {"size": 13, "color": INK},
    }  # fmt: skip
    return Step(name, traces, {"annotations": [note]})
