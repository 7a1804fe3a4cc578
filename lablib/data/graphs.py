"""Graphs with a label at every node: a real one of 34 nodes, and random ones whose parameters are stated.

An edge is kept in both directions, row by row (CSR): the neighbours of node n are
``columns[offsets[n] : offsets[n + 1]]``, in rising order.
"""

from __future__ import annotations

from typing import NamedTuple

import torch

__all__ = ["Graph", "karate_club", "stochastic_block_model"]


class Graph(NamedTuple):
    """An undirected graph.

    Attributes
    ----------
    offsets, columns
        Neighbours in CSR, int64, shapes (nodes + 1,) and (2 · edges,).
    x
        Features, float32, shape (nodes, features).
    y
        Classes, int64, shape (nodes,).
    train
        Nodes whose class may be used in training, bool, shape (nodes,); the others are held out.
    """

    offsets: torch.Tensor
    columns: torch.Tensor
    x: torch.Tensor
    y: torch.Tensor
    train: torch.Tensor


def karate_club() -> Graph:
    """Zachary's karate club: 34 members, 78 friendships, and the side each took when the club broke apart.

    Features are one-hot: a member is known by its friends alone. Only the instructor (node 0) and the officer (node 33)
    are in ``train``.

    Source: Zachary, "An Information Flow Model for Conflict and Fission in Small Groups", Journal of Anthropological
    Research 33(4), 1977, figure 1, as networkx has it.

    Examples
    --------
    >>> club = karate_club()
    >>> len(club.columns) // 2, club.y.bincount().tolist()
    (78, [17, 17])
    """
    from networkx import karate_club_graph, to_numpy_array

    club = karate_club_graph()
    adjacency = torch.from_numpy(to_numpy_array(club)) > 0
    y = torch.tensor([int(side == "Officer") for _, side in club.nodes(data="club")])
    train = torch.zeros(34, dtype=torch.bool)
    train[[0, 33]] = True
    return Graph(*_csr(adjacency), torch.eye(34), y, train)


def stochastic_block_model(
    nodes: int = 1000, classes: int = 4, inside: float = 0.02, across: float = 0.002, features: int = 16,
    signal: float = 0.5, seed: int = 0,
) -> Graph:  # fmt: skip
    """A random graph whose classes show in its edges clearly and in its features faintly.

    Two nodes of one class are neighbours with probability ``inside``, two of different classes with probability
    ``across``, independently. Features are standard normal noise plus ``signal`` times the mean of the node's class, a
    random unit vector times the square root of ``features``. One node in ten is in ``train``.

    Source: Holland, Laskey and Leinhardt, "Stochastic blockmodels: first steps", Social Networks 5(2), 1983.

    Examples
    --------
    >>> graph = stochastic_block_model(nodes=200)
    >>> graph.x.shape, graph.y.bincount().tolist(), int(graph.train.sum())
    (torch.Size([200, 16]), [50, 50, 50, 50], 20)
    """
    generator = torch.Generator().manual_seed(seed)
    y = torch.arange(nodes) * classes // nodes
    probability = torch.where(y[:, None] == y[None, :], inside, across)
    above = torch.triu(torch.rand(nodes, nodes, generator=generator) < probability, diagonal=1)
    means = torch.nn.functional.normalize(torch.randn(classes, features, generator=generator)) * features**0.5
    x = torch.randn(nodes, features, generator=generator) + signal * means[y]
    train = torch.zeros(nodes, dtype=torch.bool)
    train[torch.randperm(nodes, generator=generator)[: nodes // 10]] = True
    return Graph(*_csr(above), x, y, train)


def _csr(above: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Offsets and columns of the graph whose edges, from lower to higher node, are marked in a square matrix."""
    both = above | above.T
    offsets = torch.cat([torch.zeros(1, dtype=torch.int64), both.sum(1).cumsum(0)])
    return offsets, both.nonzero()[:, 1].contiguous()
