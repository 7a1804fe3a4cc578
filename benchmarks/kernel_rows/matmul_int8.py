"""Matrix product of int8 matrices with scales of rows and channels."""

# torch names its own matrix products with an underscore.
# pyright: reportPrivateImportUsage=false
from __future__ import annotations

from collections.abc import Iterator

import torch

from benchmarks.kernel_row import Row
from lablib.kernels.matmul_int8 import matmul_int8, matmul_int8_cost, quantize_int8

SIZE = 8192


def rows() -> Iterator[Row]:
    a, a_scale = quantize_int8(torch.randn(SIZE, SIZE, device="cuda"), axis=1)
    w, b_scale = quantize_int8(torch.randn(SIZE, SIZE, device="cuda"), axis=1)
    b = w.T

    def scaled() -> torch.Tensor:
        return (torch._int_mm(a, b) * a_scale[:, None] * b_scale).bfloat16()

    compiled = torch.compile(scaled, dynamic=False)
    yield Row(
        "matmul_int8",
        f"int8 {SIZE}³",
        ours=lambda: matmul_int8(a, b, a_scale, b_scale),
        peers={"_int_mm": lambda: torch._int_mm(a, b), "torch.compile, scaled": compiled},
        exact=lambda: (a.double() @ b.double()) * a_scale[:, None] * b_scale,
        usual="torch.compile, scaled",
        flops=matmul_int8_cost(SIZE, SIZE, SIZE).flops,
        matrix="int8",
        reads=a.nbytes + b.nbytes,
        writes=2 * SIZE * SIZE,
        least_of_peer={"_int_mm": 1.2},
    )
