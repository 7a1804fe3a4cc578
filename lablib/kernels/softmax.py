"""Softmax over the last axis, one row a program.

    y[m, n] = exp(x[m, n] - max_n x[m, n]) / sum_n exp(x[m, n] - max_n x[m, n])

Each program holds a whole row in registers, so every element is loaded once and stored once:

    program m:   x[m, 0 : N]  ──load──>  max, exp, sum, divide  ──store──>  y[m, 0 : N]

Binding roof: memory bandwidth (about 5 operations for 2 · itemsize bytes moved an element).

Source: the subtraction of the maximum is the standard safe softmax, e.g. Milakov and Gimelshein, "Online normalizer
calculation for softmax", arXiv:1805.02867, section 2.
"""

from __future__ import annotations

import torch

from lablib import device  # noqa: F401  (before triton: it decides whether kernels are interpreted)
from lablib.gpu.cost import Cost

import triton  # isort: skip
import triton.language as tl  # isort: skip

__all__ = ["softmax", "softmax_cost", "softmax_reference"]

LONGEST_ROW = 65536


def softmax_reference(x: torch.Tensor) -> torch.Tensor:
    """Softmax of ``x``, shape (M, N), in plain torch."""
    z = x - x.amax(dim=-1, keepdim=True)
    z = z.exp()
    return z / z.sum(dim=-1, keepdim=True)


def softmax_cost(M: int, N: int, itemsize: int) -> Cost:
    """Least cost of a softmax over M rows of N elements: each read once and written once."""
    return Cost(flops=5 * M * N, bytes=2 * M * N * itemsize)


@triton.jit
def _softmax_kernel(x_ptr, y_ptr, x_row_stride, N, BLOCK_N: tl.constexpr):
    row = tl.program_id(0).to(tl.int64)
    columns = tl.arange(0, BLOCK_N)
    inside = columns < N
    # -inf in the masked lanes leaves the maximum alone and adds exp(-inf) = 0 to the sum.
    x = tl.load(x_ptr + row * x_row_stride + columns, mask=inside, other=float("-inf")).to(tl.float32)
    z = tl.exp(x - tl.max(x, axis=0))
    y = z / tl.sum(z, axis=0)
    tl.store(y_ptr + row * N + columns, y.to(y_ptr.dtype.element_ty), mask=inside)


def softmax(x: torch.Tensor) -> torch.Tensor:
    """Softmax over the last axis of a matrix.

    Parameters
    ----------
    x
        Shape (M, N), float16, bfloat16 or float32, N at most 65536, unit stride along N.

    Returns
    -------
    torch.Tensor
        Shape (M, N), dtype of ``x``, contiguous.

    Raises
    ------
    ValueError
        If ``x`` is not such a matrix.

    Examples
    --------
    >>> softmax(torch.zeros(1, 4, device=device.DEVICE)).tolist()
    [[0.25, 0.25, 0.25, 0.25]]
    """
    if x.dim() != 2 or x.shape[1] > LONGEST_ROW or x.stride(1) != 1:
        raise ValueError(
            f"softmax takes a matrix with rows of at most {LONGEST_ROW} elements and unit stride along them; "
            f"it got shape {tuple(x.shape)} with strides {x.stride()}."
        )
    M, N = x.shape
    y = torch.empty((M, N), dtype=x.dtype, device=x.device)
    BLOCK_N = triton.next_power_of_2(N)
    num_warps = min(max(BLOCK_N // 512, 1), 16)
    _softmax_kernel[(M,)](x, y, x.stride(0), N, BLOCK_N=BLOCK_N, num_warps=num_warps)
    return y
