"""Layer norm over rows, forward and backward."""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F

from lablib import device
from lablib.check.random import Rng
from lablib.gpu.cost import Cost
from lablib.kernels.layer_norm import layer_norm, layer_norm_cost, layer_norm_reference

from ..case import Build, Case, Refused


def _usual(x: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor, eps: float = 1e-5) -> torch.Tensor:
    return F.layer_norm(x, x.shape[1:], weight, bias, eps)


def _traffic(x: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor) -> Cost:
    """The least, and weights and biases once for every further row."""
    again = len(x) - 1
    return layer_norm_cost(*x.shape, x.element_size()) + Cost(0, again * (weight.nbytes + bias.nbytes))


def _draw(M: int, N: int, scale: float = 1.0, mean: float = 0.3) -> Callable[[Rng, torch.dtype], tuple]:
    return lambda rng, dtype: (
        (scale * (rng.normal(M, N) + mean)).to(dtype),
        rng.normal(N, dtype=dtype),
        rng.normal(N, dtype=dtype),
    )


def _slices(rng: Rng, dtype: torch.dtype) -> tuple:
    weight, bias = rng.normal(2, 250, dtype=torch.float32)[:, ::2]
    return rng.normal(7, 130, dtype=dtype)[::2, 3:128], weight, bias


CASES = [
    # Its gradient by x cancels to nothing, in every dtype.
    Case("layer norm of one element", layer_norm, layer_norm_reference, _draw(1, 1), usual=_usual, gradients=(1, 2)),
    Case(
        "layer norm of several rows a program",
        layer_norm,
        layer_norm_reference,
        _draw(11, 96),
        usual=_usual,
        gradients=(0, 1, 2),
        cost=_traffic,
    ),
    Case(
        "layer norm of slices, float32 weights",
        layer_norm,
        layer_norm_reference,
        _slices,
        gradients=(0, 1, 2),
    ),
    Case(
        "layer norm summed over its rows: a gradient of stride 0",
        lambda x, weight, bias: layer_norm(x, weight, bias).sum(dim=1),
        lambda x, weight, bias: layer_norm_reference(x, weight, bias).sum(dim=1),
        _draw(5, 70),
        dtypes=(torch.float32,),
        gradients=(0, 1, 2),
    ),
    Case("layer norm of tiny rows and a large eps", layer_norm, layer_norm_reference, _draw(3, 40, 1e-3), {"eps": 0.1}),
    Case(
        "layer norm of rows with a large mean",
        layer_norm,
        layer_norm_reference,
        _draw(3, 40, mean=30.0),
        dtypes=(torch.float32,),
    ),
]


def _zeros(*shape: int) -> torch.Tensor:
    return torch.zeros(shape, device=device.DEVICE)


REFUSED = [
    Refused(layer_norm, lambda: (_zeros(4, 6), _zeros(4), _zeros(6)), r"6 weights .* it got torch.float32 \(4,\)"),
    Refused(layer_norm, lambda: (_zeros(4, 6).T, _zeros(4), _zeros(4)), r"with strides \(1, 6\)"),
    Refused(layer_norm, lambda: (_zeros(1, 16385), _zeros(16385), _zeros(16385)), "N from 1 to 16384"),
]


def _meta(*shape: int) -> torch.Tensor:
    return torch.empty(shape, dtype=torch.bfloat16, device="meta", requires_grad=True)


def _backward() -> None:
    layer_norm(_meta(16384, 8192), _meta(8192), _meta(8192)).backward(_meta(16384, 8192))


BUILDS = [
    Build(f"layer norm of rows of 8192, {kernel}", _backward, kernel)
    for kernel in ("_layer_norm_kernel", "_layer_norm_backward_kernel")
]
