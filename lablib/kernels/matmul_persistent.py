"""Matrix product by persistent programs and tensor descriptors, the third step of the staircase.

    C[m, n] = sum_k A[m, k] · B[k, n],   accumulated in float32

    one program a multiprocessor        tile p         tile p + 132    tile p + 264 ...
    copy engine                         ▒▒▒▒▒▒▒▒▒▒▒▒▒  ▒▒▒▒▒▒▒▒▒▒▒▒▒   ▒▒▒▒
    matrix units                          ▓▓▓▓▓▓▓▓▓▓▓▓▓  ▓▓▓▓▓▓▓▓▓▓▓▓▓   ▓▓
    stores of C                                       ░░              ░░

Two things are new against `lablib.kernels.matmul_grouped`. The copy engine fetches whole blocks through descriptors
(`lablib.kernels.descriptors`), so threads spend no registers and no instructions on addresses and masks. And a program
lives on after its tile: ``flatten`` makes one loop of the loops over tiles and over K, so that the loads for the next
tile are on their way while this one is stored.

Binding roof: matrix throughput for large M, N, K.

Measured on an H200 (torch 2.11, Triton 3.6), bfloat16, 8192³: 1.41 ms, 781 TFLOP/s, all of the roof, 1.03 times
`matmul_grouped` and 1.07 times cuBLAS beside it; 4096³: 767 and level with cuBLAS, 1.04 times `matmul_grouped`; 512³ in
a CUDA graph: 3.6 µs, cuBLAS 3.7. Outside a graph the host also encodes three descriptors a launch.

Source: persistent programs are those of Gupta, Stuart and Owens, "A study of persistent threads style GPU programming",
InPar 2012; in Triton, its tutorial "Persistent matmul".
"""

from __future__ import annotations

from typing import Any

import torch

from lablib import device
from lablib.kernels.descriptors import fits_descriptor, matrix_descriptor, store_tile
from lablib.kernels.matmul import matmul_cost as matmul_persistent_cost
from lablib.kernels.matmul import matmul_reference as matmul_persistent_reference
from lablib.kernels.schedule import grouped_tile, resident_programs
from lablib.kernels.tuned import Configuration, Tuned

import triton  # isort: skip
import triton.language as tl  # isort: skip

__all__ = ["check_product", "matmul_persistent", "matmul_persistent_cost", "matmul_persistent_reference"]

FEWEST_LARGE_TILES = 100  # fewer leave too many multiprocessors without one


def _tile(M: int, N: int, K: int, group: int, stores: int, warps: int, stages: int) -> Configuration:
    return {
        "BLOCK_M": M, "BLOCK_N": N, "BLOCK_K": K, "GROUP_M": group, "STORES": stores,
        "num_warps": warps, "num_stages": stages,
    }  # fmt: skip


TUNED = Tuned(
    {
        ("sm_90", "3.6"): {"large": _tile(128, 256, 64, 8, 2, 8, 4), "small": _tile(64, 64, 128, 8, 1, 4, 3)},
        # Not measured: one stage less, for there the stages of operands and the accumulator's copy share memory.
        ("sm_100", "3.7"): {"large": _tile(128, 256, 64, 8, 2, 8, 3), "small": _tile(64, 64, 128, 8, 1, 4, 3)},
    },
    candidates=(
        _tile(128, 256, 64, 8, 2, 8, 4),
        _tile(128, 256, 64, 16, 2, 8, 4),
        _tile(256, 128, 64, 8, 2, 8, 4),
        _tile(128, 128, 64, 8, 1, 8, 4),
        _tile(64, 64, 64, 8, 1, 4, 4),
    ),
)
"""Large products give every multiprocessor a tile of 128 × 256."""


@triton.jit
def _matmul_persistent_kernel(
    a_desc, b_desc, c_desc, M, N, K,
    A_TRANSPOSED: tl.constexpr, B_TRANSPOSED: tl.constexpr,
    BLOCK_M: tl.constexpr, BLOCK_N: tl.constexpr, BLOCK_K: tl.constexpr, GROUP_M: tl.constexpr, STORES: tl.constexpr,
):  # fmt: skip
    tiles_m, tiles_n = tl.cdiv(M, BLOCK_M), tl.cdiv(N, BLOCK_N)
    for tile in tl.range(tl.program_id(0), tiles_m * tiles_n, tl.num_programs(0), flatten=True):
        tile_m, tile_n = grouped_tile(tile, tiles_m, tiles_n, GROUP_M)
        row, column = tile_m * BLOCK_M, tile_n * BLOCK_N
        acc = tl.zeros((BLOCK_M, BLOCK_N), dtype=tl.float32)
        for k in range(0, K, BLOCK_K):
            # What lies past the edge of a matrix comes as zeros.
            a = a_desc.load([k, row]).T if A_TRANSPOSED else a_desc.load([row, k])
            b = b_desc.load([column, k]).T if B_TRANSPOSED else b_desc.load([k, column])
            acc = tl.dot(a, b, acc)
        store_tile(c_desc, acc.to(c_desc.dtype), row, column, STORES)


