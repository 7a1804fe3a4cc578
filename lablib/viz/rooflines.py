"""The roofline: performance against arithmetic intensity, under the ceilings of a machine."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from lablib.viz.label_sides import Box, label_sides
from lablib.viz.numbered import add_key, add_numbers, key_height
from lablib.viz.picture import Picture
from lablib.viz.style import CARD, DASHES, INK, MARGIN, SERIES, SYMBOLS, WIDTH, card, graph_objects
from lablib.viz.units import percent, si, three_digits

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

_HEIGHT, _TOP, _BOTTOM, _LEFT = 520, 124, 72, 84
_LABELLED = 8  # points at most that are labelled with their names: more get numbers, and a key below the axes
_CROWD = 160  # px of height that numbered points get on top


def roofline(points: Sequence[Mapping[str, Any]], roofs: Sequence[Mapping[str, Any]]) -> Picture:
    """Place kernels under the roofs of a machine, on logarithmic axes (Williams, Waterman and Patterson, 2009).

    A roof is ``min(flops_per_s, intensity * bytes_per_s)``; its ridge is where the two meet.

    Parameters
    ----------
    points
        One dict a kernel: ``name``, ``flops``, ``bytes`` and, when it was measured, ``seconds``. Without ``seconds``
        the kernel is an open symbol on its roof: its bound. ``roof`` names its roof; without it, the first. ``share``
        is its share of a bound that was measured for it alone, where that is known better than the roof.
        More than eight points are numbered, with a key below the axes.
    roofs
        One dict a roof: ``name``, ``flops_per_s``, ``bytes_per_s``.

    Returns
    -------
    Picture
        Its ``summary`` says for each kernel which side of the ridge it is on and how near its roof.

    Raises
    ------
    ValueError
        When there is no roof, a quantity is not positive, or a point names a roof that is not there.

    Examples
    --------
    >>> h200 = {"name": "H200 bf16", "flops_per_s": 989e12, "bytes_per_s": 4.8e12}
    >>> roofline([{"name": "copy + 1", "flops": 1e9, "bytes": 4e9, "seconds": 1e-3}], [h200])
    Roofline. H200 bf16: 989 TFLOP/s, 4.8 TB/s, ridge at 206 FLOP/byte. copy + 1: 0.25 FLOP/byte, memory-bound, 83% of the roof.
    """  # noqa: E501
    if not roofs:
        raise ValueError("a roofline needs at least one roof: a dict with name, flops_per_s and bytes_per_s")
    for roof in roofs:
        _check(roof, ("flops_per_s", "bytes_per_s"))
    for point in points:
        _check(point, ("flops", "bytes", *(("seconds",) if point.get("seconds") is not None else ())))
    placed = [_place(point, _roof_of(point, roofs)) for point in points]
    parts = ["Roofline.", *(_describe_roof(roof) for roof in roofs), *(point["sentence"] for point in placed)]
    return Picture(_draw(placed, roofs), " ".join(parts))


def _check(row: Mapping[str, Any], keys: Sequence[str]) -> None:
    for key in ("name", *keys):
        if key not in row:
            raise ValueError(f"{row.get('name', dict(row))!r} has no {key!r}; it needs name, {', '.join(keys)}")
    for key in keys:
        if not row[key] > 0:
            raise ValueError(f"{key} of {row['name']!r} must be positive on logarithmic axes, got {row[key]!r}")


def _roof_of(point: Mapping[str, Any], roofs: Sequence[Mapping[str, Any]]) -> Mapping[str, Any]:
    wanted = point.get("roof", roofs[0]["name"])
    for roof in roofs:
        if roof["name"] == wanted:
            return roof
    known = ", ".join(repr(roof["name"]) for roof in roofs)
    raise ValueError(f"point {point['name']!r} names the roof {wanted!r}; the roofs are {known}")


def _ridge(roof: Mapping[str, Any]) -> float:
    return roof["flops_per_s"] / roof["bytes_per_s"]


def _height(roof: Mapping[str, Any], intensity: Any) -> Any:
    return np.minimum(roof["flops_per_s"], intensity * roof["bytes_per_s"])


def _describe_roof(roof: Mapping[str, Any]) -> str:
    peak, bandwidth = si(roof["flops_per_s"], "FLOP/s"), si(roof["bytes_per_s"], "B/s")
    return f"{roof['name']}: {peak}, {bandwidth}, ridge at {three_digits(_ridge(roof))} FLOP/byte."


def _place(point: Mapping[str, Any], roof: Mapping[str, Any]) -> dict[str, Any]:
    """Work out where a point lies, its label, and the sentence about it."""
    intensity = point["flops"] / point["bytes"]
    bound = float(_height(roof, intensity))
    side = "memory-bound" if intensity < _ridge(roof) else "compute-bound"
    measured = point.get("seconds") is not None
    reached = point["flops"] / point["seconds"] if measured else bound
    of_roof = percent(point.get("share", reached / bound))
    share = f"{of_roof} of the roof" if measured else f"at most {si(bound, 'FLOP/s')}"
    return {
        "name": point["name"], "intensity": intensity, "reached": reached, "measured": measured,
        "label": f"{point['name']}  {of_roof if measured else 'bound'}",
        "hover": f"<b>{point['name']}</b><br>{three_digits(intensity)} FLOP/byte, {side} under {roof['name']}"
        f"<br>{si(reached, 'FLOP/s')}, {share}",
        "sentence": f"{point['name']}: {three_digits(intensity)} FLOP/byte, {side}, {share}.",
    }  # fmt: skip


def _draw(points: Sequence[dict[str, Any]], roofs: Sequence[Mapping[str, Any]]) -> Figure:
    go = graph_objects()
    x_range, y_range = _ranges(points, roofs)
    unit, scale = _unit(max(roof["flops_per_s"] for roof in roofs))
    figure = go.Figure()
    title = "How near its roof does each kernel run?" if points else "Which roof binds at which intensity?"
    subtitle = "Left of a ridge memory traffic binds, right of it arithmetic. "
    subtitle += "Filled: measured, with its percentage of the roof; open: the bound."
    margin = {"l": _LEFT, "r": MARGIN, "t": _TOP, "b": _BOTTOM}
    numbered = len(points) > _LABELLED
    height, below = (_HEIGHT + _CROWD, key_height(len(points))) if numbered else (_HEIGHT, 0)
    margin["b"] += below
    card(figure, title, subtitle, height + below, margin=margin)
    for index, roof in enumerate(roofs):
        add_roof(figure, roof, index, x_range, scale)
    centres, covered, width = _around(points, roofs, height - _TOP - _BOTTOM, x_range, y_range)
    labels = [point["label"] for point in points]
    if numbered:
        at = [(np.log10(point["intensity"]), np.log10(point["reached"] / scale)) for point in points]
        _add_points(figure, points, scale, [""] * len(points), 7)
        add_numbers(figure, at, centres, covered, width)
        add_key(figure, labels, width, _BOTTOM - 4)
    else:
        _add_points(figure, points, scale, label_sides(centres, labels, covered, width), 11)
    decades = {"type": "log", "dtick": 1, "showexponent": "all", "exponentformat": "none", "tickformat": "~g"}
    figure.update_xaxes(title_text="arithmetic intensity (FLOP/byte)", range=list(x_range), **decades)
    figure.update_yaxes(title_text=f"performance ({unit})", range=[y - np.log10(scale) for y in y_range], **decades)
    return figure


def _unit(peak: float) -> tuple[str, float]:
    return ("TFLOP/s", 1e12) if peak >= 1e12 else ("GFLOP/s", 1e9) if peak >= 1e9 else ("FLOP/s", 1.0)


def _ranges(
    points: Sequence[dict[str, Any]], roofs: Sequence[Mapping[str, Any]]
) -> tuple[tuple[float, float], tuple[float, float]]:
    """Powers of ten that hold every point and ridge with room around them, for intensity and for FLOP/s."""
    ridges = [_ridge(roof) for roof in roofs]
    xs = np.log10([*ridges, *(point["intensity"] for point in points)])
    low, high = xs.min() - 0.8, xs.max() + 0.8
    lowest = [point["reached"] for point in points] + [float(_height(roof, 10**low)) for roof in roofs]
    return (low, high), (
        np.log10(min(lowest)) - 0.15,
        np.log10(max(roof["flops_per_s"] for roof in roofs)) + 0.45,
    )


def add_roof(figure: Figure, roof: Mapping[str, Any], index: int, x_range: tuple[float, float], scale: float) -> None:
    """Draw a roof between two intensities, given as powers of ten, in units of ``scale`` FLOP/s, and name its ridge."""
    go = graph_objects()
    colour, dash = (INK, *SERIES)[index % 7], DASHES[index % len(DASHES)]
    ridge, peak = _ridge(roof), roof["flops_per_s"] / scale
    xs = np.array([10 ** x_range[0], ridge, 10 ** x_range[1]])
    line = {"color": colour, "width": 2, "dash": dash}
    name = f"{roof['name']}: {si(roof['flops_per_s'], 'FLOP/s')}, {si(roof['bytes_per_s'], 'B/s')}"
    figure.add_trace(
        go.Scatter(x=xs, y=_height(roof, xs) / scale, mode="lines", name=name, line=line, hoverinfo="name")
    )
    figure.add_trace(
        go.Scatter(
            x=[ridge, ridge], y=[peak, 1e-12], mode="lines", hoverinfo="skip", showlegend=False,
            line={"color": colour, "width": 1, "dash": "dot"},
        )
    )  # fmt: skip
    figure.add_annotation(
        text=f"ridge {three_digits(ridge)} FLOP/byte", x=np.log10(ridge), y=0.02 + 0.05 * index, yref="paper",
        xanchor="left", yanchor="bottom", xshift=6, showarrow=False, font={"size": 12, "color": colour},
        bgcolor=CARD, borderpad=0,
    )  # fmt: skip


def _add_points(
    figure: Figure, points: Sequence[dict[str, Any]], scale: float, positions: Sequence[str], size: int
) -> None:
    go = graph_objects()
    for index, (point, position) in enumerate(zip(points, positions, strict=True)):
        colour = SERIES[index % len(SERIES)]
        symbol = SYMBOLS[index % len(SYMBOLS)] + ("" if point["measured"] else "-open")
        figure.add_trace(
            go.Scatter(
                x=[point["intensity"]], y=[point["reached"] / scale], mode="markers+text", name=point["name"],
                text=[f" {point['label']} " if position else ""], textposition=position or "top center",
                textfont={"size": 12, "color": INK}, hovertext=[point["hover"]], hoverinfo="text", showlegend=False,
                cliponaxis=False,
                marker={"symbol": symbol, "size": size, "color": colour, "line": {"color": colour, "width": 2}},
            )
        )  # fmt: skip


def _around(
    points: Sequence[dict[str, Any]], roofs: Sequence[Mapping[str, Any]], height: float, x_range, y_range
) -> tuple[list[tuple[float, float]], list[Box], float]:
    """What a label must keep clear of: the points and what the roofs cover, and the width of the axes, all in px."""
    width = WIDTH - _LEFT - MARGIN

    def pixel(intensity: float, reached: float) -> tuple[float, float]:
        x = (np.log10(intensity) - x_range[0]) / (x_range[1] - x_range[0]) * width
        return x, (y_range[1] - np.log10(reached)) / (y_range[1] - y_range[0]) * height

    along = [pixel(x, float(_height(roof, x))) for roof in roofs for x in np.logspace(*x_range, num=200)]
    centres = [pixel(point["intensity"], point["reached"]) for point in points]
    return centres, [(x - 4, y - 4, x + 4, y + 4) for x, y in along], width
