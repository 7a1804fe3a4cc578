"""Collectives between GPUs: PyTorch's own, lab15's ring as it stands, and a ring that works in place."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch

from benchmarks.parallel_timing import timed

REPEATS = 20
PIECES = 8  # of a chunk: while one is added, the next is on the wire


def ring_in_place(x: torch.Tensor, comm: Any) -> None:
    """The ring of lab15 with nothing copied: chunks travel in pieces, each sent on as soon as it is added."""
    from torch import distributed as dist

    rank, size, last = comm.rank, comm.size, 2 * (comm.size - 1) - 1
    to, source = (rank + 1) % size, (rank - 1) % size
    chunks = [chunk.chunk(PIECES) for chunk in x.chunk(size)]
    scratch = [torch.empty_like(piece) for piece in chunks[0]]

    def start(sent: torch.Tensor, received: torch.Tensor) -> list[Any]:
        return dist.batch_isend_irecv([dist.P2POp(dist.isend, sent, to), dist.P2POp(dist.irecv, received, source)])

    works = [start(mine, into) for mine, into in zip(chunks[rank], scratch, strict=True)]
    for step in range(last + 1):
        adds, adds_next = step < size - 1, step + 1 < size - 1
        for number, piece in enumerate(chunks[(rank - step - 1) % size]):
            for work in works[number]:
                work.wait()
            if adds:
                piece += scratch[number]
            if step < last:
                into = scratch[number] if adds_next else chunks[(rank - step - 2) % size][number]
                works[number] = start(piece, into)


def check_rings(comm: Any, ring: Callable[..., torch.Tensor], device: str) -> None:
    """Both rings give the sum, exactly: the numbers are whole.

    Raises
    ------
    RuntimeError
        If one does not.
    """
    x = torch.arange(64.0 * comm.size, device=device) + comm.rank
    wanted = comm.size * torch.arange(64.0 * comm.size, device=device) + sum(range(comm.size))
    if not torch.equal(ring(x, comm.rank, comm.size, comm.exchange), wanted):
        raise RuntimeError("lab15's ring gives a wrong sum here: nothing is measured")
    ring_in_place(x, comm)
    if not torch.equal(x, wanted):
        raise RuntimeError("the ring in place gives a wrong sum here: nothing is measured")


def collectives(comm: Any, sizes: tuple[int, ...], device: str, ring: Callable[..., Any]) -> list[dict[str, Any]]:
    """Each collective at each size: this rank's seconds of each repeat."""
    from torch import distributed as dist

    check_rings(comm, ring, device)
    # PyTorch 2.13 renamed two collectives; the machine with the GPUs may have an older one.
    gather = getattr(dist, "all_gather_single", None) or dist.all_gather_into_tensor
    scatter = getattr(dist, "reduce_scatter_single", None) or dist.reduce_scatter_tensor
    rows = []
    for nbytes in sizes:
        whole = torch.zeros(nbytes // 4, device=device)
        part = torch.zeros(nbytes // 4 // comm.size, device=device)
        neighbours = (comm.rank + 1) % comm.size, (comm.rank - 1) % comm.size
        calls: dict[str, Callable[[], Any]] = {
            "all_reduce": lambda whole=whole: dist.all_reduce(whole),
            "all_gather": lambda whole=whole, part=part: gather(whole, part),
            "reduce_scatter": lambda whole=whole, part=part: scatter(part, whole),
            "lab15's ring": lambda whole=whole: ring(whole, comm.rank, comm.size, comm.exchange),
            "ring in place": lambda whole=whole: ring_in_place(whole, comm),
            "exchange": lambda part=part, neighbours=neighbours: comm.exchange(part, *neighbours),
        }
        rows += [
            {"collective": name, "bytes": nbytes, "of_rank": timed(call, device, REPEATS)}
            for name, call in calls.items()
        ]
    return rows
