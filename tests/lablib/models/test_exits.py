"""Exits read what the blocks hand on, and the states of a model lead to its own logits."""

from __future__ import annotations

import pytest

from lablib import device  # noqa: F401  (before the ledger, which imports triton)

import torch  # isort: skip

from lablib.gpu.ledger import ledger
from lablib.models.exits import Exits, embed, exit_functions, states
from lablib.models.gpt import GPT
from lablib.models.vit import ViT


def test_the_last_function_of_a_vit_gives_its_logits() -> None:
    model, heads, x = ViT().eval(), Exits(64, 10), torch.randn(3, 1, 28, 28)
    found, functions = states(model, x), exit_functions(model, heads)
    torch.testing.assert_close(functions[-1](found[-1]), model(x))
    torch.testing.assert_close(functions[1](found[1]), heads(1, found[1].mean(dim=1)))


def test_the_last_function_of_a_gpt_gives_its_logits() -> None:
    model, heads, x = GPT().eval(), Exits(128, 72), torch.randint(72, (2, 20))
    found, functions = states(model, x), exit_functions(model, heads)
    assert len(found) == len(functions) == 4 and embed(model, x).shape == found[0].shape == (2, 20, 128)
    torch.testing.assert_close(functions[-1](found[-1]), model(x))
    torch.testing.assert_close(functions[2](found[2]), heads(2, found[2]))


def test_each_exit_has_its_own_head() -> None:
    heads, x = Exits(width=8, classes=3, count=2), torch.randn(5, 8)
    assert heads(0, x).shape == (5, 3)
    assert not torch.equal(heads(0, x), heads(1, x))
    with pytest.raises(IndexError):
        heads(2, x)


def test_a_head_is_a_small_part_of_a_block() -> None:
    heads = Exits(64, 10)
    head = ledger(heads.heads[0], torch.zeros(1, 64)).total.flops
    block = ledger(ViT().blocks[0], torch.zeros(1, 49, 64)).total.flops
    assert 0 < head / block < 0.0003
