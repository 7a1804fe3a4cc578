"""RMS norm over rows, forward and backward."""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F

from lablib import device
from lablib.check.random import Rng
from lablib.gpu.cost import Cost
from lablib.kernels.rms_norm import rms_norm, rms_norm_cost, rms_norm_reference

from ..case import Build, Case, Refused


def _usual(x: torch.Tensor, weight: torch.Tensor, eps: float = 1e-6) -> torch.Tensor:
    return F.rms_norm(x, x.shape[1:], weight, eps)


def _traffic(x: torch.Tensor, weight: torch.Tensor) -> Cost:
    """The least, and the weights once for every further row."""
    again = len(x) - 1
    return rms_norm_cost(*x.shape, x.element_size()) + Cost(0, again * weight.nbytes)


def _draw(M: int, N: int, scale: float = 1.0) -> Callable[[Rng, torch.dtype], tuple]:
    return lambda rng, dtype: ((scale * rng.normal(M, N)).to(dtype), rng.normal(N, dtype=dtype))


def _slices(rng: Rng, dtype: torch.dtype) -> tuple:
    return rng.normal(7, 130, dtype=dtype)[::2, 3:128], rng.normal(250, dtype=torch.float32)[::2]


CASES = [
    # Its gradient by x cancels to nothing, in every dtype.
    Case("rms norm of one element", rms_norm, rms_norm_reference, _draw(1, 1), usual=_usual, gradients=(1,)),
    Case(
        "rms norm of several rows a program",
        rms_norm,
        rms_norm_reference,
        _draw(11, 96),
        usual=_usual,
        gradients=(0, 1),
        cost=_traffic,
    ),
    Case(
        "rms norm of slices, float32 weights",
        rms_norm,
        rms_norm_reference,
        _slices,
        gradients=(0, 1),
    ),
    Case(
        "rms norm summed over its rows: a gradient of stride 0",
        lambda x, weight: rms_norm(x, weight).sum(dim=1),
        lambda x, weight: rms_norm_reference(x, weight).sum(dim=1),
        _draw(5, 70),
        dtypes=(torch.float32,),
        gradients=(0, 1),
    ),
    Case("rms norm of long rows", rms_norm, rms_norm_reference, _draw(2, 4100), usual=_usual, gradients=(0, 1)),
    Case("rms norm of tiny rows and a large eps", rms_norm, rms_norm_reference, _draw(3, 40, 1e-3), {"eps": 0.1}),
    Case("rms norm of large rows", rms_norm, rms_norm_reference, _draw(3, 40, 5e3), usual=_usual, gradients=(0, 1)),
]


def _zeros(*shape: int) -> torch.Tensor:
    return torch.zeros(shape, device=device.DEVICE)


REFUSED = [
    Refused(rms_norm, lambda: (_zeros(4, 6), _zeros(4)), r"got shape \(4, 6\) .* weights of shape \(4,\)"),
    Refused(rms_norm, lambda: (_zeros(4, 6).T, _zeros(4)), r"with strides \(1, 6\)"),
    Refused(rms_norm, lambda: (_zeros(1, 16385), _zeros(16385)), "N from 1 to 16384"),
]


def _meta(*shape: int) -> torch.Tensor:
    return torch.empty(shape, dtype=torch.bfloat16, device="meta", requires_grad=True)


def _both(N: int) -> None:
    rms_norm(_meta(16384, N), _meta(N)).backward(_meta(16384, N))


BUILDS = [
    Build(f"rms norm of rows of {N}, {kernel}", lambda N=N: _both(N), kernel)
    for N, kernel in [
        (4096, "_rms_norm_kernel"),
        (8192, "_rms_norm_long_kernel"),
        (8192, "_rms_norm_backward_kernel"),
    ]
]
