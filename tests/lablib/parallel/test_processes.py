"""Ranks as processes: what threads give, the same bytes, and an end within the time limit."""

from __future__ import annotations

import os
import threading
import time
from typing import Any

import pytest
import torch

from lablib.parallel import RankFailed, launch

from .test_threads import every_operation


def test_processes_give_what_threads_give() -> None:
    threads, processes = launch(every_operation, 2), launch(every_operation, 2, backend="gloo", seconds=120)
    for one, other in zip(threads.values, processes.values, strict=True):
        assert all(torch.equal(*pair) for pair in zip(one, other, strict=True))
    assert threads.traffic.sent == processes.traffic.sent
    assert threads.traffic.calls == processes.traffic.calls


def test_a_function_of_a_notebook_travels() -> None:
    shift = torch.tensor([5.0])
    done = launch(lambda comm, more: comm.all_reduce(shift) + more, 2, 1.0, backend="gloo", seconds=120)
    assert done.values[1].item() == 11


def raises(comm: Any) -> None:
    if comm.rank == 1:
        raise KeyError("weights")
    comm.all_reduce(torch.ones(1))


def dies(comm: Any) -> None:
    if comm.rank == 1:
        os._exit(3)
    comm.all_reduce(torch.ones(1))


def returns_a_lock(comm: Any) -> Any:
    comm.all_reduce(torch.ones(1))
    return threading.Lock() if comm.rank == 1 else None


@pytest.mark.parametrize(
    ("function", "words"),
    [
        (raises, "rank 1 of 2 raised KeyError: 'weights'"),
        (dies, "the process of rank 1 of 2 died; all were ended"),
        (returns_a_lock, "rank 1 of 2 returned a value that cannot go to another process: .*lock"),
    ],
)
def test_a_failure_is_a_sentence(function: Any, words: str) -> None:
    with pytest.raises(RankFailed, match=words):
        launch(function, 2, backend="gloo", seconds=120)


def test_what_hangs_is_ended() -> None:
    def endless(comm: Any) -> int:
        while True:
            time.sleep(0.01)

    with pytest.raises(RankFailed, match="after 2 s nothing came from rank"):
        launch(endless, 2, backend="gloo", seconds=2)


def test_nccl_without_gpus_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    with pytest.raises(RankFailed, match="NCCL wants a GPU for each of 2 ranks; this machine has 1"):
        launch(every_operation, 2, backend="nccl")
