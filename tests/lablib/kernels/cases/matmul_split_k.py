"""Matrix product with K in parts."""

from __future__ import annotations

import torch

from lablib import device
from lablib.kernels.matmul_split_k import matmul_split_k, matmul_split_k_reference

from ..case import Build, Case, Refused

SMALL = {
    "BLOCK_M": 16,
    "BLOCK_N": 32,
    "BLOCK_K": 16,
    "GROUP_M": 2,
    "num_warps": 4,
    "num_stages": 2,
    "per_multiprocessor": 1,
}

CASES = [
    Case(
        f"split-K matmul {M} × {N} × {K} in {splits} parts",
        matmul_split_k,
        matmul_split_k_reference,
        lambda rng, dtype, M=M, N=N, K=K: (rng.normal(M, K, dtype=dtype), rng.normal(N, K, dtype=dtype).T),
        options={"splits": splits, "configuration": SMALL},
        usual=torch.matmul,
        dtypes=(torch.float16,),
    )
    # One part; an uneven last part; a part with nothing left to add; more parts than blocks of K.
    for M, N, K, splits in [(20, 40, 48, 1), (20, 40, 72, 3), (1, 40, 80, 4), (16, 32, 24, 7)]
]
CASES.append(
    Case(
        "split-K matmul as tuned",
        matmul_split_k,
        matmul_split_k_reference,
        lambda rng, dtype: (rng.normal(304, 24, dtype=dtype).T, rng.normal(304, 88, dtype=dtype)),
        usual=torch.matmul,
        dtypes=(torch.float16,),
    )
)


X = torch.zeros(8, 12, dtype=torch.float16, device=device.DEVICE)
REFUSED = [
    Refused(matmul_split_k, lambda: (X, X), r"it got torch.float16 \(8, 12\) and torch.float16 \(8, 12\)"),
    Refused(matmul_split_k, lambda: (X, X.T), r"strides \(12, 1\) and \(1, 12\), K = 12, N = 8"),
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
