"""Matrix product with weights that are zero in blocks, nine in ten."""

from __future__ import annotations

from collections.abc import Iterator

import torch
import torch.nn.functional as F

from benchmarks.kernel_row import Row
from lablib.kernels.matmul_block_sparse import matmul_block_sparse, matmul_block_sparse_cost

SIZE = 8192


def rows() -> Iterator[Row]:
    for block in (128, 64):
        yield _row(SIZE, block, {"dense": 4.0})
    yield _row(256, 64, {"dense": 1 / 1.1}, graph=True)


def _row(M: int, block: int, least_of_peer: dict[str, float], graph: bool = False) -> Row:
    size = SIZE if not graph else 1024
    keep = torch.rand(size // block, size // block, device="cuda") < 0.1
    dense = torch.randn(size, size, device="cuda", dtype=torch.bfloat16)
    weight = dense * keep.repeat_interleave(block, 0).repeat_interleave(block, 1)
    theirs = weight.to_sparse_bsr((block, block))
    ours = theirs.crow_indices().int(), theirs.col_indices().int(), theirs.values().contiguous()
    x = torch.randn(M, size, device="cuda", dtype=torch.bfloat16)
    kept = len(ours[1])
    cost = matmul_block_sparse_cost(M, size, size, kept, block, 2)
    written = 2 * M * size
    return Row(
        "matmul_block_sparse",
        f"{M} × {size} × {size}, a tenth in blocks of {block}" + (", in a graph" if graph else ""),
        ours=lambda: matmul_block_sparse(x, *ours),
        peers={"dense": lambda: F.linear(x, weight)} | ({} if graph else {"torch BSR": lambda: F.linear(x, theirs)}),
        exact=lambda: F.linear(x.float(), weight.float()),
        usual="dense",
        flops=cost.flops,
        reads=cost.bytes - written,
        writes=written,
        least_of_peer=least_of_peer,
        graph=graph,
    )
