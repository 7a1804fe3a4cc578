"""The models of occupancy, cache and cost agree with cases worked by hand."""

from __future__ import annotations

import pytest

from lablib import device
from lablib.gpu.bench import median_seconds
from lablib.gpu.cache import matmul_l2
from lablib.gpu.cost import Cost
from lablib.gpu.occupancy import occupancy
from lablib.gpu.specs import GPUS, gpu


@pytest.mark.parametrize(
    ("registers", "shared", "warps", "programs", "resource"),
    [
        (32, 0, 4, 16, "registers"),
        (128, 100_000, 8, 2, "registers"),
        (64, 150_000, 4, 1, "shared memory"),
        (16, 0, 32, 2, "threads"),
        (8, 0, 1, 32, "programs"),
        (64, 240_000, 4, 0, "shared memory"),
    ],
)
def test_occupancy_names_the_resource_that_binds(registers, shared, warps, programs, resource) -> None:
    found = occupancy(gpu("sm_90"), registers, shared, warps)
    assert (found.programs_per_sm, found.limited_by) == (programs, resource)
    assert found.fraction == programs * warps / 64


def test_a_cache_that_holds_everything_misses_each_tile_once() -> None:
    order = [(i, j) for i in range(4) for j in range(4)]
    run = matmul_l2(order, k_tiles=3, tile_bytes=2, l2_bytes=1000, in_flight=4)
    assert run.misses == 3 * (4 + 4) and run.hits == 2 * 16 * 3 - run.misses
    assert run.bytes_from_memory == 2 * run.misses and run.hit_rate == 0.75


def test_a_cache_of_one_tile_hits_only_what_follows_at_once() -> None:
    assert matmul_l2([(0, 0)], k_tiles=5, tile_bytes=1, l2_bytes=1, in_flight=1).hits == 0


def test_a_square_wave_needs_fewest_tiles() -> None:
    misses = {}
    for group in (1, 2, 4, 8, 16):
        order = [(first + i, j) for first in range(0, 16, group) for j in range(16) for i in range(group)]
        misses[group] = matmul_l2(order, k_tiles=32, tile_bytes=1, l2_bytes=100, in_flight=16).misses
    assert misses == {g: 16 * (g + 16 // g) * 32 for g in misses}
    assert min(misses, key=misses.__getitem__) == 4


def test_the_cache_model_refuses_what_it_cannot_play() -> None:
    with pytest.raises(ValueError, match="in_flight=0"):
        matmul_l2([(0, 0)], 1, 1, 1, in_flight=0)


def test_cost_is_bound_by_the_longer_of_the_two() -> None:
    cost = Cost(flops=100, bytes=10) + Cost(flops=100, bytes=30)
    assert (cost.intensity, cost.seconds(100, 10), cost.seconds(10, 100)) == (5.0, 4.0, 20.0)


def test_an_unknown_target_is_named() -> None:
    with pytest.raises(KeyError, match=r"sm_75.*expected one of sm_80"):
        gpu("sm_75")
    assert set(GPUS) == {"sm_80", "sm_90", "sm_100"}


@pytest.mark.skipif(not device.INTERPRETED, reason="with a GPU a kernel can be timed")
def test_the_interpreter_is_not_timed() -> None:
    with pytest.raises(RuntimeError, match="on a GPU only"):
        median_seconds(abs, 1)
