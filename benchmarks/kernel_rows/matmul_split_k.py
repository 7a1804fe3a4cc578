"""Matrix products with few rows in bfloat16; 2048 columns are too few tiles for the GPU, 8192 are not."""

from __future__ import annotations

from collections.abc import Iterator

import torch

from benchmarks.kernel_row import Row
from lablib.kernels.matmul_split_k import matmul_split_k

K = 8192


def rows() -> Iterator[Row]:
    for M in (16, 128):
        for N in (2048, 8192):
            yield _row(M, N)


def _row(M: int, N: int) -> Row:
    a, weight = (torch.randn(rows, K, device="cuda", dtype=torch.bfloat16) for rows in (M, N))
    return Row(
        "matmul_split_k",
        f"bf16 {M} × {N} × {K}",
        ours=lambda: matmul_split_k(a, weight.T),
        peers={"cuBLAS": lambda: a @ weight.T},
        exact=lambda: a.float() @ weight.float().T,
        usual="cuBLAS",
        flops=2 * M * N * K,
        reads=a.nbytes + weight.nbytes,
        writes=2 * M * N,
        graph=True,
    )
