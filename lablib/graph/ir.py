"""What a graph is: a dict of plain values, so that it prints, compares, and travels between processes.

    {"inputs":    {"x": ((2, 8), torch.float32)},              shape and dtype by name
     "constants": {"weight": tensor},                          tensors that never change
     "nodes":     [{"name": "linear", "op": "linear", "inputs": ["x", "weight"], "attributes": {}, "module": "head"},
                   {"name": "relu", "op": "relu", "inputs": ["linear"], "attributes": {}, "module": ""}],
     "outputs":   ["relu"]}

Every node makes one tensor, which has its name. Nodes stand in an order in which they can run, modify nothing, and name
as inputs what stands before them; an optional input that is left out is None. `module` is the path of the module that
the node comes from: only pictures read it, and it may be missing.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from lablib.graph.ops import OPS, VIEWS, compute

__all__ = ["Graph", "apply", "bases", "metas", "nbytes", "text", "types", "validate"]

Graph = dict[str, Any]
_LARGEST = 2**28  # bytes of one tensor, so that no graph of unknown origin fills the machine


def validate(graph: Any) -> None:
    """Say what is wrong with a graph, if anything is.

    Raises
    ------
    ValueError
        In one sentence: a key that is missing, an unknown operation, a name that is used twice or before it is there,
        an operation whose inputs do not fit.

    Examples
    --------
    >>> graph = {"inputs": {"x": ((2,), torch.float32)}, "constants": {}, "nodes": [], "outputs": ["y"]}
    >>> validate(graph)
    Traceback (most recent call last):
    ValueError: The graph returns 'y', which nothing in it makes.
    """
    if not isinstance(graph, dict) or set(graph) != {"inputs", "constants", "nodes", "outputs"}:
        keys = sorted(graph) if isinstance(graph, dict) else type(graph).__name__
        raise ValueError(f"A graph is a dict with inputs, constants, nodes and outputs; this is {keys}.")
    known = {**graph["inputs"], **graph["constants"]}
    if len(known) < len(graph["inputs"]) + len(graph["constants"]):
        raise ValueError("An input and a constant have the same name.")
    for node in graph["nodes"]:
        _validate_node(node, known)
        known[node["name"]] = None
    for name in graph["outputs"]:
        if name not in known:
            raise ValueError(f"The graph returns {name!r}, which nothing in it makes.")
    metas(graph)


def _validate_node(node: Any, known: dict[str, Any]) -> None:
    if not isinstance(node, dict) or not {"name", "op", "inputs", "attributes"} <= set(node):
        raise ValueError(f"A node is a dict with name, op, inputs and attributes; this is {node!r}.")
    name = node["name"]
    if node["op"] not in OPS:
        raise ValueError(f"The node {name!r} has the unknown operation {node['op']!r}.")
    if name in known:
        raise ValueError(f"The name {name!r} is used twice.")
    for given in node["inputs"]:
        if given is not None and given not in known:
            raise ValueError(f"The node {name!r} reads {given!r}, which no input, constant or earlier node makes.")


def apply(node: Mapping[str, Any], values: Mapping[str, Tensor]) -> Tensor:
    """The result of one node, whose inputs are among ``values``."""
    return compute(node["op"], [None if i is None else values[i] for i in node["inputs"]], node["attributes"])


def bases(graph: Graph) -> dict[str, str]:
    """By name: the name of whose memory it is, itself for all but views."""
    base = {name: name for name in (*graph["inputs"], *graph["constants"])}
    for node in graph["nodes"]:
        base[node["name"]] = base[node["inputs"][0]] if node["op"] in VIEWS else node["name"]
    return base


def metas(graph: Graph) -> dict[str, Tensor]:
    """A tensor on the ``meta`` device for every name: shape, dtype, strides, and whose memory a view shows.

    Raises
    ------
    ValueError
        If an operation cannot take its inputs, or a tensor would be larger than 256 MiB.
    """
    made = {name: torch.empty(shape, dtype=dtype, device="meta") for name, (shape, dtype) in graph["inputs"].items()}
    made |= {name: tensor.to("meta") for name, tensor in graph["constants"].items()}
    for node in graph["nodes"]:
        given = [None if name is None else made[name] for name in node["inputs"]]
        try:
            made[node["name"]] = result = compute(node["op"], given, node["attributes"], device="meta")
        except (IndexError, RuntimeError, TypeError, ValueError) as error:
            shapes = ", ".join("None" if t is None else str(tuple(t.shape)) for t in given)
            reason = str(error).splitlines()[0]
            raise ValueError(f"The node {node['name']!r} ({node['op']} of {shapes}) cannot run: {reason}") from error
        if result.numel() * result.element_size() > _LARGEST:
            raise ValueError(f"The node {node['name']!r} makes a tensor of more than 256 MiB.")
    return made


def types(graph: Graph) -> dict[str, tuple[tuple[int, ...], torch.dtype]]:
    """Shape and dtype of every name of a graph, found by running it without data.

    Examples
    --------
    >>> node = {"name": "y", "op": "sum", "inputs": ["x"], "attributes": {"dim": [1], "keepdim": False}}
    >>> types({"inputs": {"x": ((2, 3), torch.half)}, "constants": {}, "nodes": [node], "outputs": ["y"]})["y"]
    ((2,), torch.float16)
    """
    return {name: (tuple(tensor.shape), tensor.dtype) for name, tensor in metas(graph).items()}


def nbytes(shape: tuple[int, ...], dtype: torch.dtype) -> int:
    """Bytes of a tensor that is laid out without gaps.

    Examples
    --------
    >>> nbytes((2, 3), torch.float32)
    24
    """
    return math.prod(shape) * dtype.itemsize


def text(graph: Graph) -> str:
    """A graph for reading, a line a node; `lablib.graph.parse` reads it.

    Examples
    --------
    >>> node = {"name": "y", "op": "add", "inputs": ["x"], "attributes": {"other": 2}}
    >>> print(text({"inputs": {"x": ((2, 3), torch.float32)}, "constants": {}, "nodes": [node], "outputs": ["y"]}))
    x: float32 (2, 3)
    y = add(x, other=2)    # float32 (2, 3)
    return y
    """
    kinds = {name: f"{str(dtype).removeprefix('torch.')} {shape}" for name, (shape, dtype) in types(graph).items()}
    lines = [f"{name}: {kinds[name]}" for name in graph["inputs"]]
    for node in graph["nodes"]:
        attributes = [f"{key}={value}" for key, value in node["attributes"].items()]
        call = f"{node['name']} = {node['op']}({', '.join([*map(str, node['inputs']), *attributes])})"
        lines.append(f"{call}    # {kinds[node['name']]}")
    return "\n".join([*lines, f"return {', '.join(graph['outputs'])}"])
