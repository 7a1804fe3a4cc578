"""A sum over K cut into parts: each part is summed by programs of its own, and the parts are added at the end.

A product with few rows has few tiles. Cut along K, there are enough programs for every multiprocessor to hold many
warps, which hide each other's latency. The parts are float32 and small, since the rows are few; they stay in the L2
cache. Adding them in a kernel of its own costs a launch, and gives the same bits on every run, as atomics would not.
"""

from __future__ import annotations

import torch

from lablib import device  # noqa: F401  (before triton: it decides whether kernels are interpreted)

import triton  # isort: skip
import triton.language as tl  # isort: skip

__all__ = ["add_splits", "parts_of"]


@triton.jit
def _add_splits_kernel(parts_ptr, y_ptr, n, SPLITS: tl.constexpr, BLOCK: tl.constexpr):
    offsets = tl.program_id(0).to(tl.int64) * BLOCK + tl.arange(0, BLOCK)
    inside = offsets < n
    total = tl.zeros((BLOCK,), dtype=tl.float32)
    for split in tl.static_range(SPLITS):
        total += tl.load(parts_ptr + tl.cast(split, tl.int64) * n + offsets, mask=inside, other=0.0)
    tl.store(y_ptr + offsets, total.to(y_ptr.dtype.element_ty), mask=inside)


def parts_of(y: torch.Tensor, splits: int) -> torch.Tensor:
    """Memory for the parts of a sum: ``y`` itself if there is one, else float32 of shape ``(splits, *y.shape)``."""
    return y if splits == 1 else torch.empty((splits, *y.shape), dtype=torch.float32, device=y.device)


def add_splits(parts: torch.Tensor, y: torch.Tensor) -> None:
    """Write into ``y``, contiguous, the sum of ``parts`` from `parts_of`."""
    BLOCK = 512
    if parts is not y:
        _add_splits_kernel[(triton.cdiv(y.numel(), BLOCK),)](parts, y, y.numel(), len(parts), BLOCK)
