"""The least arithmetic of any plan within a budget of memory: a shortest path over all that could be held.

The states of a chain of n blocks are which outputs and which graphs are held and which backward pass is next; actions
lead from one to another. Nothing is assumed of the shape of a good plan, so this is the yardstick of planners that do;
but the states grow with 4ⁿ.
"""

from __future__ import annotations

from heapq import heappop, heappush

from lablib.train.chain import Action, Chain

__all__ = ["LONGEST", "best_plan"]

State = tuple[int, int, int]

LONGEST = 7
"""Blocks of the longest chain that is searched, in a second or two."""


def best_plan(chain: Chain, budget: int) -> list[Action] | None:
    """A plan of the fewest FLOPs that never holds more than ``budget`` bytes; None if there is no plan.

    Raises
    ------
    ValueError
        If the chain has more than `LONGEST` blocks.

    Examples
    --------
    >>> chain = Chain((8, 8), (20, 20), (100, 100))
    >>> best_plan(chain, 40)
    [('save', 1), ('save', 2), ('backward', 2), ('backward', 1)]
    >>> best_plan(chain, 28)
    [('forward', 1), ('save', 2), ('backward', 2), ('drop', 1), ('save', 1), ('backward', 1)]
    """
    n = len(chain)
    if n > LONGEST:
        raise ValueError(f"best_plan searches chains of at most {LONGEST} blocks; this one has {n}.")
    start: State = (0, 0, n)  # outputs and graphs that are held, as bits; the next backward pass
    queue: list[tuple[int, int, State]] = [(0, 0, start)]
    before: dict[State, tuple[State, Action] | None] = {start: None}
    cost: dict[State, int] = {start: 0}
    done, count = set(), 0
    while queue:
        flops, _, state = heappop(queue)
        if state == (0, 0, 0):
            return _path(before, state)
        if state in done:
            continue
        done.add(state)
        for action, reached in _actions(chain, budget, state):
            total = flops + (chain.flops[action[1] - 1] if action[0] in ("forward", "save") else 0)
            if total < cost.get(reached, total + 1):
                cost[reached], before[reached], count = total, (state, action), count + 1
                heappush(queue, (total, count, reached))
    return None


def _actions(
    chain: Chain, budget: int, state: State
) -> list[tuple[Action, State]]:  # fmt: skip
    """What can be done in a state, and where it leads."""
    outputs, graphs, left = state
    found: list[tuple[Action, State]] = []
    held = sum(
        chain.output_bytes[k] * (outputs >> k & 1) + chain.saved_bytes[k] * (graphs >> k & 1) for k in range(len(chain))
    )
    for k in range(len(chain)):
        bit = 1 << k
        there = k == 0 or (outputs | graphs) >> (k - 1) & 1
        if k < left and there and not (outputs | graphs) & bit:
            if held + chain.output_bytes[k] <= budget:
                found.append((("forward", k + 1), (outputs | bit, graphs, left)))
            if held + chain.saved_bytes[k] <= budget:
                found.append((("save", k + 1), (outputs, graphs | bit, left)))
        if outputs & bit and not graphs & bit << 1:
            found.append((("drop", k + 1), (outputs & ~bit, graphs, left)))
    if left and graphs >> (left - 1) & 1:
        found.append((("backward", left), (outputs, graphs & ~(1 << (left - 1)), left - 1)))
    return found


def _path(
    before: dict[State, tuple[State, Action] | None], state: State
) -> list[Action]:  # fmt: skip
    actions: list[Action] = []
    while (step := before[state]) is not None:
        state, action = step
        actions.append(action)
    return actions[::-1]
