"""Panels of square cells, one a matrix, laid out in one figure so that every cell has the same size."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from lablib.viz.style import INK, MARGIN, WIDTH

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

GAP = 36  # px between panels
CAPTION = 26  # px above a panel, for its name
BARE_AXIS = {
    "showgrid": False,
    "showticklabels": False,
    "showline": False,
    "ticks": "",
    "zeroline": False,
    "fixedrange": True,
}


@dataclass(frozen=True)
class Layout:
    """Where panels go, in pixels from the top left corner of the area of the axes.

    Attributes
    ----------
    cell
        Side of one cell.
    width, height
        Of the area.
    corners
        Left and top of each panel.
    """

    cell: float
    width: float
    height: float
    corners: tuple[tuple[float, float], ...]


def arrange(shapes: Sequence[tuple[int, int]], *, tallest: int = 460, largest_cell: int = 24) -> Layout:
    """Lay panels side by side or one below another, whichever gives the larger cells.

    Parameters
    ----------
    shapes
        Rows and columns of each panel.
    tallest
        Height in pixels that the panels may take.
    largest_cell
        Side of a cell in pixels that small panels stop at.
    """
    width = WIDTH - 2 * MARGIN
    gaps = GAP * (len(shapes) - 1)
    rows, cols = [shape[0] for shape in shapes], [shape[1] for shape in shapes]
    beside = min((width - gaps) / sum(cols), (tallest - CAPTION) / max(rows), largest_cell)
    below = min(width / max(cols), (tallest - gaps - CAPTION * len(shapes)) / sum(rows), largest_cell)
    corners: list[tuple[float, float]] = []
    x, y = 0.0, float(CAPTION)
    for count_rows, count_cols in shapes:
        corners.append((x, y))
        if beside >= below:
            x += count_cols * beside + GAP
        else:
            y += count_rows * below + GAP + CAPTION
    cell = max(beside, below)
    height = CAPTION + max(rows) * beside if beside >= below else y - GAP - CAPTION
    return Layout(cell, width, height, tuple(corners))


def add_axes(figure: Figure, layout: Layout, shapes: Sequence[tuple[int, int]], names: Sequence[str]) -> None:
    """Give each panel its own axes, without ticks, and its name above it; rows count downwards."""
    for index, ((rows, cols), (left, top), name) in enumerate(zip(shapes, layout.corners, names, strict=True), 1):
        right, bottom = left + cols * layout.cell, top + rows * layout.cell
        suffix = "" if index == 1 else str(index)
        figure.update_layout(
            {
                f"xaxis{suffix}": {
                    **BARE_AXIS, "range": [-0.5, cols - 0.5], "anchor": f"y{suffix}",
                    "domain": [left / layout.width, min(1, right / layout.width)],
                },
                f"yaxis{suffix}": {
                    **BARE_AXIS, "range": [rows - 0.5, -0.5], "anchor": f"x{suffix}",
                    "domain": [max(0, 1 - bottom / layout.height), 1 - top / layout.height],
                },
            }
        )  # fmt: skip
        figure.add_annotation(
            text=name, x=left / layout.width, y=1 - top / layout.height, xref="paper", yref="paper",
            xanchor="left", yanchor="bottom", showarrow=False, font={"size": 13, "color": INK}, align="left",
        )  # fmt: skip


def axis_names(index: int) -> dict[str, str]:
    """Name the axes of panel ``index`` (from 0) as traces do: ``{"xaxis": "x2", "yaxis": "y2"}`` for 1."""
    suffix = "" if index == 0 else str(index + 1)
    return {"xaxis": f"x{suffix}", "yaxis": f"y{suffix}"}
