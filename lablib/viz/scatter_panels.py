"""Points in panels side by side: does one list put things into the same order as another?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from lablib.viz.picture import Picture
from lablib.viz.style import BLUE, MARGIN, card, graph_objects
from lablib.viz.units import plural

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

_HEIGHT, _TOP, _BOTTOM, _LEFT, _GAP = 420, 112, 64, 64, 0.07


def against(
    panels: Mapping[str, tuple[Sequence[float], float]], y: Sequence[float], *, title: str, axis: str
) -> Picture:
    """Draw the same values over several others, each in a panel with its rank correlation.

    Parameters
    ----------
    panels
        By name of the horizontal axis, its values, in the order of ``y``, and Kendall's τ between the two.
    y
        The values that all panels share.
    title
        The question that the picture answers.
    axis
        What ``y`` is.

    Returns
    -------
    Picture
        Its ``summary`` has the number of points and each panel's τ.

    Raises
    ------
    ValueError
        When there is no panel, or one has not as many values as ``y``.

    Examples
    --------
    >>> against({"FLOPs": ([1.0, 2.0, 3.0], 1 / 3)}, [0.1, 0.3, 0.2], title="Is larger better?", axis="accuracy")
    Is larger better? 3 points; Kendall's τ with accuracy: FLOPs 0.33.
    """
    if not panels:
        raise ValueError("against needs a panel: {'FLOPs': (values, tau)}")
    for name, (values, _) in panels.items():
        if len(values) != len(y):
            raise ValueError(f"{name!r} has {len(values)} values, and y has {len(y)}: give one for each point")
    told = ", ".join(f"{name} {tau:.2f}" for name, (_, tau) in panels.items())
    return Picture(
        _draw(panels, y, title, axis), f"{title} {plural(len(y), 'point')}; Kendall's τ with {axis}: {told}."
    )


def _draw(panels: Mapping[str, tuple[Sequence[float], float]], y: Sequence[float], title: str, axis: str) -> Figure:
    figure = graph_objects().Figure()
    width = (1 - _GAP * (len(panels) - 1)) / len(panels)
    for place, (name, (values, tau)) in enumerate(panels.items()):
        suffix = "" if place == 0 else str(place + 1)
        left = place * (width + _GAP)
        figure.add_scatter(
            x=list(values), y=list(y), mode="markers", name=name, xaxis=f"x{suffix}", yaxis=f"y{suffix}",
            marker={"color": BLUE, "size": 6, "opacity": 0.6}, hoverinfo="x+y",
        )  # fmt: skip
        heading = f"{name}<br><b>τ = {tau:.2f}</b>"
        horizontal = {"domain": [left, left + width], "anchor": f"y{suffix}", "title": {"text": heading}, "nticks": 5}
        figure.update_layout({
            f"xaxis{suffix}": horizontal,
            f"yaxis{suffix}": {"anchor": f"x{suffix}", "showticklabels": place == 0},
        })  # fmt: skip
        if place:
            figure.update_layout({f"yaxis{suffix}": {"matches": "y"}})
    figure.update_layout(yaxis_title_text=axis)
    subtitle = "The more the points rise together, the better the order; τ counts the pairs that agree."
    margin = {"l": _LEFT, "r": MARGIN, "t": _TOP, "b": _BOTTOM + 20}
    return card(figure, title, subtitle, _HEIGHT, margin=margin, showlegend=False)
