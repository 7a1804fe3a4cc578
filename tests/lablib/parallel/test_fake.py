"""The pretended group: PyTorch's own FSDP2 and tensor parallelism, counted to the byte."""

from __future__ import annotations

import pytest
import torch
from torch import distributed as dist
from torch import nn

from lablib.parallel import ring_bytes
from lablib.parallel.fake import count_step

SPLIT = {"up": "column", "down": "row"}


class Pair(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.up, self.down = nn.Linear(width, 4 * width, bias=False), nn.Linear(4 * width, width, bias=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x + self.down(self.up(x).relu())


def pairs(width: int, depth: int) -> list[nn.Module]:
    with torch.device("meta"):
        return [Pair(width) for _ in range(depth)]


@pytest.mark.parametrize("reshard", [True, False])
def test_bytes_of_4096_ranks_are_those_of_the_formulas(reshard: bool) -> None:
    width, depth, tokens, dp, tp = 1024, 2, 32, 512, 8
    counted = count_step(pairs(width, depth), dp, tp, SPLIT, (tokens, width), reshard)
    weights, activation = 4 * 8 * width * width // tp, 4 * tokens * width
    gathers = 2 * depth if reshard else depth
    assert counted.calls == {
        ("dp", "all_gather"): gathers, ("dp", "reduce_scatter"): depth, ("tp", "all_reduce"): 2 * depth,
    }  # fmt: skip
    assert counted.sent["dp", "all_gather"] == gathers * ring_bytes("all_gather", weights, dp)
    assert counted.sent["dp", "reduce_scatter"] == depth * ring_bytes("reduce_scatter", weights, dp)
    assert counted.sent["tp", "all_reduce"] == 2 * depth * ring_bytes("all_reduce", activation, tp)
    assert counted.parameters == depth * 8 * width * width // (dp * tp)
    assert not dist.is_initialized()


def test_a_mesh_with_an_axis_of_one_is_refused() -> None:
    with pytest.raises(ValueError, match=r"must be at least 2.*got 8 and 1"):
        count_step(pairs(8, 1), 8, 1, SPLIT, (1, 8))
