"""Which operation waits for which, as differences between cycles.

An edge says: `after` starts at least `latency` cycles later than `before`, `distance` iterations on. There are four
kinds of them. Data: a result is there when its operation is done. Chains: operations that together take longer than
the clock period lie in different cycles. Variables: the next iteration reads what this one has put into a register.
Memories: a load finds what was stored before it, and what will be stored later not yet.
"""

from __future__ import annotations

from collections import Counter as Count
from dataclasses import dataclass
from itertools import product

from lablib.hls.cpp.arrays import affine
from lablib.hls.cpp.ir import Block, Loop, Value
from lablib.hls.cpp.library import Library, Timing, is_product

__all__ = ["Edge", "Graph", "graph_of"]

_MOST_ITERATIONS = 100_000


@dataclass(frozen=True)
class Edge:
    """Cycle of `after` + II · distance ≥ cycle of `before` + latency."""

    before: int
    after: int
    latency: int
    distance: int = 0


@dataclass(frozen=True)
class Graph:
    """The operations of a block, and what holds between their cycles.

    Attributes
    ----------
    values, timing
        The operations, each behind its arguments, and how long each takes.
    edges
        Between places in `values`.
    resources
        By place in `values`, the unit or port that the operation takes for a cycle.
    limits
        How many of each unit or port there are.
    """

    values: list[Value]
    timing: list[Timing]
    edges: list[Edge]
    resources: dict[int, tuple[object, ...]]
    limits: dict[tuple[object, ...], int]


