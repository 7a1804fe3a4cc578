"""Vectors that are hidden by masks, and their sum as one after the other is added: a step of a slider each."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from lablib.viz.grids import BARE_AXIS
from lablib.viz.picture import SLIDER_HEIGHT, Picture, Step, add_slider
from lablib.viz.style import INK, MARGIN, card, graph_objects, heading

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

_TITLE = "When do the masks cancel?"
_HEIGHT, _TOP, _BOTTOM = 470, 128, 24


def masked_sum(sent: Sequence[Any], total: Any, modulus: int) -> Picture:
    """Add up masked images.

    Parameters
    ----------
    sent
        What each client sent: integers from 0 to modulus - 1, shape (clients, height, width).
    total
        The sum of what lies behind the masks, modulo ``modulus``, shape (height, width).
    modulus
        That of the sums.

    Returns
    -------
    Picture
        Its ``summary`` says after how many vectors the running sum is the true one.

    Raises
    ------
    ValueError
        When shapes differ.

    Examples
    --------
    >>> masked_sum([[[7, 1]], [[4, 3]]], [[1, 4]], 10)
    When do the masks cancel? Words of the running sum that are right: after 1 of 2 vectors 0 of 2; after 2 of 2 \
vectors 2 of 2.
    """
    vectors, goal = np.asarray(sent, dtype=np.int64), np.asarray(total, dtype=np.int64)
    if vectors.ndim != 3 or vectors.shape[1:] != goal.shape:
        raise ValueError(f"expected images (clients, height, width) and a sum; got {vectors.shape} and {goal.shape}")
    sums = np.cumsum(vectors, axis=0) % modulus
    told = [
        f"after {k} of {len(sums)} vectors {(partial == goal).sum()} of {goal.size}"
        for k, partial in enumerate(sums, 1)
    ]
    summary = f"{_TITLE} Words of the running sum that are right: {'; '.join(told)}."
    return Picture(_draw(vectors, sums, goal, modulus), summary)


def _draw(vectors: np.ndarray, sums: np.ndarray, goal: np.ndarray, modulus: int) -> Figure:
    steps, subtitles = [], []
    top = int(goal.max())
    for k, (vector, partial) in enumerate(zip(vectors, sums, strict=True), 1):
        right = int((partial == goal).sum())
        subtitles.append(f"After {k} of {len(sums)} vectors {right} of {goal.size} words of the sum are right.")
        steps.append(Step(
            str(k), [_panel(vector, modulus - 1, 1), _panel(partial, top if right == goal.size else modulus - 1, 2)],
            {"title": heading(_TITLE, subtitles[-1], _HEIGHT)},
        ))  # fmt: skip
    figure = graph_objects().Figure(steps[0].traces)
    margin = {"l": MARGIN, "r": MARGIN, "t": _TOP, "b": _BOTTOM + SLIDER_HEIGHT}
    card(figure, _TITLE, subtitles[0], _HEIGHT, margin=margin)
    upright = {**BARE_AXIS, "range": [len(goal) - 0.5, -0.5]}
    figure.update_layout(
        xaxis={**BARE_AXIS, "domain": [0.06, 0.42]}, yaxis={**upright, "scaleanchor": "x"},
        xaxis2={**BARE_AXIS, "domain": [0.58, 0.94], "anchor": "y2"},
        yaxis2={**upright, "anchor": "x2", "scaleanchor": "x2"},
    )  # fmt: skip
    for x, caption in ((0.24, "the vector that comes in"), (0.76, "the sum so far")):
        figure.add_annotation(
            text=caption, x=x, y=1, yshift=20, xref="paper", yref="paper", showarrow=False, font={"color": INK}
        )
    add_slider(figure, steps, prefix="vectors added: ")
    return figure


def _panel(words: np.ndarray, top: int, number: int) -> Any:
    suffix = "" if number == 1 else str(number)
    return graph_objects().Heatmap(
        z=words, zmin=0, zmax=max(top, 1), colorscale="Greys", showscale=False, xgap=1, ygap=1, xaxis=f"x{suffix}",
        yaxis=f"y{suffix}", hovertemplate="%{z}<extra></extra>",
    )  # fmt: skip
