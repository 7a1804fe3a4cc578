"""What a rank can do: who it is, and the five ways to reach the others.

Every operation gives a new tensor and leaves its argument as it is, on threads, on gloo and on NCCL alike, so that one
function runs on all of them.
"""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Callable

import torch

from lablib.parallel.traffic import Traffic, ring_bytes

__all__ = ["Communicator"]


class Communicator(ABC):
    """One rank's end of a group; `launch` makes them.

    Attributes
    ----------
    rank, size
        From 0; how many there are.
    traffic
        What this rank sent so far.
    """

    def __init__(self, rank: int, size: int, started: float) -> None:
        self.rank, self.size, self._started = rank, size, started
        self.traffic = Traffic()

    def exchange(self, tensor: torch.Tensor, to: int, source: int) -> torch.Tensor:
        """Send a tensor to one rank and receive one of the same shape and dtype from another, both at once.

        Parameters
        ----------
        tensor
            Of any shape.
        to, source
            Ranks from 0 to ``size - 1``, this one among them.

        Raises
        ------
        ValueError
            If there is no such rank; on threads also if what comes has another shape or dtype.
        RankFailed
            On threads, if another rank failed, or none can go on.
        """
        for name, other in (("to", to), ("source", source)):
            if not 0 <= other < self.size:
                raise ValueError(
                    f"exchange: {name} must be a rank from 0 to {self.size - 1}; got {other}. A ring goes on at rank 0."
                )
        begun = self._now()
        received = self._exchange(tensor.detach(), to, source)
        self._count("exchange", tensor, 0 if to == self.rank else tensor.nbytes, begun)
        return received

    def all_reduce(self, tensor: torch.Tensor) -> torch.Tensor:
        """The sum over all ranks, on every rank.

        Parameters
        ----------
        tensor
            Of any shape, the same on every rank, and so is the dtype, in which the sum is made.

        Returns
        -------
        torch.Tensor
            Of the same shape and dtype.

        Raises
        ------
        RankFailed
            On threads, if ranks call different things or bring different shapes, another failed, or none can go on.
        """
        return self.start_all_reduce(tensor)()

    def start_all_reduce(self, tensor: torch.Tensor) -> Callable[[], torch.Tensor]:
        """Begin an all-reduce and return at once; what comes back is a function that waits for the sum."""
        begun = self._now()
        wait = self._start("all_reduce", tensor.detach())

        def finish() -> torch.Tensor:
            result = wait()
            self._count("all_reduce", tensor, ring_bytes("all_reduce", tensor.nbytes, self.size), begun)
            return result

        return finish

    def all_gather(self, shard: torch.Tensor) -> torch.Tensor:
        """The shards of all ranks, joined along the first dimension in the order of ranks.

        Parameters
        ----------
        shard
            Shape (n, ...), the same on every rank.

        Returns
        -------
        torch.Tensor
            Shape (size · n, ...).

        Raises
        ------
        RankFailed
            As `all_reduce`.
        """
        begun = self._now()
        result = self._start("all_gather", shard.detach())()
        self._count("all_gather", shard, ring_bytes("all_gather", shard.nbytes * self.size, self.size), begun)
        return result

    def reduce_scatter(self, tensor: torch.Tensor) -> torch.Tensor:
        """This rank's part of the sum over all ranks: part ``rank`` of ``size`` equal parts of the first dimension.

        Parameters
        ----------
        tensor
            Shape (size · n, ...), the same on every rank.

        Returns
        -------
        torch.Tensor
            Shape (n, ...).

        Raises
        ------
        ValueError
            If the first dimension is no multiple of ``size``.
        RankFailed
            As `all_reduce`.
        """
        if tensor.dim() == 0 or tensor.shape[0] % self.size:
            raise ValueError(
                f"reduce_scatter: the first dimension must be a multiple of {self.size}, the number of ranks; "
                f"the shape is {tuple(tensor.shape)}"
            )
        begun = self._now()
        result = self._start("reduce_scatter", tensor.detach())()
        self._count("reduce_scatter", tensor, ring_bytes("reduce_scatter", tensor.nbytes, self.size), begun)
        return result

    def _now(self) -> float:
        return time.time() - self._started

    def _count(self, operation: str, tensor: torch.Tensor, sent: object, begun: float) -> None:
        self.traffic.add(self.rank, operation, tensor.nbytes, sent, begun, self._now())  # type: ignore[arg-type]

    @abstractmethod
    def _exchange(self, tensor: torch.Tensor, to: int, source: int) -> torch.Tensor:
        """What comes from ``source``, in memory of its own; ``tensor`` may change as soon as this returns."""

    @abstractmethod
    def _start(self, operation: str, tensor: torch.Tensor) -> Callable[[], torch.Tensor]:
        """A function that waits for the result, in memory of its own; ``tensor`` stays as it is."""
