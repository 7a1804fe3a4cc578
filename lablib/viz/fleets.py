"""Where a training run's time went, as a line of time that a slider changes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from lablib.viz.picture import SLIDER_HEIGHT, Picture, Step, add_slider
from lablib.viz.style import BLUE, INK, MARGIN, card, graph_objects
from lablib.viz.units import percent, plural

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

_HEIGHT, _TOP, _BOTTOM = 350, 124, 60
_ROWS = {  # from the bottom up: name, colour, hatch
    "restart": ("restarts", "#8A3A76", "x"),
    "lost": ("lost again", "#D55E00", "/"),
    "blocked": ("copies", "#E69F00", "."),
    "kept": ("work kept", BLUE, ""),
}


def fleet_timeline(runs: Mapping[str, Any], unit: str = "h") -> Picture:
    """Show what a run did at every time, one run a position of the slider; a failure ends each restart-to-restart life.

    Parameters
    ----------
    runs
        By name, objects with ``spans``, triples (kind, start, end) of the kinds kept, blocked, lost and restart, and
        with ``kept``, ``blocked``, ``lost``, ``restarting``, ``failures``, ``goodput``.
    unit
        Of time.

    Raises
    ------
    ValueError
        When there is no run, or one has no time.

    Examples
    --------
    >>> from types import SimpleNamespace
    >>> spans = [("restart", 0, 1), ("kept", 1, 8), ("blocked", 8, 9), ("lost", 9, 10)]
    >>> shares = {"kept": 7, "blocked": 1, "lost": 1, "restarting": 1, "failures": 1, "goodput": 0.7}
    >>> fleet_timeline({"7 h": SimpleNamespace(spans=spans, **shares)})
    Goodput by interval. 7 h: 70% work kept, 10% copies, 10% lost again, 10% restarts, 1 failure.
    """
    if not runs or any(not run.spans for run in runs.values()):
        raise ValueError("fleet_timeline needs runs by name, each with spans (kind, start, end)")
    told = [f"{name}: {_shares(run)}, {plural(run.failures, 'failure')}." for name, run in runs.items()]
    return Picture(_draw(runs, unit), "Goodput by interval. " + " ".join(told))


def _shares(run: Any) -> str:
    whole = run.kept + run.blocked + run.lost + run.restarting
    parts = {"work kept": run.kept, "copies": run.blocked, "lost again": run.lost, "restarts": run.restarting}
    return ", ".join(f"{percent(part / whole)} {name}" for name, part in parts.items())


def _draw(runs: Mapping[str, Any], unit: str) -> Figure:
    go = graph_objects()
    steps = [_step(name, run) for name, run in runs.items()]
    start = len(steps) // 2
    figure = go.Figure(steps[start].traces)
    title = "Where did the time go?"
    subtitle = "One run of a training fleet, from left to right; each interval meets the same failures. "
    subtitle += "Move the slider to write checkpoints less often."
    margin = {"l": 96, "r": MARGIN, "t": _TOP, "b": _BOTTOM + SLIDER_HEIGHT}
    card(figure, title, subtitle, _HEIGHT + SLIDER_HEIGHT, margin=margin, showlegend=False, barmode="overlay")
    figure.update_xaxes(title={"text": f"time ({unit})"})
    figure.update_yaxes(showgrid=False, range=[-0.6, 4.1])
    add_slider(figure, steps, prefix="work between two copies: ", start=start, play=False)
    return figure


def _step(name: str, run: Any) -> Step:
    go = graph_objects()
    traces = []
    for kind, (label, colour, hatch) in _ROWS.items():
        spans = [(a, b) for one, a, b in run.spans if one == kind]
        pattern = {"shape": hatch, "fgcolor": "white", "size": 6, "solidity": 0.2, "fillmode": "overlay"}
        traces.append(go.Bar(
            base=[a for a, _ in spans], x=[b - a for a, b in spans], y=[label] * len(spans), orientation="h", width=0.7,
            marker={"color": colour, "line": {"width": 0}, "pattern": pattern},
            hovertemplate=f"{label}: from %{{base:.3g}}, %{{x:.3g}} long<extra></extra>",
        ))  # fmt: skip
    fails = sorted(b for kind, _, b in run.spans if kind == "lost")
    traces.append(go.Scatter(
        x=fails, y=["work kept"] * len(fails), mode="markers", hoverinfo="x",
        marker={"symbol": "x", "size": 9, "color": INK},
    ))  # fmt: skip
    note = {"text": f"<b>{name}</b>: {_shares(run)}", "x": 0, "y": 1.06, "xref": "paper", "yref": "paper"}
    note |= {"showarrow": False, "xanchor": "left", "yanchor": "bottom", "font": {"size": 13, "color": INK}}
    return Step(name, traces, {"annotations": [note]})
