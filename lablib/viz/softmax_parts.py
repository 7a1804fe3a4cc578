"""A row's softmax part by part: the greatest score so far, and what a greater one does to the sum that is there."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from lablib.viz.picture import SLIDER_HEIGHT, Picture, Step, add_slider
from lablib.viz.style import (
    CALM_BLUE,
    CARD,
    FAINT,
    GREEN,
    INK,
    MUTED,
    RULE,
    VERMILION,
    card,
    graph_objects,
    heading,
)
from lablib.viz.units import plural, three_digits

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

_TITLE = "What does a part of the row do to the sum that is there?"
_HEIGHT, _TOP = 500, 112
_MOST_LABELS = 24  # bars that have room for a number each


@dataclass(frozen=True)
class _State:
    """What is known after the first ``end`` scores, of which those from ``begin`` on are new."""

    begin: int
    end: int
    greatest: float
    total: float
    shrink: float  # what the earlier parts were multiplied with
    before: _State | None

    @property
    def sentence(self) -> str:
        new = "score" if self.end - self.begin == 1 else "scores"
        if self.before is None:
            return f"The first {new}: m = {three_digits(self.greatest)}, l = {three_digits(self.total)}."
        was = self.before
        added = self.total - was.total * self.shrink
        sums = f"l = {three_digits(was.total)} · {three_digits(self.shrink)} + {three_digits(added)}"
        if self.greatest > was.greatest:
            rises = f"m rises from {three_digits(was.greatest)} to {three_digits(self.greatest)}"
            factor = f"exp(−{three_digits(self.greatest - was.greatest)}) = {three_digits(self.shrink)}"
            return f"{rises}, so what is there shrinks by {factor}: {sums} = {three_digits(self.total)}."
        return f"No greater score: m stays {three_digits(self.greatest)}, {sums} = {three_digits(self.total)}."


def online_softmax(scores: Sequence[float], block: int) -> Picture:
    """Step through a row of scores, ``block`` at a time, with the running maximum and sum.

    Parameters
    ----------
    scores
        One row, finite.
    block
        Scores of a part.

    Returns
    -------
    Picture
        Its ``summary`` says how often the maximum rose, and the sum at the end.

    Raises
    ------
    ValueError
        When there are no scores, one is not finite, or ``block`` is below 1.

    Examples
    --------
    >>> online_softmax([1.0, 0.0, 3.0], block=1)
    3 scores in 3 parts: m rises once after the first part, to 3; l = 1.19 at the end.
    """
    row = np.asarray([float(score) for score in scores])
    if row.size == 0 or not np.isfinite(row).all() or block < 1:
        raise ValueError(f"online_softmax takes finite scores, at least one, and block >= 1; got {row}, block={block}")
    states = _states(row, block)
    rises = sum(state.before is not None and state.greatest > state.before.greatest for state in states)
    times = {0: "never rises", 1: "rises once"}.get(rises, f"rises {rises} times")
    last = states[-1]
    summary = (
        f"{plural(row.size, 'score')} in {plural(len(states), 'part')}: m {times} after the first part"
        f"{f', to {three_digits(last.greatest)}' if rises else ''}; l = {three_digits(last.total)} at the end."
    )
    return Picture(_draw(row, states), summary)


def _states(row: np.ndarray, block: int) -> list[_State]:
    states: list[_State] = []
    for begin in range(0, row.size, block):
        end, before = min(begin + block, row.size), states[-1] if states else None
        part = row[begin:end]
        greatest = max(float(part.max()), before.greatest if before else -np.inf)
        shrink = float(np.exp(before.greatest - greatest)) if before else 0.0
        total = float(np.exp(part - greatest).sum()) + (before.total * shrink if before else 0.0)
        states.append(_State(begin, end, greatest, total, shrink, before))
    return states


def _draw(row: np.ndarray, states: list[_State]) -> Figure:
    go = graph_objects()
    steps = [
        Step(f"part {index}", _traces(row, state, 1.0), {"title": heading(_TITLE, state.sentence, _HEIGHT)})
        for index, state in enumerate(states, 1)
    ]
    last = states[-1]
    divided = f"At the end every weight is divided by l = {three_digits(last.total)}: the softmax."
    steps.append(Step("divide by l", _traces(row, last, last.total), {"title": heading(_TITLE, divided, _HEIGHT)}))
    figure = go.Figure(
        steps[0].traces, {"xaxis2": {"anchor": "y2"}, "yaxis2": {"anchor": "x2"}}
    )  # for the card's style
    card(figure, _TITLE, "", _HEIGHT, margin={"l": 64, "r": 24, "t": _TOP, "b": 44 + SLIDER_HEIGHT})
    keys = {"tickmode": "array", "tickvals": list(range(row.size)), "range": [-0.6, row.size - 0.4], "fixedrange": True}
    if row.size > _MOST_LABELS:
        keys.pop("tickvals")
        keys["tickmode"] = "auto"
    low, high = min(0.0, float(row.min())), max(0.0, float(row.max()))
    room = 0.18 * (high - low or 1.0)
    figure.update_layout(
        xaxis={**keys, "anchor": "y", "showticklabels": False, "showgrid": False},
        xaxis2={**keys, "anchor": "y2", "title_text": "key", "showgrid": False},
        yaxis={"domain": [0.56, 1], "range": [low - room * (low < 0), high + room], "title_text": "score s"},
        yaxis2={"domain": [0, 0.44], "range": [0, 1.22], "anchor": "x2", "title_text": "weight exp(s − m)"},
    )
    figure.update_yaxes(fixedrange=True, zeroline=True, zerolinecolor=RULE)
    add_slider(figure, steps, prefix="")
    return figure


def _traces(row: np.ndarray, state: _State, divisor: float) -> list[Any]:
    """The scores with the greatest so far, and below them the weights as measured from it."""
    go = graph_objects()
    keys = np.arange(row.size)
    new = (keys >= state.begin) & (keys < state.end)
    if divisor != 1.0:
        new[:] = False
    seen = keys < state.end
    colours = np.where(new, GREEN, np.where(seen, CALM_BLUE, FAINT)).tolist()
    hatch = np.where(new, "/", "").tolist()
    look = {"color": colours, "line": {"color": INK, "width": 0.5}}
    look["pattern"] = {"shape": hatch, "fgcolor": CARD, "fillmode": "overlay", "fgopacity": 0.5, "size": 7}
    weights = np.where(seen, np.exp(row - state.greatest) / divisor, 0.0)
    numbered = row.size <= _MOST_LABELS
    above = [three_digits(score) for score in row] if numbered else None
    below = [f"{weight:.2f}" if shown else "" for weight, shown in zip(weights, seen, strict=True)]
    states = np.where(new, "in this part", np.where(seen, "seen", "not seen yet"))
    font = {"size": 11, "color": MUTED}
    return [
        go.Bar(
            x=keys, y=row, marker=look, text=above, textposition="outside", textfont=font, customdata=states,
            hovertemplate="key %{x}: score %{y}, %{customdata}<extra></extra>", showlegend=False, cliponaxis=False,
        ),
        go.Scatter(
            x=[-0.6, row.size - 0.4], y=[state.greatest] * 2, mode="lines", name="m, the greatest so far",
            line={"color": VERMILION, "width": 2, "dash": "dash"}, hoverinfo="skip",
        ),
        go.Bar(
            x=keys, y=weights, marker=look, text=below if numbered else None, textposition="outside", textfont=font,
            hovertemplate="key %{x}: weight %{y:.4f}<extra></extra>", showlegend=False, cliponaxis=False,
            xaxis="x2", yaxis="y2",
        ),
    ]  # fmt: skip
