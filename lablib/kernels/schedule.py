"""Which program computes which tile, and how many programs run at a time.

Programs that run at the same time share the L2 cache. Tiles in row order make a wave of programs read a few rows of A
and every column of B; tiles in groups of GROUP_M rows make the wave nearly square, so it reads the least:

    row order           groups of 2 rows        Six programs at a time read 1 row of A and 6 columns of B on the
     0  1  2  3  4  5    0  2  4  6  8 10       left, 2 rows and 3 columns on the right: 7 tiles against 5.
     6  7  8  9 10 11    1  3  5  7  9 11
    12 13 14 15 16 17   12 14 16 18 20 22
    18 19 20 21 22 23   13 15 17 19 21 23

Source: the order of Triton's tutorial on matrix multiplication, "L2 cache optimizations"; the idea is that of tiling
for a cache (Lam, Rothberg and Wolf, "The cache performance and optimizations of blocked algorithms", ASPLOS 1991).
"""

from __future__ import annotations

import torch

from lablib import device

import triton  # isort: skip
import triton.language as tl  # isort: skip

__all__ = ["grouped_tile", "multiprocessors", "resident_programs"]


@triton.jit
def grouped_tile(index, tiles_m, tiles_n, GROUP_M: tl.constexpr):
    """Row and column of tile ``index``, counted down the columns of a group of GROUP_M rows, group after group."""
    tiles_in_group = GROUP_M * tiles_n
    first_row = index // tiles_in_group * GROUP_M
    rows = tl.minimum(tiles_m - first_row, GROUP_M)  # the last group may be lower
    within = index % tiles_in_group
    return first_row + within % rows, within // rows


def multiprocessors() -> int:
    """Multiprocessors of the GPU; 2 without one, so that small grids show what large ones do."""
    return 2 if device.INTERPRETED else torch.cuda.get_device_properties(device.DEVICE).multi_processor_count


def resident_programs(tiles: int) -> int:
    """Programs of a persistent kernel: one a multiprocessor, each of which takes every so-manyth tile.

    Examples
    --------
    >>> resident_programs(1)
    1
    """
    return min(tiles, multiprocessors())
