"""Run a graph; make a torch.fx module of it; be a backend of torch.compile."""

from __future__ import annotations

import operator
from collections.abc import Callable, Sequence
from typing import Any

from torch import Tensor, fx, nn

from lablib.graph.capture import from_dynamo
from lablib.graph.cost import kernels
from lablib.graph.ir import Graph, apply, validate
from lablib.graph.ops import VIEWS, compute

__all__ = ["backend", "given", "run", "to_fx"]

Groups = Sequence[Sequence[str]]


def given(graph: Graph, inputs: Sequence[Tensor]) -> dict[str, Tensor]:
    """What is there before the first node runs, by name: ``inputs`` in the order of the graph's own, and constants.

    Raises
    ------
    ValueError
        If the graph has more inputs, or fewer.
    """
    if len(inputs) != len(graph["inputs"]):
        raise ValueError(f"The graph has the inputs {', '.join(graph['inputs'])}: it was given {len(inputs)} tensors.")
    return {**graph["constants"], **dict(zip(graph["inputs"], inputs, strict=True))}


def run(graph: Graph, *inputs: Tensor) -> list[Tensor]:
    """What a graph returns for ``inputs``, which stand in the order of its own.

    Raises
    ------
    ValueError
        If the graph has more inputs, or fewer.

    Examples
    --------
    >>> import torch
    >>> node = {"name": "y", "op": "add", "inputs": ["x"], "attributes": {"other": 2}}
    >>> run({"inputs": {"x": ((1,), torch.float32)}, "constants": {}, "nodes": [node], "outputs": ["y"]}, torch.ones(1))
    [tensor([3.])]
    """
    values = given(graph, inputs)
    for node in graph["nodes"]:
        values[node["name"]] = apply(node, values)
    return [values[name] for name in graph["outputs"]]


def to_fx(graph: Graph, groups: Groups = ()) -> fx.GraphModule:
    """A graph as a torch.fx module, which is called with its inputs and returns a tuple.

    Every group is a module of its own inside, ``fused_0`` and so on: what one kernel would compute.

    Raises
    ------
    ValueError
        If the graph or the groups are none.

    Examples
    --------
    >>> import torch
    >>> chain = [{"name": b, "op": "relu", "inputs": [a], "attributes": {}} for a, b in ("xy", "yz")]
    >>> graph = {"inputs": {"x": ((2,), torch.float32)}, "constants": {}, "nodes": chain, "outputs": ["z"]}
    >>> module = to_fx(graph, [["y", "z"]])
    >>> [node.op for node in module.graph.nodes if node.op.startswith("call")], module(torch.tensor([-1.0, 2.0]))
    (['call_module', 'call_function'], (tensor([0., 2.]),))
    """
    validate(graph)
    root, made = fx.Graph(), {}
    holder: dict[str, Any] = {}
    for number, name in enumerate(graph["inputs"]):
        made[name] = root.placeholder(f"input_{number}")
    for number, (name, tensor) in enumerate(graph["constants"].items()):
        holder[f"constant_{number}"] = tensor
        made[name] = root.get_attr(f"constant_{number}")
    group_of = {name: number for number, group in enumerate(groups) for name in group}
    for names in _steps(graph, groups):
        nodes = [node for node in graph["nodes"] if node["name"] in names]
        if names[0] in group_of:
            target = f"fused_{group_of[names[0]]}"
            inputs, outputs, holder[target] = _fused(graph, nodes)
            call = root.call_module(target, tuple(made[name] for name in inputs))
            made.update(
                {name: root.call_function(operator.getitem, (call, place)) for place, name in enumerate(outputs)}
            )
        else:
            made[names[0]] = _emit(root, nodes[0], made)
    root.output(tuple(made[name] for name in graph["outputs"]))
    module = nn.Module()
    for name, value in holder.items():
        setattr(module, name, value) if isinstance(value, nn.Module) else module.register_buffer(name, value)
    return fx.GraphModule(module, root)


def backend(optimise: Callable[[Graph], tuple[Graph, Groups]]) -> Callable[..., Callable[..., Any]]:
    """A backend of torch.compile, for inference.

    Parameters
    ----------
    optimise
        Takes a graph; returns the graph and the groups that are to run instead. Parameters and buffers are constants
        in it: what is computed from them beforehand does not follow when they change.

    Examples
    --------
    >>> import torch
    >>> seen = []
    >>> def optimise(graph):
    ...     seen.append(len(graph["nodes"]))
    ...     return graph, []
    >>> compiled = torch.compile(nn.ReLU(), backend=backend(optimise))
    >>> with torch.no_grad():
    ...     compiled(torch.tensor([-1.0, 2.0]))
    tensor([0., 2.])
    >>> seen
    [1]
    """

    def compiler(module: fx.GraphModule, inputs: list[Tensor]) -> Callable[..., Any]:
        graph, places = from_dynamo(module, inputs)
        compiled = to_fx(*optimise(graph))
        return lambda *given: compiled(*(given[place] for place in places))

    return compiler


def _steps(graph: Graph, groups: Groups) -> list[list[str]]:
    """Names of what runs together, in order, each view as soon as what it shows is there."""
    waiting = [node for node in graph["nodes"] if node["op"] in VIEWS]
    there = {*graph["inputs"], *graph["constants"]}
    steps: list[list[str]] = []
    for kernel in [{"nodes": []}, *kernels(graph, groups)]:
        if kernel["nodes"]:
            steps.append(kernel["nodes"])
            there.update(kernel["nodes"])
        for node in waiting:
            if node["name"] not in there and node["inputs"][0] in there:
                steps.append([node["name"]])
                there.add(node["name"])
    return steps


def _fused(graph: Graph, nodes: list[dict[str, Any]]) -> tuple[list[str], list[str], fx.GraphModule]:
    """A group as a module, with the names of what it is given and of what it returns."""
    names = [node["name"] for node in nodes]
    inputs = list(dict.fromkeys(i for node in nodes for i in node["inputs"] if i is not None and i not in names))
    outside = {i for node in graph["nodes"] if node["name"] not in names for i in node["inputs"]}
    outputs = [name for name in names if name in outside or name in graph["outputs"]]
    inner = fx.Graph()
    made = {name: inner.placeholder(f"input_{number}") for number, name in enumerate(inputs)}
    for node in nodes:
        made[node["name"]] = _emit(inner, node, made)
    inner.output(tuple(made[name] for name in outputs))
    return inputs, outputs, fx.GraphModule(nn.Module(), inner)


def _emit(graph: fx.Graph, node: dict[str, Any], made: dict[str, fx.Node]) -> fx.Node:
    inputs = tuple(None if i is None else made[i] for i in node["inputs"])
    return graph.call_function(_call, (node["op"], *inputs), dict(node["attributes"]), name=node["name"])


def _call(op: str, *inputs: Any, **attributes: Any) -> Tensor:
    return compute(op, list(inputs), attributes)
