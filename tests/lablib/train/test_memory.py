"""What a training step holds, counted by hand on a model of one matrix."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from lablib.models.gpt import GPT
from lablib.train.memory import KINDS, Timeline, memory_of


def steps(device: str, count: int = 2, set_to_none: bool = True) -> Timeline:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(10, 20, bias=False), nn.Tanh()).to(device)
    optimizer = torch.optim.AdamW(model.parameters(), foreach=False)
    x = torch.zeros(5, 10, device=device)

    def run() -> None:
        for _ in range(count):
            model(x).sum().backward()
            optimizer.step()
            optimizer.zero_grad(set_to_none=set_to_none)

    return memory_of(run, model, optimizer)


def test_every_kind_is_counted() -> None:
    found = steps("cpu")
    assert found.most("parameters") == found.most("gradients") == 4 * 200
    assert found.most("optimizer states") == 2 * 4 * 200 + 4  # the counter of steps is a tensor, too
    assert found.most("activations") == 4 * 5 * 20  # tanh keeps its output
    assert found.most("batch") == 4 * 5 * 10
    assert set(found.peak.held) == set(KINDS)


def test_states_come_with_the_first_step_and_gradients_go() -> None:
    found = steps("cpu")
    first, last = found.moments[0], found.moments[-1]
    assert first.phase == "forward" and last.phase == "optimizer"
    assert first.held["optimizer states"] == 0 < last.held["optimizer states"]
    second = [m for m in found.moments if m.phase == "forward"][-1]
    assert second.held["gradients"] == 0
    kept = [m for m in steps("cpu", set_to_none=False).moments if m.phase == "forward"][-1]
    assert kept.held["gradients"] == 4 * 200


def test_meta_counts_as_the_cpu_does() -> None:
    on_cpu, on_meta = steps("cpu").moments, steps("meta").moments
    assert [(m.operation, m.total) for m in on_cpu if m.phase != "optimizer"] == [
        (m.operation, m.total) for m in on_meta if m.phase != "optimizer"
    ]


def test_activations_of_the_gpt_are_those_of_a_formula() -> None:
    B, T, C, depth, H, V = 3, 20, 32, 2, 4, 72
    model, x = GPT(V, T, C, depth, H).to("meta"), torch.zeros(B, T, dtype=torch.int64, device="meta")
    found = memory_of(lambda: nn.functional.cross_entropy(model(x).flatten(0, 1), x.flatten()).backward(), model)
    block = 4 * (16 * B * T * C + B * H * T * T + 4 * B * T) + T * T
    head = 4 * (2 * B * T * C + 2 * B * T + B * T * V + 1)  # and the number of targets
    assert found.most("activations") == depth * block + head
    assert found.moments[-1].held["activations"] == 0


def test_nothing_to_see_is_refused() -> None:
    with pytest.raises(ValueError, match="memory_of saw no operation"):
        memory_of(lambda: None, nn.Linear(1, 1))
