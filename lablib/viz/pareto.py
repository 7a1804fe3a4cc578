"""Latency against area over a sweep of designs, with those that no other beats in both."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from lablib.viz.picture import Picture
from lablib.viz.resources import KINDS
from lablib.viz.style import BLUE, CARD, INK, MARGIN, MUTED, card, graph_objects
from lablib.viz.units import plural, three_digits

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

_HEIGHT, _TOP, _BOTTOM, _LEFT = 460, 112, 68, 84
_WIDE = 20  # an axis that spans more than this factor is logarithmic


@dataclass(frozen=True)
class _Point:
    """One design: its settings, latency and area, and what else its report says."""

    name: str
    latency: float
    area: float
    more: tuple[str, ...]

    def beats(self, other: _Point) -> bool:
        """Whether it is no worse in both, and better in one."""
        no_worse = self.latency <= other.latency and self.area <= other.area
        return no_worse and (self.latency, self.area) != (other.latency, other.area)


def latency_area(
    reports: Mapping[Any, Any],
    area: Literal["cells", "lut", "ff", "dsp", "bram"] = "lut",
    unit: Literal["cycles", "ns"] = "cycles",
    setting: str = "",
) -> Picture:
    """Place the designs of a sweep by what they cost and how long they take; draw the Pareto front.

    Parameters
    ----------
    reports
        By setting, such as the clock or the number of stages, what has ``latency_cycles`` (and ``latency_ns`` for
        ``unit="ns"``), ``ii``, ``fmax_mhz`` and ``resources``. An exception instead of a report is a setting that
        has no design: it is counted, not drawn.
    area
        Which count of ``resources`` is the area.
    unit
        Of the latency: cycles, or nanoseconds at the highest clock.
    setting
        What the keys of ``reports`` are, e.g. ``"clock_ps"``.

    Returns
    -------
    Picture
        Its ``summary`` names the designs on the front, from fast to small.

    Raises
    ------
    ValueError
        There is no report, or one lacks latency or area.

    Examples
    --------
    >>> from types import SimpleNamespace as Some
    >>> report = lambda cycles, lut: Some(latency_cycles=cycles, ii=1.0, fmax_mhz=None, resources=Some(lut=lut))
    >>> latency_area({1: report(2, 90), 2: report(3, 60), 3: report(4, 70)}, setting="stages")
    3 designs. Not beaten in both latency and look-up tables: stages 1 (2 cycles, 90), stages 2 (3 cycles, 60).
    """
    failed = [key for key, one in reports.items() if isinstance(one, Exception)]
    points = [_point(key, one, area, unit, setting) for key, one in reports.items() if key not in failed]
    if not points:
        raise ValueError("there is no design to draw: give a dict with a report by setting")
    front = sorted((one for one in points if not any(other.beats(one) for other in points)), key=_order)
    listed = ", ".join(f"{one.name} ({three_digits(one.latency)} {unit}, {three_digits(one.area)})" for one in front)
    text = f"{plural(len(points), 'design')}. Not beaten in both latency and {KINDS[area]}: {listed}."
    if failed:
        text += f" No design for {', '.join(_name(key, setting) for key in failed)}."
    return Picture(_draw(points, front, area, unit, len(failed)), text)


def _order(point: _Point) -> tuple[float, float]:
    return point.latency, point.area


def _name(key: Any, setting: str) -> str:
    return f"{setting} {key}".strip()


def _point(key: Any, report: Any, area: str, unit: str, setting: str) -> _Point:
    name = _name(key, setting)
    latency = report.latency_ns if unit == "ns" else report.latency_cycles
    taken = getattr(report.resources, area)
    for value, what, how in (
        (latency, f"latency in {unit}", "simulate it" if unit == "cycles" else "simulate and place it"),
        (taken, f"count of {KINDS[area]}", "synthesise or place it"),
    ):
        if value is None:
            raise ValueError(f"the report of {name} has no {what}: {how} first, and merge the reports")
    more = (("II {}", report.ii), ("{} MHz", report.fmax_mhz))
    known = tuple(text.format(three_digits(value)) for text, value in more if value is not None)
    return _Point(name, latency, taken, known)


def _draw(points: Sequence[_Point], front: Sequence[_Point], area: str, unit: str, failed: int) -> Figure:
    go = graph_objects()
    figure = go.Figure()
    title = "Which designs are fast for their size?"
    subtitle = (
        "On the line: no other design is as fast and as small. Open circle: another is better in one, no worse in both."
    )
    subtitle += f" {plural(failed, 'setting')} gave no design." if failed else ""
    margin = {"l": _LEFT, "r": MARGIN + 60, "t": _TOP, "b": _BOTTOM}
    card(figure, title, subtitle, _HEIGHT, margin=margin, showlegend=False)
    figure.add_trace(
        go.Scatter(
            x=[one.area for one in front], y=[one.latency for one in front], mode="lines", hoverinfo="skip",
            line={"color": BLUE, "width": 2, "shape": "vh"}, name="Pareto front",
        )
    )  # fmt: skip
    areas, latencies = [one.area for one in points], [one.latency for one in points]
    for one in points:
        beaten_by = next((other for other in front if other.beats(one)), None)
        # Left of a design on the front lies no other, but near the axis there is no room.
        side = "middle left" if one.area > 0.25 * max(areas) else "top right"
        _add(figure, one, beaten_by, f" {one.name} " if one in front else "", side, (area, unit))
    figure.update_xaxes(title_text=KINDS[area], **_axis(areas))
    return figure.update_yaxes(title_text=f"latency ({unit})", **_axis(latencies))


def _add(
    figure: Figure, point: _Point, beaten_by: _Point | None, label: str, side: str, units: tuple[str, str]
) -> None:
    go = graph_objects()
    area, unit = units
    lines = [f"<b>{point.name}</b>", f"{three_digits(point.latency)} {unit}, {three_digits(point.area)} {KINDS[area]}"]
    lines += [", ".join(point.more)] * bool(point.more)
    lines += [f"beaten by {beaten_by.name}"] if beaten_by else []
    colour = MUTED if beaten_by else BLUE
    figure.add_trace(
        go.Scatter(
            x=[point.area], y=[point.latency], mode="markers+text", name=point.name, cliponaxis=False,
            text=[label], textposition=side, textfont={"size": 12, "color": INK},
            hovertext=["<br>".join(lines)], hoverinfo="text",
            marker={
                "size": 11, "symbol": "circle-open" if beaten_by else "circle", "color": colour,
                "line": {"color": colour if beaten_by else CARD, "width": 1.5},
            },
        )
    )  # fmt: skip


def _axis(values: Sequence[float]) -> dict[str, Any]:
    low, high = min(values), max(values)
    if low > 0 and high / low > _WIDE:
        return {"type": "log", "dtick": 1}
    return {"range": [0, 1.12 * high or 1], "tickformat": "~g"}
