"""SwiGLU of two matrices, forward and backward."""

from __future__ import annotations

import torch
import torch.nn.functional as F

from lablib import device
from lablib.check.random import Rng
from lablib.gpu.cost import Cost
from lablib.kernels.swiglu import swiglu, swiglu_cost, swiglu_reference

from ..case import Build, Case, Refused


def _usual(gate: torch.Tensor, up: torch.Tensor) -> torch.Tensor:
    return F.silu(gate) * up


def _cost(gate: torch.Tensor, up: torch.Tensor) -> Cost:
    return swiglu_cost(*gate.shape, gate.element_size())


def _extremes(rng: Rng, dtype: torch.dtype) -> tuple:
    gate = torch.tensor([[-85.0, -20.0, -5.0, -1e-3, 0.0, 1e-3, 20.0, 1e4]], device=device.DEVICE)
    return gate.to(dtype), rng.normal(1, 8, dtype=dtype)


CASES = [
    Case(
        "swiglu of the halves of one matrix",
        swiglu,
        swiglu_reference,
        lambda rng, dtype: rng.normal(3, 2 * 1234, dtype=dtype).split(1234, dim=1),
        usual=_usual,
        gradients=(0, 1),
        cost=_cost,
    ),
    Case(
        "swiglu of several blocks a row, whole sectors",
        swiglu,
        swiglu_reference,
        lambda rng, dtype: tuple(rng.normal(2, 2, 4160, dtype=dtype)),
        usual=_usual,
        gradients=(0, 1),
        cost=_cost,
        sectors=True,
    ),
    Case(
        "swiglu summed over its rows: a gradient of stride 0",
        lambda gate, up: swiglu(gate, up).sum(dim=1),
        lambda gate, up: swiglu_reference(gate, up).sum(dim=1),
        lambda rng, dtype: tuple(rng.normal(2, 5, 70, dtype=dtype)),
        dtypes=(torch.float32,),
        gradients=(0, 1),
    ),
    Case("swiglu of extreme gates", swiglu, swiglu_reference, _extremes, usual=_usual, gradients=(0, 1)),
]


def _zeros(*shape: int) -> torch.Tensor:
    return torch.zeros(shape, device=device.DEVICE)


REFUSED = [
    Refused(swiglu, lambda: (_zeros(4, 6), _zeros(4, 5)), r"got torch.float32 \(4, 6\) .* torch.float32 \(4, 5\)"),
    Refused(swiglu, lambda: (_zeros(4, 6).T, _zeros(6, 4)), r"unit stride .* strides \(1, 6\)"),
]


def _meta() -> torch.Tensor:
    return torch.empty(16384, 8192, dtype=torch.bfloat16, device="meta", requires_grad=True)


def _backward() -> None:
    swiglu(_meta(), _meta()).backward(_meta())


BUILDS = [
    Build(f"swiglu of rows of 8192, {kernel}", _backward, kernel)
    for kernel in ("_swiglu_kernel", "_swiglu_backward_kernel")
]
