"""Plans of what to keep: what is refused, what is counted, and that torch holds what was counted."""

from __future__ import annotations

import random

import pytest
import torch
from torch import nn

from lablib.models.transformer import Block
from lablib.train.chain import Action, Chain, measure, replay, run
from lablib.train.plans import LONGEST, best_plan

TWO = Chain((8, 4), (20, 30), (100, 10))
AGAIN: list[Action] = [
    ("forward", 1), ("save", 2), ("backward", 2), ("drop", 1), ("save", 1), ("backward", 1),
]  # fmt: skip


def test_replay_counts_bytes_flops_and_runs() -> None:
    found = replay(TWO, AGAIN)
    assert found.held == (8, 38, 8, 0, 20, 0)
    assert (found.peak_bytes, found.flops, found.runs) == (38, 210, (2, 1))


@pytest.mark.parametrize(
    ("plan", "sentence"),
    [
        ([("keep", 1)], "is none: expected a pair"),
        ([("save", 3)], "numbered from 1 to 2"),
        ([("save", True)], "numbered from 1 to 2"),
        ([("save", 2)], "needs x1, which is not held"),
        ([("save", 1), ("forward", 1)], "makes x1, which is held already"),
        ([("drop", 1)], "drops what no forward action holds"),
        ([("forward", 1), ("save", 2), ("drop", 1)], "backward pass of block 2 still needs"),
        ([("save", 1), ("backward", 1)], "the next backward pass is that of 2"),
        ([("forward", 1), ("forward", 2), ("backward", 2)], "only a save of block 2 holds"),
        ([("save", 1)], "ends before the backward pass of block 2"),
        ([*AGAIN, ("forward", 1)], "still holds x1"),
    ],
)
def test_what_cannot_be_done_is_refused(plan: list[Action], sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        replay(TWO, plan)


@pytest.mark.parametrize("share", [1.0, 0.7, 0.5])
def test_torch_holds_what_was_counted_and_gradients_are_the_same(share: float) -> None:
    torch.manual_seed(0)
    plain = [Block(16, 2, causal=True) for _ in range(4)]
    planned = [Block(16, 2, causal=True) for _ in range(4)]
    for a, b in zip(plain, planned, strict=True):
        b.load_state_dict(a.state_dict())
    x, gradient = torch.randn(2, 3, 8, 16)
    chain = measure(plain, x)
    plan = best_plan(chain, int(share * sum(chain.saved_bytes)))
    assert plan is not None
    start = x.clone().requires_grad_()
    nn.Sequential(*plain)(start).backward(gradient)
    got, held = run(planned, x, gradient, plan)
    assert held == replay(chain, plan).held
    torch.testing.assert_close(got, start.grad)
    for a, b in zip(nn.Sequential(*plain).parameters(), nn.Sequential(*planned).parameters(), strict=True):
        torch.testing.assert_close(a.grad, b.grad)


def test_the_search_fits_its_budget_and_less_memory_never_costs_less() -> None:
    draw = random.Random(0)
    for _ in range(20):
        outputs = tuple(draw.randint(1, 9) for _ in range(4))
        chain = Chain(outputs, tuple(o + draw.randint(0, 20) for o in outputs), (3, 1, 4, 2))
        flops = []
        for budget in range(sum(chain.saved_bytes), 0, -7):
            plan = best_plan(chain, budget)
            if plan is not None:
                found = replay(chain, plan)
                assert found.peak_bytes <= budget
                flops.append(found.flops)
        assert flops[0] == sum(chain.flops)
        assert flops == sorted(flops)
    assert best_plan(TWO, 10) is None


def test_long_chains_are_refused() -> None:
    n = LONGEST + 1
    with pytest.raises(ValueError, match=f"at most {LONGEST} blocks; this one has {n}"):
        best_plan(Chain((1,) * n, (2,) * n, (1,) * n), 100)
