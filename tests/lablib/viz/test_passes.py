"""Stages of a graph: what a pass removed, added and changed, and the bytes that it saved."""

from __future__ import annotations

from xml.etree import ElementTree

import pytest

from lablib import viz


def node(name: str, op: str, *inputs: str, module: str = "") -> dict:
    return {"name": name, "op": op, "inputs": list(inputs), "module": module}


CAPTURED = {
    "name": "captured",
    "nodes": [
        node("c", "conv2d", "x", "w", module="a.conv"), node("n", "batch_norm", "c", module="a.norm"),
        node("r", "relu", "n"),
    ],
    "bytes": {"c": 64, "n": 64, "r": 64},
    "total": 192,
}  # fmt: skip
FOLDED = {
    "name": "folded", "nodes": [node("n", "conv2d", "x", "w2", module="a.norm"), node("r", "relu", "n")],
    "bytes": {"n": 64, "r": 64}, "total": 96, "groups": [["n", "r"]],
}  # fmt: skip


def test_a_stage_tells_what_became_of_each_node() -> None:
    widget = viz.graph_passes([CAPTURED, FOLDED])
    rows = widget.content["stages"][1]["rows"]
    assert [(row["name"], row["state"], row["group"]) for row in rows] == [
        ("c", "gone", None), ("n", "changed", 0), ("r", "kept", 0),
    ]  # fmt: skip
    assert [row["path"] for row in rows] == [["a", "conv"], ["a", "norm"], []]
    told = widget.content["stages"][1]["sentence"]
    assert told == "folded: 1 removed, 1 changed, 2 nodes in 1 shared kernel; 96 B moved, 96 B saved by this stage."
    assert repr(widget) == "captured: 3 nodes, 192 B. folded: 2 nodes, 96 B (50% less)."


def test_new_nodes_and_free_ones_are_marked() -> None:
    more = {**FOLDED, "nodes": [node("v", "view", "x"), *FOLDED["nodes"]], "name": "more"}
    rows = viz.graph_passes([FOLDED, more]).content["stages"][1]["rows"]
    assert (rows[0]["name"], rows[0]["state"], rows[0]["bytes"]) == ("v", "new", "free")
    assert {row["state"] for row in rows[1:]} == {"kept"}


def test_the_picture_is_a_bar_for_each_stage() -> None:
    widget = viz.graph_passes([CAPTURED, FOLDED])
    texts = [one.text for one in ElementTree.fromstring(widget.picture).iter("{http://www.w3.org/2000/svg}text")]
    assert "captured" in texts and "96 B, 2 nodes" in texts
    assert "captured" in widget.to_html()


def test_no_stage_is_refused() -> None:
    with pytest.raises(ValueError, match="at least one stage"):
        viz.graph_passes([])
