"""What a training step holds after each operation, by kind: areas on top of one another, and where most is held."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from lablib.viz.picture import SLIDER_HEIGHT, Picture, Step, add_slider
from lablib.viz.style import CARD, INK, MARGIN, RULE, SERIES, card, graph_objects, heading
from lablib.viz.units import percent, plural, si

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

_HEIGHT, _TOP, _BOTTOM, _LEFT = 420, 150, 64, 76
_MOST_POINTS = 400
_POSITIONS = 40
_HATCHES = ("", "/", ".", "x", "-", "\\")


def memory_over_step(moments: Sequence[Any], title: str = "What is held when?") -> Picture:
    """Draw the bytes of each kind over the operations of a training step, with a slider that reads them off.

    Parameters
    ----------
    moments
        In order, objects with ``phase``, ``operation``, ``held`` (bytes by kind, the same kinds in each) and ``total``:
        those of `lablib.train.memory.Timeline`. Of a long sequence about 400 are drawn, the peak always.
    title
        The question.

    Returns
    -------
    Picture
        Its ``summary`` names the peak, when it is, and what it consists of.

    Raises
    ------
    ValueError
        When there are no moments.

    Examples
    --------
    >>> from types import SimpleNamespace as Moment
    >>> one = Moment(phase="forward", operation="mm", held={"parameters": 4000, "activations": 0}, total=4000)
    >>> two = Moment(phase="backward", operation="add", held={"parameters": 4000, "activations": 6000}, total=10000)
    >>> memory_over_step([one, two])
    2 operations; most is held after operation 2 (add, backward): 10 kB, of which activations 60%, parameters 40%.
    """
    if not moments:
        raise ValueError("there is nothing to draw: memory_over_step got no moments")
    peak = max(range(len(moments)), key=lambda number: moments[number].total)
    summary = f"{plural(len(moments), 'operation')}; most is held after {_told(moments, peak)}."
    return Picture(_draw(moments, peak, title, summary), summary)


def _told(moments: Sequence[Any], number: int) -> str:
    moment = moments[number]
    shares = sorted(((n, kind) for kind, n in moment.held.items() if n), reverse=True)
    parts = ", ".join(f"{kind} {percent(n / moment.total)}" for n, kind in shares)
    return (
        f"operation {number + 1} ({moment.operation}, {moment.phase}): {si(moment.total, 'B')}, of which {parts}"
        if parts
        else f"operation {number + 1} ({moment.operation}, {moment.phase}): nothing"
    )


def _drawn(count: int, most: int, peak: int) -> list[int]:
    """Evenly spaced numbers below ``count``, the last and the peak among them."""
    stride = max(1, -(-count // most))
    return sorted({*range(0, count, stride), count - 1, peak})


def _draw(moments: Sequence[Any], peak: int, title: str, summary: str) -> Figure:
    go = graph_objects()
    height = _HEIGHT + SLIDER_HEIGHT
    numbers = _drawn(len(moments), _MOST_POINTS, peak)
    kinds = [kind for kind in moments[0].held if any(moment.held[kind] for moment in moments)]
    most = moments[peak].total
    # The marker comes first: traces of frames are the figure's first ones.
    positions = _drawn(len(moments), _POSITIONS, peak)
    steps = [
        Step(
            str(number + 1),
            [_marker(number, most)],
            {"title": heading(title, f"After {_told(moments, number)}.", height)},
        )
        for number in positions
    ]
    figure = go.Figure(steps[positions.index(peak)].traces)
    for index, kind in enumerate(kinds):
        colour = SERIES[index % len(SERIES)]
        figure.add_trace(
            go.Scatter(
                x=[number + 1 for number in numbers], y=[moments[number].held[kind] / 1e6 for number in numbers],
                name=kind, stackgroup="held", mode="lines", line={"color": colour, "width": 1, "shape": "hv"},
                fillpattern={
                    "shape": _HATCHES[index % len(_HATCHES)], "bgcolor": colour, "fgcolor": CARD, "size": 7,
                },
                hovertemplate=f"{kind}: %{{y:.4~g}} MB<extra></extra>",
            )
        )  # fmt: skip
    card(figure, title, summary, height, margin={"l": _LEFT, "r": MARGIN, "t": _TOP, "b": _BOTTOM + SLIDER_HEIGHT})
    _add_phases(figure, moments)
    figure.update_xaxes(title_text="operations", range=[1, max(len(moments), 2)])
    figure.update_yaxes(title_text="MB held", range=[0, max(1.12 * most / 1e6, 1e-9)])
    add_slider(figure, steps, prefix="after operation ", start=positions.index(peak), play=False)
    return figure


def _marker(number: int, most: int) -> Any:
    line = {"color": INK, "width": 2, "dash": "dot"}
    return graph_objects().Scatter(
        x=[number + 1, number + 1], y=[0, 1.04 * most / 1e6], mode="lines", line=line, showlegend=False,
        hoverinfo="skip",
    )  # fmt: skip


def _add_phases(figure: Figure, moments: Sequence[Any]) -> None:
    """Name stretches of one phase above the areas, where there is room for the name."""
    start = 0
    for number in range(1, len(moments) + 1):
        if number < len(moments) and moments[number].phase == moments[start].phase:
            continue
        if start:
            figure.add_vline(x=start + 1, line={"color": RULE, "width": 1})
        if (number - start) / len(moments) > 0.06:
            figure.add_annotation(
                text=moments[start].phase, x=(start + number) / 2 + 1, y=1, yref="y domain", yanchor="top",
                showarrow=False, font={"size": 12, "color": INK},
            )  # fmt: skip
        start = number
