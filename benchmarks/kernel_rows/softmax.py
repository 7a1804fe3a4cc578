"""Softmax over rows of several lengths."""

from __future__ import annotations

from collections.abc import Iterator

import torch

from benchmarks.kernel_row import Row
from lablib.kernels.softmax import softmax

M = 16384


def rows() -> Iterator[Row]:
    for N, least_roof in ((781, 0.80), (8192, 0.97), (32768, 0.92), (65536, 0.85)):
        yield _row(N, least_roof)


def _row(N: int, least_roof: float) -> Row:
    x = torch.randn(M, N, device="cuda", dtype=torch.bfloat16)
    compiled = torch.compile(torch.softmax, dynamic=False)
    return Row(
        "softmax",
        f"bf16 {M} × {N}",
        ours=lambda: softmax(x),
        peers={"eager": lambda: torch.softmax(x, -1), "torch.compile": lambda: compiled(x, -1)},
        exact=lambda: torch.softmax(x.float(), -1),
        usual="eager",
        reads=x.nbytes,
        writes=x.nbytes,
        least_ratio=1.0,
        least_roof=least_roof,
    )
