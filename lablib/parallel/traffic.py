"""Bytes that ranks send, by collective and rank, and when each rank waited for them.

What a collective costs is what its ring costs, whichever way a machine runs it: of N bytes, a rank of n sends
(n - 1) / n · N for an all-gather or a reduce-scatter, and twice that for an all-reduce, which is one after the other.
That is the least that leaves every rank with the result (Patarasuk and Yuan, 2009).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from fractions import Fraction

__all__ = ["Event", "Traffic", "ring_bytes"]

_PASSES = {"all_reduce": 2, "all_gather": 1, "reduce_scatter": 1}


def ring_bytes(collective: str, nbytes: int, size: int) -> Fraction:
    """Bytes that each rank sends for a collective, exactly.

    Parameters
    ----------
    collective
        ``"all_reduce"``, ``"all_gather"`` or ``"reduce_scatter"``.
    nbytes
        Of the whole tensor: what an all-gather leaves, what a reduce-scatter starts from.
    size
        Ranks in the group.

    Raises
    ------
    ValueError
        The collective is none of the three.

    Examples
    --------
    >>> ring_bytes("all_reduce", 800, 8)
    Fraction(1400, 1)
    """
    if collective not in _PASSES:
        raise ValueError(f"expected one of {', '.join(_PASSES)}; got {collective!r}")
    return Fraction(_PASSES[collective] * (size - 1) * nbytes, size)


@dataclass(frozen=True)
class Event:
    """One operation of one rank.

    Attributes
    ----------
    rank, operation, nbytes
        Who, what, and the bytes of the tensor that it put in.
    start, end
        Seconds since the launch. An operation that was started early ends when its rank has the result.
    """

    rank: int
    operation: str
    nbytes: int
    start: float
    end: float


@dataclass
class Traffic:
    """What a launch sent.

    Attributes
    ----------
    sent
        Bytes by (operation, rank).
    calls
        Calls by (operation, rank).
    events
        A timeline: all operations in the order in which they ended.

    Examples
    --------
    >>> traffic = Traffic()
    >>> traffic.add(0, "exchange", 12, 12, 0.0, 0.1)
    >>> traffic.of_rank(0), traffic
    (12, exchange: 12 bytes a rank in 1 call)
    """

    sent: dict[tuple[str, int], Fraction] = field(default_factory=lambda: defaultdict(Fraction))
    calls: dict[tuple[str, int], int] = field(default_factory=lambda: defaultdict(int))
    events: list[Event] = field(default_factory=list)

    def add(self, rank: int, operation: str, nbytes: int, sent: int | Fraction, start: float, end: float) -> None:
        """Count one operation that has ended."""
        self.sent[operation, rank] += sent
        self.calls[operation, rank] += 1
        self.events.append(Event(rank, operation, nbytes, start, end))

    def of_rank(self, rank: int) -> int | Fraction:
        """All bytes that a rank sent; an int where it is one."""
        return _whole(sum((n for (_, who), n in self.sent.items() if who == rank), Fraction()))

    def of(self, operation: str, rank: int = 0) -> int | Fraction:
        """Bytes that a rank sent in one kind of operation."""
        return _whole(self.sent.get((operation, rank), Fraction()))

    def merge(self, others: Iterable[Traffic]) -> Traffic:
        """Add what other ranks counted; returns itself."""
        for other in others:
            for key, n in other.sent.items():
                self.sent[key] += n
            for key, n in other.calls.items():
                self.calls[key] += n
            self.events += other.events
        self.events.sort(key=lambda event: event.end)
        return self

    def __repr__(self) -> str:
        return "; ".join(self._line(operation) for operation in sorted({o for o, _ in self.sent})) or "nothing sent"

    def _line(self, operation: str) -> str:
        ranks = [rank for o, rank in self.sent if o == operation]
        sent = sorted({float(self.sent[operation, rank]) for rank in ranks})
        calls = sorted({self.calls[operation, rank] for rank in ranks})
        each = f"{sent[0]:,.0f}" if len(sent) == 1 else f"{sent[0]:,.0f} to {sent[-1]:,.0f}"
        times = f"{calls[0]}" if len(calls) == 1 else f"{calls[0]} to {calls[-1]}"
        return f"{operation}: {each} bytes a rank in {times} call{'' if calls == [1] else 's'}"


def _whole(n: Fraction) -> int | Fraction:
    return int(n) if n.denominator == 1 else n
