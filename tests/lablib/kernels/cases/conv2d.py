"""Convolution over two axes, by descriptors and by pointers."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F

from lablib import device
from lablib.check.random import Rng
from lablib.gpu.cost import Cost
from lablib.kernels.conv2d import conv2d, conv2d_cost, conv2d_reference

from ..case import Build, Case, Refused


def _case(name: str, x: tuple[int, ...], weight: tuple[int, ...], bias: bool = True, **options: Any) -> Case:
    def arguments(rng: Rng, dtype: torch.dtype) -> tuple:
        b = rng.normal(weight[0], dtype=dtype) if bias else None
        return rng.normal(*x, dtype=dtype), rng.normal(*weight, dtype=dtype), b

    gradients = (0, 1, 2) if bias else (0, 1)
    return Case(name, conv2d, conv2d_reference, arguments, options, usual=F.conv2d, gradients=gradients)


def _several_tiles(rng: Rng, dtype: torch.dtype) -> tuple:
    return rng.normal(2, 72, 11, 13, dtype=dtype), rng.normal(136, 72, 1, 2, dtype=dtype), rng.normal(136, dtype=dtype)


def _sliced(rng: Rng, dtype: torch.dtype) -> tuple:
    """Channels last, but a part of more channels, rows and columns than are used."""
    x = rng.normal(1, 5, 6, 48, dtype=dtype).permute(0, 3, 1, 2)[:, 16:32, 1:, :5]
    return x, rng.normal(8, 16, 3, 3, dtype=dtype)


def _odd_address(rng: Rng, dtype: torch.dtype) -> tuple:
    """Channels last and contiguous, but not where a descriptor may begin."""
    x = rng.normal(1 + 5 * 6 * 16, dtype=dtype)[1:].view(1, 5, 6, 16).permute(0, 3, 1, 2)
    return x, rng.normal(8, 16, 1, 3, dtype=dtype)


def _cost(x: torch.Tensor, weight: torch.Tensor) -> Cost:
    return conv2d_cost(
        x.shape[0], x.shape[1], x.shape[2:], weight.shape[0], weight.shape[2:], x.shape[2:], x.element_size()
    )


CASES = [
    Case(
        "conv2d of several tiles",
        conv2d,
        conv2d_reference,
        _several_tiles,
        {"padding": (0, 1)},
        usual=F.conv2d,
        dtypes=(torch.float16,),
    ),
    _case("conv2d of 3 × 3 taps", (1, 24, 6, 7), (40, 24, 3, 3), padding=1),
    _case("conv2d with another step along each axis", (2, 16, 5, 6), (8, 16, 3, 2), padding=(3, 0), dilation=(1, 2)),
    _case("conv2d of one pixel", (3, 16, 1, 1), (8, 16, 1, 1)),
    _case("conv2d of odd channels", (5, 3, 6, 5), (5, 3, 2, 2), bias=False),
    _case("conv2d with strides", (1, 8, 6, 5), (72, 8, 2, 3), stride=(2, 3), padding=(1, 2)),
    Case("conv2d at an odd address", conv2d, conv2d_reference, _odd_address, {"dilation": 2}, usual=F.conv2d),
    Case("conv2d of a slice", conv2d, conv2d_reference, _sliced, {"padding": 1}, usual=F.conv2d),
    Case(
        "conv2d of one tap and one tile",
        conv2d,
        conv2d_reference,
        lambda rng, dtype: (rng.normal(1, 24, 6, 7, dtype=dtype), rng.normal(32, 24, 1, 1, dtype=dtype)),
        usual=F.conv2d,
        cost=_cost,
    ),
    Case(
        "conv2d of one tap and one gathered tile",
        conv2d,
        conv2d_reference,
        lambda rng, dtype: (rng.normal(1, 3, 6, 7, dtype=dtype), rng.normal(5, 3, 1, 1, dtype=dtype)),
        usual=F.conv2d,
        cost=_cost,
    ),
]


def _zeros(*shape: int) -> torch.Tensor:
    return torch.zeros(shape, device=device.DEVICE)


REFUSED = [
    Refused(conv2d, lambda: (_zeros(1, 3, 5, 5), _zeros(2, 4, 3, 3)), r"it got torch.float32 \(1, 3, 5, 5\)"),
    Refused(conv2d, lambda: (_zeros(1, 3, 2, 5), _zeros(2, 3, 3, 3)), r"give an output of \(0, 3\) pixels"),
    Refused(conv2d, lambda: (_zeros(1, 3, 5, 5), _zeros(2, 3, 3, 3)), "one number or 2", {"padding": (1, 1, 1)}),
    Refused(conv2d, lambda: (_zeros(1, 3, 5, 5), _zeros(2, 3, 3, 3), _zeros(3)), r"torch.float32 \(3,\)"),
]
if device.INTERPRETED:
    REFUSED.append(
        Refused(conv2d, lambda: (_zeros(1, 3, 5, 5).bfloat16(), _zeros(2, 3, 3, 3).bfloat16()), "without a GPU")
    )


def _meta(*shape: int) -> torch.Tensor:
    return torch.empty(shape, dtype=torch.float16, device="meta")


BUILDS = [
    Build(
        "conv2d of 256 channels",
        lambda: conv2d(_meta(64, 56, 56, 256).permute(0, 3, 1, 2), _meta(256, 256, 3, 3), padding=1),
        "_conv2d_kernel",
        instructions={"sm_90": "HGMMA", "sm_100": "UTCHMMA"},
        targets=("sm_90", "sm_100"),
    ),
    Build(
        "conv2d of 256 channels, strided",
        lambda: conv2d(_meta(64, 56, 56, 256).permute(0, 3, 1, 2), _meta(256, 256, 3, 3), stride=2, padding=1),
        "_conv_gather_kernel",
        instructions={"sm_80": "HMMA", "sm_90": "HGMMA", "sm_100": "UTCHMMA"},
    ),
    Build(
        "conv2d of 3 channels",
        lambda: conv2d(_meta(64, 3, 224, 224), _meta(64, 3, 7, 7), stride=2, padding=3),
        "_conv_gather_kernel",
        instructions={"sm_80": "HMMA", "sm_90": "HGMMA", "sm_100": "UTCHMMA"},
    ),
]
