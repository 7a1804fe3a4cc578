"""The best that is found by trying, against what can be said beforehand."""

from __future__ import annotations

import pytest

from lablib.graph import parse, traffic
from lablib.graph.exhaustive import earliest_end, fewest_bytes, in_order_of_dependences
from lablib.graph.streams import conflicts, graham_bound


def test_fewest_bytes_are_reached_by_a_grouping() -> None:
    graph = parse("x: float32 (4, 4); a = exp(x); b = tanh(x); c = add(a, b); d = matmul(c, x); return d")
    assert fewest_bytes(graph) == traffic(graph, [["a", "b", "c"]]) == 64 * 5
    with pytest.raises(ValueError, match="one size"):
        fewest_bytes(parse("x: float32 (4, 4); a = mean(x, dim=[0], keepdim=False); return a"))


def test_the_earliest_end() -> None:
    durations, waits = [3, 3, 2, 2, 2], [[] for _ in range(5)]
    assert earliest_end(durations, waits, 2) == 6  # longest first ends at 7
    assert earliest_end(durations, waits, 1) == sum(durations)
    chain = [[], [0], [1], [2], [3]]
    assert earliest_end(durations, chain, 3) == graham_bound(durations, chain, 1) == 12


def test_conflicts_are_named() -> None:
    assert conflicts([1], [[]], []) == ["0 tasks are placed; there are 1."]
    assert conflicts([1], [[]], [(0, -1)]) == ["task 0 starts before 0."]


def test_tiles_of_a_wavefront() -> None:
    assert in_order_of_dependences([(1, 0), (0, 1)], (0, 1), tiled=(0, 1))
    assert not in_order_of_dependences([(1, -1)], (0, 1), tiled=(0, 1))
    assert in_order_of_dependences([(1, 1, -1)], range(3), tiled=(1, 2))
