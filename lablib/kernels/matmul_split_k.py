"""Matrix product with K shared out among programs, for outputs with too few tiles to fill the GPU.

    C[m, n] = sum_p P[p, m, n],   P[p, m, n] = sum over part p of K of A[m, k] · B[k, n],   in float32

          k ──>   part 0   part 1   part 2          Every tile of C has SPLITS programs. Each stores its part of the
        ┌────────┬────────┬────────┐                sum in a workspace and counts itself in. The one that comes last
     A  │▒▒▒▒▒▒▒▒│▓▓▓▓▓▓▓▓│░░░░░░░░│                adds all parts in their order, so the result does not depend
        └────────┴────────┴────────┘                on who was last: two calls give the same bits.

    traffic = itemsize · (M·K + K·N + M·N)  +  2 · 4 · SPLITS · M · N for the parts, which the L2 cache holds

Binding roof: memory bandwidth. A product with M = 16 does 16 operations a byte of B; an H200 could do 200.

Measured on an H200 (torch 2.11, Triton 3.6), bfloat16, K = 8192, in CUDA graphs: N = 2048 takes 9.8 µs for M = 16 and
16.0 µs for M = 128, 1.07 and 1.05 times as fast as cuBLAS. N = 8192 takes 34.4 and 40.7 µs; cuBLAS is 2 and 6% faster.
These have 128 tiles for 132 multiprocessors, and one part is best: in a tuning run half as many tiles in four parts
took 37.1 and 55.1 µs.

Source: Osama, Merrill, Cecka, Garland and Owens, "Stream-K", PPoPP 2023, section 3 (fixed splitting).
"""

from __future__ import annotations

import torch

from lablib import device  # noqa: F401  (before triton)
from lablib.gpu.cost import Cost
from lablib.kernels.descriptors import matrix_descriptor
from lablib.kernels.matmul import matmul_cost
from lablib.kernels.matmul import matmul_reference as matmul_split_k_reference
from lablib.kernels.matmul_persistent import check_product
from lablib.kernels.schedule import grouped_tile, multiprocessors
from lablib.kernels.tuned import Configuration, Tuned

import triton  # isort: skip
import triton.language as tl  # isort: skip

__all__ = ["matmul_split_k", "matmul_split_k_cost", "matmul_split_k_reference"]


def matmul_split_k_cost(M: int, N: int, K: int, itemsize: int, splits: int) -> Cost:
    """Cost with operands read once; the parts of the sum are written and read in float32."""
    least = matmul_cost(M, N, K, itemsize)
    return Cost(least.flops, least.bytes + 2 * 4 * splits * M * N)


def _tile(M: int, N: int, K: int, warps: int, stages: int, per_multiprocessor: int) -> Configuration:
    return {
        "BLOCK_M": M, "BLOCK_N": N, "BLOCK_K": K, "GROUP_M": 8,
        "num_warps": warps, "num_stages": stages, "per_multiprocessor": per_multiprocessor,
    }  # fmt: skip


TUNED = Tuned({("sm_90", "3.6"): {16: _tile(16, 64, 256, 4, 5, 1), 128: _tile(128, 64, 64, 4, 8, 1)}})
"""By the number of rows that a tile has to cover."""


