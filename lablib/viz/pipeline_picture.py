"""The Gantt chart of a pipeline as SVG: inputs above, hardware below, the cycles side by side."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from lablib.viz.svg import SERIES, drawing, node, paint, text, words

_LABELS, _WIDE, _LINE, _BAR, _LANE, _GROUP, _TOP = 236, 806, 26, 18, 15, 24, 30
_CHARACTER = 6.6  # px


@dataclass(frozen=True)
class _Chart:
    """Where things are, in px: ``column`` is the width of a cycle; ``now`` the cycle that is drawn as the present."""

    timeline: Any
    inputs: int
    now: int
    columns: int
    column: float

    def x(self, cycle: int) -> float:
        return _LABELS + cycle * self.column


def pipeline_picture(
    timeline: Any, rows: Sequence[Any], inputs: int, now: int, label: str
) -> tuple[str, dict[str, float]]:
    """Draw the chart at a cycle; return it with its size, and what moves it: ``left`` and ``column``, in px."""
    columns = timeline.latency + timeline.ii * (inputs - 1) + 1
    column = min(64.0, max(16.0 if columns > 40 else 28.0, (_WIDE - _LABELS - 4) / columns))
    chart = _Chart(timeline, inputs, now, columns, column)
    hardware, bottom = _hardware(chart, rows, _TOP + inputs * _LINE + 10)
    parts = [*_grid(chart, bottom), *_flight(chart), *hardware]
    width = max(_WIDE, chart.x(columns) + 4)
    size = {"width": width, "height": bottom + 6}
    return drawing(**size, label=label, inside=parts), {"left": _LABELS, "column": column, **size}


def _grid(chart: _Chart, bottom: float) -> Iterator[str]:
    width = chart.column
    yield node(
        "rect", class_="playhead", x=chart.x(chart.now), y=4, width=width, height=bottom - 4, rx=4,
        fill=paint("accent"), fill_opacity=0.14,
    )  # fmt: skip
    yield text(12, 20, "cycle", "muted")
    step = 1 if width >= 24 else 5
    for cycle in range(chart.columns):
        if cycle % step == 0:
            yield text(chart.x(cycle) + width / 2, 20, str(cycle), "muted", text_anchor="middle")
        yield node("path", d=f"M{chart.x(cycle):.1f} {_TOP - 4}V{bottom}", stroke=paint("rule"))


def _flight(chart: _Chart) -> Iterator[str]:
    """One row an input, with the phase that it is in."""
    phases = chart.timeline.phases
    long = max(map(len, phases)) * _CHARACTER < chart.column - 4
    for index in range(chart.inputs):
        y = _TOP + index * _LINE
        yield text(12, y + 17, f"input {index}", size=13, font_weight=600)
        for age, phase in enumerate(phases):
            name = phase if long else phase.split()[-1].replace("input", "in").replace("output", "out")
            yield _bar(chart, index, index * chart.timeline.ii + age, 1, y + 3, _LINE - 6, name)


def _hardware(chart: _Chart, rows: Sequence[Any], y: float) -> tuple[list[str], float]:
    """The rows, those that start in the same phase together, and where they end."""
    parts: list[str] = []
    phase = -1
    end = chart.x(chart.columns)
    for row in rows:
        if row.bars[0][0] != phase:
            phase = row.bars[0][0]
            parts.append(node("path", d=f"M0 {y:.1f}H{end:.1f}", stroke=paint("muted"), stroke_width=1.5))
            parts.append(text(12, y + 17, chart.timeline.phases[phase], size=13, font_weight=600))
            parts.append(text(_LABELS - 12, y + 17, _registers(chart.timeline, phase), "muted", 11, text_anchor="end"))
            y += _GROUP
        parts += _row(chart, row, y)
        y += _LINE + (_lanes(chart, row) * _LANE - _BAR if _lanes(chart, row) > 1 else 0)
    return parts, y + 4


def _registers(timeline: Any, phase: int) -> str:
    bits = timeline.register_bits[phase - 1] if phase else None
    return f"after {bits} bits of registers" if bits is not None else ""


def _row(chart: _Chart, row: Any, y: float) -> Iterator[str]:
    source = chart.timeline.source.splitlines()
    hint = f"line {row.line}: {source[row.line - 1].strip()}" if 0 < row.line <= len(source) else row.label
    label = text(24, y + 17, _cut(row.label, 19), mono=True)
    line = text(_LABELS - 12, y + 17, f"line {row.line}", "muted", 11, text_anchor="end") if row.line else ""
    back = node("rect", x=0, y=y, width=_LABELS, height=_LINE, fill="transparent")
    yield node("g", node("title", words(_cut(hint, 200))), back, label, line)
    lanes = _lanes(chart, row)
    height = _BAR if lanes == 1 else _LANE
    for index in range(chart.inputs):
        for start, cycles in row.bars:
            top = y + (_LINE - _BAR) / 2 + (index % lanes) * height
            yield _bar(chart, index, start + index * chart.timeline.ii, cycles, top, height - (lanes > 1), str(index))


def _lanes(chart: _Chart, row: Any) -> int:
    """Bars of several inputs overlap where an operation takes longer than II: each has its lane then."""
    return min(chart.inputs, max(-(-cycles // chart.timeline.ii) for _, cycles in row.bars))


def _bar(chart: _Chart, index: int, start: int, cycles: int, y: float, height: float, inside: str) -> str:
    state = "later" if start > chart.now else "done" if start + cycles <= chart.now else "now"
    colour = paint(f"series-{index % SERIES}")
    opacity = {"later": 0, "done": 0.2, "now": 1}[state]
    width = cycles * chart.column - 3
    box = node(
        "rect", x=chart.x(start) + 1.5, y=y, width=width, height=height, rx=3,
        fill=colour, fill_opacity=opacity, stroke=colour, stroke_dasharray="3 2" if state == "later" else "none",
    )  # fmt: skip
    label = ""
    if height > 10 and len(inside) * _CHARACTER <= width:
        shade, middle = "card" if state == "now" else "ink", chart.x(start) + 1.5 + width / 2
        label = text(middle, y + height / 2 + 4, inside, shade, 11, text_anchor="middle", font_weight=600)
    return node("g", box, label, class_=f"bar {state}", data_from=start, data_to=start + cycles)


def _cut(label: str, longest: int) -> str:
    return label if len(label) <= longest else label[: longest - 1] + "…"
