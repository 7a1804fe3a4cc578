"""The roofs of the GPU at hand: what memory moves with a given mix of reads and writes, what matrix units compute."""

# torch names its own matrix products with an underscore.
# pyright: reportPrivateImportUsage=false
from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import torch

from lablib import device  # noqa: F401  (before triton)

import triton  # isort: skip
import triton.language as tl  # isort: skip
from triton.testing import do_bench  # isort: skip

STREAMS = ((1024, 4, 1), (2048, 8, 1), (8192, 8, 1), (8192, 8, 8))
"""Lanes of a block, warps, blocks of a program."""

MOST_LANES = 8192
MATRIX_SIZE = 8192


@triton.jit
def _stream_kernel(source_ptr, target_ptr, reads, writes, steps, BLOCK: tl.constexpr):
    """Read and write blocks of 4-byte words, spread over all programs alike."""
    total = tl.zeros((BLOCK,), dtype=tl.int32)
    first = tl.program_id(0).to(tl.int64)
    programs = tl.num_programs(0)
    for step in range(steps):
        at = (first + step * programs) * BLOCK + tl.arange(0, BLOCK)
        total += tl.load(source_ptr + at, mask=at < reads, other=0)
        tl.store(target_ptr + at, total, mask=at < writes)
    if writes == 0:
        tl.atomic_max(target_ptr + tl.arange(0, BLOCK), total, mask=total == -(2**31) + 1)  # keeps the loads


def stream(reads: int, writes: int) -> Callable[[], Any]:
    """A function that reads and writes so many bytes, each once, and does nothing else: the fastest of several."""
    source = torch.randint(-(2**31), 2**31, (max(reads // 4, 1),), dtype=torch.int32, device="cuda")
    target = torch.empty(max(writes // 4, MOST_LANES), dtype=torch.int32, device="cuda")

    def runner(BLOCK: int, num_warps: int, steps: int) -> Callable[[], Any]:
        programs = triton.cdiv(triton.cdiv(max(reads, writes) // 4, BLOCK), steps)
        return lambda: _stream_kernel[(programs,)](
            source, target, reads // 4, writes // 4, steps, BLOCK=BLOCK, num_warps=num_warps
        )

    runners = [runner(*shape) for shape in STREAMS]
    return min(runners, key=lambda run: float(do_bench(run, warmup=5, rep=15, return_mode="median")))  # pyright: ignore


@cache
def matrix_product(kind: str) -> tuple[Callable[[], Any], int]:
    """A large matrix product by the vendor's library in one dtype, and its operations."""
    size = MATRIX_SIZE
    a, b = (torch.randn(size, size, device="cuda", dtype=torch.bfloat16) for _ in range(2))
    flops = 2 * size**3
    if kind == "bf16":
        return lambda: a @ b, flops
    if kind == "int8":
        x, w = ((100 * one).to(torch.int8) for one in (a, b))
        return lambda: torch._int_mm(x, w.T), flops
    x, w = (one.to(torch.float8_e4m3fn) for one in (a, b))
    one = torch.ones((), device="cuda")
    return lambda: torch._scaled_mm(
        x, w.T, scale_a=one, scale_b=one, out_dtype=torch.bfloat16, use_fast_accum=True
    ), flops
