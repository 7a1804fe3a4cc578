"""Attention maps: which places of a text each head takes from, layer by layer."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from lablib.viz.grids import Layout, add_axes, axis_names
from lablib.viz.picture import SLIDER_HEIGHT, Picture, Step, add_slider
from lablib.viz.style import BLUE, CARD, FAINT, MARGIN, MONOSPACE, PALE_BLUE, WIDTH, card, graph_objects, heading
from lablib.viz.units import percent

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

_TOP = 92
_GAP, _CAPTION, _TICKS = 40, 26, 20  # px between maps, above each for its name, and below each for its tokens
_ABREAST = 2


def attention_maps(maps: Any, tokens: Sequence[str]) -> Picture:
    """Draw the attention weights of every head, with a slider for the layer.

    A row is a place of the text and adds up to 1; its columns are the places that it takes from.

    Parameters
    ----------
    maps
        Weights, an array or tensor of shape (layers, heads, T, T).
    tokens
        The T tokens as text; a space is shown as ``·``.

    Returns
    -------
    Picture
        Its ``summary`` says for each head how far back it looks most, on average over the rows.

    Raises
    ------
    ValueError
        When the maps have another shape, or a row does not add up to 1.

    Examples
    --------
    >>> before = np.diag([1.0, 0, 0]) + np.diag([1.0, 1], -1)
    >>> attention_maps(before[None, None], "abc")
    Attention, most weight by distance. Layer 1: head 1 looks 1 back (67%).
    """
    weights = np.asarray(maps, dtype=float)
    T = len(tokens)
    if weights.ndim != 4 or weights.shape[2:] != (T, T) or not weights.size:
        raise ValueError(f"attention_maps needs maps of shape (layers, heads, {T}, {T}), got {weights.shape}")
    if not np.allclose(weights.sum(axis=3), 1, atol=1e-3):
        raise ValueError("each row of an attention map adds up to 1: give the weights after the softmax")
    parts = [f"Layer {number}: {_habits(layer)}." for number, layer in enumerate(weights, 1)]
    return Picture(_draw(weights, tokens), f"Attention, most weight by distance. {' '.join(parts)}")


def _habits(layer: np.ndarray) -> str:
    return ", ".join(f"head {number} looks {_habit(head)}" for number, head in enumerate(layer, 1))


def _habit(head: np.ndarray) -> str:
    """The distance that gets the most weight, averaged over all rows."""
    shares = [np.trace(head, -distance) / len(head) for distance in range(len(head))]
    best = int(np.argmax(shares))
    where = "at itself" if best == 0 else f"{best} back"
    return f"{where} ({percent(float(shares[best]))})"


def _draw(weights: np.ndarray, tokens: Sequence[str]) -> Figure:
    go = graph_objects()
    _, heads, T, _ = weights.shape
    layout = _in_rows(heads, T)
    bottom = 24 + SLIDER_HEIGHT
    height = round(_TOP + layout.height + bottom)
    title = "From which characters does each head take?"
    steps = [
        Step(
            str(number),
            [_map(head, tokens, place) for place, head in enumerate(layer)],
            {"title": heading(title, f"Most weight by distance in layer {number}: {_habits(layer)}.", height)},
        )
        for number, layer in enumerate(weights, 1)
    ]
    figure = go.Figure(steps[0].traces)
    card(figure, title, "", height, margin={"l": MARGIN + 12, "r": MARGIN, "t": _TOP, "b": bottom})
    add_axes(figure, layout, [(T, T)] * heads, [f"head {number}" for number in range(1, heads + 1)])
    shown = [token.replace(" ", "·").replace("\n", "¶") for token in tokens]
    labels = {"showticklabels": True, "tickvals": list(range(T)), "ticktext": shown, "tickangle": 0}
    labels["tickfont"] = {"family": MONOSPACE, "size": 11}
    figure.update_xaxes(**labels).update_yaxes(**labels)
    add_slider(figure, steps, prefix="layer ")
    return figure


def _in_rows(heads: int, T: int) -> Layout:
    down = -(-heads // _ABREAST)
    width = WIDTH - 2 * MARGIN - 12
    cell = min((width - _GAP * (_ABREAST - 1)) / (_ABREAST * T), 14, (520 / down - _CAPTION - _TICKS) / T)
    step_x, step_y = max(T * cell + _GAP, width / _ABREAST), T * cell + _CAPTION + _TICKS
    corners = tuple((i % _ABREAST * step_x, _CAPTION + i // _ABREAST * step_y) for i in range(heads))
    return Layout(cell, width, down * step_y, corners)


def _map(head: np.ndarray, tokens: Sequence[str], place: int) -> Any:
    shares = [[f"{tokens[row]!r} takes {percent(float(head[row, column]))} from {tokens[column]!r}"
               if column <= row or head[row, column] > 0 else ""
               for column in range(len(tokens))] for row in range(len(tokens))]  # fmt: skip
    return graph_objects().Heatmap(
        z=np.where(head > 0, head, np.nan), zmin=0, zmax=1, showscale=False, xgap=1, ygap=1, text=shares,
        colorscale=[[0, FAINT], [0.1, PALE_BLUE], [1, BLUE]], hovertemplate="%{text}<extra></extra>",
        hoverlabel={"bgcolor": CARD}, **axis_names(place),
    )  # fmt: skip
