"""A graph convolutional network: each layer lets a node hear its neighbours.

    h' = ReLU(Â · h · W),   Â = D^(-1/2) · (A + I) · D^(-1/2),   D the degrees of A + I

Two layers carry a message two hops. Â is sparse: its product with a dense matrix of d columns is 2 · nnz · d FLOPs, and
nearly all of the traffic is the gathering of neighbours' rows. Multiplying by W first leaves fewer columns to gather
where W narrows.

Source: Kipf and Welling, "Semi-Supervised Classification with Graph Convolutional Networks", arXiv:1609.02907,
equations 2 and 9.
"""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

if TYPE_CHECKING:
    from jaxtyping import Float, Int

__all__ = ["GCN", "GraphConvolution", "normalised_adjacency"]


def normalised_adjacency(offsets: Int[Tensor, " rows"], columns: Int[Tensor, " entries"]) -> Tensor:
    """Â of an undirected graph in CSR without loops, as a sparse CSR matrix.

    Parameters
    ----------
    offsets, columns
        Neighbours of each node, int64, shapes (nodes + 1,) and (2 · edges,).

    Returns
    -------
    Tensor
        float32, shape (nodes, nodes), sparse CSR with 2 · edges + nodes entries, rows in rising order of columns.

    Examples
    --------
    >>> two = normalised_adjacency(torch.tensor([0, 1, 2]), torch.tensor([1, 0]))
    >>> two.to_dense()
    tensor([[0.5000, 0.5000],
            [0.5000, 0.5000]])
    """
    nodes = len(offsets) - 1
    degrees = offsets.diff() + 1
    rows = torch.cat([torch.arange(nodes).repeat_interleave(offsets.diff()), torch.arange(nodes)])
    columns = torch.cat([columns, torch.arange(nodes)])
    order = (rows * nodes + columns).argsort()
    rows, columns = rows[order], columns[order]
    values = (degrees[rows] * degrees[columns]).float().rsqrt()
    offsets = offsets + torch.arange(nodes + 1)
    with warnings.catch_warnings():
        # torch calls CSR a beta feature, once a process, and speaks of checks that are asked for here.
        warnings.filterwarnings("ignore", message="Sparse (CSR tensor support is in beta|invariant checks)")
        return torch.sparse_csr_tensor(offsets, columns, values, (nodes, nodes), check_invariants=True)


class GraphConvolution(nn.Module):
    """Â · (h · W)."""

    def __init__(self, features_in: int, features_out: int) -> None:
        super().__init__()
        self.linear = nn.Linear(features_in, features_out, bias=False)

    def forward(self, h: Float[Tensor, "nodes F_in"], adjacency: Tensor) -> Float[Tensor, "nodes F_out"]:
        return torch.sparse.mm(adjacency, self.linear(h))


class GCN(nn.Module):
    """Features of every node to logits of every node.

    Examples
    --------
    >>> from lablib.data.graphs import karate_club
    >>> club = karate_club()
    >>> GCN(34, 16, 2)(club.x, normalised_adjacency(club.offsets, club.columns)).shape
    torch.Size([34, 2])
    """

    def __init__(self, features: int, hidden: int, classes: int, dropout: float = 0.0) -> None:
        super().__init__()
        self.first = GraphConvolution(features, hidden)
        self.dropout = nn.Dropout(dropout)
        self.second = GraphConvolution(hidden, classes)

    def forward(self, x: Float[Tensor, "nodes F"], adjacency: Tensor) -> Float[Tensor, "nodes classes"]:
        h = torch.relu(self.first(x, adjacency))
        return self.second(self.dropout(h), adjacency)
