"""Sum of a matrix over its rows: the second half of a reduction whose first half many programs did.

    y[n] = sum_m x[m, n]

Each program owns a strip of columns and walks down the rows, a block of them a step:

    program p:   x[0 : B, strip], x[B : 2B, strip], ...  ──load, add──>  total[B, strip]  ──sum──>  y[strip]

No atomics: the order of the additions is fixed, so the result is the same in every run.

Binding roof: memory bandwidth, that of the L2 cache where x was just written (one addition for itemsize bytes).

Source: the reduction in two steps is classical, e.g. Blelloch, "Prefix sums and their applications", CMU-CS-90-190,
section 1.2.
"""

from __future__ import annotations

import torch

from lablib import device  # noqa: F401  (before triton: it decides whether kernels are interpreted)
from lablib.gpu.cost import Cost

import triton  # isort: skip
import triton.language as tl  # isort: skip

__all__ = ["column_sum", "column_sum_cost", "column_sum_reference"]

# A strip of 32 columns of float32 is one cache line wide: a narrower one would waste traffic, a wider one leaves too
# few programs to fill the GPU.
BLOCK_M, BLOCK_N = 32, 32


def column_sum_reference(x: torch.Tensor, dtype: torch.dtype | None = None) -> torch.Tensor:
    """Sum of ``x``, shape (M, N), over its rows in plain torch."""
    return x.sum(dim=0)


def column_sum_cost(M: int, N: int, itemsize: int, result_itemsize: int) -> Cost:
    """Least cost: every element read and added once, N sums written."""
    return Cost(flops=M * N, bytes=M * N * itemsize + N * result_itemsize)


@triton.jit
def _column_sum_kernel(x_ptr, y_ptr, M, N, BLOCK_M: tl.constexpr, BLOCK_N: tl.constexpr):
    columns = tl.program_id(0) * BLOCK_N + tl.arange(0, BLOCK_N)
    rows = tl.arange(0, BLOCK_M)
    total = tl.zeros((BLOCK_M, BLOCK_N), tl.float32)
    for first in range(0, M, BLOCK_M):
        at = (first + rows).to(tl.int64)[:, None] * N + columns[None, :]
        inside = (first + rows < M)[:, None] & (columns < N)[None, :]
        total += tl.load(x_ptr + at, mask=inside, other=0.0).to(tl.float32)
    tl.store(y_ptr + columns, tl.sum(total, axis=0).to(y_ptr.dtype.element_ty), mask=columns < N)


def column_sum(x: torch.Tensor, dtype: torch.dtype | None = None) -> torch.Tensor:
    """Sum of a matrix over its rows, added in float32.

    Parameters
    ----------
    x
        Shape (M, N), float16, bfloat16 or float32, contiguous.
    dtype
        Of the result; that of ``x`` by default.

    Returns
    -------
    torch.Tensor
        Shape (N,).

    Raises
    ------
    ValueError
        If ``x`` is not such a matrix.

    Examples
    --------
    >>> column_sum(torch.ones(3, 2, device=device.DEVICE)).tolist()
    [3.0, 3.0]
    """
    if x.dim() != 2 or not x.is_contiguous():
        raise ValueError(
            f"column_sum takes a contiguous matrix; it got shape {tuple(x.shape)} with strides {x.stride()}."
        )
    M, N = x.shape
    y = torch.empty(N, dtype=dtype or x.dtype, device=x.device)
    _column_sum_kernel[(triton.cdiv(N, BLOCK_N),)](x, y, M, N, BLOCK_M=BLOCK_M, BLOCK_N=BLOCK_N, num_warps=4)
    return y
