"""Panels of square cells, one a matrix, laid out in one figure so that every cell has the same size."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from lablib.viz.style import INK, MARGIN, WIDTH

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

GAP = 36  # px between panels
CAPTION = 26  # px above a panel, for its name
_CHARACTER = 7.2  # px of a name
_SMALLEST_CELL = 1.0  # px
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


def arrange(
    shapes: Sequence[tuple[int, int]], names: Sequence[str], *, tallest: int = 460, largest_cell: int = 24
) -> Layout:
    """Fill rows with panels, from left to right, with the largest cells for which all of them fit.

    Parameters
    ----------
    shapes
        Rows and columns of each panel.
    names
        What stands above each panel; a panel narrower than its name takes the name's width.
    tallest
        Height in pixels that the panels may take; it gives way where cells would be smaller than a pixel.
    largest_cell
        Side of a cell in pixels that small panels stop at.
    """
    fitting = (_in_rows(shapes, names, cell) for cell in np.arange(largest_cell, _SMALLEST_CELL, -0.25))
    wanted = (layout for layout in fitting if layout.height <= tallest and _reach(layout, shapes) <= layout.width)
    return next(wanted, None) or _in_rows(shapes, names, _SMALLEST_CELL)


def _in_rows(shapes: Sequence[tuple[int, int]], names: Sequence[str], cell: float) -> Layout:
    """Put panels of such cells side by side, and start a row below where the next one has no room."""
    width = WIDTH - 2 * MARGIN
    corners: list[tuple[float, float]] = []
    x, top, bottom = 0.0, float(CAPTION), 0.0
    for (rows, cols), name in zip(shapes, names, strict=True):
        own = max(cols * cell, _CHARACTER * len(re.sub("<.*?>", "", name)))
        if x > 0 and x + own > width:
            x, top = 0.0, bottom + GAP + CAPTION
        corners.append((x, top))
        x, bottom = x + own + GAP, max(bottom, top + rows * cell)
    return Layout(float(cell), width, bottom, tuple(corners))


def _reach(layout: Layout, shapes: Sequence[tuple[int, int]]) -> float:
    """Right edge of the cells of the panel that reaches farthest."""
    return max(left + cols * layout.cell for (left, _), (_, cols) in zip(layout.corners, shapes, strict=True))


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
