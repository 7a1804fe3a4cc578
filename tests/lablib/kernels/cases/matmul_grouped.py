"""Matrix product with programs in groups, and the order of its tiles."""

from __future__ import annotations

import torch

from lablib import device
from lablib.gpu.cost import Cost
from lablib.kernels.matmul_grouped import matmul_grouped, matmul_grouped_cost, matmul_grouped_reference

from ..case import Build, Case, Refused

SMALL = {"BLOCK_M": 16, "BLOCK_N": 32, "BLOCK_K": 32, "GROUP_M": 2, "num_warps": 4, "num_stages": 2}


def _traffic(a: torch.Tensor, b: torch.Tensor, configuration: dict[str, int]) -> Cost:
    """What the tiles load, in whatever order: each operand once for every tile of C that needs it."""
    (M, K), N = a.shape, b.shape[1]
    loads = K * (M * -(-N // configuration["BLOCK_N"]) + N * -(-M // configuration["BLOCK_M"]))
    return Cost(matmul_grouped_cost(M, N, K, a.element_size()).flops, (loads + M * N) * a.element_size())


CASES = [
    Case(
        f"grouped matmul {M} × {N} × {K} of a transposed and a strided operand",
        matmul_grouped,
        matmul_grouped_reference,
        lambda rng, dtype, M=M, N=N, K=K: (rng.normal(K, M, dtype=dtype).T, rng.normal(K, 2 * N, dtype=dtype)[:, ::2]),
        options={"configuration": SMALL},
        usual=torch.matmul,
        cost=_traffic,
    )
    # One tile; the last group lower than the others; whole blocks of K.
    for M, N, K in [(1, 5, 3), (43, 70, 45), (64, 48, 64)]
]
CASES.append(
    Case(
        "grouped matmul as tuned",
        matmul_grouped,
        matmul_grouped_reference,
        lambda rng, dtype: (rng.normal(130, 70, dtype=dtype), rng.normal(70, 260, dtype=dtype)),
        usual=torch.matmul,
    )
)


def _zeros(*shape: int) -> torch.Tensor:
    return torch.zeros(shape, device=device.DEVICE)


REFUSED = [
    Refused(matmul_grouped, lambda: (_zeros(3, 4), _zeros(3, 4)), r"it got torch.float32 \(3, 4\) and torch.float32")
]

BUILDS = [
    Build(
        "grouped matmul of 4096",
        lambda: matmul_grouped(*torch.empty(2, 4096, 4096, dtype=torch.float16, device="meta")),
        "_matmul_grouped_kernel",
        instructions={"sm_90": "HGMMA", "sm_100": "UTCHMMA"},
        targets=("sm_90", "sm_100"),
    )
]
