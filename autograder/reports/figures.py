"""The report's charts. They hold numbers and the lab's own cell ids, never text of a hand-in.

Plotly reads its labels as a kind of HTML, so what a student chose must not get into one.
"""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from typing import TYPE_CHECKING

from plotly import graph_objects as go
from plotly.subplots import make_subplots

from autograder.reports import failures
from autograder.reports.item_analysis import LOW_DISCRIMINATION, UNMARKED, Item
from lablib.viz import style

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

_BINS = 20
_ROW = 34  # px of an exercise
# Told apart by hatching too: nothing is said by colour alone.
_ENDS = (
    (failures.PASSED, (failures.PASSED,), style.BLUE, ""),
    (failures.WRONG, (failures.WRONG,), style.VERMILION, "/"),
    ("stopped", failures.STOPPED, style.PURPLE, "x"),
    (failures.OPEN, (failures.OPEN,), style.RULE, ""),
)


def distribution(shares: Sequence[float]) -> Figure:
    """Draw how many hand-ins got which share of the points, with median and mean.

    Parameters
    ----------
    shares : sequence of float
        Of each hand-in, 0 to 1.
    """
    counts = [0] * _BINS
    for share in shares:
        counts[min(int(share * _BINS), _BINS - 1)] += 1
    width = 100 / _BINS
    edges = [number * width for number in range(_BINS)]
    ranges = [f"{edge:g} to {edge + width:g} %" for edge in edges]
    bars = go.Bar(
        x=[edge + width / 2 for edge in edges],
        y=counts,
        width=width * 0.92,
        marker={"color": style.CALM_BLUE},
        customdata=ranges,
        hovertemplate="%{customdata}: %{y} hand-ins<extra></extra>",
    )
    figure = _styled(go.Figure(bars), 300)
    median, mean = statistics.median(shares), statistics.fmean(shares)
    _add_line(figure, "median", median, "solid", to_the_left=median < mean)
    _add_line(figure, "mean", mean, "dot", to_the_left=mean <= median)
    figure.update_xaxes(title="share of the points", range=[0, 100], ticksuffix=" %", dtick=10)
    figure.update_yaxes(title="hand-ins", rangemode="tozero", tickformat="d", nticks=6)
    return figure


def _add_line(figure: Figure, name: str, share: float, dash: str, to_the_left: bool) -> None:
    label = {"text": f"{name} {share:.0%}", "font": {"size": 12}}
    line = {"color": style.INK, "width": 1.5, "dash": dash}
    position = "top left" if to_the_left else "top right"
    figure.add_vline(100 * share, line=line, annotation=label, annotation_position=position)


def exercises(items: Sequence[Item], hand_ins: int) -> Figure:
    """Draw, one row an exercise: how tests ended, how well they tell hand-ins apart, points against planned hours."""
    titles = ("how it ended, share of hand-ins", "item-rest correlation", "share of points and planned hours")
    figure = make_subplots(
        cols=3, shared_yaxes=True, column_widths=[0.46, 0.24, 0.3], horizontal_spacing=0.03, subplot_titles=titles
    )
    names = [item.cell.id for item in items]
    _add_ends(figure, items, names, hand_ins)
    _add_discrimination(figure, items, names)
    _add_plan(figure, items, names)
    _styled(figure, 120 + _ROW * len(items))
    figure.update_layout(
        barmode="stack", bargap=0.35, margin={"l": 190, "t": 84, "b": 40}, legend={"y": 1 + 44 / (_ROW * len(items))}
    )
    figure.update_annotations(font={"size": 13, "color": style.INK})
    figure.update_yaxes(autorange="reversed", showgrid=False)
    figure.update_yaxes(tickfont={"family": style.MONOSPACE, "size": 12, "color": style.INK}, col=1)
    for column, top in ((1, 100), (3, None)):
        figure.update_xaxes(range=[0, top], ticksuffix=" %", col=column)
    figure.update_xaxes(range=[-0.35, 1], dtick=0.25, col=2)
    return figure


