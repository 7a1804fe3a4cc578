"""Cross entropy of a linear layer, in chunks of tokens."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F

from lablib import device
from lablib.check.random import Rng
from lablib.kernels.fused_linear_cross_entropy import (
    fused_linear_cross_entropy,
    fused_linear_cross_entropy_reference,
)

from ..case import Build, Case, Refused


def _usual(x: torch.Tensor, weight: torch.Tensor, target: torch.Tensor, **keywords: Any) -> torch.Tensor:
    return F.cross_entropy(F.linear(x, weight), target, **keywords)


def _rounded(x: torch.Tensor, *rest: Any, **keywords: Any) -> torch.Tensor:
    """The loss is float32, but no better than its logits, which are rounded to the dtype of ``x``."""
    return fused_linear_cross_entropy(x, *rest, **keywords).to(x.dtype)


def _drawn(T: int, H: int, V: int, dtype: torch.dtype, rng: Rng) -> tuple:
    target = rng.integers(0, V, T)
    target[T // 2] = -100 if T > 1 else target[0]
    return rng.normal(T, H, dtype=dtype), rng.normal(V, H, dtype=dtype), target


def _strided(rng: Rng, dtype: torch.dtype) -> tuple:
    x, weight, target = _drawn(5, 6, 40, dtype, rng)
    return x.T.contiguous().T, weight.repeat(1, 2)[:, ::2], target


def _case(name: str, arguments: Any, **more: Any) -> Case:
    return Case(
        f"fused linear cross entropy {name}",
        _rounded,
        fused_linear_cross_entropy_reference,
        arguments,
        usual=_usual,
        **more,
    )


CASES = [
    _case("of one token", lambda rng, dtype: _drawn(1, 4, 7, dtype, rng), gradients=(0, 1)),
    _case("in chunks", lambda rng, dtype: _drawn(10, 16, 300, dtype, rng), options={"chunk": 4}, gradients=(0, 1)),
    _case("summed", lambda rng, dtype: _drawn(6, 8, 20, dtype, rng), keywords={"reduction": "sum"}, gradients=(0, 1)),
    _case("of strided matrices", _strided, options={"chunk": 3}, gradients=(0,)),
    _case("with fixed inputs", lambda rng, dtype: _drawn(6, 8, 20, dtype, rng), options={"chunk": 5}, gradients=(1,)),
]


def _zeros(*shape: int, dtype: torch.dtype = torch.float32) -> torch.Tensor:
    return torch.zeros(shape, dtype=dtype, device=device.DEVICE)


def _classes(*shape: int) -> torch.Tensor:
    return _zeros(*shape, dtype=torch.int64)


REFUSED = [
    Refused(fused_linear_cross_entropy, lambda: (_zeros(2, 3), _zeros(3, 2), _classes(2)), r"float32 \(3, 2\)"),
    Refused(fused_linear_cross_entropy, lambda: (_zeros(0, 3), _zeros(4, 3), _classes(0)), r"float32 \(0, 3\)"),
    Refused(fused_linear_cross_entropy, lambda: (_zeros(2, 3), _zeros(4, 3), _classes(3)), "takes 2 classes"),
    Refused(
        fused_linear_cross_entropy,
        lambda: (_zeros(2, 3), _zeros(4, 3), _classes(2)),
        "it got 'none'",
        {"reduction": "none"},
    ),
]


def _launch() -> tuple[torch.Tensor, ...]:
    x, weight = (torch.empty(n, 2048, dtype=torch.bfloat16, device="meta", requires_grad=True) for n in (4096, 128256))
    loss = fused_linear_cross_entropy(x, weight, torch.empty(4096, dtype=torch.int64, device="meta"))
    return torch.autograd.grad(loss, (x, weight))


BUILDS = [Build("scaling in fused linear cross entropy", _launch, "_scale_kernel")]