def graph_of(block: Block, library: Library, limits: dict[str, int], loop: Loop | None, ii: int = 1) -> Graph:
    """The graph of a block.

    Parameters
    ----------
    limits
        What ALLOCATION allows.
    loop
        The pipelined loop whose body it is, if it is one.
    ii
        Let equal products share as few multipliers as this II takes.
    """
    values = block.values
    place = {value: at for at, value in enumerate(values)}
    latencies = [_latency(value, block, library, limits) for value in values]
    keys = [_resource(value, latency, limits, ii) for value, latency in zip(values, latencies, strict=True)]
    counts = Count(keys)
    allowed = {key: _allowed(key, count, limits, ii) for key, count in counts.items() if key}
    resources = {at: key for at, key in enumerate(keys) if key and (key[0] != "mul" or allowed[key] < counts[key])}
    timing = []
    for at, (value, latency) in enumerate(zip(values, latencies, strict=True)):
        shared = resources.get(at)
        choices = -(-counts[shared] // allowed[shared]) if shared else 1
        timing.append(library.timing(value, latency, choices))
    edges = [
        Edge(place[each], at, timing[place[each]].latency)
        for at, value in enumerate(values)
        for each in dict.fromkeys(value.arguments)
        if each in place
    ]
    edges += _chains(values, timing, edges, library.budget)
    edges += _variables(values, place, loop is not None)
    edges += _memories(block, place, loop)
    return Graph(values, timing, edges, resources, allowed)


def _latency(value: Value, block: Block, library: Library, limits: dict[str, int]) -> int:
    """Cycles of an operation: what BIND_OP says, or what the clock needs; what is shared has a register behind it."""
    asked, implementation = block.bound.get(value, (None, ""))
    library.check(value, implementation)
    found = library.timing(value).latency if asked is None else asked
    return max(found, 1) if value.kind in limits and (value.kind != "mul" or is_product(value)) else found


def _resource(value: Value, latency: int, limits: dict[str, int], ii: int) -> tuple[object, ...]:
    """The port or kind of unit that an operation takes; empty if it has one of its own."""
    if value.kind in ("load", "store"):
        return ("read" if value.kind == "load" else "write", value.data)
    if value.kind in ("add", "sub") and value.kind in limits:
        return (value.kind, latency)
    if is_product(value) and latency and ("mul" in limits or ii > 1):
        return ("mul", latency) if "mul" in limits else ("mul", *sorted(each.bits for each in value.arguments), latency)
    return ()


def _allowed(key: tuple[object, ...], count: int, limits: dict[str, int], ii: int) -> int:
    if key[0] in ("read", "write"):
        return 1
    return limits[str(key[0])] if str(key[0]) in limits else -(-count // ii)


def _chains(values: list[Value], timing: list[Timing], edges: list[Edge], budget: float) -> list[Edge]:
    """For each operation, the first ones behind it that do not fit into the same cycle."""
    users: list[list[int]] = [[] for _ in values]
    for edge in edges:
        users[edge.before].append(edge.after)
    found = []
    for start, own in enumerate(timing):
        arrival = {start: own.exit if own.latency else own.entry}
        waiting = [start]
        while waiting:
            at = min(waiting)  # places are in the order of data
            waiting.remove(at)
            for user in users[at]:
                total = arrival[at] + timing[user].entry
                if total > budget + 1e-9:
                    found.append(Edge(start, user, own.latency + 1))
                elif timing[user].latency == 0 and total > arrival.get(user, -1.0):
                    arrival[user] = total
                    if user not in waiting:
                        waiting.append(user)
    return list(dict.fromkeys(found))


def _variables(values: list[Value], place: dict[Value, int], pipelined: bool) -> list[Edge]:
    gets = {value.data: place[value] for value in values if value.kind == "get"}
    found = []
    for value in values:
        if value.kind == "put" and value.data in gets:
            found.append(Edge(gets[value.data], place[value], 0))
            if pipelined:
                found.append(Edge(place[value], gets[value.data], 1, 1))
    return found


def _memories(block: Block, place: dict[Value, int], loop: Loop | None) -> list[Edge]:
    accesses = [each for each in block.accesses if each in place]
    addresses = {each: _addresses(each, loop) for each in accesses}
    found = []
    for (first, x), (second, y) in product(enumerate(accesses), repeat=2):
        if x.data is not y.data or "store" not in (x.kind, y.kind):
            continue
        latency = 1 if x.kind == "store" else 0
        if first < second and _meet(x, y, addresses):
            found.append(Edge(place[x], place[y], latency))
        if loop is not None and x is not y:
            distance = _distance(addresses[x], addresses[y], loop)
            if distance:
                found.append(Edge(place[x], place[y], latency, distance))
    return found


def _addresses(access: Value, loop: Loop | None) -> list[int] | None:
    """The address in each iteration, where it follows from the counters alone."""
    terms, constant = affine(access.arguments[0])
    counters = {counter.variable: counter for counter in loop.counters} if loop else {}
    if loop is None or loop.trip > _MOST_ITERATIONS:
        return None
    if any(term.kind != "get" or term.data not in counters for term in terms):
        return None
    weights = {term.data: weight for term, weight in terms.items()}
    steps = [
        [weights.get(each.variable, 0) * (each.first + each.step * turn) for turn in range(each.trip)]
        for each in loop.counters
    ]
    return [constant + sum(turn) for turn in product(*steps)]


def _meet(x: Value, y: Value, addresses: dict[Value, list[int] | None]) -> bool:
    """Whether two accesses of one iteration may be to one address."""
    left, right = addresses[x], addresses[y]
    if left is not None and right is not None:
        return any(one == other for one, other in zip(left, right, strict=True))
    (first, constant), (second, other) = affine(x.arguments[0]), affine(y.arguments[0])
    return first != second or constant == other


def _distance(x: list[int] | None, y: list[int] | None, loop: Loop) -> int:
    """After how many iterations, at the soonest, y comes to an address at which x has been; 0 for never."""
    if loop.trip == 1:
        return 0
    if x is None or y is None:
        return 1
    last: dict[int, int] = {}
    nearest = 0
    for turn, (own, other) in enumerate(zip(x, y, strict=True)):
        if other in last:
            apart = turn - last[other]
            nearest = min(nearest, apart) if nearest else apart
        last[own] = turn
    return nearest