def _add_ends(figure: Figure, items: Sequence[Item], names: list[str], hand_ins: int) -> None:
    """Add bars of outcomes for tests, and of the mean mark for cells that a person marks."""
    tests = [item for item in items if item.cell.role == "test"]
    for name, kinds, colour, hatch in _ENDS:
        counts = [sum(item.ends[kind] for kind in kinds) for item in tests]
        _add_bar(figure, name, [item.cell.id for item in tests], counts, hand_ins, colour, hatch)
    manual = [item for item in items if item.cell.role == "manual"]
    if manual:
        marked = [hand_ins - item.ends[UNMARKED] for item in manual]
        own = [item.cell.id for item in manual]
        earned = [(item.facility or 0.0) * count for item, count in zip(manual, marked, strict=True)]
        lost = [count - points for count, points in zip(marked, earned, strict=True)]
        _add_bar(figure, "mean mark", own, earned, hand_ins, style.SKY, "")
        _add_bar(figure, "marks lost", own, lost, hand_ins, style.PALE_VERMILION, "/")
        _add_bar(figure, UNMARKED, own, [item.ends[UNMARKED] for item in manual], hand_ins, style.FAINT, ".")
    figure.update_yaxes(categoryorder="array", categoryarray=names)


def _add_bar(
    figure: Figure, name: str, cells: list[str], counts: Sequence[float], most: int, colour: str, hatch: str
) -> None:
    stripes = style.CARD if colour in (style.VERMILION, style.PURPLE) else style.GRIP
    pattern = {"shape": hatch, "size": 7, "solidity": 0.2, "fillmode": "overlay", "fgcolor": stripes}
    bar = go.Bar(
        name=name,
        y=cells,
        x=[100 * count / most for count in counts],
        orientation="h",
        marker={"color": colour, "pattern": pattern, "line": {"width": 0}},
        hovertemplate=f"%{{y}}: %{{x:.0f}} % {name}<extra></extra>",
    )
    figure.add_trace(bar, row=1, col=1)


def _add_discrimination(figure: Figure, items: Sequence[Item], names: list[str]) -> None:
    values = [item.discrimination for item in items]
    colours = [style.VERMILION if value is not None and value < LOW_DISCRIMINATION else style.BLUE for value in values]
    symbols = ["diamond" if colour == style.VERMILION else "circle" for colour in colours]
    dots = go.Scatter(
        y=names,
        x=values,
        mode="markers",
        marker={"size": 10, "color": colours, "symbol": symbols},
        showlegend=False,
        hovertemplate="%{y}: %{x:.2f}<extra></extra>",
    )
    figure.add_trace(dots, row=1, col=2)
    shade = {"fillcolor": style.PALE_VERMILION, "opacity": 0.45, "line": {"width": 0}, "layer": "below"}
    figure.add_shape(type="rect", x0=-1, x1=LOW_DISCRIMINATION, y0=0, y1=1, xref="x2", yref="y2 domain", **shade)


def _add_plan(figure: Figure, items: Sequence[Item], names: list[str]) -> None:
    """Add two dots an exercise, joined: what it gives and what it is planned to take."""
    points, hours = ([getattr(item.cell, name) or 0.0 for item in items] for name in ("points", "hours"))
    shares = [[100 * value / (sum(values) or 1) for value in values] for values in (points, hours)]
    joints = [x for pair in zip(*shares, [None] * len(items), strict=True) for x in pair]
    rows = [name for name in names for _ in range(3)]
    line = {"color": style.GRIP, "width": 2}
    figure.add_trace(go.Scatter(y=rows, x=joints, mode="lines", line=line, showlegend=False, hoverinfo="skip"), 1, 3)
    for label, share, unit, values, colour, symbol, size in (
        ("points", shares[0], "points", points, style.BLUE, "circle-open", 13),
        ("planned hours", shares[1], "h", hours, style.AMBER, "diamond", 9),
    ):
        texts = [f"{value:g} {unit}" for value in values]
        marker = {"size": size, "color": colour, "symbol": symbol, "line": {"width": 2}}
        hover = "%{y}: %{customdata}, %{x:.0f} %<extra></extra>"
        dots = go.Scatter(
            y=names, x=share, mode="markers", name=label, marker=marker, customdata=texts, hovertemplate=hover
        )
        figure.add_trace(dots, row=1, col=3)


def _styled(figure: Figure, height: int) -> Figure:
    """Give a figure the house's type and colours, at the width of the page."""
    style.card(figure, "", "", height, width=None, autosize=True, margin={"l": 64, "r": 28, "t": 24, "b": 52})
    return figure.update_layout(title=None)
