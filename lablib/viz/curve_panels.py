"""Several lines over the same steps, in panels side by side: what a search or a training counted as it ran."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from lablib.viz.picture import Picture
from lablib.viz.style import DASHES, MARGIN, SERIES, card, graph_objects
from lablib.viz.units import three_digits

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

_HEIGHT, _TOP, _BOTTOM, _LEFT, _GAP = 400, 132, 64, 64, 0.1


def curves(panels: Mapping[str, Mapping[str, Sequence[float]]], *, title: str, x: str, detail: str = "") -> Picture:
    """Draw lines over the steps 1, 2, …, one panel for each quantity.

    Parameters
    ----------
    panels
        By quantity, the panel's vertical axis, the lines by name. A name has the same colour and dash in all panels.
    title
        The question that the picture answers.
    x
        What a step is.
    detail
        The line below the title.

    Returns
    -------
    Picture
        Its ``summary`` has each line's first and last value.

    Raises
    ------
    ValueError
        When there is no panel, or a line without a value.

    Examples
    --------
    >>> curves({"entropy": {"rate 1": [1.61, 1.2]}}, title="Does it still explore?", x="draw")
    Does it still explore? entropy, from the first draw to the last: rate 1 1.61 to 1.2.
    """
    if not panels or not all(len(line) for lines in panels.values() for line in lines.values()):
        raise ValueError("curves needs a panel, and a value in each line: {'entropy': {'rate 1': [1.6, 1.2]}}")
    told = []
    for quantity, lines in panels.items():
        ends = [f"{name} {three_digits(line[0])} to {three_digits(line[-1])}" for name, line in lines.items()]
        told.append(f"{quantity}, from the first {x} to the last: {', '.join(ends)}.")
    return Picture(_draw(panels, title, x, detail), f"{title} {' '.join(told)}")


def _draw(panels: Mapping[str, Mapping[str, Sequence[float]]], title: str, x: str, detail: str) -> Figure:
    go = graph_objects()
    figure = go.Figure()
    names = list(dict.fromkeys(name for lines in panels.values() for name in lines))
    width = (1 - _GAP * (len(panels) - 1)) / len(panels)
    for place, (quantity, lines) in enumerate(panels.items()):
        suffix = "" if place == 0 else str(place + 1)
        left = place * (width + _GAP)
        figure.update_layout({
            f"xaxis{suffix}": {"domain": [left, left + width], "anchor": f"y{suffix}", "title": {"text": x}},
            f"yaxis{suffix}": {"anchor": f"x{suffix}", "title": {"text": quantity}},
        })  # fmt: skip
        for name, line in lines.items():
            style = names.index(name)
            shown = next(head for head, others in panels.items() if name in others) == quantity
            figure.add_scatter(
                x=list(range(1, len(line) + 1)), y=list(line), mode="lines", name=name, showlegend=shown,
                legendgroup=name, xaxis=f"x{suffix}", yaxis=f"y{suffix}", hoverinfo="name+x+y",
                line={"color": SERIES[style % len(SERIES)], "dash": DASHES[style % len(DASHES)], "width": 2},
            )  # fmt: skip
    margin = {"l": _LEFT, "r": MARGIN, "t": _TOP, "b": _BOTTOM}
    return card(figure, title, detail, _HEIGHT, margin=margin)
