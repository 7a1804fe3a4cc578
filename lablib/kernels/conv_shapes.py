"""Sizes that convolutions share: outputs, blocks of pixels, and what a tensor descriptor can describe."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from itertools import product
from math import prod

import torch

__all__ = ["blocks", "describable", "output_size", "per_axis", "pixel_block", "processors", "require_convolution"]


def per_axis(value: int | Sequence[int], axes: int) -> tuple[int, ...]:
    """One number an axis: ``value`` itself, or ``value`` for all."""
    return (value,) * axes if isinstance(value, int) else tuple(value)


def output_size(
    size: Sequence[int], taps: Sequence[int], stride: Sequence[int], padding: Sequence[int], dilation: Sequence[int]
) -> tuple[int, ...]:
    """Pixels along each axis of the output.

    Examples
    --------
    >>> output_size((224,), (7,), (2,), (3,), (1,))
    (112,)
    """
    axes = zip(size, taps, stride, padding, dilation, strict=True)
    return tuple((n + 2 * p - d * (k - 1) - 1) // s + 1 for n, k, s, p, d in axes)


@cache
def pixel_block(size: tuple[int, ...], pixels: int) -> tuple[int, ...]:
    """The block of ``pixels`` pixels, a power of two along each axis, that covers ``size`` with the least overhang.

    Among equals the one that is longest along the last axes.

    Examples
    --------
    >>> pixel_block((64, 56, 56), 256)  # 64 images; 7 blocks of 8 make 56
    (4, 8, 8)
    """
    powers = [2**i for i in range(pixels.bit_length())]
    fits = (block for block in product(powers, repeat=len(size)) if prod(block) == pixels)
    return min(fits, key=lambda block: (blocks(size, block), *(-n for n in reversed(block))))


def blocks(size: Sequence[int], block: Sequence[int]) -> int:
    """How many blocks cover ``size``."""
    return prod(-(-n // b) for n, b in zip(size, block, strict=True))


def processors(like: torch.Tensor) -> int:
    """Multiprocessors of the GPU that holds ``like``, and 2 where there is none: programs that take tiles in turn."""
    return torch.cuda.get_device_properties(like.device).multi_processor_count if like.is_cuda else 2


def describable(*tensors: torch.Tensor) -> bool:
    """Whether tensor descriptors can describe the tensors: addresses and rows are multiples of 16 bytes."""
    return all(
        one.data_ptr() % 16 == 0
        and one.stride(-1) == 1
        and all(stride * one.element_size() % 16 == 0 for stride in one.stride()[:-1])
        for one in tensors
    )


def require_convolution(
    name: str,
    x: torch.Tensor,
    weight: torch.Tensor,
    bias: torch.Tensor | None,
    options: dict[str, tuple[int, ...]],
) -> None:
    """Check the arguments of a convolution of any number of axes.

    Raises
    ------
    ValueError
        With what was expected and what came.
    """
    axes = len(options["stride"])
    sizes, taps = (", ".join(letters) for letters in ("DHW"[-axes:], ("KD", "KH", "KW")[-axes:]))
    dims = x.dim() == weight.dim() == axes + 2
    fits = dims and x.shape[1] == weight.shape[1] and (bias is None or bias.shape == weight.shape[:1])
    alike = x.dtype == weight.dtype and (bias is None or bias.dtype == x.dtype)
    if not fits or not alike:
        got = ", ".join(f"{one.dtype} {tuple(one.shape)}" for one in (x, weight, bias) if one is not None)
        raise ValueError(
            f"{name} takes x (N, C_in, {sizes}), weight (C_out, C_in, {taps}) and bias (C_out,) of one dtype; "
            f"it got {got}."
        )
    if any(len(value) != axes for value in options.values()):
        raise ValueError(f"{name} takes one number or {axes} for stride, padding and dilation; it got {options}.")
    steps = (*options["stride"], *options["dilation"], *x.shape, *weight.shape)
    keys = ("stride", "padding", "dilation")
    size = output_size(x.shape[2:], weight.shape[2:], *(options[key] for key in keys)) if min(steps) > 0 else ()
    if not size or min(size) < 1:
        raise ValueError(
            f"{name} needs positive sizes, strides and dilations; x {tuple(x.shape)} and weight {tuple(weight.shape)} "
            f"with {options} give an output of {size or 'no'} pixels."
        )
