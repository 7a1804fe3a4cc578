"""What several methods cost in quality, one row each; a row that nobody has measured yet says what fills it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from lablib.viz.picture import Picture
from lablib.viz.style import CARD, INK, MARGIN, MUTED, RULE, SERIES, SYMBOLS, card, graph_objects
from lablib.viz.units import plural, three_digits

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

_TOP, _BOTTOM, _ROW = 110, 60, 44
_CHARACTER = 7.2  # px


def quality_table(rows: Sequence[Mapping[str, Any]], *, title: str, axis: str, base: float = 1.0) -> Picture:
    """Draw the measurements of several methods, a row for each method and a mark for each measurement.

    Parameters
    ----------
    rows
        From top to bottom, one dict a method: ``name`` and ``values``, a list of numbers by what was measured, such as
        ``{"GPT": [1.8, 1.7]}``. A row without values may have ``todo``, what is to be done to fill it.
    title
        The question.
    axis
        What the numbers are; smaller is better.
    base
        A line to compare with.

    Returns
    -------
    Picture
        Its ``summary`` gives the mean of each row, and the rows that are empty.

    Raises
    ------
    ValueError
        If there are no rows, a row lacks a key, more than six things are measured, or a number is not finite.

    Examples
    --------
    >>> rows = [{"name": "rounded", "values": {"GPT": [1.8, 1.6]}}, {"name": "better", "values": {}, "todo": "4"}]
    >>> quality_table(rows, title="What is lost?", axis="perplexity against float")
    What is lost? rounded: GPT 1.7; better: empty (4).
    """
    series = list(dict.fromkeys(name for row in rows for name in row.get("values", {})))
    _check(rows, series)
    parts = [f"{row['name']}: {_said(row)}" for row in rows]
    return Picture(_draw(rows, series, title, axis, base), f"{title} {'; '.join(parts)}.")


def _check(rows: Sequence[Mapping[str, Any]], series: Sequence[str]) -> None:
    if not rows or len(series) > len(SERIES):
        raise ValueError(f"quality_table needs rows, with at most {len(SERIES)} things measured; got {len(series)}")
    for row in rows:
        if "name" not in row or "values" not in row:
            raise ValueError(f"a row needs name and values, got {dict(row)}")
        for name, numbers in row["values"].items():
            if not numbers or not all(abs(number) < float("inf") for number in numbers):
                raise ValueError(f"{row['name']!r}: {name} needs finite numbers, got {numbers}")


def _mean(numbers: Sequence[float]) -> float:
    return sum(numbers) / len(numbers)


def _said(row: Mapping[str, Any]) -> str:
    if not row["values"]:
        return f"empty ({row.get('todo', 'not measured')})"
    return ", ".join(f"{name} {three_digits(_mean(numbers))}" for name, numbers in row["values"].items())


def _draw(rows: Sequence[Mapping[str, Any]], series: Sequence[str], title: str, axis: str, base: float) -> Figure:
    go = graph_objects()
    figure, line = go.Figure(), {"color": CARD, "width": 1}
    for place, name in enumerate(series):
        points = [(x, y) for y, row in enumerate(rows) for x in row["values"].get(name, [])]
        figure.add_scatter(
            x=[x for x, _ in points], y=[y for _, y in points], name=name, mode="markers",
            marker={"size": 11, "symbol": SYMBOLS[place], "color": SERIES[place], "opacity": 0.8, "line": line},
            hovertemplate=f"{name}: %{{x:.3f}}<extra></extra>",
        )  # fmt: skip
    found = [x for row in rows for numbers in row["values"].values() for x in numbers]
    low, high = min([base, *found]), max([base, *found])
    room = 0.06 * ((high - low) or 1)
    filled = sum(bool(row["values"]) for row in rows)
    height = _TOP + _ROW * len(rows) + _BOTTOM
    left = MARGIN + round(_CHARACTER * max(len(row["name"]) for row in rows))
    subtitle = (
        f"{filled} of {plural(len(rows), 'row')} measured. Left is better. At the right the mean of a row's marks."
    )
    card(figure, title, subtitle, height, margin={"l": left, "r": 120, "t": _TOP, "b": _BOTTOM})
    figure.update_xaxes(title_text=axis, range=[low - room, high + room], fixedrange=True)
    names = [row["name"] for row in rows]
    figure.update_yaxes(
        range=[len(rows) - 0.5, -0.5], tickvals=list(range(len(rows))), ticktext=names, fixedrange=True, gridcolor=RULE,
        tickfont={"size": 13, "color": INK},
    )  # fmt: skip
    figure.add_vline(x=base, line={"color": INK, "width": 1.2, "dash": "dot"})
    figure.update_layout(annotations=[*figure.layout.annotations, *_texts(rows)])
    return figure


def _texts(rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """At the right of each row its mean; in an empty row what fills it."""
    texts = []
    for y, row in enumerate(rows):
        if row["values"]:
            mean = " / ".join(three_digits(_mean(numbers)) for numbers in row["values"].values())
            texts.append(
                {"x": 1, "xanchor": "left", "text": f"  <b>{mean}</b>", "font": {"size": 13, "color": INK}, "y": y}
            )
        else:
            text = f"empty: {row.get('todo', 'not measured')}"
            texts.append({"x": 0.5, "xanchor": "center", "text": text, "font": {"size": 13, "color": MUTED}, "y": y})
    return [{"xref": "paper", "yref": "y", "showarrow": False, "bgcolor": CARD, **text} for text in texts]
