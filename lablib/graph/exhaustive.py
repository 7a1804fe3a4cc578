"""The best that there is, found by trying: for small graphs, few tasks and small loops."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Sequence
from typing import Any

from lablib.graph.ir import Graph, nbytes, types
from lablib.graph.ops import POINTWISE
from lablib.graph.streams import longest_ways

__all__ = ["earliest_end", "fewest_bytes", "in_order_of_dependences"]

Waits = Sequence[Sequence[int]]


def fewest_bytes(graph: Graph) -> int:
    """The fewest bytes that kernels of a graph move, of all groupings (877 for 7 nodes).

    Parameters
    ----------
    graph
        At most 8 nodes, no view among them, all tensors of one size.

    Examples
    --------
    >>> from lablib.graph import parse
    >>> lines = "x: float32 (4, 4); w: float32 (4, 4); a = relu(x); c = matmul(a, w); d = add(a, c); return d"
    >>> fewest_bytes(parse(lines))
    384
    """
    nodes = {node["name"]: node for node in graph["nodes"]}
    readers: dict[str, set[str | None]] = {
        name: {node["name"] for node in graph["nodes"] if name in node["inputs"]} for name in nodes
    }
    for name in set(graph["outputs"]) & set(nodes):
        readers[name].add(None)
    moved: dict[tuple[str, ...], float] = {}
    best = math.inf
    for parts in _partitions(list(nodes)):
        for part in map(tuple, parts):
            if part not in moved:
                moved[part] = _tensors_moved(part, nodes, readers)
        total = sum(moved[tuple(part)] for part in parts)
        if total < best and _can_run(graph, {name: place for place, part in enumerate(parts) for name in part}):
            best = total
    sizes = {nbytes(*kind) for kind in types(graph).values()}
    if len(sizes) > 1:
        raise ValueError(f"All tensors have to have one size; this graph's have {sorted(sizes)} bytes.")
    return int(best) * sizes.pop()


def _partitions(items: list[str]) -> Iterator[list[list[str]]]:
    """All ways to put items into groups."""
    if not items:
        yield []
        return
    for rest in _partitions(items[1:]):
        yield [[items[0]], *rest]
        for place in range(len(rest)):
            yield [*rest[:place], [items[0], *rest[place]], *rest[place + 1 :]]


def _tensors_moved(group: tuple[str, ...], nodes: dict[str, Any], readers: dict[str, set[str | None]]) -> float:
    """How many tensors a kernel reads and writes; infinitely many if the nodes are none."""
    anchors = [name for name in group if nodes[name]["op"] not in POINTWISE]
    if len(anchors) > 1 or any(i in group for name in anchors for i in nodes[name]["inputs"]):
        return math.inf
    read = sum(len(set(nodes[name]["inputs"])) for name in anchors)
    read += len({i for name in group if name not in anchors for i in nodes[name]["inputs"]} - set(group))
    return read + sum(not readers[name] <= set(group) for name in group)


def _can_run(graph: Graph, unit: dict[str, int]) -> bool:
    """Whether kernels can run one after the other."""
    waits: dict[int, set[int]] = {}
    for node in graph["nodes"]:
        mine = waits.setdefault(unit[node["name"]], set())
        mine |= {unit[i] for i in node["inputs"] if i in unit} - {unit[node["name"]]}
    while waits:
        ready = [number for number, others in waits.items() if not others]
        if not ready:
            return False
        waits = {number: others.difference(ready) for number, others in waits.items() if others}
    return True


def earliest_end(durations: Sequence[int], waits: Waits, streams: int) -> int:
    """The earliest end of all schedules of at most a dozen tasks, found by starting them in every order.

    Parameters
    ----------
    durations, waits
        As `lablib.graph.streams.conflicts` has them.

    Examples
    --------
    >>> earliest_end([2, 2, 1, 3], [[], [], [], [2]], 2)
    4
    """
    ways = longest_ways(durations, waits)
    masks = [sum(1 << other for other in others) for others in waits]
    least, most, ends = max(max(ways), -(-sum(durations) // streams)), sum(durations), [0] * len(durations)
    order = sorted(range(len(durations)), key=lambda task: -ways[task])

    def extend(done: int, free: tuple[int, ...], left: int, last: int) -> None:
        nonlocal most
        if not left:
            most = min(most, max(free))
        if most == least or not left or -(-(sum(free) + left) // streams) >= most:
            return
        for task in order:
            if done >> task & 1 or masks[task] & ~done:
                continue
            start = max(free[0], max((ends[other] for other in waits[task]), default=0))
            if start >= last and start + ways[task] < most:
                ends[task] = start + durations[task]
                extend(done | 1 << task, tuple(sorted((*free[1:], ends[task]))), left - durations[task], start)

    extend(0, (0,) * streams, sum(durations), 0)
    return most


def in_order_of_dependences(
    vectors: Sequence[Sequence[int]], order: Sequence[int], tiled: Sequence[int] = (), size: int = 4, tile: int = 2
) -> bool:
    """Whether loops over a small box run every iteration after those that it depends on.

    Parameters
    ----------
    vectors
        Dependence vectors, a number for each loop.
    order
        The loops from the outermost.
    tiled
        Of these, loops that stand next to each other and are cut into tiles: first over tiles, then inside.
    size, tile
        Iterations of each loop, and of a tile.

    Examples
    --------
    >>> in_order_of_dependences([(1, -1), (0, 1)], (0, 1)), in_order_of_dependences([(1, -1), (0, 1)], (1, 0))
    (True, False)
    """
    first = list(order).index(tiled[0]) if tiled else 0

    def moment(place: tuple[int, ...]) -> tuple[int, ...]:
        inside = [place[loop] for loop in order]
        return (*inside[:first], *(place[loop] // tile for loop in tiled), *inside[first:])

    box = set(itertools.product(range(size), repeat=len(order)))
    return all(
        before not in box or moment(before) < moment(place)
        for place in box
        for before in (tuple(a - b for a, b in zip(place, vector, strict=True)) for vector in vectors)
    )
