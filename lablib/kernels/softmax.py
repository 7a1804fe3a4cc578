"""Softmax over the last axis, one row at a time, with its backward pass.

    y[m, n]  = exp(x[m, n] - max_n x[m, n]) / sum_n exp(x[m, n] - max_n x[m, n])
    dx[m, n] = y[m, n] · (dy[m, n] - sum_n dy[m, n] · y[m, n])

A short row fits into the registers of one program, and is loaded once and stored once:

    program m:   x[m, 0 : N]  ──load──>  max, exp, sum, scale  ──store──>  y[m, 0 : N]

A long one is loaded twice in blocks. The first pass keeps a maximum and a sum of exponentials for every lane, and
corrects the sum when the maximum grows; the second writes. It follows so closely that it finds the row in the caches,
so that memory still sees one load:

    program m:   x[m, 0 : B], x[m, B : 2B], ...  ──memory──>  max, sum
                 x[m, 0 : B], x[m, B : 2B], ...  ──caches──>  exp, scale  ──store──>  y[m, 0 : B], ...

The backward pass loads y and dy twice in the same way.

Binding roof: memory bandwidth (about 5 operations for 2 · itemsize bytes moved an element).

Measured on an H200 (torch 2.11, Triton 3.6), bfloat16, beside the best peer of the same run:

    16384 rows of      781        8192       32768      65536
    time (ms)          0.0182     0.129      0.519      1.052
    of the roof        0.83       0.98       0.97       0.96
    best peer          1.07 ×     1.01 ×     1.26 ×     1.53 ×    (torch.compile; Liger three times)

256 rows of 512 in a CUDA graph take 0.0019 ms, 1.03 × Liger. In a tuning run the backward kernel alone reached 0.73,
1.08 and 0.87 of its roof at N = 781, 8192 and 65536. Rows of 781 are the slow ones: odd ones do not start at a multiple
of 4 bytes, so every load is of one element.

Source: Milakov and Gimelshein, "Online normalizer calculation for softmax", arXiv:1805.02867: section 2 the safe
softmax, section 3 the sum that is corrected as the maximum grows.
"""

from __future__ import annotations

from typing import Any

import torch

from lablib import device  # noqa: F401  (before triton: it decides whether kernels are interpreted)
from lablib.gpu.cost import Cost
from lablib.kernels.tuned import Configuration, Tuned

import triton  # isort: skip
import triton.language as tl  # isort: skip

__all__ = ["softmax", "softmax_cost", "softmax_reference"]

LONGEST_IN_REGISTERS = 8192
ANY = 2**31

SHORT = Tuned(
    {
        ("sm_90", "3.6"): {
            512: {"num_warps": 1},
            1024: {"num_warps": 2},
            4096: {"num_warps": 4},
            8192: {"num_warps": 16},
        }
    },
    candidates=tuple({"num_warps": warps} for warps in (1, 2, 4, 8, 16)),
)
# 16 elements a thread in 32 registers: all 2048 threads of a multiprocessor run, and two rows or more are in flight.
LONG = Tuned(
    {("sm_90", "3.6"): {16384: {"LANES": 1024, "num_warps": 16}, ANY: {"LANES": 2048, "num_warps": 32}}},
    candidates=tuple({"LANES": 64 * warps, "num_warps": warps} for warps in (8, 16, 32)),
)
BACKWARD = Tuned(
    {
        ("sm_90", "3.6"): {
            1024: {"BLOCK": 1024, "num_warps": 2},
            16384: {"BLOCK": 4096, "num_warps": 16},
            ANY: {"BLOCK": 16384, "num_warps": 32},
        }
    },
    candidates=tuple({"BLOCK": block, "num_warps": warps} for block in (1024, 4096, 16384) for warps in (2, 8, 16, 32)),
)


def softmax_reference(x: torch.Tensor) -> torch.Tensor:
    """Softmax of ``x``, shape (M, N), in plain torch."""
    z = x - x.amax(dim=-1, keepdim=True)
    z = z.exp()
    return z / z.sum(dim=-1, keepdim=True)


def softmax_cost(M: int, N: int, itemsize: int, backward: bool = False) -> Cost:
    """Least cost of one pass over M rows of N elements: every tensor moved once."""
    tensors, flops = (3, 4) if backward else (2, 5)
    return Cost(flops=flops * M * N, bytes=tensors * M * N * itemsize)


@triton.jit
def _exp(x):
    # 2 to the power of log2(e) · x. Triton's own exp does the same with three more instructions, which keep results
    # below 2**-126 from becoming zero.
    return tl.exp2(x * 1.4426950408889634)


@triton.jit
def _softmax_kernel(x_ptr, y_ptr, x_row_stride, N, BLOCK_N: tl.constexpr):
    # int64: the number of an element passes 2**31 in a tensor of that many.
    row = tl.program_id(0).to(tl.int64)
    columns = tl.arange(0, BLOCK_N)
    inside = columns < N
    # -inf in the masked lanes leaves the maximum alone and adds exp(-inf) = 0 to the sum.
    x = tl.load(x_ptr + row * x_row_stride + columns, mask=inside, other=float("-inf")).to(tl.float32)
    z = _exp(x - tl.max(x, axis=0))
    y = z * (1.0 / tl.sum(z, axis=0))
    tl.store(y_ptr + row * N + columns, y.to(y_ptr.dtype.element_ty), mask=inside)


