"""Matrix product with K in parts."""

from __future__ import annotations

import torch

from lablib import device
from lablib.kernels.matmul_split_k import matmul_split_k, matmul_split_k_reference

from ..case import Build, Case, Refused

SMALL = {"BLOCK_M": 16, "BLOCK_N": 32, "BLOCK_K": 16, "GROUP_M": 2, "num_warps": 4, "num_stages": 2}

CASES = [
    Case(
        f"split-K matmul {M} × {N} × {K} in {splits} parts",
        matmul_split_k,
        matmul_split_k_reference,
        lambda rng, dtype, M=M, N=N, K=K: (rng.normal(M, K, dtype=dtype), rng.normal(N, K, dtype=dtype).T),
        options={"splits": splits, "configuration": SMALL},
        usual=torch.matmul,
    )
    # One part; an uneven last part; a part with nothing left to add; more parts than blocks of K.
    for M, N, K, splits in [(20, 40, 50, 1), (20, 40, 75, 3), (1, 33, 80, 4), (16, 32, 20, 7)]
]
CASES.append(
    Case(
        "split-K matmul as tuned",
        matmul_split_k,
        matmul_split_k_reference,
        lambda rng, dtype: (rng.normal(9, 300, dtype=dtype), rng.normal(300, 90, dtype=dtype)),
        usual=torch.matmul,
    )
)


def _zeros(*shape: int) -> torch.Tensor:
    return torch.zeros(shape, device=device.DEVICE)


REFUSED = [
    Refused(matmul_split_k, lambda: (_zeros(3, 4), _zeros(3, 4)), r"it got torch.float32 \(3, 4\) and torch.float32")
]

BUILDS = [
    Build(
        f"split-K matmul of {M} rows",
        lambda M=M: matmul_split_k(
            torch.empty(M, 8192, dtype=torch.float16, device="meta"),
            torch.empty(8192, 8192, dtype=torch.float16, device="meta").T,
        ),
        "_matmul_split_k_kernel",
        instructions=instructions,
        targets=("sm_90",),
    )
    for M, instructions in [(16, {"sm_90": "HMMA"}), (128, {"sm_90": "HGMMA"})]
]