@triton.jit
def _matmul_split_k_kernel(
    a_desc, b_desc, c_ptr, parts_ptr, arrived_ptr, M, N, K,
    A_TRANSPOSED: tl.constexpr, B_TRANSPOSED: tl.constexpr,
    BLOCK_M: tl.constexpr, BLOCK_N: tl.constexpr, BLOCK_K: tl.constexpr, GROUP_M: tl.constexpr, SPLITS: tl.constexpr,
):  # fmt: skip
    tile, part = tl.program_id(0), tl.program_id(1)
    tile_m, tile_n = grouped_tile(tile, tl.cdiv(M, BLOCK_M), tl.cdiv(N, BLOCK_N), GROUP_M)
    row, column = tile_m * BLOCK_M, tile_n * BLOCK_N
    length = tl.cdiv(tl.cdiv(K, BLOCK_K), SPLITS) * BLOCK_K
    acc = tl.zeros((BLOCK_M, BLOCK_N), dtype=tl.float32)
    for k in range(part * length, tl.minimum(part * length + length, K), BLOCK_K):
        a = a_desc.load([k, row]).T if A_TRANSPOSED else a_desc.load([row, k])
        b = b_desc.load([column, k]).T if B_TRANSPOSED else b_desc.load([k, column])
        acc = tl.dot(a, b, acc)
    rows, columns = row + tl.arange(0, BLOCK_M), column + tl.arange(0, BLOCK_N)
    offsets = rows.to(tl.int64)[:, None] * N + columns[None, :]
    inside = (rows < M)[:, None] & (columns < N)[None, :]
    if SPLITS > 1:
        plane = tl.cast(M, tl.int64) * N
        tl.store(parts_ptr + part * plane + offsets, acc, mask=inside)
        # All threads have stored before one of them counts this program in, and acq_rel orders what other
        # programs stored before they counted themselves in.
        tl.debug_barrier()
        if tl.atomic_add(arrived_ptr + tile, 1, sem="acq_rel") < SPLITS - 1:
            return
        acc = tl.zeros((BLOCK_M, BLOCK_N), dtype=tl.float32)
        for other in range(SPLITS):
            # .cg reads from the L2 cache, where other multiprocessors' stores are; the L1 may be stale.
            acc += tl.load(parts_ptr + other * plane + offsets, mask=inside, other=0.0, cache_modifier=".cg")
    tl.store(c_ptr + offsets, acc.to(c_ptr.dtype.element_ty), mask=inside)


def matmul_split_k(
    a: torch.Tensor, b: torch.Tensor, splits: int | None = None, configuration: Configuration | None = None
) -> torch.Tensor:
    """Product of two 16-bit matrices, each stored by rows or by columns, with K in parts.

    Parameters
    ----------
    a
        Shape (M, K), float16 or bfloat16, unit stride along one axis, along the other a multiple of 8 elements.
    b
        Shape (K, N), dtype of ``a``, strides likewise; N and K multiples of 8.
    splits
        Parts of K; as many as fill the GPU by default.
    configuration
        BLOCK_M, BLOCK_N, BLOCK_K, GROUP_M, num_warps, num_stages and per_multiprocessor in place of the tuned ones.

    Returns
    -------
    torch.Tensor
        Shape (M, N), dtype of ``a``; the same bits at every call.

    Raises
    ------
    ValueError
        If the matrices are not such, or they are bfloat16 and there is no GPU.

    Examples
    --------
    >>> a = torch.eye(16, dtype=torch.float16, device=device.DEVICE)
    >>> bool((matmul_split_k(a, a, splits=2) == a).all())
    True
    """
    check_product("matmul_split_k", a, b)
    (M, K), N = a.shape, b.shape[1]
    c = torch.empty((M, N), dtype=a.dtype, device=a.device)

    def launch(found: Configuration) -> None:
        blocks = dict(found)
        resident = blocks.pop("per_multiprocessor")
        BLOCK_M, BLOCK_N, BLOCK_K = (blocks[f"BLOCK_{axis}"] for axis in "MNK")
        a_desc, a_transposed = matrix_descriptor(a, BLOCK_M, BLOCK_K)
        b_desc, b_transposed = matrix_descriptor(b, BLOCK_K, BLOCK_N)
        tiles = triton.cdiv(M, BLOCK_M) * triton.cdiv(N, BLOCK_N)
        wanted = splits or max(1, multiprocessors() * resident // tiles)
        parts = min(wanted, triton.cdiv(K, BLOCK_K))
        workspace = torch.empty((parts, M, N) if parts > 1 else 0, dtype=torch.float32, device=a.device)
        arrived = torch.zeros(tiles if parts > 1 else 0, dtype=torch.int32, device=a.device)
        _matmul_split_k_kernel[(tiles, parts)](
            a_desc, b_desc, c, workspace, arrived, M, N, K,
            A_TRANSPOSED=a_transposed, B_TRANSPOSED=b_transposed, SPLITS=parts, **blocks,
        )  # fmt: skip

    launch(configuration or TUNED.configuration(16 if M <= 16 else 128, launch))
    return c
