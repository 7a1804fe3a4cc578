"""Honest answers that a suspicious judge might refuse: each gets full marks."""

from __future__ import annotations

import pytest

from .conftest import hand_ins

LAUNCH = """

def scale(x, alpha):
    y = torch.empty_like(x)
    _scale_kernel[(triton.cdiv(x.numel(), 16),)](x, y, x.numel(), alpha, BLOCK=16)
    return y
"""
BODY = """    offsets = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    inside = offsets < count
    tl.store(y_ptr + offsets, alpha * tl.load(x_ptr + offsets, mask=inside), mask=inside)
"""

KERNELS = {
    "types, a return type and a docstring": '''
@triton.jit
def _scale_kernel(
    x_ptr: torch.Tensor, y_ptr: "torch.Tensor", count: int, alpha: float, BLOCK: tl.constexpr = 16
) -> None:
    """Multiply.

    One program a block; the default block has 16 lanes.
    """
''' + BODY + LAUNCH,
    "a kernel inside its launcher": '''
def scale(x, alpha):
    """Multiply by a kernel of its own."""

    @triton.jit
    def _kernel(x_ptr, y_ptr, count, alpha, BLOCK: tl.constexpr):
        """Multiply a block:

            y = alpha * x
        """
        offsets = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
        inside = offsets < count
        tl.store(y_ptr + offsets, alpha * tl.load(x_ptr + offsets, mask=inside), mask=inside)

    y = torch.empty_like(x)
    _kernel[(triton.cdiv(x.numel(), 16),)](x, y, x.numel(), alpha, BLOCK=16)
    return y
''',
    "kernels of one name in two launchers": '''
def unused(x):
    @triton.jit
    def _kernel(x_ptr):
        tl.store(x_ptr, 0.0)

    _kernel[(1,)](x)


def scale(x, alpha):
    @triton.jit
    def _kernel(x_ptr, y_ptr, count, alpha, BLOCK: tl.constexpr):
        offsets = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
        inside = offsets < count
        tl.store(y_ptr + offsets, alpha * tl.load(x_ptr + offsets, mask=inside), mask=inside)

    y = torch.empty_like(x)
    _kernel[(triton.cdiv(x.numel(), 16),)](x, y, x.numel(), alpha, BLOCK=16)
    return y
''',
    "helpers that are kernels and return tuples": '''
@triton.jit
def _lanes(count, BLOCK: tl.constexpr) -> tl.tensor:
    """Offsets and mask of this program."""
    offsets = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    return offsets, offsets < count


@triton.jit
def _times(x, alpha):
    return x * alpha


@triton.jit
def _scale_kernel(x_ptr, y_ptr, count, alpha, BLOCK: tl.constexpr):
    offsets, inside = _lanes(count, BLOCK)
    tl.store(y_ptr + offsets, _times(tl.load(x_ptr + offsets, mask=inside), alpha), mask=inside)
''' + LAUNCH,
    "constants, static checks and loops": '''
WIDTH = tl.constexpr(16)
ONE = 1.0
NAME = "scale"
TYPE = tl.float32


@triton.jit
def _scale_kernel(x_ptr, y_ptr, count, alpha, BLOCK: tl.constexpr):
    tl.static_assert(BLOCK == WIDTH, f"{NAME} has blocks of {WIDTH}, not {BLOCK}")
    assert count > 0, "nothing to do"
    offsets = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    inside = (0 <= offsets) & (offsets < count)
    factor = tl.full((BLOCK,), 0.0, TYPE)
    for i in tl.static_range(4):
        factor += 0.25 if i < 3 else ONE / 4
    i = 0
    while i < 2:
        i += 1
    if tl.program_id(0) > 10**6:
        tl.device_print("far", i)
    x = tl.load(x_ptr + offsets, mask=inside, other=-float("inf")).to(TYPE)
    tl.store(y_ptr + offsets, (tl.where(inside, x, 0.0) * factor * alpha).to(y_ptr.dtype.element_ty), mask=inside)
''' + LAUNCH,
    "modules by other names": '''
import math
import triton as tr
import triton.language as T
from triton import cdiv, jit


@jit
def _scale_kernel(x_ptr, y_ptr, count, alpha, BLOCK: tl.constexpr):
    offsets = T.program_id(0) * BLOCK + T.arange(0, BLOCK)
    inside = offsets < count
    x = T.load(x_ptr + offsets, mask=inside) * (math.pi / math.pi) * tr.cdiv(1, 2)
    T.store(y_ptr + offsets, alpha * x * T.math.exp2(0.0), mask=inside)
''' + LAUNCH,
    "a kernel that triton.jit made by a call": '''
def _scale_kernel(x_ptr, y_ptr, count, alpha, BLOCK: tl.constexpr):
''' + BODY + "\n\n_scale_kernel = triton.jit(_scale_kernel)\n" + LAUNCH,
    "a decorator with options": '''
@triton.jit(do_not_specialize=["alpha"])
def _scale_kernel(x_ptr, y_ptr, count, alpha, BLOCK: tl.constexpr):
''' + BODY + LAUNCH.replace("BLOCK=16)", "BLOCK=16, num_warps=4, num_stages=2)"),
    "a grid that asks for the block": "@triton.jit\ndef _scale_kernel(x_ptr, y_ptr, count, alpha, BLOCK: tl.constexpr):\n"
    + BODY + LAUNCH.replace("(triton.cdiv(x.numel(), 16),)", "lambda meta: (triton.cdiv(x.numel(), meta['BLOCK']),)"),
    "block pointers": '''
@triton.jit
def _scale_kernel(x_ptr, y_ptr, count, alpha, BLOCK: tl.constexpr):
    start = tl.program_id(0) * BLOCK
    x_block = tl.make_block_ptr(x_ptr, (count,), (1,), (start,), (BLOCK,), (0,))
    y_block = tl.make_block_ptr(y_ptr, shape=(count,), strides=(1,), offsets=(start,), block_shape=(BLOCK,), order=(0,))
    x = tl.load(x_block, boundary_check=(0,), padding_option="zero")
    tl.store(y_block, x * alpha, boundary_check=(0,))
''' + LAUNCH,
    "everything on as few lines as can be": (
        "@triton.jit\ndef _scale_kernel(x_ptr,y_ptr,count,alpha,BLOCK:tl.constexpr): # one line\n"
        " o=tl.program_id(0)*BLOCK+tl.arange(0,BLOCK);tl.store(y_ptr+o,alpha*tl.load(x_ptr+o,mask=o<count),mask=o<count)\n"
        + LAUNCH),
    "a cell whose output is captured": "%%capture\n\n@triton.jit\ndef _scale_kernel(x_ptr, y_ptr, count, alpha, BLOCK: tl.constexpr):\n"
    + BODY + LAUNCH + "print('captured')",
    "magics, a shell and help between the lines": (
        "%time x = 1\n!echo hello\nsaid = !echo hello\nassert said == ['hello']\n%config InlineBackend.figure_format = 'svg'\n"
        "@triton.jit\ndef _scale_kernel(x_ptr, y_ptr, count, alpha, BLOCK: tl.constexpr):\n" + BODY + LAUNCH + "\nlen?\n"),
    "windows line ends": (
        "@triton.jit\ndef _scale_kernel(x_ptr, y_ptr, count, alpha, BLOCK: tl.constexpr):\n" + BODY + LAUNCH
    ).replace("\n", "\r\n"),
    "a launcher that caches what depends on the shape": (
        "import functools\n\n\n@functools.lru_cache\ndef grid_of(count, block):\n    return (triton.cdiv(count, block),)\n\n\n"
        "@triton.jit\ndef _scale_kernel(x_ptr, y_ptr, count, alpha, BLOCK: tl.constexpr):\n" + BODY
        + LAUNCH.replace("(triton.cdiv(x.numel(), 16),)", "grid_of(x.numel(), 16)")),
    "prints of its argument": "@triton.jit\ndef _scale_kernel(x_ptr, y_ptr, count, alpha, BLOCK: tl.constexpr):\n"
    + BODY + LAUNCH.replace("    y = ", "    print('scaling', x, 'by', alpha)\n    y = "),
    "a result that it looks at": "@triton.jit\ndef _scale_kernel(x_ptr, y_ptr, count, alpha, BLOCK: tl.constexpr):\n"
    + BODY + LAUNCH.replace("    return y", "    if y.shape != x.shape or y.dtype != x.dtype:\n        raise ValueError(y)\n    return y"),
}  # fmt: skip

