"""Where results lie in one piece of memory, and when: a packing of rectangles over time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from lablib.viz.svg import SERIES, drawing, node, paint, text, titled, words
from lablib.viz.units import plural, size
from lablib.viz.view import View, read

_LEFT, _WIDE, _TOP, _HIGH = 76, 806, 34, 300
_CHARACTER = 6.4  # px


class MemoryPlan(View):
    """The widget that `memory_plan` returns; its summary compares the plan with the lower bound."""

    _esm = read("view.js", "pipelines.js")
    _css = read("view.css", "pipelines.css")


def memory_plan(
    kernels: Sequence[Mapping[str, Any]], sizes: Mapping[str, int], offsets: Mapping[str, int],
    outputs: Sequence[str] = (), title: str = "Which result lies where in memory, and how long?",
) -> MemoryPlan:  # fmt: skip
    """Draw a plan: across, the kernels in their order; upwards, memory. Each result is a rectangle.

    Step through the kernels to see what lives while each runs. The dashed line is the most that lives at any moment: no
    plan needs less.

    Parameters
    ----------
    kernels
        In order, dicts with ``reads`` and ``writes``, names of results; other names that are read lie elsewhere.
    sizes, offsets
        In bytes, by name.
    outputs
        Names that are held to the end.

    Raises
    ------
    ValueError
        A result has no offset.

    Examples
    --------
    >>> chain = [{"reads": ["x"], "writes": ["a"]}, {"reads": ["a"], "writes": ["b"]}]
    >>> memory_plan(chain, {"a": 8, "b": 4}, {"a": 0, "b": 8}, ["b"])
    2 results in 12 B of memory; at most 12 B live at once, so the plan takes 1.00 × the least possible.
    """
    spans = _spans(kernels, outputs)
    missing = [name for name in spans if name not in offsets]
    if missing:
        raise ValueError(f"every result needs an offset; {', '.join(missing[:5])} has none")
    live = [sum(sizes[n] for n, (a, b) in spans.items() if a <= place <= b) for place in range(len(kernels))]
    top = max((offsets[name] + sizes[name] for name in spans), default=0)
    most = max(live, default=0)
    ratio = f"{top / most:.2f}" if most else "1.00"
    summary = (
        f"{plural(len(spans), 'result')} in {size(top)} of memory; at most {size(most)} live at once, "
        f"so the plan takes {ratio} × the least possible."
    )
    steps = [_sentence(kernel, place, live[place], spans) for place, kernel in enumerate(kernels)]
    first = live.index(most) if live else 0
    picture, edges, height = _picture(kernels, spans, sizes, offsets, (top, most), first, f"{title} {summary}")
    content = {
        "title": title, "subtitle": summary, "svg": picture, "cycles": steps, "first": first, "edges": edges,
        "left": _LEFT, "unit": "kernel",
    }  # fmt: skip
    return MemoryPlan(content, summary, titled(title, summary, picture, _WIDE, height))


def _spans(kernels: Sequence[Mapping[str, Any]], outputs: Sequence[str]) -> dict[str, tuple[int, int]]:
    first = {name: place for place, kernel in enumerate(kernels) for name in kernel["writes"]}
    last = {**first, **{name: place for place, k in enumerate(kernels) for name in k["reads"] if name in first}}
    last.update({name: len(kernels) - 1 for name in outputs if name in first})
    return {name: (first[name], last[name]) for name in first}


def _sentence(kernel: Mapping[str, Any], place: int, live: int, spans: Mapping[str, tuple[int, int]]) -> str:
    held = [name for name, (a, b) in spans.items() if a <= place <= b]
    ends = [name for name in held if spans[name][1] == place]
    freed = f" {', '.join(ends)} {'is' if len(ends) == 1 else 'are'} not needed afterwards." if ends else ""
    return f"writes {', '.join(kernel['writes'])}; {plural(len(held), 'result')} live, {size(live)}.{freed}"


def _picture(
    kernels: Sequence[Any], spans: Mapping[str, tuple[int, int]], sizes: Mapping[str, int], offsets: Mapping[str, int],
    levels: tuple[int, int], now: int, label: str,
) -> tuple[str, list[float], float]:  # fmt: skip
    top, most = levels
    column = (_WIDE - _LEFT - 8) / max(len(kernels), 1)
    edges = [_LEFT + place * column for place in range(len(kernels) + 1)]
    scale = _HIGH / max(top, 1)
    floor = _TOP + _HIGH
    parts = [
        node("rect", class_="playhead", x=edges[now], y=_TOP - 8, width=column, height=_HIGH + 8, rx=4,
             fill=paint("accent"), fill_opacity=0.14),
        text(12, 20, "bytes", "muted"), text(_WIDE - 8, floor + 22, "kernels →", "muted", text_anchor="end"),
        node("path", d=f"M{_LEFT} {floor}H{edges[-1]:.1f}", stroke=paint("muted")),
    ]  # fmt: skip
    for number, (name, (start, end)) in enumerate(spans.items()):
        parts.append(_block(number, name, (start, end), sizes[name], offsets[name], edges, floor, scale, now))
    for level, told in dict(((top, "plan"), (most, "least"))).items():
        y = floor - level * scale
        parts.append(text(_LEFT - 6, y + 12, f"{told} {size(level)}", "ink", 11, text_anchor="end"))
        dash = "5 4" if level == most else "none"
        parts.append(
            node("path", d=f"M{_LEFT} {y:.1f}H{edges[-1]:.1f}", stroke=paint("ink"), stroke_dasharray=dash, fill="none")
        )
    height = floor + 30
    return drawing(_WIDE, height, label, parts), edges, height


def _block(
    number: int, name: str, span: tuple[int, int], bytes_: int, offset: int, edges: Sequence[float], floor: float,
    scale: float, now: int,
) -> str:  # fmt: skip
    start, end = span
    state = "later" if start > now else "done" if end < now else "now"
    x, width = edges[start] + 1, edges[end + 1] - edges[start] - 2
    y, height = floor - (offset + bytes_) * scale, max(bytes_ * scale - 1, 1)
    colour = paint(f"series-{number % SERIES}")
    opacity = {"later": 0, "done": 0.2, "now": 1}[state]
    box = node("rect", x=x, y=y, width=width, height=height, rx=2, fill=colour, fill_opacity=opacity, stroke=colour)
    label = ""
    if height > 13 and len(name) * _CHARACTER < width:
        shade = "card" if state == "now" else "ink"
        label = text(x + width / 2, y + height / 2 + 4, name, shade, 11, text_anchor="middle", font_weight=600)
    hint = node("title", words(f"{name}: {size(bytes_)} at {offset:,}, kernels {start} to {end}"))
    return node("g", hint, box, label, class_=f"bar {state}", data_from=start, data_to=end + 1)
