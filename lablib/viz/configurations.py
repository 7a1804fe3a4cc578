"""A table of launch configurations with the shared memory that each takes, against the device's limit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from lablib.viz.picture import Picture
from lablib.viz.style import (
    CALM_BLUE,
    CARD,
    FAINT,
    INK,
    MARGIN,
    MONOSPACE,
    MUTED,
    RULE,
    VERMILION,
    card,
    graph_objects,
)
from lablib.viz.units import percent, plural, size

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

_TOP, _BOTTOM, _ROW = 136, 60, 28
_SPLIT = 0.66  # share of the width that the text takes
_MEASURED = ("shared", "registers", "spills", "occupancy", "fits")
_HEADINGS = {
    "registers": "registers<br>a thread",
    "spills": "spills<br>(bytes)",
    "occupancy": "occu-<br>pancy",
}


def configuration_table(rows: Sequence[Mapping[str, Any]], shared_limit: int | None = None) -> Picture:
    """Lay configurations of a kernel side by side with the resources that they take.

    Parameters
    ----------
    rows
        One dict a configuration. ``fits`` (bool) and ``shared`` (bytes a program) are needed; ``registers`` (a
        thread), ``spills`` (bytes a thread) and ``occupancy`` (0 to 1) are shown when given; every other key, such
        as ``BLOCK_M`` or ``num_warps``, is a column of the configuration.
    shared_limit
        Shared memory in bytes that a program may have on the device: drawn as a line.

    Returns
    -------
    Picture
        Its ``summary`` counts the configurations that fit and names those with the highest occupancy and spills.

    Raises
    ------
    ValueError
        When there are no rows, or a row lacks ``fits`` or ``shared``.

    Examples
    --------
    >>> small = {"BLOCK": 64, "shared": 32768, "registers": 64, "occupancy": 0.5, "fits": True}
    >>> configuration_table([small, {**small, "BLOCK": 256, "shared": 524288, "fits": False}], shared_limit=232448)
    1 of 2 configurations fit. Highest occupancy of those that fit: 50% with BLOCK 64. Shared memory a program may have: 227 KiB.
    """  # noqa: E501
    if not rows:
        raise ValueError("there is no configuration to show: rows is empty; each row is a dict with fits and shared")
    for index, row in enumerate(rows):
        missing = [key for key in ("fits", "shared") if key not in row]
        if missing:
            raise ValueError(f"configuration {index} ({dict(row)}) has no {missing[0]!r}")
    return Picture(_draw(rows, shared_limit), _summary(rows, shared_limit))


def _name(row: Mapping[str, Any]) -> str:
    return ", ".join(f"{key} {value}" for key, value in row.items() if key not in _MEASURED)


def _summary(rows: Sequence[Mapping[str, Any]], shared_limit: int | None) -> str:
    fitting = [row for row in rows if row["fits"]]
    text = f"{len(fitting)} of {plural(len(rows), 'configuration')} fit."
    rated = [row for row in fitting if row.get("occupancy") is not None]
    if rated:
        best = max(rated, key=lambda row: row["occupancy"])
        text += f" Highest occupancy of those that fit: {percent(best['occupancy'])} with {_name(best)}."
    if spilling := [row for row in fitting if row.get("spills")]:
        text += f" {len(spilling)} of them spill registers, e.g. {_name(spilling[0])}."
    if shared_limit is not None:
        text += f" Shared memory a program may have: {size(shared_limit)}."
    return text


def _columns(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """The configuration's own keys first, then what was measured, then the verdict."""
    keys = list(dict.fromkeys(key for row in rows for key in row))
    measured = [key for key in ("registers", "spills", "occupancy") if key in keys]
    return [*(key for key in keys if key not in _MEASURED), *measured, "fits"]


def _cell(key: str, value: Any) -> str:
    if value is None:
        return "-"
    if key == "occupancy":
        return percent(value)
    if key == "fits":
        return "✓ fits" if value else "<b>✗ no</b>"
    return str(value)


