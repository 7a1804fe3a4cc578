"""What the products of 8-bit matrices share: the tiles of `lablib.kernels.matmul_persistent`, and scales at the end.

    C[m, n] = s[m] · t[n] · sum_k A[m, k] · B[k, n]

A scale that does not depend on k leaves the sum, so it is applied once, to a finished tile. The matrix units read 8-bit
operands along K alone: A is stored by rows and B by columns, as the weight of a linear layer is.
"""

from __future__ import annotations

import torch

from lablib import device  # noqa: F401  (before triton)
from lablib.kernels.descriptors import fits_descriptor, matrix_descriptor, store_tile
from lablib.kernels.schedule import grouped_tile, resident_programs
from lablib.kernels.tuned import Configuration, Tuned

import triton  # isort: skip
import triton.language as tl  # isort: skip

__all__ = ["check_scaled", "multiply_scaled", "tile"]


def tile(M: int, N: int, K: int, stages: int) -> Configuration:
    """A configuration of the kernel below."""
    return {
        "BLOCK_M": M, "BLOCK_N": N, "BLOCK_K": K, "GROUP_M": 8, "STORES": 2, "num_warps": 8, "num_stages": stages,
    }  # fmt: skip


@triton.jit
def _scaled_kernel(
    a_desc, b_desc, c_desc, a_scale_ptr, b_scale_ptr, M, N, K,
    ACCUMULATOR: tl.constexpr,
    BLOCK_M: tl.constexpr, BLOCK_N: tl.constexpr, BLOCK_K: tl.constexpr, GROUP_M: tl.constexpr, STORES: tl.constexpr,
):  # fmt: skip
    tiles_m, tiles_n = tl.cdiv(M, BLOCK_M), tl.cdiv(N, BLOCK_N)
    for tile in tl.range(tl.program_id(0), tiles_m * tiles_n, tl.num_programs(0), flatten=True):
        tile_m, tile_n = grouped_tile(tile, tiles_m, tiles_n, GROUP_M)
        row, column = tile_m * BLOCK_M, tile_n * BLOCK_N
        acc = tl.zeros((BLOCK_M, BLOCK_N), dtype=ACCUMULATOR)
        for k in range(0, K, BLOCK_K):
            acc = tl.dot(a_desc.load([row, k]), b_desc.load([column, k]).T, acc, out_dtype=ACCUMULATOR)
        rows, columns = row + tl.arange(0, BLOCK_M), column + tl.arange(0, BLOCK_N)
        a_scale = tl.load(a_scale_ptr + rows, mask=rows < M, other=0.0)
        b_scale = tl.load(b_scale_ptr + columns, mask=columns < N, other=0.0)
        scaled = acc.to(tl.float32) * a_scale[:, None] * b_scale[None, :]
        store_tile(c_desc, scaled.to(c_desc.dtype), row, column, STORES)


def check_scaled(
    name: str,
    dtype: torch.dtype,
    a: torch.Tensor,
    b: torch.Tensor,
    a_scale: torch.Tensor,
    b_scale: torch.Tensor,
    out_dtype: torch.dtype,
) -> None:
    """Raise ValueError with a sentence if these are not the operands of a scaled product of matrices of ``dtype``."""
    if a.dim() != 2 or b.dim() != 2 or a.shape[1] != b.shape[0] or a.dtype != dtype or b.dtype != dtype:
        raise ValueError(
            f"{name} takes an (M, K) and a (K, N) matrix of {dtype}; it got "
            f"{a.dtype} {tuple(a.shape)} and {b.dtype} {tuple(b.shape)}."
        )
    (M, K), N = a.shape, b.shape[1]
    if a.stride(1) != 1 or b.stride(0) != 1 or not fits_descriptor(a) or not fits_descriptor(b) or N % 8:
        raise ValueError(
            f"{name} takes A by rows and B by columns, both 16-byte aligned, and N a multiple of 8; "
            f"it got strides {a.stride()} and {b.stride()}, K = {K}, N = {N}."
        )
    if out_dtype not in (torch.bfloat16, torch.float16):
        raise ValueError(f"{name} gives a bfloat16 or a float16 matrix, not one of {out_dtype}.")
    for scale, length in ((a_scale, M), (b_scale, N)):
        if scale.shape != (length,) or scale.dtype != torch.float32 or not scale.is_contiguous():
            raise ValueError(
                f"{name} takes {M} scales of A's rows and {N} of B's columns, contiguous float32; "
                f"it got {scale.dtype} {tuple(scale.shape)}."
            )


def multiply_scaled(
    a: torch.Tensor,
    b: torch.Tensor,
    a_scale: torch.Tensor,
    b_scale: torch.Tensor,
    out_dtype: torch.dtype,
    tuned: Tuned,
    configuration: Configuration | None,
) -> torch.Tensor:
    """The product of checked operands, integers summed in int32 and floats in float32."""
    (M, K), N = a.shape, b.shape[1]
    c = torch.empty((M, N), dtype=out_dtype, device=a.device)
    accumulator = tl.float32 if a.is_floating_point() else tl.int32

    def launch(found: Configuration) -> None:
        BLOCK_M, BLOCK_N, BLOCK_K = (found[f"BLOCK_{axis}"] for axis in "MNK")
        a_desc, _ = matrix_descriptor(a, BLOCK_M, BLOCK_K)
        b_desc, _ = matrix_descriptor(b, BLOCK_K, BLOCK_N)
        c_desc, _ = matrix_descriptor(c, BLOCK_M, BLOCK_N // found["STORES"])
        programs = resident_programs(triton.cdiv(M, BLOCK_M) * triton.cdiv(N, BLOCK_N))
        _scaled_kernel[(programs,)](a_desc, b_desc, c_desc, a_scale, b_scale, M, N, K, ACCUMULATOR=accumulator, **found)

    launch(configuration or tuned.configuration("any", launch))
    return c
