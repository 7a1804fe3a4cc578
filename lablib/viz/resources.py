"""What designs take of an FPGA, against what the part holds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from lablib.viz.picture import Picture
from lablib.viz.style import CALM_BLUE, CARD, INK, MUTED, PALE_BLUE, RULE, VERMILION, card, graph_objects
from lablib.viz.units import percent

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

KINDS = {
    "cells": "logic cells",
    "lut": "look-up tables",
    "ff": "flip-flops",
    "dsp": "multipliers",
    "bram": "block RAMs",
    "io": "pins",
}
"""What a report counts, in the order in which it is drawn."""

_BOTTOM, _BAR, _GAP, _LEFT, _RIGHT = 60, 24, 16, 210, 190
_MOST = 2.0  # times the part that the axis shows; what is above is cut and says so


@dataclass(frozen=True)
class _Use:
    """One bar: how much of one resource a design takes."""

    design: str
    kind: str
    used: float
    there: float

    @property
    def share(self) -> float:
        return self.used / self.there if self.there else float("inf")

    @property
    def over(self) -> bool:
        return self.used > self.there

    def words(self) -> str:
        share = f" ({percent(self.share)})" if self.there else ""
        return f"{self.used:.16g} of {self.there:.16g}{share}"


def resource_bars(reports: Any, part: Any) -> Picture:
    """Draw which share of a part one or more designs take, and mark what does not fit.

    Parameters
    ----------
    reports
        A report, a list of them with different designs, or a dict of them with names of your own. Each has
        ``design`` and ``resources``, which has ``cells``, ``lut``, ``ff``, ``dsp``, ``bram`` and ``io``: counts, or
        None.
    part
        Has ``title`` and ``capacity``, with the same counts: one of `lablib.hls.parts.PARTS`.

    Returns
    -------
    Picture
        Its ``summary`` has every count with its share, and says what does not fit.

    Raises
    ------
    ValueError
        There is no report, two have one name, or one counts nothing that the part has.

    Examples
    --------
    >>> from types import SimpleNamespace as Some
    >>> counts = dict(cells=960, lut=900, ff=None, dsp=None, bram=20, io=None)
    >>> part = Some(title="iCE40 HX1K", capacity=Some(cells=1280, lut=1280, ff=1280, dsp=0, bram=16, io=96))
    >>> resource_bars(Some(design="mac", resources=Some(**counts)), part)
    Resources of iCE40 HX1K. mac: logic cells 960 of 1280 (75%), look-up tables 900 of 1280 (70%), block RAMs 20 of 16 (125%), which does not fit.
    """  # noqa: E501
    named = named_reports(reports)
    uses = {name: _uses(name, one, part) for name, one in named.items()}
    sentences = []
    for name, each in uses.items():
        words = [f"{KINDS[one.kind]} {one.words()}{', which does not fit' if one.over else ''}" for one in each]
        sentences.append(f"{name}: {', '.join(words)}.")
    return Picture(_draw(uses, part.title), f"Resources of {part.title}. {' '.join(sentences)}")


def named_reports(reports: Any) -> dict[str, Any]:
    """Reports by name: their designs', or the keys of a dict."""
    if isinstance(reports, Mapping):
        named = {str(name): one for name, one in reports.items()}
    else:
        each = list(reports) if isinstance(reports, Sequence) else [reports]
        named = {one.design: one for one in each}
        if len(named) < len(each):
            designs = ", ".join(one.design for one in each)
            raise ValueError(f"several reports are of the same design ({designs}): give a dict that names each")
    if not named:
        raise ValueError("there is no report to draw: give one, a list or a dict of them")
    return named


def _uses(name: str, report: Any, part: Any) -> list[_Use]:
    found = []
    for kind in KINDS:
        used, there = getattr(report.resources, kind), getattr(part.capacity, kind)
        if used is not None and there is not None and (used or there):
            found.append(_Use(name, kind, used, there))
    if not found:
        raise ValueError(f"the report of {name} counts nothing that {part.title} has: synthesise or place it first")
    return found


def _draw(uses: Mapping[str, Sequence[_Use]], part: str) -> Figure:
    go = graph_objects()
    kinds = [kind for kind in KINDS if any(one.kind == kind for each in uses.values() for one in each)]
    figure = go.Figure()
    for index, (name, each) in enumerate(uses.items()):
        _add(figure, name, each, PALE_BLUE if index % 2 else CALM_BLUE, "" if index < 2 else ("/", ".", "x")[index % 3])
    top = 112 if len(uses) > 1 else 88  # a legend stands above the bars of several designs
    height = top + len(kinds) * (len(uses) * _BAR + _GAP) + _BOTTOM
    over = any(one.over for each in uses.values() for one in each)
    title = f"Does it fit the {part}?" if len(uses) == 1 else f"Which designs fit the {part}?"
    subtitle = "Dashed line: all that the part has." + (" Hatched, with ▲: more than that." if over else "")
    margin = {"l": _LEFT, "r": _RIGHT, "t": top, "b": _BOTTOM}
    card(figure, title, subtitle, height, margin=margin, barmode="group", bargap=0.28, bargroupgap=0.12)
    figure.update_layout(showlegend=len(uses) > 1, legend={"x": 1 + 160 / 360, "traceorder": "normal"})
    figure.add_vline(x=1, line={"color": INK, "width": 1.5, "dash": "dash"})
    most = max(1.0, *(min(one.share, _MOST) for each in uses.values() for one in each))
    names = [KINDS[kind] for kind in kinds]
    figure.update_yaxes(
        categoryorder="array", categoryarray=names, autorange="reversed", showgrid=False, fixedrange=True,
        tickfont={"size": 13, "color": INK},
    )  # fmt: skip
    axis = {"tickformat": ".0%", "dtick": 0.25, "gridcolor": RULE, "tickcolor": MUTED, "fixedrange": True}
    return figure.update_xaxes(title_text="share of the part", range=[0, most], **axis)


def _add(figure: Figure, name: str, each: Sequence[_Use], colour: str, hatch: str) -> None:
    labels = [f"<b>{'▲ ' if one.over else ''}{one.words()}</b>" for one in each]
    figure.add_bar(
        name=name, orientation="h", y=[KINDS[one.kind] for one in each], x=[min(one.share, _MOST) for one in each],
        text=labels, textposition="outside", cliponaxis=False, constraintext="none",
        textfont={"size": 12, "color": INK},
        hovertext=[f"{name}: {KINDS[one.kind]} {one.words()}" for one in each], hoverinfo="text",
        marker={
            "color": [VERMILION if one.over else colour for one in each],
            "line": {"color": CARD, "width": 1},
            "pattern": {
                "shape": ["/" if one.over else hatch for one in each],
                "fgcolor": CARD, "fillmode": "overlay", "fgopacity": 0.5, "size": 7,
            },
        },
    )  # fmt: skip
