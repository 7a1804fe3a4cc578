"""Every buffer of a traced kernel as a grid of elements, lit step by step as programs load and store them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from lablib.viz.footprint import SECTOR, Footprint, footprints
from lablib.viz.grids import add_axes, arrange, axis_names
from lablib.viz.picture import SLIDER_HEIGHT, Picture, Step, add_slider
from lablib.viz.replay import Moment, Touched, replay
from lablib.viz.style import (
    BLUE,
    FAINT,
    INK,
    MARGIN,
    MUTED,
    PALE_BLUE,
    VERMILION,
    card,
    graph_objects,
    heading,
)
from lablib.viz.units import percent, plural, size, three_digits

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

_TOP = 92
# Stored (below zero), untouched, loaded once, loaded most often.
_COLOURS = [[0, VERMILION], [0.4999, "#F3C3A6"], [0.5, FAINT], [0.5001, PALE_BLUE], [1, BLUE]]
_GAP_FROM = 6  # px: side of the smallest square that a gap leaves visible
_TEXT_FROM = 15  # px: side of the smallest square that a number fits into


@dataclass(frozen=True)
class _Mark:
    name: str
    symbol: str
    colour: str
    share: float  # of a square's side


_MARKS = (
    _Mark("loaded in this step", "square-open", INK, 0.72),
    _Mark("stored in this step", "diamond-open", INK, 0.62),
    _Mark("fetched with its sector, not used", "x-thin-open", MUTED, 0.4),
)
_UNTOUCHED = Touched(*[np.empty(0, np.int64)] * 3)


def memory_map(trace: Any, step: Literal["program", "instruction"] = "program") -> Picture:
    """Draw what a kernel touches in memory: a square an element, a slider over programs or instructions.

    An outlined square is loaded in this step, a diamond is stored, and a cross is an element that was fetched
    only because it shares a 32-byte sector with one that was asked for. Squares darken with the number of
    times that they were loaded; the last position of the slider shows the totals.

    Parameters
    ----------
    trace
        What `lablib.gpu.trace.trace` returns, or anything with ``kernel``, ``grid``, ``buffers`` (name to an
        object with ``shape``, ``strides`` in elements, ``itemsize`` in bytes) and ``accesses`` in order
        (``program``, ``op``, ``buffer``, ``offsets`` of the active lanes in elements, ``line``). A buffer's
        ``alignment``, an access's ``launch`` and the trace's ``faults`` are used when there are any.
    step
        What one position of the slider is. Long traces show several a position.

    Returns
    -------
    Picture
        Its ``summary`` gives the bytes moved, how often each element was loaded, and how much of the fetched
        sectors was used.

    Raises
    ------
    ValueError
        When the trace has no accesses, or ``step`` is neither ``"program"`` nor ``"instruction"``.
    """
    if step not in ("program", "instruction"):
        raise ValueError(f'step must be "program" or "instruction", got {step!r}')
    if not trace.accesses:
        raise ValueError(
            f"the trace of {trace.kernel or 'no kernel'} holds no load and no store: nothing to draw; "
            "check that the traced function launches a kernel"
        )
    prints = footprints(trace.buffers)
    history = replay(trace.accesses, step, prints)
    return Picture(_draw(trace.kernel, prints, history), _summary(trace, prints, history[-1]))


def _summary(trace: Any, prints: Sequence[Footprint], last: Moment) -> str:
    parts = [f"{trace.kernel}, {plural(int(np.prod(trace.grid)), 'program')}: {_totals(last)}."]
    parts += [sentence for one in prints if (sentence := one.sentence())]
    if faults := getattr(trace, "faults", ()):
        parts.append(f"{plural(len(faults), 'access')} outside a buffer, not drawn; the first: {faults[0]}")
    return " ".join(parts)


def _totals(moment: Moment) -> str:
    loaded, stored, updated = (moment.moved[op] for op in ("load", "store", "atomic"))
    return f"loaded {size(loaded)}, stored {size(stored)}" + (
        f", updated {size(updated)} atomically" if updated else ""
    )


def _draw(kernel: str, prints: Sequence[Footprint], history: Sequence[Moment]) -> Figure:
    go = graph_objects()
    shapes, names = [one.drawn for one in prints], [one.caption() for one in prints]
    layout = arrange(shapes, names)
    # Below axes of a single row plotly moves the slider down, to keep clear of the legend.
    bottom = 36 + SLIDER_HEIGHT + (24 if layout.height < 60 else 0)
    height = round(_TOP + layout.height + bottom)
    title = f"Where does {kernel} read and write?"
    panels = _Panels(layout.cell, *_most(history[-1]))
    steps = [
        Step(
            moment.label,
            [trace for index, one in enumerate(prints) for trace in panels.traces(one, moment, axis_names(index))],
            {"title": heading(title, _line(moment, index, len(history)), height)},
        )
        for index, moment in enumerate(history)
    ]
    figure = go.Figure(steps[0].traces)
    card(figure, title, "", height, margin={"l": MARGIN, "r": MARGIN, "t": _TOP, "b": bottom})
    add_axes(figure, layout, shapes, names)
    _add_legend(figure)
    add_slider(figure, steps, prefix="")
    return figure


def _line(moment: Moment, index: int, count: int) -> str:
    if index == count - 1:
        return f"In all: {_totals(moment)}. The number in a square counts its loads; a diamond marks a store."
    text = f"Step {index + 1} of {count - 1}. So far {_totals(moment)}."
    if moment.fetched:
        share = percent(moment.used / moment.fetched)
        text += f" This step uses {share} of the {SECTOR}-byte sectors that it fetches."
    return text


def _most(last: Moment) -> tuple[float, float]:
    """Return the most loads and the most stores of any square, which the darkest shades stand for."""
    loads, stores = zip(*last.counts.values(), strict=True)
    return max(1.0, *(float(each.max()) for each in loads)), max(1.0, *(float(each.max()) for each in stores))


@dataclass(frozen=True)
class _Panels:
    """How panels are drawn: the side of a square in pixels, and the counts of the darkest shades."""

    cell: float
    most_loads: float
    most_stores: float

    def traces(self, one: Footprint, moment: Moment, axes: dict[str, str]) -> list[Any]:
        """Draw the squares of a buffer, and over them a layer for each kind of mark."""
        touched = moment.touched.get(one.name, _UNTOUCHED)
        marked = (touched.loaded, touched.stored, touched.unused)
        layers = [self._layer(one, *pair, axes) for pair in zip(marked, _MARKS, strict=True)]
        return [self._squares(one, *moment.counts[one.name], axes), *layers]

    def _squares(self, one: Footprint, loads: np.ndarray, stores: np.ndarray, axes: dict[str, str]) -> Any:
        go = graph_objects()
        shade = np.where(stores > 0, -stores / self.most_stores, loads / self.most_loads)
        shade = np.sign(shade) * np.sqrt(np.abs(shade))  # so that a second load shows next to a sixty-fourth
        shade[~one.exists] = np.nan
        gap = 1 if self.cell >= _GAP_FROM else 0
        text = {}
        if self.cell >= _TEXT_FROM:
            text = {"text": np.where(stores > 0, "◆", _count_texts(loads)), "texttemplate": "%{text}"}
        counts = np.stack([loads, stores], axis=-1)
        return go.Heatmap(
            z=shade, zmin=-1, zmax=1, colorscale=_COLOURS, showscale=False, xgap=gap, ygap=gap,
            textfont={"size": 11}, customdata=counts, hovertemplate=_hover(one), **text, **axes,
        )  # fmt: skip

    def _layer(self, one: Footprint, elements: np.ndarray, mark: _Mark, axes: dict[str, str]) -> Any:
        go = graph_objects()
        rows, cols = one.positions(elements)
        line = {"color": mark.colour, "width": 2 if self.cell > 12 else 1}
        side = max(2.5, mark.share * self.cell)
        marker = {"symbol": mark.symbol, "size": side, "color": mark.colour, "line": line}
        return go.Scatter(x=cols, y=rows, mode="markers", marker=marker, hoverinfo="skip", showlegend=False, **axes)


def _count_texts(loads: np.ndarray) -> np.ndarray:
    return np.array([[three_digits(count) if count else "" for count in row] for row in loads])


def _hover(one: Footprint) -> str:
    where = "row %{y}, column %{x}" if len(one.shape) > 1 else f"square {one.drawn[1]} x %{{y}} + %{{x}}"
    counts = "loaded %{customdata[0]:.3~g} times, stored %{customdata[1]:.3~g} times"
    return f"{one.name}, {where}<br>{counts}<extra></extra>"


def _add_legend(figure: Figure) -> None:
    """Name the marks once; those in the panels come and go with the steps."""
    go = graph_objects()
    for mark in _MARKS:
        line = {"color": mark.colour, "width": 1.5}
        marker = {"symbol": mark.symbol, "size": 9, "color": mark.colour, "line": line}
        figure.add_trace(go.Scatter(x=[None], y=[None], mode="markers", name=mark.name, marker=marker))
    figure.update_layout(legend={"x": 0, "xanchor": "left", "y": 0, "yanchor": "top"})
