"""What a graph costs: FLOPs and bytes of each node, and the kernels that remain when nodes are fused.

A node that is no view is one kernel: it reads its inputs from memory and writes its result, as `lablib.gpu.ledger`
counts. A group of nodes shares one kernel: at most one node that is not pointwise, its *anchor*, whose results it goes
on computing with while they are in registers. It reads what the anchor reads, and each tensor from outside that the
pointwise nodes need, once; it writes only what somebody outside needs.
"""

from __future__ import annotations

from collections.abc import Sequence
from graphlib import CycleError, TopologicalSorter
from heapq import heappop, heappush
from typing import Any

from torch import Tensor, nn

from lablib.gpu.ledger import Row, ledger
from lablib.gpu.operation import distinct_nbytes, place_of
from lablib.graph.ir import Graph, bases, metas, nbytes, types
from lablib.graph.ops import POINTWISE, VIEWS, compute

__all__ = ["costs", "kernel_bytes", "kernels", "traffic"]

Kernel = dict[str, Any]


class _Call(nn.Module):
    """One node as a module, so that the ledger can count it."""

    def __init__(self, node: dict[str, Any], made: dict[str, Tensor], constants: set[str]) -> None:
        super().__init__()
        self.node, self.constants = node, constants
        for place, name in enumerate(node["inputs"]):
            if name in constants:
                self.register_buffer(f"constant_{place}", made[name])
        self.given = [made[name] for name in node["inputs"] if name is not None and name not in constants]

    def forward(self, *given: Tensor) -> Tensor:
        rest = iter(given)
        inputs = [
            None if name is None else getattr(self, f"constant_{place}") if name in self.constants else next(rest)
            for place, name in enumerate(self.node["inputs"])
        ]
        return compute(self.node["op"], inputs, self.node["attributes"], device="meta")


def costs(graph: Graph) -> dict[str, Row]:
    """FLOPs and bytes of each node, by name; zeros for a view.

    Returns
    -------
    dict of str to Row
        As `lablib.gpu.ledger` has them; constants count as parameters. A node that torch runs as several operations
        (a product that first copies a factor) has their sum.

    Examples
    --------
    >>> import torch
    >>> node = {"name": "y", "op": "linear", "inputs": ["x", "w"], "attributes": {}}
    >>> graph = {"inputs": {"x": ((2, 3), torch.float32)}, "constants": {"w": torch.zeros(4, 3)}, "nodes": [node],
    ...          "outputs": ["y"]}
    >>> costs(graph)["y"].flops, costs(graph)["y"].bytes
    (48, 104)
    """
    made, found = metas(graph), {}
    constants = {name for name, base in bases(graph).items() if base in graph["constants"]}
    for node in graph["nodes"]:
        call = _Call(node, made, constants)
        found[node["name"]] = ledger(call, *call.given).total
    return found


def kernels(graph: Graph, groups: Sequence[Sequence[str]] = ()) -> list[Kernel]:
    """The kernels of a graph, in an order in which they can run.

    Parameters
    ----------
    groups
        Names of nodes that share a kernel: pointwise ones, and at most one other, which none of them feeds. Every other
        node that is no view has its own.

    Returns
    -------
    list of dict
        ``nodes`` are the names of its nodes in order; ``reads`` and ``writes`` the names of those whose memory it
        touches. A view has the memory of what it shows, so ``reads`` never names one; inputs and constants of the
        graph stand in ``reads`` too.

    Raises
    ------
    ValueError
        If a group is none: a node that is unknown, a view, or in two groups; two anchors, or one that another member
        feeds; results of different shapes; or kernels that wait for each other.

    Examples
    --------
    >>> import torch
    >>> chain = [{"name": b, "op": "relu", "inputs": [a], "attributes": {}} for a, b in ("xy", "yz")]
    >>> graph = {"inputs": {"x": ((2,), torch.float32)}, "constants": {}, "nodes": chain, "outputs": ["z"]}
    >>> kernels(graph, [["y", "z"]])
    [{'nodes': ['y', 'z'], 'reads': ['x'], 'writes': ['z']}]
    """
    unit = _units(graph, groups)
    base = bases(graph)
    order = _ordered(graph, unit)
    members: dict[int, list[dict[str, Any]]] = {}
    for node in graph["nodes"]:
        members.setdefault(unit[node["name"]], []).append(node)
    needed = _needed_outside(graph, unit)
    result = []
    for one in order:
        nodes = members[one]
        if nodes[0]["op"] in VIEWS:
            continue
        names = [node["name"] for node in nodes]
        reads = dict.fromkeys(base[i] for node in nodes for i in node["inputs"] if i is not None)
        result.append({
            "nodes": names, "reads": [name for name in reads if name not in names],
            "writes": [name for name in names if name in needed or len(names) == 1],
        })  # fmt: skip
    return result


