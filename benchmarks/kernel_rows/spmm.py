"""Sparse times dense on random graphs: every node alike, and a few with most of the edges."""

from __future__ import annotations

from collections.abc import Iterator

import torch

from benchmarks.kernel_row import Row
from lablib.kernels.spmm import spmm, spmm_cost, spmm_reference

NODES, EDGES, D = 131_072, 4_000_000, 128
EXPONENT = 0.7  # of a node's share of the edges over its rank: the degrees' own exponent is 1 + 1 / 0.7 = 2.4


def rows() -> Iterator[Row]:
    for kind in ("uniform", "power law"):
        for dtype, least_ratio in ((torch.float32, 1.1 if kind == "uniform" else 1.2), (torch.bfloat16, 1.2)):
            yield _row(kind, NODES, EDGES, D, dtype, least_ratio)
    yield _row("uniform", 2708, 10556, 64, torch.float32, 0.909, graph=True)


def random_graph(kind: str, nodes: int, edges: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Offsets and columns, int32, of edges whose both ends are drawn alike."""
    if kind == "uniform":
        ends = [torch.randint(nodes, (edges,), device="cuda") for _ in range(2)]
    else:
        share = torch.arange(1, nodes + 1, device="cuda", dtype=torch.float64) ** -EXPONENT
        below = (share.cumsum(0) / share.sum()).clamp(max=1)
        drawn = [torch.rand(edges, device="cuda", dtype=torch.float64) for _ in range(2)]
        ends = [torch.randperm(nodes, device="cuda")[torch.searchsorted(below, one)] for one in drawn]
    order = (ends[0] * nodes + ends[1]).sort().values
    offsets = torch.searchsorted(order // nodes, torch.arange(nodes + 1, device="cuda"))
    return offsets.int(), (order % nodes).int()


def _row(kind: str, nodes: int, edges: int, D: int, dtype: torch.dtype, least_ratio: float, graph: bool = False) -> Row:
    offsets, columns = random_graph(kind, nodes, edges)
    values = torch.rand(edges, device="cuda").to(dtype)
    x = torch.randn(nodes, D, device="cuda").to(dtype)
    matrix = torch.sparse_csr_tensor(offsets, columns, values, (nodes, nodes), check_invariants=False)
    cost = spmm_cost(nodes, nodes, edges, D, x.element_size())
    return Row(
        "spmm",
        f"{str(dtype).removeprefix('torch.')} {kind}, {nodes} nodes, {edges} edges × {D}",
        ours=lambda: spmm(offsets, columns, values, x),
        peers={"cuSPARSE": lambda: matrix @ x},
        exact=lambda: spmm_reference(offsets, columns, values.double(), x.double()),
        usual="cuSPARSE",
        reads=cost.bytes - x.nbytes,
        writes=x.nbytes,
        least_ratio=least_ratio,
        graph=graph,
    )