def _multiply(a: torch.Tensor, b: torch.Tensor, configuration: Configuration | None) -> torch.Tensor:
    (M, K), N = a.shape, b.shape[1]
    c = torch.empty((M, N), dtype=a.dtype, device=a.device)

    def launch(found: Configuration) -> None:
        BLOCK_M, BLOCK_N, BLOCK_K = (found[f"BLOCK_{axis}"] for axis in "MNK")
        a_desc, a_transposed = matrix_descriptor(a, BLOCK_M, BLOCK_K)
        b_desc, b_transposed = matrix_descriptor(b, BLOCK_K, BLOCK_N)
        c_desc, _ = matrix_descriptor(c, BLOCK_M, BLOCK_N // found["STORES"])
        programs = resident_programs(triton.cdiv(M, BLOCK_M) * triton.cdiv(N, BLOCK_N))
        _matmul_persistent_kernel[(programs,)](
            a_desc, b_desc, c_desc, M, N, K, A_TRANSPOSED=a_transposed, B_TRANSPOSED=b_transposed, **found
        )

    large = triton.cdiv(M, 128) * triton.cdiv(N, 256) >= FEWEST_LARGE_TILES
    launch(configuration or TUNED.configuration("large" if large else "small", launch))
    return c


def check_product(name: str, a: torch.Tensor, b: torch.Tensor) -> None:
    """Raise ValueError with a sentence if these are not two matrices that descriptors and matrix units take."""
    if a.dim() != 2 or b.dim() != 2 or a.shape[1] != b.shape[0] or a.dtype != b.dtype or a.element_size() != 2:
        raise ValueError(
            f"{name} takes an (M, K) and a (K, N) matrix, both float16 or both bfloat16; it got "
            f"{a.dtype} {tuple(a.shape)} and {b.dtype} {tuple(b.shape)}."
        )
    K, N = b.shape
    if not fits_descriptor(a) or not fits_descriptor(b) or K % 8 or N % 8:
        raise ValueError(
            f"{name} takes matrices with unit stride along one axis and a multiple of 8 along the other, and K and N "
            f"multiples of 8; it got strides {a.stride()} and {b.stride()}, K = {K}, N = {N}: matmul_grouped takes any."
        )
    device.refuse_bfloat16(name, a, b)


class _Product(torch.autograd.Function):
    """dA = dC · Bᵀ and dB = Aᵀ · dC: descriptors take transposes as they are."""

    @staticmethod
    def forward(ctx: Any, a: torch.Tensor, b: torch.Tensor, configuration: Configuration | None) -> torch.Tensor:
        ctx.save_for_backward(a, b)
        ctx.configuration = configuration
        return _multiply(a, b, configuration)

    @staticmethod
    def backward(ctx: Any, *upstream: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        a, b = ctx.saved_tensors
        (dc,) = upstream
        dc = dc if fits_descriptor(dc) else dc.contiguous()
        da = _multiply(dc, b.T, ctx.configuration) if ctx.needs_input_grad[0] else None
        db = _multiply(a.T, dc, ctx.configuration) if ctx.needs_input_grad[1] else None
        return da, db, None


def matmul_persistent(a: torch.Tensor, b: torch.Tensor, configuration: Configuration | None = None) -> torch.Tensor:
    """Product of two 16-bit matrices, each stored by rows or by columns, with gradients.

    Parameters
    ----------
    a
        Shape (M, K), float16 or bfloat16, unit stride along one axis, along the other a multiple of 8 elements.
    b
        Shape (K, N), dtype of ``a``, strides likewise; N and K multiples of 8.
    configuration
        BLOCK_M, BLOCK_N, BLOCK_K, GROUP_M, STORES, num_warps and num_stages in place of the tuned ones.

    Returns
    -------
    torch.Tensor
        Shape (M, N), dtype of ``a``, contiguous.

    Raises
    ------
    ValueError
        If the matrices are not such, or they are bfloat16 and there is no GPU.

    Examples
    --------
    >>> a = torch.eye(16, dtype=torch.float16, device=device.DEVICE)
    >>> bool((matmul_persistent(a, a) == a).all())
    True
    """
    check_product("matmul_persistent", a, b)
    return _Product.apply(a, b, configuration)  # pyright: ignore[reportReturnType]
