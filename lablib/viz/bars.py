"""Horizontal bars with their values written on them: memory traffic of variants, or one measured quantity."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

from lablib.viz.picture import Picture
from lablib.viz.style import (
    AMBER,
    CALM_BLUE,
    CARD,
    INK,
    MUTED,
    PALE_BLUE,
    RULE,
    VERMILION,
    card,
    graph_objects,
)
from lablib.viz.units import binary_prefix, si, si_prefix, size, three_digits

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

_TOP, _BOTTOM, _ROW, _RIGHT = 124, 64, 46, 150


def traffic_bars(rows: Sequence[Mapping[str, Any]], target: float | None = None) -> Picture:
    """Compare the bytes that variants of a kernel load and store.

    Parameters
    ----------
    rows
        One dict a variant, drawn from top to bottom: ``name``, ``loads`` and ``stores`` in bytes.
    target
        Least traffic in bytes, drawn as a line. Without it, the least of the rows.

    Returns
    -------
    Picture
        Its ``summary`` gives each variant's traffic as a multiple of the least.

    Raises
    ------
    ValueError
        When there are no rows, or a row lacks a key or moves no bytes.

    Examples
    --------
    >>> eager = {"name": "eager", "loads": 3072, "stores": 2048}
    >>> traffic_bars([eager, {"name": "fused", "loads": 1024, "stores": 1024}])
    Bytes moved: eager 5 KiB (2.5 x), fused 2 KiB (1 x); the least is 2 KiB.
    """
    _check(rows, ("loads", "stores"))
    totals = [row["loads"] + row["stores"] for row in rows]
    least = min(totals) if target is None else target
    if least <= 0 or min(totals) <= 0:
        raise ValueError(f"every variant and the target must move at least one byte, got {totals} and {least}")
    ratios = [f"{three_digits(total / least)} x" for total in totals]
    pairs = zip(rows, totals, ratios, strict=True)
    texts = ", ".join(f"{row['name']} {size(total)} ({ratio})" for row, total, ratio in pairs)
    figure = _traffic_figure(rows, totals, ratios, least)
    return Picture(figure, f"Bytes moved: {texts}; the least is {size(least)}.")


def compare_bars(
    rows: Sequence[Mapping[str, Any]],
    unit: str,
    *,
    title: str,
    better: Literal["lower", "higher"] = "lower",
    reference: float | None = None,
) -> Picture:
    """Compare one measured quantity, such as a time or a rate, over variants.

    Parameters
    ----------
    rows
        One dict a variant, drawn from top to bottom: ``name``, ``value`` in ``unit``, and optionally ``low``
        and ``high``, the ends of its error bar.
    unit
        Of the values, without a prefix, e.g. ``"s"``, ``"B/s"``, ``"FLOP/s"``.
    title
        The question or the finding.
    better
        Which end of the axis is the good one; the best row is marked.
    reference
        A value to draw as a line, such as a roof or a bound.

    Returns
    -------
    Picture
        Its ``summary`` gives every value and the best.

    Raises
    ------
    ValueError
        When there are no rows or a row lacks a key.

    Examples
    --------
    >>> rows = [{"name": "eager", "value": 2e-3}, {"name": "fused", "value": 5e-4}]
    >>> compare_bars(rows, "s", title="Which is faster?")
    Which is faster? eager 2 ms, fused 500 µs; best: fused.
    """
    _check(rows, ("value",))
    values = [row["value"] for row in rows]
    best = values.index(min(values) if better == "lower" else max(values))
    texts = ", ".join(f"{row['name']} {si(row['value'], unit)}" for row in rows)
    figure = _compare_figure(rows, unit, title, best, better, reference)
    ending = "" if title.endswith(("?", ".")) else ":"
    return Picture(figure, f"{title}{ending} {texts}; best: {rows[best]['name']}.")


def _check(rows: Sequence[Mapping[str, Any]], keys: Sequence[str]) -> None:
    wanted = ", ".join(("name", *keys))
    if not rows:
        raise ValueError(f"there is nothing to compare: rows is empty; each row is a dict with {wanted}")
    for row in rows:
        missing = [key for key in ("name", *keys) if key not in row]
        if missing:
            raise ValueError(f"row {row.get('name', dict(row))!r} has no {missing[0]!r}; each row needs {wanted}")


def _traffic_figure(rows: Sequence[Mapping[str, Any]], totals: list, ratios: list[str], least: float) -> Figure:
    go = graph_objects()
    names = [row["name"] for row in rows]
    figure = go.Figure()
    for key, label, colour, hatch in (("loads", "loaded", CALM_BLUE, ""), ("stores", "stored", AMBER, "/")):
        values = [row[key] for row in rows]
        inside = [size(value) if value > 0.09 * max(totals) else "" for value in values]
        hover = [f"{name}: {label} {size(value)}" for name, value in zip(names, values, strict=True)]
        pattern = {"shape": hatch, "fgcolor": CARD, "fillmode": "overlay", "fgopacity": 0.55, "size": 7}
        figure.add_bar(
            y=names, x=values, name=label, orientation="h", hovertext=hover, hoverinfo="text",
            text=inside, textposition="inside", insidetextanchor="middle",
            textangle=0, textfont={"size": 12, "color": INK if hatch else "#FFFFFF"}, constraintext="none",
            marker={"color": colour, "line": {"color": CARD, "width": 1}, "pattern": pattern},
        )  # fmt: skip
    labels = [f"<b>{ratio}</b>  {size(total)}" for ratio, total in zip(ratios, totals, strict=True)]
    title = "How many bytes does each variant move?"
    _finish(figure, title, f"Line: the least traffic, {size(least)}.", names, totals, labels, least)
    scale, unit = binary_prefix(max(totals))
    _round_ticks(figure, max(totals), scale)
    return figure.update_layout(barmode="stack").update_xaxes(title_text=f"bytes moved ({unit})")


def _round_ticks(figure: Figure, most: float, unit: float) -> None:
    """Put at most seven ticks at round multiples of ``unit`` from 0 to ``most``."""
    span = most / unit
    step = next(step for step in (0.1, 0.2, 0.25, 0.5, 1, 2, 5, 10, 20, 50, 100, 200, 500) if span / step <= 6)
    ticks = [step * i for i in range(int(span / step) + 1)]
    figure.update_xaxes(tickvals=[tick * unit for tick in ticks], ticktext=[three_digits(tick) for tick in ticks])


def _compare_figure(
    rows: Sequence[Mapping[str, Any]], unit: str, title: str, best: int, better: str, reference: float | None
) -> Figure:
    go = graph_objects()
    names, values = [row["name"] for row in rows], [row["value"] for row in rows]
    highs = [row.get("high", row["value"]) for row in rows]
    bars = {
        "type": "data", "symmetric": False, "color": INK, "thickness": 1.2, "width": 4,
        "array": [high - value for high, value in zip(highs, values, strict=True)],
        "arrayminus": [row["value"] - row.get("low", row["value"]) for row in rows],
    }  # fmt: skip
    colours = [CALM_BLUE if index == best else PALE_BLUE for index in range(len(rows))]
    figure = go.Figure()
    figure.add_bar(
        y=names, x=values, orientation="h", marker={"color": colours}, showlegend=False, hoverinfo="text",
        hovertext=[f"{name}: {si(value, unit)}" for name, value in zip(names, values, strict=True)],
        error_x=bars if any(bars["array"]) or any(bars["arrayminus"]) else None,
    )  # fmt: skip
    labels = [f"<b>{si(value, unit)}</b>" + ("  best" if i == best else "") for i, value in enumerate(values)]
    subtitle = f"{better.capitalize()} is better." + ("" if reference is None else f" Line: {si(reference, unit)}.")
    _finish(figure, title, subtitle, names, highs, labels, reference)
    scale, prefix = si_prefix(max(highs))
    _round_ticks(figure, max(highs), scale)
    return figure.update_xaxes(title_text=f"{prefix}{unit}")


def _finish(
    figure: Figure,
    title: str,
    subtitle: str,
    names: list[str],
    ends: list,
    labels: list[str],
    line: float | None,
) -> None:
    """Finish a figure of bars: labels at their ends, a reference line, the first row on top."""
    height = _TOP + _ROW * len(names) + _BOTTOM
    left = 36 + min(220, round(7.2 * max(len(name) for name in names)))
    card(figure, title, subtitle, height, margin={"l": left, "r": _RIGHT, "t": _TOP, "b": _BOTTOM}, bargap=0.38)
    for name, end, label in zip(names, ends, labels, strict=True):
        font = {"size": 12, "color": INK}
        figure.add_annotation(text=label, x=end, y=name, xanchor="left", xshift=8, showarrow=False, font=font)
    if line is not None:
        figure.add_vline(x=line, line={"color": VERMILION, "width": 2, "dash": "dash"})
    figure.update_yaxes(autorange="reversed", showgrid=False, tickfont={"size": 13, "color": INK}, fixedrange=True)
    figure.update_xaxes(range=[0, max(*ends, line or 0)], gridcolor=RULE, tickcolor=MUTED, fixedrange=True)
