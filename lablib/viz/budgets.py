"""Privacy spent over rounds, against a budget, one amount of noise a step of a slider."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import floor, log10
from typing import TYPE_CHECKING, Any

from lablib.viz.picture import SLIDER_HEIGHT, Picture, Step, add_slider
from lablib.viz.style import DASHES, INK, MARGIN, SERIES, SYMBOLS, card, graph_objects, heading

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

_TITLE = "How many rounds does the budget buy?"
_HEIGHT, _TOP, _BOTTOM = 440, 124, 60
Curves = Mapping[str, Sequence[float]]


def privacy_budget(rounds: Sequence[int], spent: Mapping[float, Curves], limit: float, start: int = 0) -> Picture:
    """Show epsilon after so many rounds.

    Parameters
    ----------
    rounds
        Ascending and positive: where epsilon is given.
    spent
        By noise multiplier, the positions of the slider: epsilons at ``rounds``, by the name of a line.
    limit
        The budget, a line across.
    start
        Index of the multiplier that is shown at first.

    Returns
    -------
    Picture
        Its ``summary`` says for each multiplier and line the most of ``rounds`` that stay within the budget.

    Raises
    ------
    ValueError
        When there is nothing to show, or a line has not as many numbers as there are rounds.

    Examples
    --------
    >>> privacy_budget([1, 10], {1.0: {"q = 0.1": [0.5, 3.0]}}, limit=2.0)
    How many rounds does the budget buy? Within epsilon = 2: noise 1: q = 0.1 1 round.
    """
    if not spent or any(len(line) != len(rounds) for curves in spent.values() for line in curves.values()):
        raise ValueError(f"each line needs {len(rounds)} epsilons, one for each of the rounds, and there must be one")
    told = [f"noise {multiplier:g}: {_sentence(rounds, curves, limit)}" for multiplier, curves in spent.items()]
    return Picture(_draw(rounds, spent, limit, start), f"{_TITLE} Within epsilon = {limit:g}: {'; '.join(told)}.")


def _sentence(rounds: Sequence[int], curves: Curves, limit: float) -> str:
    parts = []
    for name, line in curves.items():
        most = max((r for r, value in zip(rounds, line, strict=True) if value <= limit), default=0)
        parts.append(f"{name} {most:,} round{'' if most == 1 else 's'}")
    return ", ".join(parts)


def _draw(rounds: Sequence[int], spent: Mapping[float, Curves], limit: float, start: int) -> Figure:
    subtitles = [
        f"Within the budget at most, of the rounds marked: {_sentence(rounds, c, limit)}." for c in spent.values()
    ]
    steps = [
        Step(f"{multiplier:g}", _lines(rounds, curves), {"title": heading(_TITLE, subtitle, _HEIGHT)})
        for (multiplier, curves), subtitle in zip(spent.items(), subtitles, strict=True)
    ]
    figure = graph_objects().Figure(steps[start].traces)
    margin = {"l": 72, "r": MARGIN + 56, "t": _TOP, "b": _BOTTOM + SLIDER_HEIGHT}
    card(figure, _TITLE, subtitles[start], _HEIGHT, margin=margin)
    positive = [value for curves in spent.values() for line in curves.values() for value in line if value > 0]
    ends = [floor(log10(min(positive, default=limit))), log10(max([*positive, limit])) + 0.15]
    figure.update_xaxes(title_text="rounds", type="log", dtick=1, exponentformat="none", fixedrange=True)
    figure.update_yaxes(
        title_text="epsilon", type="log", range=ends, dtick=1, tickformat="~g", exponentformat="none", fixedrange=True
    )
    figure.add_hline(y=limit, line={"color": INK, "width": 1.5})
    figure.add_annotation(
        text=f"budget {limit:g}", xref="paper", x=1, xanchor="left", xshift=6, y=log10(limit),
        showarrow=False, font={"size": 12, "color": INK},
    )  # fmt: skip
    add_slider(figure, steps, prefix="noise multiplier ", start=start, play=False)
    return figure


def _lines(rounds: Sequence[int], curves: Curves) -> list[Any]:
    return [
        graph_objects().Scatter(
            x=list(rounds), y=[value or None for value in line], name=name, mode="lines+markers",
            line={"color": colour, "dash": dash}, marker={"symbol": symbol, "size": 8},
            hovertemplate="%{x} rounds: epsilon %{y:.3g}<extra></extra>",
        )
        for (name, line), colour, dash, symbol in zip(curves.items(), SERIES, DASHES, SYMBOLS, strict=False)
    ]  # fmt: skip
