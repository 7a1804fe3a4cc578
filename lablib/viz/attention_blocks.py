"""Attention in blocks: which tiles of the scores are computed, which a mask cuts, and which nobody needs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from lablib.viz.grids import BARE_AXIS
from lablib.viz.picture import SLIDER_HEIGHT, Picture, Step, add_slider
from lablib.viz.style import (
    AMBER,
    CALM_BLUE,
    CARD,
    FAINT,
    GREEN,
    INK,
    MARGIN,
    RULE,
    WIDTH,
    card,
    graph_objects,
    heading,
)
from lablib.viz.units import percent, three_digits

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

_TITLE = "Which blocks of keys does each block of queries need?"
_SKIPPED, _CUT, _FULL, _OPERAND = 0, 1, 2, 3
_COLOURS = (FAINT, AMBER, CALM_BLUE, GREEN)
_NAMES = ("skipped", "cut by the mask", "every pair counts")
_SIDE, _TOP = 400, 112  # px
_STRIP, _GAP = 0.07, 0.025  # of the scores' side: the strips of Q and of K and V, and what lies between
_SMALLEST_TEXT = 22  # px of a block that has room for a number


@dataclass(frozen=True)
class _Tiling:
    """The tiles of one pair of block sizes; ``kinds`` has a row for each block of queries."""

    block_m: int
    block_n: int
    kinds: np.ndarray

    @property
    def name(self) -> str:
        return f"{self.block_m} × {self.block_n}"

    def count(self, kind: int) -> int:
        return int((self.kinds == kind).sum())

    @property
    def needed(self) -> int:
        return int((self.kinds != _SKIPPED).sum())

    @property
    def times(self) -> np.ndarray:
        """How often each block of keys is loaded."""
        return (self.kinds != _SKIPPED).sum(axis=0)

    def sentence(self) -> str:
        skipped = self.count(_SKIPPED)
        share = f"{skipped} {'is' if skipped == 1 else 'are'} skipped ({percent(skipped / self.kinds.size)})"
        return (
            f"{self.name}: {self.needed} of {self.kinds.size} tiles are computed, {self.count(_CUT)} of them cut by "
            f"the mask; {share}. A block of keys is loaded "
            f"{three_digits(float(self.times.mean()))} times on average."
        )


def attention_tiles(
    queries: int,
    keys: int,
    blocks: Sequence[tuple[int, int]],
    *,
    causal: bool = False,
    window: int | None = None,
) -> Picture:
    """Draw the scores of attention in blocks of queries × keys, with Q at the side and K and V above.

    Parameters
    ----------
    queries, keys
        Positions; the last query stands at the last key.
    blocks
        Pairs (queries of a block, keys of a block), one a step of the slider.
    causal
        A query sees keys up to its own position.
    window
        A query sees only the last ``window`` of those.

    Returns
    -------
    Picture
        Its ``summary`` counts the tiles of every pair.

    Raises
    ------
    ValueError
        When a size is below 1, there are no blocks, or a window comes without ``causal``.

    Examples
    --------
    >>> attention_tiles(8, 8, [(4, 4)], causal=True)
    4 × 4: 3 of 4 tiles are computed, 2 of them cut by the mask; 1 is skipped (25%). A block of keys is loaded 1.5 times on average.
    """  # noqa: E501  (the summary is one line)
    sizes = [queries, keys, window or 1, *(size for pair in blocks for size in pair)]
    if min(sizes) < 1 or not blocks or (window is not None and not causal):
        raise ValueError(
            "attention_tiles takes sizes of at least 1, at least one pair of blocks, and a window only with "
            f"causal=True; got {queries} queries, {keys} keys, blocks {list(blocks)}, window {window}"
        )
    seen = _seen(queries, keys, causal, window)
    tilings = [_tiling(seen, m, n) for m, n in blocks]
    summary = " ".join(tiling.sentence() for tiling in tilings)
    return Picture(_draw(tilings, seen.shape, causal, window), summary)


def _seen(queries: int, keys: int, causal: bool, window: int | None) -> np.ndarray:
    back = np.arange(queries)[:, None] + keys - queries - np.arange(keys)[None, :]
    return ((back >= 0) | (not causal)) & (back < (window or 2**31))


def _tiling(seen: np.ndarray, block_m: int, block_n: int) -> _Tiling:
    kinds = [
        [_kind(seen[m : m + block_m, n : n + block_n]) for n in range(0, seen.shape[1], block_n)]
        for m in range(0, seen.shape[0], block_m)
    ]
    return _Tiling(block_m, block_n, np.array(kinds))


def _kind(tile: np.ndarray) -> int:
    return _FULL if tile.all() else _CUT if tile.any() else _SKIPPED


def _draw(tilings: list[_Tiling], shape: tuple[int, int], causal: bool, window: int | None) -> Figure:
    go = graph_objects()
    height = _TOP + _SIDE + 24 + SLIDER_HEIGHT
    steps = [
        Step(tiling.name, _traces(tiling, shape), {"title": heading(_TITLE, tiling.sentence(), height)})
        for tiling in tilings
    ]
    figure = go.Figure(steps[0].traces)
    card(figure, _TITLE, "", height, margin={"l": MARGIN, "r": MARGIN, "t": _TOP, "b": 24 + SLIDER_HEIGHT})
    queries, keys = shape
    start = keys - queries
    edges = [start] if causal else []
    edges += [start - window] if window else []
    for first in edges:  # query i at height i + 1/2 sees up to key i + 1, and from key i + 1 - window
        line = {"color": INK, "width": 1.5, "dash": "dot"}
        figure.add_trace(
            go.Scatter(x=[first, first + queries], y=[0, queries], mode="lines", line=line, showlegend=False,
                       hoverinfo="skip", xaxis="x2", yaxis="y2")
        )  # fmt: skip
    _add_axes(figure, shape)
    for kind in (_FULL, _CUT, _SKIPPED):
        marker = {"symbol": "square", "size": 11, "color": _COLOURS[kind], "line": {"color": RULE, "width": 1}}
        figure.add_trace(go.Scatter(x=[None], y=[None], mode="markers", name=_NAMES[kind], marker=marker))
    figure.update_layout(legend={"orientation": "v", "x": 1, "xanchor": "right", "y": 0.86, "yanchor": "top"})
    add_slider(figure, steps, prefix="queries × keys: ", play=False)
    return figure


def _add_axes(figure: Figure, shape: tuple[int, int]) -> None:
    """The scores as a square in the middle, Q's strip at its left, the strip of K and V above."""
    queries, keys = shape
    width = _SIDE / (WIDTH - 2 * MARGIN)
    left, right = 0.06, 0.06 + width
    strip, after = 0.06 + _STRIP * width, 0.06 + (_STRIP + _GAP) * width
    across = {"x": [left, strip], "x2": [after, right]}
    down = {"y": [1 - _STRIP, 1], "y2": [0, 1 - _STRIP - _GAP]}
    figure.update_layout(
        xaxis={**BARE_AXIS, "domain": across["x"], "range": [0, 1], "anchor": "y2"},
        yaxis={**BARE_AXIS, "domain": down["y"], "range": [0, 1], "anchor": "x2"},
        xaxis2={**BARE_AXIS, "domain": across["x2"], "range": [0, keys], "anchor": "y2"},
        yaxis2={**BARE_AXIS, "domain": down["y2"], "range": [queries, 0], "anchor": "x2"},
    )
    for text, x, y, anchor in (
        ("Q", left, 0.45, "right"),
        ("K, V: how often loaded", right + 0.01, 1 - _STRIP / 2, "left"),
    ):
        figure.add_annotation(
            text=text, x=x, y=y, xref="paper", yref="paper", xanchor=anchor, yanchor="middle", showarrow=False,
            xshift=-6 if anchor == "right" else 0, font={"size": 13, "color": INK},
        )  # fmt: skip


