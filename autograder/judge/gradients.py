"""First-order gradients across the wire: a backward pass is one more call."""

from __future__ import annotations

from typing import Any

import torch
from torch.utils._pytree import tree_flatten, tree_unflatten

from autograder.inside import wire


def connect(channel: Any, graph: int, which: list[int], value: Any, inputs: list[torch.Tensor]) -> Any:
    """Tie the results of a call to its arguments, so that ``backward`` in a test reaches them.

    Parameters
    ----------
    channel : autograder.judge.channel.Channel
    graph
        Number of the sandbox's graph.
    which
        Positions, among the tensors of ``value``, of those that have a gradient.
    value
        What the call returned.
    inputs
        The tensors among its arguments, in order.
    """
    leaves, shape = tree_flatten(value)
    places = [index for index, leaf in enumerate(leaves) if isinstance(leaf, torch.Tensor)]
    outputs = [places[index] for index in which]
    # Something that asks for a gradient must go in, even when only the student's own parameters do.
    anchor = torch.zeros((), requires_grad=True)
    tied = _Call.apply(channel, graph, len(outputs), anchor, *(leaves[index] for index in outputs), *inputs)
    for index, tensor in zip(outputs, tied, strict=True):
        leaves[index] = tensor
    return tree_unflatten(leaves, shape)


class _Call(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, channel: Any, graph: int, count: int, anchor: torch.Tensor, *tensors: torch.Tensor) -> Any:
        ctx.channel, ctx.graph, ctx.count = channel, graph, count
        ctx.inputs = [(tensor.shape, tensor.dtype) for tensor in tensors[count:]]
        return tuple(tensor.detach().clone() for tensor in tensors[:count])

    @staticmethod
    def backward(ctx: Any, *gradients: torch.Tensor) -> Any:
        if torch.is_grad_enabled():  # create_graph=True
            raise wire.Refused("a gradient of a gradient: compare the first gradient with one that the test computes")
        found = ctx.channel.ask("backward", graph=ctx.graph, gradients=list(gradients))
        for gradient, (shape, dtype) in zip(found, ctx.inputs, strict=True):
            if gradient is not None and (type(gradient) is not torch.Tensor or gradient.shape != shape):
                raise AssertionError("a gradient of the answer has another shape than its argument")
            if gradient is not None and gradient.dtype != dtype:
                raise AssertionError("a gradient of the answer has another dtype than its argument")
        return (None, None, None, None, *([None] * ctx.count), *found)
