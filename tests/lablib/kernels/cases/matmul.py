"""Matrix product in tiles."""

from __future__ import annotations

import torch

from lablib import device
from lablib.gpu.cost import Cost
from lablib.kernels.matmul import matmul, matmul_cost, matmul_reference

from ..case import Build, Case, Refused

TILES = {"BLOCK_M": 32, "BLOCK_N": 32, "BLOCK_K": 32}


def _traffic(a: torch.Tensor, b: torch.Tensor, BLOCK_M: int, BLOCK_N: int, BLOCK_K: int) -> Cost:
    """What the tiles load, which is more than the least: each operand once for every tile of C that needs it."""
    (M, K), N = a.shape, b.shape[1]
    loads = K * (M * -(-N // BLOCK_N) + N * -(-M // BLOCK_M))
    return Cost(matmul_cost(M, N, K, a.element_size()).flops, (loads + M * N) * a.element_size())


CASES = [
    Case(
        f"matmul {M} × {N} × {K} of a transposed and a strided operand",
        matmul,
        matmul_reference,
        lambda rng, dtype, M=M, N=N, K=K: (rng.normal(K, M, dtype=dtype).T, rng.normal(K, 2 * N, dtype=dtype)[:, ::2]),
        options=TILES,
        usual=torch.matmul,
        cost=_traffic,
        ulps=4.0,  # one sum after the other along K, where a library adds up in a tree
    )
    for M, N, K in [(16, 16, 16), (33, 70, 45), (1, 5, 123)]
]


def _zeros(*shape: int) -> torch.Tensor:
    return torch.zeros(shape, device=device.DEVICE)


REFUSED = [
    Refused(matmul, lambda: (_zeros(3, 4), _zeros(3, 4)), r"it got torch.float32 \(3, 4\) and torch.float32 \(3, 4\)")
]
if device.INTERPRETED:
    REFUSED.append(
        Refused(
            matmul,
            lambda: (_zeros(2, 2).bfloat16(), _zeros(2, 2).bfloat16()),
            "cannot compute in bfloat16 without a GPU",
        )
    )

BUILDS = [
    Build(
        "matmul of 4096",
        lambda: matmul(*torch.empty(2, 4096, 4096, dtype=torch.float16, device="meta")),
        "_matmul_kernel",
        instructions={"sm_80": "HMMA", "sm_90": "HGMMA", "sm_100": "UTCHMMA"},
    )
]
