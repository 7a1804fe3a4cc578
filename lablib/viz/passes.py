"""What passes leave of a graph: each stage beside the one before it, modules folded, bytes counted."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from difflib import SequenceMatcher
from typing import Any

from lablib.viz.svg import drawing, node, paint, text, titled
from lablib.viz.units import plural, size
from lablib.viz.view import View, read

_BAR, _LINE, _WIDE = 380, 30, 806
Stage = Mapping[str, Any]


class GraphPasses(View):
    """The widget that `graph_passes` returns; its summary has nodes and bytes of every stage."""

    _esm = read("view.js", "graph_passes.js")
    _css = read("view.css", "graph_passes.css")


def graph_passes(stages: Sequence[Stage], title: str = "What does each pass leave of the graph?") -> GraphPasses:
    """Show a graph after each of several passes; choose a stage to see what it changed.

    Nodes of one module stand under its name, which folds. A node that the stage removed is struck out, one that it
    added has a plus, one whose operation or inputs it changed a tilde. Nodes that share a kernel share a letter.

    Parameters
    ----------
    stages
        In the order of the passes, the graph as it came first. Each is a dict with ``name``; ``nodes``, a list of dicts
        with ``name``, ``op``, ``inputs`` and maybe ``module``; ``bytes``, what each node moves, by name; ``total``,
        what all kernels move; and maybe ``groups``, lists of names that share a kernel.

    Returns
    -------
    GraphPasses
        Displays in Jupyter; ``to_html()`` gives a page of its own, ``picture`` the stages' bytes as SVG.

    Raises
    ------
    ValueError
        There is no stage.

    Examples
    --------
    >>> one = {"name": "y", "op": "exp", "inputs": ["x"]}
    >>> twin = {"name": "z", "op": "exp", "inputs": ["x"]}
    >>> graph_passes([{"name": "captured", "nodes": [one, twin], "bytes": {"y": 32, "z": 32}, "total": 64},
    ...               {"name": "simple", "nodes": [one], "bytes": {"y": 32}, "total": 32}])
    captured: 2 nodes, 64 B. simple: 1 node, 32 B (50% less).
    """
    if not stages:
        raise ValueError("there is nothing to show: give at least one stage")
    most = max(stage["total"] for stage in stages) or 1
    shown = []
    for number, stage in enumerate(stages):
        before = stages[number - 1] if number else stage
        rows = _rows(before, stage)
        shown.append({
            "name": stage["name"], "rows": rows, "total": size(stage["total"]), "share": stage["total"] / most,
            "sentence": _sentence(before, stage, rows),
        })  # fmt: skip
    summary = " ".join(_told(stages[0], stage) for stage in stages)
    content = {"title": title, "subtitle": "Choose a stage; open a module to see its nodes.", "stages": shown}
    picture, height = _bars(stages, most, f"{title} {summary}")
    return GraphPasses(content, summary, titled(title, summary, picture, _WIDE, height))


def _rows(before: Stage, after: Stage) -> list[dict[str, Any]]:
    """The nodes of both stages in one order, each with what became of it."""
    old, new = ({node["name"]: node for node in stage["nodes"]} for stage in (before, after))
    group = {name: number for number, names in enumerate(after.get("groups", ())) for name in names}
    rows = []
    for tag, a, b, c, d in SequenceMatcher(None, list(old), list(new), autojunk=False).get_opcodes():
        if tag != "equal":
            rows += [_row(old[name], "gone", before["bytes"], None) for name in list(old)[a:b] if name not in new]
        for name in list(new)[c:d]:
            state = "new" if name not in old else "kept" if _alike(old[name], new[name]) else "changed"
            rows.append(_row(new[name], state, after["bytes"], group.get(name)))
    return rows


def _alike(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    return (one["op"], list(one["inputs"])) == (other["op"], list(other["inputs"]))


def _row(one: Mapping[str, Any], state: str, moved: Mapping[str, int], group: int | None) -> dict[str, Any]:
    path = [part for part in one.get("module", "").split(".") if part]
    bytes_ = size(moved[one["name"]]) if moved.get(one["name"]) else "free"
    return {"name": one["name"], "op": one["op"], "path": path, "state": state, "bytes": bytes_, "group": group}


def _sentence(before: Stage, after: Stage, rows: Sequence[Mapping[str, Any]]) -> str:
    states = [row["state"] for row in rows]
    parts = [f"{states.count(state)} {word}" for state, word in
             (("gone", "removed"), ("new", "new"), ("changed", "changed")) if state in states]  # fmt: skip
    groups = after.get("groups", ())
    if groups:
        parts.append(f"{sum(map(len, groups))} nodes in {plural(len(groups), 'shared kernel')}")
    saved = before["total"] - after["total"]
    return f"{after['name']}: {', '.join(parts) or 'nothing changed'}; {size(after['total'])} moved" + (
        f", {size(saved)} saved by this stage." if saved > 0 else "."
    )


def _told(first: Stage, stage: Stage) -> str:
    less = f" ({1 - stage['total'] / first['total']:.0%} less)" if stage["total"] < first["total"] else ""
    return f"{stage['name']}: {plural(len(stage['nodes']), 'node')}, {size(stage['total'])}{less}."


def _bars(stages: Sequence[Stage], most: int, label: str) -> tuple[str, float]:
    parts = []
    for number, stage in enumerate(stages):
        y = 8 + number * _LINE
        width = _BAR * stage["total"] / most
        told = f"{size(stage['total'])}, {plural(len(stage['nodes']), 'node')}"
        parts.append(text(12, y + 15, stage["name"], size=13))
        parts.append(node("rect", x=250, y=y + 2, width=max(width, 1), height=18, rx=3, fill=paint("accent")))
        parts.append(text(258 + width, y + 15, told, "muted"))
    height = 16 + _LINE * len(stages)
    return drawing(_WIDE, height, label, parts), height
