from __future__ import annotations

import numpy as np
import pytest

from lablib import viz
from lablib.data.graphs import karate_club
from lablib.viz.hops import _graph, _places

PATH = ([0, 1, 3, 5, 6], [1, 0, 2, 1, 3, 2])  # 0 - 1 - 2 - 3


def test_each_hop_hears_the_neighbours_of_the_hop_before():
    figure = viz.message_passing(*PATH, start=0, hops=2).figure
    groups = [[list(trace.text) for trace in frame.data[1:]] for frame in figure.frames]
    assert groups == [[["1", "2", "3"], [], ["0"]], [["2", "3"], ["0"], ["1"]], [["3"], ["0", "1"], ["2"]]]
    assert figure.frames[2].layout.title.subtitle.text == "3 of 4 nodes after 2 hops, 1 of them new."
    carried = figure.frames[2].data[0]
    assert len(carried.x) == 3, "one edge carries news at the second hop"


def test_nodes_are_counted_as_powers_of_the_matrix_count_them():
    club = karate_club()
    matrix = np.eye(34)
    matrix[np.repeat(np.arange(34), club.offsets.diff()), club.columns] = 1
    counts = [int((np.linalg.matrix_power(matrix, hop)[11] > 0).sum()) for hop in (1, 2, 3, 4)]
    picture = viz.message_passing(club.offsets.tolist(), club.columns.tolist(), start=11, hops=4)
    heard = "; ".join(f"after {hop} hop{'s' if hop > 1 else ''} {n}" for hop, n in enumerate(counts, 1))
    assert picture.summary == f"Node 11 has heard, of 34 nodes: itself; {heard}."


def test_nodes_stand_apart_inside_the_square_and_always_in_the_same_place():
    club = karate_club()
    edges = np.stack([np.repeat(np.arange(34), club.offsets.diff()), club.columns.numpy()], axis=1)
    at = _places(_graph(34, edges))
    np.testing.assert_array_equal(at, _places(_graph(34, edges)))
    assert at.min() >= 0 and at.max() <= 1
    apart = np.linalg.norm((at[:, None] - at[None]) * [712, 360], axis=2) + 1e9 * np.eye(34)
    assert apart.min() > 20, "two nodes print over one another"


def test_a_node_that_nobody_reaches_is_never_heard():
    picture = viz.message_passing([0, 1, 2, 2], [1, 0], start=0, hops=3)
    assert picture.summary == "Node 0 has heard, of 3 nodes: itself; after 1 hop 2; after 2 hops 2; after 3 hops 2."


@pytest.mark.parametrize(("start", "hops"), [(4, 1), (-1, 1), (0, 0)])
def test_what_cannot_be_drawn_is_refused(start, hops):
    with pytest.raises(ValueError, match=f"got 4 nodes, start {start}, {hops}"):
        viz.message_passing(*PATH, start=start, hops=hops)
