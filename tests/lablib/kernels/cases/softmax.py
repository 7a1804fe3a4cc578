"""Softmax over rows."""

from __future__ import annotations

import torch

from lablib import device
from lablib.check.random import Rng
from lablib.kernels.softmax import softmax, softmax_cost, softmax_reference

from ..case import Build, Case, Refused


def _cost(x: torch.Tensor):
    return softmax_cost(*x.shape, x.element_size())


def _masked(rng: Rng, dtype: torch.dtype) -> tuple:
    x = 300 * rng.normal(3, 50)
    x[:, 10:20] = float("-inf")
    return (x.to(dtype),)


CASES = [
    Case("softmax of one element", softmax, softmax_reference, lambda rng, dtype: (rng.normal(1, 1, dtype=dtype),)),
    Case(
        "softmax of a slice",
        softmax,
        softmax_reference,
        lambda rng, dtype: (rng.normal(5, 126, dtype=dtype)[:, 2:125],),
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
]

REFUSED = [
    Refused(softmax, lambda: (torch.zeros(3, device=device.DEVICE),), r"takes a matrix .* it got shape \(3,\)"),
    Refused(softmax, lambda: (torch.zeros(4, 6, device=device.DEVICE).T,), "strides"),
    Refused(softmax, lambda: (torch.zeros(1, 65537, device=device.DEVICE),), "at most 65536 elements"),
]

BUILDS = [
    Build(
        "softmax of rows of 8192",
        lambda: softmax(torch.empty(16384, 8192, dtype=torch.bfloat16, device="meta")),
        "_softmax_kernel",
    )
]
