"""Matrix product with weights of which two in four are zero."""

from __future__ import annotations

from collections.abc import Iterator

import torch
import torch.nn.functional as F

from benchmarks.kernel_row import Row
from lablib.kernels.matmul_2to4 import compress_2to4, matmul_2to4, matmul_2to4_cost, prune_2to4


def rows() -> Iterator[Row]:
    for M in (1, 16):
        yield _row(M, 28672, 8192, {"dense": 1.4})
    yield _row(8192, 8192, 8192, {})
    yield _row(1, 4096, 1024, {"dense": 1 / 1.1}, graph=True)


def _row(M: int, N: int, K: int, least_of_peer: dict[str, float], graph: bool = False) -> Row:
    x = torch.randn(M, K, device="cuda", dtype=torch.bfloat16)
    weight = prune_2to4(torch.randn(N, K, device="cuda", dtype=torch.bfloat16))
    kept, masks = compress_2to4(weight)
    peers = {"dense": lambda: F.linear(x, weight)}
    try:
        theirs = torch.sparse.to_sparse_semi_structured(weight)
        F.linear(x, theirs)
        peers["cuSPARSELt"] = lambda: F.linear(x, theirs)
    except (RuntimeError, NotImplementedError) as error:
        print(f"no cuSPARSELt for {tuple(x.shape)}: {str(error)[:100]}")
    cost = matmul_2to4_cost(M, N, K)
    written = 2 * M * N
    return Row(
        "matmul_2to4",
        f"{M} × {N} × {K}" + (", in a graph" if graph else ""),
        ours=lambda: matmul_2to4(x, kept, masks),
        peers=peers,
        exact=lambda: F.linear(x.float(), weight.float()),
        usual="dense",
        flops=cost.flops,
        reads=cost.bytes - written,
        writes=written,
        least_of_peer=least_of_peer,
        cause="Expanding in registers binds: 22 instructions for a word of two weights, issued in 60% of cycles. "
        "Tried: one, two and four products a step, tiles contiguous in memory, 64 to 256 columns, four and eight "
        "warps, pairs chosen by selects (0.103 to 0.092 ms), two to seven splits along K (0.088).",
        graph=graph,
    )
