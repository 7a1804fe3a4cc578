"""The cost check counts operations and memory, and takes nothing for cheap that only hides its work."""

from __future__ import annotations

import pytest
import torch

from lablib import check


def product(x, w):
    return x @ w.T


def test_returns_the_result_of_a_function_that_costs_what_it_must() -> None:
    x, w = check.rng.normal(3, 5), check.rng.normal(4, 5)
    y = check.cost(product, x, w, flops=2 * 3 * 5 * 4, allocated=48, peak=(48, 48))
    check.close(y, x @ w.T)


@pytest.mark.parametrize(
    ("bounds", "sentence"),
    [
        ({"flops": 100}, "does 120 floating-point operations in matrix products, expected 100. Its operations: mm"),
        ({"flops": (121, 200)}, "expected 121 to 200"),
        ({"allocated": 0}, "allocates 48 bytes, expected 0"),
        ({"peak": (0, 47)}, "has to hold 48 bytes at once, expected 0 to 47"),
    ],
)
def test_says_what_costs_too_much_or_too_little(bounds: dict, sentence: str) -> None:
    with pytest.raises(AssertionError, match=sentence.replace(".", r"\.")):
        check.cost(product, check.rng.normal(3, 5), check.rng.normal(4, 5), **bounds)


def test_a_view_costs_nothing() -> None:
    check.cost(torch.t, check.rng.normal(3, 5), flops=0, allocated=0, peak=0)


def test_an_argument_may_change_when_the_contract_says_so() -> None:
    x = torch.ones(3)
    seen = check.observe(torch.Tensor.add_, check.inout(x), 1)
    assert seen.changed_inputs == []
    assert check.observe(torch.Tensor.add_, torch.ones(3), 1).changed_inputs == ["0"]


def test_inout_marks_tensors_only() -> None:
    with pytest.raises(TypeError, match="marks a tensor"):
        check.inout([1.0])  # type: ignore[arg-type]


def test_a_seed_reaches_every_generator() -> None:
    import random

    import numpy as np

    drawn = []
    for _ in range(2):
        check.seed(7)
        drawn.append((float(torch.rand(())), float(np.random.rand()), random.random()))
    assert drawn[0] == drawn[1]