def _draw(rows: Sequence[Mapping[str, Any]], shared_limit: int | None) -> Figure:
    go = graph_objects()
    height = _TOP + _ROW * len(rows) + _BOTTOM
    figure = go.Figure()
    fitting = sum(bool(row["fits"]) for row in rows)
    subtitle = "Right: shared memory that a program takes." + (
        "" if shared_limit is None else f" Line: the {size(shared_limit)} that it may have."
    )
    title = f"Which configurations fit? {fitting} of {len(rows)} do"
    card(
        figure,
        title,
        subtitle,
        height,
        margin={"l": MARGIN, "r": MARGIN + 56, "t": _TOP, "b": _BOTTOM},
        bargap=0.4,
    )
    _add_text(figure, rows)
    _add_bars(figure, rows, shared_limit)
    lines = {"showgrid": False, "showticklabels": False, "range": [len(rows) - 0.5, -0.5], "fixedrange": True}
    figure.update_layout(
        yaxis=lines, yaxis2={**lines, "anchor": "x2", "ticks": "", "zeroline": False, "showline": False}
    )
    figure.update_layout(yaxis_showline=False)
    for index in range(0, len(rows), 2):
        figure.add_shape(
            type="rect", xref="paper", x0=0, x1=1, y0=index - 0.5, y1=index + 0.5, fillcolor=FAINT,
            line={"width": 0}, layer="below",
        )  # fmt: skip
    return figure


def _add_text(figure: Figure, rows: Sequence[Mapping[str, Any]]) -> None:
    """Write the table as one layer of text, so that its rows line up with the bars."""
    go = graph_objects()
    columns = _columns(rows)
    for at, key in enumerate(columns):
        fits = [bool(row["fits"]) for row in rows]
        colours = [VERMILION if key == "fits" and not fit else INK if fit else MUTED for fit in fits]
        figure.add_trace(
            go.Scatter(
                x=[at] * len(rows), y=list(range(len(rows))), text=[_cell(key, row.get(key)) for row in rows],
                mode="text", textfont={"size": 12, "color": colours, "family": MONOSPACE}, name=key,
                hoverinfo="skip", showlegend=False,
            )
        )  # fmt: skip
        heading = _HEADINGS.get(key, key.replace("num_", "").replace("BLOCK_", "BLOCK<br>"))
        figure.add_annotation(
            text=heading, x=at, y=1, yref="paper", yanchor="bottom", yshift=4, showarrow=False,
            font={"size": 12, "color": MUTED},
        )  # fmt: skip
    figure.update_layout(
        xaxis={"domain": [0, _SPLIT], "range": [-0.6, len(columns) - 0.4], "showgrid": False,
               "showticklabels": False, "showline": False, "fixedrange": True}
    )  # fmt: skip


def _add_bars(figure: Figure, rows: Sequence[Mapping[str, Any]], shared_limit: int | None) -> None:
    go = graph_objects()
    most = max(*(row["shared"] for row in rows), shared_limit or 0, 1)
    hatches = ["" if row["fits"] else "/" for row in rows]
    pattern = {"shape": hatches, "fillmode": "overlay", "fgcolor": CARD, "fgopacity": 0.6, "size": 6}
    colours = [CALM_BLUE if row["fits"] else VERMILION for row in rows]
    figure.add_trace(
        go.Bar(
            y=list(range(len(rows))), x=[row["shared"] for row in rows], orientation="h", name="shared",
            xaxis="x2", yaxis="y2", marker={"color": colours, "pattern": pattern}, showlegend=False,
            text=[size(row["shared"]) for row in rows], textposition="outside", cliponaxis=False,
            textfont={"size": 11, "color": INK}, hoverinfo="skip",
        )
    )  # fmt: skip
    figure.update_layout(
        xaxis2={"domain": [_SPLIT + 0.02, 1], "range": [0, 1.02 * most], "anchor": "y2", "showgrid": False,
                "showticklabels": False, "zeroline": False, "linecolor": RULE, "fixedrange": True,
                "ticks": "", "title": {"text": "shared memory a program (bytes)", "font": {"size": 12}}}
    )  # fmt: skip
    if shared_limit is not None:
        figure.add_shape(
            type="line", xref="x2", yref="paper", x0=shared_limit, x1=shared_limit, y0=0, y1=1,
            line={"color": INK, "width": 2, "dash": "dash"},
        )  # fmt: skip
        figure.add_annotation(
            text=f"limit {size(shared_limit)}", xref="x2", yref="paper", x=shared_limit, y=1,
            yanchor="bottom", xanchor="right", showarrow=False, font={"size": 12, "color": INK}, yshift=4,
        )  # fmt: skip
