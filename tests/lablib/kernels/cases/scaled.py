"""Products of two fp8 or int8 matrices with scales."""

from __future__ import annotations

from collections.abc import Callable
from types import ModuleType

import torch

from lablib import device
from lablib.check.random import Rng
from lablib.kernels import matmul_fp8, matmul_int8

from ..case import Build, Case, Refused

DTYPES = {"fp8": torch.float8_e4m3fn, "int8": torch.int8}
MODULES: dict[str, ModuleType] = {"fp8": matmul_fp8, "int8": matmul_int8}
INSTRUCTIONS = {"fp8": {"sm_90": "QGMMA", "sm_100": "UTCQMMA"}, "int8": {"sm_90": "IGMMA"}}


def _kernel(name: str) -> Callable[..., torch.Tensor]:
    return getattr(MODULES[name], f"matmul_{name}")


def _drawn(name: str, M: int, N: int, K: int, stored: torch.dtype | None = None):
    quantize = getattr(MODULES[name], f"quantize_{name}")

    def draw(rng: Rng, dtype: torch.dtype) -> tuple:
        """Rows and columns of very different sizes: a wrong scale shows."""
        a, a_scale = quantize(rng.normal(M, K) * 2 ** rng.normal(M, 1), axis=1)
        b, b_scale = quantize(rng.normal(N, K) * 2 ** rng.normal(N, 1), axis=1)
        return a, b.T, a_scale, b_scale, stored or dtype

    return draw


def _cases(name: str) -> list[Case]:
    kernel, reference = _kernel(name), getattr(MODULES[name], f"matmul_{name}_reference")
    small = {**MODULES[name].TUNED.configuration("any"), "BLOCK_M": 32, "BLOCK_N": 64, "BLOCK_K": 32, "GROUP_M": 2}
    cases = [
        Case(
            f"{name} matmul {M} × {N} × {K} in {stores} stores a tile",
            kernel,
            reference,
            _drawn(name, M, N, K),
            options={"configuration": {**small, "STORES": stores}},
            dtypes=(torch.float16,),
        )
        for M, N, K, stores in [(1, 8, 16, 1), (72, 136, 80, 1), (72, 136, 80, 2), (40, 72, 48, 4)]
    ]
    drawn = _drawn(name, 136, 264, 144, torch.bfloat16)
    return [*cases, Case(f"{name} matmul as tuned", kernel, reference, drawn, dtypes=(torch.float16,))]


def _operands(M: int, N: int, K: int, dtype: torch.dtype) -> tuple:
    a, b = (torch.zeros(rows, K, device=device.DEVICE).to(dtype) for rows in (M, N))
    return a, b.T, torch.ones(M, device=device.DEVICE), torch.ones(N, device=device.DEVICE)


def _refused(name: str) -> list[Refused]:
    kernel, dtype = _kernel(name), DTYPES[name]
    return [
        Refused(kernel, lambda: _operands(8, 8, 16, torch.float16), r"it got torch.float16 \(8, 16\)"),
        Refused(kernel, lambda: _operands(8, 8, 24, dtype), r"strides \(24, 1\) and \(1, 24\), K = 24, N = 8"),
        Refused(kernel, lambda: _operands(8, 4, 16, dtype), "N a multiple of 8"),
        Refused(kernel, lambda: (*_operands(8, 8, 16, dtype)[:3], torch.ones(1)), r"8 of B's columns.*float32 \(1,\)"),
        Refused(kernel, lambda: (*_operands(8, 8, 16, dtype), torch.float64), "not one of torch.float64"),
    ]


def _builds(name: str) -> list[Build]:
    table = MODULES[name].TUNED.table
    return [
        Build(
            f"{name} matmul of 8192, tuned for {gpu}",
            lambda gpu=gpu, triton=triton: _kernel(name)(
                torch.empty(8192, 8192, dtype=DTYPES[name], device="meta"),
                torch.empty(8192, 8192, dtype=DTYPES[name], device="meta").T,
                *torch.empty(2, 8192, device="meta"),
                configuration=table[gpu, triton]["any"],
            ),
            "_scaled_kernel",
            instructions=INSTRUCTIONS[name],
            targets=(gpu,),
        )
        for gpu, triton in table
    ]


CASES = [case for name in MODULES for case in _cases(name)]
REFUSED = [refused for name in MODULES for refused in _refused(name)]
REFUSED.append(
    Refused(_kernel("int8"), lambda: _operands(1, 8, 2**17, torch.int8), "it got K = 131072"),
)
BUILDS = [build for name in MODULES for build in _builds(name)]
