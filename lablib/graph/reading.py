"""Graphs from text: what `lablib.graph.text` prints is Python's syntax, and is read with Python's own parser."""

from __future__ import annotations

import ast
from typing import Any

import torch
from torch import Tensor

from lablib.graph.ir import Graph, validate

__all__ = ["parse"]


def parse(source: str, **constants: Tensor) -> Graph:
    """A graph that is written down as `lablib.graph.text` prints it; `;` parts what stands in one line.

    Parameters
    ----------
    source
        ``name: dtype shape`` for each input, ``name = operation(inputs, attribute=value)`` for each node, at last
        ``return`` and names. None stands for an input that is left out; attributes are literals, or a dtype's name.
    constants
        By name, tensors that never change.

    Raises
    ------
    ValueError
        If the text says something else, or the graph is none (see `lablib.graph.validate`).

    Examples
    --------
    >>> graph = parse("x: float32 (2, 3); a = matmul(x, w); b = add(a, other=1.0); return b", w=torch.ones(3, 5))
    >>> graph["nodes"][0]
    {'name': 'a', 'op': 'matmul', 'inputs': ['x', 'w'], 'attributes': {}}
    """
    graph: Graph = {"inputs": {}, "constants": dict(constants), "nodes": [], "outputs": []}
    try:
        statements = ast.parse("\n".join(line.strip() for line in source.splitlines())).body
    except SyntaxError as error:
        raise ValueError(f"line {error.lineno} of the graph is not understood: {error.text!r}") from error
    for statement in statements:
        match statement:
            case ast.AnnAssign(ast.Name(name), ast.Call(ast.Name(dtype), sizes), None):
                graph["inputs"][name] = (tuple(map(ast.literal_eval, sizes)), _dtype(dtype))
            case ast.Assign([ast.Name(name)], ast.Call(ast.Name(op), inputs, attributes)):
                given = [_name(one) for one in inputs]
                values = {str(one.arg): _value(one.value) for one in attributes}
                graph["nodes"].append({"name": name, "op": op, "inputs": given, "attributes": values})
            case ast.Return(ast.Tuple(names)):
                graph["outputs"] = [_name(one) for one in names]
            case ast.Return(name) if name is not None:
                graph["outputs"] = [_name(name)]
            case _:
                said = ast.unparse(statement)
                raise ValueError(f"a graph says 'x: float32 (2, 3)', 'y = add(x)' or 'return y', not {said!r}")
    validate(graph)
    return graph


def _name(given: ast.expr) -> str | None:
    text = ast.unparse(given)
    return None if text == "None" else text


def _value(given: ast.expr) -> Any:
    try:
        return ast.literal_eval(given)
    except ValueError:
        return _dtype(ast.unparse(given).removeprefix("torch."))


def _dtype(name: str) -> torch.dtype:
    found = getattr(torch, name, None)
    if not isinstance(found, torch.dtype):
        raise ValueError(f"{name!r} is no dtype of torch, and no literal")
    return found
