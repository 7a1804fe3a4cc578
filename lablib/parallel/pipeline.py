"""Play a pipeline schedule: when each task runs, how long stages idle, how many micro-batches each holds.

A schedule is, for each stage, the order of its tasks. A task runs as soon as its stage is free and what it needs has
come; nothing may overtake. Times are whole numbers, so that the bubble is an exact fraction.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

__all__ = ["Played", "Task", "play"]


@dataclass(frozen=True)
class Task:
    """A forward or backward pass of one micro-batch through one chunk of layers of a stage.

    Attributes
    ----------
    stage, kind, micro_batch, chunk
        Where; ``"F"`` or ``"B"``; which. Chunk c of stage s holds part c · stages + s of the network.
    start, end
        In units of time.
    """

    stage: int
    kind: str
    micro_batch: int
    chunk: int
    start: int
    end: int


@dataclass(frozen=True)
class Played:
    """What came of a schedule.

    Attributes
    ----------
    tasks
        In the order of their starts.
    end
        When the last one ends.
    bubble
        Share of all stages' time in which they idle.
    held
        By stage, the most micro-batches (times chunks) whose activations it holds at once.
    """

    tasks: list[Task]
    end: int
    bubble: Fraction
    held: list[int]


def play(
    orders: Sequence[Sequence[tuple]], micro_batches: int, chunks: int = 1, times: tuple[int, int] = (1, 2)
) -> Played:
    """Run a schedule.

    Parameters
    ----------
    orders
        For each stage its tasks in order, as ``(kind, micro_batch)`` or ``(kind, micro_batch, chunk)``.
    micro_batches
        How many there are.
    chunks
        Parts of the network that each stage holds.
    times
        Of a forward and a backward pass through one chunk.

    Raises
    ------
    ValueError
        A task is missing, comes twice or is none; or the stages wait for each other for ever.

    Examples
    --------
    >>> alone = [("F", 0), ("B", 0)]
    >>> play([alone, alone], 1).bubble
    Fraction(1, 2)
    """
    lists = [[_task(task, stage) for task in order] for stage, order in enumerate(orders)]
    wanted = sorted((kind, i, c) for kind in "FB" for i in range(micro_batches) for c in range(chunks))
    for stage, order in enumerate(lists):
        if sorted(order) != wanted:
            odd = sorted(set(wanted) ^ set(order)) or [task for task in order if order.count(task) > 1]
            raise ValueError(
                f"stage {stage} must run each of its {len(wanted)} tasks once; it lists {len(order)}, "
                f"and {odd[0]} is missing, comes twice or is none of them"
            )
    tasks = _run(lists, chunks, times)
    end = max(task.end for task in tasks)
    busy = micro_batches * chunks * sum(times)
    return Played(
        sorted(tasks, key=lambda task: (task.start, task.stage)), end, 1 - Fraction(busy, end),
        [_most([kind for kind, *_ in order]) for order in lists],
    )  # fmt: skip


def _task(task: tuple, stage: int) -> tuple[str, int, int]:
    if not isinstance(task, (tuple, list)) or len(task) not in (2, 3) or task[0] not in ("F", "B"):
        raise ValueError(f"stage {stage}: a task is ('F' or 'B', micro-batch) or (…, chunk); got {task!r}")
    return (task[0], int(task[1]), int(task[2]) if len(task) == 3 else 0)


def _run(lists: list[list[tuple[str, int, int]]], chunks: int, times: tuple[int, int]) -> list[Task]:
    parts, stages = chunks * len(lists), len(lists)
    ends: dict[tuple[str, int, int], int] = {}  # by kind, micro-batch and part of the network
    next_of, free, tasks = [0] * stages, [0] * stages, []
    moved = True
    while moved:
        moved = False
        for stage, order in enumerate(lists):
            while next_of[stage] < len(order):
                kind, i, c = order[next_of[stage]]
                part = c * stages + stage
                needs = [("F", i, part - 1)] if kind == "F" else [("F", i, part), ("B", i, part + 1)]
                needs = [need for need in needs if 0 <= need[2] < parts]
                if any(need not in ends for need in needs):
                    break
                start = max([free[stage], *(ends[need] for need in needs)])
                free[stage] = ends[kind, i, part] = start + times[kind == "B"]
                tasks.append(Task(stage, kind, i, c, start, free[stage]))
                next_of[stage], moved = next_of[stage] + 1, True
    for stage, order in enumerate(lists):
        if next_of[stage] < len(order):
            raise ValueError(
                f"the stages wait for each other: stage {stage} never gets what {order[next_of[stage]]} needs"
            )
    return tasks


def _most(kinds: list[str]) -> int:
    """The most forward passes without their backward pass."""
    held = most = 0
    for kind in kinds:
        held += 1 if kind == "F" else -1
        most = max(most, held)
    return most
