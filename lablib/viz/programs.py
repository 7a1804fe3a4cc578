"""How an array is cut into the programs of a Triton launch, and what masking the last block wastes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from lablib.viz.picture import SLIDER_HEIGHT, Picture, Step, add_slider
from lablib.viz.style import (
    CALM_BLUE,
    INK,
    MARGIN,
    MUTED,
    PALE_BLUE,
    PALE_VERMILION,
    RULE,
    card,
    graph_objects,
    heading,
)
from lablib.viz.units import percent, plural

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

Block = int | tuple[int, int]

# What a square is. Elements alternate between two codes by program, to be drawn in two blues.
_LEFT_OUT, _MASKED, _EVEN, _ODD = 0, 1, 2, 3
_COLOURS = (PALE_VERMILION, RULE, CALM_BLUE, PALE_BLUE)
_NAMES = np.array(["element in no lane", "lane masked off", "element", "element"])
_MOST_ROWS, _MOST_COLS = 32, 1024  # of programs that look alike, and of lanes; the rest is counted, not drawn
_TOP, _LEFT = 112, 84


@dataclass(frozen=True)
class _Cut:
    """One way to cut the array. Counts are of the whole array, of which ``squares`` may be the beginning.

    Attributes
    ----------
    squares
        Codes, as above: shape [rows drawn, columns drawn].
    """

    label: str
    squares: np.ndarray
    programs: int
    lanes: int
    elements_in_lanes: int
    left_out: int = 0

    def sentence(self) -> str:
        masked = self.lanes - self.elements_in_lanes
        text = f"{plural(self.programs, 'program')}, {plural(self.lanes, 'lane')}, {masked} masked off"
        text += f" ({percent(masked / self.lanes)} of the work is wasted)"
        if self.left_out:
            text += f"; {plural(self.left_out, 'element')} in no lane: BLOCK must reach the row's end, or loop"
        return text + "."


def program_grid(rows: int, cols: int | None = None, block: Block = 16, blocks: Sequence[Block] = ()) -> Picture:
    """Draw which lanes of which program an array's elements fall into, and which lanes are masked off.

    There are three ways to cut, chosen by what is given:

    - ``program_grid(n, block=64)``: a vector of ``n`` elements, ``block`` consecutive ones to a program;
    - ``program_grid(rows, cols, 16)``: a matrix, one program a row, its ``block`` lanes along the columns;
    - ``program_grid(rows, cols, (8, 16))``: a matrix in tiles of 8 x 16, one program a tile.

    Parameters
    ----------
    rows, cols
        Shape of the array in elements; ``cols=None`` for a vector of ``rows`` elements.
    block
        Lanes of one program; the slider starts there.
    blocks
        Other sizes for the slider to offer.

    Returns
    -------
    Picture
        Its ``summary`` gives programs, lanes and waste at ``block``.

    Raises
    ------
    ValueError
        When a size is below 1, a block has two sides but the array is a vector, or blocks with one side and
        with two are mixed.

    Examples
    --------
    >>> program_grid(100, block=32)
    100 elements, BLOCK = 32: 4 programs, 128 lanes, 28 masked off (22% of the work is wasted).
    """
    sizes = _check(rows, cols, block, blocks)
    cuts = [_cut(rows, cols, one) for one in sizes]
    start = sizes.index(block)
    shape = plural(rows, "element") if cols is None else f"{rows} x {cols} elements"
    figure = _draw(cuts, start, f"Which lanes hold elements, and which are masked off? {shape.capitalize()}")
    _name_axes(figure, rows, cols, cuts, isinstance(block, tuple))
    return Picture(figure, f"{shape}, BLOCK = {cuts[start].label}: {cuts[start].sentence()}")


def _check(rows: int, cols: int | None, block: Block, blocks: Sequence[Block]) -> list[Block]:
    if any(isinstance(one, tuple) != isinstance(block, tuple) for one in blocks):
        raise ValueError(f"block and blocks must all be ints or all be pairs, got {block} and {list(blocks)}")
    if isinstance(block, tuple) and cols is None:
        raise ValueError(f"block {block} has two sides but the array is a vector: give rows and cols")
    distinct: set[Any] = {block, *blocks}  # all ints or all pairs
    sizes = sorted(distinct)
    if min(rows, 1 if cols is None else cols, *np.ravel(sizes)) < 1:
        raise ValueError(f"every size must be at least 1, got rows={rows}, cols={cols}, blocks={sizes}")
    return sizes


def _cut(rows: int, cols: int | None, block: Block) -> _Cut:
    if isinstance(block, tuple):
        return _cut_tiles(rows, cols or 1, block)
    return _cut_vector(rows, block) if cols is None else _cut_rows(rows, cols, block)


def _cut_vector(n: int, block: int) -> _Cut:
    programs = -(-n // block)
    program, lane = np.mgrid[: min(programs, _MOST_ROWS), : min(block, _MOST_COLS)]
    squares = np.where(program * block + lane < n, _EVEN + program % 2, _MASKED)
    return _Cut(str(block), squares, programs, lanes=programs * block, elements_in_lanes=n)


def _cut_rows(rows: int, cols: int, block: int) -> _Cut:
    program, position = np.mgrid[: min(rows, _MOST_ROWS), : min(max(block, cols), _MOST_COLS)]
    in_lane = np.where(position < cols, _EVEN + program % 2, _MASKED)
    squares = np.where(position < block, in_lane, _LEFT_OUT)
    inside = rows * min(block, cols)
    return _Cut(str(block), squares, rows, rows * block, inside, left_out=rows * cols - inside)


def _cut_tiles(rows: int, cols: int, block: tuple[int, int]) -> _Cut:
    down, across = -(-rows // block[0]), -(-cols // block[1])
    row, col = np.mgrid[: down * block[0], : across * block[1]]
    pid_m, pid_n = row // block[0], col // block[1]
    squares = np.where((row < rows) & (col < cols), _EVEN + (pid_m + pid_n) % 2, _MASKED)
    label = f"{block[0]} x {block[1]}"
    return _Cut(label, squares, down * across, lanes=squares.size, elements_in_lanes=rows * cols)


def _draw(cuts: Sequence[_Cut], start: int, title: str) -> Figure:
    go = graph_objects()
    rows, cols = (max(cut.squares.shape[axis] for cut in cuts) for axis in (0, 1))
    axes_height = int(np.clip(rows * 22, 120, 420))
    bottom = 64 + (SLIDER_HEIGHT if len(cuts) > 1 else 0)
    height = _TOP + axes_height + bottom
    steps = [
        Step(cut.label, _traces(cut, rows, cols), {"title": heading(title, cut.sentence(), height)}) for cut in cuts
    ]
    figure = go.Figure(steps[start].traces)
    margin = {"l": _LEFT, "r": MARGIN, "t": _TOP, "b": bottom}
    card(figure, title, cuts[start].sentence(), height, margin=margin)
    figure.update_xaxes(range=[-0.5, cols - 0.5], showgrid=False, fixedrange=True)
    figure.update_yaxes(range=[rows - 0.5, -0.5], showgrid=False, fixedrange=True, nticks=10)
    if len(cuts) > 1:
        add_slider(figure, steps, prefix="BLOCK = ", start=start, play=False)
    return figure


def _name_axes(figure: Figure, rows: int, cols: int | None, cuts: Sequence[_Cut], tiles: bool) -> None:
    """Name the axes, and draw the array's edge where the squares reach beyond it."""
    drawn = max(len(cut.squares) for cut in cuts)
    in_full = drawn if tiles else max(cut.programs for cut in cuts)
    down = "row" if tiles else "program" if cols is None else "program = row"
    figure.update_yaxes(title_text=down if drawn == in_full else f"{down} (first {drawn} of {in_full})")
    figure.update_xaxes(title_text="column" if tiles else "lane (position in the block)")
    if cols is not None:
        edge = {
            "x1": cols - 0.5,
            "y0": -0.5,
            "y1": min(rows, drawn) - 0.5,
            "line": {"color": INK, "width": 2},
        }
        x0 = -0.5 if tiles else cols - 0.5
        figure.add_shape(type="rect" if tiles else "line", x0=x0, **edge)


