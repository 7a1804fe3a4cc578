"""A pipeline's schedule as a Gantt chart that steps by cycle, with several inputs in flight."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from lablib.viz.pipeline_picture import pipeline_picture
from lablib.viz.svg import titled
from lablib.viz.units import plural
from lablib.viz.view import View, read

_MOST_INPUTS = 12


@dataclass(frozen=True)
class Row:
    """Hardware that works at the same times on every input: equal operations, or what shares one unit.

    Attributes
    ----------
    label, line
        ``"84 × smul"``; the line of the source, or 0.
    count
        How many operations or units it stands for.
    bars
        First cycle, and cycles, of its work on an input that comes in cycle 0.
    """

    label: str
    line: int
    count: int
    bars: tuple[tuple[int, int], ...]


class PipelineView(View):
    """The widget that `pipeline` returns; its summary says how long the inputs take."""

    _esm = read("view.js", "pipelines.js")
    _css = read("view.css", "pipelines.css")


def pipeline(
    timeline: Any, inputs: int = 4, title: str = "Which operation works on which input in which cycle?"
) -> PipelineView:
    """Draw a schedule, and step through it cycle by cycle with several inputs in flight.

    Above, one row an input: the phase that it is in. Below, one row for equal operations of the same cycle and source
    line, or for a unit that operations share, with a line where registers lie; its bars have the number of the input
    that it works on. A cycle in which a row has no bar is one in which that hardware idles.

    Parameters
    ----------
    timeline
        What `lablib.hls.timeline` gives: has ``design``, ``latency``, ``ii``, ``phases`` (a name a cycle),
        ``register_bits`` (after each cycle but the last, or None), ``source``, and ``operations``, each with
        ``name``, ``start``, ``cycles``, ``resource`` and ``line``.
    inputs
        How many come one after the other, 1 to 12.
    title
        The question that the chart answers.

    Returns
    -------
    PipelineView
        Displays in Jupyter; ``to_html()`` gives a page of its own, ``picture`` one cycle as SVG.

    Raises
    ------
    ValueError
        There are no operations, or too many inputs.

    Examples
    --------
    >>> from types import SimpleNamespace as Some
    >>> square = Some(name="mul", start=1, cycles=1, resource="", line=1)
    >>> phases = {"phases": ("input", "stage 0", "output"), "register_bits": (None, None)}
    >>> pipeline(Some(design="square", operations=[square], latency=2, ii=1, source="", **phases))
    square: 1 operation, latency 2 cycles, II 1, so up to 3 inputs in flight. 4 inputs take latency + II · (inputs − 1) = 5 cycles.
    """  # noqa: E501
    if not isinstance(inputs, int) or not 1 <= inputs <= _MOST_INPUTS:
        raise ValueError(f"inputs must be a whole number from 1 to {_MOST_INPUTS}; got {inputs!r}")
    if not timeline.operations:
        raise ValueError(f"{timeline.design} has no operation: there is nothing to draw but wires")
    rows = rows_of(timeline.operations)
    last = timeline.latency + timeline.ii * (inputs - 1)
    sentences = [_sentence(timeline, rows, inputs, cycle) for cycle in range(last + 1)]
    first = min(last, timeline.latency)
    summary = _summary(timeline, inputs)
    picture, geometry = pipeline_picture(timeline, rows, inputs, first, f"{title} {summary} {sentences[first]}")
    content = {"title": title, "subtitle": summary, "svg": picture, "cycles": sentences, "first": first, **geometry}
    still = titled(title, summary, picture, geometry["width"], geometry["height"])
    return PipelineView(content, summary, still)


def rows_of(operations: Sequence[Any]) -> list[Row]:
    """Put operations that share a unit, or are alike, into one row; in the order of their first cycle."""
    shared: dict[str, list[Any]] = {}
    for one in operations:
        if one.resource:
            shared.setdefault(one.resource, []).append(one)
    rows = []
    for unit, users in shared.items():
        bars = tuple(sorted({(one.start, one.cycles) for one in users}))
        rows.append(Row(unit, users[0].line if len({one.line for one in users}) == 1 else 0, 1, bars))
    alike = Counter((one.start, one.cycles, one.name, one.line) for one in operations if not one.resource)
    for (start, cycles, name, line), count in alike.items():
        rows.append(Row(name if count == 1 else f"{count} × {name}", line, count, ((start, cycles),)))
    return sorted(rows, key=lambda row: (row.bars[0][0], row.line, -row.count))


def _sentence(timeline: Any, rows: Sequence[Row], inputs: int, cycle: int) -> str:
    """What happens in a cycle: where each input is, and how much of the hardware works."""
    places = []
    for index in range(inputs):
        age = cycle - index * timeline.ii
        if 0 <= age <= timeline.latency:
            places.append(f"input {index}: {timeline.phases[age]}")
    working = sum(row.count for row in rows if _works(row, timeline.ii, inputs, cycle))
    total = sum(row.count for row in rows)
    flight = ", ".join(places) or "no input is in flight"
    what = "units" if any(one.resource for one in timeline.operations) else "operations"
    return f"{flight}. {working} of {total} {what} work."


def _works(row: Row, ii: int, inputs: int, cycle: int) -> bool:
    ages = [cycle - index * ii for index in range(inputs)]
    return any(start <= age < start + cycles for age in ages for start, cycles in row.bars)


def _summary(timeline: Any, inputs: int) -> str:
    last = timeline.latency + timeline.ii * (inputs - 1)
    flight = timeline.latency // timeline.ii + 1
    return (
        f"{timeline.design}: {plural(len(timeline.operations), 'operation')}, latency "
        f"{plural(timeline.latency, 'cycle')}, II {timeline.ii}, so up to {plural(flight, 'input')} in flight. "
        f"{plural(inputs, 'input')} take latency + II · (inputs − 1) = {plural(last, 'cycle')}."
    )
