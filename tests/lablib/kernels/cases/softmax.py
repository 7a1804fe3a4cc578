"""Softmax over rows."""

from __future__ import annotations

import torch

from lablib import device
from lablib.check.random import Rng
from lablib.gpu.cost import Cost
from lablib.kernels.softmax import softmax, softmax_cost, softmax_reference

from ..case import Build, Case, Refused


def _cost(x: torch.Tensor):
    return softmax_cost(*x.shape, x.element_size())


def _masked(rng: Rng, dtype: torch.dtype) -> tuple:
    x = 300 * rng.normal(3, 50)
    x[:, 10:20] = float("-inf")
    return (x.to(dtype),)


def _long(rng: Rng, dtype: torch.dtype) -> tuple:
    x = 3 * rng.normal(2, 33000)
    x[:, 1000:6000] = float("-inf")
    x[:, 32999] = 13.0
    return (x.to(dtype),)


def _cost_of_long(x: torch.Tensor):
    """The least, and a second load of everything."""
    return _cost(x) + Cost(0, x.nbytes)


CASES = [
    Case("softmax of one element", softmax, softmax_reference, lambda rng, dtype: (rng.normal(1, 1, dtype=dtype),)),
    Case(
        "softmax of a slice",
        softmax,
        softmax_reference,
        lambda rng, dtype: (rng.normal(5, 126, dtype=dtype)[:, 2:125],),
        gradients=(0,),
        cost=_cost,
    ),
    Case(
        "softmax of whole sectors",
        softmax,
        softmax_reference,
        lambda rng, dtype: (rng.normal(2, 4096, dtype=dtype),),
        cost=_cost,
        sectors=True,
    ),
    Case("softmax of large and masked scores", softmax, softmax_reference, _masked),
    Case(
        "softmax transposed: a gradient of other strides",
        lambda x: softmax(x).T.contiguous(),
        lambda x: softmax_reference(x).T.contiguous(),
        lambda rng, dtype: (rng.normal(5, 70, dtype=dtype),),
        dtypes=(torch.float32,),
        gradients=(0,),
    ),
    Case(
        "softmax of rows too long for the registers",
        softmax,
        softmax_reference,
        _long,
        gradients=(0,),
        cost=_cost_of_long,
    ),
]

REFUSED = [
    Refused(softmax, lambda: (torch.zeros(3, device=device.DEVICE),), r"takes a matrix .* it got shape \(3,\)"),
    Refused(softmax, lambda: (torch.zeros(4, 6, device=device.DEVICE).T,), "strides"),
    Refused(softmax, lambda: (torch.zeros(2, 0, device=device.DEVICE),), "at least one element"),
]


def _meta(*shape: int) -> torch.Tensor:
    return torch.empty(shape, dtype=torch.bfloat16, device="meta", requires_grad=True)


BUILDS = [
    Build(
        f"softmax of rows of {N}",
        lambda N=N: softmax(_meta(16384, N)),
        kernel,
    )
    for N, kernel in [
        (781, "_softmax_kernel"),
        (8192, "_softmax_kernel"),
        (16384, "_softmax_long_kernel"),
        (65536, "_softmax_long_kernel"),
    ]
] + [
    Build(
        "softmax backward",
        lambda: softmax(_meta(16384, 8192)).backward(_meta(16384, 8192)),
        "_softmax_backward_kernel",
    )
]
