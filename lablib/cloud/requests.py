"""Requests of a language model, step by step: a scheduler decides who joins, pages of a KV cache limit how many can.

The model of time: a step computes one token for every sequence that runs, and costs the same for 1 or 16 of them, since
it reads all weights once. A sequence that joins computes all of its tokens in its first step, and gets one new token.
So a request of n output tokens is there for n steps.

The model of memory: keys and values stand in pages of so many tokens. Pages are given when they are needed. A sequence
that is evicted loses its pages, and keeps its tokens; when it joins again, they are computed again.

Sources: Yu et al., "Orca", OSDI 2022, section 3; Kwon et al., "Efficient Memory Management for Large Language Model
Serving with PagedAttention", SOSP 2023, sections 4.2 and 4.5.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

__all__ = ["Request", "Schedule", "Served", "serve", "static_batches"]

Schedule = Callable[[list, list, int, int, int], "tuple[list[int], list[int]]"]
"""``schedule(running, waiting, free, page, slots)``: see `serve`."""


@dataclass
class Request:
    """A request under way: its tokens so far, how many of them are in the cache, and where."""

    number: int
    tokens: int
    left: int
    cached: int = 0
    table: list[int] = field(default_factory=list)
    slot: int = -1


@dataclass
class Served:
    """What came of it.

    Attributes
    ----------
    steps, tokens, evictions
        Steps until all were done; output tokens; sequences that lost their pages.
    slots, pages
        For each step the request in each slot, and the owner of each page; -1 is nobody.
    joined
        Requests in the order in which they first joined.
    """

    steps: int = 0
    tokens: int = 0
    evictions: int = 0
    slots: list[list[int]] = field(default_factory=list)
    pages: list[list[int]] = field(default_factory=list)
    joined: list[int] = field(default_factory=list)


def static_batches(
    running: list, waiting: list, free: int, page: int, slots: int
) -> tuple[list[int], list[int]]:  # fmt: skip
    """A schedule that fills a batch, and admits nobody until all of it are done. It needs pages enough for all."""
    return [], [] if running else [number for number, _ in waiting[:slots]]


def serve(
    schedule: Schedule, requests: Sequence[tuple[int, int]], slots: int, pages: int, page: int,
    compute: Callable[[list[Request]], None] | None = None,
) -> Served:  # fmt: skip
    """Play a schedule until all requests are done; all of them wait at the beginning.

    Parameters
    ----------
    schedule
        Called before each step as ``schedule(running, waiting, free, page, slots)``. ``running`` has pairs (request,
        tokens in the cache) in the order in which they joined, each of which is about to add one token; ``waiting``
        has pairs (request, tokens to compute), first come first; ``free`` pages belong to nobody. It returns two lists
        of requests: whom to evict, and whom to admit. Those evicted wait in front of all others.
    requests
        (prompt tokens, output tokens) of each.
    slots, pages, page
        The most sequences of a step, pages that there are, tokens of a page.
    compute
        Called in each step with the sequences that run, pages given: a real model can do its work here.

    Raises
    ------
    ValueError
        If no request is asked, one is of less than a token or never fits, or the schedule evicts who does not run,
        admits who does not wait, or has not the pages or the slots.

    Examples
    --------
    >>> served = serve(static_batches, [(4, 1), (4, 3), (4, 2)], slots=2, pages=8, page=4)
    >>> served.steps, served.tokens, served.slots
    (5, 6, [[0, 1], [-1, 1], [-1, 1], [2, -1], [2, -1]])
    """
    waiting = _asked(requests, pages, page)
    running: list[Request] = []
    served, owner = Served(), [-1] * pages
    while waiting or running:
        told = [(one.number, one.cached) for one in running], [(one.number, one.tokens) for one in waiting]
        evict, admit = schedule(*told, owner.count(-1), page, slots)
        running, waiting = _moved(served, running, waiting, list(evict), list(admit), slots, owner)
        for one in running:
            one.cached = one.tokens
            _give_pages(one, owner, page, served.steps)
        served.slots.append(_by_slot(running, slots))
        served.pages.append(list(owner))
        if compute is not None:
            compute(running)
        for one in running:
            one.tokens, one.left = one.tokens + 1, one.left - 1
            if not one.left:
                _free(one, owner)
        served.tokens, served.steps = served.tokens + len(running), served.steps + 1
        running = [one for one in running if one.left]
    return served


def _asked(requests: Sequence[tuple[int, int]], pages: int, page: int) -> list[Request]:
    """The requests, if each can be served."""
    if not requests:
        raise ValueError("serve expects at least one request, a pair (prompt tokens, output tokens), but got none.")
    for number, (prompt, output) in enumerate(requests):
        if prompt < 1 or output < 1:
            raise ValueError(
                f"Request {number} has {prompt} prompt tokens and {output} output tokens: expected at least 1 of each."
            )
    longest = max(prompt + output - 1 for prompt, output in requests)
    if -(-longest // page) > pages:
        raise ValueError(f"A request needs {longest} places, but {pages} pages of {page} hold {pages * page}.")
    return [Request(number, prompt, output) for number, (prompt, output) in enumerate(requests)]


def _moved(
    served: Served, running: list[Request], waiting: list[Request], evict: list[int], admit: list[int], slots: int,
    owner: list[int],
) -> tuple[list[Request], list[Request]]:  # fmt: skip
    """Who runs and who waits after a decision."""
    _refuse(served.steps, "evicts", evict, running, "run")
    _refuse(served.steps, "admits", admit, waiting, "wait")
    out = [one for one in running if one.number in evict]
    for one in out:
        _free(one, owner)
        one.cached = 0
    served.evictions += len(out)
    by_number = {one.number: one for one in waiting}
    new = [by_number[number] for number in admit]
    running = [one for one in running if one.number not in evict] + new
    if len(running) > slots:
        raise ValueError(f"Step {served.steps}: {len(running)} sequences are to run in {slots} slots.")
    if not running:
        raise ValueError(f"Step {served.steps}: nobody runs, {len(waiting)} wait, and the schedule admits none.")
    taken = {one.slot for one in running if one.slot >= 0}
    for one, slot in zip(new, (s for s in range(slots) if s not in taken), strict=False):
        one.slot = slot
    served.joined += [number for number in admit if number not in served.joined]
    return running, out + [one for one in waiting if one.number not in admit]


def _refuse(step: int, what: str, numbers: list[int], among: list[Request], state: str) -> None:
    known = [one.number for one in among]
    wrong = [number for number in numbers if number not in known or numbers.count(number) > 1]
    if wrong:
        raise ValueError(
            f"Step {step}: the schedule {what} request {wrong[0]}; expected each once, of {known}: they {state}."
        )


def _give_pages(one: Request, owner: list[int], page: int, step: int) -> None:
    while len(one.table) * page < one.cached:
        if -1 not in owner:
            raise ValueError(
                f"Step {step}: request {one.number} needs a page for token {one.cached}, and none is free."
            )
        place = owner.index(-1)
        owner[place] = one.number
        one.table.append(place)


def _free(one: Request, owner: list[int]) -> None:
    for place in one.table:
        owner[place] = -1
    one.table, one.slot = [], -1


def _by_slot(running: list[Request], slots: int) -> list[int]:
    row = [-1] * slots
    for one in running:
        row[one.slot] = one.number
    return row
