"""Convolution over three axes, by descriptors and by pointers."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F

from lablib import device
from lablib.check.random import Rng
from lablib.gpu.cost import Cost
from lablib.kernels.conv3d import conv3d, conv3d_cost, conv3d_reference
from lablib.kernels.conv_gradients import weight_gradient

from ..case import Build, Case, Refused


def _case(name: str, x: tuple[int, ...], weight: tuple[int, ...], bias: bool = True, **options: Any) -> Case:
    def arguments(rng: Rng, dtype: torch.dtype) -> tuple:
        b = rng.normal(weight[0], dtype=dtype) if bias else None
        return rng.normal(*x, dtype=dtype), rng.normal(*weight, dtype=dtype), b

    gradients = (0, 1, 2) if bias else (0, 1)
    return Case(name, conv3d, conv3d_reference, arguments, options, usual=F.conv3d, gradients=gradients)


def _several_tiles(rng: Rng, dtype: torch.dtype) -> tuple:
    x, weight = rng.normal(2, 72, 4, 6, 6, dtype=dtype), rng.normal(136, 72, 2, 1, 1, dtype=dtype)
    return x, weight, rng.normal(136, dtype=dtype)


def _cost(x: torch.Tensor, weight: torch.Tensor) -> Cost:
    return conv3d_cost(
        x.shape[0], x.shape[1], x.shape[2:], weight.shape[0], weight.shape[2:], x.shape[2:], x.element_size()
    )


CASES = [
    Case(
        "conv3d of several tiles",
        conv3d,
        conv3d_reference,
        _several_tiles,
        {"padding": (1, 0, 0)},
        usual=F.conv3d,
        dtypes=(torch.float16,),
    ),
    _case("conv3d of 2 × 2 × 2 taps", (1, 24, 3, 4, 3), (40, 24, 2, 2, 2), padding=1),
    _case(
        "conv3d with another step along each axis",
        (1, 16, 3, 5, 4),
        (8, 16, 1, 2, 3),
        bias=False,
        padding=(1, 0, 2),
        dilation=(1, 3, 2),
    ),
    _case("conv3d of odd channels with strides", (2, 3, 3, 5, 3), (5, 3, 2, 2, 2), stride=(1, 2, 3), padding=(1, 1, 0)),
    Case(
        "conv3d of one tap and one tile",
        conv3d,
        conv3d_reference,
        lambda rng, dtype: (rng.normal(1, 24, 3, 2, 7, dtype=dtype), rng.normal(32, 24, 1, 1, 1, dtype=dtype)),
        usual=F.conv3d,
        cost=_cost,
    ),
]


def _zeros(*shape: int) -> torch.Tensor:
    return torch.zeros(shape, device=device.DEVICE)


REFUSED = [
    Refused(conv3d, lambda: (_zeros(1, 3, 5, 5), _zeros(2, 3, 3, 3)), r"x \(N, C_in, D, H, W\)"),
    Refused(conv3d, lambda: (_zeros(1, 3, 5, 5, 5), _zeros(2, 3, 3, 3, 3)), "needs positive", {"stride": 0}),
]


def _meta(*shape: int) -> torch.Tensor:
    return torch.empty(shape, dtype=torch.float16, device="meta")


BUILDS = [
    Build(
        "conv3d of 128 channels",
        lambda: conv3d(_meta(8, 16, 56, 56, 128).permute(0, 4, 1, 2, 3), _meta(128, 128, 3, 3, 3), padding=1),
        "_conv3d_kernel",
        instructions={"sm_90": "HGMMA", "sm_100": "UTCHMMA"},
        targets=("sm_90", "sm_100"),
    ),
    Build(
        "weight gradient of conv3d of 128 channels",
        lambda: weight_gradient(
            *(_meta(8, 16, 56, 56, 128).permute(0, 4, 1, 2, 3) for _ in range(2)), (3,) * 3, (1,) * 3, (1,) * 3
        ),
        "_weight_gradient_kernel",
        instructions={"sm_90": "HGMMA", "sm_100": "UTCHMMA"},
        targets=("sm_90", "sm_100"),
    ),
]
