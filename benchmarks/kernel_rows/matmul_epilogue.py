"""Matrix product with bias, GELU and residual, where K is short and the finish counts."""

# torch names its own matrix products with an underscore.
# pyright: reportPrivateImportUsage=false
from __future__ import annotations

from collections.abc import Iterator

import torch
import torch.nn.functional as F

from benchmarks.kernel_row import Row
from lablib.kernels.matmul_epilogue import matmul_epilogue, matmul_epilogue_cost

M = N = 8192
CAUSE = (
    "The finish takes 0.07 ms that the product of the other program on the multiprocessor hides in part only: nineteen "
    "instructions an element, two of them special functions, of which there are 16 a clock. Tried: four warps, tiles "
    "of 256, four parts, R fetched before the product, programs half a tile apart (none helps); reciprocal roots for "
    "the division and the sum started at the bias (0.292 to 0.271 ms), eight warps (0.266), groups of 16 (0.261)"
)


def rows() -> Iterator[Row]:
    for K in (1024, 512):
        yield _row(K)


def _row(K: int) -> Row:
    shapes = ((M, K), (K, N), (N,), (M, N))
    a, b, bias, residual = (torch.randn(shape, device="cuda", dtype=torch.bfloat16) for shape in shapes)

    def eager(a, b, bias, residual):
        return F.gelu(a @ b + bias, approximate="tanh") + residual

    def fused_in_part() -> torch.Tensor:
        return torch._addmm_activation(bias, a, b, use_gelu=True) + residual

    compiled = torch.compile(eager, dynamic=False)
    tuned = torch.compile(eager, dynamic=False, mode="max-autotune-no-cudagraphs")
    operands = (a, b, bias, residual)
    cost = matmul_epilogue_cost(M, N, K, 2)
    return Row(
        "matmul_epilogue",
        f"bias, GELU, residual, bf16 {M} × {N} × {K}",
        ours=lambda: matmul_epilogue(*operands, activation="gelu"),
        peers={
            "torch.compile": lambda: compiled(*operands),
            "_addmm_activation": fused_in_part,
            "max-autotune": lambda: tuned(*operands),
        },
        exact=lambda: eager(*(one.float() for one in operands)),
        usual="_addmm_activation",
        flops=cost.flops,
        reads=a.nbytes + b.nbytes + bias.nbytes + residual.nbytes,
        writes=residual.nbytes,
        least_ratio=1.15,
        cause=CAUSE,
    )