@triton.jit
def _softmax_long_kernel(x_ptr, y_ptr, x_row_stride, N, LANES: tl.constexpr, K: tl.constexpr):
    # A lane takes K neighbours, so that its maximum grows, and its sum is corrected, once for K elements.
    columns = (tl.arange(0, LANES) * K)[:, None] + tl.arange(0, K)[None, :]
    row = tl.program_id(0).to(tl.int64)
    x_ptrs = x_ptr + row * x_row_stride + columns
    y_ptrs = y_ptr + row * N + columns
    # Not -inf: the difference of two is NaN.
    most = tl.full((LANES,), -3.4e38, tl.float32)
    total = tl.zeros((LANES,), tl.float32)
    for start in range(0, N, LANES * K):
        # The hints keep what is loaded again, and let go of what is not.
        x = tl.load(x_ptrs + start, mask=columns < N - start, other=float("-inf"), eviction_policy="evict_last")
        x = x.to(tl.float32)
        more = tl.maximum(most, tl.max(x, axis=1))
        total = total * tl.exp(most - more) + tl.sum(_exp(x - more[:, None]), axis=1)
        most = more
    greatest = tl.max(most, axis=0)
    scale = 1.0 / tl.sum(total * tl.exp(most - greatest), axis=0)
    for start in range(0, N, LANES * K):
        x = tl.load(x_ptrs + start, mask=columns < N - start, other=float("-inf"), eviction_policy="evict_first")
        y = _exp(x.to(tl.float32) - greatest) * scale
        tl.store(y_ptrs + start, y.to(y_ptr.dtype.element_ty), mask=columns < N - start, eviction_policy="evict_first")


@triton.jit
def _softmax_backward_kernel(dy_ptr, y_ptr, dx_ptr, dy_row_stride, N, BLOCK: tl.constexpr):
    lanes = tl.arange(0, BLOCK)
    row = tl.program_id(0).to(tl.int64)
    dy_ptrs = dy_ptr + row * dy_row_stride + lanes
    y_ptrs = y_ptr + row * N + lanes
    products = tl.zeros((BLOCK,), tl.float32)
    for start in range(0, N, BLOCK):
        inside = lanes < N - start
        dy = tl.load(dy_ptrs + start, mask=inside, other=0.0, eviction_policy="evict_last").to(tl.float32)
        y = tl.load(y_ptrs + start, mask=inside, other=0.0, eviction_policy="evict_last").to(tl.float32)
        products += dy * y
    mean = tl.sum(products, axis=0)
    # Here too the second load finds the row in a cache, a short one in that of the multiprocessor.
    for start in range(0, N, BLOCK):
        inside = lanes < N - start
        dy = tl.load(dy_ptrs + start, mask=inside, other=0.0, eviction_policy="evict_first").to(tl.float32)
        y = tl.load(y_ptrs + start, mask=inside, other=0.0, eviction_policy="evict_first").to(tl.float32)
        dx = y * (dy - mean)
        tl.store(dx_ptr + row * N + lanes + start, dx.to(dx_ptr.dtype.element_ty), mask=inside)


class _Softmax(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: torch.Tensor) -> torch.Tensor:
        M, N = x.shape
        y = torch.empty((M, N), dtype=x.dtype, device=x.device)

        def short(chosen: Configuration) -> None:
            _softmax_kernel[(M,)](x, y, x.stride(0), N, BLOCK_N=triton.next_power_of_2(N), **chosen)

        def long(chosen: Configuration) -> None:
            _softmax_long_kernel[(M,)](x, y, x.stride(0), N, K=8, **chosen)

        if N <= LONGEST_IN_REGISTERS:
            short(SHORT.up_to(N, short))
        else:
            long(LONG.up_to(N, long))
        ctx.save_for_backward(y)
        return y

    @staticmethod
    def backward(ctx: Any, *gradients: torch.Tensor) -> torch.Tensor:
        (y,), (dy,) = ctx.saved_tensors, gradients
        # The gradient of a plain sum is one number seen through strides of zero.
        dy = dy if dy.stride(1) == 1 else dy.contiguous()
        M, N = y.shape
        dx = torch.empty_like(y)

        def launch(chosen: Configuration) -> None:
            _softmax_backward_kernel[(M,)](dy, y, dx, dy.stride(0), N, **chosen)

        launch(BACKWARD.up_to(N, launch))
        return dx


def softmax(x: torch.Tensor) -> torch.Tensor:
    """Softmax over the last axis of a matrix.

    Parameters
    ----------
    x
        Shape (M, N), float16, bfloat16 or float32, N at least 1, unit stride along N.

    Returns
    -------
    torch.Tensor
        Shape (M, N), dtype of ``x``, contiguous; differentiable.

    Raises
    ------
    ValueError
        If ``x`` is not such a matrix.

    Examples
    --------
    >>> softmax(torch.zeros(1, 4, device=device.DEVICE)).tolist()
    [[0.25, 0.25, 0.25, 0.25]]
    """
    if x.dim() != 2 or x.shape[1] < 1 or x.stride(1) != 1:
        raise ValueError(
            "softmax takes a matrix with rows of at least one element and unit stride along them; "
            f"it got shape {tuple(x.shape)} with strides {x.stride()}."
        )
    return _Softmax.apply(x)  # pyright: ignore[reportReturnType]
