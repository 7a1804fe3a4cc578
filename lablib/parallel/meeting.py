"""Where ranks that are threads meet: letters, collectives, and the moment when nobody can go on.

A rank that waits says for what. When every rank that still runs waits, and nothing that any of them waits for has
come, the group is stuck for good: all are told at once, in place of a notebook that never answers.
"""

from __future__ import annotations

import threading
from collections import defaultdict, deque
from collections.abc import Callable

import torch

from lablib.parallel.errors import RankFailed

__all__ = ["Meeting"]


class Meeting:
    """The state that the ranks of one launch share.

    Parameters
    ----------
    size
        Ranks in the group.
    """

    def __init__(self, size: int) -> None:
        self.size = size
        self.changed = threading.Condition()
        self.running = set(range(size))
        self.broken: str | None = None
        self._letters: dict[tuple[int, int], deque[torch.Tensor]] = defaultdict(deque)
        self._rounds: dict[int, dict[int, tuple[str, torch.Tensor]]] = defaultdict(dict)
        self._results: dict[int, dict[int, torch.Tensor]] = {}
        self._waiting: dict[int, tuple[str, Callable[[], bool]]] = {}

    def post(self, source: int, to: int, tensor: torch.Tensor) -> None:
        """Put a tensor in the way from one rank to another."""
        with self.changed:
            self._letters[source, to].append(tensor)
            self.changed.notify_all()

    def fetch(self, source: int, to: int) -> torch.Tensor:
        """Take the oldest tensor on the way from one rank to another; waits for it."""
        with self.changed:
            letters = self._letters[source, to]
            self._wait(to, f"for a tensor from rank {source}", lambda: bool(letters))
            return letters.popleft()

    def join(self, rank: int, number: int, operation: str, tensor: torch.Tensor) -> None:
        """Bring a rank's tensor to collective ``number``; the last one to come computes it for all."""
        with self.changed:
            there = self._rounds[number]
            there[rank] = (operation, tensor)
            if len(there) == self.size:
                try:
                    self._results[number] = dict(enumerate(_compute(number, [there[r] for r in range(self.size)])))
                except RankFailed as error:
                    self.broken = self.broken or str(error)
                del self._rounds[number]
            self.changed.notify_all()

    def result(self, rank: int, number: int, operation: str) -> torch.Tensor:
        """Take what collective ``number`` gives a rank, once; waits for the others."""
        with self.changed:
            self._wait(rank, f"for the others in {operation}, its collective {number}", lambda: number in self._results)
            mine = self._results[number].pop(rank)
            if not self._results[number]:
                del self._results[number]
            return mine

    def leave(self, rank: int, failure: str | None) -> None:
        """A rank has returned, or failed."""
        with self.changed:
            self.running.discard(rank)
            self.broken = self.broken or failure
            self._look_for_a_knot()
            self.changed.notify_all()

    def _wait(self, rank: int, what: str, ready: Callable[[], bool]) -> None:
        while not ready():
            self._waiting[rank] = (what, ready)
            self._look_for_a_knot()
            if self.broken:
                raise RankFailed(self.broken)
            self.changed.wait(1.0)
        self._waiting.pop(rank, None)

    def _look_for_a_knot(self) -> None:
        stuck = {rank: self._waiting[rank] for rank in sorted(self.running) if rank in self._waiting}
        if self.broken or not stuck or len(stuck) < len(self.running) or any(ready() for _, ready in stuck.values()):
            return
        told = "; ".join(f"rank {rank} waits {what}" for rank, (what, _) in list(stuck.items())[:4])
        rest = f"; and {len(stuck) - 4} more" if len(stuck) > 4 else ""
        gone = self.size - len(self.running)
        returned = f" {gone} of {self.size} ranks have returned." if gone else ""
        self.broken = (
            f"no rank can go on: {told}{rest}.{returned} Does every rank make the same calls in the same order?"
        )
        self.changed.notify_all()


def _compute(number: int, brought: list[tuple[str, torch.Tensor]]) -> list[torch.Tensor]:
    """Results by rank. Sums go from rank 0 up, in the tensors' own dtype, as they would in a network."""
    kinds = [(operation, tuple(tensor.shape), tensor.dtype) for operation, tensor in brought]
    for rank, kind in enumerate(kinds):
        if kind != kinds[0]:
            raise RankFailed(f"in collective {number}, rank 0 calls {_said(kinds[0])}, rank {rank} {_said(kind)}")
    operation, tensors = brought[0][0], [tensor for _, tensor in brought]
    if operation == "all_gather":
        whole = torch.cat([tensor.reshape(-1, *tensor.shape[1:]) for tensor in tensors])
        return [whole.clone() for _ in tensors]
    total = tensors[0].clone()
    for tensor in tensors[1:]:
        total += tensor
    if operation == "all_reduce":
        return [total.clone() for _ in tensors]
    return [part.clone() for part in total.chunk(len(tensors))]


def _said(kind: tuple[str, tuple[int, ...], torch.dtype]) -> str:
    return f"{kind[0]} with shape {kind[1]}, {str(kind[2]).removeprefix('torch.')}"
