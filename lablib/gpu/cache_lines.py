"""A cache under a trace of addresses: which accesses find their line, and why the others do not.

    addresses ──divided by the line──> lines ──low part──> set ──least recently used of its ways──> hit or miss

Memory moves in lines, commonly of 64 bytes. A cache has sets of a few *ways*; a line may stand in one set only, and a
full set drops the line that was used longest ago. A miss has one of three reasons (Hill and Smith, "Evaluating
associativity in CPU caches", IEEE Transactions on Computers 38(12), 1989): the line was never there (compulsory), no
cache of this size could have kept it (capacity), or its set was full while others had room (conflict).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

__all__ = ["VECTOR", "Cache", "Misses", "history", "matmul_addresses", "play"]

VECTOR = 16
"""float32 numbers that one access moves: a vector register of 64 bytes."""


@dataclass(frozen=True)
class Cache:
    """A cache with the policy *least recently used*.

    Attributes
    ----------
    bytes
        Size; a multiple of ``line_bytes * ways``.
    line_bytes
        Bytes of a line.
    ways
        Lines of a set. None: one set of all lines, so that a line may stand anywhere (fully associative).
    """

    bytes: int
    line_bytes: int = 64
    ways: int | None = None

    def __post_init__(self) -> None:
        size = self.line_bytes * (self.ways or 1)
        if min(self.bytes, size) < 1 or self.bytes % size:
            raise ValueError(
                f"A cache of {self.bytes} bytes does not divide into sets of {size} bytes; see its `ways`."
            )

    @property
    def lines(self) -> int:
        """Lines that it holds."""
        return self.bytes // self.line_bytes

    @property
    def sets(self) -> int:
        """Number of sets."""
        return self.lines // (self.ways or self.lines)


@dataclass(frozen=True)
class Misses:
    """Accesses of a trace, and its misses by reason.

    ``conflict`` is the misses of this cache less those of a fully associative one; it can be negative, because an LRU
    that may keep any line is not always the better one.
    """

    accesses: int
    compulsory: int
    capacity: int
    conflict: int

    @property
    def total(self) -> int:
        """All misses."""
        return self.compulsory + self.capacity + self.conflict

    @property
    def hit_rate(self) -> float:
        """Fraction of accesses that find their line."""
        return 1 - self.total / self.accesses


def play(addresses: np.ndarray, cache: Cache) -> Misses:
    """Play a trace through a cache that is empty at first.

    Parameters
    ----------
    addresses
        Byte addresses in the order of the accesses, integers, shape (accesses,). No access crosses a line.

    Raises
    ------
    ValueError
        If there is no access.

    Examples
    --------
    Two lines that share the only way of a set throw each other out; with two ways they do not:

    >>> play(np.array([0, 128, 0, 128]), Cache(128, ways=1))
    Misses(accesses=4, compulsory=2, capacity=0, conflict=2)
    >>> play(np.array([0, 128, 0, 128]), Cache(128, ways=2)).total
    2
    """
    addresses = np.asarray(addresses)
    if addresses.ndim != 1 or not addresses.size:
        raise ValueError(f"A trace is a one-dimensional array of addresses; this one has shape {addresses.shape}.")
    lines = addresses // cache.line_bytes
    # The same line again, at once, is a hit in any cache: most of a trace goes before the slow part.
    lines = lines[np.append(True, lines[1:] != lines[:-1])]
    compulsory = len(np.unique(lines))
    anywhere = _misses(lines.tolist(), 1, cache.lines)
    total = anywhere if cache.sets == 1 else _misses(lines.tolist(), cache.sets, cache.lines // cache.sets)
    return Misses(len(addresses), compulsory, anywhere - compulsory, total - anywhere)


def _misses(lines: Sequence[int], sets: int, ways: int) -> int:
    held: list[dict[int, None]] = [{} for _ in range(sets)]
    misses = 0
    for line in lines:
        kept = held[line % sets]
        if line in kept:
            del kept[line]
        else:
            misses += 1
            if len(kept) == ways:
                del kept[next(iter(kept))]  # a dict keeps the order of insertion: its first key is the oldest
        kept[line] = None
    return misses


def history(addresses: Sequence[int] | np.ndarray, cache: Cache) -> list[dict[str, Any]]:
    """Each access of a short trace, and what the cache holds after it.

    Returns
    -------
    list of dict
        ``line``, ``set``, ``hit``, and ``held``: for each set its lines, the one used longest ago first.

    Examples
    --------
    >>> [(access["line"], access["hit"], access["held"]) for access in history([0, 64, 0], Cache(128))]
    [(0, False, [[0]]), (1, False, [[0, 1]]), (0, True, [[1, 0]])]
    """
    held: list[list[int]] = [[] for _ in range(cache.sets)]
    told = []
    for address in addresses:
        line = int(address) // cache.line_bytes
        kept = held[line % cache.sets]
        hit = line in kept
        if hit:
            kept.remove(line)
        elif len(kept) == cache.lines // cache.sets:
            kept.pop(0)
        kept.append(line)
        told.append({"line": line, "set": line % cache.sets, "hit": hit, "held": [list(lines) for lines in held]})
    return told


def matmul_addresses(
    shape: tuple[int, int, int], tile: tuple[int, int, int], row_bytes: Sequence[int] | None = None
) -> np.ndarray:
    """Addresses that the tiled loops of C += A B touch, in order. float32, row-major, one operand after the other.

        for i0: for j0: for k0: in steps of the tile     tile rows outermost, steps along k innermost
            for i: for k: for j in steps of 16:          inside the tile; 16 floats are a vector, and a line
                C[i, j:j+16] += A[i, k] * B[k, j:j+16]   touches A[i, k] once before j, then B and C for each j

    Parameters
    ----------
    shape
        (M, N, K): A is (M, K), B is (K, N), C is (M, N). N is a multiple of 16.
    tile
        (M, N, K) of a tile, N again a multiple of 16; one that is larger than the matrix is cut to it.
    row_bytes
        Bytes from row to row of A, B and C; as dense as can be unless given.

    Returns
    -------
    np.ndarray
        int64, shape (M * K * ceil(N / tile N) + 2 * M * K * N / 16,). Each operand starts at a multiple of 4096.

    Raises
    ------
    ValueError
        If a size is below 1, or N or the tile's N is no multiple of 16.

    Examples
    --------
    >>> matmul_addresses((1, 32, 1), (1, 32, 1)).tolist()
    [0, 4096, 8192, 4160, 8256]
    """
    if min(*shape, *tile) < 1 or shape[1] % VECTOR or tile[1] % VECTOR:
        raise ValueError(
            f"Sizes of a product and of its tiles are at least 1, and N a multiple of {VECTOR}; got {shape} and {tile}."
        )
    M, N, K = shape
    rows = row_bytes or (4 * K, 4 * N, 4 * N)
    starts = np.cumsum([0, *(-(-n * r // 4096) * 4096 for n, r in zip((M, K), rows[:2], strict=True))])
    parts = []
    for i in _spans(M, tile[0]):
        for j in _spans(N // VECTOR, tile[1] // VECTOR):
            for k in _spans(K, tile[2]):
                block = np.empty((len(i), len(k), 1 + 2 * len(j)), dtype=np.int64)
                block[..., :1] = starts[0] + i[:, None, None] * rows[0] + 4 * k[None, :, None]
                block[..., 1::2] = starts[1] + k[None, :, None] * rows[1] + 4 * VECTOR * j
                block[..., 2::2] = starts[2] + i[:, None, None] * rows[2] + 4 * VECTOR * j
                parts.append(block.ravel())
    return np.concatenate(parts)


def _spans(size: int, step: int) -> list[np.ndarray]:
    return [np.arange(start, min(start + step, size)) for start in range(0, size, step)]
