"""What a pass over a graph may not change, and what a simple graph does not have."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import torch
from torch import Tensor

from lablib.graph.execute import run
from lablib.graph.ir import Graph, validate
from lablib.graph.ops import RANDOM

__all__ = ["COMMUTATIVE", "faults", "redundant", "same_key"]

COMMUTATIVE = frozenset({"add", "mul", "maximum", "minimum", "eq"})
"""Operations that are the same in either order of two inputs."""


def faults(before: Graph, after: Graph, rng: Any, rewritten: Collection[str] = ()) -> list[str]:
    """What a pass got wrong that only takes nodes away, as sentences.

    Inputs and the number of results stay; so do name, order and module of the nodes that are left, and but for those in
    ``rewritten`` their operation and attributes; no constant is idle; results are the same for random inputs, unless
    the graph draws numbers itself.

    Parameters
    ----------
    rng
        Draws the inputs, like `lablib.check.rng`.
    rewritten
        Names of nodes that may compute by another operation.

    Examples
    --------
    >>> from lablib.graph import parse
    >>> one, other = (parse(f"x: float32 (2,); y = {op}(x); return y") for op in ("sin", "cos"))
    >>> faults(one, other, rng=None)
    ["the node 'y' is cos {}, and was sin {}."]
    """
    try:
        validate(after)
    except ValueError as error:
        return [f"it is no graph: {error}"]
    if after["inputs"] != before["inputs"]:
        return [f"its inputs are {after['inputs']}, and were {before['inputs']}."]
    if len(after["outputs"]) != len(before["outputs"]):
        return [f"it returns {len(after['outputs'])} results; expected {len(before['outputs'])}."]
    return _nodes_changed(before, after, rewritten) or _idle_constants(after) or _other_results(before, after, rng)


def _nodes_changed(before: Graph, after: Graph, rewritten: Collection[str]) -> list[str]:
    places = {node["name"]: (place, node) for place, node in enumerate(before["nodes"])}
    last = -1
    for node in after["nodes"]:
        name = node["name"]
        if name not in places:
            return [f"it has the node {name!r}, which the graph did not have."]
        place, old = places[name]
        told, was = (f"{one['op']} {one['attributes']}" for one in (node, old))
        if name not in rewritten and told != was:
            return [f"the node {name!r} is {told}, and was {was}."]
        if node.get("module", "") != old.get("module", ""):
            return [f"the node {name!r} has the module {node.get('module')!r}, and had {old.get('module')!r}."]
        if place < last:
            return [f"the node {name!r} stands in another place than before."]
        last = place
    return []


def _idle_constants(graph: Graph) -> list[str]:
    used = {name for node in graph["nodes"] for name in node["inputs"]} | set(graph["outputs"])
    return [f"it keeps the constant {name!r}, which nobody reads." for name in graph["constants"] if name not in used]


def _other_results(before: Graph, after: Graph, rng: Any) -> list[str]:
    if any(node["op"] in RANDOM for node in before["nodes"]):
        return []
    inputs = [_drawn(shape, dtype, rng) for shape, dtype in before["inputs"].values()]
    for number, (want, got) in enumerate(zip(run(before, *inputs), run(after, *inputs), strict=True)):
        if (want.shape, want.dtype) != (got.shape, got.dtype):
            return [f"output {number} is {got.dtype} {tuple(got.shape)}, expected {want.dtype} {tuple(want.shape)}."]
        if not torch.allclose(got, want, rtol=1e-4, atol=1e-4 * max(1.0, _largest(want))):
            return [f"output {number} is off by up to {_largest(got.double() - want.double()):.3g}."]
    return []


def _largest(tensor: Tensor) -> float:
    return tensor.double().abs().max().item() if tensor.numel() else 0.0


def _drawn(shape: tuple[int, ...], dtype: torch.dtype, rng: Any) -> Tensor:
    return (rng.normal(*shape) if dtype.is_floating_point else rng.integers(0, 5, *shape)).cpu().to(dtype)


def redundant(graph: Graph) -> list[str]:
    """Nodes that are dead, common or constant, as sentences.

    Examples
    --------
    >>> from lablib.graph import parse
    >>> redundant(parse("x: float32 (2,); a = exp(x); b = exp(x); c = sin(w); d = add(a, b); return d",
    ...                 w=torch.ones(2)))
    ["nobody needs 'c'.", "'b' computes what 'a' has.", "'c' is always the same."]
    """
    needed, seen = set(graph["outputs"]), {}
    found = []
    for node in reversed(graph["nodes"]):
        if node["name"] in needed:
            needed.update(node["inputs"])
        else:
            found.append(f"nobody needs {node['name']!r}.")
    for node in graph["nodes"]:
        if node["op"] in RANDOM:
            continue
        if all(name is None or name in graph["constants"] for name in node["inputs"]):
            found.append(f"{node['name']!r} is always the same.")
        twin = seen.setdefault(same_key(node), node["name"])
        if twin != node["name"]:
            found.append(f"{node['name']!r} computes what {twin!r} has.")
    return found


def same_key(node: dict[str, Any]) -> tuple[str, tuple[str, ...], str]:
    """What two nodes share that compute the same."""
    operands = list(node["inputs"])
    if node["op"] in COMMUTATIVE and len(operands) == 2:
        operands.sort()
    return node["op"], tuple(operands), repr(sorted(node["attributes"].items()))
