"""Product with a matrix of low rank, both of its factors in one kernel.

    y = (x · A) · B,   A of K × R and B of R × N,   R much smaller than K and N

Multiplied in this order it takes 2 · M · R · (K + N) operations in place of 2 · M · K · N. What is between, x · A, is
so narrow that a program keeps its rows of it in registers, rounds them once, and goes on to the second product:

    program m:    x[m-tile, :] ──along K──> t[m-tile, 0 : R]  in registers  ──along N──> y[m-tile, :]
                  A[:, 0 : R] ─────────────────┘         B[0 : R, :] ──────────┘

Every program reads the whole of A and B, from the L2 cache; so tiles are as high as keeps every multiprocessor busy.

Binding roof: memory bandwidth, by x and y, for R up to about 200 (4 · R operations for 4 bytes moved).

Source: Hu et al., "LoRA: low-rank adaptation of large language models", arXiv:2106.09685, section 4.1 (the operation);
chained products that keep what is between on chip: Dao et al., "FlashAttention", arXiv:2205.14135, section 3.1.
"""

from __future__ import annotations

from typing import Any

import torch

from lablib import device
from lablib.gpu.cost import Cost
from lablib.kernels.tuned import Tuned

import triton  # isort: skip
import triton.language as tl  # isort: skip

__all__ = ["matmul_low_rank", "matmul_low_rank_cost", "matmul_low_rank_reference"]

LARGEST_RANK = 128

CONFIGURATIONS = Tuned(
    {
        ("sm_90", "3.6"): {
            rank: {"BLOCK_M": 128, "BLOCK_N": 128, "BLOCK_K": 64, "num_warps": 8, "num_stages": 4}
            for rank in (16, 32, 64, 128)
        },
        ("interpreter", ""): {
            rank: {"BLOCK_M": 32, "BLOCK_N": 32, "BLOCK_K": 32, "num_warps": 4, "num_stages": 1}
            for rank in (16, 32, 64, 128)
        },
    }
)


def matmul_low_rank_reference(x: torch.Tensor, a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    """``(x @ a) @ b`` in plain torch."""
    return (x @ a) @ b


def matmul_low_rank_cost(M: int, N: int, K: int, R: int, itemsize: int) -> Cost:
    """Least cost: x and both factors read once, y written once."""
    return Cost(flops=2 * M * R * (K + N), bytes=(M * K + K * R + R * N + M * N) * itemsize)


@triton.jit
def _matmul_low_rank_kernel(
    x_ptr, a_ptr, b_ptr, y_ptr, M, N, K, R, x_stride_m, a_stride_k, b_stride_r,
    RANK: tl.constexpr, BLOCK_M: tl.constexpr, BLOCK_N: tl.constexpr, BLOCK_K: tl.constexpr,
):  # fmt: skip
    rows = tl.program_id(0).to(tl.int64) * BLOCK_M + tl.arange(0, BLOCK_M)
    ranks, inner, columns = tl.arange(0, RANK), tl.arange(0, BLOCK_K), tl.arange(0, BLOCK_N)
    inside, inside_r = rows[:, None] < M, ranks < R
    x_ptrs = x_ptr + rows[:, None] * x_stride_m + inner[None, :]
    a_ptrs = a_ptr + inner[:, None] * a_stride_k + ranks[None, :]
    t = tl.zeros((BLOCK_M, RANK), dtype=tl.float32)
    for k in range(0, K, BLOCK_K):
        x = tl.load(x_ptrs, mask=inside & (inner[None, :] < K - k), other=0.0)
        a = tl.load(a_ptrs, mask=(inner[:, None] < K - k) & inside_r[None, :], other=0.0)
        t = tl.dot(x, a, t, input_precision="ieee")
        x_ptrs += BLOCK_K
        a_ptrs += BLOCK_K * a_stride_k
    t = t.to(x_ptr.dtype.element_ty)
    b_ptrs = b_ptr + ranks[:, None] * b_stride_r + columns[None, :]
    y_ptrs = y_ptr + rows[:, None] * N + columns[None, :]
    for n in range(0, N, BLOCK_N):
        b = tl.load(b_ptrs, mask=inside_r[:, None] & (columns[None, :] < N - n), other=0.0)
        y = tl.dot(t, b, input_precision="ieee")
        tl.store(y_ptrs, y.to(y_ptr.dtype.element_ty), mask=inside & (columns[None, :] < N - n))
        b_ptrs += BLOCK_N
        y_ptrs += BLOCK_N


class _MatmulLowRank(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: torch.Tensor, a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
        ctx.save_for_backward(x, a, b)
        return _product(x, a, b)

    @staticmethod
    def backward(ctx: Any, *gradients: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        (dy,), (x, a, b) = gradients, ctx.saved_tensors
        dx = da = db = None
        if ctx.needs_input_grad[0]:  # the same operation: (dy · Bᵀ) · Aᵀ
            dx = _product(dy.contiguous(), b.T.contiguous(), a.T.contiguous())
        if ctx.needs_input_grad[1]:
            da = x.T @ (dy @ b.T)
        if ctx.needs_input_grad[2]:
            db = (x @ a).T @ dy
        return dx, da, db


def _product(x: torch.Tensor, a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    (M, K), (R, N) = x.shape, b.shape
    y = torch.empty((M, N), dtype=x.dtype, device=x.device)
    rank = max(triton.next_power_of_2(R), 16)

    def launch(config: Any) -> None:
        _matmul_low_rank_kernel[(triton.cdiv(M, config["BLOCK_M"]),)](
            x, a, b, y, M, N, K, R, x.stride(0), a.stride(0), b.stride(0), RANK=rank, **config
        )

    launch(CONFIGURATIONS.configuration(rank, launch))
    return y


def matmul_low_rank(x: torch.Tensor, a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    """Product of ``x`` with a matrix given by two narrow factors.

    Parameters
    ----------
    x
        Shape (M, K), float16, bfloat16 or float32, unit stride along K.
    a
        Shape (K, R), R at most 128, dtype of ``x``, unit stride along R.
    b
        Shape (R, N), dtype of ``x``, unit stride along N.

    Returns
    -------
    torch.Tensor
        Shape (M, N), dtype of ``x``; the product of ``x`` and ``a`` was rounded to it too. Its gradients exist.

    Raises
    ------
    ValueError
        If shapes, dtypes or strides are others.

    Examples
    --------
    >>> x, a, b = (torch.ones(2, 2, device=device.DEVICE) for _ in range(3))
    >>> matmul_low_rank(x, a, b)[0].tolist()
    [4.0, 4.0]
    """
    fits = (
        x.dim() == a.dim() == b.dim() == 2
        and x.shape[1] == a.shape[0]
        and a.shape[1] == b.shape[0] <= LARGEST_RANK
        and x.dtype == a.dtype == b.dtype
        and x.stride(1) == a.stride(1) == b.stride(1) == 1
    )
    if not fits:
        raise ValueError(
            f"matmul_low_rank takes matrices (M, K), (K, R) and (R, N) of one dtype with unit stride along rows and R "
            f"at most {LARGEST_RANK}; it got "
            + ", ".join(f"{one.dtype} {tuple(one.shape)} strides {one.stride()}" for one in (x, a, b))
            + "."
        )
    device.refuse_bfloat16("matmul_low_rank", x)
    return _MatmulLowRank.apply(x, a, b)
