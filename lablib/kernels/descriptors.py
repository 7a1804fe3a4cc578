"""Tensor descriptors of matrices: what the tensor memory accelerator (TMA) of Hopper and later copies blocks with.

A descriptor holds base, shape, strides and block shape. One thread asks for the block at (row, column); the copy engine
computes the addresses, fills what lies past the edge with zeros, swizzles the block into shared memory and signals a
barrier. Threads keep no pointers and no masks.

Source: NVIDIA, "CUDA C++ Programming Guide", section on asynchronous data copies with the tensor memory accelerator.
"""

from __future__ import annotations

import torch

from lablib import device  # noqa: F401  (before triton)

import triton  # isort: skip
import triton.language as tl  # isort: skip
from triton.tools.tensor_descriptor import TensorDescriptor  # isort: skip

__all__ = ["fits_descriptor", "halves", "matrix_descriptor", "rows_fit", "store_tile"]

ALIGNMENT = 16  # bytes: of the base and of every stride but the last


def fits_descriptor(x: torch.Tensor) -> bool:
    """Whether a matrix or its transpose has a descriptor.

    That takes unit stride along one axis, along the other a stride that is a multiple of 16 bytes, and such an address.

    Examples
    --------
    >>> fits_descriptor(torch.zeros(5, 64)), fits_descriptor(torch.zeros(64, 5))
    (True, False)
    """
    return x.dim() == 2 and (rows_fit(x) or rows_fit(x.T))


def rows_fit(x: torch.Tensor) -> bool:
    """Whether a matrix has a descriptor as it is, not transposed."""
    aligned = x.data_ptr() % ALIGNMENT == 0 and x.stride(0) * x.element_size() % ALIGNMENT == 0
    return aligned and x.numel() > 0 and x.stride(1) == 1 and x.stride(0) > 0


def matrix_descriptor(x: torch.Tensor, rows: int, columns: int) -> tuple[TensorDescriptor, bool]:
    """A descriptor of ``x`` in blocks of ``rows`` × ``columns``, and whether its blocks come transposed.

    The last axis of a descriptor has unit stride. A matrix stored the other way round is described by its transpose,
    in blocks of ``columns`` × ``rows``, which a kernel turns with ``.T``: for the matrix units that costs nothing.

    Examples
    --------
    >>> matrix_descriptor(torch.zeros(32, 64).T, 16, 32)[0].block_shape
    [32, 16]
    """
    if rows_fit(x):
        return TensorDescriptor.from_tensor(x, [rows, columns]), False
    return TensorDescriptor.from_tensor(x.T, [columns, rows]), True


@triton.jit
def halves(tile):
    """Left and right half of a tile. No data moves: each thread holds columns of both."""
    HEIGHT: tl.constexpr = tile.shape[0]
    WIDTH: tl.constexpr = tile.shape[1] // 2
    return tl.split(tl.permute(tl.reshape(tile, (HEIGHT, 2, WIDTH)), (0, 2, 1)))


@triton.jit
def store_tile(desc, tile, row, column, STORES: tl.constexpr):
    """Store ``tile`` at (row, column) in 1, 2 or 4 pieces side by side; the descriptor's block is one piece.

    A store goes through a buffer in shared memory. A piece needs less of it, which leaves room for another stage of
    operands.
    """
    WIDTH: tl.constexpr = tile.shape[1] // STORES
    if STORES == 1:
        desc.store([row, column], tile)
    elif STORES == 2:
        left, right = halves(tile)
        desc.store([row, column], left)
        desc.store([row, column + WIDTH], right)
    else:
        left, right = halves(tile)
        first, second = halves(left)
        desc.store([row, column], first)
        desc.store([row, column + WIDTH], second)
        third, fourth = halves(right)
        desc.store([row, column + 2 * WIDTH], third)
        desc.store([row, column + 3 * WIDTH], fourth)