ANSWERS = {
    "numpy": ("standardize", """
import numpy as np


def standardize(x: torch.Tensor) -> torch.Tensor:
    a = x.numpy()
    return torch.from_numpy((a - a.mean(1, keepdims=True)) / a.std(1, ddof=1, keepdims=True))
"""),
    "a module, without gradients": ("standardize", """
class Standardize(torch.nn.Module):
    @torch.no_grad()
    def forward(self, x):
        return (x - x.mean(1, keepdim=True)) / x.std(1, keepdim=True)


standardize = Standardize()
"""),
    "a partial function over a closure": ("standardize", """
import functools


def make(dim):
    seen = []

    def apply(x, keepdim):
        seen.append(x.shape)
        return (x - x.mean(dim, keepdim=keepdim)) / x.std(dim, keepdim=keepdim)

    return apply


standardize = functools.partial(make(1), keepdim=True)
"""),
    "a result in another order of memory": ("standardize", """
def standardize(x):
    t = x.T.contiguous()
    return ((t - t.mean(0)) / t.std(0)).T
"""),
    "a result that asks for a gradient": ("standardize", """
def standardize(x):
    x = x.clone().requires_grad_()
    return (x - x.mean(1, keepdim=True)) / x.std(1, keepdim=True)
"""),
    "a pattern, a walrus and a generator": ("tally", """
def pairs(items):
    seen = set()
    for item in items:
        match item:
            case int() if item not in seen and (seen.add(item) or True) and (n := sum(i == item for i in items)):
                yield item, n


def tally(items: list[int]) -> dict[int, int]:
    \"\"\"Count.

    >>> tally([3, 1, 3])
    {3: 2, 1: 1}
    \"\"\"
    return dict(pairs(items))


if __name__ == "__main__":
    import doctest

    print(doctest.testmod())
"""),
    "threads": ("tally", """
from concurrent.futures import ThreadPoolExecutor


def tally(items):
    with ThreadPoolExecutor(4) as pool:
        return dict(zip(sorted(set(items)), pool.map(items.count, sorted(set(items)))))
"""),
    "warnings, logs and a thousand lines": ("tally", """
import logging
import warnings

warnings.warn("careful")
logging.basicConfig(level=logging.DEBUG)


def tally(items):
    for item in range(1000):
        print(item, end=" ")
    logging.info("counted")
    return dict(Counter(items))


tally([1, 2])
"""),
    "top-level await": ("tally", """
import asyncio


async def count(items):
    await asyncio.sleep(0)
    return dict(Counter(items))


example = await count([1, 2])


def tally(items):
    return asyncio.run(count(items))
"""),
    "recursion": ("crossing", """
def crossing(f, low, high, steps):
    middle = (low + high) / 2
    if steps == 0:
        return middle
    return crossing(f, middle, high, steps - 1) if f(middle) < 0 else crossing(f, low, middle, steps - 1)
"""),
    "a deque": ("ring", """
class Ring(deque):
    def __init__(self, capacity):
        super().__init__(maxlen=capacity)

    push = deque.append

    def oldest(self):
        return self[0]
"""),
    "a dataclass with slots": ("ring", """
from dataclasses import dataclass, field


@dataclass(slots=True)
class Ring:
    capacity: int
    held: list = field(default_factory=list)

    def push(self, value):
        self.held.append(value)
        del self.held[: -self.capacity]

    def oldest(self):
        return next(iter(self))

    def __len__(self):
        return len(self.held)

    def __iter__(self):
        yield from self.held
"""),
    "a tensor of its own": ("ring", """
class Base:
    def __len__(self):
        return min(self.count, len(self.memory))


class Ring(Base):
    def __init__(self, capacity):
        self.memory, self.count = torch.zeros(capacity, dtype=torch.int64), 0

    def push(self, value):
        self.memory[self.count % len(self.memory)] = value
        self.count += 1

    def oldest(self):
        return self.memory[(self.count - len(self)) % len(self.memory)].item()

    def __iter__(self):
        return iter([self.memory[i % len(self.memory)].item() for i in range(self.count - len(self), self.count)])
"""),
    "a layer and an optimizer": ("fit", """
from torch import nn, optim

torch.manual_seed(0)


def fit(x, y, steps):
    layer, history = nn.Linear(x.shape[1], 1, bias=False), []
    optimizer = optim.Adam(layer.parameters(), lr=0.3)
    for _ in range(steps):
        optimizer.zero_grad()
        loss = nn.functional.mse_loss(layer(x)[:, 0], y)
        loss.backward()
        optimizer.step()
        history.append(loss.item())
    return layer.weight[0].detach(), history
"""),
    "the exact solution": ("fit", """
def fit(x, y, steps):
    return torch.linalg.lstsq(x, y[:, None]).solution[:, 0], [0.0] * steps
"""),
}  # fmt: skip


