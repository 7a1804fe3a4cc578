"""Shared weights compute what a cell's own network would with the same weights, alone and in a mixture."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from lablib.automl import shared
from lablib.automl.liveness import live
from lablib.automl.network import SIDE, Network
from lablib.automl.space import EDGES, OPERATIONS

CELLS = [(4, 1, 0, 2, 3, 1), (4, 4, 4, 4, 4, 4), (3, 2, 1, 0, 4, 3), (0, 4, 4, 1, 3, 0)]


def mixed(x: Tensor, leaving: shared.Leaving, p: Tensor) -> Tensor:
    """Each edge the mean of its operations, weighted with p."""
    nodes = [x] + [torch.zeros_like(x) for _ in range(3)]
    for source in range(3):
        edges = [place for place, edge in enumerate(EDGES) if edge[0] == source]
        for place, results in zip(edges, leaving(source, nodes[source]), strict=True):
            target = EDGES[place][1]
            nodes[target] = nodes[target] + torch.tensordot(p[place], results, 1)
    return nodes[-1]


@pytest.mark.parametrize("cell", CELLS)
def test_a_path_is_the_network_of_its_cell_with_these_weights(cell: tuple[int, ...]) -> None:
    weights, x = shared.initial(3), torch.randn(8, SIDE, SIDE, generator=torch.Generator().manual_seed(0))
    model = Network(cell).train()
    own = {f"{name}.weight": weights[name] for name in ("stem", "reduce", "head")} | {"head.bias": weights["bias"]}
    for stage in ("cell1", "cell2"):
        for (source, target), operation in zip(EDGES, cell, strict=True):
            name = f"{stage} {source}{target} {OPERATIONS[operation]}"
            if name in weights:
                own[f"{stage}.edges.{source}{target}.1.weight"] = weights[name]
    assert not model.load_state_dict(own, strict=False).unexpected_keys
    torch.testing.assert_close(shared.path(weights, cell, x), model(x[:, None]))


@pytest.mark.parametrize("cell", CELLS)
def test_a_mixture_of_one_cell_is_its_path(cell: tuple[int, ...]) -> None:
    weights, x = shared.initial(4), torch.randn(8, SIDE, SIDE, generator=torch.Generator().manual_seed(1))
    p = torch.nn.functional.one_hot(torch.tensor(cell), len(OPERATIONS)).float()
    found = shared.relaxed(weights, x, lambda x, leaving: mixed(x, leaving, p))
    torch.testing.assert_close(found, shared.path(weights, cell, x))


def test_only_the_weights_on_a_path_get_a_gradient() -> None:
    weights = {name: weight.requires_grad_() for name, weight in shared.initial(5).items()}
    cell = (4, 3, 4, 1, 0, 0)
    shared.path(weights, cell, torch.randn(4, SIDE, SIDE)).sum().backward()
    used = {name for name, weight in weights.items() if weight.grad is not None and name.startswith("cell")}
    chosen = zip(EDGES, live(cell), strict=True)
    expected = {f"{s}{t} {OPERATIONS[o]}" for (s, t), o in chosen if OPERATIONS[o].startswith("conv")}
    assert used == {f"{stage} {name}" for stage in ("cell1", "cell2") for name in expected}


def test_a_seed_decides_the_weights() -> None:
    one, same, other = shared.initial(0), shared.initial(0), shared.initial(1)
    assert all(torch.equal(one[name], same[name]) for name in one)
    assert not torch.equal(one["stem"], other["stem"])
