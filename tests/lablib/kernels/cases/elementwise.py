"""Element by element."""

from __future__ import annotations

import torch

from lablib import device
from lablib.kernels.elementwise import add, add_cost, add_reference

from ..case import Build, Case, Refused

CASES = [
    Case(
        f"add of {' × '.join(map(str, shape))}",
        add,
        add_reference,
        lambda rng, dtype, shape=shape: (rng.normal(*shape, dtype=dtype), rng.normal(*shape, dtype=dtype)),
        cost=lambda x, y: add_cost(x.numel(), x.element_size()),
    )
    for shape in [(1,), (1023,), (5, 123), (3, 4, 7)]
]


def _zeros(*shape: int) -> torch.Tensor:
    return torch.zeros(shape, device=device.DEVICE)


REFUSED = [
    Refused(add, lambda: (_zeros(3), _zeros(4)), r"one shape and dtype; it got torch.float32 \(3,\)"),
    Refused(add, lambda: (_zeros(4, 6).T, _zeros(4, 6).T), "strides"),
]
if device.INTERPRETED:
    REFUSED.append(
        Refused(add, lambda: (_zeros(2).bfloat16(), _zeros(2).bfloat16()), "cannot compute in bfloat16 without a GPU")
    )

BUILDS = [Build("add of 2^24", lambda: add(*torch.empty(2, 2**24, device="meta")), "_add_kernel")]
