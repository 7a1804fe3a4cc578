"""Two logs agree when they say the same up to a few numbers."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace

import pytest
import torch

from autograder.judge.agreement import FEW, agree, differing_numbers
from lablib.check.log import Log, Operation, Storage, View
from lablib.check.observe import recorded

X, Y = torch.arange(12.0), torch.arange(12.0) ** 2 + 3


def logs(function: Callable[[torch.Tensor], object]) -> tuple[Log, Log]:
    return recorded(function, (X.clone(),), {}), recorded(function, (Y.clone(),), {})


SAME = {
    "operations": lambda x: (x - x.mean()).exp(),
    "views": lambda x: x.view(3, 4).T[1:],
    "a number of its own": lambda x: x * 2.5,
    "memory of its own": lambda x: x + torch.tensor([1.0]),
}


@pytest.mark.parametrize("name", SAME)
def test_what_does_not_depend_on_numbers_is_the_same(name: str) -> None:
    assert differing_numbers(*logs(SAME[name])) == 0


@pytest.mark.parametrize(
    ("function", "count"),
    [
        (lambda x: x / x.max().item(), 1),
        (lambda x: x.clamp(x.min().item(), x.max().item()), 2),
        (lambda x: float(x.sum()), 1),
        (lambda x: x * torch.tensor([float(x.max())], dtype=torch.float64), 1),
        (lambda x: x * torch.tensor(x.tolist()), 6),
    ],
)
def test_numbers_that_were_read_out_are_counted(function: Callable, count: int) -> None:
    assert differing_numbers(*logs(function)) == count


DIFFERENT = {
    "another operation": lambda x: x.exp() if x[0] else x.sin(),
    "an operation more": lambda x: x.exp().exp() if x[0] else x.exp(),
    "another shape": lambda x: x[x > 5] * 2,
    "another type of number": lambda x: x + (1 if x[0] else 1.0),
    "a result of another form": lambda x: (x * 2, 1) if x[0] else [x * 2, 1],
}


@pytest.mark.parametrize("name", DIFFERENT)
def test_logs_of_different_work_do_not_agree(name: str) -> None:
    assert differing_numbers(*logs(DIFFERENT[name])) == math.inf


def test_a_result_among_the_numbers_is_too_much() -> None:
    def many(x: torch.Tensor) -> torch.Tensor:
        return torch.stack([torch.full((), value) for value in x.tolist()])

    assert differing_numbers(*logs(many)) == 12 > FEW
    assert not agree(*logs(many))


def test_a_result_in_the_digits_of_a_number_is_counted_by_its_length() -> None:
    log = Log([], [Operation("aten.full.default", ((), 1 << 640), {}, View(0, torch.int64, (), (), 0))])
    other = Log([], [replace(log.events[0], args=((), 1))])
    assert differing_numbers(log, other) == 11


def test_a_not_a_number_is_the_same_number() -> None:
    log = Log([Storage(8, "outside", torch.zeros(8, dtype=torch.uint8))], [], float("nan"))
    assert agree(log, Log(log.storages, [], float("nan")))
