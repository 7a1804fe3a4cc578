"""A cache that fills, line by line: what an access finds, and which line it throws out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from lablib.viz.picture import SLIDER_HEIGHT, Picture, Step, add_slider
from lablib.viz.style import CARD, INK, MUTED, PALE_BLUE, PALE_GREEN, PALE_VERMILION, RULE, card, graph_objects
from lablib.viz.units import plural

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

_CELL, _TOP, _LEFT = 64, 116, 84
_MOST = 16


def cache_fill(history: Sequence[Mapping[str, Any]], sets: int, ways: int) -> Picture:
    """Step through the accesses of a short trace, and see what a cache holds after each.

    Parameters
    ----------
    history
        What `lablib.gpu.cache_lines.history` gives: for each access ``line``, ``set``, ``hit`` and ``held``, the lines
        of each set, the one used longest ago first.
    sets, ways
        Shape of the cache; at most 16 of each.

    Returns
    -------
    Picture
        Its ``summary`` counts hits and misses, and says how full the cache was.

    Raises
    ------
    ValueError
        When there is no access, or the shape does not fit what is held.

    Examples
    --------
    >>> steps = [{"line": 0, "set": 0, "hit": False, "held": [[0]]}, {"line": 0, "set": 0, "hit": True, "held": [[0]]}]
    >>> cache_fill(steps, sets=1, ways=2)
    2 accesses to a cache of 1 set with 2 ways: 1 hit, 1 miss. It never held more than 1 of 2 lines.
    """
    if not history or not 1 <= sets <= _MOST or not 1 <= ways <= _MOST:
        raise ValueError(f"cache_fill needs an access and 1 to {_MOST} sets and ways; got {sets} sets of {ways} ways")
    if any(len(one["held"]) != sets or max(map(len, one["held"])) > ways for one in history):
        raise ValueError(f"the history is not that of a cache with {sets} sets of {ways} ways")
    hits = sum(bool(one["hit"]) for one in history)
    fullest = max(sum(map(len, one["held"])) for one in history)
    shape = f"{plural(sets, 'set')} with {plural(ways, 'way')}"
    summary = (
        f"{plural(len(history), 'access')} to a cache of {shape}: {plural(hits, 'hit')}, "
        f"{plural(len(history) - hits, 'miss')}. It never held more than {fullest} of {sets * ways} lines."
    )
    return Picture(_draw(history, sets, ways, shape), summary)


def _draw(history: Sequence[Mapping[str, Any]], sets: int, ways: int, shape: str) -> Figure:
    go = graph_objects()
    places = [list(one) for one in _places(history, sets, ways)]
    steps = [_step(history, number, held, sets, ways) for number, held in enumerate(places)]
    figure = go.Figure(steps[0].traces)
    height = _TOP + _CELL * sets + 40 + SLIDER_HEIGHT
    margin = {"l": _LEFT, "r": 24, "t": _TOP, "b": 40 + SLIDER_HEIGHT}
    subtitle = f"A cache of {shape}. A line may stand in one set only: its number modulo {sets}."
    card(figure, "Which line does each access find?", subtitle, height, margin=margin, showlegend=False)
    figure.update_layout(width=max(560, min(760, _LEFT + 24 + 132 * ways)))
    figure.update_xaxes(
        range=[-0.5, ways - 0.5], showgrid=False, tickvals=list(range(ways)), ticktext=[f"way {n}" for n in range(ways)]
    )
    figure.update_yaxes(
        range=[sets - 0.5, -0.5], showgrid=False, tickvals=list(range(sets)), ticktext=[f"set {n}" for n in range(sets)]
    )
    add_slider(figure, steps, prefix="access ", start=0)
    return figure


def _places(history: Sequence[Mapping[str, Any]], sets: int, ways: int) -> list[list[list[int | None]]]:
    """For each access the line in each way of each set: a line keeps its way until it is thrown out."""
    now: list[list[int | None]] = [[None] * ways for _ in range(sets)]
    found = []
    for one in history:
        held = set(one["held"][one["set"]])
        row = [line if line in held else None for line in now[one["set"]]]
        if one["line"] not in row:
            row[row.index(None)] = one["line"]
        now = [row if number == one["set"] else old for number, old in enumerate(now)]
        found.append(now)
    return found


def _step(history: Sequence[Mapping[str, Any]], number: int, held: Any, sets: int, ways: int) -> Step:
    go = graph_objects()
    one = history[number]
    before = history[number - 1]["held"][one["set"]] if number else []
    gone = next((line for line in before if line not in one["held"][one["set"]]), None)
    told = f"line {one['line']}: " + (
        "hit" if one["hit"] else "miss" if gone is None else f"miss, and line {gone} is thrown out"
    )
    shapes, xs, ys, texts = [], [], [], []
    for row in range(sets):
        for way in range(ways):
            line = held[row][way]
            now = line is not None and line == one["line"]
            fill = CARD if line is None else PALE_GREEN if now and one["hit"] else PALE_VERMILION if now else PALE_BLUE
            edge = {"color": INK if now else RULE, "width": 3 if now else 1}
            shapes.append({
                "type": "rect", "x0": way - 0.46, "x1": way + 0.46, "y0": row - 0.42, "y1": row + 0.42,
                "fillcolor": fill, "line": edge, "layer": "below",
            })  # fmt: skip
            xs, ys = [*xs, way], [*ys, row]
            word = "" if not now else "<br>hit" if one["hit"] else "<br>miss"
            texts.append("empty" if line is None else f"line {line}{word}")
    font = {"size": 13, "color": [MUTED if text == "empty" else INK for text in texts]}
    trace = go.Scatter(x=xs, y=ys, mode="text", text=texts, textfont=font, hoverinfo="skip")
    return Step(f"{number + 1}: {told}", [trace], {"shapes": shapes})
