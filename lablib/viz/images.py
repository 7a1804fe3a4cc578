"""Small grey images, a row of steps to go through with a slider, and beside them what each step costs and is worth."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from lablib.viz.grids import BARE_AXIS
from lablib.viz.picture import SLIDER_HEIGHT, Picture, Step, add_slider
from lablib.viz.style import CALM_BLUE, FAINT, INK, MARGIN, MUTED, RULE, VERMILION, WIDTH, card, graph_objects, heading
from lablib.viz.units import plural, si, three_digits

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

_TOP, _BOTTOM = 104, 56
_GAP = 1  # pixels of the images between two of them
_CURVE = 330  # px that the curve takes, its axis included


def image_steps(
    images: Any,
    labels: Sequence[str],
    *,
    title: str,
    prefix: str = "step ",
    notes: Sequence[str] | None = None,
    rows: Sequence[str] = ("",),
    curve: Mapping[str, Any] | None = None,
    start: int = 0,
) -> Picture:
    """Step through versions of the same images.

    Parameters
    ----------
    images
        Shape (steps, images, height, width), from 0 for white to 1 for black; values outside are cut off.
    labels
        One a step, after ``prefix`` on the slider.
    title
        The question that the picture answers.
    notes
        A sentence for each step, shown below the title.
    rows
        Names of rows that the images are laid out in, from top to bottom; as many images in each.
    curve
        What a step costs and is worth, drawn beside the images with the current step marked: ``cost`` and ``value``,
        one positive number a step, and the names of both axes, ``cost_name`` (with its unit in brackets) and
        ``value_name``. Both axes are logarithmic. Numbers of other methods may come as ``others``: a list of
        (name, cost, value).
    start
        Index of the step that is shown first.

    Returns
    -------
    Picture
        Its ``summary`` names the steps, and the cost and value of the first and the last.

    Raises
    ------
    ValueError
        When numbers of steps, labels, notes, rows or the curve do not fit each other.

    Examples
    --------
    >>> import numpy as np
    >>> image_steps(np.zeros((2, 3, 8, 8)), ["0", "250"], title="Where does the image go?", prefix="t = ")
    Where does the image go? 3 images of 8 x 8 in 2 steps, from t = 0 to t = 250.
    """
    pictures = np.asarray(images, dtype=float)
    _check(pictures, labels, notes, rows, curve)
    sheets = [_sheet(step, len(rows)) for step in pictures]
    steps, count, height, width = pictures.shape
    summary = f"{title} {plural(count, 'image')} of {height} x {width} in {plural(steps, 'step')}"
    summary += f", from {prefix}{labels[0]} to {prefix}{labels[-1]}."
    if curve is not None:
        ends = (f"{three_digits(curve['value'][i])} at {si(curve['cost'][i], '')}".strip() for i in (0, -1))
        summary += f" {curve['value_name']} against {curve['cost_name']}: {', then '.join(ends)}."
    return Picture(_draw(sheets, labels, title, prefix, notes, rows, curve, start), summary)


def _check(pictures: np.ndarray, labels: Any, notes: Any, rows: Any, curve: Any) -> None:
    if pictures.ndim != 4 or 0 in pictures.shape:
        raise ValueError(f"images must have the shape (steps, images, height, width), got {pictures.shape}")
    given = {"labels": labels, "notes": notes}
    if curve is not None:
        missing = [key for key in ("cost", "value", "cost_name", "value_name") if key not in curve]
        if missing:
            raise ValueError(f"the curve has no {missing[0]!r}; it needs cost, value, cost_name and value_name")
        given |= {"curve's cost": curve["cost"], "curve's value": curve["value"]}
    for name, values in given.items():
        if values is not None and len(values) != len(pictures):
            raise ValueError(f"there are {len(pictures)} steps but {len(values)} {name}: give one a step")
    if pictures.shape[1] % len(rows):
        raise ValueError(f"{pictures.shape[1]} images do not fill {len(rows)} rows evenly")


def _sheet(images: np.ndarray, rows: int) -> np.ndarray:
    """All images of a step in one array, with white between them; NaN is not drawn."""
    count, height, width = images.shape
    across = count // rows
    sheet = np.full((rows * (height + _GAP) - _GAP, across * (width + _GAP) - _GAP), np.nan)
    for index, image in enumerate(images):
        top, left = index // across * (height + _GAP), index % across * (width + _GAP)
        sheet[top : top + height, left : left + width] = image
    return np.round(np.clip(sheet, 0, 1), 3)


def _draw(
    sheets: Sequence[np.ndarray], labels: Sequence[str], title: str, prefix: str, notes: Sequence[str] | None,
    rows: Sequence[str], curve: Mapping[str, Any] | None, start: int,
) -> Figure:  # fmt: skip
    go = graph_objects()
    down, across = sheets[0].shape
    left = MARGIN if not any(rows) else 84
    room = WIDTH - left - MARGIN - (0 if curve is None else _CURVE)
    cell = min(room / across, 330 / down, 16)
    axes_height = round(max(cell * down, 0 if curve is None else 220))
    bottom = 0 if curve is None else _BOTTOM
    height = _TOP + axes_height + bottom + SLIDER_HEIGHT
    said = list(notes) if notes is not None else [""] * len(sheets)
    steps = [
        Step(label, _traces(sheet, curve, index), {"title": heading(title, said[index], height)})
        for index, (sheet, label) in enumerate(zip(sheets, labels, strict=True))
    ]
    figure = go.Figure(steps[start].traces)
    margin = {"l": left, "r": MARGIN, "t": _TOP, "b": bottom + SLIDER_HEIGHT}
    card(figure, title, said[start], height, margin=margin, showlegend=False)
    full = WIDTH - left - MARGIN
    figure.update_xaxes(**BARE_AXIS, range=[-0.5, across - 0.5], domain=[0, min(1, cell * across / full)])
    figure.update_yaxes(**BARE_AXIS, range=[down - 0.5, -0.5], domain=[max(0.0, 1 - cell * down / axes_height), 1])
    _name_rows(figure, rows, down)
    if curve is not None:
        _add_curve(figure, curve, 1 - (_CURVE - 64) / full)
    add_slider(figure, steps, prefix=prefix, start=start, play=True)
    below = {"y": (24 - bottom) / axes_height}  # the slider's own padding leaves that much too much
    return figure.update_layout(sliders=[below], updatemenus=[below])


def _traces(sheet: np.ndarray, curve: Mapping[str, Any] | None, index: int) -> list[Any]:
    go = graph_objects()
    grey = go.Heatmap(
        z=sheet, zmin=0, zmax=1, colorscale=[[0, FAINT], [1, INK]], showscale=False, hoverinfo="skip",
        hoverongaps=False,
    )  # fmt: skip
    if curve is None:
        return [grey]
    here = go.Scatter(
        x=[curve["cost"][index]], y=[curve["value"][index]], mode="markers", xaxis="x2", yaxis="y2", hoverinfo="skip",
        marker={"symbol": "circle-open", "size": 17, "color": VERMILION, "line": {"width": 3}},
    )  # fmt: skip
    return [grey, here]


def _name_rows(figure: Figure, rows: Sequence[str], down: int) -> None:
    tall = (down + _GAP) / len(rows)
    for index, name in enumerate(rows):
        figure.add_annotation(
            text=name, x=0, xref="paper", xanchor="right", xshift=-8, y=index * tall + (tall - 1) / 2 - 0.5,
            yref="y", showarrow=False, font={"size": 12, "color": MUTED},
        )  # fmt: skip


def _add_curve(figure: Figure, curve: Mapping[str, Any], left: float) -> None:
    """Draw value against cost on axes of their own, at the right."""
    go = graph_objects()
    figure.add_trace(go.Scatter(
        x=list(curve["cost"]), y=list(curve["value"]), mode="lines+markers", xaxis="x2", yaxis="y2",
        line={"color": CALM_BLUE, "width": 2}, marker={"size": 7}, hoverinfo="x+y", name=curve["value_name"],
    ))  # fmt: skip
    others = list(curve.get("others", ()))
    if others:
        names, costs, values = zip(*others, strict=True)
        figure.add_trace(go.Scatter(
            x=costs, y=values, text=[f" {name}" for name in names], mode="markers+text", xaxis="x2", yaxis="y2",
            textposition="middle right", textfont={"size": 12, "color": INK}, hoverinfo="x+y",
            marker={"symbol": "diamond", "size": 9, "color": INK}, cliponaxis=False,
        ))  # fmt: skip
    shown = {
        "type": "log", "fixedrange": True, "nticks": 6, "tickfont": {"size": 11, "color": MUTED}, "zeroline": False,
        "gridcolor": RULE, "exponentformat": "SI", "dtick": 1,
    }  # fmt: skip
    x_title, y_title = ({"text": curve[key], "font": {"size": 12}} for key in ("cost_name", "value_name"))
    figure.update_layout(
        xaxis2={**shown, "domain": [left, 1], "anchor": "y2", "title": x_title},
        yaxis2={**shown, "domain": [0, 1], "anchor": "x2", "title": y_title},
    )
