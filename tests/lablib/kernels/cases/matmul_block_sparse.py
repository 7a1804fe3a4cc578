"""Matrix product with weights that are zero in blocks."""

from __future__ import annotations

import torch

from lablib import device
from lablib.check.random import Rng
from lablib.gpu.cost import Cost
from lablib.kernels.matmul_block_sparse import (
    matmul_block_sparse,
    matmul_block_sparse_cost,
    matmul_block_sparse_reference,
)

from ..case import FLOATS, Build, Case, Refused

BLOCK_M = 32  # of the interpreter


def _int32(*values: int) -> torch.Tensor:
    return torch.tensor(values, dtype=torch.int32, device=device.DEVICE)


def _arguments(M: int, block: int, starts: list[int], columns: list[int], across: int):
    def draw(rng: Rng, dtype: torch.dtype) -> tuple:
        K = across * block
        x = rng.normal(M, K + 8, dtype=dtype)[:, 8:]
        return x, _int32(*starts), _int32(*columns), rng.normal(len(columns), block, block, dtype=dtype)

    return draw


def _cost(x: torch.Tensor, starts: torch.Tensor, columns: torch.Tensor, blocks: torch.Tensor) -> Cost:
    """For each tile of rows of x: every kept block, a block of columns of x for each, the index, and the bounds."""
    kept, block, _ = blocks.shape
    M, K = x.shape
    N, tiles = (len(starts) - 1) * block, -(-M // BLOCK_M)
    least = matmul_block_sparse_cost(M, N, K, kept, block, x.element_size())
    moved = kept * block * M + tiles * kept * block**2 + M * N
    return Cost(least.flops, moved * x.element_size() + 4 * tiles * (kept * block // 32 + 2 * (len(starts) - 1)))


CASES = [
    Case(
        f"block-sparse {name}",
        matmul_block_sparse,
        matmul_block_sparse_reference,
        _arguments(*arguments),
        dtypes=dtypes,
        gradients=(0, 3) if arguments[3] else (0,),
        cost=_cost if arguments[3] else None,
    )
    for name, arguments, dtypes in [
        ("with empty rows and columns of blocks", (37, 32, [0, 2, 2, 5], [0, 3, 0, 2, 3], 4), FLOATS),
        ("of one block of 64", (5, 64, [0, 1], [1], 2), (torch.float16,)),
        ("of no block", (5, 32, [0, 0], [], 2), (torch.float16,)),
    ]
]


def _zeros(*shape: int) -> torch.Tensor:
    return torch.zeros(shape, device=device.DEVICE)


REFUSED = [
    Refused(
        matmul_block_sparse,
        lambda: (_zeros(2, 48), _int32(0, 1), _int32(0), _zeros(1, 32, 32)),
        r"it got x torch.float32 \(2, 48\)",
    ),
    Refused(
        matmul_block_sparse,
        lambda: (_zeros(2, 33)[:, :32], _int32(0, 1), _int32(0), _zeros(1, 32, 32)),
        "begin at multiples of 16 bytes",
    ),
    Refused(
        matmul_block_sparse,
        lambda: (_zeros(32, 2).T, _int32(0, 1), _int32(0), _zeros(1, 32, 32)),
        r"strides \(1, 2\)",
    ),
    Refused(
        matmul_block_sparse,
        lambda: (_zeros(2, 32), _int32(0, 1), torch.zeros(1, device=device.DEVICE).long(), _zeros(1, 32, 32)),
        r"columns torch.int64 \(1,\)",
    ),
]

BUILDS = [
    Build(
        f"block-sparse of 8192 in blocks of {block}",
        lambda block=block: matmul_block_sparse(
            torch.empty(8192, 8192, dtype=torch.float16, device="meta"),
            torch.empty(8192 // block + 1, dtype=torch.int32, device="meta"),
            torch.empty(500, dtype=torch.int32, device="meta"),
            torch.empty(500, block, block, dtype=torch.float16, device="meta"),
        ),
        "_matmul_block_sparse_kernel",
        instructions={"sm_80": "HMMA", "sm_90": "HGMMA", "sm_100": "UTCHMMA"},
        targets=targets,  # sm_80 has no descriptors: a pointer for every element of a large tile spills
    )
    for block, targets in ((64, ("sm_80", "sm_90", "sm_100")), (128, ("sm_90", "sm_100")))
]
