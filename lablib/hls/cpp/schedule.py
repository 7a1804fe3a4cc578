"""Give every operation its cycle.

All rules are differences between cycles (`graph`), so for a given II the earliest cycles are a longest path. What is
left to decide is the slot, the cycle modulo II, of operations that share a port or a unit: they are placed one after
the other, each in the first slot that is free, and a choice that leads nowhere is taken back. The search ends with the
least II at which everything fits, from the larger of two bounds on (B. R. Rau, Iterative Modulo Scheduling, 1994):

    ResMII = uses of a port or unit / how many there are      RecMII = latency of a cycle of edges / its distance
"""

from __future__ import annotations

from collections import Counter as Count
from dataclasses import dataclass
from heapq import heappop, heappush

from lablib.hls.cpp.graph import Graph

__all__ = ["Schedule", "modulo", "recurrence", "resource_bound", "straight"]

_MOST_STEPS = 300


@dataclass(frozen=True)
class Schedule:
    """The cycle of each operation of a block.

    Attributes
    ----------
    cycles
        In the order of the graph's values.
    depth
        Cycles from the first to the last.
    ii
        The initiation interval; the depth where the block is not pipelined.
    exact
        Whether every lower II was shown not to work, and not given up.
    """

    graph: Graph
    cycles: list[int]
    depth: int
    ii: int
    exact: bool = True


def straight(graph: Graph) -> Schedule:
    """The schedule of a block of which one run ends before the next begins."""
    found, _ = _Search(graph, None).run()
    assert found is not None
    depth = _depth(graph, found)
    return Schedule(graph, found, depth, depth)


def modulo(graph: Graph, least: int, most: int | None = None) -> Schedule | None:
    """The schedule with the least II that is at least `least`; None if that were more than `most`."""
    ii = max(least, resource_bound(graph)[0], 1)
    exact = True
    while most is None or ii <= most:
        found, complete = _Search(graph, ii).run()
        if found is not None:
            return Schedule(graph, found, _depth(graph, found), ii, exact)
        exact, ii = exact and complete, ii + 1
    return None


def _depth(graph: Graph, cycles: list[int]) -> int:
    return 1 + max(cycle for value, cycle in zip(graph.values, cycles, strict=True) if value.is_effect)


