"""Matrix products of a mixture of experts."""

from __future__ import annotations

import torch

from lablib import device
from lablib.check.random import Rng
from lablib.gpu.cost import Cost
from lablib.kernels.matmul_experts import matmul_experts, matmul_experts_cost, matmul_experts_reference

from ..case import Build, Case, Refused

BLOCK = 32  # of the interpreter, along all axes


def _ends(*values: int) -> torch.Tensor:
    return torch.tensor(values, dtype=torch.int32, device=device.DEVICE)


def _arguments(ends: tuple[int, ...], N: int, K: int, k_last: bool):
    def draw(rng: Rng, dtype: torch.dtype) -> tuple:
        E = len(ends)
        weight = rng.normal(E, N, K, dtype=dtype).transpose(1, 2) if k_last else rng.normal(E, K, N, dtype=dtype)
        return rng.normal(ends[-1], K + 8, dtype=dtype)[:, :K], weight, _ends(*ends)

    return draw


CASES = [
    Case(
        f"experts with ends {ends}, {'K' if k_last else 'N'} contiguous",
        matmul_experts,
        matmul_experts_reference,
        _arguments(ends, N, K, k_last),
        gradients=(0, 1),
    )
    for ends, N, K, k_last in [((3, 3, 36, 70), 40, 48, False), ((0, 33), 16, 40, True), ((0, 1, 1), 16, 16, True)]
]


def _cost(x: torch.Tensor, weight: torch.Tensor, ends: torch.Tensor) -> Cost:
    """One program reads ends twice, less the first; tiles are whole."""
    E, K, N = weight.shape
    least = matmul_experts_cost(len(x), N, K, E, x.element_size())
    return Cost(least.flops, least.bytes + PROGRAMS * 4 * (2 * E - 1))


PROGRAMS = 2  # of the interpreter

CASES.append(
    Case(
        "experts of whole tiles",
        matmul_experts,
        matmul_experts_reference,
        _arguments((32, 64), 32, 64, False),
        cost=_cost,
        sectors=False,
    )
)


def _zeros(*shape: int) -> torch.Tensor:
    return torch.zeros(shape, device=device.DEVICE)


REFUSED = [
    Refused(matmul_experts, lambda: (_zeros(2, 8), _zeros(1, 16, 8), _ends(2)), r"it got x torch.float32 \(2, 8\)"),
    Refused(matmul_experts, lambda: (_zeros(2, 6), _zeros(1, 6, 8), _ends(2)), "begin at multiples of 16 bytes"),
    Refused(matmul_experts, lambda: (_zeros(2, 8), _zeros(1, 8, 8), _ends(2).long()), "ends torch.int64"),
]

BUILDS = [
    Build(
        "experts, 64 of 2048 × 2048",
        lambda: matmul_experts(
            torch.empty(65536, 2048, dtype=torch.float16, device="meta"),
            torch.empty(64, 2048, 2048, dtype=torch.float16, device="meta"),
            torch.empty(64, dtype=torch.int32, device="meta"),
        ),
        "_matmul_experts_kernel",
        instructions={"sm_90": "HGMMA", "sm_100": "UTCHMMA"},
        targets=("sm_90", "sm_100"),
    )
]
