"""Product of two int8 matrices with a scale for each row of A and each channel (column) of B.

    C[m, n] = s[m] · t[n] · sum_k A[m, k] · B[k, n],   A and B in int8, summed exactly in int32, C in bfloat16

    a row of activations x[m, :]:   s[m] = max |x[m, :]| / 127,   A[m, :] = x[m, :] / s[m] rounded to an integer
    a channel of weights likewise

The tiles move as in `lablib.kernels.matmul_persistent`; the kernel is that of `lablib.kernels.scaled`. Scaling a tile
before it is stored also halves what is written: bfloat16 instead of int32.

Binding roof: matrix throughput (int8) for large M, N, K. The sum cannot overflow for K below 2³¹ / 127² = 133 000.

Measured on an H200 (torch 2.11, Triton 3.6), 8192³: 0.841 ms, 1308 TOP/s, scales included. `torch._int_mm`, without,
takes 1.209 ms; followed by the scales, compiled, 1.362 ms. The roof is that library's product on other data, so ours
reaches 1.42 of it.

Source: Dettmers, Lewis, Belkada and Zettlemoyer, "LLM.int8()", NeurIPS 2022, section 3.1 (vector-wise quantization).
"""

from __future__ import annotations

import torch

from lablib import device  # noqa: F401  (before triton)
from lablib.kernels.matmul_fp8 import matmul_fp8_cost as matmul_int8_cost
from lablib.kernels.matmul_fp8 import matmul_fp8_reference as matmul_int8_reference
from lablib.kernels.scaled import check_scaled, multiply_scaled, tile
from lablib.kernels.tuned import Configuration, Tuned

__all__ = ["matmul_int8", "matmul_int8_cost", "matmul_int8_reference", "quantize_int8"]

LARGEST = 127
LONGEST_SUM = 2**31 // 128**2

TUNED = Tuned(
    {("sm_90", "3.6"): {"any": tile(128, 256, 128, stages=4)}},
    candidates=(tile(128, 256, 128, stages=4), tile(128, 256, 128, stages=3), tile(128, 128, 128, stages=4)),
)


def quantize_int8(x: torch.Tensor, axis: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Round a matrix to int8, with one scale for each slice along ``axis``, so that the largest of it becomes 127.

    Examples
    --------
    >>> values, scales = quantize_int8(torch.tensor([[127.0, -64.0], [0.0, 0.0]]), axis=1)
    >>> values.tolist(), scales.tolist()
    ([[127, -64], [0, 0]], [1.0, 1.0])
    """
    largest = x.float().abs().amax(dim=axis, keepdim=True)
    scale = torch.where(largest > 0, largest / LARGEST, 1.0)
    return (x / scale).round().to(torch.int8), scale.squeeze(axis)


def matmul_int8(
    a: torch.Tensor,
    b: torch.Tensor,
    a_scale: torch.Tensor,
    b_scale: torch.Tensor,
    out_dtype: torch.dtype = torch.bfloat16,
    configuration: Configuration | None = None,
) -> torch.Tensor:
    """Product of two int8 matrices, scaled by rows and columns.

    Parameters
    ----------
    a
        Shape (M, K), int8, unit stride along K, rows a multiple of 16 elements apart; K below 131072.
    b
        Shape (K, N), int8, unit stride along K, columns a multiple of 16 elements apart; N a multiple of 8.
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
    >>> a, scale = quantize_int8(torch.eye(16, device=device.DEVICE), axis=1)
    >>> bool((matmul_int8(a, a.T, scale, scale, torch.float16) == torch.eye(16, device=device.DEVICE)).all())
    True
    """
    check_scaled("matmul_int8", torch.int8, a, b, a_scale, b_scale, out_dtype)
    if a.shape[1] >= LONGEST_SUM:
        raise ValueError(f"matmul_int8 sums in int32, which holds {LONGEST_SUM - 1} products; it got K = {a.shape[1]}.")
    return multiply_scaled(a, b, a_scale, b_scale, out_dtype, TUNED, configuration)
