"""A least-recently-used model of the L2 cache under a tiled matrix product.

The order in which programs run decides what they find in the L2. The model takes that order and nothing else of the
kernel: programs start in waves of as many as the GPU holds, those of a wave step along K together, and each step of a
program touches one tile of A and one of B. What the L2 still holds is a hit; the rest comes from memory.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass

__all__ = ["CacheRun", "matmul_l2"]


@dataclass(frozen=True)
class CacheRun:
    """Outcome of one run: ``hits`` and ``misses`` in tiles, ``order`` as (tile row, tile column) of C by program."""

    hits: int
    misses: int
    bytes_from_memory: int
    order: list[tuple[int, int]]

    @property
    def hit_rate(self) -> float:
        """Fraction of tile loads that the L2 serves."""
        return self.hits / (self.hits + self.misses)


def matmul_l2(
    order: Sequence[tuple[int, int]], k_tiles: int, tile_bytes: int, l2_bytes: int, in_flight: int
) -> CacheRun:
    """Play a tiled matrix product through an L2 of ``l2_bytes``.

    Parameters
    ----------
    order
        For each program id the tile (row, column) of C that it computes.
    k_tiles
        Steps along K of each program.
    tile_bytes
        Bytes of one tile of A, and of one tile of B.
    l2_bytes
        Size of the cache.
    in_flight
        Programs that run at once: SMs times programs per SM.

    Examples
    --------
    Two programs of one row of C share their tiles of A; one of two loads of A hits:

    >>> matmul_l2([(0, 0), (0, 1)], k_tiles=4, tile_bytes=1, l2_bytes=8, in_flight=2).misses
    12
    """
    if in_flight < 1 or l2_bytes < tile_bytes:
        raise ValueError(
            f"The model needs at least one program in flight and room for one tile; it got in_flight={in_flight}, "
            f"l2_bytes={l2_bytes}, tile_bytes={tile_bytes}."
        )
    room = l2_bytes // tile_bytes
    cached: OrderedDict[tuple[str, int, int], None] = OrderedDict()
    hits = misses = 0
    for start in range(0, len(order), in_flight):
        wave = order[start : start + in_flight]
        for k in range(k_tiles):
            for row, column in wave:
                for tile in (("A", row, k), ("B", k, column)):
                    if tile in cached:
                        cached.move_to_end(tile)
                        hits += 1
                        continue
                    misses += 1
                    cached[tile] = None
                    if len(cached) > room:
                        cached.popitem(last=False)
    return CacheRun(hits, misses, misses * tile_bytes, list(order))