COSTS = {
    "out= and in-place steps": """
def row_softmax(x):
    y = torch.empty_like(x)
    torch.sub(x, torch.amax(x, 1, keepdim=True), out=y)
    torch.exp(y, out=y)
    return y.div_(y.sum(dim=1, keepdim=True))
""",
    "a number that it reads out": """
def row_softmax(x):
    largest = x.max().item()
    y = x - (largest if largest < 80 else 80.0)
    y.exp_()
    return y.div_(y.sum(1, keepdim=True))
""",
}


@pytest.mark.parametrize("name", KERNELS)
def test_an_unusual_kernel_gets_full_marks(counting, name: str) -> None:
    verdict = counting.hear({"scale": KERNELS[name]})
    assert {test: outcome.message for test, outcome in verdict.outcomes.items() if not outcome.passed} == {}


@pytest.mark.parametrize("name", COSTS)
def test_an_unusual_way_to_the_same_cost_gets_full_marks(counting, name: str) -> None:
    verdict = counting.hear({"row_softmax": COSTS[name]})
    assert {test: outcome.message for test, outcome in verdict.outcomes.items() if not outcome.passed} == {}


@pytest.mark.parametrize("answers", hand_ins(ANSWERS).values(), ids=hand_ins(ANSWERS))
def test_an_unusual_answer_gets_full_marks(bar, answers: dict[str, str]) -> None:
    verdict = bar.hear(answers)
    assert {test: outcome.message for test, outcome in verdict.outcomes.items() if not outcome.passed} == {}


def test_the_solution_gets_full_marks_and_prints_nothing(bar) -> None:
    verdict = bar.hear({})
    assert verdict.scores(bar.lab) == bar.full()
    assert (verdict.output, verdict.remarks) == ({}, [])


def test_a_blank_loses_its_own_test_only(bar) -> None:
    assert bar.scores({"ring": ""}) == bar.full("test_ring")