def traffic(graph: Graph, groups: Sequence[Sequence[str]] = ()) -> int:
    """Bytes that the kernels of a graph read and write, views free.

    Examples
    --------
    >>> import torch
    >>> chain = [{"name": b, "op": "relu", "inputs": [a], "attributes": {}} for a, b in ("xy", "yz")]
    >>> graph = {"inputs": {"x": ((2,), torch.float32)}, "constants": {}, "nodes": chain, "outputs": ["z"]}
    >>> traffic(graph), traffic(graph, [["y", "z"]])
    (32, 16)
    """
    return sum(kernel_bytes(graph, groups))


def kernel_bytes(graph: Graph, groups: Sequence[Sequence[str]] = ()) -> list[int]:
    """Bytes of each kernel, in the order of `kernels`."""
    each, made, found = costs(graph), metas(graph), []
    nodes = {node["name"]: node for node in graph["nodes"]}
    for kernel in kernels(graph, groups):
        names = kernel["nodes"]
        if len(names) == 1:
            found.append(each[names[0]].bytes)
            continue
        anchors = [name for name in names if nodes[name]["op"] not in POINTWISE]
        reads = sum(each[name].bytes - each[name].written_bytes for name in anchors)
        outside = {i for name in names if name not in anchors for i in nodes[name]["inputs"] if i not in (None, *names)}
        # Two views that show the same numbers are read once.
        tensors = {place_of(made[name]): made[name] for name in outside}
        reads += sum(map(distinct_nbytes, tensors.values()))
        found.append(reads + sum(nbytes(tuple(made[name].shape), made[name].dtype) for name in kernel["writes"]))
    return found


def _units(graph: Graph, groups: Sequence[Sequence[str]]) -> dict[str, int]:
    """Number of the kernel, or of the view, that each node belongs to."""
    nodes = {node["name"]: node for node in graph["nodes"]}
    kinds, unit = types(graph), {}
    for number, group in enumerate(groups):
        for name in group:
            if name not in nodes or nodes[name]["op"] in VIEWS:
                raise ValueError(f"A group holds nodes that compute; {name!r} is none.")
            if name in unit:
                raise ValueError(f"The node {name!r} stands in more than one group, or twice in one.")
            if kinds[name][0] != kinds[group[0]][0]:
                raise ValueError(
                    f"{group[0]!r} has shape {kinds[group[0]][0]} and {name!r} {kinds[name][0]}: "
                    "one kernel runs over one shape."
                )
            unit[name] = number
        _check_anchor(group, nodes)
    for number, name in enumerate(nodes, len(groups)):
        unit.setdefault(name, number)
    return unit


def _check_anchor(group: Sequence[str], nodes: dict[str, dict[str, Any]]) -> None:
    anchors = [name for name in group if nodes[name]["op"] not in POINTWISE]
    if len(anchors) > 1:
        raise ValueError(f"{anchors[0]!r} and {anchors[1]!r} are both not pointwise: one kernel has one such loop.")
    fed = [name for name in anchors for i in nodes[name]["inputs"] if i in group]
    if fed:
        raise ValueError(
            f"{fed[0]!r} is not pointwise and reads what its own kernel computes: that is not all there yet."
        )


def _ordered(graph: Graph, unit: dict[str, int]) -> list[int]:
    """Kernels and views in an order in which they can run; earlier nodes first where there is a choice."""
    waits: dict[int, set[int]] = {}
    for node in graph["nodes"]:
        mine = waits.setdefault(unit[node["name"]], set())
        mine |= {unit[i] for i in node["inputs"] if i in unit} - {unit[node["name"]]}
    sorter = TopologicalSorter(waits)
    try:
        sorter.prepare()
    except CycleError as error:
        stuck = [name for name, number in unit.items() if number in error.args[1]]
        raise ValueError(f"These kernels wait for each other, so that none can start: {', '.join(stuck)}.") from None
    place = {one: number for number, one in enumerate(waits)}
    ready: list[tuple[int, int]] = []
    order: list[int] = []
    while sorter.is_active():
        for one in sorter.get_ready():
            heappush(ready, (place[one], one))
        order.append(heappop(ready)[1])
        sorter.done(order[-1])
    return order


def _needed_outside(graph: Graph, unit: dict[str, int]) -> set[str]:
    needed = set(graph["outputs"])
    for node in graph["nodes"]:
        needed |= {i for i in node["inputs"] if i in unit and unit[i] != unit[node["name"]]}
    return needed
