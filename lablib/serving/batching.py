"""A batching policy against arrivals: in virtual time, where nothing depends on the machine, and under LoadGen.

A server runs one batch at a time. A policy is asked whenever the server is free and queries wait: run some of them now,
or wait for more? In virtual time a batch of n takes ``service[n - 1]`` and not a tick more or less, so a policy's
latencies are numbers that anybody can compute again.

Waiting for company trades latency for throughput: Crankshaw et al., "Clipper", NSDI 2017, section 4.3.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from queue import Empty, SimpleQueue

from lablib.serving.loadgen import Complete, Worker

__all__ = ["Policy", "Served", "measured_service", "percentile", "simulate", "worker"]

_PATIENCE = 100  # bounds after the last arrival

Policy = Callable[[int, list[int], list[int], int], tuple[int, "int | None"]]
"""``decide(now, waiting, service, bound)``: see `simulate`."""


@dataclass
class Served:
    """What came of a simulated run; times in microseconds.

    Attributes
    ----------
    latencies
        Of each query, in order of arrival, from arrival to the end of its batch.
    batches
        (start, size) of each.
    busy
        Time in which the server ran a batch.
    held
        Time in which it was free although a query waited.
    backlog
        Queries that waited or ran when the last one arrived, itself included.
    """

    latencies: list[int] = field(default_factory=list)
    batches: list[tuple[int, int]] = field(default_factory=list)
    busy: int = 0
    held: int = 0
    backlog: int = 0

    def late(self, bound: int) -> int:
        """Queries that took longer than ``bound``."""
        return sum(latency > bound for latency in self.latencies)


def percentile(values: Sequence[int], share: float) -> int:
    """The least value that ``share`` of the values do not exceed: the nearest-rank percentile.

    Examples
    --------
    >>> percentile([5, 1, 9, 7], 0.5), percentile([5, 1, 9, 7], 0.99)
    (5, 9)
    """
    return sorted(values)[max(math.ceil(share * len(values)), 1) - 1]


def simulate(decide: Policy, arrivals: Sequence[int], service: Sequence[int], bound: int) -> Served:
    """Play a policy against arrivals in virtual time.

    Parameters
    ----------
    decide
        Called as ``decide(now, waiting, service, bound)`` when the server is free and somebody waits: ``waiting`` has
        the arrivals of those, oldest first. It returns ``(n, None)`` to run the n oldest now, or ``(0, wake)`` to wait
        until ``wake``, or until the next arrival if that comes first.
    arrivals
        Times in microseconds, ascending ints.
    service
        Microseconds of a batch of 1, 2, …; its length is the largest batch.
    bound
        Microseconds that a query may take; only the policy reads it.

    Raises
    ------
    ValueError
        If the policy asks for what there is not: a batch too large, or a wake that is not in the future.

    Examples
    --------
    Two queries that come together run together:

    >>> served = simulate(lambda now, waiting, service, bound: (len(waiting), None), [0, 0, 5], [10, 12], 50)
    >>> served.latencies, served.batches
    ([12, 12, 17], [(0, 2), (12, 1)])
    """
    arrivals, service = list(arrivals), list(service)
    served, now, first, come = Served(), 0, 0, 0
    while first < len(arrivals):
        now = max(now, arrivals[first])
        while come < len(arrivals) and arrivals[come] <= now:
            come += 1
            if come == len(arrivals):
                served.backlog = _unfinished(served, arrivals, service)
        size, wake = _checked(decide(now, arrivals[first:come], service, bound), now, come - first, len(service))
        if size:
            end = now + service[size - 1]
            served.batches.append((now, size))
            served.latencies += [end - arrived for arrived in arrivals[first : first + size]]
            served.busy += service[size - 1]
            first, now = first + size, end
        else:
            later = min(wake, arrivals[come]) if come < len(arrivals) else wake
            if later > arrivals[-1] + _PATIENCE * bound:
                raise ValueError(f"At {now} {come - first} queries wait for company that never comes: see your `wake`.")
            served.held += later - now
            now = later
    return served


def _unfinished(served: Served, arrivals: list[int], service: list[int]) -> int:
    """Queries that were not answered yet at the last arrival."""
    done = sum(size for start, size in served.batches if start + service[size - 1] <= arrivals[-1])
    return len(arrivals) - done


def _checked(answer: tuple[int, int | None], now: int, waiting: int, most: int) -> tuple[int, int]:
    if not isinstance(answer, tuple) or len(answer) != 2:
        raise ValueError(f"A policy returns (n, None) to run n queries, or (0, wake) to wait; it returned {answer!r}.")
    size, wake = answer
    if not isinstance(size, int) or not 0 <= size <= min(waiting, most):
        raise ValueError(f"{waiting} queries wait and a batch holds {most}: the policy cannot run {size!r} of them.")
    if size == 0 and (not isinstance(wake, int) or wake <= now):
        raise ValueError(f"At {now} the policy waits until {wake!r}: expected a later time, an int in microseconds.")
    return size, wake or now


def worker(decide: Policy, predict: Callable[[list[int]], list[int]], service: Sequence[int], bound: int) -> Worker:
    """The same policy on a real clock, for `lablib.serving.loadgen.run` with the scenario Server.

    Parameters
    ----------
    decide
        As in `simulate`; times are microseconds of this machine's clock.
    predict
        From indices of samples to an answer each.
    service, bound
        What the policy is told of the server; see `measured_service`.
    """
    service = list(service)

    def work(inbox: SimpleQueue, complete: Complete) -> None:
        waiting: list[tuple[int, int, int]] = []
        open_, wake = True, None
        while open_ or waiting:
            for samples in _received(inbox, wait=not waiting, until=wake):
                open_ = open_ and samples is not None
                arrived = time.monotonic_ns() // 1000
                waiting += [(arrived, *sample) for sample in samples or ()]
            # A clock wakes a little too late; told so, a policy that waited for the last moment would find it gone.
            now = time.monotonic_ns() // 1000
            now, wake = now if wake is None else min(now, wake), None
            if not waiting:
                continue
            asked = decide(now, [arrived for arrived, _, _ in waiting], service, bound)
            size, wake = _checked(asked, now, len(waiting), len(service))
            if not size and open_:
                continue
            size = size or min(len(waiting), len(service))  # no more will come: run whoever waits
            batch, waiting = waiting[:size], waiting[size:]
            complete([one for _, one, _ in batch], predict([index for _, _, index in batch]))
            wake = None

    return work


def _received(inbox: SimpleQueue, wait: bool, until: int | None) -> list:
    """All that has come; if nothing has, wait for it, at most until a time."""
    found = []
    try:
        if wait:
            found.append(inbox.get())
        elif until is not None:
            found.append(inbox.get(timeout=max(until / 1e6 - time.monotonic(), 0)))
        while True:
            found.append(inbox.get_nowait())
    except Empty:
        return found


def measured_service(predict: Callable[[list[int]], list[int]], sizes: Sequence[int], repeats: int = 5) -> list[int]:
    """Microseconds that batches of 1 to ``sizes[-1]`` take on this machine: medians at ``sizes``, lines in between.

    Parameters
    ----------
    predict
        Called with the indices of a batch of n samples, which are 0 to n - 1.
    sizes
        Of the batches to time, ascending, from 1 or more.
    repeats
        Calls at each size.

    Returns
    -------
    list of int
        For a batch of 1, 2, …, rounded up. A larger batch never takes less: where its median is below that of a
        smaller one, it gets that. Below ``sizes[0]`` all take what that takes.
    """
    import numpy as np

    medians = []
    for size in sizes:
        times = []
        for _ in range(repeats):
            start = time.perf_counter_ns()
            predict(list(range(size)))
            times.append((time.perf_counter_ns() - start) / 1000)
        medians.append(float(np.median(times)))
    steps = np.interp(np.arange(1, sizes[-1] + 1), sizes, np.maximum.accumulate(medians))
    return [math.ceil(step) for step in steps]
