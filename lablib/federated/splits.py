"""Divide labelled data among clients.

Real clients do not hold samples of one distribution: a hospital sees its own patients. The usual model of this draws,
for each class, the clients' shares of it from a Dirichlet distribution (Hsu, Qi, Brown, "Measuring the effects of
non-identical data distribution for federated visual classification", arXiv:1909.06335). A large ``alpha`` gives nearly
equal shares; with a small one each class ends up with few clients.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

__all__ = ["dirichlet_split", "label_counts"]

_ATTEMPTS = 1000


def dirichlet_split(labels: Tensor, clients: int, alpha: float, seed: int = 0, least: int = 1) -> list[Tensor]:
    """Give each example to one client, with shares of each class drawn from a Dirichlet distribution.

    Parameters
    ----------
    labels
        Classes, int64, shape (N,).
    clients
        How many there are.
    alpha
        Concentration: 100 is nearly even, 0.1 leaves most classes to one or two clients.
    seed
        Equal seeds give equal splits.
    least
        Examples that every client must have; it is drawn again until they do.

    Returns
    -------
    list of Tensor
        Indices of each client's examples, int64, ascending. Together they are 0 to N - 1.

    Raises
    ------
    ValueError
        If ``alpha`` is not positive, or no draw gives every client ``least`` examples.

    Examples
    --------
    >>> parts = dirichlet_split(torch.arange(100) % 10, clients=3, alpha=0.3)
    >>> sorted(torch.cat(parts).tolist()) == list(range(100))
    True
    """
    if not alpha > 0:
        raise ValueError(f"alpha is {alpha}; a Dirichlet distribution needs a positive one, such as 0.1 or 100.")
    rng = np.random.default_rng(seed)
    for _ in range(_ATTEMPTS):
        owner = _owners(labels.numpy(), clients, alpha, rng)
        parts = [torch.from_numpy(np.flatnonzero(owner == client)) for client in range(clients)]
        if min(map(len, parts)) >= least:
            return parts
    raise ValueError(
        f"In {_ATTEMPTS} draws some of {clients} clients always had fewer than {least} of {len(labels)} examples: "
        f"ask for fewer clients, a larger alpha than {alpha}, or a smaller `least`."
    )


def _owners(labels: np.ndarray, clients: int, alpha: float, rng: np.random.Generator) -> np.ndarray:
    """The client of each example."""
    owner = np.empty(len(labels), dtype=np.int64)
    for kind in np.unique(labels):
        members = rng.permutation(np.flatnonzero(labels == kind))
        ends = np.round(np.cumsum(rng.dirichlet(np.full(clients, alpha))) * len(members)).astype(int)
        for client, part in enumerate(np.split(members, ends[:-1])):
            owner[part] = client
    return owner


def label_counts(labels: Tensor, parts: list[Tensor], classes: int) -> Tensor:
    """How many examples of each class each client has, int64, shape (clients, classes).

    Examples
    --------
    >>> label_counts(torch.tensor([0, 1, 1, 0]), [torch.tensor([0, 1]), torch.tensor([2, 3])], 2).tolist()
    [[1, 1], [1, 1]]
    """
    return torch.stack([torch.bincount(labels[part], minlength=classes) for part in parts])
