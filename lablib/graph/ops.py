"""The operations that a graph may hold, each with what it computes and of which kind it is.

    pointwise   each element of the result depends on one element of each input (after broadcasting)
    view        the same memory under another shape or other strides: no byte is moved
    other       products, reductions, copies: everything that needs a kernel of its own
    random      draws: two of them are never the same, and none can be computed beforehand

Names and attributes are ATen's, but for a few spellings that are united: `transpose` is a `permute`, and `flatten` and
`unsqueeze` are a `view` where they copy nothing, else a `reshape`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

__all__ = ["OPS", "POINTWISE", "RANDOM", "VIEWS", "Op", "compute"]


@dataclass(frozen=True)
class Op:
    """An operation: its kind, and the function of its inputs, with attributes by name."""

    kind: str
    function: Callable[..., Any]


def _scalar_or_tensor(function: Callable[[Tensor, Any], Tensor]) -> Callable[..., Tensor]:
    """A function of two operands, the second of which may be a number: then it is the attribute ``other``."""

    def call(x: Tensor, *others: Tensor, other: float = 0.0) -> Tensor:
        return function(x, others[0] if others else other)

    return call


def _pointwise() -> dict[str, Callable[..., Any]]:
    one = {
        name: getattr(torch, name)
        for name in ("abs", "cos", "exp", "log", "neg", "relu", "rsqrt", "sigmoid", "sin", "sqrt", "square", "tanh")
    }
    two = {
        name: _scalar_or_tensor(getattr(torch, name))
        for name in ("add", "div", "eq", "ge", "gt", "le", "lt", "maximum", "minimum", "mul", "sub")
    }
    rest = {
        "gelu": lambda x, approximate="none": F.gelu(x, approximate=approximate),
        "silu": F.silu,
        "pow": lambda x, exponent: torch.pow(x, exponent),
        "masked_fill": lambda x, mask, value: x.masked_fill(mask, value),
        "where": torch.where,
        "to": lambda x, dtype: x.to(dtype),
    }
    return one | two | rest


_VIEWS: dict[str, Callable[..., Any]] = {
    "view": lambda x, shape: x.view(shape),
    "permute": lambda x, dims: x.permute(dims),
    "select": lambda x, dim, index: x.select(dim, index),
    "slice": lambda x, dim, start, end, step=1: torch.ops.aten.slice(x, dim, start, end, step),
    "expand": lambda x, shape: x.expand(shape),
}
_RANDOM: dict[str, Callable[..., Any]] = {"rand_like": torch.rand_like, "randn_like": torch.randn_like}
_OTHER: dict[str, Callable[..., Any]] = {
    "conv2d": F.conv2d,
    "conv3d": F.conv3d,
    "linear": F.linear,
    "matmul": torch.matmul,
    "batch_norm": lambda x, weight, bias, mean, variance, eps: F.batch_norm(x, mean, variance, weight, bias, eps=eps),
    "layer_norm": lambda x, *affine, shape, eps: F.layer_norm(x, shape, *affine, eps=eps),
    "group_norm": lambda x, *affine, groups, eps: F.group_norm(x, groups, *affine, eps=eps),
    "softmax": lambda x, dim: torch.softmax(x, dim),
    "mean": lambda x, dim, keepdim: torch.mean(x, dim, keepdim=keepdim),
    "sum": lambda x, dim, keepdim: torch.sum(x, dim, keepdim=keepdim),
    "avg_pool2d": F.avg_pool2d,
    "max_pool2d": F.max_pool2d,
    "max_pool3d": F.max_pool3d,
    "upsample": lambda x, scale: F.interpolate(x, scale_factor=scale, mode="nearest"),
    "cat": lambda *parts, dim: torch.cat(parts, dim),
    "reshape": lambda x, shape: x.reshape(shape).contiguous(),
    "embedding": lambda weight, places: F.embedding(places, weight),
    "triu": lambda x, diagonal: torch.triu(x, diagonal),
    "full": lambda shape, value, dtype: torch.full(shape, value, dtype=dtype),
    "arange": lambda start, end, step, dtype: torch.arange(start, end, step, dtype=dtype),
    "logspace": lambda start, end, steps, base, dtype: torch.logspace(start, end, steps, base, dtype=dtype),
}

OPS: dict[str, Op] = {
    name: Op(kind, function)
    for kind, table in {"pointwise": _pointwise(), "view": _VIEWS, "random": _RANDOM, "other": _OTHER}.items()
    for name, function in table.items()
}
POINTWISE = frozenset(name for name, op in OPS.items() if op.kind == "pointwise")
VIEWS = frozenset(name for name, op in OPS.items() if op.kind == "view")
RANDOM = frozenset(name for name, op in OPS.items() if op.kind == "random")


def compute(op: str, inputs: list[Any], attributes: dict[str, Any], device: str | torch.device | None = None) -> Tensor:
    """Run one operation.

    Parameters
    ----------
    op
        A name of `OPS`.
    inputs
        Tensors; None where an optional one is left out.
    attributes
        All else that the operation is given.
    device
        Where a result without inputs is made; by default on the CPU.

    Raises
    ------
    ValueError
        If there is no such operation.

    Examples
    --------
    >>> compute("add", [torch.ones(2)], {"other": 1.0})
    tensor([2., 2.])
    """
    if op not in OPS:
        raise ValueError(f"A graph holds no operation {op!r}; lablib.graph.ops has {', '.join(sorted(OPS))}.")
    if inputs or device is None:
        return OPS[op].function(*inputs, **attributes)
    with torch.device(device):
        return OPS[op].function(**attributes)
