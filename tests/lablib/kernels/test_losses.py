"""What losses do when the backward pass is not the usual one."""

from __future__ import annotations

import pytest
import torch

from lablib.check.random import Rng
from lablib.kernels.cross_entropy import cross_entropy
from lablib.kernels.fused_linear_cross_entropy import fused_linear_cross_entropy


def test_cross_entropy_may_be_differentiated_again() -> None:
    rng = Rng(0)
    logits, target = rng.normal(4, 20).requires_grad_(), rng.integers(0, 20, 4)
    loss = cross_entropy(logits, target)
    one, other = (torch.autograd.grad(loss, logits, retain_graph=True)[0] for _ in range(2))
    assert torch.equal(one, other)


def test_the_fused_loss_gives_its_gradients_away_once() -> None:
    rng = Rng(0)
    x, weight, target = rng.normal(4, 8).requires_grad_(), rng.normal(20, 8), rng.integers(0, 20, 4)
    loss = fused_linear_cross_entropy(x, weight, target)
    torch.autograd.grad(loss, x, retain_graph=True)
    with pytest.raises(RuntimeError, match="in the first backward pass: call it again"):
        torch.autograd.grad(loss, x)
