"""Decoys look like what they stand for, and hold other numbers."""

from __future__ import annotations

import pytest
import torch

from autograder.judge.decoys import Decoys

FLOATS = (torch.float64, torch.float32, torch.float16, torch.bfloat16, torch.float8_e4m3fn, torch.complex64)


@pytest.mark.parametrize("dtype", FLOATS)
def test_floating_point_numbers_are_others_of_the_same_form(dtype: torch.dtype) -> None:
    x = torch.randn(6, 8, generator=torch.Generator().manual_seed(0)).to(dtype).T[1:, ::2]
    decoy = Decoys(1).of(x)
    assert (decoy.dtype, decoy.shape, decoy.stride(), decoy.storage_offset()) == (
        x.dtype, x.shape, x.stride(), x.storage_offset(),
    )  # fmt: skip
    wide = torch.complex128 if dtype.is_complex else torch.float64
    assert not (decoy.to(wide) == x.to(wide)).any()


def test_signs_zeros_and_infinities_stay_as_many_as_they_were() -> None:
    x = torch.tensor([0.0, 0.0, -1.0, 2.0, 3.0, float("inf"), float("-inf"), float("nan")])
    decoy = Decoys(1).of(x)
    for count in (lambda t: t == 0, lambda t: t < 0, lambda t: t > 0, torch.isinf, torch.isnan):
        assert int(count(decoy).sum()) == int(count(x).sum())
    assert decoy[decoy.isfinite()].abs().max() <= 3.0


@pytest.mark.parametrize("dtype", [torch.int8, torch.uint8, torch.int16])
def test_small_integers_are_drawn_from_their_range(dtype: torch.dtype) -> None:
    x = torch.arange(3, 100).to(dtype)
    decoy = Decoys(1).of(x)
    assert decoy.dtype == dtype and not torch.equal(decoy, x)
    assert int(decoy.min()) >= 3 and int(decoy.max()) <= 99


@pytest.mark.parametrize("value", [3, 0.7, "sm_90", None, torch.arange(5), torch.tensor([True, False]), torch.float16])
def test_what_may_be_a_position_or_a_size_stays(value) -> None:
    assert Decoys(1).of(value) is value


def test_what_shares_memory_goes_on_sharing_it() -> None:
    x = torch.randn(4, 3)
    whole, tail, alone = Decoys(1).of((x, x[2:], torch.randn(3)))
    tail.fill_(7.0)
    assert (whole[2:] == 7.0).all() and not (alone == 7.0).any()
    assert not (x == 7.0).any()


def test_an_expanded_tensor_stays_one() -> None:
    decoy = Decoys(1).of({"x": [torch.randn(3, 1).expand(3, 5)]})["x"][0]
    assert decoy.stride() == (1, 0)


def test_a_tensor_that_asks_for_a_gradient_still_does() -> None:
    x = torch.randn(3, requires_grad=True)
    x.grad = torch.ones(3)
    decoy = Decoys(1).of(x)
    assert decoy.requires_grad and decoy.is_leaf and torch.equal(decoy.grad, x.grad)


@pytest.mark.parametrize("shape", [(0,), (0, 3), ()])
def test_a_tensor_of_any_size_has_a_decoy(shape: tuple) -> None:
    assert Decoys(1).of(torch.ones(shape)).shape == shape


def test_the_same_secret_gives_the_same_decoys_and_another_gives_others() -> None:
    x = torch.randn(9)
    one, same, other = (Decoys(seed).of(x) for seed in (1, 1, 2))
    assert torch.equal(one, same) and not torch.equal(one, other)


COUNTER = """
class Counter:
    def __init__(self):
        self.sum, self.calls = torch.zeros(4), 0

    def add(self, x):
        self.sum, self.calls = self.sum + x, self.calls + 1
        return self.sum

    def total(self):
        return self.sum
"""
COUNTER_TEST = """
counter, x, y = Counter(), check.rng.normal(4), check.rng.normal(4)
check.close(check.cost(counter.add, x, allocated=16), x)
check.close(check.cost(counter.add, y, allocated=16), x + y)
check.close(counter.total(), x + y)
check.equal(counter.calls, 2)
"""


def test_an_observed_method_leaves_its_object_as_the_tests_own_arguments_do(hear, lab_of) -> None:
    assert hear(lab_of(COUNTER, COUNTER_TEST), {}).outcomes["test_answer"].message == ""


def test_an_observed_method_that_ends_its_process_is_a_test_that_is_not_reached(hear, lab_of) -> None:
    ending = COUNTER.replace("self.calls + 1\n", "self.calls + 1\n        import os\n        os._exit(3)\n")
    assert hear(lab_of(COUNTER, COUNTER_TEST), {"answer": ending}).outcomes["test_answer"].status == "not reached"
