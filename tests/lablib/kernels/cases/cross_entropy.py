"""Cross entropy of logits and class indices."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F

from lablib import device
from lablib.check.random import Rng
from lablib.gpu.cost import Cost
from lablib.kernels.cross_entropy import cross_entropy, cross_entropy_cost, cross_entropy_reference

from ..case import Build, Case, Refused


def _case(name: str, arguments: Any, **more: Any) -> Case:
    return Case(f"cross entropy {name}", cross_entropy, cross_entropy_reference, arguments, **more)


def _drawn(M: int, N: int, scale: float = 1.0) -> Any:
    return lambda rng, dtype: (scale * rng.normal(M, N, dtype=dtype), rng.integers(0, N, M))


def _slice(rng: Rng, dtype: torch.dtype) -> tuple:
    return rng.normal(4, 301, dtype=dtype)[:, 2:299], rng.integers(0, 297, 4)


def _masked(rng: Rng, dtype: torch.dtype) -> tuple:
    """Every other class is impossible, whole lanes see nothing, and some rows are left out."""
    logits = 30 * rng.normal(6, 9000)
    logits[:, 1::2] = float("-inf")
    logits[:, :64] = float("-inf")
    target = 64 + 2 * rng.integers(0, 1000, 6)
    target[1], target[4] = -100, -100
    return logits.to(dtype), target


def _cost(logits: torch.Tensor, target: torch.Tensor, reduction: str = "mean") -> Cost:
    """The forward pass; it reads the target's logit twice."""
    least = cross_entropy_cost(*logits.shape, logits.element_size(), backward=False)
    return Cost(least.flops, least.bytes + logits.element_size() * len(target))


CASES = [
    _case("of one class", _drawn(3, 1), gradients=(0,)),
    _case("of few classes", _drawn(5, 10), gradients=(0,), usual=F.cross_entropy),
    _case("of several tiles", _drawn(2, 10007), gradients=(0,), usual=F.cross_entropy),
    _case("of a slice, row by row", _slice, keywords={"reduction": "none"}, gradients=(0,), cost=_cost),
    _case("summed", _drawn(3, 100, scale=30.0), keywords={"reduction": "sum"}, gradients=(0,), usual=F.cross_entropy),
    _case("of masked logits with ignored rows", _masked, gradients=(0,)),
    Case(
        "cross entropy of a class that does not exist",
        cross_entropy,
        lambda logits, target: logits.sum() * float("nan"),
        lambda rng, dtype: (rng.normal(2, 40, dtype=dtype), torch.tensor([3, 40], device=device.DEVICE)),
        deterministic=False,  # NaN is no number, and so not the same one
    ),
    _case("with another ignored class", _drawn(8, 3), keywords={"ignore_index": 1}, gradients=(0,)),
]


def _zeros(*shape: int, dtype: torch.dtype = torch.float32) -> torch.Tensor:
    return torch.zeros(shape, dtype=dtype, device=device.DEVICE)


def _classes(*shape: int) -> torch.Tensor:
    return _zeros(*shape, dtype=torch.int64)


REFUSED = [
    Refused(cross_entropy, lambda: (_zeros(2, 3), _classes(3)), r"float32 \(2, 3\) with strides .* \(3,\)"),
    Refused(cross_entropy, lambda: (_zeros(3, 2).T, _classes(2)), "unit stride along N"),
    Refused(cross_entropy, lambda: (_zeros(2, 3), _classes(2).int()), "torch.int32"),
    Refused(cross_entropy, lambda: (_zeros(2, 3).double(), _classes(2)), "it got torch.float64"),
    Refused(cross_entropy, lambda: (_zeros(2, 3), _classes(2)), "it got 'max'", {"reduction": "max"}),
]


def _launch() -> torch.Tensor:
    logits = torch.empty(8192, 128256, dtype=torch.bfloat16, device="meta", requires_grad=True)
    loss = cross_entropy(logits, torch.empty(8192, dtype=torch.int64, device="meta"))
    return torch.autograd.grad(loss, logits)[0]


BUILDS = [
    Build("cross entropy of 128256 classes", _launch, "_cross_entropy_kernel"),
    Build("gradient of cross entropy of 128256 classes", _launch, "_cross_entropy_backward_kernel"),
]
