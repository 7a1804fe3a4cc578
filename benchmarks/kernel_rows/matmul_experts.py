"""Matrix products of a mixture of experts under a load by Zipf's law."""

from __future__ import annotations

from collections.abc import Iterator

import torch

from benchmarks.kernel_row import Row
from lablib.kernels.matmul_experts import matmul_experts, matmul_experts_cost, matmul_experts_reference

EXPERTS, K, N = 64, 2048, 2048


def rows() -> Iterator[Row]:
    yield _row(65536, "K", 0.95)
    yield _row(65536, "N", 0.95)
    yield _row(256, "K", 1 / 1.1)


def _row(T: int, last: str, least: float) -> Row:
    # The expert of rank i gets a share in proportion to 1 / i.
    shares = 1 / torch.arange(1, EXPERTS + 1, device="cuda")
    experts = torch.multinomial(shares[torch.randperm(EXPERTS, device="cuda")], T, replacement=True)
    counts = torch.bincount(experts, minlength=EXPERTS)
    ends = counts.cumsum(0).to(torch.int32)
    x = torch.randn(T, K, device="cuda", dtype=torch.bfloat16)
    weight = torch.randn(EXPERTS, *((N, K) if last == "K" else (K, N)), device="cuda", dtype=torch.bfloat16)
    weight = weight.transpose(1, 2) if last == "K" else weight
    cost = matmul_experts_cost(T, N, K, int((counts > 0).sum()), 2)
    written = 2 * T * N
    return Row(
        "matmul_experts",
        f"{T} rows, {EXPERTS} experts of {K} × {N}, {last} contiguous",
        ours=lambda: matmul_experts(x, weight, ends),
        peers={"_grouped_mm": lambda: torch.ops.aten._grouped_mm(x, weight, ends)},
        exact=lambda: matmul_experts_reference(x.float(), weight.float(), ends),
        usual="_grouped_mm",
        flops=cost.flops,
        reads=cost.bytes - written,
        writes=written,
        least_ratio=least,
    )
