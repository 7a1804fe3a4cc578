"""One step of AdamW."""

from __future__ import annotations

from typing import Any

import torch

from lablib import device
from lablib.check.random import Rng
from lablib.gpu.cost import Cost
from lablib.kernels.adamw import adamw, adamw_cost, adamw_reference

from ..case import Build, Case, Refused

OPTIONS = {"step": 3, "learning_rate": 0.1, "weight_decay": 0.1}


def _step(p: Any, g: Any, m: Any, v: Any, **options: Any) -> tuple:
    """What the kernel leaves behind."""
    adamw(p, g, m, v, **options)
    return p, m, v


def _steps(*lists: list[torch.Tensor], **options: Any) -> tuple:
    """The reference of many tensors: one after the other."""
    return tuple(map(list, zip(*(adamw_reference(*one, **options) for one in zip(*lists, strict=True)), strict=True)))


def _tensors(rng: Rng, dtype: torch.dtype, *shape: int) -> tuple[torch.Tensor, ...]:
    p, g = rng.normal(*shape, dtype=dtype), rng.normal(*shape, dtype=dtype)
    return p, g, 0.1 * rng.normal(*shape), rng.normal(*shape).square()


def _list(rng: Rng, dtype: torch.dtype) -> tuple:
    """Tensors of less than a block, of whole chunks, and of chunks with a rest."""
    return tuple(map(list, zip(*(_tensors(rng, dtype, *shape) for shape in SHAPES), strict=True)))


SHAPES = [(1,), (3, 5), (16384,), (20001,)]


def _tiny(rng: Rng, dtype: torch.dtype) -> tuple:
    """The first step from moments of zero: every element moves by the learning rate, however small its gradient."""
    p, g, m, v = _tensors(rng, dtype, 200)
    return p, g * 1e-3, m * 0, v * 0


def _cost(p: torch.Tensor, *_: Any, **options: Any) -> Cost:
    return adamw_cost(p.numel(), p.element_size())


def _one(name: str, arguments: Any, **more: Any) -> Case:
    return Case(f"adamw {name}", _step, adamw_reference, arguments, changed=(0, 2, 3), **more)


CASES = [
    _one("of one element", lambda rng, dtype: _tensors(rng, dtype, 1), keywords=OPTIONS, cost=_cost),
    _one("of odd shape", lambda rng, dtype: _tensors(rng, dtype, 3, 1023), keywords=OPTIONS, cost=_cost),
    _one(
        "of whole sectors",
        lambda rng, dtype: _tensors(rng, dtype, 4096),
        keywords={"step": 1000},
        cost=_cost,
        sectors=True,
    ),
    _one("in its first step", _tiny, keywords={"step": 1, "weight_decay": 0.0, "betas": (0.5, 0.99)}),
    Case("adamw of many tensors", _step, _steps, _list, keywords=OPTIONS, changed=(0, 2, 3)),
]


def _zeros(*shape: int, dtype: torch.dtype = torch.float32) -> torch.Tensor:
    return torch.zeros(shape, dtype=dtype, device=device.DEVICE)


STEP = {"step": 1}
REFUSED = [
    Refused(adamw, lambda: ([_zeros(2)], [], [_zeros(2)], [_zeros(2)]), r"it got \[1, 0, 1, 1\]", STEP),
    Refused(adamw, lambda: ([], [], [], []), "at least one", STEP),
    Refused(
        adamw,
        lambda: (_zeros(2), _zeros(3), _zeros(2), _zeros(2)),
        r"it got torch.float32 \(2,\), torch.float32 \(3,\)",
        STEP,
    ),
    Refused(
        adamw, lambda: (_zeros(2), *(_zeros(2, dtype=torch.float16) for _ in range(3))), "moments in float32", STEP
    ),
    Refused(adamw, lambda: [_zeros(2).double() for _ in range(4)], "it got torch.float64", STEP),
    Refused(adamw, lambda: [_zeros(3, 2).T for _ in range(4)], "contiguous tensors; it got strides", STEP),
    Refused(adamw, lambda: [[_zeros(8)[1:]] for _ in range(4)], "multiples of 16 bytes", STEP),
    Refused(adamw, lambda: [_zeros(2) for _ in range(4)], "it got step 0", {"step": 0}),
]

BUILDS = [
    Build("adamw of 2^28", lambda: adamw(*torch.empty(4, 2**28, device="meta"), step=1), "_adamw_kernel"),
    Build(
        "adamw of many",
        lambda: adamw(*([one] for one in torch.empty(4, 2**28, device="meta")), step=1),
        "_adamw_many_kernel",
    ),
]