def _traces(cut: _Cut, rows: int, cols: int) -> list[Any]:
    """Draw the squares, padded so that every step has the same axes, and marks that repeat their colours."""
    go = graph_objects()
    codes = np.full((rows, cols), np.nan)
    codes[: cut.squares.shape[0], : cut.squares.shape[1]] = cut.squares
    names = np.where(np.isnan(codes), "", _NAMES[np.nan_to_num(codes).astype(int)])
    gap = 1 if cols <= 96 else 0
    colours = [[(code + edge) / 4, colour] for code, colour in enumerate(_COLOURS) for edge in (0, 1)]
    squares = go.Heatmap(
        z=codes, text=names, zmin=-0.5, zmax=3.5, colorscale=colours, showscale=False, xgap=gap, ygap=gap,
        hovertemplate="%{text}<br>row %{y}, position %{x}<extra></extra>", hoverongaps=False,
    )  # fmt: skip
    return [
        squares,
        _marks(codes, _MASKED, "line-ne-open", MUTED),
        _marks(codes, _LEFT_OUT, "x-thin-open", INK),
    ]


def _marks(codes: np.ndarray, code: int, symbol: str, colour: str) -> Any:
    go = graph_objects()
    rows, cols = codes.shape
    down, across = np.nonzero(codes == code)
    kept = (down % -(-rows // 32) == 0) & (across % -(-cols // 64) == 0)  # where squares are small, some share one
    line = {"color": colour, "width": 1}
    size = float(np.clip(500 / max(rows, cols), 5, 9))
    return go.Scatter(
        x=across[kept], y=down[kept], mode="markers", name=str(_NAMES[code]), hoverinfo="skip",
        showlegend=bool(kept.any()), marker={"symbol": symbol, "size": size, "color": colour, "line": line},
    )  # fmt: skip
