"""Product with a matrix of low rank, both of its factors in one kernel.

    y = (x · A) · B,   A of K × R and B of R × N,   R much smaller than K and N

Multiplied in this order it takes 2 · M · R · (K + N) operations in place of 2 · M · K · N. What is between, x · A, is
so narrow that a program keeps its rows of it in registers, rounds them once, and goes on to the second product:

    program m:    x[m-tile, :] ──along K──> t[m-tile, 0 : R]  in registers  ──along N──> y[m-tile, :]
                  A[:, 0 : R] ─────────────────┘         B[0 : R, :] ──────────┘

Every program reads the whole of A and B, from the L2 cache; so tiles are as high as keeps every multiprocessor busy.

Binding roof: memory bandwidth, by x and y, for R up to about 200 (4 · R operations for 4 bytes moved).

Measured on an H200 (torch 2.11, Triton 3.6), bfloat16, 8192 × 8192 of rank 64: 0.142 ms for 16384 rows and 0.074 ms for
8192, 0.90 and 0.88 of the roof, where two products by cuBLAS take 0.154 and 0.083 ms. Of rank 16, 16384 rows take
0.139 ms, two products 0.155. 1024 rows and 1024 × 1024 of rank 16 take 7.7 µs in a CUDA graph, two products 8.7; for a
few hundred rows there are too few programs for all multiprocessors.

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
from triton.tools.tensor_descriptor import TensorDescriptor  # isort: skip

__all__ = ["matmul_low_rank", "matmul_low_rank_cost", "matmul_low_rank_reference"]

LARGEST_RANK = 128

CONFIGURATIONS = Tuned(
    {
        ("sm_90", "3.6"): {
            "many": {"BLOCK_M": 128, "BLOCK_N": 128, "BLOCK_K": 128, "num_warps": 4, "num_stages": 4},
            "few": {"BLOCK_M": 64, "BLOCK_N": 256, "BLOCK_K": 128, "num_warps": 4, "num_stages": 5},
        },
        ("interpreter", ""): {
            rows: {"BLOCK_M": 32, "BLOCK_N": 32, "BLOCK_K": 32, "num_warps": 4, "num_stages": 1}
            for rows in ("many", "few")
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
    x_desc, a_desc, b_desc, y_desc, N, K,
    RANK: tl.constexpr, BLOCK_M: tl.constexpr, BLOCK_N: tl.constexpr, BLOCK_K: tl.constexpr,
):  # fmt: skip
    # Descriptors load zeros outside of a matrix and store nothing there: R may be smaller than RANK.
    row = tl.program_id(0) * BLOCK_M
    t = tl.zeros((BLOCK_M, RANK), dtype=tl.float32)
    for k in range(0, K, BLOCK_K):
        t = tl.dot(x_desc.load([row, k]), a_desc.load([k, 0]), t, input_precision="ieee")
    t = t.to(x_desc.dtype)
    for n in range(0, N, BLOCK_N):
        y = tl.dot(t, b_desc.load([0, n]), input_precision="ieee")
        y_desc.store([row, n], y.to(y_desc.dtype))


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
    if not y.numel():
        return y
    rank = max(triton.next_power_of_2(R), 16)

    def launch(config: Any) -> None:
        BLOCK_M, BLOCK_N, BLOCK_K = (config[name] for name in ("BLOCK_M", "BLOCK_N", "BLOCK_K"))
        blocks = [BLOCK_M, BLOCK_K], [BLOCK_K, rank], [rank, BLOCK_N], [BLOCK_M, BLOCK_N]
        descriptors = [
            TensorDescriptor(one, list(one.shape), list(one.stride()), block)
            for one, block in zip((x, a, b, y), blocks, strict=True)
        ]
        _matmul_low_rank_kernel[(triton.cdiv(M, BLOCK_M),)](*descriptors, N, K, RANK=rank, **config)

    launch(CONFIGURATIONS.configuration("many" if M > 8192 else "few", launch))
    return y


def matmul_low_rank(x: torch.Tensor, a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    """Product of ``x`` with a matrix given by two narrow factors.

    Parameters
    ----------
    x
        Shape (M, K), float16, bfloat16 or float32.
    a
        Shape (K, R), R at most 128, dtype of ``x``.
    b
        Shape (R, N), dtype of ``x``. All have unit stride along rows, and rows that begin at multiples of 16 bytes,
        which the hardware that loads tiles wants.

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
    >>> x, a, b = (torch.ones(4, 4, device=device.DEVICE) for _ in range(3))
    >>> matmul_low_rank(x, a, b)[0].tolist()
    [16.0, 16.0, 16.0, 16.0]
    """
    fits = (
        x.dim() == a.dim() == b.dim() == 2
        and x.shape[1] == a.shape[0]
        and a.shape[1] == b.shape[0] <= LARGEST_RANK
        and x.dtype == a.dtype == b.dtype
        and x.stride(1) == a.stride(1) == b.stride(1) == 1
        and b.shape[1] * x.element_size() % 16 == 0
    )
    steps = [step for one in (x, a, b) for step in (one.stride(0), one.storage_offset())] if fits else []
    if not fits or any(step * x.element_size() % 16 for step in steps):
        raise ValueError(
            f"matmul_low_rank takes matrices (M, K), (K, R) and (R, N) of one dtype, R at most {LARGEST_RANK}, with "
            "unit stride along rows, and rows that begin at multiples of 16 bytes, those of the result too; it got "
            + ", ".join(f"{one.dtype} {tuple(one.shape)} strides {one.stride()}" for one in (x, a, b))
            + "."
        )
    device.refuse_bfloat16("matmul_low_rank", x)
    return _MatmulLowRank.apply(x, a, b)
