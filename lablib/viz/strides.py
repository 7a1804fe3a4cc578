"""Where the elements of strided views lie in the flat memory that they share."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from lablib.viz.grids import add_axes, arrange, axis_names
from lablib.viz.picture import SLIDER_HEIGHT, Picture, Step, add_slider
from lablib.viz.style import CALM_BLUE, FAINT, INK, MARGIN, PALE_BLUE, PALE_VERMILION, card, graph_objects, heading
from lablib.viz.units import plural

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

View = tuple[Sequence[int], Sequence[int], int]

_UNREAD, _ONCE, _OFTEN = 0, 1, 2  # what a place is
_COLOURS = (FAINT, PALE_BLUE, PALE_VERMILION)
_STATES = np.array(["read by no element", "read by one element", "read by several elements"])
_MOST = 512  # squares of a view or places of a buffer that can still be read
_MOST_COLS = 24  # places in a row of the memory's panel
_TEXT_FROM = 13  # px: side of the smallest square that a number fits into
_TOP = 104


def view_explorer(views: Mapping[str, View], size: int) -> Picture:
    """Draw views over one flat buffer: which place each element reads, and how often each place is read.

    Parameters
    ----------
    views
        ``(shape, strides, offset)`` by name, in elements; strides may be 0 or negative. A view of more than two axes is
        drawn with its leading axes folded into rows; one of a single axis is a row.
    size
        Places of the buffer.

    Returns
    -------
    Picture
        Its ``summary`` gives for each view its elements, the places that they read, and whether it is contiguous.

    Raises
    ------
    ValueError
        When there is no view, a view reaches outside the buffer, its shape and strides differ in length, or there is
        more than a picture can show.

    Examples
    --------
    >>> view_explorer({"x": ((2, 3), (3, 1), 0), "row 0 twice": ((2, 3), (0, 1), 0)}, size=6)
    Views of 6 places. x: 6 elements on 6 places, contiguous. row 0 twice: 6 elements on 3 places, 3 of them read 2 times.
    """  # noqa: E501
    if not views:
        raise ValueError("there is nothing to show: give views by name, each as (shape, strides, offset)")
    if not 1 <= size <= _MOST:
        raise ValueError(f"the buffer must have 1 to {_MOST} places to be drawn, got {size}")
    places = {name: _places(name, view, size) for name, view in views.items()}
    sentences = [f"{name}: {_sentence(places[name], views[name])}." for name in views]
    return Picture(_draw(views, places, size), f"Views of {plural(size, 'place')}. " + " ".join(sentences))


def _places(name: str, view: View, size: int) -> np.ndarray:
    """The place of each element, as rows and columns."""
    shape, strides, offset = view
    if len(shape) != len(strides):
        raise ValueError(f"{name} has {len(shape)} lengths and {len(strides)} strides; it needs one stride an axis")
    if not 1 <= math.prod(shape) <= _MOST:
        raise ValueError(f"{name} has {math.prod(shape)} elements; 1 to {_MOST} can be drawn")
    places = np.full((), offset)
    for length, stride in zip(shape, strides, strict=True):
        places = places[..., None] + np.arange(length) * stride
    if places.min() < 0 or places.max() >= size:
        raise ValueError(
            f"{name} reaches from place {places.min()} to {places.max()}; the buffer has 0 to {size - 1}: "
            "look at its strides and its offset"
        )
    return places.reshape(-1, shape[-1] if len(shape) else 1)


def _sentence(places: np.ndarray, view: View) -> str:
    used, times = np.unique(places, return_counts=True)
    text = f"{plural(places.size, 'element')} on {plural(len(used), 'place')}"
    if times.max() > 1:
        return text + f", {int((times == times.max()).sum())} of them read {times.max()} times"
    flat = places.ravel()
    if (np.diff(flat) == 1).all():
        return text + ", contiguous"
    return text + f", neighbours {_steps(view)} apart"


def _steps(view: View) -> str:
    steps = [stride for length, stride in zip(view[0], view[1], strict=True) if length > 1]
    return f"{steps[-1]:d}" if steps else "0"


def _draw(views: Mapping[str, View], places: Mapping[str, np.ndarray], size: int) -> Figure:
    go = graph_objects()
    rows, cols = (max(each.shape[axis] for each in places.values()) for axis in (0, 1))
    across = min(size, _MOST_COLS)
    shapes = [(rows, cols), (-(-size // across), across)]
    names = ["<b>view</b>", "<b>memory</b>"]
    layout = arrange(shapes, names, tallest=420, largest_cell=30)
    bottom = 48 + SLIDER_HEIGHT
    height = round(_TOP + layout.height + bottom)
    title = "Which place in memory does each element of a view read?"
    steps = [
        Step(
            name,
            [
                *_view_traces(places[name], (rows, cols), layout.cell),
                *_memory_traces(places[name], size, across, layout),
            ],
            {"title": heading(title, f"{name}: {_line(view)} {_sentence(places[name], view).capitalize()}.", height)},
        )
        for name, view in views.items()
    ]
    figure = go.Figure(steps[0].traces)
    card(figure, title, "", height, margin={"l": MARGIN, "r": MARGIN, "t": _TOP, "b": bottom})
    add_axes(figure, layout, shapes, names)
    _add_legend(figure)
    if len(steps) > 1:
        add_slider(figure, steps, prefix="", play=False)
    return figure


def _line(view: View) -> str:
    shape, strides, offset = (tuple(view[0]), tuple(view[1]), view[2])
    return f"shape {shape}, strides {strides}, offset {offset}."


def _view_traces(places: np.ndarray, shape: tuple[int, int], cell: float) -> list[Any]:
    """The view's squares, padded so that every step has the same axes."""
    often = np.isin(places, [p for p, n in zip(*np.unique(places, return_counts=True), strict=True) if n > 1])
    codes, text = np.full(shape, np.nan), np.full(shape, "", dtype=object)
    here = (slice(places.shape[0]), slice(places.shape[1]))
    codes[here], text[here] = np.where(often, _OFTEN, _ONCE), places.astype(str)
    rows, cols = np.nonzero(often)
    return [_squares(codes, text, 0, cell), _marks(cols, rows, 0, cell)]


