"""A log runs again to the same result at the same cost, and only as far as it is honest."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import nn
from torch.utils._pytree import tree_leaves

from lablib import check, device
from lablib.check.log import Log, Operation, Run, View, allocated_bytes, flops, peak_bytes
from lablib.check.observe import observe, recorded
from lablib.check.rerun import LogError, Rerun
from lablib.kernels.matmul import matmul
from lablib.kernels.softmax import softmax


def mixed(x, w, scale):
    y = nn.functional.linear(x, w).relu()
    first, second = torch.split(softmax(y * scale), 2)
    return {"first": first, "both": (second.T, x[1:]), "count": int((y > 0).sum())}


def trained(x, w):
    w = w.clone().requires_grad_()
    optimiser = torch.optim.SGD([w], 0.1)
    for _ in range(3):
        loss = (x @ w.T).square().mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    return w.detach()


def attended(q, k, v):
    return nn.functional.scaled_dot_product_attention(q, k, v, is_causal=True)


def convolved(x, w):
    return nn.functional.conv2d(x, w).flatten(1).cumsum(-1)


def product(a, b):
    return matmul(a.half(), b.half())


def table(x, rows):
    x = x.clone()
    x[rows] = 0.0
    return x, x.tolist()


def normal(*shape: int) -> torch.Tensor:
    return check.rng.normal(*shape)


CASES = [
    (mixed, (normal(4, 6), normal(8, 6), 2.0)),
    (trained, (normal(4, 6), normal(8, 6))),
    (attended, (normal(1, 2, 5, 8), normal(1, 2, 5, 8), normal(1, 2, 5, 8))),
    (convolved, (normal(2, 3, 8, 8), normal(4, 3, 3, 3))),
    (product, (normal(16, 32), normal(32, 16))),
    (table, (normal(5, 3), torch.tensor([1, 3]))),
]


@pytest.mark.parametrize(("function", "args"), CASES, ids=[function.__name__ for function, _ in CASES])
def test_a_log_gives_the_same_result_at_the_same_cost(function, args) -> None:
    once = observe(function, *args)
    again = observe(Rerun(recorded(function, args, {})), *args)
    for one, other in zip(leaves(once.value), leaves(again.value), strict=True):
        assert torch.equal(one, other) if isinstance(one, torch.Tensor) else one == other
    counts = ("flops", "allocated_bytes", "peak_bytes", "outside_bytes", "dtypes")
    for name in ("torch_ops", "changed_inputs", "unearned", *counts):
        assert getattr(once, name) == getattr(again, name), name
    assert once.trace.loaded_bytes == again.trace.loaded_bytes
    assert once.trace.stored_bytes == again.trace.stored_bytes


def leaves(tree):
    return tree_leaves(tree)


def test_a_log_computes_on_the_inputs_that_it_is_given() -> None:
    x, w = normal(4, 6), normal(8, 6)
    again = Rerun(recorded(nn.functional.linear, (x, w), {}))
    check.close(again(2 * x, w), 2 * x @ w.T)


def test_a_view_of_an_argument_stays_one() -> None:
    x = normal(4, 6)
    seen = observe(Rerun(recorded(lambda x: x.T[1:], (x,), {})), x)
    assert seen.value.data_ptr() == x.data_ptr() + 4
    assert (seen.allocated_bytes, seen.torch_ops) == (0, [])


def test_memory_is_counted_from_first_to_last_use() -> None:
    def chain(x):
        y = x + 1  # 40 bytes, needed by z
        z = y * 2
        del y
        return z.exp() + x  # exp: 40 more, while z is still an operand

    log = recorded(chain, (torch.zeros(10),), {})
    assert (allocated_bytes(log), peak_bytes(log), flops(log)) == (160, 80, 0)


def test_dtypes_and_memory_from_elsewhere_are_seen() -> None:
    x = torch.arange(6, dtype=torch.int8)
    seen = observe(lambda x: x.to(torch.int32) << 2, x)
    assert (seen.dtypes, seen.outside_bytes) == (["int32", "int8"], 0)
    assert observe(lambda x: (x * 0.5).to(torch.int8), x).dtypes == ["float32", "int8"]
    by_numpy = observe(lambda x: torch.from_numpy((x.numpy() * 0.5).astype("int8")), x)
    assert (by_numpy.dtypes, by_numpy.outside_bytes) == ([], 6)


def edited(log: Log, **changes) -> Log:
    events = [replace(event, **changes) if isinstance(event, Operation) else event for event in log.events]
    return Log(log.storages, events, log.value)


def test_a_log_with_a_foreign_operation_is_refused() -> None:
    log = recorded(torch.add, (torch.ones(2), 1), {})
    for name in (
        "profiler.x.default",
        "aten.from_file.default",
        "aten.add.no_such",
        "aten.__class__.default",
        "add",
        "",
    ):
        with pytest.raises(LogError):
            Rerun(edited(log, name=name))(torch.ones(2), 1)


BEYOND = [
    View(0, torch.float32, (3,), (1,), 0),
    View(0, torch.float32, (2,), (1,), 1),
    View(0, torch.float64, (2,), (1,), 0),
    View(0, torch.float32, (2,), (1,), -1),
    View(0, torch.float32, (2,), (-1,), 1),
    View(9, torch.float32, (2,), (1,), 0),
    View(1, torch.float32, (2,), (1,), 0),
]


@pytest.mark.parametrize("view", BEYOND)
def test_a_view_that_leaves_its_memory_is_refused(view: View) -> None:
    log = recorded(torch.add, (torch.ones(2), 1), {})
    with pytest.raises(LogError):
        Rerun(edited(log, args=(view, 1)))(torch.ones(2), 1)


def test_a_kernel_that_is_no_kernel_is_not_run() -> None:
    x = torch.ones(2, 4, device=device.DEVICE)
    log = recorded(softmax, (x,), {})
    events = [
        replace(event, source="import os\n" + event.source) if isinstance(event, Run) else event for event in log.events
    ]
    with pytest.raises(LogError, match="import os, which no GPU has"):
        Rerun(Log(log.storages, events, log.value))(x)


def test_data_from_outside_is_not_a_kernels_work() -> None:
    def smuggled(x):
        return softmax(torch.tensor(x.cpu().numpy() * 2, device=x.device))

    x = normal(3, 4)
    seen = observe(Rerun(recorded(smuggled, (x,), {})), x)
    assert "neither an argument of the function nor written by a kernel" in seen.unearned[0]
