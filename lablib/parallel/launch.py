"""One call that runs a function on many ranks, whatever the ranks are, and always comes back."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from lablib.parallel.traffic import Traffic

__all__ = ["Launched", "launch"]


@dataclass(frozen=True)
class Launched:
    """What came of a launch.

    Attributes
    ----------
    values
        What the function returned, by rank.
    traffic
        Bytes by collective and rank, and the timeline.
    """

    values: list[Any]
    traffic: Traffic


def launch(
    function: Callable[..., Any], size: int, *args: Any, backend: str = "threads", seconds: float = 20.0
) -> Launched:
    """Run ``function(comm, *args)`` on every rank of a group.

    Parameters
    ----------
    function
        Its first argument is a `lablib.parallel.communicator.Communicator`: ``comm.rank`` says who it is.
    size
        Ranks, 1 to 64.
    *args
        The same for every rank. Threads share them: change nothing in them.
    backend
        ``"threads"``: in this process. ``"gloo"``: a process a rank, over sockets. ``"nccl"``: a process a GPU.
    seconds
        After which a launch that has not ended is given up.

    Raises
    ------
    RankFailed
        A rank raised, died, hangs, or all wait for each other; one sentence says which and where.
    ValueError
        ``size`` or ``backend`` is out of range.

    Examples
    --------
    >>> import torch
    >>> done = launch(lambda comm: comm.all_reduce(torch.full((4,), float(comm.rank))), 4)
    >>> done.values[2], done.traffic
    (tensor([6., 6., 6., 6.]), all_reduce: 24 bytes a rank in 1 call)
    """
    if not isinstance(size, int) or not 1 <= size <= 64:
        raise ValueError(f"size must be a whole number of ranks from 1 to 64; got {size!r}")
    if backend == "threads":
        from lablib.parallel.threads import run_threads

        return Launched(*run_threads(function, size, args, seconds))
    if backend in ("gloo", "nccl"):
        from lablib.parallel.processes import run_processes

        return Launched(*run_processes(function, size, args, seconds, backend))
    raise ValueError(f"backend must be 'threads', 'gloo' or 'nccl'; got {backend!r}")
