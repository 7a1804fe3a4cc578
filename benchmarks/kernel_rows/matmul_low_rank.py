"""Product with a matrix of low rank."""

from __future__ import annotations

from collections.abc import Iterator

import torch

from benchmarks.kernel_row import Row
from lablib.kernels.matmul_low_rank import matmul_low_rank, matmul_low_rank_cost, matmul_low_rank_reference


def rows() -> Iterator[Row]:
    for M, R in ((16384, 64), (16384, 16), (8192, 64)):
        yield _row(M, 8192, 8192, R, 1.0)
    yield _row(1024, 1024, 1024, 16, 1 / 1.1, graph=True)


def _row(M: int, N: int, K: int, R: int, least: float, graph: bool = False) -> Row:
    x, a, b = (torch.randn(shape, device="cuda", dtype=torch.bfloat16) for shape in ((M, K), (K, R), (R, N)))
    cost = matmul_low_rank_cost(M, N, K, R, 2)
    written = 2 * M * N
    return Row(
        "matmul_low_rank",
        f"{M} × {N} × {K}, rank {R}" + (", in a graph" if graph else ""),
        ours=lambda: matmul_low_rank(x, a, b),
        peers={"two products": lambda: (x @ a) @ b},
        exact=lambda: matmul_low_rank_reference(x.float(), a.float(), b.float()),
        usual="two products",
        flops=cost.flops,
        reads=cost.bytes - written,
        writes=written,
        least_ratio=least,
        graph=graph,
    )