def _memory_traces(places: np.ndarray, size: int, across: int, layout: Any) -> list[Any]:
    """The buffer's squares, row by row; places that several elements read carry a ring and their count."""
    count = np.bincount(places.ravel(), minlength=size)
    shape = (-(-size // across), across)
    codes, text = np.full(shape, np.nan), np.full(shape, "", dtype=object)
    codes.ravel()[:size] = np.minimum(count, _OFTEN)
    text.ravel()[:size] = [str(place) for place in range(size)]
    rows, cols = np.divmod(np.nonzero(count > 1)[0], across)
    return [_squares(codes, text, 1, layout.cell), _marks(cols, rows, 1, layout.cell)]


def _squares(codes: np.ndarray, text: np.ndarray, panel: int, cell: float) -> Any:
    go = graph_objects()
    scale = [[(i + edge) / 3, colour] for i, colour in enumerate(_COLOURS) for edge in (0, 1)]
    hover = np.where(np.isnan(codes), "", _STATES[np.nan_to_num(codes).astype(int)])
    return go.Heatmap(
        z=codes, text=text, customdata=hover, zmin=-0.5, zmax=2.5, colorscale=scale, showscale=False, xgap=1, ygap=1,
        texttemplate="%{text}" if cell >= _TEXT_FROM else None, textfont={"size": 11, "color": INK},
        hovertemplate="place %{text}: %{customdata}<extra></extra>", hoverongaps=False, **axis_names(panel),
    )  # fmt: skip


def _marks(cols: np.ndarray, rows: np.ndarray, panel: int, cell: float) -> Any:
    """A ring around what is read several times, so that colour does not tell it alone."""
    go = graph_objects()
    marker = {"symbol": "circle-open", "size": 0.8 * cell, "color": INK, "line": {"width": 1.2}}
    return go.Scatter(
        x=cols, y=rows, mode="markers", marker=marker, hoverinfo="skip", showlegend=False, **axis_names(panel)
    )


def _add_legend(figure: Figure) -> None:
    go = graph_objects()
    for name, colour, symbol in zip(_STATES, _COLOURS, ("square", "square", "circle"), strict=True):
        line = {"color": INK if symbol == "circle" else CALM_BLUE, "width": 1.2}
        marker = {"symbol": symbol, "size": 11, "color": colour, "line": line}
        figure.add_trace(go.Scatter(x=[None], y=[None], mode="markers", name=str(name), marker=marker))
    figure.update_layout(legend={"x": 0, "xanchor": "left", "y": 0, "yanchor": "top"})
