"""Which of a cell's edges do anything: those on a path from its input to its output."""

from __future__ import annotations

from collections.abc import Sequence

from lablib.automl.space import EDGES, NODES, check

__all__ = ["live"]


def live(cell: Sequence[int]) -> tuple[int, ...]:
    """The same function without idle work: an edge on no path from input to output becomes ``none``.

    Examples
    --------
    Node 1 is given nothing, so what leaves it is nothing too; node 2 leads nowhere.

    >>> live((0, 4, 4, 1, 3, 0))
    (0, 0, 0, 1, 0, 0)
    """
    chosen = check(cell)
    edges = [edge for edge, operation in zip(EDGES, chosen, strict=True) if operation]
    reached, needed = {0}, {NODES - 1}
    for source, target in sorted(edges, key=lambda edge: edge[1]):
        if source in reached:
            reached.add(target)
    for source, target in sorted(edges, key=lambda edge: -edge[0]):
        if target in needed:
            needed.add(source)
    return tuple(
        operation if source in reached and target in needed else 0
        for (source, target), operation in zip(EDGES, chosen, strict=True)
    )
