"""Matrix product with weights of four bits."""

from __future__ import annotations

import torch

from lablib import device
from lablib.check.random import Rng
from lablib.gpu.cost import Cost
from lablib.kernels.matmul_int4 import matmul_int4, matmul_int4_cost, matmul_int4_reference, quantize_int4

from ..case import Build, Case, Refused

BLOCK_N, BLOCK_M, SPLITS = 32, 16, 2  # of the interpreter


def _arguments(M: int, N: int, K: int, group: int):
    def draw(rng: Rng, dtype: torch.dtype) -> tuple:
        x = rng.normal(M, 2 * K, dtype=dtype)[:, :K]  # rows that are parts of longer ones
        return (x, *quantize_int4(rng.normal(N, K, dtype=dtype), group))

    return draw


def _extreme(rng: Rng, dtype: torch.dtype) -> tuple:
    """Groups of zeros, of the least and of the largest number of four bits."""
    packed = torch.tensor([0x00000000, -1, 0x77777777, -0x77777778], dtype=torch.int32, device=device.DEVICE)
    scales = torch.tensor([[1e-3, 1.0, 0.0, 8.0]], dtype=dtype, device=device.DEVICE)
    return rng.normal(3, 64, dtype=dtype), packed[:, None].expand(1, 4, 8).contiguous(), scales


def _cost(x: torch.Tensor, packed: torch.Tensor, scales: torch.Tensor) -> Cost:
    """The least, x again for each further tile along N, and the parts of the sum over K, written and read."""
    (M, K), (groups, N, _) = x.shape, packed.shape
    least = matmul_int4_cost(M, N, K, K // groups)
    parts = 2 * SPLITS * M * N * 4 if groups > 1 else 0
    return Cost(least.flops, least.bytes + (-(-N // BLOCK_N) - 1) * x.numel() * x.element_size() + parts)


CASES = [
    Case(
        f"int4 {M} × {N} × {K}, groups of {group}",
        matmul_int4,
        matmul_int4_reference,
        _arguments(M, N, K, group),
        dtypes=(torch.float16,),
        cost=_cost if M <= BLOCK_M else None,
    )
    for M, N, K, group in [(1, 40, 256, 64), (19, 33, 128, 128), (5, 32, 512, 256)]
]
CASES += [
    Case("int4 of extreme weights", matmul_int4, matmul_int4_reference, _extreme, dtypes=(torch.float16,)),
    Case(
        "int4 with a gradient",
        matmul_int4,
        matmul_int4_reference,
        _arguments(3, 32, 64, 64),
        dtypes=(torch.float16,),
        gradients=(0,),
    ),
]


def _zeros(*shape: int, dtype: torch.dtype = torch.float16) -> torch.Tensor:
    return torch.zeros(shape, dtype=dtype, device=device.DEVICE)


REFUSED = [
    Refused(
        matmul_int4,
        lambda: (_zeros(2, 96), _zeros(1, 4, 12, dtype=torch.int32), _zeros(1, 4)),
        r"from quantize_int4 of shape .* it got x torch.float16 \(2, 96\)",
    ),
    Refused(
        matmul_int4,
        lambda: (_zeros(64, 2).T, _zeros(1, 4, 8, dtype=torch.int32), _zeros(1, 4)),
        r"strides \(1, 2\)",
    ),
    Refused(quantize_int4, lambda: (_zeros(2, 96),), "a multiple of the group"),
]
if device.INTERPRETED:
    REFUSED.append(
        Refused(
            matmul_int4,
            lambda: (_zeros(2, 64).bfloat16(), _zeros(1, 4, 8, dtype=torch.int32), _zeros(1, 4).bfloat16()),
            "cannot compute in bfloat16 without a GPU",
        )
    )

BUILDS = [
    Build(
        f"int4 {M} × 28672 × 8192",
        lambda M=M: matmul_int4(
            torch.empty(M, 8192, dtype=torch.float16, device="meta"),
            torch.empty(64, 28672, 16, dtype=torch.int32, device="meta"),
            torch.empty(64, 28672, dtype=torch.float16, device="meta"),
        ),
        "_matmul_int4_kernel",
        instructions={"sm_80": "HMMA", "sm_90": "HGMMA", "sm_100": "UTCHMMA"},
    )
    for M in (1, 64)
]
