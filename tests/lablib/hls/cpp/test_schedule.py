"""The scheduler finds the least II that there is: an exhaustive search on small graphs finds no lower one."""

from __future__ import annotations

from collections import Counter as Count
from itertools import product

from hypothesis import assume, given, settings
from hypothesis import strategies as st

from lablib.hls.cpp.graph import Edge, Graph
from lablib.hls.cpp.ir import Value
from lablib.hls.cpp.library import Timing
from lablib.hls.cpp.schedule import modulo, recurrence, resource_bound, straight

MOST = 6


def store() -> Value:
    return Value("store", (), 0, 0, 0)


@st.composite
def graphs(draw: st.DrawFn) -> Graph:
    """Operations on one port or two, with edges onwards of distance 0 and edges anywhere of distance 1 or 2."""
    count = draw(st.integers(2, MOST))
    edges = []
    for _ in range(draw(st.integers(1, 2 * count))):
        before, after = draw(st.integers(0, count - 1)), draw(st.integers(0, count - 1))
        distance = draw(st.integers(0, 2))
        if before < after or distance:
            edges.append(Edge(before, after, draw(st.integers(0, 3)), distance))
    resources = {at: (key,) for at in range(count) if (key := draw(st.sampled_from(["", "a", "b"])))}
    limits = {("a",): draw(st.integers(1, 2)), ("b",): 1}
    return Graph([store() for _ in range(count)], [Timing(0, 0.0)] * count, edges, dict(resources), limits)


def exists(graph: Graph, ii: int) -> bool:
    """Whether any cycles at all keep every edge and every port: each choice of slots is tried.

    The first operation at a port may have slot 0, since a schedule that is moved as a whole remains one.
    """
    users = sorted(graph.resources)
    for rest in product(range(ii), repeat=max(len(users) - 1, 0)):
        slots = dict(zip(users, (0, *rest), strict=False))
        taken = Count((graph.resources[at], slot) for at, slot in slots.items())
        if all(taken[key] <= graph.limits[key[0]] for key in taken) and _fits(graph, ii, slots):
            return True
    return False


def _fits(graph: Graph, ii: int, slots: dict[int, int]) -> bool:
    """Whether there are cycles for these slots: the earliest, pushed on until all edges hold or one never will."""
    times = [slots.get(at, 0) for at in range(len(graph.values))]
    end = sum(edge.latency for edge in graph.edges) + ii * len(times)  # no path that visits nothing twice is longer
    moved = True
    while moved:
        moved = False
        for edge in graph.edges:
            earliest = times[edge.before] + edge.latency - ii * edge.distance
            if earliest > times[edge.after]:
                if edge.after in slots:
                    earliest += (slots[edge.after] - earliest) % ii
                times[edge.after], moved = earliest, True
                if earliest > end:
                    return False
    return True


@settings(max_examples=500, deadline=None, derandomize=True)
@given(graphs())
def test_no_lower_ii_exists(graph: Graph) -> None:
    found = modulo(graph, recurrence(graph)[0])
    assert found is not None
    assert found.exact
    assert keeps(graph, found.cycles, found.ii)
    assert exists(graph, found.ii)
    assume(found.ii > 1)
    assert not exists(graph, found.ii - 1)


def keeps(graph: Graph, cycles: list[int], ii: int) -> bool:
    """Whether these cycles keep every edge and every port."""
    slots = [(graph.resources[at], cycles[at] % ii) for at in graph.resources]
    edges = all(cycles[e.after] + ii * e.distance >= cycles[e.before] + e.latency for e in graph.edges)
    return edges and all(slots.count(slot) <= graph.limits[slot[0]] for slot in slots)


def test_ports_and_recurrences_bound_ii() -> None:
    edges = [Edge(0, 1, 1), Edge(1, 2, 2), Edge(2, 0, 1, 1)]
    graph = Graph([store() for _ in range(3)], [Timing(0, 0.0)] * 3, edges, {0: ("a",), 2: ("a",)}, {("a",): 1})
    assert resource_bound(graph) == (2, ("a",))
    assert recurrence(graph)[0] == 4
    found = modulo(graph, 4)
    assert found is not None
    assert (found.ii, found.cycles) == (4, [0, 1, 3])


def test_a_port_is_taken_once_a_cycle() -> None:
    graph = Graph(
        [store() for _ in range(4)], [Timing(0, 0.0)] * 4, [Edge(0, 3, 1)], {at: ("a",) for at in range(4)}, {("a",): 1}
    )
    assert sorted(straight(graph).cycles) == [0, 1, 2, 3]
    assert straight(graph).depth == 4
