"""Memory over kernels and tasks over time: what lives, what runs, and the bounds."""

from __future__ import annotations

from xml.etree import ElementTree

import pytest

from lablib import viz

SVG = "{http://www.w3.org/2000/svg}"
CHAIN = [
    {"reads": ["x"], "writes": ["a"]}, {"reads": ["a"], "writes": ["b"]}, {"reads": ["b"], "writes": ["c"]},
]  # fmt: skip
SIZES = {"a": 128, "b": 64, "c": 128}


def bars(picture: str) -> list[tuple[int, int, str]]:
    nodes = [node for node in ElementTree.fromstring(picture).iter(f"{SVG}g") if "data-from" in node.attrib]
    return [(int(n.attrib["data-from"]), int(n.attrib["data-to"]), n.attrib["class"]) for n in nodes]


def test_a_plan_is_compared_with_what_lives_at_once() -> None:
    widget = viz.memory_plan(CHAIN, SIZES, {"a": 0, "b": 128, "c": 192}, ["c"])
    assert "3 results in 320 B" in repr(widget)
    assert "at most 192 B live at once, so the plan takes 1.67 × the least possible" in repr(widget)
    assert widget.content["cycles"][1] == "writes b; 2 results live, 192 B. a is not needed afterwards."
    assert widget.content["first"] == 1  # where most lives
    assert bars(widget.picture) == [(0, 2, "bar now"), (1, 3, "bar now"), (2, 3, "bar later")]
    assert len(widget.content["edges"]) == 4


def test_a_result_without_an_offset_is_named() -> None:
    with pytest.raises(ValueError, match="b, c has none"):
        viz.memory_plan(CHAIN, SIZES, {"a": 0})


def test_a_schedule_steps_from_event_to_event() -> None:
    widget = viz.stream_schedule(["a", "b", "c"], [2, 3, 1], [[], [], [0]], [(0, 0), (1, 0), (0, 2)])
    assert widget.content["cycles"] == [
        "from 0 to 2, stream 0 runs a, stream 1 runs b.", "from 2 to 3, stream 0 runs c, stream 1 runs b.",
    ]  # fmt: skip
    assert bars(widget.picture) == [(0, 1, "bar now"), (0, 2, "bar now"), (1, 2, "bar later")]
    assert "end after 3. The longest chain takes 3, all work 6: no schedule ends before 3. 0% of" in repr(widget)


@pytest.mark.parametrize(
    ("case", "words"),
    [
        (([], [], [], []), "one or more tasks"),
        ((["a", "b"], [1, 1], [[1], [0]], [(0, 0), (1, 0)]), "in a circle"),
        ((["a", "b"], [1, 1], [[2], []], [(0, 0), (1, 0)]), "task 0 waits for 2; there are tasks 0 to 1"),
    ],
)
def test_what_is_no_schedule_is_refused(case, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        viz.stream_schedule(*case)
