"""Elementwise sum of two vectors: the smallest kernel that has everything.

    z[i] = x[i] + y[i]

    program p:   offsets p·BLOCK ... p·BLOCK + BLOCK - 1,  lanes past n masked off

Binding roof: memory bandwidth (one operation for 3 · itemsize bytes).

Source: the operation is elementary; blocks of lanes with a mask are Triton's programming model (Tillet, Kung and Cox,
"Triton: an intermediate language and compiler for tiled neural network computations", MAPL 2019, section 3).
"""

from __future__ import annotations

import torch

from lablib import device
from lablib.gpu.cost import Cost

import triton  # isort: skip
import triton.language as tl  # isort: skip

__all__ = ["add", "add_cost", "add_reference"]


def add_reference(x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    """Sum of two tensors in plain torch."""
    return x + y


def add_cost(n: int, itemsize: int) -> Cost:
    """Least cost for n elements: two read, one written, one addition each."""
    return Cost(flops=n, bytes=3 * n * itemsize)


@triton.jit
def _add_kernel(x_ptr, y_ptr, z_ptr, n, BLOCK: tl.constexpr):
    # int64: the product passes 2**31 for tensors of more than two billion elements.
    offsets = tl.program_id(0).to(tl.int64) * BLOCK + tl.arange(0, BLOCK)
    inside = offsets < n
    x = tl.load(x_ptr + offsets, mask=inside, other=0.0)
    y = tl.load(y_ptr + offsets, mask=inside, other=0.0)
    tl.store(z_ptr + offsets, x + y, mask=inside)


def add(x: torch.Tensor, y: torch.Tensor, BLOCK: int = 1024) -> torch.Tensor:
    """Sum of two contiguous tensors of one shape and dtype.

    Parameters
    ----------
    x, y
        Same shape and dtype, contiguous.
    BLOCK
        Lanes a program, a power of two.

    Raises
    ------
    ValueError
        If shapes or dtypes differ, a tensor is not contiguous, or it is bfloat16 and there is no GPU.

    Examples
    --------
    >>> x = torch.arange(3.0, device=device.DEVICE)
    >>> add(x, x).tolist()
    [0.0, 2.0, 4.0]
    """
    if x.shape != y.shape or x.dtype != y.dtype or not (x.is_contiguous() and y.is_contiguous()):
        raise ValueError(
            "add takes two contiguous tensors of one shape and dtype; it got "
            f"{x.dtype} {tuple(x.shape)} strides {x.stride()} and {y.dtype} {tuple(y.shape)} strides {y.stride()}."
        )
    device.refuse_bfloat16("add", x, y)
    z = torch.empty_like(x)
    _add_kernel[(triton.cdiv(x.numel(), BLOCK),)](x, y, z, x.numel(), BLOCK=BLOCK)
    return z