def _traces(tiling: _Tiling, shape: tuple[int, int]) -> list[Any]:
    queries, keys = shape
    rows = _edges(queries, tiling.block_m)
    columns = _edges(keys, tiling.block_n)
    kinds = tiling.kinds
    side = min(tiling.block_n / keys, 1.0) * _SIDE * (1 - _STRIP - _GAP)
    hover = [
        [
            f"queries {rows[i]} to {rows[i + 1] - 1}, keys {columns[j]} to {columns[j + 1] - 1}: {_NAMES[kinds[i, j]]}"
            for j in range(kinds.shape[1])
        ]
        for i in range(kinds.shape[0])
    ]
    times = [[str(n) for n in tiling.times.tolist()]]
    q_hover = [[f"queries {rows[i]} to {rows[i + 1] - 1}: one program"] for i in range(kinds.shape[0])]
    k_hover = [[f"keys {columns[j]} to {columns[j + 1] - 1}: loaded {times[0][j]} ×" for j in range(kinds.shape[1])]]
    operand = np.full_like
    return [
        _heatmap(kinds, columns, rows, hover, "x2", "y2"),
        _heatmap(operand(kinds[:, :1], _OPERAND), [0, 1], rows, q_hover, "x", "y2"),
        _heatmap(
            operand(kinds[:1], _OPERAND), columns, [0, 1], k_hover, "x2", "y", times if side >= _SMALLEST_TEXT else None
        ),
    ]


def _edges(length: int, block: int) -> list[int]:
    return [*range(0, length, block), length]


def _heatmap(
    codes: np.ndarray, x: list[int], y: list[int], hover: list, xaxis: str, yaxis: str, text: list | None = None
) -> Any:
    go = graph_objects()
    count = len(_COLOURS)
    scale = [[(i + edge) / count, colour] for i, colour in enumerate(_COLOURS) for edge in (0, 1)]
    return go.Heatmap(
        z=codes, x=x, y=y, customdata=hover, zmin=-0.5, zmax=count - 0.5, colorscale=scale, showscale=False,
        xgap=1.5, ygap=1.5, hovertemplate="%{customdata}<extra></extra>", xaxis=xaxis, yaxis=yaxis,
        text=text, texttemplate="%{text}" if text else None, textfont={"size": 11, "color": CARD},
    )  # fmt: skip
