"""Product of two fp8 matrices with a scale for each row of A and each column of B.

    C[m, n] = s[m] · t[n] · sum_k A[m, k] · B[k, n],   A and B in e4m3, accumulated in float32, C in bfloat16

    a row of activations x[m, :]:   s[m] = max |x[m, :]| / 448,   A[m, :] = x[m, :] / s[m] rounded to e4m3
    a column of weights likewise:   an outlier spoils its own row or column, not the whole matrix

The tiles move as in `lablib.kernels.matmul_persistent`, with half the bytes an element and twice the operations a
second; the kernel is that of `lablib.kernels.scaled`. Hopper's matrix units add products of fp8 with about 14 bits, and
here the sum never leaves them ("fast accumulation").

Binding roof: matrix throughput (fp8) for large M, N, K.

Measured on an H200 (torch 2.11, Triton 3.6), 8192³: 0.775 ms, 1419 TFLOP/s, 1.05 times as fast as `torch._scaled_mm`,
which adds as fast: it takes 0.812 ms with one scale a matrix (cuBLAS) and 0.813 ms with scales of rows (CUTLASS).

Source: Micikevicius et al., "FP8 formats for deep learning", arXiv:2209.05433, section 3; for the accumulator's 14
bits, DeepSeek-AI, "DeepSeek-V3 technical report", arXiv:2412.19437, section 3.3.2.
"""

from __future__ import annotations

import torch

from lablib import device  # noqa: F401  (before triton)
from lablib.gpu.cost import Cost
from lablib.kernels.scaled import check_scaled, multiply_scaled, tile
from lablib.kernels.tuned import Configuration, Tuned

__all__ = ["matmul_fp8", "matmul_fp8_cost", "matmul_fp8_reference", "quantize_fp8"]

DTYPE = torch.float8_e4m3fn
LARGEST = 448.0  # the largest number of e4m3

TUNED = Tuned(
    {
        ("sm_90", "3.6"): {"any": tile(128, 256, 128, stages=4)},
        ("sm_100", "3.7"): {"any": tile(128, 256, 128, stages=3)},  # not measured; four stages do not fit there
    },
    candidates=(tile(128, 256, 128, stages=4), tile(128, 256, 128, stages=3), tile(128, 128, 128, stages=4)),
)


def quantize_fp8(x: torch.Tensor, axis: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Round a matrix to e4m3, with one scale for each slice along ``axis``, so that the largest of it becomes 448.

    Examples
    --------
    >>> values, scales = quantize_fp8(torch.tensor([[1.0, -2.0], [0.0, 0.5]]), axis=1)
    >>> (values.float() * scales[:, None]).tolist()
    [[1.0, -2.0], [0.0, 0.5]]
    """
    largest = x.float().abs().amax(dim=axis, keepdim=True)
    scale = torch.where(largest > 0, largest / LARGEST, 1.0)
    return (x / scale).to(DTYPE), scale.squeeze(axis)


def matmul_fp8_reference(
    a: torch.Tensor,
    b: torch.Tensor,
    a_scale: torch.Tensor,
    b_scale: torch.Tensor,
    out_dtype: torch.dtype = torch.bfloat16,
) -> torch.Tensor:
    """Product in plain torch, through float64; a float64 oracle where the operands are float64."""
    c = (a.double() @ b.double()) * a_scale.double()[:, None] * b_scale.double()
    return c if a.dtype == torch.float64 else c.to(out_dtype)


def matmul_fp8_cost(M: int, N: int, K: int, out_itemsize: int = 2) -> Cost:
    """Least cost: operands of one byte an element and scales read once, the result written once."""
    return Cost(flops=2 * M * N * K, bytes=M * K + K * N + 4 * (M + N) + M * N * out_itemsize)


def matmul_fp8(
    a: torch.Tensor,
    b: torch.Tensor,
    a_scale: torch.Tensor,
    b_scale: torch.Tensor,
    out_dtype: torch.dtype = torch.bfloat16,
    configuration: Configuration | None = None,
) -> torch.Tensor:
    """Product of two e4m3 matrices, scaled by rows and columns.

    Parameters
    ----------
    a
        Shape (M, K), float8_e4m3fn, unit stride along K, rows a multiple of 16 elements apart.
    b
        Shape (K, N), float8_e4m3fn, unit stride along K, columns a multiple of 16 elements apart; N a multiple of 8.
    a_scale, b_scale
        Shapes (M,) and (N,), float32.
    out_dtype
        bfloat16 or float16.
    configuration
        BLOCK_M, BLOCK_N, BLOCK_K, GROUP_M, STORES, num_warps and num_stages in place of the tuned ones.

    Returns
    -------
    torch.Tensor
        Shape (M, N), contiguous.

    Raises
    ------
    ValueError
        If operands, scales or ``out_dtype`` are not such.

    Examples
    --------
    >>> a, scale = quantize_fp8(torch.eye(16, device=device.DEVICE), axis=1)
    >>> bool((matmul_fp8(a, a.T, scale, scale, torch.float16) == torch.eye(16, device=device.DEVICE)).all())
    True
    """
    check_scaled("matmul_fp8", DTYPE, a, b, a_scale, b_scale, out_dtype)
    return multiply_scaled(a, b, a_scale, b_scale, out_dtype, TUNED, configuration)
