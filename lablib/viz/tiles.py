"""Which panels of A and B the programs in flight of a tiled matmul need, in one launch order or another."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from lablib.viz.grids import add_axes, arrange, axis_names
from lablib.viz.picture import SLIDER_HEIGHT, Picture, Step, add_slider
from lablib.viz.style import CALM_BLUE, FAINT, GREEN, INK, MARGIN, PALE_BLUE, card, graph_objects, heading
from lablib.viz.units import plural

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

_WAITING, _DONE, _NOW, _PANEL = 0, 1, 2, 3  # what a square is
_COLOURS = (FAINT, PALE_BLUE, CALM_BLUE, GREEN)
_STRIP = 2  # squares that the strip of panels and its gap take beside C
_TEXT_FROM = 15  # px: side of the smallest square that a number fits into
_MOST_STEPS = 96  # positions of the slider; of more waves, evenly spaced ones are shown
_TOP = 92


@dataclass(frozen=True)
class _Wave:
    """Programs that run together, and the panels that they need between them."""

    tiles: list[tuple[int, int]]

    @property
    def a_panels(self) -> list[int]:
        return sorted({m for m, _ in self.tiles})

    @property
    def b_panels(self) -> list[int]:
        return sorted({n for _, n in self.tiles})

    @property
    def panels(self) -> int:
        return len(self.a_panels) + len(self.b_panels)


def tile_order(
    order: Sequence[tuple[int, int]] | Mapping[str, Sequence[tuple[int, int]]],
    grid: tuple[int, int],
    in_flight: int,
) -> Picture:
    """Draw the tiles of C = A B wave by wave, with the panels of A and of B that each wave needs.

    A panel is what one row of tiles needs of A, or one column of tiles of B. The fewer distinct panels a wave
    needs, the more of its loads find the panel in cache already.

    Parameters
    ----------
    order
        Tiles ``(pid_m, pid_n)`` in launch order, or several such orders by name, to compare side by side.
    grid
        Tiles of C along M and N.
    in_flight
        Programs that run at the same time: a wave.

    Returns
    -------
    Picture
        Its ``summary`` gives the panels a wave that each order needs.

    Raises
    ------
    ValueError
        When an order does not hold every tile of ``grid`` exactly once, or ``in_flight`` is below 1.

    Examples
    --------
    >>> rows = [(m, n) for m in range(4) for n in range(4)]
    >>> blocks = [(2 * i + m, 2 * j + n) for i in (0, 1) for j in (0, 1) for m in (0, 1) for n in (0, 1)]
    >>> tile_order({"row-major": rows, "blocks": blocks}, grid=(4, 4), in_flight=4)
    A wave of 4 programs needs, on average, this many panels of A and B: row-major 5.0, blocks 4.0 (4 waves).
    """
    orders = dict(order) if isinstance(order, Mapping) else {"launch order": order}
    if in_flight < 1:
        raise ValueError(f"in_flight is the number of programs that run at the same time, at least 1; got {in_flight}")
    for name, tiles in orders.items():
        _check(name, tiles, grid)
    waves = {name: _waves(tiles, in_flight) for name, tiles in orders.items()}
    count = -(-grid[0] * grid[1] // in_flight)
    means = ", ".join(f"{name} {np.mean([wave.panels for wave in each]):.1f}" for name, each in waves.items())
    wave = f"A wave of {plural(in_flight, 'program')} needs, on average, this many panels of A and B"
    summary = f"{wave}: {means} ({plural(count, 'wave')})."
    return Picture(_draw(waves, grid), summary)


def _check(name: str, tiles: Sequence[tuple[int, int]], grid: tuple[int, int]) -> None:
    expected = {(m, n) for m in range(grid[0]) for n in range(grid[1])}
    got = [tuple(int(i) for i in tile) for tile in tiles]
    if len(got) == len(expected) and set(got) == expected:
        return
    missing, twice = sorted(expected - set(got)), [tile for tile, times in Counter(got).items() if times > 1]
    outside = sorted(set(got) - expected)
    faults = {"missing": missing, "more than once": twice, "outside the grid": outside}
    found = "; ".join(f"{what}: {tiles[0]}" for what, tiles in faults.items() if tiles)
    raise ValueError(
        f"{name} must hold each of the {len(expected)} tiles of a {grid[0]} x {grid[1]} grid once; {found} "
        "(the first of each fault)"
    )


def _waves(tiles: Sequence[tuple[int, int]], in_flight: int) -> list[_Wave]:
    order = [(int(m), int(n)) for m, n in tiles]
    return [_Wave(order[first : first + in_flight]) for first in range(0, len(order), in_flight)]


def _draw(waves: Mapping[str, list[_Wave]], grid: tuple[int, int]) -> Figure:
    go = graph_objects()
    shapes = [(grid[0] + _STRIP, grid[1] + _STRIP)] * len(waves)
    names = [
        f"<b>{name}</b>  {np.mean([wave.panels for wave in each]):.1f} panels a wave on average"
        for name, each in waves.items()
    ]
    layout = arrange(shapes, names, tallest=520)
    bottom = 36 + SLIDER_HEIGHT
    height = round(_TOP + layout.height + bottom)
    title = "Which panels of A and B does a wave of programs need?"
    count = len(next(iter(waves.values())))
    steps = [
        Step(
            f"wave {index + 1} of {count}",
            [trace for i, each in enumerate(waves.values()) for trace in _traces(each, index, grid, i, layout.cell)],
            {"title": heading(title, f"Wave {index + 1}: {_line(waves, index)}.", height)},
        )
        for index in np.unique(np.linspace(0, count - 1, min(count, _MOST_STEPS)).astype(int)).tolist()
    ]
    figure = go.Figure(steps[0].traces)
    card(figure, title, "", height, margin={"l": MARGIN, "r": MARGIN, "t": _TOP, "b": bottom})
    add_axes(figure, layout, shapes, names)
    _add_legend(figure)
    add_slider(figure, steps, prefix="")
    return figure


def _line(waves: Mapping[str, list[_Wave]], index: int) -> str:
    return "; ".join(
        f"{name}: {len(wave.a_panels)} of A + {len(wave.b_panels)} of B = {plural(wave.panels, 'panel')}"
        for name, wave in ((name, each[index]) for name, each in waves.items())
    )


def _traces(waves: list[_Wave], index: int, grid: tuple[int, int], panel: int, cell: float) -> list[Any]:
    """Draw C with A's strip on its left and B's above it, and an outline around the tiles of this wave."""
    rows, cols = grid[0] + _STRIP, grid[1] + _STRIP
    codes = np.full((rows, cols), np.nan)
    text = np.full((rows, cols), "", dtype=object)
    codes[_STRIP:, _STRIP:] = _WAITING
    codes[_STRIP:, 0], codes[0, _STRIP:] = _WAITING, _WAITING
    text[_STRIP:, 0], text[0, _STRIP:] = "a", "b"
    number = 0
    for at, wave in enumerate(waves[: index + 1]):
        for m, n in wave.tiles:
            codes[m + _STRIP, n + _STRIP] = _NOW if at == index else _DONE
            text[m + _STRIP, n + _STRIP] = str(number)
            number += 1
    now = waves[index]
    for m in now.a_panels:
        codes[m + _STRIP, 0], text[m + _STRIP, 0] = _PANEL, f"A{m}"
    for n in now.b_panels:
        codes[0, n + _STRIP], text[0, n + _STRIP] = _PANEL, f"B{n}"
    return [_heatmap(codes, text, panel, cell), _outlines(now, panel, cell)]


def _heatmap(codes: np.ndarray, text: np.ndarray, panel: int, cell: float) -> Any:
    go = graph_objects()
    scale = [[(i + edge) / 4, colour] for i, colour in enumerate(_COLOURS) for edge in (0, 1)]
    states = np.array(["waiting", "done", "in this wave", "panel needed by this wave"])
    hover = np.where(np.isnan(codes), "", states[np.nan_to_num(codes).astype(int)])
    return go.Heatmap(
        z=codes, text=text, customdata=hover, zmin=-0.5, zmax=3.5, colorscale=scale, showscale=False,
        texttemplate="%{text}" if cell >= _TEXT_FROM else None, xgap=1, ygap=1,
        textfont={"size": float(np.clip(cell / 2, 8, 11))},
        hovertemplate="%{text} %{customdata}<extra></extra>", hoverongaps=False, **axis_names(panel),
    )  # fmt: skip


def _outlines(wave: _Wave, panel: int, cell: float) -> Any:
    go = graph_objects()
    return go.Scatter(
        x=[n + _STRIP for _, n in wave.tiles], y=[m + _STRIP for m, _ in wave.tiles], mode="markers",
        marker={"symbol": "square-open", "size": 0.8 * cell, "color": INK, "line": {"width": 1.5}},
        hoverinfo="skip", showlegend=False, **axis_names(panel),
    )  # fmt: skip


def _add_legend(figure: Figure) -> None:
    go = graph_objects()
    for name, colour, outline in (
        ("tile in this wave (its launch number)", CALM_BLUE, INK),
        ("tile done", PALE_BLUE, PALE_BLUE),
        ("panel of A or B needed", GREEN, GREEN),
    ):
        marker = {"symbol": "square", "size": 11, "color": colour, "line": {"color": outline, "width": 1.5}}
        figure.add_trace(go.Scatter(x=[None], y=[None], mode="markers", name=name, marker=marker))
    figure.update_layout(legend={"x": 0, "xanchor": "left", "y": 0, "yanchor": "top"})
