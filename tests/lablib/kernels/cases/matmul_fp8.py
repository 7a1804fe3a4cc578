"""Product of two fp8 matrices with scales."""

from __future__ import annotations

import torch

from lablib import device
from lablib.check.random import Rng
from lablib.kernels.matmul_fp8 import TUNED, matmul_fp8, matmul_fp8_reference, quantize_fp8

from ..case import Build, Case, Refused

SMALL = {**TUNED.configuration("any"), "BLOCK_M": 32, "BLOCK_N": 64, "BLOCK_K": 32, "GROUP_M": 2}


def _drawn(M: int, N: int, K: int):
    def draw(rng: Rng, dtype: torch.dtype) -> tuple:
        """Rows and columns of very different sizes: a wrong scale shows."""
        a, a_scale = quantize_fp8(rng.normal(M, K) * 2 ** rng.normal(M, 1), axis=1)
        b, b_scale = quantize_fp8(rng.normal(N, K) * 2 ** rng.normal(N, 1), axis=1)
        return a, b.T, a_scale, b_scale, dtype

    return draw


CASES = [
    Case(
        f"fp8 matmul {M} × {N} × {K} in {stores} stores a tile",
        matmul_fp8,
        matmul_fp8_reference,
        _drawn(M, N, K),
        options={"configuration": {**SMALL, "STORES": stores}},
        dtypes=(torch.float16,),
    )
    for M, N, K, stores in [(1, 8, 16, 1), (72, 136, 80, 1), (72, 136, 80, 2), (40, 72, 48, 4)]
]
CASES.append(
    Case(
        "fp8 matmul as tuned",
        matmul_fp8,
        matmul_fp8_reference,
        lambda rng, dtype: (*_drawn(136, 264, 144)(rng, dtype)[:4], torch.bfloat16),
        dtypes=(torch.float16,),
    )
)


def _operands(M: int, N: int, K: int, dtype: torch.dtype = torch.float8_e4m3fn) -> tuple:
    a, b = (torch.zeros(rows, K, device=device.DEVICE).to(dtype) for rows in (M, N))
    return a, b.T, torch.ones(M, device=device.DEVICE), torch.ones(N, device=device.DEVICE)


REFUSED = [
    Refused(matmul_fp8, lambda: _operands(8, 8, 16, torch.float16), r"it got torch.float16 \(8, 16\)"),
    Refused(matmul_fp8, lambda: _operands(8, 8, 24), r"strides \(24, 1\) and \(1, 24\), K = 24, N = 8"),
    Refused(matmul_fp8, lambda: _operands(8, 4, 16), "N a multiple of 8"),
    Refused(matmul_fp8, lambda: (*_operands(8, 8, 16)[:3], torch.ones(1)), r"8 of B's columns.*float32 \(1,\)"),
    Refused(matmul_fp8, lambda: (*_operands(8, 8, 16), torch.float64), "not one of torch.float64"),
]

BUILDS = [
    Build(
        f"fp8 matmul of 8192, tuned for {gpu}",
        lambda gpu=gpu, triton=triton: matmul_fp8(
            torch.empty(8192, 8192, dtype=torch.float8_e4m3fn, device="meta"),
            torch.empty(8192, 8192, dtype=torch.float8_e4m3fn, device="meta").T,
            *torch.empty(2, 8192, device="meta"),
            configuration=TUNED.table[gpu, triton]["any"],
        ),
        "_scaled_kernel",
        instructions={"sm_90": "QGMMA", "sm_100": "UTCQMMA"},
        targets=(gpu,),
    )
    for gpu, triton in TUNED.table
]
