"""Whether a schedule of tasks on several streams holds, and how late any list schedule can end."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

__all__ = ["conflicts", "graham_bound", "longest_ways"]


def conflicts(durations: Sequence[int], waits: Sequence[Sequence[int]], placed: Sequence[tuple[int, int]]) -> list[str]:
    """What is wrong with a schedule, as sentences.

    Parameters
    ----------
    durations
        Of each task.
    waits
        For each task the numbers of those that must have ended before it starts.
    placed
        For each task its stream and its start.

    Examples
    --------
    >>> conflicts([2, 3], [[], [0]], [(0, 0), (1, 1)])
    ['task 1 starts at 1, before task 0, for which it waits, has ended.']
    >>> conflicts([2, 3], [[], []], [(0, 0), (0, 1)])
    ['stream 0 runs tasks 0 and 1 at once.']
    """
    if len(placed) != len(durations):
        return [f"{len(placed)} tasks are placed; there are {len(durations)}."]
    ends = [start + length for (_, start), length in zip(placed, durations, strict=True)]
    found = [f"task {task} starts before 0." for task, (_, start) in enumerate(placed) if start < 0]
    found += [
        f"task {task} starts at {placed[task][1]}, before task {other}, for which it waits, has ended."
        for task, others in enumerate(waits) for other in others if ends[other] > placed[task][1]
    ]  # fmt: skip
    for stream in sorted({stream for stream, _ in placed}):
        mine = sorted((start, task) for task, (place, start) in enumerate(placed) if place == stream)
        for (_, one), (start, other) in itertools.pairwise(mine):
            if ends[one] > start:
                found.append(f"stream {stream} runs tasks {one} and {other} at once.")
    return found


def longest_ways(durations: Sequence[int], waits: Sequence[Sequence[int]]) -> list[int]:
    """For each task the time from its start to the end of the longest chain that it begins.

    Examples
    --------
    >>> longest_ways([2, 2, 1, 3], [[], [], [], [2]])
    [2, 2, 4, 3]
    """
    ways = list(durations)
    for _ in durations:
        for task, others in enumerate(waits):
            for other in others:
                ways[other] = max(ways[other], durations[other] + ways[task])
    return ways


def graham_bound(durations: Sequence[int], waits: Sequence[Sequence[int]], streams: int) -> float:
    """When any list schedule has ended: W / k + (1 − 1 / k) C, with all work W, the longest chain C, and k streams.

    Source: R. L. Graham, Bounds for certain multiprocessing anomalies, Bell System Technical Journal 45, 1966.

    Examples
    --------
    >>> graham_bound([2, 2, 1, 3], [[], [], [], [2]], 2)
    6.0
    """
    return sum(durations) / streams + (1 - 1 / streams) * max(longest_ways(durations, waits))
