"""lab15's functions, as they stand, on threads and over gloo: the same values, and the same bytes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from autograder import master
from lablib.parallel import Launched, launch

RANKS = 2  # a sum of two is the same in either order, so that values can be compared bit by bit


@pytest.fixture(scope="module")
def solved(repository: Path) -> dict[str, Any]:
    """What the lab's setup and solution cells define."""
    names: dict[str, Any] = {"__name__": "lab15"}
    for cell in master.find(repository, "lab15").of_role("setup", "solution"):
        exec(cell.source, names)
    del names["__builtins__"]  # `exec` put it there, and it need not travel to other processes
    return names


def ring(comm: Any, lab: dict[str, Any]) -> list[torch.Tensor]:
    x = torch.arange(6.0) * 10**comm.rank
    return [lab["ring_all_reduce"](x, comm.rank, comm.size, comm.exchange)]


def ddp(comm: Any, lab: dict[str, Any]) -> list[torch.Tensor]:
    weights = [w.requires_grad_() for w in lab["digit_weights"]()]
    images, labels = lab["digit_rows"](64)
    rows = lab["my_rows"](torch.arange(64), comm.rank, comm.size)
    loss = lab["digit_loss"](weights, images[rows], labels[rows])
    return lab["ddp_gradients"](lab["backward_steps"](weights, loss), 4000, comm.size, comm.start_all_reduce)


def zero(comm: Any, lab: dict[str, Any]) -> list[torch.Tensor]:
    images, labels = lab["digit_rows"](64)
    mine = lab["my_rows"](torch.arange(64), comm.rank, comm.size)
    layers = lab["digit_layers"](labels[mine])
    shards = [lab["shard"](flat, comm.rank, comm.size) for flat in lab["digit_flats"]()]
    states = [(torch.zeros_like(s), torch.zeros_like(s)) for s in shards]
    for step, reshard in ((1, True), (2, False)):
        given = (layers, shards, states, images[mine], step, reshard, comm.size)
        shards, states = lab["zero_step"](*given, comm.all_gather, comm.reduce_scatter)
    return [*shards, *(moment for state in states for moment in state)]


def tensor_parallel(comm: Any, lab: dict[str, Any]) -> list[torch.Tensor]:
    draw = torch.Generator().manual_seed(3)
    shapes = {"qkv": (8, 24), "out": (8, 8), "out_bias": (8,), "up": (8, 32), "down": (32, 8), "down_bias": (8,)}
    w = {key: torch.randn(shape, generator=draw) for key, shape in shapes.items()}
    x = torch.randn(5, 8, generator=draw).requires_grad_()
    mine = {key: part.requires_grad_() for key, part in lab["split_layer"](w, comm.rank, comm.size).items()}
    y = lab["tp_layer"](x, mine, 4 // comm.size, comm.all_reduce)
    y.square().sum().backward()
    return [y.detach(), x.grad, *(mine[key].grad for key in shapes)]  # pyright: ignore[reportReturnType]


def all_of_them(comm: Any, lab: dict[str, Any]) -> dict[str, list[torch.Tensor]]:
    return {one.__name__: one(comm, lab) for one in (ring, ddp, zero, tensor_parallel)}


@pytest.fixture(scope="module")
def launches(solved: dict[str, Any]) -> tuple[Launched, Launched]:
    return launch(all_of_them, RANKS, solved), launch(all_of_them, RANKS, solved, backend="gloo", seconds=120)


def test_threads_and_processes_give_the_same_bits(launches: tuple[Launched, Launched]) -> None:
    for rank, (threads, processes) in enumerate(zip(*(one.values for one in launches), strict=True)):
        for name, tensors in threads.items():
            for ours, theirs in zip(tensors, processes[name], strict=True):
                assert ours.dtype == theirs.dtype and torch.equal(ours, theirs), f"{name}, rank {rank}"


def test_threads_and_processes_send_the_same_bytes(launches: tuple[Launched, Launched]) -> None:
    threads, processes = (one.traffic for one in launches)
    assert threads.sent == processes.sent and threads.calls == processes.calls
    assert {operation for operation, _ in threads.sent} == {"exchange", "all_reduce", "all_gather", "reduce_scatter"}


def test_the_ranks_compute_what_one_would(solved: dict[str, Any], launches: tuple[Launched, Launched]) -> None:
    alone = launch(all_of_them, 1, solved).values[0]
    found = launches[1].values[0]
    assert torch.equal(found["ring"][0], torch.arange(6.0) * 11)
    for name, places in (("ddp", range(4)), ("tensor_parallel", (0, 1))):
        for place in places:
            ours, one = found[name][place], alone[name][place]
            assert (ours - one).norm() <= 2e-3 * one.norm(), name  # ddp's gradients travel in float16
    halves = [torch.cat([one.values[rank]["zero"][0] for rank in range(RANKS)]) for one in launches]
    torch.testing.assert_close(halves[1], alone["zero"][0], rtol=1e-3, atol=1e-4)
