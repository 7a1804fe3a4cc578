"""Pictures of an architecture search: cells, curves, orders, and fronts that grow."""

from __future__ import annotations

import pytest

from lablib import viz

EDGES = [(0, 1, "conv3", False), (0, 3, "skip", True), (1, 3, "pool", True)]
RUNS = {
    "chance": [(2.0, 0.5), (1.0, 0.4), (3.0, 0.45), (1.5, 0.6)],
    "search": [(3.0, 0.3), (2.0, 0.9), (9.0, 1.0), (1.0, 0.2)],
}


def test_idle_edges_are_dotted_and_live_ones_solid() -> None:
    figure = viz.cell_graph({"small": (EDGES, {"FLOPs": "12"})}, title="What is idle?").figure
    assert [trace.line.dash for trace in figure.data[:3]] == ["dot", "solid", "solid"]
    assert [(trace.x[0], trace.x[-1]) for trace in figure.data[:3]] == [(0, 1), (0, 3), (1, 3)]
    assert {"conv3", "skip", "pool", "FLOPs: <b>12</b>"} == {note.text for note in figure.layout.annotations}


def test_a_slider_goes_from_cell_to_cell_and_leaves_no_edge_behind() -> None:
    figure = viz.cell_graph({"a": (EDGES, {}), "b": (EDGES[1:2], {"FLOPs": "0"})}, title="?").figure
    assert [step.label for step in figure.layout.sliders[0].steps] == ["a", "b"]
    first, second = figure.frames
    assert len(first.data) == len(second.data) == 4
    assert [trace.x for trace in second.data[1:3]] == [(None,), (None,)]


def test_a_line_has_one_colour_in_all_panels_and_one_entry_in_the_legend() -> None:
    panels = {"entropy": {"A": [1.6, 0.1], "B": [1.6, 1.2]}, "reward": {"B": [0.5, 0.7], "C": [0.1, 0.2]}}
    picture = viz.curves(panels, title="Who learns?", x="draw")
    a, b, again, c = picture.figure.data
    assert b.line.color == again.line.color and len({one.line.color for one in (a, b, c)}) == 3
    assert [trace.showlegend for trace in picture.figure.data] == [True, True, False, True]
    assert (again.xaxis, again.yaxis) == ("x2", "y2")
    assert "entropy, from the first draw to the last: A 1.6 to 0.1, B 1.6 to 1.2." in picture.summary


def test_each_panel_says_how_well_it_orders() -> None:
    picture = viz.against(
        {"FLOPs": ([1.0, 2.0], -1.0), "supernet": ([0.1, 0.2], 1.0)}, [0.9, 0.8], title="?", axis="accuracy"
    )
    assert [tuple(trace.y) for trace in picture.figure.data] == [(0.9, 0.8)] * 2
    assert picture.figure.layout.xaxis2.title.text == "supernet<br><b>τ = 1.00</b>"
    assert picture.summary.endswith("FLOPs -1.00, supernet 1.00.")


def test_a_front_is_a_staircase_of_what_was_asked_so_far() -> None:
    picture = viz.front_growth(RUNS, (8.0, 0.1), queries=[1, 4], x="latency", y="accuracy")
    before, after = picture.figure.frames
    assert (before.data[0].x, before.data[0].y) == ((2.0, 2.0, 8.0), (0.1, 0.5, 0.5))
    assert (after.data[0].x, after.data[0].y) == ((1.0, 1.0, 1.5, 8.0), (0.1, 0.4, 0.6, 0.6))
    assert after.data[1].x == (1.0, 1.0, 2.0, 8.0), "what costs more than the reference is left out"
    assert picture.summary.endswith("chance 1 and 2 points, search 1 and 2 points.")


@pytest.mark.parametrize("draw", [
    lambda: viz.cell_graph({}, title="?"),
    lambda: viz.cell_graph({"a": ([(2, 1, "skip", True)], {})}, title="?"),
    lambda: viz.curves({"entropy": {"A": []}}, title="?", x="draw"),
    lambda: viz.against({}, [1.0], title="?", axis="accuracy"),
    lambda: viz.against({"FLOPs": ([1.0, 2.0], 1.0)}, [1.0], title="?", axis="accuracy"),
    lambda: viz.front_growth(RUNS, (8.0, 0.1), queries=[5], x="latency", y="accuracy"),
])  # fmt: skip
def test_what_cannot_be_drawn_is_refused_in_a_sentence(draw: object) -> None:
    with pytest.raises(ValueError, match=r"needs|lead|give one"):
        draw()  # pyright: ignore[reportCallIssue]
