"""Matrix product with programs in groups, the second step of the staircase.

    C[m, n] = sum_k A[m, k] · B[k, n],   accumulated in float32

The tiles are those of `lablib.kernels.matmul`. Two things are new. Programs that run together compute tiles that lie
together (`lablib.kernels.schedule`), so that they find their operands in the L2 cache:

    a wave of 132 programs, GROUP_M = 16      reads 16 rows of tiles of A and 9 columns of B
    in row order over 32 columns of tiles            5 rows of A and all 32 columns of B

And tiles are as large as registers allow: 128 × 256 in float32 are 128 registers a thread of 256 threads. Then each
element that is loaded into shared memory serves 85 multiplications; in tiles of 64 × 64 it serves 32.

Binding roof: matrix throughput for large M, N, K.

Measured on an H200 (torch 2.11, Triton 3.6), bfloat16, 8192³: 1.45 ms, 757 TFLOP/s, 3.4 times `lablib.kernels.matmul`
and 1.09 times cuBLAS beside it; 4096³: 736, where cuBLAS is 3% faster. In a tuning run the shape of the tile mattered
more than the order: 256 × 128 gave 535 TFLOP/s, GROUP_M = 8 in place of 16 lost 1%. Rows of 4095 do not start at
multiples of 16 bytes, which a wide load needs: 87 TFLOP/s, where cuBLAS is 1.76 times as fast.

Source: Triton's tutorial on matrix multiplication, "L2 cache optimizations"; for tile shapes, NVIDIA, "Efficient GEMM
in CUTLASS", section "Hierarchical structure".
"""

from __future__ import annotations

import torch

from lablib import device
from lablib.kernels.matmul import matmul_cost as matmul_grouped_cost
from lablib.kernels.matmul import matmul_reference as matmul_grouped_reference
from lablib.kernels.schedule import grouped_tile
from lablib.kernels.tuned import Configuration, Tuned

import triton  # isort: skip
import triton.language as tl  # isort: skip

__all__ = ["matmul_grouped", "matmul_grouped_cost", "matmul_grouped_reference"]


def _tile(M: int, N: int, K: int, group: int, warps: int, stages: int) -> Configuration:
    return {"BLOCK_M": M, "BLOCK_N": N, "BLOCK_K": K, "GROUP_M": group, "num_warps": warps, "num_stages": stages}


TUNED = Tuned(
    {("sm_90", "3.6"): {2: _tile(128, 256, 64, 16, 8, 4), 4: _tile(64, 64, 32, 8, 4, 3)}},
    candidates=(_tile(128, 256, 64, 16, 8, 4), _tile(128, 128, 64, 8, 4, 4), _tile(64, 64, 32, 8, 4, 3)),
)
"""By bytes an element."""


@triton.jit
def _matmul_grouped_kernel(
    a_ptr, b_ptr, c_ptr, M, N, K,
    a_stride_m, a_stride_k, b_stride_k, b_stride_n,
    BLOCK_M: tl.constexpr, BLOCK_N: tl.constexpr, BLOCK_K: tl.constexpr, GROUP_M: tl.constexpr, WHOLE_K: tl.constexpr,
):  # fmt: skip
    tile_m, tile_n = grouped_tile(tl.program_id(0), tl.cdiv(M, BLOCK_M), tl.cdiv(N, BLOCK_N), GROUP_M)
    rows = tile_m.to(tl.int64) * BLOCK_M + tl.arange(0, BLOCK_M)
    columns = tile_n.to(tl.int64) * BLOCK_N + tl.arange(0, BLOCK_N)
    inner = tl.arange(0, BLOCK_K)
    a_ptrs = a_ptr + rows[:, None] * a_stride_m + inner[None, :] * a_stride_k
    b_ptrs = b_ptr + inner[:, None] * b_stride_k + columns[None, :] * b_stride_n
    a_inside = (rows < M)[:, None]
    b_inside = (columns < N)[None, :]
    acc = tl.zeros((BLOCK_M, BLOCK_N), dtype=tl.float32)
    for k in range(0, K, BLOCK_K):
        if WHOLE_K:  # the masks do not change with k: nothing is compared inside the loop
            a = tl.load(a_ptrs, mask=a_inside, other=0.0)
            b = tl.load(b_ptrs, mask=b_inside, other=0.0)
        else:
            a = tl.load(a_ptrs, mask=a_inside & (inner < K - k)[None, :], other=0.0)
            b = tl.load(b_ptrs, mask=b_inside & (inner < K - k)[:, None], other=0.0)
        acc = tl.dot(a, b, acc, input_precision="ieee")
        a_ptrs += BLOCK_K * a_stride_k
        b_ptrs += BLOCK_K * b_stride_k
    c_ptrs = c_ptr + rows[:, None] * N + columns[None, :]
    tl.store(c_ptrs, acc.to(c_ptr.dtype.element_ty), mask=a_inside & b_inside)


def matmul_grouped(a: torch.Tensor, b: torch.Tensor, configuration: Configuration | None = None) -> torch.Tensor:
    """Product of two matrices, any strides.

    Parameters
    ----------
    a
        Shape (M, K), float16, bfloat16 or float32.
    b
        Shape (K, N), dtype of ``a``.
    configuration
        BLOCK_M, BLOCK_N, BLOCK_K, GROUP_M, num_warps and num_stages in place of the tuned ones.

    Returns
    -------
    torch.Tensor
        Shape (M, N), dtype of ``a``.

    Raises
    ------
    ValueError
        If the shapes do not chain, the dtypes differ, or they are bfloat16 and there is no GPU.

    Examples
    --------
    >>> a = torch.eye(16, device=device.DEVICE)
    >>> bool((matmul_grouped(a, a) == a).all())
    True
    """
    if a.dim() != 2 or b.dim() != 2 or a.shape[1] != b.shape[0] or a.dtype != b.dtype:
        raise ValueError(
            "matmul_grouped takes an (M, K) and a (K, N) matrix of one dtype; it got "
            f"{a.dtype} {tuple(a.shape)} and {b.dtype} {tuple(b.shape)}."
        )
    device.refuse_bfloat16("matmul_grouped", a, b)
    (M, K), N = a.shape, b.shape[1]
    c = torch.empty((M, N), dtype=a.dtype, device=a.device)

    def launch(found: Configuration) -> None:
        tiles = triton.cdiv(M, found["BLOCK_M"]) * triton.cdiv(N, found["BLOCK_N"])
        whole = K % found["BLOCK_K"] == 0
        _matmul_grouped_kernel[(tiles,)](a, b, c, M, N, K, *a.stride(), *b.stride(), WHOLE_K=whole, **found)

    launch(configuration or TUNED.configuration(a.element_size(), launch))
    return c
