from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lablib.gpu.cache_lines import VECTOR, Cache, history, matmul_addresses, play


class Recorder:
    """A matrix that is no matrix: it writes down which address each element has."""

    def __init__(self, start, row_bytes, trace):
        self.start, self.row_bytes, self.trace = start, row_bytes, trace

    def touch(self, row, column):
        self.trace.append(self.start + row * self.row_bytes + 4 * column)


def spelled_out(shape, tile, rows):
    """The loops as a person writes them."""
    (M, N, K), (m, n, k), trace = shape, tile, []
    b_start = -(-M * rows[0] // 4096) * 4096
    c_start = b_start + -(-K * rows[1] // 4096) * 4096
    a, b, c = Recorder(0, rows[0], trace), Recorder(b_start, rows[1], trace), Recorder(c_start, rows[2], trace)
    for i0 in range(0, M, m):
        for j0 in range(0, N, n):
            for k0 in range(0, K, k):
                for i in range(i0, min(i0 + m, M)):
                    for inner in range(k0, min(k0 + k, K)):
                        a.touch(i, inner)
                        for j in range(j0, min(j0 + n, N), VECTOR):
                            b.touch(inner, j)
                            c.touch(i, j)
    return trace


@pytest.mark.parametrize("tile", [(3, 32, 4), (7, 48, 5), (1, 16, 1), (100, 160, 100), (2, 16, 5)])
def test_the_trace_is_that_of_the_loops(tile):
    shape = (7, 48, 5)
    assert matmul_addresses(shape, tile).tolist() == spelled_out(shape, tile, (20, 192, 192))
    assert matmul_addresses(shape, tile, [64, 256, 4096]).tolist() == spelled_out(shape, tile, (64, 256, 4096))


def naive_misses(lines, sets, ways):
    """A list a set, searched from end to end."""
    held, misses = [[] for _ in range(sets)], 0
    for line in lines:
        kept = held[line % sets]
        if line in kept:
            kept.remove(line)
        else:
            misses += 1
            del kept[: max(len(kept) - ways + 1, 0)]
        kept.append(line)
    return misses


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(0, 40), min_size=1, max_size=120), st.sampled_from([1, 2, 4]), st.integers(1, 5))
def test_misses_are_those_of_a_plain_lru(lines, sets, ways):
    addresses = np.array(lines) * 64 + 8
    seen = play(addresses, Cache(64 * sets * ways, ways=ways))
    assert seen.total == naive_misses(lines, sets, ways)
    assert seen.compulsory == len(set(lines))
    assert seen.compulsory + seen.capacity == naive_misses(lines, 1, sets * ways)
    assert seen.accesses == len(lines)
    steps = history(addresses, Cache(64 * sets * ways, ways=ways))
    assert sum(not step["hit"] for step in steps) == seen.total
    assert all(step["held"][step["set"]][-1] == step["line"] for step in steps)


def test_conflicts_come_from_rows_a_power_of_two_apart():
    column = np.arange(16).repeat(2).reshape(16, 2).T.ravel() * 4096
    assert play(column, Cache(4096, ways=4)).conflict == 16
    assert play(column + column // 4096 * 64, Cache(4096, ways=4)).conflict == 0


def test_a_tile_that_fits_is_loaded_once():
    seen = play(matmul_addresses((8, 16, 16), (8, 16, 16)), Cache(64 * 40))
    assert (seen.total, seen.capacity) == (8 + 16 + 8, 0)


def test_bad_input_is_refused_in_a_sentence():
    with pytest.raises(ValueError, match="does not divide into sets of 256 bytes"):
        Cache(1000, ways=4)
    with pytest.raises(ValueError, match=r"one-dimensional array of addresses; this one has shape \(0,\)"):
        play(np.array([], dtype=int), Cache(64))
    with pytest.raises(ValueError, match=r"N a multiple of 16; got \(4, 20, 4\)"):
        matmul_addresses((4, 20, 4), (4, 16, 4))
