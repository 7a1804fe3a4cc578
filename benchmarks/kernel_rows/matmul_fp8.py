"""Matrix product of fp8 matrices with scales of rows and columns."""

# torch names its own matrix products with an underscore.
# pyright: reportPrivateImportUsage=false
from __future__ import annotations

from collections.abc import Iterator

import torch

from benchmarks.kernel_row import Row
from lablib.kernels.matmul_fp8 import matmul_fp8, matmul_fp8_cost, quantize_fp8

SIZE = 8192


def rows() -> Iterator[Row]:
    a, a_scale = quantize_fp8(torch.randn(SIZE, SIZE, device="cuda"), axis=1)
    w, b_scale = quantize_fp8(torch.randn(SIZE, SIZE, device="cuda"), axis=1)
    b, one = w.T, torch.ones((), device="cuda")

    def library(a_scale: torch.Tensor, b_scale: torch.Tensor) -> torch.Tensor:
        """Sums as ours does, in the matrix units."""
        return torch._scaled_mm(a, b, scale_a=a_scale, scale_b=b_scale, out_dtype=torch.bfloat16, use_fast_accum=True)

    yield Row(
        "matmul_fp8",
        f"e4m3 {SIZE}³",
        ours=lambda: matmul_fp8(a, b, a_scale, b_scale),
        peers={
            "_scaled_mm, one scale": lambda: library(one, one),
            "_scaled_mm, by rows": lambda: library(a_scale[:, None], b_scale[None, :]),
        },
        exact=lambda: (a.float() @ b.float()) * a_scale[:, None] * b_scale,
        usual="_scaled_mm, by rows",
        flops=matmul_fp8_cost(SIZE, SIZE, SIZE).flops,
        matrix="fp8",
        reads=a.nbytes + b.nbytes,
        writes=2 * SIZE * SIZE,
        least_of_peer={"_scaled_mm, one scale": 0.9},
    )
