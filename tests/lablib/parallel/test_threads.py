"""Ranks as threads: right results, exact bytes, and failures that end in a sentence."""

from __future__ import annotations

import re
import threading
import time
from fractions import Fraction
from typing import Any

import pytest
import torch

from lablib.parallel import RankFailed, launch, ring_bytes


def every_operation(comm: Any) -> tuple[torch.Tensor, ...]:
    mine = torch.arange(4.0) + 10 * comm.rank
    later = comm.start_all_reduce(mine)
    left = comm.exchange(mine, (comm.rank + 1) % comm.size, (comm.rank - 1) % comm.size)
    return comm.all_reduce(mine), later(), comm.all_gather(mine), comm.reduce_scatter(mine), left


@pytest.mark.parametrize("size", [1, 2, 4])
def test_every_operation_gives_what_it_says(size: int) -> None:
    done = launch(every_operation, size)
    each = [torch.arange(4.0) + 10 * rank for rank in range(size)]
    total = torch.stack(each).sum(dim=0)
    for rank, (reduced, later, gathered, scattered, left) in enumerate(done.values):
        assert torch.equal(reduced, total)
        assert torch.equal(later, total)
        assert torch.equal(gathered, torch.cat(each))
        assert torch.equal(scattered, total.chunk(size)[rank])
        assert torch.equal(left, each[rank - 1])


def test_bytes_are_those_of_a_ring() -> None:
    traffic = launch(every_operation, 4).traffic
    assert [traffic.of("all_reduce", rank) for rank in range(4)] == [2 * 24] * 4  # two calls
    assert traffic.of("all_gather") == 3 * 16
    assert traffic.of("reduce_scatter") == 12
    assert traffic.of("exchange") == 16
    assert traffic.of_rank(3) == 48 + 48 + 12 + 16
    assert {event.rank for event in traffic.events} == {0, 1, 2, 3}
    assert all(0 <= event.start <= event.end for event in traffic.events)
    assert ring_bytes("reduce_scatter", 10, 4) == Fraction(30, 4)


def test_an_unknown_collective_is_refused() -> None:
    with pytest.raises(ValueError, match="expected one of all_reduce"):
        ring_bytes("broadcast", 1, 2)


def test_results_share_no_memory_with_arguments_or_each_other() -> None:
    mine = torch.zeros(4)

    def change(comm: Any) -> torch.Tensor:
        got = comm.all_reduce(mine)
        got += comm.rank
        return got

    assert [value[0].item() for value in launch(change, 3).values] == [0, 1, 2]
    assert mine.sum() == 0


def test_results_that_every_rank_has_taken_are_freed() -> None:
    def many(comm: Any) -> tuple[Any, bool]:
        later = comm.start_all_reduce(torch.ones(1))
        for _ in range(5):
            comm.all_gather(torch.ones(1000))
        return comm, torch.equal(later(), torch.full((1,), 3.0)) and later() is later()

    done = launch(many, 3)
    assert all(same for _, same in done.values)
    assert done.values[0][0]._meeting._results == {}


def test_sums_are_made_in_the_dtype_that_was_sent() -> None:
    done = launch(lambda comm: comm.all_reduce(torch.full((1,), 40000.0, dtype=torch.float16)), 2)
    assert done.values[0].isinf().all()


def raises_on_one(comm: Any) -> None:
    if comm.rank == 2:
        raise KeyError("weights")
    comm.all_reduce(torch.ones(1))


def other_order(comm: Any) -> None:
    for name in ("all_gather", "all_reduce") if comm.rank == 0 else ("all_reduce", "all_gather"):
        getattr(comm, name)(torch.ones(2))


def other_shape(comm: Any) -> None:
    comm.all_reduce(torch.ones(2 + comm.rank))


def one_call_less(comm: Any) -> None:
    comm.all_reduce(torch.ones(1))
    if comm.rank != 1:
        comm.all_reduce(torch.ones(1))


def all_wait_for_the_left(comm: Any) -> None:
    if comm.rank != 0:
        comm.exchange(torch.ones(1), comm.rank, comm.rank - 1)


def exits(comm: Any) -> None:
    raise SystemExit


def beyond_the_ring(comm: Any) -> None:
    comm.exchange(torch.ones(1), comm.rank + 1, comm.rank - 1)


def uneven_parts(comm: Any) -> None:
    comm.reduce_scatter(torch.ones(5))


@pytest.mark.parametrize(
    ("function", "words"),
    [
        (raises_on_one, r"rank 2 of 3 raised KeyError: 'weights' \(line \d+ of raises_on_one\)"),
        (other_order, r"rank 0 calls all_gather with shape \(2,\), float32, rank 1 all_reduce"),
        (other_shape, r"rank 1 all_reduce with shape \(3,\)"),
        (one_call_less, r"no rank can go on: rank 0 waits .* in all_reduce, its collective 1; rank 2 .*1 of 3"),
        (all_wait_for_the_left, r"rank 1 waits for a tensor from rank 0; 1 of 3|rank 1 waits for a tensor from rank 0"),
        (exits, "raised SystemExit"),
        (beyond_the_ring, "must be a rank from 0 to 2; got"),
        (uneven_parts, "must be a multiple of 3"),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)  # fmt: skip
def test_a_failure_is_one_sentence_at_once(function: Any, words: str) -> None:
    begun = time.monotonic()
    with pytest.raises(RankFailed) as caught:
        launch(function, 3, seconds=60)
    assert re.search(words, str(caught.value)), caught.value
    assert time.monotonic() - begun < 30  # found out, and not waited for


def test_a_rank_that_never_ends_is_named_and_ended() -> None:
    before = threading.active_count()

    def endless(comm: Any) -> None:
        while comm.rank == 1:
            sum(range(10))

    with pytest.raises(RankFailed, match=r"rank 1 of 2 still runs after 0.5 s, in line \d+ of endless"):
        launch(endless, 2, seconds=0.5)
    deadline = time.monotonic() + 20
    while threading.active_count() > before and time.monotonic() < deadline:
        time.sleep(0.01)
    assert threading.active_count() <= before


@pytest.mark.parametrize(
    ("size", "backend", "words"), [(0, "threads", "from 1 to 64"), (2, "mpi", "'threads', 'gloo'")]
)
def test_what_no_launch_can_do_is_refused(size: int, backend: str, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        launch(every_operation, size, backend=backend)
