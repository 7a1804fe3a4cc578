"""How long results live, and whether a plan of where they lie in one piece of memory holds.

A result is held from the kernel that writes it to the last one that reads it, both included; what the graph returns, to
the end. Inputs and constants lie elsewhere. The most bytes that live at once are a lower bound of any plan.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from lablib.graph.cost import kernels as kernels_of
from lablib.graph.execute import given
from lablib.graph.ir import Graph, apply, bases, metas, nbytes, types
from lablib.graph.ops import VIEWS

__all__ = ["live_bytes", "memory_job", "overlaps", "run_in_arena"]


def memory_job(
    graph: Graph, groups: Sequence[Sequence[str]] = ()
) -> tuple[list[dict[str, Any]], dict[str, int], list[str]]:
    """What a planner of memory is given: kernels in order, bytes of each result, and results that the graph returns.

    Examples
    --------
    >>> from lablib.graph import parse
    >>> memory_job(parse("x: float32 (4, 4); a = relu(x); v = view(a, shape=[16]); return v"))
    ([{'nodes': ['a'], 'reads': ['x'], 'writes': ['a']}], {'a': 64}, ['a'])
    """
    order, base, kinds = kernels_of(graph, groups), bases(graph), types(graph)
    written = [name for kernel in order for name in kernel["writes"]]
    kept = [base[name] for name in graph["outputs"] if base[name] in written]
    return order, {name: nbytes(*kinds[name]) for name in written}, kept


def _spans(kernels: Sequence[Mapping[str, Any]], outputs: Sequence[str]) -> dict[str, tuple[int, int]]:
    first = {name: place for place, kernel in enumerate(kernels) for name in kernel["writes"]}
    last = dict(first)
    for place, kernel in enumerate(kernels):
        last.update({name: place for name in kernel["reads"] if name in first})
    last.update({name: len(kernels) - 1 for name in outputs if name in first})
    return {name: (first[name], last[name]) for name in first}


def live_bytes(kernels: Sequence[Mapping[str, Any]], sizes: Mapping[str, int], outputs: Sequence[str]) -> list[int]:
    """Bytes of the results that have to be held while each kernel runs.

    Parameters
    ----------
    kernels
        As `lablib.graph.kernels` gives them.
    sizes
        Bytes of each result.
    outputs
        Names whose memory the graph returns.

    Examples
    --------
    >>> chain = [{"reads": ["x"], "writes": ["a"]}, {"reads": ["a"], "writes": ["b"]}]
    >>> live_bytes(chain, {"a": 8, "b": 4}, ["b"])
    [8, 12]
    """
    spans = _spans(kernels, outputs)
    return [sum(sizes[n] for n, (a, b) in spans.items() if a <= place <= b) for place in range(len(kernels))]


def overlaps(
    kernels: Sequence[Mapping[str, Any]], offsets: Mapping[str, int], sizes: Mapping[str, int], outputs: Sequence[str]
) -> list[str]:
    """What is wrong with a plan, as sentences: results without a place, and pairs that share bytes while both live.

    Examples
    --------
    >>> chain = [{"reads": ["x"], "writes": ["a"]}, {"reads": ["a"], "writes": ["b"]}]
    >>> overlaps(chain, {"a": 0, "b": 4}, {"a": 8, "b": 4}, ["b"])
    ['a (bytes 0 to 8, kernels 0 to 1) and b (bytes 4 to 8, kernels 1 to 1) share bytes.']
    """
    spans = _spans(kernels, outputs)
    found = [f"{name} has no place." for name in spans if name not in offsets]
    placed = [name for name in spans if name in offsets]
    for number, one in enumerate(placed):
        for other in placed[number + 1 :]:
            apart_in_time = spans[one][1] < spans[other][0] or spans[other][1] < spans[one][0]
            apart = offsets[one] + sizes[one] <= offsets[other] or offsets[other] + sizes[other] <= offsets[one]
            if not apart_in_time and not apart:
                told = (
                    f"{n} (bytes {offsets[n]} to {offsets[n] + sizes[n]}, kernels {spans[n][0]} to {spans[n][1]})"
                    for n in (one, other)
                )
                found.append(f"{' and '.join(told)} share bytes.")
    return found


def run_in_arena(
    graph: Graph, kernels: Sequence[Mapping[str, Any]], offsets: Mapping[str, int], *inputs: Tensor
) -> list[Tensor]:
    """Run a graph with every result in one piece of memory, at the offset that a plan gives it.

    A plan that lets two results share bytes while both are needed computes something else: nothing here prevents it.

    Parameters
    ----------
    offsets
        In bytes, a multiple of 64 for each name that a kernel writes.

    Returns
    -------
    list of Tensor
        What the graph returns, as it stands in memory after the last kernel.

    Raises
    ------
    ValueError
        If the graph has more inputs, or fewer.
    """
    nodes = {node["name"]: node for node in graph["nodes"]}
    shapes = metas(graph)
    ends = [offsets[name] + _extent(shapes[name]) for kernel in kernels for name in kernel["writes"]]
    arena = torch.full((max(ends, default=0),), 255, dtype=torch.uint8)  # NaN, where nothing was written
    values = given(graph, inputs)
    _add_views(graph, values)
    for kernel in kernels:
        inside = dict(values)
        for name in kernel["nodes"]:
            inside[name] = apply(nodes[name], inside)
        for name in kernel["writes"]:
            values[name] = _placed(arena, offsets[name], inside[name])
        _add_views(graph, values)
    return [values[name].clone() for name in graph["outputs"]]


def _add_views(graph: Graph, values: dict[str, Tensor]) -> None:
    """Show what is there in the ways that the graph's views do."""
    for node in graph["nodes"]:
        if node["op"] in VIEWS and node["name"] not in values and node["inputs"][0] in values:
            values[node["name"]] = apply(node, values)


def _placed(arena: Tensor, offset: int, result: Tensor) -> Tensor:
    """Copy a result to its place; return what stands there, with the result's shape and strides."""
    memory = arena[offset : offset + _extent(result)].view(result.dtype)
    return memory.as_strided(result.shape, result.stride(), memory.storage_offset()).copy_(result)


def _extent(tensor: Tensor) -> int:
    """Bytes from the first to the last element."""
    steps = sum((size - 1) * stride for size, stride in zip(tensor.shape, tensor.stride(), strict=True))
    return (steps + 1) * tensor.element_size() if tensor.numel() else 0
