"""Costs by formula are those of the network: products counted by torch, parameters in the modules, traffic by hand."""

from __future__ import annotations

import random

import pytest
import torch
from torch import nn

from lablib.automl import costs, space
from lablib.automl.liveness import live
from lablib.automl.network import CHANNELS, SIDE, Network
from lablib.gpu.ledger import ledger

SAMPLE = random.Random(3).sample(list(space.cells()), 20)


@pytest.mark.parametrize("cell", SAMPLE)
def test_flops_and_parameters_are_the_live_networks(cell: tuple[int, ...]) -> None:
    model = Network(live(cell)).to("meta").eval()
    assert costs.flops(cell) == ledger(model, torch.zeros(1, 1, SIDE, SIDE, device="meta")).total.flops
    folded = sum(p.numel() for p in model.parameters())
    folded += sum(norm.num_features for norm in model.modules() if isinstance(norm, nn.BatchNorm2d))
    assert costs.parameters(cell) == folded


def test_traffic_by_hand() -> None:
    """conv3 to node 1, skip and pool to node 3: two kernels and a sum in each cell."""
    cell = (4, 0, 0, 1, 2, 0)
    places = [side * side * channels for side, channels in zip(costs.SIDES, CHANNELS, strict=True)]
    assert places == [392, 256]
    found = {kernel.name: kernel for kernel in costs.kernels(cell)}
    assert list(found) == [
        "stem", "cell1 01 conv3", "cell1 13 pool", "cell1 sum 3", "shrink", "reduce",
        "cell2 01 conv3", "cell2 13 pool", "cell2 sum 3", "head",
    ]  # fmt: skip
    assert (found["cell1 sum 3"].read, found["cell1 sum 3"].written) == (784, 392)
    assert (found["cell1 sum 3"].additions, found["cell2 13 pool"].additions) == (392, 8 * 256)
    assert found["cell2 01 conv3"].additions == found["cell2 01 conv3"].multiplications
    assert found["cell2 01 conv3"].cost(costs.CPU).bytes == 4 * (256 + 256 + 16 * 16 * 9 + 16)
    assert found["cell2 01 conv3"].cost(costs.H200).bytes == 2 * (256 * 512 + 16 * 16 * 9 + 16)


def test_idle_edges_are_free_and_live_ones_cost() -> None:
    for cell in SAMPLE:
        assert costs.seconds(cell, costs.H200) == costs.seconds(live(cell), costs.H200)
    kinds = [costs.seconds((0, 0, 0, operation, 0, 0), costs.CPU) for operation in range(len(space.OPERATIONS))]
    assert kinds[0] == kinds[1] < min(kinds[2], kinds[3]) < kinds[4]


def test_multipliers_are_enough_for_every_engine_to_be_in_time() -> None:
    for cell in SAMPLE:
        work = [kernel.multiplications for kernel in costs.kernels(cell) if kernel.multiplications]
        total = sum(work)
        assert total <= costs.dsps(cell) * costs.CYCLES < total + len(work) * costs.CYCLES


def test_adders_are_enough_for_every_engine_to_be_in_time() -> None:
    for cell in SAMPLE:
        work = [kernel.additions for kernel in costs.kernels(cell) if kernel.additions]
        adders, rest = divmod(costs.luts(cell), costs.ADDER_BITS)
        assert rest == 0 and sum(work) <= adders * costs.CYCLES < sum(work) + len(work) * costs.CYCLES
