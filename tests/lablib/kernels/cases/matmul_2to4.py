"""Matrix product with weights of which two in four are zero."""

from __future__ import annotations

import torch

from lablib import device
from lablib.check.random import Rng
from lablib.gpu.cost import Cost
from lablib.kernels.matmul_2to4 import (
    compress_2to4,
    matmul_2to4,
    matmul_2to4_cost,
    matmul_2to4_reference,
    prune_2to4,
)

from ..case import Build, Case, Refused

BLOCK_N, BLOCK_M, SPLITS = 32, 16, 2  # of the interpreter


def _arguments(M: int, N: int, K: int):
    def draw(rng: Rng, dtype: torch.dtype) -> tuple:
        x = rng.normal(M, 2 * K, dtype=dtype)[:, :K]
        return (x, *compress_2to4(prune_2to4(rng.normal(N, K, dtype=dtype))))

    return draw


def _sparser(rng: Rng, dtype: torch.dtype) -> tuple:
    """Fours with one value, none, and every pair of places."""
    weight = prune_2to4(rng.normal(8, 128, dtype=dtype))
    weight[0] = 0
    weight[1, :32] = 0
    for place in range(4):
        weight[2, 4 * place : 4 * place + 4] = 0
        weight[2, 5 * place] = 1
    pairs = [(0, 1), (0, 2), (0, 3), (1, 2), (1, 3), (2, 3)]
    weight[3] = 0
    for index, (one, other) in enumerate(pairs):
        weight[3, 4 * index + one], weight[3, 4 * index + other] = -1, 4001  # bit 15 of a word is set
    return (rng.normal(2, 128, dtype=dtype), *compress_2to4(weight))


def _cost(x: torch.Tensor, kept: torch.Tensor, masks: torch.Tensor) -> Cost:
    """The least, x again for each further tile along N, and the parts of the sum over K, written and read."""
    (M, K), (blocks, N, _) = x.shape, kept.shape
    least = matmul_2to4_cost(M, N, K)
    parts = 2 * SPLITS * M * N * 4 if blocks > 1 else 0
    return Cost(least.flops, least.bytes + (-(-N // BLOCK_N) - 1) * x.numel() * x.element_size() + parts)


CASES = [
    Case(
        f"2:4 {M} × {N} × {K}",
        matmul_2to4,
        matmul_2to4_reference,
        _arguments(M, N, K),
        dtypes=(torch.float16,),
        cost=_cost if M <= BLOCK_M else None,
    )
    for M, N, K in [(1, 40, 256), (19, 33, 128)]
]
CASES += [
    Case("2:4 of sparser weights", matmul_2to4, matmul_2to4_reference, _sparser, dtypes=(torch.float16,)),
    Case(
        "2:4 with a gradient",
        matmul_2to4,
        matmul_2to4_reference,
        _arguments(3, 32, 128),
        dtypes=(torch.float16,),
        gradients=(0,),
    ),
]


def _zeros(*shape: int, dtype: torch.dtype = torch.float16) -> torch.Tensor:
    return torch.zeros(shape, dtype=dtype, device=device.DEVICE)


REFUSED = [
    Refused(
        matmul_2to4,
        lambda: (_zeros(2, 128), _zeros(1, 4, 64), _zeros(1, 4, 8, dtype=torch.uint8)),
        r"from compress_2to4 of shape .* masks torch.uint8 \(1, 4, 8\)",
    ),
    Refused(
        matmul_2to4,
        lambda: (_zeros(128, 2).T, _zeros(1, 4, 64), _zeros(1, 4, 16, dtype=torch.uint8)),
        r"strides \(1, 2\)",
    ),
    Refused(compress_2to4, lambda: (_zeros(2, 96),), "rows of a multiple of 128 weights"),
    Refused(compress_2to4, lambda: (_zeros(2, 128) + 1,), "at most two in four are not zero"),
]
if device.INTERPRETED:
    REFUSED.append(
        Refused(
            matmul_2to4,
            lambda: (_zeros(2, 128).bfloat16(), _zeros(1, 4, 64).bfloat16(), _zeros(1, 4, 16, dtype=torch.uint8)),
            "cannot compute in bfloat16 without a GPU",
        )
    )

BUILDS = [
    Build(
        f"2:4 {M} × 28672 × 8192",
        lambda M=M: matmul_2to4(
            torch.empty(M, 8192, dtype=torch.float16, device="meta"),
            torch.empty(64, 28672, 64, dtype=torch.float16, device="meta"),
            torch.empty(64, 28672, 16, dtype=torch.uint8, device="meta"),
        ),
        "_matmul_2to4_kernel",
        instructions={"sm_80": "HMMA", "sm_90": "HGMMA", "sm_100": "UTCHMMA"},
        targets=targets,  # Triton 3.7 crashes on sm_100 for few rows, and spills a little for many elsewhere
    )
    for M, targets in ((1, ("sm_80", "sm_90")), (64, ("sm_90",)))
]
