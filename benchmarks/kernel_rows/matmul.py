"""Matrix products in bfloat16, step by step: tiles, groups, persistent programs."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import torch

from benchmarks.kernel_row import Row
from lablib.kernels.matmul import matmul, matmul_cost
from lablib.kernels.matmul_grouped import matmul_grouped
from lablib.kernels.matmul_persistent import matmul_persistent


def rows() -> Iterator[Row]:
    yield _row("matmul", matmul, 8192)
    yield _row("matmul_grouped", matmul_grouped, 8192, least_ratio=0.80)
    yield _row("matmul_persistent", matmul_persistent, 8192, least_ratio=0.95)
    yield _row("matmul_grouped", matmul_grouped, 4096)
    yield _row("matmul_persistent", matmul_persistent, 4096, least_ratio=0.90)
    yield _row("matmul_grouped", matmul_grouped, 4095)
    yield _row("matmul_persistent", matmul_persistent, 512, graph=True)


def _row(
    name: str, kernel: Callable[..., torch.Tensor], size: int, least_ratio: float | None = None, graph: bool = False
) -> Row:
    a, b = (torch.randn(size, size, device="cuda", dtype=torch.bfloat16) for _ in range(2))
    cost = matmul_cost(size, size, size, 2)
    return Row(
        name,
        f"bf16 {size}³",
        ours=lambda: kernel(a, b),
        peers={"cuBLAS": lambda: a @ b},
        exact=lambda: a.float() @ b.float(),
        usual="cuBLAS",
        flops=cost.flops,
        reads=a.nbytes + b.nbytes,
        writes=a.nbytes,
        least_ratio=least_ratio,
        graph=graph,
    )
