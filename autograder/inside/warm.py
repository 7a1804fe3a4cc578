"""Import beforehand what judging needs, on both sides: a fork then has it already."""

from __future__ import annotations

from lablib import device  # isort: skip  (before triton: it decides whether kernels are interpreted)

import torch
import triton
import triton.language as tl

from lablib.check import observe


@triton.jit
def _softmax_kernel(x_MN, y_MN, N, BLOCK_N: tl.constexpr):
    cols = tl.arange(0, BLOCK_N)
    places = tl.program_id(0) * N + cols
    z = tl.load(x_MN + places, mask=cols < N, other=float("-inf"))
    z = tl.exp(z - tl.max(z, axis=0))
    tl.store(y_MN + places, z / tl.sum(z, axis=0), mask=cols < N)


def _softmax(x: torch.Tensor) -> torch.Tensor:
    y = torch.empty_like(x)
    _softmax_kernel[(x.shape[0],)](x, y, x.shape[1], BLOCK_N=triton.next_power_of_2(x.shape[1]))
    return y


def warm_up() -> None:
    """Observe a small kernel, so that all that is imported or cached at first use is there."""
    torch.set_num_threads(1)  # a fork after a parallel region hangs in its next one
    observe(_softmax, torch.ones(2, 4, device=device.DEVICE))