def resource_bound(graph: Graph) -> tuple[int, tuple[object, ...]]:
    """ResMII, and the port or unit that it comes from."""
    uses = Count(graph.resources.values())
    bounds = {key: -(-count // graph.limits[key]) for key, count in uses.items()}
    worst = max(bounds, key=lambda key: bounds[key], default=())
    return bounds.get(worst, 1), worst


def recurrence(graph: Graph) -> tuple[int, list[int]]:
    """RecMII, and the operations of a cycle of edges that it comes from."""
    low, high, cycle = 1, 2, _positive_cycle(graph, 1)
    if not cycle:
        return 1, []
    while _positive_cycle(graph, high):
        high *= 2
    while low + 1 < high:  # low is impossible, high is possible
        middle = (low + high) // 2
        found = _positive_cycle(graph, middle)
        low, high = (middle, high) if found else (low, middle)
        cycle = found or cycle
    return high, cycle


def _positive_cycle(graph: Graph, ii: int) -> list[int]:
    """Operations of a cycle of edges that would have to wait for themselves at this II; empty if there is none."""
    count = len(graph.values)
    times, parent = [0] * count, [-1] * count
    last = -1
    for _ in range(count + 1):
        last = -1
        for edge in graph.edges:
            earliest = times[edge.before] + edge.latency - ii * edge.distance
            if earliest > times[edge.after]:
                times[edge.after], parent[edge.after], last = earliest, edge.before, edge.after
        if last < 0:
            return []
    for _ in range(count):
        last = parent[last]
    cycle, at = [last], parent[last]
    while at != last:
        cycle.append(at)
        at = parent[at]
    return cycle[::-1]


class _Search:
    """The search for a schedule at one II; None is for a block that is not pipelined."""

    def __init__(self, graph: Graph, ii: int | None) -> None:
        self.graph, self.ii = graph, ii
        self.users: list[list[tuple[int, int]]] = [[] for _ in graph.values]
        for edge in graph.edges:
            if ii is not None or edge.distance == 0:
                self.users[edge.before].append((edge.after, edge.latency - (ii or 0) * edge.distance))
        self.first: list[int] = []
        self.slots: dict[int, int] = {}
        self.steps = 0
        self.height = self._heights()

    def _heights(self) -> list[int]:
        height = [0] * len(self.graph.values)
        for at in range(len(height) - 1, -1, -1):
            height[at] = max((weight + height[user] for user, weight in self.users[at] if user > at), default=0)
        return height

    def run(self) -> tuple[list[int] | None, bool]:
        """The cycles, and whether a failure is certain."""
        zero = [0] * len(self.graph.values)
        if self.ii is not None and _positive_cycle(self.graph, self.ii):
            return None, True
        times = self._pushed(zero, list(range(len(zero))))
        assert times is not None
        self.first = list(times)
        return self._place(times)

    def _place(self, first: list[int]) -> tuple[list[int] | None, bool]:
        """Depth first: each level of the stack has placed one operation more."""
        stack: list[tuple[int, list[int], list[int]]] = []
        times = first
        taken: Count[tuple[tuple[object, ...], int]] = Count()
        while True:
            at = self._next(times)
            if at is None:
                return times, True
            stack.append((at, times, self._candidates(at, times)))
            while True:
                if not stack:
                    return None, True
                at, before, candidates = stack[-1]
                if at in self.slots:
                    taken[self.graph.resources[at], self.slots.pop(at)] -= 1
                found = self._try(at, before, candidates, taken)
                if found is not None:
                    times = found
                    break
                if self.steps > _MOST_STEPS:
                    return None, False
                stack.pop()

    def _try(
        self, at: int, before: list[int], candidates: list[int], taken: Count[tuple[tuple[object, ...], int]]
    ) -> list[int] | None:
        key = self.graph.resources[at]
        while candidates:
            cycle = candidates.pop(0)
            slot = cycle if self.ii is None else cycle % self.ii
            if taken[key, slot] >= self.graph.limits[key]:
                if self.ii is None:
                    candidates.append(cycle + 1)
                continue
            self.steps += 1
            self.slots[at] = slot
            times = list(before)
            times[at] = cycle
            found = self._pushed(times, [at])
            if found is not None:
                taken[key, slot] += 1
                return found
            del self.slots[at]
        return None

    def _candidates(self, at: int, times: list[int]) -> list[int]:
        """Cycles to try: one for each slot, since later ones of the same slot only make everything later.

        The first operation needs only one: a schedule that is moved as a whole remains a schedule.
        """
        return [times[at] + more for more in range(self.ii if self.ii and self.slots else 1)]

    def _next(self, times: list[int]) -> int | None:
        """The earliest operation that has no slot yet, and of those the one before the longest path."""
        waiting = [at for at in self.graph.resources if at not in self.slots]
        return min(waiting, key=lambda at: (times[at], -self.height[at], at), default=None)

    def _pushed(self, times: list[int], changed: list[int]) -> list[int] | None:
        """The earliest cycles that keep all edges and slots; None if an operation would wait for itself."""
        waiting, queued = sorted(changed), set(changed)  # a heap: places are in the order of data
        while waiting:
            at = heappop(waiting)
            queued.discard(at)
            for user, weight in self.users[at]:
                earliest = times[at] + weight
                if earliest <= times[user]:
                    continue
                if user in self.slots:
                    if self.ii is None:
                        return None
                    earliest += (self.slots[user] - earliest) % self.ii
                # A slot delays what follows by less than II: what is later than all slots together waits for itself.
                if self.first and earliest > self.first[user] + (self.ii or earliest) * len(self.slots):
                    return None
                times[user] = earliest
                if user not in queued:
                    queued.add(user)
                    heappush(waiting, user)
        return times
