"""A tape of operations, recorded forwards and walked backwards: who has all its gradients when it is visited."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from lablib.viz.grids import BARE_AXIS
from lablib.viz.picture import SLIDER_HEIGHT, Picture, Step, add_slider
from lablib.viz.style import (
    CALM_BLUE,
    CARD,
    FAINT,
    GREEN,
    INK,
    MARGIN,
    PALE_BLUE,
    PALE_GREEN,
    RULE,
    VERMILION,
    card,
    graph_objects,
    heading,
)
from lablib.viz.units import plural

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

_MOST = 24  # entries that a picture can hold
_TOP, _ROW = 100, 70


@dataclass(frozen=True)
class _Visit:
    """One step backwards: the entry, the gradients that it has and those that it should wait for."""

    name: str
    came: int
    expected: int

    @property
    def early(self) -> bool:
        return self.came < self.expected


def tape_replay(
    entries: Sequence[Mapping[str, Any]], orders: Sequence[str] | Mapping[str, Sequence[str]] | None = None
) -> Picture:
    """Step through a tape: forwards as it is written, backwards in one order or another.

    Each value shows how many of its gradients have come, out of those that will. An entry that is visited before its
    last one hands on a gradient that is wrong.

    Parameters
    ----------
    entries
        In the order of the tape: ``name`` of the result, and ``inputs``, names of earlier results or of arguments.
    orders
        Entries by name in the order in which a backward pass visits them, or several such orders by name. By default
        from the end of the tape. The first entry of each is the output.

    Returns
    -------
    Picture
        Its ``summary`` says for each order which entries were visited too early.

    Raises
    ------
    ValueError
        When there are no entries or too many, two share a name, or an order visits something that is no entry.

    Examples
    --------
    >>> tape_replay([{"name": "a", "inputs": ["x"]}, {"name": "y", "inputs": ["a", "a"]}])
    Tape of 2 entries. from the end of the tape: 2 visits, none too early.
    """
    names = [str(entry["name"]) for entry in entries]
    if not 1 <= len(names) <= _MOST:
        raise ValueError(f"a tape of 1 to {_MOST} entries can be drawn, got {len(names)}")
    if len(set(names)) < len(names):
        raise ValueError(f"two entries of the tape share a name, in {names}; each result needs a name of its own")
    inputs = {str(entry["name"]): [str(i) for i in entry["inputs"]] for entry in entries}
    named = orders if isinstance(orders, Mapping) else {"from the end of the tape": orders or names[::-1]}
    walks = {title: _walk(title, list(order), inputs) for title, order in named.items()}
    parts = [f"{title}: {_verdict(walk)}" for title, walk in walks.items()]
    return Picture(
        _draw(inputs, walks), f"Tape of {len(names)} entr{'y' if len(names) == 1 else 'ies'}. " + " ".join(parts)
    )


def _walk(title: str, order: list[str], inputs: Mapping[str, list[str]]) -> list[_Visit]:
    unknown = [name for name in order if name not in inputs]
    if unknown or not order:
        raise ValueError(f"{title!r} visits {unknown[:1] or 'nothing'}; the entries are {', '.join(inputs)}")
    reached = {order[0]}
    for name in reversed(list(inputs)):
        reached |= set(inputs[name]) if name in reached else set()
    expected = {name: sum(inputs[user].count(name) for user in inputs if user in reached) for name in reached}
    came = dict.fromkeys(expected, 0)
    visits = []
    for name in order:
        visits.append(_Visit(name, came.get(name, 0), expected.get(name, 0)))
        for operand in inputs[name]:
            came[operand] = came.get(operand, 0) + 1
    return visits


def _verdict(walk: Sequence[_Visit]) -> str:
    early = [visit.name for visit in walk if visit.early]
    wrong = f"{', '.join(early)} too early" if early else "none too early"
    return f"{plural(len(walk), 'visit')}, {wrong}."


def _positions(inputs: Mapping[str, list[str]]) -> dict[str, tuple[float, float]]:
    """Column by the longest way from an argument, row by order within a column, centred."""
    arguments = list(dict.fromkeys(i for operands in inputs.values() for i in operands if i not in inputs))
    level = dict.fromkeys(arguments, 0)
    for name, operands in inputs.items():
        level[name] = 1 + max((level[i] for i in operands), default=0)
    columns: dict[int, list[str]] = {}
    for name, column in level.items():
        columns.setdefault(column, []).append(name)
    tallest = max(map(len, columns.values()))
    bend = 1.0 if tallest == 1 and len(columns) > 2 else 0.0  # a chain zigzags, so that long ways do not hide behind
    return {
        name: (column, row + (tallest - len(each)) / 2 + (bend if column % 2 else 0))
        for column, each in columns.items()
        for row, name in enumerate(each)
    }


def _draw(inputs: Mapping[str, list[str]], walks: Mapping[str, list[_Visit]]) -> Figure:
    go = graph_objects()
    places = _positions(inputs)
    rows = max(y for _, y in places.values())
    bottom = 40 + SLIDER_HEIGHT
    height = round(_TOP + (rows + 1.8) * _ROW + bottom)
    title = "When has a value all its gradients?"
    steps = [
        Step(label, _traces(inputs, places, done, came, walk, now), {"title": heading(title, line, height)})
        for label, line, done, came, walk, now in _moments(inputs, walks)
    ]
    figure = go.Figure(steps[0].traces)
    card(figure, title, "", height, margin={"l": MARGIN, "r": MARGIN, "t": _TOP, "b": bottom})
    figure.update_xaxes(range=[-0.5, max(x for x, _ in places.values()) + 0.5], **BARE_AXIS)
    figure.update_yaxes(range=[rows + 0.9, -0.9], **BARE_AXIS)
    _add_legend(figure)
    add_slider(figure, steps, prefix="")
    return figure


def _moments(inputs: Mapping[str, list[str]], walks: Mapping[str, list[_Visit]]) -> list[tuple]:
    """What each position of the slider shows: label, sentence, values so far, gradients so far, walk and visit."""
    moments: list[tuple] = []
    written: list[str] = []
    for name in inputs:
        written.append(name)
        line = f"Forward: {name} is computed and written down as entry {len(written)}."
        moments.append((f"forward {len(written)}", line, list(written), {}, [], None))
    for title, walk in walks.items():
        came: dict[str, int] = {walk[0].name: 0}
        for index, visit in enumerate(walk):
            line = f"{title}: visit {visit.name}. "
            line += f"Only {visit.came} of {visit.expected} gradients have come: too early." if visit.early else (
                "All its gradients have come." if visit.expected else "It is the output: its gradient is given."
            )  # fmt: skip
            for operand in inputs[visit.name]:
                came[operand] = came.get(operand, 0) + 1
            label = f"backward {index + 1}" + (f", {title}" if len(walks) > 1 else "")
            moments.append((label, line, list(inputs), dict(came), walk[: index + 1], visit))
    return moments


def _traces(
    inputs: Mapping[str, list[str]],
    places: Mapping[str, tuple[float, float]],
    done: Sequence[str],
    came: Mapping[str, int],
    walk: Sequence[_Visit],
    now: _Visit | None,
) -> list[Any]:
    edges = {False: [], True: []}
    for name, operands in inputs.items():
        for operand in operands:
            if name in done:
                edges[now is not None and name == now.name].append((operand, name))
    visited = {visit.name: visit for visit in walk}
    shown = [name for name in places if name in done or name not in inputs]
    return [
        _lines(edges[False], places, RULE, 2),
        _lines(edges[True], places, GREEN, 4),
        _values([n for n in shown if n not in visited and n not in came], places, came, FAINT, "square"),
        _values([n for n in shown if n not in visited and n in came], places, came, PALE_BLUE, "square"),
        _values([n for n, v in visited.items() if not v.early], places, came, PALE_GREEN, "square"),
        _values([n for n, v in visited.items() if v.early], places, came, CARD, "x-thin"),
    ]


def _lines(edges: Sequence[tuple[str, str]], places: Mapping[str, tuple[float, float]], colour: str, width: int) -> Any:
    go = graph_objects()
    xs: list[float | None] = []
    ys: list[float | None] = []
    for one, other in edges:
        xs += [places[one][0], places[other][0], None]
        ys += [places[one][1], places[other][1], None]
    return go.Scatter(
        x=xs or [None],
        y=ys or [None],
        mode="lines",
        line={"color": colour, "width": width},
        hoverinfo="skip",
        showlegend=False,
    )


def _values(
    names: Sequence[str], places: Mapping[str, tuple[float, float]], came: Mapping[str, int], colour: str, symbol: str
) -> Any:
    go = graph_objects()
    texts = [f"<b>{name}</b>" + (f"<br>{plural(came[name], 'gradient')}" if came.get(name) else "") for name in names]
    middle = sum(y for _, y in places.values()) / len(places)
    sides = ["top center" if places[name][1] < middle else "bottom center" for name in names]  # away from the lines
    line = {"color": VERMILION if symbol == "x-thin" else CALM_BLUE, "width": 3 if symbol == "x-thin" else 1.5}
    return go.Scatter(
        x=[places[n][0] for n in names] or [None], y=[places[n][1] for n in names] or [None], mode="markers+text",
        text=texts, textposition=sides or "top center", textfont={"size": 12, "color": INK}, hoverinfo="skip",
        marker={"symbol": symbol, "size": 22, "color": colour, "line": line}, showlegend=False, cliponaxis=False,
    )  # fmt: skip


def _add_legend(figure: Figure) -> None:
    go = graph_objects()
    for name, colour, symbol, edge in (
        ("computed", FAINT, "square", CALM_BLUE),
        ("a gradient has come", PALE_BLUE, "square", CALM_BLUE),
        ("visited", PALE_GREEN, "square", CALM_BLUE),
        ("visited too early", CARD, "x-thin", VERMILION),
    ):
        marker = {"symbol": symbol, "size": 11, "color": colour, "line": {"color": edge, "width": 2}}
        figure.add_trace(go.Scatter(x=[None], y=[None], mode="markers", name=name, marker=marker))
    figure.update_layout(legend={"x": 0, "xanchor": "left", "y": 0, "yanchor": "top"})
