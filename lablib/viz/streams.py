"""Kernels on several streams over time, as a Gantt chart that steps from event to event."""

from __future__ import annotations

from collections.abc import Sequence
from graphlib import CycleError, TopologicalSorter
from itertools import pairwise

from lablib.viz.svg import SERIES, drawing, node, paint, text, titled, words
from lablib.viz.units import plural
from lablib.viz.view import View, read

_LEFT, _WIDE, _TOP, _LINE, _BAR = 86, 806, 34, 40, 30
_CHARACTER = 6.6  # px


class StreamSchedule(View):
    """The widget that `stream_schedule` returns; its summary has the end, the bounds and the idle share."""

    _esm = read("view.js", "pipelines.js")
    _css = read("view.css", "pipelines.css")


def stream_schedule(
    names: Sequence[str], durations: Sequence[int], waits: Sequence[Sequence[int]],
    schedule: Sequence[tuple[int, int]], unit: str = "", title: str = "Which stream runs what, and when does it idle?",
) -> StreamSchedule:  # fmt: skip
    """Draw a schedule of tasks on streams, one row a stream; step from one start or end to the next.

    Parameters
    ----------
    names, durations
        Of each task; durations are whole numbers of ``unit``.
    waits
        For each task the numbers of those that must end before it starts.
    schedule
        For each task its stream, from 0, and its start.
    unit
        Of time, such as ``"ns"``.

    Raises
    ------
    ValueError
        There is no task, the lists differ in length, or tasks wait for each other or for one that is not there.

    Examples
    --------
    >>> stream_schedule(["a", "b", "c"], [2, 3, 1], [[], [], [0, 1]], [(0, 0), (1, 0), (0, 3)], unit="ns")
    3 tasks on 2 streams end after 4 ns. The longest chain takes 4 ns, all work 6 ns: no schedule ends before 4 ns. 25% of the streams' time is idle.
    """  # noqa: E501
    if not names or len({len(names), len(durations), len(waits), len(schedule)}) > 1:
        raise ValueError("give one or more tasks, each with a name, a duration, a list of waits and a place")
    for task, others in enumerate(waits):
        if strange := [other for other in others if other not in range(len(names))]:
            raise ValueError(f"task {task} waits for {strange[0]}; there are tasks 0 to {len(names) - 1}")
    streams = max(stream for stream, _ in schedule) + 1
    end = max(start + d for (_, start), d in zip(schedule, durations, strict=True))
    longest = _longest(durations, waits)
    work = sum(durations)
    least = max(longest, -(-work // streams))
    unit_ = f" {unit}" if unit else ""
    summary = (
        f"{plural(len(names), 'task')} on {plural(streams, 'stream')} end after {end:,}{unit_}. "
        f"The longest chain takes {longest:,}{unit_}, all work {work:,}{unit_}: "
        f"no schedule ends before {least:,}{unit_}. "
        f"{1 - work / (streams * end):.0%} of the streams' time is idle."
    )
    return _view(names, durations, schedule, streams, end, unit_, title, summary)


def _longest(durations: Sequence[int], waits: Sequence[Sequence[int]]) -> int:
    """The longest chain of tasks that wait for each other."""
    ends: dict[int, int] = {}
    try:
        for task in TopologicalSorter(dict(enumerate(waits))).static_order():
            ends[task] = durations[task] + max((ends[other] for other in waits[task]), default=0)
    except CycleError as error:
        raise ValueError(f"tasks wait for each other in a circle: {', '.join(map(str, error.args[1]))}") from None
    return max(ends.values())


def _view(
    names: Sequence[str], durations: Sequence[int], schedule: Sequence[tuple[int, int]], streams: int, end: int,
    unit: str, title: str, summary: str,
) -> StreamSchedule:  # fmt: skip
    spans = [(start, start + d) for (_, start), d in zip(schedule, durations, strict=True)]
    events = sorted({0, *(time for span in spans for time in span)})
    steps = [_sentence(names, schedule, spans, streams, pair, unit) for pair in pairwise(events)]
    scale = (_WIDE - _LEFT - 12) / end
    edges = [_LEFT + time * scale for time in events]
    height = _TOP + streams * _LINE + 26
    parts = [
        node("rect", class_="playhead", x=edges[0], y=_TOP - 6, width=edges[1] - edges[0], height=streams * _LINE + 6,
             rx=4, fill=paint("accent"), fill_opacity=0.14),
    ]  # fmt: skip
    for stream in range(streams):
        y = _TOP + stream * _LINE
        parts.append(text(12, y + 20, f"stream {stream}", size=13, font_weight=600))
        parts.append(node("path", d=f"M{_LEFT} {y + _BAR + 4}H{_WIDE - 12}", stroke=paint("rule")))
    for number, (name, (stream, _), span) in enumerate(zip(names, schedule, spans, strict=True)):
        parts.append(_task(number, name, _TOP + stream * _LINE, span, events, scale, unit))
    parts.append(text(_LEFT, height - 8, "0", "muted", 11))
    parts.append(text(_WIDE - 12, height - 8, f"{end:,}{unit}", "muted", 11, text_anchor="end"))
    picture = drawing(_WIDE, height, f"{title} {summary}", parts)
    content = {
        "title": title, "subtitle": summary, "svg": picture, "cycles": steps, "first": 0, "edges": edges,
        "left": _LEFT, "unit": "step",
    }  # fmt: skip
    return StreamSchedule(content, summary, titled(title, summary, picture, _WIDE, height))


def _sentence(
    names: Sequence[str], schedule: Sequence[tuple[int, int]], spans: Sequence[tuple[int, int]], streams: int,
    pair: tuple[int, int], unit: str,
) -> str:  # fmt: skip
    told = []
    for stream in range(streams):
        running = [
            n for n, (s, _), (a, b) in zip(names, schedule, spans, strict=True) if s == stream and a <= pair[0] < b
        ]
        told.append(f"stream {stream} runs {running[0]}" if running else f"stream {stream} is idle")
    return f"from {pair[0]:,} to {pair[1]:,}{unit}, {', '.join(told)}."


def _task(
    number: int, name: str, y: float, span: tuple[int, int], events: Sequence[int], scale: float, unit: str
) -> str:  # fmt: skip
    first, last = events.index(span[0]), events.index(span[1])
    state = "now" if first == 0 else "later"
    x, width = _LEFT + span[0] * scale + 1, max((span[1] - span[0]) * scale - 2, 1)
    colour = paint(f"series-{number % SERIES}")
    dash = {"stroke_dasharray": "3 2"} if state == "later" else {}
    box = node(
        "rect", x=x, y=y, width=width, height=_BAR, rx=3, fill=colour, fill_opacity=int(state == "now"), stroke=colour,
        **dash,
    )  # fmt: skip
    label = ""
    if len(name) * _CHARACTER < width:
        shade = "card" if state == "now" else "ink"
        label = text(x + width / 2, y + _BAR / 2 + 4, name, shade, 11, text_anchor="middle", font_weight=600)
    hint = node("title", words(f"{name}: {span[0]:,} to {span[1]:,}{unit}"))
    return node("g", hint, box, label, class_=f"bar {state}", data_from=first, data_to=last)
