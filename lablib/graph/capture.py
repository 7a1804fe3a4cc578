"""From a model, or from what torch.compile found, to a graph: torch.fx traces it above autograd and decompositions.

At that level a convolution, a norm or a softmax is one node, as `lablib.gpu.ledger` has them before PyTorch takes them
apart. What takes part of a tensor (`chunk`, `unbind`) becomes a view for each part, and dropout in evaluation is gone.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable
from contextlib import ExitStack
from typing import Any

import torch
import torch.fx.traceback as traceback
from torch import Tensor, fx, nn

from lablib.graph import spelling
from lablib.graph.ir import Graph

__all__ = ["capture", "from_dynamo", "from_fx"]


def capture(model: nn.Module, *inputs: Tensor) -> Graph:
    """The graph of ``model(*inputs)`` in inference, with parameters and buffers as constants.

    Parameters
    ----------
    model
        In evaluation mode; its operations are those of `lablib.graph.ops`.
    inputs
        Dense tensors on the CPU. The graph is right for their shapes and dtypes.

    Returns
    -------
    Graph
        See `lablib.graph.ir`; inputs are named ``x0``, ``x1``, …, constants as in ``model.state_dict()``.

    Raises
    ------
    ValueError
        If the model is in training mode, or runs an operation that no graph holds.

    Examples
    --------
    >>> graph = capture(nn.Sequential(nn.Linear(4, 3), nn.ReLU()).eval(), torch.zeros(2, 4))
    >>> [(node["op"], node["inputs"], node["module"]) for node in graph["nodes"]]
    [('linear', ['x0', '0.weight', '0.bias'], '0'), ('relu', ['linear'], '1')]
    """
    if model.training:
        raise ValueError(f"This {type(model).__name__} is in training mode: call .eval() before it is captured.")
    names = {id(t): name for name, t in [*model.named_buffers(), *model.named_parameters()]}
    with ExitStack() as stack:
        for path, module in model.named_modules():
            _follow(stack, path, module)
        traced = _trace(lambda *given: model(*given), inputs)
    return from_fx(traced, inputs, names)


def _follow(stack: ExitStack, path: str, module: nn.Module) -> None:
    """Let torch.fx write into each node of a module which module it was."""

    def enter(*_: Any) -> None:
        outer.append(traceback.current_meta.get("nn_module_stack"))
        traceback.current_meta["nn_module_stack"] = {path: (path, type(module))}

    def leave(*_: Any) -> None:
        traceback.current_meta["nn_module_stack"] = outer.pop() or {}

    outer: list[Any] = []
    stack.callback(module.register_forward_pre_hook(enter).remove)
    stack.callback(module.register_forward_hook(leave).remove)


def _trace(function: Callable[..., Any], inputs: tuple[Tensor, ...]) -> fx.GraphModule:
    from torch.fx.experimental.proxy_tensor import make_fx

    with torch.no_grad(), traceback.preserve_node_meta(), warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*beta state")
        return make_fx(function, pre_dispatch=True)(*inputs)


def from_dynamo(module: fx.GraphModule, inputs: list[Tensor]) -> tuple[Graph, list[int]]:
    """The graph of what torch.compile hands to a backend, and which of its inputs are no constants.

    torch.compile passes parameters and buffers as inputs that never change; here they become constants.
    """
    placeholders = [node for node in module.graph.nodes if node.op == "placeholder"]
    fixed = ["_dynamo_static_input_type" in node.meta.get("tensor_dict", {}) for node in placeholders]
    names = {
        id(tensor): _readable(node.name)
        for node, tensor, constant in zip(placeholders, inputs, fixed, strict=True) if constant
    }  # fmt: skip
    traced = _trace(lambda *given: fx.Interpreter(module).run(*given), tuple(inputs))
    return from_fx(traced, tuple(inputs), names), [place for place, constant in enumerate(fixed) if not constant]


def _readable(name: str) -> str:
    """``l_self_modules_head_parameters_weight_`` as ``head.weight``."""
    return re.sub(r"(l_self_)?(modules|parameters|buffers)_", "", name.removeprefix("l_self_")).strip("_")


def from_fx(module: fx.GraphModule, inputs: tuple[Tensor, ...], names: dict[int, str]) -> Graph:
    """A graph of a traced module.

    Parameters
    ----------
    module
        As `make_fx` traces it with ``pre_dispatch=True``.
    inputs
        The tensors that it was traced with.
    names
        By ``id``: tensors that are constants. Others that the module holds are named as it names them.
    """
    graph: Graph = {"inputs": {}, "constants": {}, "nodes": [], "outputs": []}
    builder = spelling.Builder(graph)
    given = iter(inputs)
    for node in module.graph.nodes:
        if node.op in ("placeholder", "get_attr"):
            tensor = next(given) if node.op == "placeholder" else getattr(module, node.target)
            builder.tensor(node, tensor, names)
        elif node.op == "call_function":
            builder.call(node)
        else:
            (result,) = node.args
            results = result if isinstance(result, (list, tuple)) else [result]
            graph["outputs"] = [builder.name_of(one) for one in results]
    return graph
