"""Product with a matrix of low rank."""

from __future__ import annotations

import torch

from lablib import device
from lablib.check.random import Rng
from lablib.gpu.cost import Cost
from lablib.kernels.matmul_low_rank import matmul_low_rank, matmul_low_rank_cost, matmul_low_rank_reference

from ..case import Build, Case, Refused

BLOCK_M = 32  # of the interpreter


def _arguments(M: int, N: int, K: int, R: int):
    def draw(rng: Rng, dtype: torch.dtype) -> tuple:
        x = rng.normal(M, K + 16, dtype=dtype)[:, 8:-8]
        return x, rng.normal(K, R, dtype=dtype), rng.normal(R, N + 8, dtype=dtype)[:, :N]

    return draw


def _cost(x: torch.Tensor, a: torch.Tensor, b: torch.Tensor) -> Cost:
    """The least, and both factors again for each further tile of rows."""
    (M, K), (R, N) = x.shape, b.shape
    least = matmul_low_rank_cost(M, N, K, R, x.element_size())
    return Cost(least.flops, least.bytes + (-(-M // BLOCK_M) - 1) * (K * R + R * N) * x.element_size())


CASES = [
    Case(
        f"low rank {M} × {N} × {K}, rank {R}",
        matmul_low_rank,
        matmul_low_rank_reference,
        _arguments(M, N, K, R),
        gradients=(0, 1, 2),
        cost=_cost,
    )
    for M, N, K, R in [(1, 8, 8, 8), (40, 48, 72, 24), (32, 64, 64, 16)]
]


def _zeros(*shape: int) -> torch.Tensor:
    return torch.zeros(shape, device=device.DEVICE)


REFUSED = [
    Refused(matmul_low_rank, lambda: (_zeros(2, 3), _zeros(4, 2), _zeros(2, 3)), r"it got torch.float32 \(2, 3\)"),
    Refused(matmul_low_rank, lambda: (_zeros(2, 4), _zeros(4, 132), _zeros(132, 4)), "R at most 128"),
    Refused(matmul_low_rank, lambda: (_zeros(2, 4), _zeros(4, 6), _zeros(6, 4)), "begin at multiples of 16 bytes"),
    Refused(matmul_low_rank, lambda: (_zeros(2, 4), _zeros(4, 4), _zeros(4, 8)[:, :6]), "those of the result too"),
    Refused(matmul_low_rank, lambda: (_zeros(3, 2).T, _zeros(3, 2), _zeros(2, 3)), r"strides \(1, 2\)"),
]

BUILDS = [
    Build(
        "low rank 16384 × 8192 × 8192, rank 64",
        lambda: matmul_low_rank(
            *(
                torch.empty(shape, dtype=torch.float16, device="meta")
                for shape in ((16384, 8192), (8192, 64), (64, 8192))
            )
        ),
        "_matmul_low_rank_kernel",
        instructions={"sm_90": "HGMMA", "sm_100": "UTCHMMA"},
        targets=("sm_90", "sm_100"),
    )
]
