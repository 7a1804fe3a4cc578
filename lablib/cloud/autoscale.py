"""Replicas in time: requests come, wait and are served; replicas are rented, start, serve, and are taken away.

The model: time goes in ticks (a minute, say). A replica that is rented serves after ``startup`` ticks, ``capacity``
requests a tick, first come first served. It is paid from the tick in which it is rented to the one in which it is
returned. The owner of the machines may take a replica away at any tick, without warning (a spot machine); those that
are taken are chosen by a list that is drawn beforehand, so that two policies meet the same fate.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np

__all__ = ["Policy", "Rented", "daily_demand", "play"]

Policy = Callable[[list[int], int, int, list[int], dict], int]
"""``scale(demand, waiting, ready, starting, service)``: see `play`."""


@dataclass
class Rented:
    """What came of a policy.

    Attributes
    ----------
    cost
        Ticks of replicas that were paid.
    requests, late
        How many there were, and how many waited longer than the bound.
    ready, rented, waiting
        At each tick: replicas that serve, all that are paid, requests left over.
    """

    cost: int = 0
    requests: int = 0
    late: int = 0
    ready: list[int] = field(default_factory=list)
    rented: list[int] = field(default_factory=list)
    waiting: list[int] = field(default_factory=list)


def daily_demand(
    days: int, period: int, low: float, high: float, rng: np.random.Generator, peak: float = 0.6
) -> list[int]:
    """Requests a tick: Poisson around a day's curve, from ``low`` at night to ``high`` at the ``peak`` of the period.

    Examples
    --------
    >>> demand = daily_demand(2, 240, 20, 400, np.random.default_rng(0))
    >>> len(demand), min(demand) < 20, 300 < max(demand) < 580
    (480, True, True)
    """
    ticks = np.arange(days * period)
    wave = (0.5 + 0.5 * np.cos(2 * math.pi * (ticks / period - peak))) ** 2
    # No day is like the one before; from one noon to the next its size changes slowly.
    size = np.interp(ticks, period * (np.arange(days + 1) - 0.5), 1 + 0.25 * rng.uniform(-1, 1, days + 1))
    return rng.poisson((low + (high - low) * wave) * size).tolist()


def play(
    scale: Policy, demand: Sequence[int], service: dict, taken: Sequence[int] = (), history: Sequence[int] = ()
) -> Rented:
    """Play a policy against demand. It begins with as many replicas as the policy wants at first, all of them ready.

    Parameters
    ----------
    scale
        Called at the beginning of each tick as ``scale(demand, waiting, ready, starting, service)``, with the demand of
        up to ``period`` ticks before, the requests left over, the replicas that serve, and for each that starts the
        ticks that it still needs. It returns how many replicas are to be rented in all, those that start included.
    demand
        Requests of each tick.
    service
        ``capacity``, ``startup``, ``bound`` (ticks that a request may wait) and ``period``.
    taken
        Ticks at which a serving replica is taken away.
    history
        Demand before the first tick; it is not served.

    Raises
    ------
    ValueError
        If the policy returns anything but a whole number from 0 up.

    Examples
    --------
    Two replicas that never change; the last ten requests are not served in time:

    >>> service = {"capacity": 10, "startup": 2, "bound": 0, "period": 4}
    >>> rented = play(lambda demand, *rest: 2, [0, 0, 20, 30], service)
    >>> rented.cost, rented.late, rented.ready
    (8, 10, [2, 2, 2, 2])
    """
    result, starting = Rented(requests=sum(demand)), []
    ready = _checked(scale(list(history)[-service["period"] :], 0, 0, [], service), 0)
    queue: deque[list[int]] = deque()  # [tick of arrival, requests]
    fate = {tick: list(taken).count(tick) for tick in set(taken)}
    for now, coming in enumerate(demand):
        ready, starting = ready + starting.count(0), [left for left in starting if left > 0]
        ready -= min(fate.get(now, 0), ready)
        waiting = sum(count for _, count in queue)
        known = [*history, *demand[:now]][-service["period"] :]
        wanted = _checked(scale(known, waiting, ready, sorted(starting), service), now)
        ready, starting = _rented(wanted, ready, sorted(starting), service["startup"])
        queue.append([now, coming])
        result.late += _serve(queue, ready * service["capacity"], now, service["bound"])
        result.cost += ready + len(starting)
        result.ready.append(ready)
        result.rented.append(ready + len(starting))
        result.waiting.append(sum(count for _, count in queue))
        starting = [left - 1 for left in starting]
    result.late += sum(count for _, count in queue)
    return result


def _checked(wanted: int, now: int) -> int:
    if not isinstance(wanted, int) or wanted < 0:
        raise ValueError(f"Tick {now}: the policy asks for {wanted!r} replicas; expected an int from 0 up.")
    return wanted


def _rented(wanted: int, ready: int, starting: list[int], startup: int) -> tuple[int, list[int]]:
    """Rent more, or return those first that would take longest to start."""
    more = wanted - ready - len(starting)
    if more >= 0:
        return ready, starting + [startup] * more
    kept = max(len(starting) + more, 0)
    return min(ready, wanted), starting[:kept]


def _serve(queue: deque[list[int]], capacity: int, now: int, bound: int) -> int:
    """Serve the oldest; return how many of them had waited too long."""
    late = 0
    while queue and capacity:
        count = min(queue[0][1], capacity)
        late += count * (now - queue[0][0] > bound)
        capacity -= count
        queue[0][1] -= count
        if not queue[0][1]:
            queue.popleft()
    return late
