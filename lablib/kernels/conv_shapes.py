"""What convolutions share: sizes of outputs, blocks of pixels, tiles, and layouts for tensor descriptors."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from itertools import product
from math import prod

import torch

from lablib.kernels.schedule import multiprocessors
from lablib.kernels.tuned import Tuned

__all__ = [
    "blocks",
    "channels_last",
    "fitted",
    "output_size",
    "per_axis",
    "pixel_block",
    "require_convolution",
    "tiling",
    "whole_vectors",
]

TILES = Tuned(
    {
        ("sm_90", "3.6"): {
            "many": {"BLOCK_OUT": 128, "PIXELS": 256, "BLOCK_C": 64, "num_warps": 8, "num_stages": 3},
            "few": {"BLOCK_OUT": 128, "PIXELS": 128, "BLOCK_C": 64, "num_warps": 8, "num_stages": 4},
            "fewest": {"BLOCK_OUT": 128, "PIXELS": 64, "BLOCK_C": 64, "num_warps": 4, "num_stages": 5},
            "float32": {"BLOCK_OUT": 128, "PIXELS": 64, "BLOCK_C": 16, "num_warps": 8, "num_stages": 3},
        },
    }
)


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


def fitted(block: int, size: int, least: int = 16) -> int:
    """``block``, or the power of two that covers ``size`` where that is smaller."""
    return min(block, max(least, 1 << (size - 1).bit_length()))


def tiling(y: torch.Tensor, C_in: int) -> tuple[dict[str, int], tuple[int, ...], int]:
    """How a convolution by descriptors is cut.

    Parameters
    ----------
    y
        The output with channels last, shape (N, ..., C_out).
    C_in
        Channels of the input.

    Returns
    -------
    configuration : dict
        ``BLOCK_OUT`` output channels and ``BLOCK_C`` input channels, and the launch's options.
    block : tuple of int
        Pixels of a tile along each axis of ``y`` but the last.
    tiles : int
        Their number.
    """

    def cut(case: str) -> tuple[dict[str, int], tuple[int, ...], int]:
        chosen = dict(TILES.configuration(case))
        # 64 rows are the least that Hopper's matrix instruction takes.
        chosen |= {"BLOCK_OUT": fitted(chosen["BLOCK_OUT"], C_out, 64), "BLOCK_C": fitted(chosen["BLOCK_C"], C_in)}
        block = pixel_block(size, chosen.pop("PIXELS"))
        return chosen, block, blocks((*size, C_out), (*block, chosen["BLOCK_OUT"]))

    size, C_out = tuple(y.shape[:-1]), y.shape[-1]
    if y.dtype == torch.float32:
        return cut("float32")
    # Half the tile is worth it where twice the tiles still run at once.
    found = cut("many")
    for case in ("few", "fewest"):
        if 2 * found[-1] <= multiprocessors():
            found = cut(case)
    return found


def whole_vectors(itemsize: int, *channels: int) -> bool:
    """Whether rows of channels are multiples of 16 bytes, as tensor descriptors need."""
    return all(count * itemsize % 16 == 0 for count in channels)


def channels_last(x: torch.Tensor) -> torch.Tensor:
    """``x``, shape (N, C, ...), as contiguous (N, ..., C) at an address for tensor descriptors; copied if need be."""
    x = x.movedim(1, -1).contiguous()
    # An axis of one element may have any stride, until a view gives it the usual one: descriptors look at it.
    x = x.flatten().view(x.shape)
    return x.clone() if x.data_ptr() % 16 else x


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
