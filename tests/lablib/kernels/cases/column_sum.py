"""Sum over the rows of a matrix."""

from __future__ import annotations

import torch

from lablib import device
from lablib.gpu.cost import Cost
from lablib.kernels.column_sum import column_sum, column_sum_cost, column_sum_reference

from ..case import Build, Case, Refused


def _cost(x: torch.Tensor) -> Cost:
    return column_sum_cost(*x.shape, x.element_size(), x.element_size())


CASES = [
    Case(
        f"column sum of {M} × {N}",
        column_sum,
        column_sum_reference,
        lambda rng, dtype, M=M, N=N: (rng.normal(M, N, dtype=dtype) + 1,),
        cost=_cost,
    )
    for M, N in [(1, 1), (33, 70), (64, 32)]
]

REFUSED = [
    Refused(
        column_sum,
        lambda: (torch.zeros(4, 6, device=device.DEVICE).T,),
        r"takes a contiguous matrix; it got shape \(6, 4\) with strides \(1, 6\)",
    )
]

BUILDS = [
    Build(
        "column sum of 132 × 16384",
        lambda: column_sum(torch.empty(132, 16384, device="meta"), torch.bfloat16),
        "_column_sum_kernel",
    )
]
