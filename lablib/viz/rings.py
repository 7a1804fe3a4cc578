"""A ring all-reduce, packet by packet: who holds which partial sum of which chunk after each step."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from lablib.viz.picture import SLIDER_HEIGHT, Picture, Step, add_slider
from lablib.viz.style import CALM_BLUE, CARD, INK, PALE_BLUE, VERMILION, card, graph_objects, heading
from lablib.viz.units import plural

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

_TITLE = "Which packet goes where, and when is a sum complete?"
_LINE, _TOP, _BOTTOM = 46, 116, 64


def ring_packets(size: int) -> Picture:
    """Step through a ring all-reduce of ``size`` chunks on ``size`` ranks.

    A cell says whose parts are in a rank's copy of a chunk. A frame marks what has just been received.

    Parameters
    ----------
    size
        Ranks, 2 to 8.

    Raises
    ------
    ValueError
        ``size`` is out of range.

    Examples
    --------
    >>> ring_packets(4)
    Which packet goes where, and when is a sum complete? 4 ranks: 6 steps, in each of which every rank sends one chunk of 4. Each rank sends 6/4 of the tensor in all.
    """  # noqa: E501
    if not isinstance(size, int) or not 2 <= size <= 8:
        raise ValueError(f"size must be a whole number of ranks from 2 to 8; got {size!r}")
    states = ring_states(size)
    summary = (
        f"{_TITLE} {size} ranks: {plural(len(states) - 1, 'step')}, in each of which every rank sends one chunk of "
        f"{size}. Each rank sends {2 * (size - 1)}/{size} of the tensor in all."
    )
    return Picture(_draw(size, states), summary)


def ring_states(size: int) -> list[tuple[list[list[tuple[int, ...]]], list[tuple[int, int]]]]:
    """After each step: by rank and chunk, the ranks whose parts are in the sum; and the (rank, chunk) received.

    Examples
    --------
    >>> ring_states(2)[1]
    ([[(0,), (1, 0)], [(0, 1), (1,)]], [(0, 1), (1, 0)])
    """
    held: list[list[tuple[int, ...]]] = [[(rank,) for _ in range(size)] for rank in range(size)]
    states: list[tuple[list[list[tuple[int, ...]]], list[tuple[int, int]]]] = [([list(row) for row in held], [])]
    for step in range(2 * (size - 1)):
        moved = [((rank + 1) % size, (rank - step) % size) for rank in range(size)]
        packets = {(to, chunk): held[(to - 1) % size][chunk] for to, chunk in moved}
        for (to, chunk), packet in packets.items():
            held[to][chunk] = (*packet, to) if step < size - 1 else packet
        states.append(([list(row) for row in held], sorted(moved)))
    return states


def _sentence(size: int, step: int) -> str:
    if step == 0:
        return "At the start each rank has its own part of every chunk."
    if step < size:
        return f"Step {step} of {2 * size - 2}, adding: each rank added its own part to what came from the rank above."
    return f"Step {step} of {2 * size - 2}, passing on: complete sums replace partial ones."


def _draw(size: int, states: list) -> Figure:
    height = _TOP + size * _LINE + _BOTTOM + SLIDER_HEIGHT
    steps = [
        Step(str(number), _traces(size, held, moved), {"title": heading(_TITLE, _sentence(size, number), height)})
        for number, (held, moved) in enumerate(states)
    ]
    figure = graph_objects().Figure(steps[0].traces)
    names = [str(chunk) for chunk in range(size)]
    figure.update_xaxes(title_text="chunk", tickvals=list(range(size)), ticktext=names, showgrid=False, fixedrange=True)
    figure.update_yaxes(
        title_text="rank", tickvals=list(range(size)), ticktext=names, autorange="reversed", showgrid=False,
        fixedrange=True,
    )  # fmt: skip
    margin = {"l": 64, "r": 24, "t": _TOP - 20, "b": _BOTTOM + SLIDER_HEIGHT}
    card(figure, _TITLE, _sentence(size, 0), height, margin=margin)
    add_slider(figure, steps, prefix="step ")
    return figure.update_layout(sliders=[{"y": -40 / (size * _LINE)}], updatemenus=[{"y": -40 / (size * _LINE)}])


def _traces(size: int, held: list[list[tuple[int, ...]]], moved: list[tuple[int, int]]) -> list[Any]:
    go = graph_objects()
    text = [["sum" if len(parts) == size else "+".join(map(str, parts)) for parts in row] for row in held]
    cells = go.Heatmap(
        z=[[len(parts) for parts in row] for row in held], zmin=1, zmax=size, text=text, texttemplate="%{text}",
        colorscale=[[0, CARD], [0.5, PALE_BLUE], [1, CALM_BLUE]], showscale=False, xgap=3, ygap=3,
        textfont={"color": INK, "size": 13},
        hovertemplate="rank %{y}, chunk %{x}: parts of ranks %{text}<extra></extra>",
    )  # fmt: skip
    arrived = go.Scatter(
        x=[chunk for _, chunk in moved], y=[rank for rank, _ in moved], mode="markers", hoverinfo="skip",
        marker={"symbol": "square-open", "size": 36, "color": VERMILION, "line": {"width": 2}}, showlegend=False,
    )  # fmt: skip
    return [cells, arrived]
