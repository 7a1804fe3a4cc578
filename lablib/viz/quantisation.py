"""Where the levels of an integer type fall among the numbers that they are to stand for, and what that costs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from lablib.viz.picture import SLIDER_HEIGHT, Picture, Step, add_slider
from lablib.viz.style import (
    BLUE,
    CALM_BLUE,
    CARD,
    INK,
    MUTED,
    PALE_VERMILION,
    RULE,
    VERMILION,
    card,
    graph_objects,
    heading,
)
from lablib.viz.units import percent, three_digits

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

_HEIGHT, _BINS, _TITLE = 560, 90, "Where do the levels fall, and what is lost?"


def quantisation_levels(values: Any, schemes: Sequence[Mapping[str, Any]]) -> Picture:
    """Draw the levels of several ways to quantise the same numbers, with a slider, and the error of each.

    A number v becomes q = round(v / scale) + zero_point, clipped to a signed type of ``bits`` bits, and stands for
    scale · (q - zero_point). Inside the range the error is rounding; outside it is clipping.

    Parameters
    ----------
    values
        Numbers, any shape.
    schemes
        One dict a position of the slider: ``name``, ``bits``, ``scale`` and ``zero_point``.

    Returns
    -------
    Picture
        Its ``summary`` gives the errors of all schemes, as shares of the numbers' own root mean square.

    Raises
    ------
    ValueError
        If there are no numbers or schemes, all numbers are 0, a key is missing, or a scale is not positive.

    Examples
    --------
    >>> scheme = {"name": "symmetric", "bits": 2, "scale": 1.0, "zero_point": 0}
    >>> quantisation_levels([-0.5, 0.25, 3.0], [scheme])
    Error as a share of the numbers' size: symmetric 68% (rounding 18%, clipping 66%; 2 of 4 levels used).
    """
    numbers = np.asarray(values, dtype=np.float64).ravel()
    _check(numbers, schemes)
    seen = [_errors(numbers, scheme) for scheme in schemes]
    parts = [f"{scheme['name']} {_sentence(one)}" for scheme, one in zip(schemes, seen, strict=True)]
    summary = f"Error as a share of the numbers' size: {'; '.join(parts)}."
    return Picture(_draw(numbers, schemes, seen), summary)


def _check(numbers: np.ndarray, schemes: Sequence[Mapping[str, Any]]) -> None:
    if not numbers.size or not numbers.any() or not schemes:
        raise ValueError("quantisation_levels needs numbers that are not all 0, and at least one scheme")
    for scheme in schemes:
        missing = [key for key in ("name", "bits", "scale", "zero_point") if key not in scheme]
        if missing or not scheme["scale"] > 0:
            raise ValueError(f"a scheme needs name, bits, a positive scale and zero_point; got {dict(scheme)}")


def _ends(scheme: Mapping[str, Any]) -> tuple[float, float]:
    """The least and the greatest level."""
    half = 2 ** (scheme["bits"] - 1)
    return tuple(float(scheme["scale"]) * (q - int(scheme["zero_point"])) for q in (-half, half - 1))


def _errors(numbers: np.ndarray, scheme: Mapping[str, Any]) -> dict[str, float]:
    """Relative root mean square errors, and how many levels are used."""
    low, high = _ends(scheme)
    scale, zero = float(scheme["scale"]), int(scheme["zero_point"])
    half = 2 ** (scheme["bits"] - 1)
    q = np.clip(np.rint(numbers / scale) + zero, -half, half - 1)
    error = scale * (q - zero) - numbers
    outside = (numbers < low - scale / 2) | (numbers > high + scale / 2)
    size = np.sqrt(np.mean(numbers**2))
    rounding, clipping = (np.sqrt(np.mean(np.where(part, error, 0) ** 2)) / size for part in (~outside, outside))
    return {
        "total": float(np.hypot(rounding, clipping)), "rounding": float(rounding), "clipping": float(clipping),
        "used": len(np.unique(q)), "levels": 2 * half, "outside": float(outside.mean()),
    }  # fmt: skip


def _sentence(seen: Mapping[str, float]) -> str:
    return (
        f"{percent(seen['total'])} (rounding {percent(seen['rounding'])}, clipping {percent(seen['clipping'])}; "
        f"{seen['used']} of {seen['levels']} levels used)"
    )


def _draw(numbers: np.ndarray, schemes: Sequence[Mapping[str, Any]], seen: Sequence[dict[str, float]]) -> Figure:
    go = graph_objects()
    counts, edges = np.histogram(numbers, _BINS)
    shares = counts / counts.max()
    steps = [
        Step(
            scheme["name"],
            [_levels(scheme, edges), _clipped(scheme, edges), _chosen(place, one)],
            {"title": heading(_TITLE, f"{scheme['name']}: error {_sentence(one)}", _HEIGHT)},
        )
        for place, (scheme, one) in enumerate(zip(schemes, seen, strict=True))
    ]
    figure = go.Figure(steps[0].traces)
    figure.add_bar(
        x=(edges[:-1] + edges[1:]) / 2, y=np.sqrt(shares), width=np.diff(edges), customdata=counts,
        marker={"color": CALM_BLUE}, showlegend=False,
        hovertemplate="around %{x:.3g}: %{customdata:,} numbers<extra></extra>",
    )  # fmt: skip
    places = list(range(len(schemes)))
    for part, colour, hatch in (("rounding", CALM_BLUE, ""), ("clipping", VERMILION, "/")):
        pattern = {"shape": hatch, "fgcolor": CARD, "fillmode": "overlay", "fgopacity": 0.55, "size": 7}
        figure.add_bar(
            x=places, y=[one[part] ** 2 / one["total"] if one["total"] else 0 for one in seen], name=part, xaxis="x2",
            yaxis="y2", marker={"color": colour, "pattern": pattern}, width=0.6,
            hovertemplate=f"{part}<extra></extra>",
        )  # fmt: skip
    card(
        figure, _TITLE, "", _HEIGHT, barmode="stack", bargap=0,
        margin={"l": 64, "r": 24, "t": 116, "b": 60 + SLIDER_HEIGHT},
        legend={"orientation": "h", "x": 1, "xanchor": "right", "y": 0.28, "yanchor": "bottom"},
    )  # fmt: skip
    _axes(figure, schemes, seen, edges)
    add_slider(figure, steps, prefix="", play=False)
    return figure


def _axes(
    figure: Figure, schemes: Sequence[Mapping[str, Any]], seen: Sequence[dict[str, float]], edges: np.ndarray
) -> None:
    room = 0.03 * (edges[-1] - edges[0])
    axis = {"gridcolor": RULE, "zeroline": False, "fixedrange": True, "tickfont": {"size": 12, "color": MUTED}}
    most = max(one["total"] for one in seen)
    names = [
        f"{scheme['name']}<br>{three_digits(100 * one['total'])}%" for scheme, one in zip(schemes, seen, strict=True)
    ]
    figure.update_layout(
        xaxis={**axis, "range": [edges[0] - room, edges[-1] + room], "anchor": "y", "title": {"text": "value"}},
        yaxis={
            **axis, "domain": [0.48, 1], "range": [-0.22, 1.05], "showticklabels": False,
            "title": {"text": "how many (root)", "font": {"size": 12}},
        },
        xaxis2={**axis, "anchor": "y2", "tickvals": list(range(len(schemes))), "ticktext": names, "showgrid": False,
                "range": [-0.6, len(schemes) - 0.4]},
        yaxis2={**axis, "domain": [0, 0.27], "range": [0, 1.15 * most or 1], "tickformat": ".0%",
                "title": {"text": "error", "font": {"size": 12}}},
    )  # fmt: skip


def _levels(scheme: Mapping[str, Any], edges: np.ndarray) -> Any:
    """A tick below the axis for every level among the numbers."""
    low, high = _ends(scheme)
    levels = np.linspace(low, high, 2 ** scheme["bits"])
    levels = levels[(levels >= edges[0] - scheme["scale"]) & (levels <= edges[-1] + scheme["scale"])]
    x, y = (np.repeat(levels, 3), np.tile([-0.2, -0.04, np.nan], len(levels)))
    return graph_objects().Scatter(
        x=x, y=y, mode="lines", line={"color": INK, "width": 1.5 if len(levels) < 64 else 0.7}, name="levels",
        showlegend=False, hoverinfo="skip",
    )  # fmt: skip


def _clipped(scheme: Mapping[str, Any], edges: np.ndarray) -> Any:
    """What lies beyond the last levels, shaded."""
    low, high = (end + sign * scheme["scale"] / 2 for end, sign in zip(_ends(scheme), (-1, 1), strict=True))
    room = 0.03 * (edges[-1] - edges[0])
    x, y = [], []
    for start, end in ((edges[0] - room, low), (high, edges[-1] + room)):
        if start < end:
            x += [start, start, end, end, start, None]
            y += [-0.22, 1.05, 1.05, -0.22, -0.22, None]
    return graph_objects().Scatter(
        x=x or [None], y=y or [None], mode="lines", fill="toself", fillcolor=PALE_VERMILION, opacity=0.5,
        line={"color": VERMILION, "width": 1, "dash": "dot"}, showlegend=False, hoverinfo="skip", name="clipped",
    )  # fmt: skip


def _chosen(place: int, seen: Mapping[str, float]) -> Any:
    """A mark above the bar of the scheme that is shown."""
    return graph_objects().Scatter(
        x=[place], y=[1.08 * seen["total"]], xaxis="x2", yaxis="y2", mode="markers", showlegend=False, hoverinfo="skip",
        marker={"symbol": "triangle-down", "size": 12, "color": BLUE},
    )  # fmt: skip
