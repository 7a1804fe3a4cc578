"""Ratios on a logarithmic axis, as bars to the right and to the left of 1, in groups."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import groupby
from math import ceil, floor, log10
from typing import TYPE_CHECKING, Any

from lablib.viz.picture import Picture
from lablib.viz.style import CALM_BLUE, CARD, INK, MARGIN, RULE, VERMILION, WIDTH, card, graph_objects
from lablib.viz.units import three_digits

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

_TOP, _BOTTOM, _ROW = 92, 56, 18
_CHARACTER = 5.7  # px
_TICKS = (1, 2, 5)


def ratio_bars(rows: Sequence[Mapping[str, Any]], *, title: str, axis: str) -> Picture:
    """Show ratios that are good above 1, each as a bar from 1.

    Parameters
    ----------
    rows
        One dict a bar, drawn from top to bottom: ``group``, ``name``, ``value`` and ``against``, what is compared with.
        Rows of one group follow each other.
    title
        The question or the finding.
    axis
        What the ratio is.

    Returns
    -------
    Picture
        Its ``summary`` says how many ratios are above 1, and names the greatest and the least.

    Raises
    ------
    ValueError
        When there are no rows, a row lacks a key, or a ratio is not positive.

    Examples
    --------
    >>> rows = [{"group": "softmax", "name": "781", "value": 1.07, "against": "eager"},
    ...         {"group": "matmul", "name": "4096", "value": 0.97, "against": "cuBLAS"}]
    >>> ratio_bars(rows, title="Who is faster?", axis="peer's time over ours")
    Who is faster? 1 of 2 above 1. Greatest: softmax, 781, 1.07 of eager; least: matmul, 4096, 0.97 of cuBLAS.
    """
    _check(rows)
    above = sum(row["value"] > 1 for row in rows)
    most, least = (choice(rows, key=lambda row: row["value"]) for choice in (max, min))
    ends = [f"{row['group']}, {row['name']}, {three_digits(row['value'])} of {row['against']}" for row in (most, least)]
    counted = f"{above} of {len(rows)} above 1."
    summary = f"{title} {counted} Greatest: {ends[0]}; least: {ends[1]}."
    return Picture(_draw(rows, title, axis, counted), summary)


def _check(rows: Sequence[Mapping[str, Any]]) -> None:
    keys = ("group", "name", "value", "against")
    if not rows:
        raise ValueError(f"there is nothing to compare: rows is empty; each row is a dict with {', '.join(keys)}")
    for row in rows:
        missing = [key for key in keys if key not in row]
        if missing:
            raise ValueError(f"row {row.get('name', dict(row))!r} has no {missing[0]!r}; it needs {', '.join(keys)}")
        if not row["value"] > 0:
            raise ValueError(f"value of {row['name']!r} must be positive on a logarithmic axis, got {row['value']!r}")


def _draw(rows: Sequence[Mapping[str, Any]], title: str, axis: str, counted: str) -> Figure:
    figure = graph_objects().Figure()
    heads, heights = _heights(rows)
    depth = heights[-1] + 1
    names = [row["name"] for row in rows]
    left = MARGIN + round(_CHARACTER * max(len(name) for name in (*names, *heads)))
    margin = {"l": left, "r": MARGIN, "t": _TOP, "b": _BOTTOM}
    subtitle = f"{counted} Right of the line, blue: faster. Left of it, hatched: slower."
    card(figure, title, subtitle, _TOP + _ROW * depth + _BOTTOM, margin=margin, bargap=0.3)
    for faster, colour, hatch in ((True, CALM_BLUE, ""), (False, VERMILION, "/")):
        _add_bars(figure, [(y, row) for y, row in zip(heights, rows, strict=True) if (row["value"] > 1) == faster],
                  colour, hatch)  # fmt: skip
    _add_axes(figure, rows, axis, left)
    titles = [*((f"<b>{head}</b>", y) for head, y in heads.items()), *zip(names, heights, strict=True)]
    # All at once: plotly checks every annotation again whenever one is added.
    figure.update_layout(annotations=[*_titles(titles), *_values(zip(heights, rows, strict=True))])
    figure.update_yaxes(range=[depth - 0.5, -0.5], visible=False)
    return figure


def _heights(rows: Sequence[Mapping[str, Any]]) -> tuple[dict[str, int], list[int]]:
    """The lines, from the top, that each group's head and each row stand on."""
    heads, heights, line = {}, [], 0
    for group, members in groupby(rows, key=lambda row: row["group"]):
        heads[group] = line
        heights += (inside := [line + 1 + i for i, _ in enumerate(members)])
        line = inside[-1] + 1
    return heads, heights


def _add_bars(figure: Figure, rows: Sequence[tuple[int, Mapping[str, Any]]], colour: str, hatch: str) -> None:
    """Bars on an axis of the ratio's logarithm: from 0, which is a ratio of 1."""
    pattern = {"shape": hatch, "fgcolor": CARD, "fillmode": "overlay", "fgopacity": 0.55, "size": 6}
    figure.add_bar(
        y=[y for y, _ in rows], x=[log10(row["value"]) for _, row in rows], orientation="h", showlegend=False,
        marker={"color": colour, "pattern": pattern}, hoverinfo="text",
        hovertext=[f"{row['group']}, {row['name']}: {row['value']:.2f} of {row['against']}" for _, row in rows],
    )  # fmt: skip


def _titles(titles: Iterable[tuple[str, int]]) -> Iterator[dict[str, Any]]:
    """Heads and names, left of the axes."""
    font = {"size": 11, "color": INK}
    for text, y in titles:
        yield {"text": text, "x": 0, "xref": "paper", "xanchor": "right", "xshift": -8, "y": y,
               "showarrow": False, "font": font}  # fmt: skip


def _values(rows: Iterable[tuple[int, Mapping[str, Any]]]) -> Iterator[dict[str, Any]]:
    """Each ratio and what it is against, right of its bar or of the line."""
    font = {"size": 11, "color": INK}
    for y, row in rows:
        yield {"text": f"<b>{row['value']:.2f}</b>  {row['against']}", "x": max(log10(row["value"]), 0),
               "xanchor": "left", "xshift": 6, "y": y, "showarrow": False, "font": font}  # fmt: skip


def _add_axes(figure: Figure, rows: Sequence[Mapping[str, Any]], axis: str, left: int) -> None:
    """Draw the line at 1, and round ticks over a range that holds every bar and the label at its end."""
    logs = [log10(row["value"]) for row in rows]
    low = min(0.0, *logs) - 0.05
    width = WIDTH - left - MARGIN
    # Bars reach as far as their labels leave room: the scale is the least that any row asks for.
    scale = min(
        (width - _CHARACTER * (len(row["against"]) + 8)) / (max(end, 0.0) - low)
        for row, end in zip(rows, logs, strict=True)
    )
    figure.add_vline(x=0, line={"color": INK, "width": 1.5})
    ticks = [base * 10**power for power in range(floor(low), ceil(max(logs)) + 1) for base in _TICKS]
    ticks = [tick for tick in ticks if low <= log10(tick) <= max(0.0, *logs) + 0.05]
    figure.update_xaxes(
        title_text=axis, range=[low, low + width / scale], tickvals=[log10(tick) for tick in ticks],
        ticktext=[three_digits(tick) for tick in ticks], gridcolor=RULE,
    )  # fmt: skip
